"""Shows and changes the settings on the page.

Changes are kept in a file of their own, which is read after the system's files: those stay unchanged, and removing the
page's file undoes everything. A change is first validated together with all settings, so an invalid one is not kept.
"""

from __future__ import annotations

import re
import threading
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic.fields import FieldInfo

from edge.config.renamed import Key
from edge.config.schema import field, keys, section
from edge.config.settings import Settings
from edge.config.sources import from_file
from edge.config.template import toml
from edge.core.errors import ConfigError
from edge.core.files import replacing

if TYPE_CHECKING:
    from edge.config import Loaded

FILES_ONLY = (
    ("update",),
    ("web",),
    ("sinks", "command"),
    ("sinks", "jsonl"),
    ("sinks", "journal"),
    ("sinks", "memory"),
    ("sinks", "snapshots"),
    ("sinks", "history", "path"),
    ("collect",),
    ("model",),
)
"""Not changeable from a browser: what runs programs, writes files, or decides about access and updates."""
SECRET = ("password", "token", "username", "url", "source", "key")
"""Last parts of keys whose values may hold a secret, see `without_secrets`."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SOURCE = re.compile(
    r"[0-9]+|synthetic|(pi|csi)(:[01])?|/dev/(video|v4l/).*|(rtsps?|rtspt|https?|rtmps?|rtp|udp|srt|tcp)://.*",
    re.IGNORECASE | re.DOTALL,
)
"""Cameras that a browser may choose. Other addresses, such as file:// and concat:, would read files of this machine."""


class Editor:
    """read: the settings with the page's file at the given path in place of the present one. Raises ConfigError.
    path: the page's file. reload: makes the loop read the settings again.
    lasting: whether the file is kept when the program ends.
    """

    def __init__(
        self, read: Callable[[Path], Loaded], path: Path, reload: Callable[[], None], lasting: bool = True
    ) -> None:
        self._read, self.path, self._reload, self.lasting = read, path, reload, lasting
        self._turn = threading.Lock()  # changes of two browsers at the same time are both kept

    @property
    def untouched(self) -> bool:
        """Whether nothing has been changed on the page yet."""
        return not self.path.exists()

    def describe(self) -> list[dict[str, Any]]:
        """Per setting: `key`, `section`, `value`, `default`, `help`, `unit`, `kind`, `choices`, `limits`, `origin`,
        `editable`, `restart`, and `page`, whether the page has set it. Raises ConfigError."""
        start = f"{self.path}:"
        return [item | {"page": item["origin"].startswith(start)} for item in described(self._read(self.path))]

    def change(self, values: Mapping[str, Any], trusted: bool = False) -> list[str]:
        """Sets new values by dotted key; None resets one that the page had set. Returns the keys that need a restart.

        Without values the page's file is written as it is, so that it is there: the first visit is over.
        `trusted`: for calls by our own code, which may also set what a browser may not. Raises ConfigError.
        """
        with self._turn:
            self._write(self._changed(values, trusted))
        if values:
            self._reload()
        return [dotted for dotted in values if dotted.startswith("web.")]

    def _changed(self, values: Mapping[str, Any], trusted: bool) -> dict[Key, Any]:
        kept = (
            {entry.key: entry.value for entry in from_file(self.path) if entry.value != {}}
            if self.path.exists()
            else {}
        )
        for dotted, value in values.items():
            key = tuple(dotted.split("."))
            info = field(key)
            if info is None or section(info.annotation):
                raise ConfigError(f"{dotted[:80]}: no such setting")
            if not trusted and not _editable(key):
                raise ConfigError(f"{dotted}: can be changed in the settings file only")
            kept.pop(key, None)
            if value is not None:
                kept[key] = _checked(key, value, info)
        return kept

    def _write(self, kept: Mapping[Key, Any]) -> None:
        try:
            with replacing(self.path, durable=True) as part:
                part.write_text(_document(kept), encoding="utf-8")
                try:
                    self._read(part)
                except ConfigError as error:
                    raise ConfigError(re.sub(rf"{re.escape(str(part))}(:\d+)?: ", "", str(error))) from None
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written ({error.strerror}): nothing was changed") from None
        except UnicodeEncodeError:
            raise ConfigError("a text holds half a character (a surrogate): nothing was changed") from None


def described(loaded: Loaded) -> list[dict[str, Any]]:
    """See `Editor.describe`."""
    found = []
    for key in keys():
        info, holder = field(key), _holder(loaded.settings, key)
        if info is not None:
            found.append(_described(key, info, holder, loaded.origins))
    return found


def _described(key: Key, info: FieldInfo, holder: Any, origins: Mapping[Key, str]) -> dict[str, Any]:
    default = info.get_default(call_default_factory=True)
    value = default if holder is None else getattr(holder, key[-1])
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    names = {"ge": "min", "gt": "above", "le": "max", "lt": "below"}
    limits = {name: getattr(m, sign) for m in info.metadata for sign, name in names.items() if hasattr(m, sign)}
    choices = list(typing.get_args(info.annotation)) if typing.get_origin(info.annotation) is Literal else None
    return {
        "key": ".".join(key),
        "section": ".".join(key[:-1]),
        "on": holder is not None,
        "value": without_secrets(key[-1], value),
        "default": default,
        "help": info.description,
        "unit": extra.get("unit", ""),
        "kind": "choice" if choices else "text" if _either(info) else _kind(default),
        "choices": choices,
        "limits": limits,
        "origin": origins.get(key, "default"),
        "editable": _editable(key),
        "restart": key[0] == "web",
    }


def _holder(settings: Settings, key: Key) -> Any:
    """The section of a key; None if it is switched off."""
    place: Any = settings
    for part in key[:-1]:
        place = getattr(place, part, None)
    return place


def _kind(default: Any) -> str:
    kinds = ((bool, "switch"), (int, "integer"), (float, "number"), (list, "list"))
    return next((name for kind, name in kinds if isinstance(default, kind)), "text")


def _either(info: FieldInfo) -> bool:
    """Whether the value may be a number or a text, such as a camera or a pin."""
    kinds = [kind for part in typing.get_args(info.annotation) for kind in (part, *typing.get_args(part))]
    return int in kinds and str in kinds


def _editable(key: Key) -> bool:
    return not any(key[: len(start)] == start for start in FILES_ONLY) and not key[-1].endswith("_file")


def without_secrets(name: str, value: Any) -> Any:
    """The value of a setting whose key ends with `name`, without its secrets."""
    if not isinstance(value, str) or not value or name not in SECRET:
        return value
    if "://" in value:  # passwords can be before the host, in the path and in the query
        try:
            parts = urlsplit(value)
            return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "") + "/***"
        except ValueError:
            return "***"
    return value if name in ("source", "username") else "(set)"


def _checked(key: Key, value: Any, info: FieldInfo) -> Any:
    if isinstance(value, str) and ("***" in value or CONTROL.search(value)):
        raise ConfigError(f"{'.'.join(key)}: expected one line of text, and a password instead of its stars")
    if isinstance(value, int) and abs(value) > 1 << 53:
        raise ConfigError(f"{'.'.join(key)}: expected a smaller number")
    if key == ("camera", "source") and not SOURCE.fullmatch(str(value)):
        raise ConfigError(
            "camera.source: expected an index such as 0, /dev/video0, pi, csi, synthetic, or an address of rtsp:// or "
            "http(s)://; a file can be named in the settings file only"
        )
    if _either(info) and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if _kind(info.get_default(call_default_factory=True)) == "number" and isinstance(value, int) and value is not True:
        return float(value)  # JSON writes 5.0 as 5
    return value


def _document(kept: Mapping[Key, Any]) -> str:
    """The values as TOML, section by section."""
    lines = ["# Written by maskcam's page. It is read after the other files; delete it to undo what the page changed."]
    for start in dict.fromkeys(key[:-1] for key in kept):
        lines += ["", f"[{'.'.join(start)}]"]
        lines += [f"{key[-1]} = {toml(value)}" for key, value in kept.items() if key[:-1] == start]
    return "\n".join(lines) + "\n"
