"""A camera without hardware: a portrait moves in front of a door and puts a mask on and off.

The portrait is NASA's picture of Eileen Collins, public domain, which scikit-image ships as `data.astronaut()`.
Everything is a function of `t` and the seed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.base import Pace, Source
from edge.core.errors import MissingPackage
from edge.core.geometry import Box
from edge.core.records import Frame, Image
from edge.vision import masks

FACE = Box(174, 76, 274, 179)
"""Tight box of the face in the portrait (512 x 512 pixels): forehead to chin, ear to ear."""

OUTLINE = (
    (154, 66), (154, 78), (156, 91), (161, 103), (169, 113), (173, 119), (174, 126), (179, 131), (182, 136),
    (185, 148), (175, 148), (160, 150), (146, 154), (135, 161), (126, 173), (122, 183), (115, 188), (115, 200),
    (120, 213), (108, 216), (91, 229), (71, 245), (57, 264), (47, 286), (39, 306), (31, 331), (25, 361),
    (21, 396), (21, 425), (27, 470), (31, 520), (520, 520), (511, 485), (496, 457), (492, 430), (484, 406),
    (471, 387), (451, 368), (430, 354), (405, 346), (385, 346), (365, 351), (360, 340), (357, 325), (351, 296),
    (345, 271), (331, 254), (304, 236), (303, 225), (301, 215), (296, 203), (284, 191), (269, 181), (256, 174),
    (257, 160), (261, 150), (265, 140), (269, 136), (275, 133), (281, 126), (291, 113), (298, 100), (300, 88),
    (300, 75), (297, 62), (289, 45), (280, 34), (267, 24), (250, 18), (235, 16), (218, 19), (200, 27),
    (190, 35), (175, 43), (162, 53),
)  # fmt: skip
"""The person in the portrait, traced by hand: hair, suit, helmet."""

PHASE = 4.0
"""Alternating seconds without and with a mask."""
SMALL, LARGE = 60 / 480, 200 / 480
"""Height of the face, as a share of the shorter side of the frame, far away and close by."""


class SyntheticCamera(Source):
    """Frames of `width` x `height` at `fps`, for `duration` seconds or for ever; `seed` (0 or more) selects path, room
    and masks.

    With `realtime` frames come when they are due, and late ones are dropped and counted in `dropped`, as with a camera;
    otherwise they come as fast as they are read. Raises MissingPackage without scikit-image.
    """

    def __init__(
        self,
        width: int = 640,
        height: int = 480,
        fps: float = 15.0,
        duration: float | None = None,
        seed: int = 0,
        realtime: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.width, self.height, self.fps, self.duration, self.seed = width, height, fps, duration, seed
        self.dropped = 0
        self._pace = Pace(1 / fps, clock, sleep) if realtime else None
        rng = np.random.default_rng(seed)
        self._starts = rng.uniform(0, 2 * math.pi, 5)
        self._room = _room(width, height, rng)
        self._noise = rng.normal(0, 3, (height + 64, width + 64, 3)).round().astype(np.int16)
        self._bare = _portrait()
        self._drawn: tuple[int, Image] = (0, self._bare)
        self._opacity = _cutout(self._bare.shape[1], self._bare.shape[0])

    def __iter__(self) -> Iterator[Frame]:
        for index in count():
            t = index / self.fps
            if self.duration is not None and t >= self.duration:
                return
            if self._pace and not self._pace.admits(t):
                self.dropped += 1
                continue
            yield Frame(index, t, self.image_at(t))

    def mask_on_at(self, t: float) -> bool:
        """Whether the person wears a mask at `t`."""
        return int(t // PHASE) % 2 == 1

    def face_at(self, t: float) -> Box:
        """Where the face is at `t`, in pixels of the frame; it never leaves the frame."""
        side, near = min(self.width, self.height), 0.5 + 0.5 * self._wave(0, 13, t)
        k = side * SMALL * (LARGE / SMALL) ** near / FACE.height
        x = self.width * (0.5 + 0.16 * self._wave(1, 9, t))
        y = self.height - side * (0.41 + 0.1 * near)  # a camera at chest height: a closer person looks taller
        return Box(-FACE.width, -FACE.height, FACE.width, FACE.height).scaled(k / 2).moved(x, y)

    def image_at(self, t: float) -> Image:
        """The frame at `t`, RGB."""
        place = self._place(t)
        size = (self.width, self.height)
        person = cv2.warpAffine(self._person(t), place, size, borderMode=cv2.BORDER_REPLICATE)
        opacity = cv2.warpAffine(self._opacity, place, size)
        scene = cv2.blendLinear(person, self._room, opacity, 1 - opacity)
        left, top = np.random.default_rng([self.seed, round(t * 1000)]).integers(0, 64, 2)
        noise = self._noise[top : top + self.height, left : left + self.width]
        return cv2.add(self._relit(scene, t), noise, dtype=cv2.CV_8U)  # type: ignore[return-value]

    def _wave(self, which: int, period: float, t: float) -> float:
        """A smooth function of `t` in -1..1 with its own phase."""
        return math.sin(2 * math.pi * t / period + self._starts[which])

    def _person(self, t: float) -> Image:
        """The portrait at `t`, with the same mask as long as it is worn."""
        phase = int(t // PHASE)
        if not self.mask_on_at(t):
            return self._bare
        if self._drawn[0] != phase:
            self._drawn = phase, masks.draw(self._bare, FACE, np.random.default_rng([self.seed, phase]))
        return self._drawn[1]

    def _place(self, t: float) -> NDArray[np.float64]:
        """Portrait pixels -> frame pixels, (2, 3)."""
        box = self.face_at(t)
        matrix = cv2.getRotationMatrix2D(FACE.centre, 4 * self._wave(2, 7, t), box.height / FACE.height)
        matrix[:, 2] += np.subtract(box.centre, FACE.centre)
        return np.asarray(matrix, np.float64)

    def _relit(self, scene: cv2.typing.MatLike, t: float) -> cv2.typing.MatLike:
        """Applies a drifting exposure and colour temperature, as of a lamp and a cloudy window."""
        gain, warmth = 2 ** (0.45 * self._wave(3, 11, t) - 0.2), 0.1 * self._wave(4, 17, t)
        gains = gain * np.array([1 + warmth, 1, 1 - warmth])
        table = np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8)
        return cv2.LUT(scene, table[None])


def _portrait() -> Image:
    try:
        from skimage import data
    except ModuleNotFoundError as error:
        raise MissingPackage("scikit-image", extra="demo") from error
    image: Image = data.astronaut()  # type: ignore[no-untyped-call]
    return image


def _cutout(width: int, height: int) -> NDArray[np.float32]:
    """Opacity 0..1 of the person; the soft edge is inside the outline, so that the old wall does not show."""
    opacity = np.zeros((height, width), np.float32)
    cv2.fillPoly(opacity, [np.array(OUTLINE, np.int32)], 1.0)
    return np.clip(2 * cv2.GaussianBlur(opacity, (0, 0), 2) - 1, 0, 1).astype(np.float32)


def _room(width: int, height: int, rng: np.random.Generator) -> Image:
    """A wall, a floor and a door with two panels, out of focus."""
    room = np.empty((height, width, 3), np.float32)
    room[:] = rng.uniform(135, 195) + rng.uniform(-15, 15, 3)
    door = (rng.uniform(70, 120) + rng.uniform(-12, 12, 3)) * (1.15, 1.0, 0.8)

    def fill(x0: float, y0: float, x1: float, y1: float, colour: NDArray[np.float64]) -> None:
        room[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = colour

    floor, left = rng.uniform(0.82, 0.9), rng.uniform(0.25, 0.4)
    right = left + 0.36
    fill(0, floor, 1, 1, rng.uniform(60, 100) + rng.uniform(-10, 10, 3))
    fill(left - 0.03, 0.02, right + 0.03, floor, door * 1.5)
    fill(left, 0.06, right, floor, door)
    for top, bottom in ((0.12, 0.4), (0.48, 0.78)):
        fill(left + 0.05, top, right - 0.05, bottom, door * 0.8)
        fill(left + 0.06, top + 0.02, right - 0.05, bottom, door * 1.08)
    fill(right - 0.035, 0.46, right - 0.015, 0.49, np.full(3, 220.0))
    light = np.linspace(rng.uniform(0.75, 1), rng.uniform(0.75, 1), width)[None, :, None]
    light = light * np.linspace(1.1, 0.85, height)[:, None, None]
    blurred = cv2.GaussianBlur(room * light, (0, 0), height / 130)
    return np.clip(blurred, 0, 255).astype(np.uint8)
