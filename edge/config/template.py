"""Writes settings as TOML: the reference of all settings, and the effective values."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from edge.config.schema import section
from edge.config.settings import Settings
from edge.core import secrets

PUBLIC_KEY = 60
"""Characters of minisign's public key, and a few; its secret key is longer."""


def reference() -> str:
    """A TOML file of every setting with its default, unit and help; the optional sections are commented out."""
    return f"# {Settings.__doc__}\n" + "\n".join(_explained(Settings, ())) + "\n"


def show(settings: Settings, origins: Mapping[tuple[str, ...], str] | None = None, with_secrets: bool = True) -> str:
    """The settings as TOML, which loads to the same settings; `origins` become comments, "default" where silent.

    Without secrets, values that may hold a password are shortened.
    """
    return "\n".join(_valued(settings, (), origins, with_secrets)).strip() + "\n"


def _cut(found: FieldInfo, value: Any) -> Any:
    """The part of a value that may be shown."""
    extra = found.json_schema_extra
    kind = extra.get("secret") if isinstance(extra, dict) else None
    if kind == "source":
        return secrets.source(value)
    if kind == "address":
        return secrets.address(value)
    if kind == "command":
        return [secrets.command(value), *(["..."] if len(value) > 1 else [])]
    if kind == "key" and len(value) > PUBLIC_KEY:
        return f"({secrets.HIDDEN})"
    return value


def toml(value: Any) -> str:
    """A value in TOML, whose basic strings are those of JSON except for DEL."""
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")


def _explained(model: type[BaseModel], path: tuple[str, ...], mark: str = "") -> Iterator[str]:
    """Lines of a section: the plain values first, then its sub-sections; `mark` stands before what is optional."""
    sections = {name: section(found.annotation) for name, found in model.model_fields.items()}
    if path:
        yield from ("", f"# {model.__doc__}", f"{mark}[{'.'.join(path)}]")
        for name, found in model.model_fields.items():
            if not sections[name]:
                yield f"# {_help(found)}"
                yield f"{mark}{name} = {toml(found.get_default(call_default_factory=True))}"
    for name, below in sections.items():
        if below:
            optional = model.model_fields[name].default is None
            yield from _explained(below, (*path, name), "# " if optional else mark)


def _valued(
    model: BaseModel, path: tuple[str, ...], origins: Mapping[tuple[str, ...], str] | None, with_secrets: bool
) -> Iterator[str]:
    values = {name: getattr(model, name) for name in type(model).model_fields}
    if path:
        yield from ("", f"[{'.'.join(path)}]{_origin(path, origins) if not values else ''}")
        for name, value in values.items():
            if not isinstance(value, BaseModel) and value is not None:
                said = value if with_secrets else _cut(type(model).model_fields[name], value)
                cut = "  # cut short: --with-secrets shows it" if str(said) != str(value) else ""
                yield f"{name} = {toml(said if cut else value)}{_origin((*path, name), origins)}{cut}"
    for name, value in values.items():
        if isinstance(value, BaseModel):
            yield from _valued(value, (*path, name), origins, with_secrets)


def _origin(key: tuple[str, ...], origins: Mapping[tuple[str, ...], str] | None) -> str:
    return "" if origins is None else f"  # {origins.get(key, 'default')}"


def _help(found: FieldInfo) -> str:
    """Description, unit and the allowed range of one setting."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [f"{s} {getattr(m, a)}" for m in found.metadata for a, s in signs.items() if hasattr(m, a)]
    if typing.get_origin(found.annotation) is Literal:
        limits = ["one of " + ", ".join(toml(choice) for choice in typing.get_args(found.annotation))]
    extra = found.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    notes = ", ".join([str(unit), *limits] if unit else limits)
    return f"{found.description} [{notes}]" if notes else str(found.description)
