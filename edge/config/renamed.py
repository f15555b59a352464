"""Renamed settings: the old name works for one more release, with a warning that tells the new one."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.config.toml_text import loads
from edge.core.errors import ConfigError, MissingPackage
from edge.core.files import replacing, unused, write

log = logging.getLogger(__name__)

Key = tuple[str, ...]

RENAMED: Mapping[Key, str] = {
    ("sight",): "visibility",
    ("detector", "overlap"): "nms_iou",
    ("sinks", "journal"): "jsonl",
}
"""Old key -> the new last part, since 0.2; to be removed in 0.3."""

BACKUP = ".before-migration"

_told: set[tuple[str, Key]] = set()


def current(key: Key, place: str, remedy: str) -> Key:
    """The current name of a key; warns once per `place` if it was renamed."""
    for old, last in RENAMED.items():
        if key[: len(old)] == old:
            new = (*old[:-1], last)
            if (place, old) not in _told:
                _told.add((place, old))
                dotted = ".".join(old), ".".join(new)
                log.warning(
                    "%s: '%s' is now '%s'; the old name works until the next release: %s", place, *dotted, remedy
                )
            return (*new, *key[len(old) :])
    return key


def migrate(path: Path) -> tuple[list[str], Path | None]:
    """Rewrites a settings file with the current names, keeping comments and a backup.

    Returns "old -> new" for each key that changed, and where the old file is; None where nothing changed. Raises
    ConfigError for a file that is not TOML or cannot be written, and MissingPackage without tomlkit.
    """
    try:
        import tomlkit
    except ModuleNotFoundError:
        raise MissingPackage("tomlkit", remedy="pip install tomlkit") from None
    try:
        text = path.read_bytes().decode("utf-8-sig")  # bytes: line ends stay as they are
        loads(text)  # says what to write in place of a line that is none
        document = tomlkit.parse(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): expected a TOML file") from None
    except (ValueError, RecursionError) as error:  # ValueError: tomlkit's and Unicode's; thousands of brackets
        raise ConfigError(f"{path}: not TOML: {error}") from None
    changes = _rename(document, ())
    if not changes:
        return [], None
    real, facts = path.resolve(), path.stat()
    try:
        content = real.read_bytes()
        backup = unused(path.with_name(f"{path.name}{BACKUP}"), lambda there: there.read_bytes() == content)
        if not backup.exists():
            shutil.copy2(real, backup)
            os.chown(backup, facts.st_uid, facts.st_gid)
        with replacing(real, durable=True) as part:
            write(part, document.as_string(), mode=facts.st_mode & 0o777)
            os.chown(part, facts.st_uid, facts.st_gid)  # the service reads it as a member of its group
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}): sudo maskcam config migrate {path}") from None
    return changes, backup


def _rename(container: Any, above: Key) -> list[str]:
    """Renames in place; returns what changed. tomlkit has no call for it, but renders what `body` lists."""
    from tomlkit.items import InlineTable, SingleKey, Table

    changes = []
    for i, (key, item) in enumerate(container.body):
        if key is None:  # a comment or an empty line
            continue
        here = (*above, key.key)
        if here in RENAMED:
            new = SingleKey(RENAMED[here], sep=key.sep, original=key.as_string().replace(key.key, RENAMED[here]))
            new._dotted = key.is_dotted()
            container.body[i] = (new, item)
            changes.append(f"{'.'.join(here)} -> {'.'.join((*above, RENAMED[here]))}")
        if isinstance(item, Table):
            item.display_name = None  # the header is written anew, from the keys
        if isinstance(item, Table | InlineTable):
            changes += _rename(item.value, here)
    return list(dict.fromkeys(changes))
