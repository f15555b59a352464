"""Looks up keys in the schema (`edge.config.settings`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from edge.config.settings import Settings


def harmless(key: Sequence[str]) -> bool:
    """Whether the values of a key cannot hold a password: numbers, switches, choices, but no free text.

    Texts that cannot hold one are marked in the schema.
    """
    found = field(key)
    extra = found.json_schema_extra if found else None
    return plain(key) or bool(isinstance(extra, dict) and extra.get("harmless"))


def plain(key: Sequence[str]) -> bool:
    """Whether a key takes numbers, switches or choices alone, or lists of these."""
    found = field(key)
    return found is not None and not section(found.annotation) and not _is_text(found.annotation)


def _is_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return False
    return annotation is str or any(_is_text(kind) for kind in get_args(annotation))


def section(annotation: Any) -> type[BaseModel] | None:
    """The model of a section, optional or not; None for a plain value."""
    for kind in get_args(annotation) or (annotation,):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def keys(model: type[BaseModel] = Settings) -> Iterator[tuple[str, ...]]:
    """The key of every setting, such as ("camera", "width")."""
    for name, found in model.model_fields.items():
        below = section(found.annotation)
        yield from ((name, *key) for key in keys(below)) if below else [(name,)]


def field(key: Sequence[str]) -> FieldInfo | None:
    """The setting or section of a key; None if there is none."""
    model: type[BaseModel] | None = Settings
    found = None
    for part in key:
        found = model.model_fields.get(part) if model else None
        model = section(found.annotation) if found else None
    return found
