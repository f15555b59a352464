"""Reads settings (`edge.settings`) from files and text, and writes them.

Every error is one line that names file, key, value and expectation, and all errors of a file come at once.
A relative path belongs to the file that says it; one given with `--set` belongs to the working directory.
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import re
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from edge.errors import ConfigError
from edge.settings import Gpio, Journal, Settings, Sinks

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def load(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Settings from a TOML file (None: defaults), with `key=value` overrides such as "camera.width=320".

    Raises ConfigError with one line per mistake.
    """
    name = "settings" if path is None else str(path)
    data = {} if path is None else _anchored(_read(Path(path)), Settings, Path(path).parent)
    overridden = {}
    for text in overrides:
        key, value = _override(text)
        _put(data, key, value, text)
        overridden[key] = text
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_lines(error, name, overridden))) from None


def reference() -> str:
    """A TOML file of every setting with its default, unit and help; the optional sections are commented out."""
    every = Settings(sinks=Sinks(journal=Journal(), gpio=Gpio()))
    return f"# {Settings.__doc__}\n" + "\n".join(_render(every, (), comments=True))


def show(settings: Settings) -> str:
    """The settings as TOML, which loads to the same settings."""
    return "\n".join(_render(settings, (), comments=False)).strip() + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return data
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): expected a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None


def _override(text: str) -> tuple[tuple[str, ...], Any]:
    """ "camera.width=320" -> (("camera", "width"), 320); what is no TOML value is a string."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"\w+(\.\w+)+", key.strip()):
        raise ConfigError(f"--set {text}: expected section.key=value, such as camera.width=320")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        parsed = {"value": value.strip()}
    return tuple(key.strip().split(".")), parsed["value"] if len(parsed) == 1 else value.strip()


def _put(data: dict[str, Any], key: tuple[str, ...], value: Any, text: str) -> None:
    for part in key[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {text}: '{part}' is a value, not a section")
    data[key[-1]] = value


def _anchored(data: dict[str, Any], model: type[BaseModel], folder: Path) -> dict[str, Any]:
    """The same data with relative paths taken from `folder`."""
    result = dict(data)
    for name, field in model.model_fields.items():
        value, section = data.get(name), _section(field.annotation)
        if section and isinstance(value, dict):
            result[name] = _anchored(value, section, folder)
        elif isinstance(value, str) and _is_path(value) and _extra(field).get("path"):
            result[name] = os.path.join(folder, value)
    return result


def _is_path(value: str) -> bool:
    """Tells a path from what else a camera source may be."""
    return bool(value) and value != "synthetic" and not value.isdigit() and "://" not in value


def _section(annotation: Any) -> type[BaseModel] | None:
    """The model of a section, be it optional or not; None for a plain value."""
    for kind in typing.get_args(annotation) or (annotation,):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _extra(field: Any) -> Mapping[str, Any]:
    return field.json_schema_extra or {}


def _lines(error: ValidationError, name: str, overridden: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    """One line per key that is wrong."""
    wrong: dict[tuple[str, ...], list[Any]] = {}
    for item in error.errors(include_url=False):
        # Of a union, pydantic tells each member's complaint with the member's name behind the key.
        key = tuple(str(part) for part in item["loc"] if not re.fullmatch(r"int|str|Journal|Gpio", str(part)))
        wrong.setdefault(key, []).append(item)
    for key, items in wrong.items():
        where, dotted, item = f"--set {overridden[key]}" if key in overridden else name, ".".join(key), items[0]
        if item["type"] == "extra_forbidden":
            yield f"{where}: unknown key '{dotted}'{_nearest(key)}"
        elif item["type"] == "value_error":
            yield f"{where}: [{dotted}] {item['ctx']['error']}"
        else:
            expected = " or ".join(_expected(item, key) for item in items)
            yield f"{where}: {dotted} = {_toml(item['input'])}: expected {expected}"


def _nearest(key: tuple[str, ...]) -> str:
    """The remedy for an unknown key: the key that was meant, else what there is."""
    model: type[BaseModel] = Settings
    for part in key[:-1]:
        model = _section(model.model_fields[part].annotation) or model
    known = list(model.model_fields)
    close = difflib.get_close_matches(key[-1], known, n=1)
    if close:
        return f": did you mean '{'.'.join((*key[:-1], close[0]))}'?"
    return f": expected one of {', '.join(known)}"


def _expected(item: Any, key: tuple[str, ...]) -> str:
    kinds = {"int_type": "a whole number", "float_type": "a number", "string_type": "a text"}
    kinds |= {"bool_type": "true or false", "model_type": f"a section [{'.'.join(key)}]"}
    return kinds.get(item["type"], str(item["msg"]).removeprefix("Input should be "))


def _render(model: BaseModel, path: tuple[str, ...], comments: bool) -> Iterator[str]:
    """Lines of TOML: the plain values of a section first, then its sub-sections."""
    fields = type(model).model_fields
    values = {name: getattr(model, name) for name in fields}
    if path:
        optional = comments and len(path) > 1
        mark = "# " if optional else ""
        yield ""
        if comments:
            yield f"# {type(model).__doc__}"
        yield f"{mark}[{'.'.join(path)}]"
        for name, value in values.items():
            if not isinstance(value, BaseModel) and value is not None:
                if comments:
                    yield f"# {_help(fields[name])}"
                yield f"{mark}{name} = {_toml(value)}"
    for name, value in values.items():
        if isinstance(value, BaseModel):
            yield from _render(value, (*path, name), comments)


def _help(field: Any) -> str:
    """Description, unit and the allowed range of one setting."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [f"{s} {getattr(m, a)}" for m in field.metadata for a, s in signs.items() if hasattr(m, a)]
    if typing.get_origin(field.annotation) is Literal:
        limits = ["one of " + ", ".join(_toml(choice) for choice in typing.get_args(field.annotation))]
    notes = ", ".join([_extra(field)["unit"], *limits] if _extra(field)["unit"] else limits)
    return f"{field.description} [{notes}]" if notes else str(field.description)


def _toml(value: Any) -> str:
    """A value as TOML writes it; its basic strings are JSON's but for DEL."""
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")
