"""What stands between a camera and a face: hands, beards, cups, sunglasses, hair. None of it is a mask.

"A hand over the mouth is taken for a mask" is a common complaint about mask cameras; these drawings are the
counter-examples. Like `edge.vision.masks` they know only the tight box of the face.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.records import Image

Floats = NDArray[np.float32]
SIDE = 96
"""Drawings are made on a square of this many pixels over the box, then scaled into place."""


def lower(image: Image, face: Box, rng: np.random.Generator) -> Image:
    """A copy of `image` (RGB) whose `face` has a hand, a beard or a thing before mouth and chin."""
    drawing = (_hand, _beard, _thing)[rng.choice(3, p=[0.6, 0.2, 0.2])]
    return _laid(image, face, *drawing(_skin(image, face), rng), rng)


def upper(image: Image, face: Box, rng: np.random.Generator) -> Image:
    """A copy of `image` (RGB) whose `face` wears sunglasses or has hair or a hat's brim over the brow."""
    drawing = _glasses if rng.random() < 0.5 else _hair
    return _laid(image, face, *drawing(_skin(image, face), rng), rng)


def _skin(image: Image, face: Box) -> Floats:
    """Median colour of the nose's surroundings, (3,)."""
    x, y = face.centre
    inner = Box(x - face.width * 0.2, y - face.height * 0.1, x + face.width * 0.2, y + face.height * 0.1)
    inner = inner.clipped(image.shape[1], image.shape[0])
    part = image[int(inner.y0) : int(inner.y1) + 1, int(inner.x0) : int(inner.x1) + 1].reshape(-1, 3)
    return np.median(part, 0).astype(np.float32) if len(part) else np.full(3, 128, np.float32)


def _laid(image: Image, face: Box, paint: Floats, alpha: Floats, rng: np.random.Generator) -> Image:
    """Lays `paint` (SIDE, SIDE, 3) with opacity `alpha` 0..1 over the face's box."""
    left, top = round(face.x0), round(face.y0)
    width, height = max(round(face.width), 2), max(round(face.height), 2)
    paint = paint + rng.normal(0, rng.uniform(0, 5), paint.shape[:2]).astype(np.float32)[..., None]
    paint = cv2.resize(paint, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.7)  # type: ignore[assignment]  # OpenCV draws smooth edges on bytes only
    alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)[..., None]  # type: ignore[assignment]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, image.shape[1]), min(top + height, image.shape[0])
    result = image.copy()
    if x1 > x0 and y1 > y0:
        part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        below = result[y0:y1, x0:x1]
        result[y0:y1, x0:x1] = np.clip(below * (1 - alpha[part]) + paint[part] * alpha[part], 0, 255).astype(np.uint8)
    return result


def _blank() -> tuple[Floats, Floats]:
    return np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.float32)


def _point(x: float, y: float) -> tuple[int, int]:
    return round(x * SIDE), round(y * SIDE)


def _hand(skin: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Fingers side by side from one edge across the mouth, each with a shadow along its side; often a palm."""
    paint, alpha = _blank()
    colour = np.clip(skin * rng.uniform(0.75, 1.2) + rng.normal(0, 6, 3), 0, 255)
    thick, fingers = rng.uniform(0.11, 0.17), int(rng.integers(2, 5))
    lean, length, low = rng.uniform(-0.35, 0.35), rng.uniform(0.5, 0.95), rng.uniform(0.95, 1.1)
    for k in range(fingers):
        y = low - (fingers - k) * thick * 0.95
        reach = length - 0.12 * abs(k - (fingers - 1) / 2) + rng.normal(0, 0.02)
        start, end = _point(-0.1, y + lean * 0.5), _point(reach, y - lean * reach + lean * 0.5)
        width = max(round(thick * SIDE), 2)
        shade = tuple(map(float, colour * 0.72))
        cv2.line(paint, start, end, shade, width)
        cv2.line(alpha, start, end, 1.0, width)
        lit = tuple(map(float, colour * rng.uniform(0.94, 1.06)))
        cv2.line(paint, start, end, lit, max(round(width * 0.78), 1))
    if rng.random() < 0.5:
        centre, axes = (
            _point(rng.uniform(-0.05, 0.2), low - 0.1),
            _point(rng.uniform(0.2, 0.35), rng.uniform(0.2, 0.32)),
        )
        cv2.ellipse(paint, centre, axes, 0, 0, 360, tuple(map(float, colour * 0.96)), -1)
        cv2.ellipse(alpha, centre, axes, 0, 0, 360, 1.0, -1)
    turn = cv2.getRotationMatrix2D(_point(0.5, 0.75), rng.uniform(-55, 55), 1)
    paint, alpha = (cv2.warpAffine(a, turn, (SIDE, SIDE)) for a in (paint, alpha))  # type: ignore[assignment]
    alpha[: round(SIDE * 0.42)] = 0  # the eyes stay free, or the face would be hidden, not covered
    if rng.random() < 0.5:
        paint, alpha = paint[:, ::-1].copy(), alpha[:, ::-1].copy()
    return paint, alpha


def _beard(skin: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Dark or grey hairs around mouth and chin; the mouth itself stays free."""
    grey = rng.uniform(10, 110) * min(float(skin.mean()) / 120 + 0.2, 1.2)
    hairs = cv2.GaussianBlur(rng.normal(0, 60, (SIDE, SIDE)).astype(np.float32), (0, 0), 0.5, sigmaY=1.6)
    paint = (grey + hairs)[..., None] * np.array([1.05, 1.0, 0.93], np.float32)
    alpha = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(alpha, _point(0.5, 0.68), _point(rng.uniform(0.36, 0.46), rng.uniform(0.3, 0.38)), 0, 0, 180, 1.0, -1)
    if rng.random() < 0.7:  # a moustache
        cv2.ellipse(alpha, _point(0.5, 0.71), _point(rng.uniform(0.16, 0.24), 0.06), 0, 180, 360, 1.0, -1)
    cv2.ellipse(alpha, _point(0.5, 0.77), _point(rng.uniform(0.12, 0.18), rng.uniform(0.03, 0.06)), 0, 0, 360, 0.0, -1)
    return paint.astype(np.float32), cv2.GaussianBlur(alpha, (0, 0), rng.uniform(1.5, 4)) * rng.uniform(0.55, 1)


def _thing(skin: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A cup, a phone, a microphone: a block of any colour or texture before part of the lower half."""
    coarse = rng.uniform(0, 255, (int(rng.integers(1, 6)), int(rng.integers(1, 6)), 3)).astype(np.float32)
    paint = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    alpha = np.zeros((SIDE, SIDE), np.float32)
    centre, axes = (rng.uniform(0.1, 0.9), rng.uniform(0.7, 1.0)), (rng.uniform(0.12, 0.25), rng.uniform(0.15, 0.35))
    if rng.random() < 0.5:
        cv2.ellipse(alpha, _point(*centre), _point(*axes), rng.uniform(-30, 30), 0, 360, 1.0, -1)
    else:
        corners = cv2.boxPoints((_point(*centre), _point(2 * axes[0], 2 * axes[1]), rng.uniform(-40, 40)))
        cv2.fillConvexPoly(alpha, np.round(corners).astype(np.int32), 1.0)
    alpha[: round(SIDE * 0.5)] = 0
    return paint, alpha  # type: ignore[return-value]


def _glasses(skin: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Two dark lenses and a bridge."""
    paint, alpha = _blank()
    paint[:] = rng.uniform(5, 60, 3)
    paint *= np.linspace(1.5, 0.8, SIDE, dtype=np.float32)[:, None, None]
    y, half = rng.uniform(0.36, 0.43), (rng.uniform(0.15, 0.21), rng.uniform(0.09, 0.15))
    for x in (0.28, 0.72):
        cv2.ellipse(alpha, _point(x, y), _point(*half), 0, 0, 360, 1.0, -1)
    cv2.line(alpha, _point(0.0, y - 0.04), _point(1.0, y - 0.04), 1.0, 2)
    return paint, alpha * rng.uniform(0.75, 1)


def _hair(skin: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Strands, or the brim of a hat, from the upper edge down to somewhere above the eyes."""
    colour = rng.uniform(10, 120) * np.array([1.1, 0.95, 0.8], np.float32) + rng.normal(0, 8, 3)
    strands = cv2.GaussianBlur(rng.normal(0, 30, (SIDE, SIDE)).astype(np.float32), (0, 0), 0.6, sigmaY=4)
    paint = np.clip(colour + strands[..., None] * rng.uniform(0, 1.5), 0, 255).astype(np.float32)
    alpha = np.zeros((SIDE, SIDE), np.float32)
    left, right = rng.uniform(0.1, 0.4, 2)
    cv2.fillConvexPoly(alpha, np.array([_point(0, 0), _point(1, 0), _point(1, right), _point(0, left)], np.int32), 1.0)
    return paint, cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.8, 3))  # type: ignore[return-value]
