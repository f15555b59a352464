"""Pictures of what was told, for those who turn it on: faces blurred, few, small, and gone after some days."""

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
"""Of JPEG, 0..100."""
NAME = re.compile(r"\d{8}T\d{6}-[a-z_]+-[0-9a-f]+-\d+\.jpg")
"""Of a snapshot: nothing else in the folder is ever removed."""
PART = re.compile(r"\.\d{8}T\d{6}-[a-z_]+-[0-9a-f]+-\d+(\.\d+)+\.part\.jpg")
"""Of one that a power cut left half written."""


class Film:
    """The last observations that events were told of, from the loop to the sink; what nobody fetches is forgotten."""

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
    """Writes a JPEG per event into the folder `path`, whole or not at all, for its owner's eyes only.

    blur: faces are made unknowable. Only what was found to be a face is: not one that the detector missed.
    width: pixels, at most. every: seconds between two pictures, at least.
    most, max_bytes: pictures and bytes of all; the oldest go. keep_days: of a picture, not heeded while the clock is
        not set.
    film: where the observation of an event is.
    clock_set: whether the machine's clock is right; None where nobody can tell. wall: seconds since 1970.
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
        """Once an hour the old ones go, also when nobody comes."""
        if now >= self._due:
            self._due = now + 3600
            with contextlib.suppress(OSError):  # the next picture tells of a folder that is gone
                self._clear(0)
        return self._due

    def close(self) -> None:
        """Nothing is open."""

    def _clear(self, room: int) -> None:
        """Removes what is too old, and the oldest until there is room for `room` bytes more. Raises OSError."""
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
