"""Parts with the defaults of the settings, for tests that care about a few of their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel


def with_defaults(part: Callable[..., Any], *sections: BaseModel, **others: Any) -> Callable[..., Any]:
    """`part` as a function whose missing arguments come from `others` or the first of `sections` that has them."""
    signature = inspect.signature(part)
    known = {name: value for section in reversed(sections) for name, value in section.model_dump().items()}
    known |= others

    def made(*args: Any, **options: Any) -> Any:
        given = signature.bind_partial(*args, **options).arguments
        required = (name for name, parameter in signature.parameters.items() if parameter.default is parameter.empty)
        missing = {name: known[name] for name in required if name not in given and name in known}
        return part(*args, **options, **missing)

    return made
