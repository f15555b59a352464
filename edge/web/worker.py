"""Where the page's longer work is done: two threads, whose time counts as the page's; and how much it may be."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

SHARE = 0.03
"""Part of the time that the page may occupy in the long run, the live picture apart, which has its own limit."""
CREDIT = 0.6
"""Seconds saved up for a page that is opened."""
PATIENCE = 4.0
"""Seconds of debt before everybody waits."""


def occupied() -> float:
    """Seconds for which this thread has run or waited for a processor; where the kernel does not tell, has run.

    The waiting counts, for a thread that waits may hold the interpreter's lock: on a board where others are busy too, a
    second of the page's work takes several from the loop.
    """
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            ran, waited, _ = map(int, file.read().split())
    except (OSError, ValueError):
        ran = waited = 0
    return (ran + waited) / 1e9 if ran else time.thread_time()


class Governor:
    """Holds the page to its share of the time.

    With one interpreter lock for all threads, a flood of requests would take frames from the loop. While the account is
    overdrawn (`debt`), the addresses that ask most are not read from (`edge.web.turns`). If that is not enough, the
    page's thread sleeps: nobody gets around that, not even by requests that are refused.
    """

    def __init__(
        self,
        share: float = SHARE,
        credit: float = CREDIT,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = occupied,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._over = threading.Event()
        self._share, self._most, self._left = share, credit, credit
        self._clock, self._used, self._sleep = clock, used, sleep or self._over.wait
        self._at: tuple[float, float] | None = None
        self.spent = 0.0
        """Seconds that the page has occupied so far."""

    @property
    def share(self) -> float:
        """Part of the time that the page may occupy."""
        return self._share

    def charge(self, seconds: float) -> None:
        """Takes what another thread has occupied for the page."""
        self._left -= seconds
        self.spent += seconds

    def release(self) -> None:
        """No rest any more: the page ends."""
        self._over.set()

    def debt(self) -> float:
        """Seconds until the account is even again; 0 while it is not overdrawn."""
        now, used = self._clock(), self._used()
        if self._at is not None:
            earned, spent = (now - self._at[0]) * self._share, used - self._at[1]
            self._left = min(self._left + earned - spent, self._most)
            self.spent += spent
        self._at = now, used
        return max(-self._left / self._share, 0.0)

    def rest(self) -> None:
        """Sleeps off what goes beyond PATIENCE, at most a quarter of a second at a time."""
        surplus = self.debt() - PATIENCE
        if surplus > 0 and not self._over.is_set():
            self._sleep(min(surplus, 0.25))


class Worker:
    """`await worker(function, argument)` keeps the server's thread free meanwhile."""

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="page worker")

    async def __call__(self, work: Callable[..., T], *arguments: Any, free: bool = False) -> T:
        """`free`: not counted, for what is limited by other means."""

        def timed() -> tuple[T, float]:
            start = occupied()
            return work(*arguments), occupied() - start

        result, spent = await asyncio.get_running_loop().run_in_executor(self._threads, timed)
        if not free:
            self.governor.charge(spent)
        return result

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
