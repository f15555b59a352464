"""Makes an update run, and takes it back when it does not: one link decides, and a journal says that it is on trial.

The link is replaced in one step of the file system, so whenever the power goes, it names something complete. The
journal is written before it and removed after the trial, so that the next start can end a trial that was cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from edge.core.errors import UpdateError

TRIES = 2
"""Trials that may be cut off before the update is taken for what cut them."""
Reporter = Callable[[str], None]


class Unit(Protocol):
    """The service."""

    def restart(self) -> bool:
        """Starts it anew and waits until it is ready; False when it did not get there."""

    def healthy(self, seconds: float) -> str:
        """Watches it for so long; why it is not healthy, or nothing."""


@dataclass(frozen=True)
class Trial:
    """A link that was, or is about to be, changed."""

    link: str
    new: str
    old: str | None
    """What the link named before; None where there was no link."""
    label: str
    tries: int = 0


def begin(link: Path, new: Path, label: str, version: str) -> Trial:
    """The trial to come. A script in the link's place is kept, under a name with its `version`, to go back to."""
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
    """Makes the link name `target`, in one step; None removes it."""
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
    """The trial that was cut off, if one was."""
    try:
        return Trial(**json.loads(journal.read_text()))
    except FileNotFoundError:
        return None


def attempt(journal: Path, trial: Trial, unit: Unit, health: float, say: Reporter) -> None:
    """Switches, restarts, watches; keeps what is healthy, else switches back and raises UpdateError."""
    write(journal, replace(trial, tries=trial.tries + 1))
    flip(Path(trial.link), trial.new)
    say(f"{trial.label}: switched; watching it for {health:.0f} s")
    why = unit.healthy(health) if unit.restart() else "it did not become ready"
    if why:
        _back(journal, trial, unit, why)
    journal.unlink()
    os.sync()
    say(f"{trial.label}: healthy, and stays")


def resume(journal: Path, unit: Unit, health: float, say: Reporter) -> None:
    """At start-up: ends a trial that was cut off. Raises UpdateError when that was the end of the update."""
    trial = pending(journal)
    if trial is None:
        say("no update is on trial")
    elif trial.tries >= TRIES:
        _back(journal, trial, unit, f"cut off {trial.tries} times while it was on trial")
    else:
        attempt(journal, trial, unit, health, say)


def _back(journal: Path, trial: Trial, unit: Unit, why: str) -> None:
    flip(Path(trial.link), trial.old)
    journal.unlink()
    os.sync()
    after = (
        "what ran before runs again" if unit.restart() else "what ran before was put back, but does not start either"
    )
    raise UpdateError(f"{trial.label}: {why}: {after}")
