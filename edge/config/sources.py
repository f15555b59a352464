"""Reads settings from files, `MASKCAM_...` variables and `--set` as entries with their origin.

A relative path is relative to its file; one in a variable or in `--set`, to the working directory.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.cameras.registry import named
from edge.config.renamed import Key, current
from edge.config.schema import field, keys, plain
from edge.config.toml_text import line_of, loads, tomllib
from edge.core import files
from edge.core.errors import ConfigError
from edge.core.paths import meant

PREFIX = "MASKCAM_"
LARGEST = 200_000
"""Characters of a file."""
LONG = 20
"""Lines of a statement after which it is seldom tried whether it is whole: the time goes by their square."""


@dataclass(frozen=True)
class Entry:
    """One key with its value. The value of a section is {}; its keys follow as entries of their own."""

    key: Key
    value: Any
    origin: str
    """"FILE:LINE", the name of a variable, or "--set"."""


def from_file(path: Path, folder: str | Path | None = None) -> list[Entry]:
    """Entries of a TOML file; relative paths are taken from `folder`, by default the file's own.

    Raises ConfigError for a file that cannot be read or is not TOML.
    """
    try:
        with files.readable(path).open(encoding="utf-8-sig") as file:  # a byte order mark: edited on Windows
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): expected a TOML file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}: save it as UTF-8") from None
    if len(text) > LARGEST:  # a damaged file system says sizes of gigabytes
        raise ConfigError(f"{path}: not TOML: more than {LARGEST} characters")
    try:
        data = loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: TOML's own, or an integer of thousands of digits
        raise ConfigError(f"{path}:{line_of(text, error)}: not TOML: {error}") from None
    numbers, base = lines(text), path.parent if folder is None else folder
    entries = []
    for written, value in _flat(data):
        key = current(written, str(path), f"maskcam config migrate {path}")
        line_number = f":{numbers[written]}" if written in numbers else ""
        entries.append(Entry(key, _anchored(key, value, base), f"{path}{line_number}"))
    return entries


def from_variable(name: str, text: str) -> list[Entry]:
    """MASKCAM_SECTION__KEY=value. Raises ConfigError for a variable that names no setting."""
    written = tuple(name.removeprefix(PREFIX).lower().split("__"))
    key = current(written, name, "set the variable of the new one")
    if field(key) is None:
        known = {PREFIX + "__".join(key).upper(): key for key in keys()}
        close = difflib.get_close_matches(name, known, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"expected {PREFIX}SECTION__KEY, such as {next(iter(known))}"
        raise ConfigError(f"{name}: no such setting: {remedy}")
    return _entries(key, text, name)


def from_override(text: str) -> list[Entry]:
    """section.key=value, as `--set` takes it. Raises ConfigError where it is something else."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"\w+(\.\w+)+", key.strip()):
        said = key.strip() if equals and re.fullmatch(r"[\w.-]{1,60}", key.strip()) else "..."
        raise ConfigError(f"--set {said}: expected section.key=value, such as camera.width=320")
    start = current(tuple(key.strip().split(".")), "--set", "use the new one")
    return _entries(start, value, "--set")


def _entries(key: Key, text: str, origin: str) -> list[Entry]:
    """Of a value as it is written outside of a file."""
    found = (((*key, *below), value) for below, value in _flat_value(_value(text, key)))
    return [Entry(whole, _anchored(whole, value), origin) for whole, value in found]


def lines(text: str) -> dict[Key, int]:
    """The line, from 1, at which a TOML document first names each key and section.

    No TOML library in use tells lines. But a statement is the shortest run of lines that parses by itself. In a very
    long one whose texts hold brackets, the end may not be found, and what follows has no number.
    """
    found: dict[Key, int] = {}
    section: Key = ()
    statement: list[str] = []
    depth = tries = 0
    for number, line in enumerate(text.split("\n"), start=1):
        statement.append(line)
        depth += sum(line.count(mark) for mark in "[{") - sum(line.count(mark) for mark in "]}")
        if len(statement) > LONG and depth:
            continue
        tries += 1
        if tries > 2 * LONG:
            continue
        try:
            data = tomllib.loads("\n".join(statement))
        except (ValueError, RecursionError):
            continue
        header = statement[0].lstrip().startswith("[")
        named = [key if header else (*section, *key) for key, _ in _flat(data)]
        for key in named:
            found.setdefault(key, number - len(statement) + 1)
        if header:
            section = named[-1]
        statement, depth, tries = [], 0, 0
    return found


def _value(text: str, key: Key) -> Any:
    """A TOML value, where `key` takes no text also .5, 5. and True, as people write them; what is none is a text."""
    for written in (text, _stricter(text)) if plain(key) else (text,):
        try:
            parsed = tomllib.loads(f"value = {written}")
        except (ValueError, RecursionError):
            continue
        if len(parsed) == 1:
            return parsed["value"]
    return text.strip()


def _stricter(text: str) -> str:
    """Numbers with digits on both sides of the point, and true and false in small letters, as TOML wants them."""
    if text.strip().lower() in ("true", "false"):
        return text.lower()
    return re.sub(r"(?<=\d)\.(?!\d)", ".0", re.sub(r"(?<![\w.])\.(?=\d)", "0.", text))


def _flat_value(value: Any) -> Iterator[tuple[Key, Any]]:
    yield (), {} if isinstance(value, dict) else value
    if isinstance(value, dict):
        yield from _flat(value)


def _flat(data: dict[str, Any]) -> Iterator[tuple[Key, Any]]:
    """Every section, as {}, before the keys in it."""
    for name, value in data.items():
        for below, inner in _flat_value(value):
            yield (name, *below), inner


def _anchored(key: Key, value: Any, folder: str | Path = "") -> Any:
    """The value, or where the key names a file the path from `folder`."""
    found = field(key)
    extra = found.json_schema_extra if found else None
    if not (isinstance(extra, dict) and extra.get("path") and isinstance(value, str)):
        return value
    path = meant(value)
    return os.path.join(folder, path) if _is_path(path) else path


def _is_path(value: str) -> bool:
    """Tells a path from what else a camera source may be."""
    return bool(value) and named(value) is None
