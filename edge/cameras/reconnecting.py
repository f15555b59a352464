"""Reopens a lost live camera, without end."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Protocol

from edge.cameras.base import ENDED, OK, STARTING, Live
from edge.cameras.faults import Changes, fault
from edge.cameras.latest_frame import LatestFrame
from edge.core.backoff import Backoff
from edge.core.errors import CameraError, MissingPackage
from edge.core.ports import Camera
from edge.core.records import Frame

log = logging.getLogger(__name__)

TRUSTED = 1.0
"""Maximum age of a frame when it is read, in seconds; an older time stamp means that the clock jumped."""
MOST_HANGING = 3
"""Maximum number of hanging reads, each of which holds a thread and a device."""


class Reader(Protocol):
    """Reads one opening of the camera: `LatestFrame`, or a script in tests."""

    state: str
    dropped: int

    @property
    def hangs(self) -> bool: ...

    def poll(self, timeout: float) -> Frame | None: ...

    def abandon(self) -> None: ...

    def close(self) -> None: ...


class ReconnectingCamera(Live):
    """Frames of the camera that `open` opens, read in another thread; a lost camera is opened again.

    A camera is lost if it raises an error, gives no usable frame for `lost_after` seconds (`first_within` after it was
    opened, since opening takes time), or if no pixel changes for `frozen_after` seconds (0: never), since a stuck
    driver repeats the last frame. A frame that is no picture or changes its size is not usable; `faults` counts them
    (`edge.cameras.faults`). The first attempt to reopen comes after `retry_first` seconds; the delay doubles up to
    `retry_longest`, and is reset by a camera that worked for that long. A read that hangs is abandoned, and its thread
    closes the device when it returns; after MOST_HANGING of them no more are started until one returns.

    `Frame.t` is seconds since the first frame. It never goes back, whatever the camera stamps, and continues after a
    loss; time stamps of the same `clock` (seconds) are used. `dropped` counts unseen frames, `reopened` the openings
    after the first. `on_state` is called with every new `state`, in the polling thread. Without `reopen` the first loss
    is raised as CameraError. MissingPackage is always raised, since waiting does not help.
    """

    def __init__(
        self,
        open: Callable[[], Camera],
        *,
        first_within: float,
        lost_after: float,
        frozen_after: float,
        retry_first: float,
        retry_longest: float,
        reopen: bool,
        on_state: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
        start: Callable[[Callable[[], Camera]], Reader] = lambda open: LatestFrame(_opened(open)),
    ) -> None:
        self.state = STARTING
        self.faults, self.reopened = 0, -1
        self.on_state = on_state
        self._open, self._start, self._reopen = open, start, reopen
        self._first_within, self._lost_after = first_within, lost_after
        self._frozen_after = frozen_after or math.inf
        self._backoff = Backoff(retry_first, retry_longest)
        self._clock = clock
        self._closed = threading.Event()
        self._pause = pause or self._closed.wait
        self._reader: Reader | None = None
        self._left: list[Reader] = []
        self._dropped = 0
        self._retry_at = -math.inf
        self._lost_at = self._frozen_at = self._well_since = math.inf
        self._fault = ""
        self._shape: tuple[int, ...] | None = None
        self._changes = Changes()
        self._froze = False
        self._index = 0
        self._first = self._last = -math.inf

    @property
    def dropped(self) -> int:
        return self._dropped + (self._reader.dropped if self._reader else 0)

    def poll(self, timeout: float) -> Frame | None:
        """See `Live.poll`; never blocks longer than `timeout`, whatever the camera does."""
        deadline = self._clock() + timeout
        while self.state != ENDED:
            if (late := self._overdue()) is not None:
                return late
            self._look_after()
            reader, now = self._reader, self._clock()
            wait = max(min(deadline, self._next()) - now, 0.0)
            if reader is None:
                self._pause(wait)
            elif (frame := self._take(reader, wait)) is not None:
                return frame
            if self._clock() >= deadline:
                return None
        return None

    def close(self) -> None:
        self._closed.set()
        self._tell(ENDED)
        if self._reader is not None:
            self._reader.close()

    def _next(self) -> float:
        """Time of the next action if no frame comes."""
        return self._retry_at if self._reader is None else min(self._lost_at, self._frozen_at)

    def _overdue(self) -> Frame | None:
        """The waiting frame, if it proves that the camera works: the caller may have been busy for a while."""
        if self._reader is None or self._clock() < self._next():
            return None
        frame = self._take(self._reader, 0.0)
        return frame if self._clock() < self._next() else None

    def _look_after(self) -> None:
        now = self._clock()
        if self.state == ENDED:
            return
        if self._reader is None:
            if now >= self._retry_at:
                self._try_again(now)
        elif now >= self._lost_at:
            self._lose(self._fault or "no frame comes")
        elif now >= self._frozen_at:
            self._froze = True
            self._lose(f"the picture has not changed for {self._frozen_after:g} s")

    def _try_again(self, now: float) -> None:
        self._left = [reader for reader in self._left if reader.hangs]
        if len(self._left) >= MOST_HANGING:
            self._retry_at = now + self._backoff.wait
            self._tell(f"lost: {MOST_HANGING} reads hang: unplug the camera or restart maskcam")
            return
        self._shape, self._fault = None, ""
        self._lost_at = now + self._first_within
        self._frozen_at = now + max(self._first_within, self._frozen_after)
        self.reopened += 1
        try:
            self._reader = self._start(self._open)
        except Exception as error:
            self._failed(error)

    def _take(self, reader: Reader, wait: float) -> Frame | None:
        try:
            frame = reader.poll(wait)
        except Exception as error:
            self._failed(error)
            return None
        if frame is None:
            if reader.state == ENDED:
                self._tell(ENDED)
            return None
        return self._accepted(frame)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, MissingPackage):
            self._tell(ENDED)
            raise error
        self._lose(str(error) if isinstance(error, CameraError) else f"{type(error).__name__}: {error}")

    def _lose(self, reason: str) -> None:
        if not self._reopen:
            self.close()
            raise CameraError(reason)
        now = self._clock()
        if self._reader is not None:
            self._dropped += self._reader.dropped
            self._reader.abandon()
            self._left.append(self._reader)
            self._reader = None
        self._retry_at = now + self._backoff.next(now - self._well_since)
        self._well_since = math.inf
        self._tell(f"lost: {reason}")

    def _accepted(self, frame: Frame) -> Frame | None:
        """The stamped frame, unless it is unusable or still the frozen picture."""
        now, image = self._clock(), frame.image
        self._fault = fault(image, self._shape)
        if self._fault:
            self.faults += 1
            return None
        self._shape, self._lost_at = image.shape, now + self._lost_after
        if self._changes.sees(image):
            self._frozen_at, self._froze = now + self._frozen_after, False
        elif self._froze:
            return None
        self._well_since = min(self._well_since, now)
        self._tell(OK)
        t = frame.t if max(self._last, now - TRUSTED) <= frame.t <= now else now
        self._first = t if self._index == 0 else self._first
        self._last, self._index = t, self._index + 1
        return Frame(self._index - 1, t - self._first, image)

    def _tell(self, state: str) -> None:
        if state == self.state or self.state == ENDED:
            return
        self.state = state
        log.debug("camera %s", state)  # the service reports it to all others
        if self.on_state:
            self.on_state(state)


def _opened(open: Callable[[], Camera]) -> Generator[Frame, None, None]:
    """Opens the camera in the reading thread, since opening may block like a read. A generator has `close`."""
    with closing(open()) as camera:
        yield from camera
