"""A device that may fail at any time and recover later: an Edge TPU, a GPU."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from edge.backends.self_test import check_known_answer
from edge.backends.supervised.process_engine import ProcessEngine
from edge.core.backoff import Backoff
from edge.core.errors import EngineError
from edge.core.records import Image
from edge.vision.bundle import Bundle

log = logging.getLogger(__name__)

PATIENCE = 0.75
"""Deadline of an answer in seconds. Both networks may miss it in one frame, and a verdict is due every two seconds."""
LOADING = 15.0
"""Deadline to load a network, in seconds: on first use, an Edge TPU on USB is sent its firmware."""
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0
"""Shortest and longest wait before a failed device is tried again, in seconds; doubled each time."""

CHECK_EVERY = 60.0
"""Seconds between two self-tests: an overheated device may give wrong answers before it stops."""


def in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="accelerator", daemon=True).start()


class Accelerator:
    """The networks that run on one device, in one process; retried in the background while it is down.

    start: starts the process. tolerance: that of the known answer, which is checked whenever a network is loaded.
    clock, background: replaced in tests.
    """

    def __init__(
        self,
        name: str,
        bundle: Bundle,
        start: Callable[[], ProcessEngine],
        tolerance: float,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        background: Callable[[Callable[[], None]], None] = in_thread,
    ) -> None:
        self._name, self._bundle, self._start, self._tolerance, self._patience = (
            name,
            bundle,
            start,
            tolerance,
            patience,
        )
        self._clock, self._background = clock, background
        self._lock = threading.Lock()
        self._remote: ProcessEngine | None = None
        self._networks: list[str] = []
        self._backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
        self._up_since, self._retry_at, self._retrying = clock(), 0.0, False
        self._check_at = clock() + CHECK_EVERY
        self._closed = False
        self.fault = ""
        """Why the device is down; "" while it works."""

    def add(self, network: str) -> None:
        """Loads another network and checks its known answer. Raises EngineError, and then leaves the network out."""
        if self.fault:
            raise EngineError(self.fault)
        self._remote = self._remote or self._start()
        try:
            self._load(self._remote, network)
        except EngineError as error:
            if not self._remote.alive:
                self.fault = str(error)
            raise
        self._networks.append(network)

    def infer(self, network: str, image: Image) -> Sequence[NDArray[Any]]:
        """See `Engine`. While the device is down this raises at once, and starts a retry when one is due.

        A network that was not added is loaded with its first picture.
        """
        remote = self._remote
        if self.fault or remote is None:
            self._retry()
            raise EngineError(f"{self._name} is down: {self.fault}")
        try:
            self._check(remote)
            if network not in self._networks:
                self._load(remote, network)
                self._networks.append(network)
            return remote.infer(network, image, self._patience)
        except EngineError as error:
            self._fail(str(error))
            remote.close(grace=0.0)
            raise

    def close(self) -> None:
        with self._lock:
            self._closed = True
            remote, self._remote = self._remote, None
        if remote:
            remote.close()

    def _load(self, remote: ProcessEngine, network: str) -> None:
        remote.open(network, LOADING)
        # The first answer may include setting the device up, so it has the deadline of loading; the second one counts.
        for timeout in (LOADING, self._patience):
            self._check_answer(remote, network, timeout)

    def _check_answer(self, remote: ProcessEngine, network: str, timeout: float) -> None:
        check_known_answer(self._bundle, network, partial(remote.infer, network, timeout=timeout), self._tolerance)

    def _check(self, remote: ProcessEngine) -> None:
        if self._clock() >= self._check_at:
            self._check_at = self._clock() + CHECK_EVERY
            for network in self._networks:
                self._check_answer(remote, network, self._patience)

    def _fail(self, reason: str) -> None:
        """Records the fault; if it recurs soon, the wait is doubled."""
        now = self._clock()
        wait = self._backoff.next(0.0 if self.fault else now - self._up_since)
        self._retry_at = now + wait
        log.warning("%s failed: %s; trying it again in %.0f s", self._name, reason, wait)
        self.fault = reason

    def _retry(self) -> None:
        if not self._retrying and self._clock() >= self._retry_at:
            self._retrying = True
            self._background(self._restart)

    def _restart(self) -> None:
        remote = None
        try:
            remote = self._start()
            for network in self._networks:
                self._load(remote, network)
        except Exception as error:  # an exception in a thread would go unseen, and the device would never be retried
            if remote:
                remote.close()
            self._fail(str(error))
        else:
            with self._lock:
                if self._closed:
                    remote.close()
                else:
                    self._remote, self._up_since, self.fault = remote, self._clock(), ""
        finally:
            self._retrying = False
