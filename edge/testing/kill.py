"""Cuts the power of a process at a chosen event; for a child that a test has forked."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

Event = tuple[Any, str]
"""A module or class, and the name of a function in it."""


def kill_at(n: int, events: Iterable[Event]) -> None:
    """This process kills itself (SIGKILL) just before the `n`-th call, counted from 1, of any of `events` from here."""
    count = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == n:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for owner, name in events:
        setattr(owner, name, counted(getattr(owner, name)))
