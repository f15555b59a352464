"""A section of the settings: what ours and those of other packages are made of."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PATH = {"path": True}
"""`setting(..., extra=PATH)` marks a setting that names a file: a relative one belongs to the file that says it."""

HARMLESS = {"harmless": True}
"""Marks a text that holds no password, so that a wrong one may be told (`edge.core.secrets`)."""


def secret(kind: Literal["source", "address", "command", "key"]) -> dict[str, str]:
    """Marks a text that may hold a password, and how it is shown (`edge.config.template.show`)."""
    return {"secret": kind}


class Section(BaseModel):
    """Unknown keys and values of another type are mistakes. The docstring heads the section in the reference."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def setting(default: Any, unit: str, description: str, **limits: Any) -> Any:
    """One row of the reference: default, unit ("" where there is none), help, and limits as pydantic's Field."""
    extra = {**limits.pop("extra", {}), "unit": unit}
    return Field(default, description=description, json_schema_extra=extra, **limits)
