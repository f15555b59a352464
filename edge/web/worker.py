"""Two threads for the page's longer work, and the limit of the page's share of the time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

SHARE = 0.03
"""Long-term share of the time that the page may use, the live picture apart, which has a limit of its own."""
CREDIT = 0.6
"""Credit in seconds, for a page that is being opened."""
PATIENCE = 4.0
"""Debt in seconds beyond which every client waits."""


def occupied() -> float:
    """Seconds that this thread has run or waited for a processor; only run, if the kernel does not report the rest.

    Waiting counts, because a waiting thread may hold the interpreter's lock: on a busy board, one second of the page's
    work can take several from the loop.
    """
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            ran, waited, _ = map(int, file.read().split())
    except (OSError, ValueError):
        ran = waited = 0
    return (ran + waited) / 1e9 if ran else time.thread_time()


class Governor:
    """Limits the page to its share of the time.

    With one interpreter lock for all threads, a flood of requests would take frames from the loop. While the page is in
    debt, the addresses that send the most requests are not read from (`edge.web.turns`). If that is not enough, the
    page's thread sleeps, which delays every client, including those whose requests are refused.
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
        """Seconds that the page has used so far."""

    @property
    def share(self) -> float:
        """Share of the time that the page may use."""
        return self._share

    def charge(self, seconds: float) -> None:
        """Adds the time that another thread has used for the page."""
        self._left -= seconds
        self.spent += seconds

    def release(self) -> None:
        """Ends all resting, because the page is closing."""
        self._over.set()

    def debt(self) -> float:
        """Seconds until the debt is paid; 0 without debt."""
        now, used = self._clock(), self._used()
        if self._at is not None:
            earned, spent = (now - self._at[0]) * self._share, used - self._at[1]
            self._left = min(self._left + earned - spent, self._most)
            self.spent += spent
        self._at = now, used
        return max(-self._left / self._share, 0.0)

    def rest(self) -> None:
        """Sleeps for the debt beyond PATIENCE, at most a quarter of a second at a time."""
        surplus = self.debt() - PATIENCE
        if surplus > 0 and not self._over.is_set():
            self._sleep(min(surplus, 0.25))


class Worker:
    """`await worker(function, argument)` runs it without blocking the server's thread."""

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="page worker")

    async def __call__(self, work: Callable[..., T], *arguments: Any, free: bool = False) -> T:
        """`free`: not counted, because it is limited by other means."""

        def timed() -> tuple[T, float]:
            start = occupied()
            return work(*arguments), occupied() - start

        result, spent = await asyncio.get_running_loop().run_in_executor(self._threads, timed)
        if not free:
            self.governor.charge(spent)
        return result

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
