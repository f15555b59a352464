"""What the schema (`edge.config.settings`) says of a key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from edge.config.settings import Settings


def section(annotation: Any) -> type[BaseModel] | None:
    """The model of a section, be it optional or not; None for a plain value."""
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
    """The setting or section that a key names, None where there is none."""
    model: type[BaseModel] | None = Settings
    found = None
    for part in key:
        found = model.model_fields.get(part) if model else None
        model = section(found.annotation) if found else None
    return found
