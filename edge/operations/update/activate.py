"""Activates an update, and rolls it back if it fails: one link decides, and a journal records the trial.

The link is replaced atomically, so it always names something complete, even after a power cut. The journal is written
before that and removed after the trial, so that the next start can finish an interrupted trial.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from edge.core.errors import UpdateError

TRIES = 2
"""Interrupted trials after which the update itself is blamed."""
COMPLETE = "complete"
"""A file that marks a release's folder as complete."""
Reporter = Callable[[str], None]


class Unit(Protocol):
    """The service."""

    def restart(self) -> bool:
        """Restarts it and waits until it is ready; False if it did not become ready."""

    def healthy(self, seconds: float) -> str:
        """Watches it for `seconds`; returns why it is not healthy, or ""."""


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True)
class Trial:
    """The change of a link, done or about to be done."""

    link: str
    new: str
    old: str | None
    """The link's previous target; None if there was no link."""
    label: str
    tries: int = 0


class Damaged(UpdateError):
    """The journal exists but cannot be understood."""


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Allows one update at a time; the lock ends with its process. Raises UpdateError."""
    with (root / ".update.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UpdateError("another update is under way: wait until it has ended") from None
        yield


def begin(link: Path, new: Path, label: str, version: str) -> Trial:
    """Prepares the trial. A script in the link's place is kept, under a name with its `version`, for a rollback."""
    if link.is_symlink():
        old: str | None = os.readlink(link)
    elif link.exists():
        kept = link.with_name(f"{link.name}-{version}")
        with contextlib.suppress(FileExistsError):
            os.link(link, kept)
        old = kept.name
    else:
        old = None
    return Trial(str(link), os.path.relpath(new, link.parent), old, label)


def flip(link: Path, target: str | None) -> None:
    """Points the link to `target` atomically; None removes it."""
    if target is None:
        link.unlink(missing_ok=True)
    else:
        part = link.with_name(link.name + ".part")
        part.unlink(missing_ok=True)
        os.symlink(target, part)
        os.replace(part, link)
    os.sync()


def write(journal: Path, trial: Trial) -> None:
    part = journal.with_name(journal.name + ".part")
    part.write_text(json.dumps(asdict(trial)))
    os.sync()
    os.replace(part, journal)
    os.sync()


def pending(journal: Path) -> Trial | None:
    """The interrupted trial, if there was one. Raises Damaged."""
    try:
        trial = TypeAdapter(Trial).validate_json(journal.read_bytes())
        if _ours(Path(trial.link), journal.parent.resolve()):
            return trial
    except FileNotFoundError:
        return None
    except (ValidationError, ValueError):
        pass
    raise Damaged(f"{journal} is damaged: repair it with: maskcam update --resume")


def _ours(link: Path, root: Path) -> bool:
    """Whether it is a link that an update changes: the program's, or the bundle's of an environment."""
    folder = link.parent.resolve()
    if link.name == "maskcam":
        return folder == root / "bin"
    return link.name == "bundle" and (folder == root or folder.parent == root / "releases")


def attempt(journal: Path, trial: Trial, unit: Unit, health: float, say: Reporter) -> None:
    """Switches, restarts and watches; keeps a healthy update, otherwise switches back and raises UpdateError."""
    write(journal, replace(trial, tries=trial.tries + 1))
    flip(Path(trial.link), trial.new)
    say(f"{trial.label}: switched; watching it for {health:.0f} s")
    why = unit.healthy(health) if unit.restart() else "it did not become ready"
    if why:
        _back(journal, trial, unit, why)
    journal.unlink()
    os.sync()
    say(f"{trial.label}: healthy, kept")


def resume(journal: Path, unit: Unit, health: float, say: Reporter) -> None:
    """At start-up: finishes an interrupted trial. Raises UpdateError if the update was rolled back."""
    with alone(journal.parent):
        try:
            trial = pending(journal)
        except Damaged:
            journal.unlink()
            say(f"{journal.name} was damaged: {heal(journal.parent, unit)}")
            return
        if trial is None:
            whole = runs(journal.parent / "bin" / "maskcam")
            say("no update is on trial" if whole else heal(journal.parent, unit))
        elif trial.tries >= TRIES:
            _back(journal, trial, unit, f"cut off {trial.tries} times while it was on trial")
        elif not runs(Path(trial.link).parent / trial.new):
            _back(journal, trial, unit, "what it brought is gone")
        else:
            attempt(journal, trial, unit, health, say)


def runs(path: Path) -> bool:
    """Whether a link's target exists and, in a release's folder, is complete."""
    found = path.resolve()
    release = next((folder for folder in found.parents if folder.parent.name == "releases"), None)
    return found.exists() and (release is None or (release / COMPLETE).exists())


def heal(root: Path, unit: Unit) -> str:
    """Points the link to something complete; returns what. Raises UpdateError if nothing is left."""
    for environment in (root, *root.glob("releases/*")):
        link = environment / "bundle"  # glob finds no link that leads nowhere
        if link.is_symlink() and not link.exists():
            link.unlink()  # the environment's own bundle is used instead
    entry = root / "bin" / "maskcam"
    if runs(entry):
        return f"it is removed, and what {entry} names stays"
    newest = sorted(root.glob("releases/*/bin/maskcam"), key=lambda path: path.lstat().st_mtime_ns, reverse=True)
    for path in (*newest, *sorted(root.glob("bin/maskcam-*"))):
        if runs(path):
            flip(entry, os.path.relpath(path, entry.parent))
            started = unit.restart()
            return f"{entry} named nothing that runs; {path} {'runs now' if started else 'does not start either'}"
    raise UpdateError(f"{entry} names nothing that runs, and nothing else is left: run systemd/install.sh again")


def _back(journal: Path, trial: Trial, unit: Unit, why: str) -> None:
    link = Path(trial.link)
    flip(link, trial.old)
    journal.unlink()
    os.sync()
    if trial.old is not None and not runs(link):
        raise UpdateError(f"{trial.label}: {why}: {heal(journal.parent, unit)}")
    after = (
        "the previous version runs again" if unit.restart() else "the previous version was restored, but does not start"
    )
    raise UpdateError(f"{trial.label}: {why}: {after}")
