"""Loads a TOML file as a validated model: the configurations of trainings and conversions.

The settings of a camera come from several sources and have their own loader (`edge.config.load`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.config.toml_text import loads
from edge.core import files
from edge.core.errors import ConfigError


class TomlModel(BaseModel):
    """Unknown keys are errors: a typo must not train for an hour with the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    renamed: ClassVar[Mapping[str, str]] = {}
    """Old key -> current key. The old one works for one more release."""
    gone: ClassVar[Mapping[str, str]] = {}
    """Key that no longer says anything -> why, and what to do."""


M = TypeVar("M", bound=TomlModel)


def read(path: Path, missing: str = "expected a TOML file") -> dict[str, Any]:
    """The values of a TOML file. Raises ConfigError; `missing` is the remedy where there is no such file."""
    try:
        values: dict[str, Any] = loads(files.readable(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; {missing}") from error
    except (OSError, ValueError, RecursionError) as error:  # ValueError: TOML's, UTF-8's, an integer of 5,000 digits
        raise ConfigError(f"{path}: not readable as TOML: {error}") from error
    return values


def validated(path: Path, values: Mapping[str, Any], model: type[M]) -> M:
    """`values`, read from `path`, as a model. Raises ConfigError, one line per fault: file, key, value, expectation."""
    for old in sorted(values.keys() & model.renamed.keys()):
        new = model.renamed[old]
        print(f"{path}: '{old}' is now '{new}'; the old name works until the next release", file=sys.stderr)
    try:
        return model.model_validate(current(values, model))
    except ValidationError as error:
        lines = []
        for e in error.errors():
            key = ".".join(str(part) for part in e["loc"])
            if key in model.gone:
                lines.append(f"{path}: {key}: is gone: {model.gone[key]}")
            elif e["type"] == "extra_forbidden":
                lines.append(f"{path}: {key}: no such key; known here: {', '.join(model.model_fields)}")
            else:
                given = f"{key} = {e['input']!r}: " if key else ""  # without a key: of several together
                lines.append(f"{path}: {given}{e['msg'].removeprefix('Value error, ')}")
        raise ConfigError("\n".join(lines)) from error


def current(values: Mapping[str, Any], model: type[TomlModel]) -> dict[str, Any]:
    """`values` under the keys of today."""
    return {model.renamed.get(key, key): value for key, value in values.items()}


def defaults(model: type[TomlModel]) -> dict[str, Any]:
    """The optional keys with their defaults."""
    values = {
        name: field.get_default(call_default_factory=True)
        for name, field in model.model_fields.items()
        if not field.is_required()
    }
    return {name: v.model_dump() if isinstance(v, BaseModel) else v for name, v in values.items()}


def load(path: Path, model: type[M], missing: str = "expected a TOML file") -> M:
    """Reads and checks a TOML file. Raises ConfigError, one line per fault."""
    return validated(path, read(path, missing), model)
