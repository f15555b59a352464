"""Draws a face mask on a bare face: for the synthetic camera and as augmentation in training.

Only the tight box of the face (forehead to chin, ear to ear) is known, so the shape is plausible, not
fitted: it covers nose to chin, is turned a little to one side, has a random cloth, and is lit like the face below it.
Everything is drawn on a small patch and scaled into place, so a 10-pixel face costs no more than a large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.records import Image

PATCH = 96
"""Side of the patch in pixels."""
OUTSIDE = 0.2
"""The patch reaches this share of the box beyond each of its edges."""

NOSE_FREE = 0.2
"""A mask that hangs lower than this, in face heights, leaves the nose free."""

Floats = NDArray[np.float32]


def draw(image: Image, face: Box, rng: np.random.Generator, lowered: float = 0.0, nose: str = "") -> Image:
    """A copy of `image` (RGB) with a random mask over the lower half of `face`, `lowered` face heights too low.

    `nose`: "left" or "right", the side of the picture that a head in profile looks to; "": the face is seen from the
    front.
    """
    face = face.moved(0, lowered * face.height)
    cloth, alpha = _cloth(rng), _profile(rng) if nose else _outline(rng)
    if nose == "left":
        alpha = np.ascontiguousarray(alpha[:, ::-1])
    mx, my = face.width * OUTSIDE, face.height * OUTSIDE
    left, top = round(face.x0 - mx), round(face.y0 - my)
    width, height = max(round(face.width + 2 * mx), 2), max(round(face.height + 2 * my), 2)
    cloth = np.asarray(cv2.resize(cloth, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, image.shape[1]), min(top + height, image.shape[0])
    result = image.copy()
    if x1 <= x0 or y1 <= y0:
        return result
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    below = result[y0:y1, x0:x1].astype(np.float32)
    painted = cloth[part] * _light(below, rng)[..., None]
    weight = alpha[part][..., None]
    result[y0:y1, x0:x1] = np.clip(below * (1 - weight) + painted * weight, 0, 255).astype(np.uint8)
    return result


def _light(skin: Floats, rng: np.random.Generator) -> Floats:
    """The low-frequency light on the face, relative to its mean, times the exposure of the face.

    A dark face is one in little light, or one of dark skin, on which a mask may shine: nobody can tell which from the
    box alone, so both are drawn.
    """
    grey = skin.mean(-1)
    size = max(min(grey.shape) / 5, 1.0)
    slow = np.asarray(cv2.GaussianBlur(grey, (0, 0), size), np.float32)
    mean = float(grey.mean())
    known = rng.uniform(0.75, 1.0) if rng.random() < 0.85 else rng.uniform(0.1, 0.6)
    exposure = np.clip(mean / 120, 0.1, 1.3) ** known
    result: Floats = (np.clip(slow / max(mean, 1.0), 0.5, 1.6) * exposure).astype(np.float32)
    return result


def _outline(rng: np.random.Generator) -> Floats:
    """Opacity 0..1 of the mask on the patch, with straps."""
    turn = rng.uniform(-0.14, 0.14)  # the nose moves sideways when the head turns
    side_top, nose = rng.uniform(0.44, 0.6), rng.uniform(0.36, 0.52)
    side_low, chin = rng.uniform(0.74, 0.9), rng.uniform(0.94, 1.08)
    left, right = rng.uniform(0.0, 0.12) - min(turn, 0) * 0.3, 1 - rng.uniform(0.0, 0.12) - max(turn, 0) * 0.3
    middle, wide = 0.5 + turn, rng.uniform(0.1, 0.2)
    if rng.random() < 0.12:  # a scarf or a bandana hangs below the chin
        side_low, chin = 1.05, 1.18
    cheek = (side_top + nose) / 2
    points = [
        (left, side_top), (middle - wide, cheek), (middle, nose), (middle + wide, cheek), (right, side_top),
        (right - 0.02, side_low), (middle + 0.26, chin - 0.05), (middle, chin),
        (middle - 0.26, chin - 0.05), (left + 0.02, side_low),
    ]  # fmt: skip
    alpha = _filled(points, rng)
    if rng.random() < 0.6:
        for x, y, out in ((left, side_top + 0.04, -0.1), (right, side_top + 0.04, 0.1)):
            for low in (y, side_low - 0.04):
                _strap(alpha, (x, low), (x + out, y - 0.1), 200)
    return _soft(alpha)


def _profile(rng: np.random.Generator) -> Floats:
    """Like `_outline`, of a mask on a head that looks to the right: from nose and chin back over the cheek, and the ear
    loops. A stiff one stands off the face, in front of the nose and half-way to the ear."""
    stiff = rng.random() < 0.4
    back, low = rng.uniform(0.4, 0.66) if stiff else rng.uniform(0.3, 0.52), rng.uniform(0.82, 0.95)
    top, chin = rng.uniform(0.4, 0.54), rng.uniform(0.96, 1.08)
    front, cheek = rng.uniform(1.04, 1.18) if stiff else rng.uniform(0.98, 1.1), rng.uniform(0.5, 0.64)
    points = [
        (front - 0.16, top), (front - 0.03, (top + 0.62) / 2), (front, rng.uniform(0.62, 0.7)),
        (front - 0.05, 0.82), (front - 0.2, chin), (0.62, chin), (back + 0.1, low), (back, (cheek + low) / 2),
        (back + 0.05, cheek), (0.68, (top + cheek) / 2 + 0.02),
    ]  # fmt: skip
    alpha = _filled(points, rng)
    if rng.random() < 0.8:
        ear = rng.uniform(-0.05, 0.15)
        for start, y in (((back + 0.06, cheek + 0.02), 0.38), ((back + 0.08, low - 0.02), 0.56)):
            _strap(alpha, start, (ear, y + rng.uniform(-0.06, 0.06)), 220)
    return _soft(alpha)


def _filled(points: Sequence[tuple[float, float]], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Opacity 0..255 of the cloth within ten `points` (box units), each a little off, rounded."""
    outline = _smooth(np.array(points, np.float32) + rng.normal(0, 0.012, (10, 2)).astype(np.float32))
    alpha = np.zeros((PATCH, PATCH), np.uint8)
    cv2.fillPoly(alpha, [_pixels(outline)], 255, cv2.LINE_AA)
    return alpha


def _strap(alpha: NDArray[np.uint8], start: tuple[float, float], end: tuple[float, float], opacity: int) -> None:
    """Draws a strap between two points in box units."""
    ends = _pixels(np.array([start, end], np.float32))
    cv2.line(alpha, tuple(map(int, ends[0])), tuple(map(int, ends[1])), opacity, 1, cv2.LINE_AA)


def _soft(alpha: NDArray[np.uint8]) -> Floats:
    """The same opacity as 0..1, its edges blurred."""
    blurred: Floats = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 0.9), np.float32) / np.float32(255)
    return blurred


def _smooth(points: NDArray[Any]) -> NDArray[Any]:
    """Rounds a closed polygon by Chaikin's corner cutting (two turns)."""
    for _ in range(2):
        after = np.roll(points, -1, axis=0)
        points = np.stack([points * 0.75 + after * 0.25, points * 0.25 + after * 0.75], 1).reshape(-1, 2)
    return points


def _pixels(points: NDArray[Any]) -> NDArray[np.int32]:
    """Box units (0..1 across the face) -> pixels of the patch."""
    return np.round((points + OUTSIDE) / (1 + 2 * OUTSIDE) * PATCH).astype(np.int32)


COLOURS = (
    (240, 242, 245),
    (150, 195, 225),
    (120, 175, 205),
    (35, 35, 40),
    (90, 95, 105),
    (180, 215, 200),
    (225, 190, 205),
)
"""Common colours (RGB): white, surgical blues, black, grey, green, rose."""


def _cloth(rng: np.random.Generator) -> Floats:
    """A patch of cloth, RGB 0..255: plain, pleated, striped, checked, dotted, printed, blotched; shaded."""
    common = rng.random() < 0.7
    base = np.array(COLOURS[rng.integers(len(COLOURS))] if common else rng.uniform(20, 245, 3), np.float32)
    cloth = np.empty((PATCH, PATCH, 3), np.float32)
    cloth[:] = np.clip(base + rng.normal(0, 10, 3), 5, 250)
    y, x = np.mgrid[0:PATCH, 0:PATCH].astype(np.float32) / PATCH
    other = rng.uniform(20, 245, 3).astype(np.float32)
    kind = rng.choice(
        ["plain", "pleats", "stripes", "checks", "dots", "print", "blotches", "valve"],
        p=[0.32, 0.26, 0.06, 0.06, 0.06, 0.08, 0.1, 0.06],
    )
    if kind == "pleats":
        cloth *= (1 + 0.13 * np.sign(np.sin(y * rng.uniform(50, 75))) * (abs(x - 0.5) < 0.36))[..., None]
    elif kind in ("stripes", "checks"):
        wave = np.sin((x * rng.uniform(-1, 1) + y) * rng.uniform(25, 90)) > 0
        if kind == "checks":
            wave ^= np.sin(x * rng.uniform(25, 90)) > 0
        cloth[wave] = other
    elif kind == "dots":
        cloth[(np.sin(x * 60) * np.sin(y * 60)) > rng.uniform(0.2, 0.7)] = other
    elif kind == "print":  # two colours that run into one another
        coarse = rng.uniform(0, 1, (rng.integers(4, 14), rng.integers(4, 14))).astype(np.float32)
        share = np.asarray(cv2.resize(coarse, (PATCH, PATCH), interpolation=cv2.INTER_CUBIC), np.float32)[..., None]
        cloth = cloth * (1 - share) + other * share
    elif kind == "blotches":  # camouflage, flowers
        for _ in range(3):
            coarse = rng.uniform(0, 1, (rng.integers(4, 12), rng.integers(4, 12))).astype(np.float32)
            height = cv2.resize(coarse, (PATCH, PATCH), interpolation=cv2.INTER_CUBIC)
            cloth[np.asarray(height) > rng.uniform(0.5, 0.7)] = np.clip(base + rng.normal(0, 60, 3), 5, 250)
    elif kind == "valve":
        cv2.circle(
            cloth,
            (round(PATCH * rng.uniform(0.35, 0.65)), round(PATCH * 0.66)),
            PATCH // 13,
            tuple(map(float, other)),
            -1,
        )
    bulge = 1.08 - rng.uniform(0.1, 0.9) * ((x - rng.uniform(0.4, 0.6)) ** 2 + 0.5 * (y - 0.6) ** 2)
    fine = rng.normal(0, rng.uniform(0, 5), (PATCH, PATCH, 1))
    result: Floats = np.clip(cloth * bulge[..., None] + fine, 0, 255).astype(np.float32)
    return result
