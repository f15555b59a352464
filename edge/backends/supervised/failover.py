"""The engine of one stage, which reports what was requested, what runs and why."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edge.backends.supervised.engine import Accelerator
from edge.core.errors import EngineError
from edge.core.ports import Engine
from edge.core.records import Image

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NamedEngine:
    """An opened engine and its name in the settings."""

    name: str
    engine: Engine


@dataclass(frozen=True)
class OnAccelerator:
    """One network of an accelerator, which its owner closes."""

    accelerator: Accelerator
    network: str

    @property
    def fault(self) -> str:
        """Why the device is down; "" while it works."""
        return self.accelerator.fault

    def infer(self, image: Image) -> Sequence[NDArray[Any]]:
        """See `edge.core.ports.Engine`."""
        return self.accelerator.infer(self.network, image)

    def close(self) -> None:
        """Leaves the accelerator open, because other networks may run on it."""


class FailoverEngine:
    """An engine that reports what it is; while its first choice is down, the standby answers."""

    def __init__(
        self,
        network: str,
        requested: str,
        first: NamedEngine,
        standby: NamedEngine | None = None,
        refused: str = "",
        measured: str = "",
        spare: Callable[[], NamedEngine | None] = lambda: None,
    ) -> None:
        """`refused`: why the requested backend was not available; `measured`: why the running one was chosen.

        spare: opens a standby when one is needed and none is open.
        """
        self._spare = spare
        self._network, self.requested = network, requested
        self._first, self._standby, self._refused, self._measured = first, standby, refused, measured
        self._said = self.describe()

    @property
    def running(self) -> str:
        """Name of the engine that answers now."""
        return self._standby.name if self._standby and self._fault else self._first.name

    @property
    def reason(self) -> str:
        """Why it is not the requested engine or, with "auto", the best one; "" if it is."""
        return f"{self._first.name} is down: {self._fault}" if self._fault else self._refused

    @property
    def _fault(self) -> str:
        return str(getattr(self._first.engine, "fault", ""))

    @property
    def shapes(self) -> Sequence[tuple[int, int]]:
        """See `edge.core.ports.Shaped`."""
        return list(getattr(self._first.engine, "shapes", ()))

    def describe(self) -> str:
        """One line for log, status and metrics."""
        if self.requested == self.running:
            return self.running
        if self.reason:
            return f"requested {self.requested}, running {self.running}: {self.reason}"
        return f"{self.requested}: {self.running}{self._measured and f', {self._measured}'}"

    def infer(self, image: Image) -> Sequence[NDArray[Any]]:
        """See `edge.core.ports.Engine`. Raises EngineError if there is no standby, or it fails too."""
        try:
            answer = self._first.engine.infer(image)
        except EngineError:
            self._standby = self._standby or self._spare()
            if self._standby is None:
                raise
            answer = self._standby.engine.infer(image)
        said = self.describe()
        if said != self._said:
            self._said = said
            log.warning("%s: %s", self._network, said)
        return answer

    def close(self) -> None:
        for named in (self._first, self._standby):
            if named:
                named.engine.close()
