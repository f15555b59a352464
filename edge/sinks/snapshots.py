"""Optional pictures of events: faces blurred, few, small, and deleted after some days."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from edge.core.errors import SinkError
from edge.core.files import write
from edge.core.records import Event, Observation
from edge.core.retention import DAY, Dates, Kept, Limits
from edge.vision.blur import blurred

QUALITY = 80
"""JPEG quality, 0..100."""
NAME = re.compile(r"\d{8}T\d{6}-[a-z_]+-[0-9a-f]+-\d+\.jpg")
"""Name of a snapshot; no other file in the folder is ever removed."""
PART = re.compile(r"\.\d{8}T\d{6}-[a-z_]+-[0-9a-f]+-\d+(\.\d+)+\.part\.jpg")
"""Name of a snapshot that a power cut left incomplete."""


class Film:
    """The last observations with events, passed from the frame loop to the sink; older ones are dropped."""

    def __init__(self, kinds: Sequence[str], most: int = 4) -> None:
        self._kinds, self._most = frozenset(kinds), most
        self._kept: OrderedDict[float, Observation] = OrderedDict()

    def keep(self, observation: Observation, events: Sequence[Event]) -> None:
        if any(event.kind in self._kinds for event in events):
            self._kept[observation.frame.t] = observation
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def at(self, t: float) -> Observation | None:
        return self._kept.get(t)


class SnapshotSink:
    """Writes a JPEG per event into the folder `path`, atomically and readable by its owner only.

    blur: blur detected faces; a face that the detector missed is not blurred.
    width: maximum, in pixels. every: minimum time between two pictures (s).
    most, max_bytes: maximum number and total size; the oldest are deleted. keep_days: maximum age, ignored while the
        clock is not set.
    film: provides the observation of an event.
    clock_set: whether the system clock is right; None if unknown. wall: seconds since 1970.
    Raises SinkError.
    """

    def __init__(
        self,
        path: str | Path,
        film: Film,
        blur: bool,
        width: int,
        every: float,
        most: int,
        max_bytes: int,
        keep_days: float,
        clock_set: Callable[[], bool | None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._film, self._blur, self._width, self._every = Path(path), film, blur, width, every
        self._limits = Limits(most, max_bytes, keep_days * DAY)
        self._clock_set, self._wall = clock_set, wall
        self._dates: Dates[Path] = Dates()
        self._last: float | None = None
        self._due = 0.0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self._folder.iterdir():
                if PART.fullmatch(path.name):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise SinkError(f"snapshots '{self._folder}': no folder to write to ({error.strerror})") from None

    def send(self, event: Event) -> None:
        observation = self._film.at(event.t)
        if observation is None or event.stamp is None or event.stamp.time is None:
            return
        if self._last is not None and 0 <= event.t - self._last < self._every:
            return
        when = datetime.fromtimestamp(event.stamp.time)
        path = self._folder / f"{when:%Y%m%dT%H%M%S}-{event.kind}-{event.stamp.id}.jpg"
        data = picture(observation, self._width, self._blur)
        try:
            self._clear(len(data))
            write(path, data, mode=0o600)
            self._dates.took(path, self._clock_set())
        except OSError as error:
            raise SinkError(f"snapshots '{path}': cannot be written ({error.strerror})") from None
        self._last = event.t

    def advance(self, now: float) -> float | None:
        """Deletes old pictures once an hour, also without events."""
        if now >= self._due:
            self._due = now + 3600
            with contextlib.suppress(OSError):  # the next picture reports a missing folder
                self._clear(0)
        return self._due

    def close(self) -> None:
        """Nothing is open."""

    def _clear(self, room: int) -> None:
        """Deletes old pictures, and the oldest until `room` more bytes fit. Raises OSError."""
        found = sorted(path for path in self._folder.iterdir() if NAME.fullmatch(path.name))
        now = None if self._clock_set() is False else self._wall()
        there = []
        for path in found:
            about = path.stat()
            there.append(Kept(path, self._taken(path, about.st_mtime, now), about.st_size))
        for path in self._limits.surplus(there, room, now)[0]:
            path.unlink(missing_ok=True)
            self._dates.forget(path)

    def _taken(self, path: Path, said: float, now: float | None) -> float:
        taken = self._dates.of(path, said, now)
        if now is not None and taken != said:
            os.utime(path, (taken, taken))
        return taken


def picture(observation: Observation, width: int, blur: bool) -> bytes:
    """The frame as JPEG, at most `width` pixels wide, without any metadata."""
    image = observation.frame.image
    if blur:
        image = image.copy()
        for track in observation.tracks:
            blurred(image, track.box)
    if image.shape[1] > width:
        size = width, max(round(image.shape[0] * width / image.shape[1]), 1)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    good, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not good:
        raise SinkError("snapshots: this OpenCV does not write JPEG")
    return data.tobytes()
