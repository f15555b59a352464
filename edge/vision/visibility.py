"""Whether a picture shows enough to classify faces: in the dark or with a covered lens networks guess.

It uses the green channel, reduced to about 320 x 240 pixels and averaged over 8 x 8, which removes the noise that a
camera amplifies in the dark. Among 1000 photographs of people the lowest values of `brightness_and_steps` were 35 and
8.7, the next lowest steps above 22; plain grey, shaded at the edges, has steps below 5 with noise of a deviation up
to 8.
"""

from __future__ import annotations

import numpy as np

from edge.core.records import Image

DARK = "cannot judge, too dark"
COVERED = "cannot judge, the lens is covered or there is nothing to see"
SAMPLES = 76800
"""Number of pixels examined, about 320 x 240."""
NOISE = "cannot judge, the picture is noise: check the camera's signal"
NOISY = 0.15
"""Correlation of neighbouring pixels below which a picture is noise, or uninitialised memory. Among 350
photographs the lowest was 0.67; darkened to a third, under noise of a deviation of 20, 0.17; noise as JPEG had 0.13.
"""
CELL = 8
"""Side of the averaged squares, in examined pixels."""


class Visibility:
    """Tells for each frame why nothing can be classified, or None.

    A single dark frame is not reported, but must not give votes either: `clear` is about each frame by itself.

    dark: brightness 0..255 that 5 % of the picture must exceed; 0: off.
    flat: brightness step 0..255 between neighbouring cells that 1 % of them must exceed; 0: off.
    hold: seconds before a change is reported.
    margin: factor by which a picture must exceed the limits before it counts as visible again.
    """

    def __init__(self, dark: float, flat: float, hold: float, margin: float = 1.5) -> None:
        self.dark, self.flat, self.hold, self.margin = dark, flat, hold, margin
        self.clear = True
        """Whether the last frame by itself can be classified."""
        self._blind: str | None = None
        self._since: float | None = None

    def update(self, image: Image, t: float) -> str | None:
        """Processes the frame (RGB) at `t`; returns DARK, COVERED, NOISE or None."""
        found = self._judge(image)
        self.clear = found is None
        if (found is None) == (self._blind is None):
            self._blind, self._since = found, None
            return found
        if self._since is None or t < self._since:
            self._since = t
        if t - self._since >= self.hold:
            self._blind, self._since = found, None
        return self._blind

    def _judge(self, image: Image) -> str | None:
        brightness, step = brightness_and_steps(image)
        margin = self.margin if self._blind else 1.0
        if brightness < self.dark * margin:
            return DARK
        if step < self.flat * margin:
            return COVERED
        return NOISE if self.flat and likeness(image) < NOISY else None


def likeness(image: Image) -> float:
    """Correlation of the green of neighbouring pixels, horizontal or vertical, whichever is higher."""
    height, width = image.shape[:2]
    every = max(round((height * width / SAMPLES) ** 0.5), 1) * 4
    green = image[..., 1]
    here = green[:-1:every, :-1:every].astype(np.float32)
    spread = 2 * float(here.var())
    if here.size < 100 or not spread:
        return 1.0
    beside = green[:-1:every, 1::every].astype(np.float32), green[1::every, :-1:every].astype(np.float32)
    return 1 - min(float(np.square(here - other).mean()) for other in beside) / spread


def brightness_and_steps(image: Image) -> tuple[float, float]:
    """The 95th percentile of brightness and the 99th of the steps between neighbouring cells, 0..255."""
    height, width = image.shape[:2]
    every = max(round((height * width / SAMPLES) ** 0.5), 1)
    green = image[::every, ::every, 1]
    rows, columns = green.shape[0] // CELL, green.shape[1] // CELL
    if min(rows, columns) < 2:  # too small for averages
        cells = green.astype(np.float32)
    else:
        squares = green[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
        cells = squares.mean((1, 3), dtype=np.float32)
    steps = np.concatenate([np.abs(np.diff(cells, axis=axis)).ravel() for axis in (0, 1)])
    return float(np.percentile(cells, 95)), float(np.percentile(steps, 99)) if steps.size else 0.0
