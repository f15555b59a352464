"""The base of every section of the settings, built-in or from another package."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PATH = {"path": True}
"""`setting(..., extra=PATH)` marks a path; a relative one is relative to the settings file that contains it."""

HARMLESS = {"harmless": True}
"""Marks a text that cannot hold a password, so that messages may quote it (`edge.core.secrets`)."""


def secret(kind: Literal["source", "address", "command", "key"]) -> dict[str, str]:
    """Marks a text that may hold a password; the kind says how it is shown (`edge.config.template.show`)."""
    return {"secret": kind}


class Section(BaseModel):
    """Unknown keys and values of the wrong type are errors. The docstring heads the section in the reference."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def setting(default: Any, unit: str, description: str, **limits: Any) -> Any:
    """One setting: its default, unit ("" for none), description, and limits as for pydantic's Field."""
    extra = {**limits.pop("extra", {}), "unit": unit}
    return Field(default, description=description, json_schema_extra=extra, **limits)
