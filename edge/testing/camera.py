"""A camera for tests that fails to order, in a time of its own: nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count, repeat
from typing import Any

import numpy as np

from edge.cameras.base import ENDED, OK, STARTING, Live
from edge.cameras.reconnecting import ReconnectingCamera
from edge.config.settings import Camera
from edge.core.records import Frame, Image
from edge.testing.defaults import with_defaults

Step = tuple[float, "Image | Exception | None"]
"""Seconds since the step before, then what comes: a frame (anything may stand for its image), an error, or the end."""


class Script:
    """Plays one sequence of steps for each time the camera is opened; an exception is an opening that fails.

    An opening whose steps are used up gives nothing more, as a read that never returns; the last one is played
    again and again. `opened` and `closed` hold the times (seconds) of every attempt to open and of every close.
    """

    def __init__(self, *openings: Sequence[Step] | Exception, stamp: Callable[[float], float] = float) -> None:
        self.now = 0.0
        self.opened: list[float] = []
        self.closed: list[float] = []
        self.stamp = stamp
        """What the camera stamps on a frame that comes at a time, seconds."""
        self._openings = openings

    def camera(self, **options: Any) -> ReconnectingCamera:
        """A ReconnectingCamera over this script, in its time."""
        timing: Any = {"clock": lambda: self.now, "pause": self.pass_time, "start": lambda open: open()}
        camera = with_defaults(ReconnectingCamera, Camera(), first_within=15.0)
        made: ReconnectingCamera = camera(self.open, **timing, **options)
        return made

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def open(self) -> Opening:
        self.opened.append(self.now)
        steps = self._openings[min(len(self.opened), len(self._openings)) - 1]
        if isinstance(steps, Exception):
            raise steps
        return Opening(self, steps)


class Opening(Live):
    """One opening of the camera."""

    def __init__(self, script: Script, steps: Sequence[Step]) -> None:
        self.state, self.dropped = STARTING, 0
        self._script, self._steps = script, iter(steps)
        self._due = script.now
        self._what: Image | Exception | None = None
        self.hangs = False
        self._advance()

    def _advance(self) -> None:
        step = next(self._steps, None)
        self.hangs = step is None
        self._due, self._what = (self._due + step[0], step[1]) if step else (float("inf"), None)

    def poll(self, timeout: float) -> Frame | None:
        script = self._script
        if self._due > script.now + timeout:
            script.pass_time(timeout)
            return None
        script.now, what = max(script.now, self._due), self._what
        self._advance()
        if isinstance(what, Exception):
            self.hangs = False
            raise what
        self.state = ENDED if what is None else OK
        return None if what is None else Frame(0, script.stamp(script.now), what)

    def close(self) -> None:
        self._script.closed.append(self._script.now)

    abandon = close


def pictures(fps: float, seconds: float = float("inf"), width: int = 64, height: int = 48) -> Iterator[Step]:
    """Steps of grey noise, RGB (height, width, 3), every picture another."""
    noise = np.random.default_rng(0)
    for _ in range(round(fps * seconds)) if seconds != float("inf") else count():
        yield 1 / fps, noise.integers(60, 200, (height, width, 3), np.uint8)


def still(fps: float, image: Image) -> Iterator[Step]:
    """Steps of one picture that never changes, for ever."""
    return repeat((1 / fps, image))
