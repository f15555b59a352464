"""Settings (`edge.config.settings`) from all sources; later ones override earlier ones: defaults, files, variables,
`--set`.

All errors are reported at once, one line each with place, key, value and expectation.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.config import attempts, left_out, sources
from edge.config.renamed import Key
from edge.config.settings import Settings
from edge.config.sources import Entry
from edge.config.template import show
from edge.config.validation_errors import explain
from edge.core.errors import ConfigError
from edge.core.files import write
from edge.sinks.command import VARIABLES

log = logging.getLogger(__name__)

SYSTEM_FILES = (Path("/etc/maskcam/maskcam.toml"), Path("/boot/firmware/maskcam.toml"))
"""Read if no file is given. The second one is on the partition of a card that any laptop can edit."""
LAST_GOOD = "last-good.toml"
PAGE = "page.toml"
"""File in the state directory with the settings of the page, which is read after the other files."""
STATE = Path("/var/lib/maskcam")
"""The state directory of the service, for commands that are started by hand."""

Source = Callable[[], list[Entry]]


@dataclass(frozen=True)
class Loaded:
    """Settings and where they come from."""

    settings: Settings
    origins: Mapping[Key, str]
    """Where each key was set: "FILE:LINE", the name of a variable, or "--set". Defaults are absent."""
    fallback: str | None = None
    """Why these are not the requested settings, a line per error; None if they are."""
    last_good: Path | None = None
    """Where a service saves them once they have worked; None: nowhere."""

    def trying(self) -> str:
        """Records a start with them, unless they are known to work; returns "" or why not to try them again."""
        text = show(self.settings)
        if self.last_good is None or _stands(self.last_good, text):
            return ""
        return attempts.begin(self.last_good.parent, text)

    def tried(self) -> None:
        """Records that the start has ended and the process is alive."""
        if self.last_good:
            attempts.end(self.last_good.parent)

    def worked(self) -> None:
        """Saves them as the last good settings; called when the camera has worked with them."""
        if self.last_good:
            _keep(self.last_good, show(self.settings))
            self.tried()

    def left_out(self, why: str, crashed: bool) -> Iterator[Loaded]:
        """Alternatives for a service whose settings have never worked, each with sections left out."""
        if self.last_good:
            less = [left_out.bare(self.settings)] if crashed else left_out.without(self.settings)
            for what, settings in less:
                said = f"{why}\nthere are no last good settings; left out: {what}"
                yield Loaded(settings, self.origins, fallback=said)


def files(config: Path | None) -> list[Path]:
    """The files to read: the given one, otherwise the system files that exist."""
    return [path for path in SYSTEM_FILES if os.path.lexists(path)] if config is None else [config]


def page_file(state_dir: Path | None, named: bool) -> Path | None:
    """The file with the settings of the page; None if there is none: no service, and a file was `named`."""
    return state_dir / PAGE if state_dir else None if named else STATE / PAGE


def load(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Settings of one file (None: defaults) and `section.key=value` overrides. Raises ConfigError."""
    return read([] if path is None else [Path(path)], overrides).settings


def read(files: Sequence[Path], overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Loaded:
    """Settings of files, variables of `environ` and overrides; later ones override earlier ones.

    Raises ConfigError with one line per error.
    """
    return _read([*_files(files), *_own(overrides, environ or {})])


def load_or_last_good(
    files: Sequence[Path],
    overrides: Sequence[str],
    environ: Mapping[str, str],
    state_dir: Path | None,
    unusable: str = "",
) -> Loaded:
    """The same for a service, which a broken file must not stop: with a `state_dir` it does not raise ConfigError.

    Settings that have worked are saved there (`Loaded.worked`). If a source does not load, they replace the files; if
    there are none yet, the broken source is left out as a whole, since half an edit may be worse than none. `unusable`:
    why settings that load cannot be used, such as a missing bundle; then the last good ones are used, and ConfigError
    is raised if there are none or they are the same.
    """
    own = _own(overrides, environ)
    if state_dir is None:
        if unusable:
            raise ConfigError(unusable)
        return _read([*_files(files), *own])
    kept = state_dir / LAST_GOOD
    try:
        loaded = _read([*_files(files), *own])
    except ConfigError as error:
        return _fall_back(_files(files), own, kept, str(error))
    if not unusable:
        return replace(loaded, last_good=kept)
    good = _read([partial(sources.from_file, kept, "")])
    if good.settings == loaded.settings:
        raise ConfigError(unusable)
    return replace(good, fallback=f"{unusable}\nthe last good settings ({kept}) are in force")


def _files(files: Sequence[Path]) -> list[Source]:
    return [partial(sources.from_file, path) for path in files]


def _own(overrides: Sequence[str], environ: Mapping[str, str]) -> list[Source]:
    named = sorted(name for name in environ if name.startswith(sources.PREFIX) and name not in VARIABLES)
    variables: list[Source] = [partial(sources.from_variable, name, environ[name]) for name in named]
    return [*variables, *(partial(sources.from_override, text) for text in overrides)]


def _read(chosen: Sequence[Source]) -> Loaded:
    entries: list[Entry] = []
    mistakes: list[str] = []
    for source in chosen:
        try:
            entries += source()
        except ConfigError as error:
            mistakes.append(str(error))
    origins: dict[Key, str] = {}
    for entry in entries:
        origins.pop(entry.key, None)  # errors are in the order of the sources
        origins[entry.key] = entry.origin
    try:
        settings = Settings.model_validate(_merged(entries))
        if not mistakes:
            return Loaded(settings, origins)
    except ValidationError as error:
        mistakes += explain(error, origins)
    except ConfigError as error:
        mistakes.append(str(error))
    raise ConfigError("\n".join(mistakes))


def _merged(entries: Sequence[Entry]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for entry in entries:
        place = data
        for part in entry.key[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{entry.origin}: {'.'.join(entry.key)}: '{part}' is a value, not a section")
        if entry.value != {}:
            place[entry.key[-1]] = entry.value
        elif not isinstance(place.get(entry.key[-1]), dict):
            place[entry.key[-1]] = {}
    return data


def _fall_back(files: Sequence[Source], own: Sequence[Source], last_good: Path, why: str) -> Loaded:
    # The working directory is the same at every start, so paths that were relative to it still are.
    kept: Source = partial(sources.from_file, last_good, "")
    try:
        _read([kept])
        candidates, what = [kept, *own], f"the last good settings ({last_good}) are in force"
    except ConfigError:
        candidates, what = [*files, *own], "there are no last good settings; what is broken is left out"
    good: list[Source] = []
    for source in candidates:
        with contextlib.suppress(ConfigError):
            _read([*good, source])
            good.append(source)
    return replace(_read(good), fallback=f"{why}\n{what}")


def _keep(path: Path, text: str) -> None:
    """Writes atomically and only if the content differs, since memory cards wear out."""
    if _stands(path, text):
        return
    try:
        write(path, text, mode=0o600, durable=True)
    except OSError as error:
        log.warning("the settings were not kept as last good ones in %s: %s", path.parent, error.strerror or error)


def _stands(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False
