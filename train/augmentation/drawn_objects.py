"""Things that are no faces, drawn: round, spoked, ringed, striped, lettered; and empty walls to put them on.

Face detectors ring for wheels, lamps, vents, signs and animals, for few training pictures show any. Each drawing is
random in shape, colour, size and place; none but the animals has two eyes over a mouth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.labels import NOT_A_FACE
from edge.core.records import Image
from train.data.dataset import Patch, Sample

Colour = tuple[int, int, int]
Floats = NDArray[np.float32]
SIDE = 112
"""Pixels of a drawing for the classifier, of which the thing itself takes the middle half."""
SOURCE = "drawn things"
RAGGED = 1.35
"""How far hairs stand out, in radii of what they grow on."""


def draw(rng: np.random.Generator) -> Patch:
    """One drawn thing with its surroundings, or a textured wall alone; its box a little off, as a detector's is."""
    image = wall(SIDE, SIDE, rng)
    if rng.random() < 0.85:
        centre, radius = SIDE * rng.uniform(0.42, 0.58, 2), SIDE * float(rng.uniform(0.18, 0.34))
        KINDS[rng.integers(len(KINDS))](image, (float(centre[0]), float(centre[1])), radius, rng)
    else:
        grain = rng.normal(0, rng.uniform(5, 60), (SIDE, SIDE, 1))
        image = np.clip(image + cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.6, 6))[..., None] * 2, 0, 255)
    half = rng.uniform(0.2, 0.3, 2) * SIDE
    box = Box(SIDE / 2 - half[0], SIDE / 2 - half[1], SIDE / 2 + half[0], SIDE / 2 + half[1])
    sample = Sample(Path(SOURCE), box, NOT_A_FACE, SOURCE)
    return Patch(sample, image.astype(np.uint8), box, max(box.width, box.height))


def wall(width: int, height: int, rng: np.random.Generator) -> Image:
    """An empty place (height, width, 3): a slope of light, a floor, a door's edge, sensor noise."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = ((np.cos(angle) * x + np.sin(angle) * y) * 0.5 + 0.5)[..., None]
    image = rng.uniform(20, 250, 3) * slope + rng.uniform(20, 250, 3) * (1 - slope)
    for _ in range(int(rng.integers(0, 4))):
        cut = int(rng.integers(0, max(width, height)))
        if rng.random() < 0.5:
            image[cut:] *= rng.uniform(0.3, 1.1)
        else:
            image[:, cut:] *= rng.uniform(0.3, 1.1)
    if rng.random() < 0.3:  # tiles, blinds, bricks
        period = rng.uniform(6, 60)
        image *= (0.85 + 0.15 * (np.sin((x * width if rng.random() < 0.5 else y * height) / period * 6) > 0))[..., None]
    image += rng.normal(0, rng.uniform(0, 7), (height, width, 1))
    return np.clip(image, 0, 255).astype(np.uint8)


def put(image: Image, taken: NDArray[np.float32], rng: np.random.Generator) -> Image:
    """A copy of `image` (RGB) with one to three things where none of the boxes `taken` (N, 4) is touched."""
    height, width = image.shape[:2]
    image = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        radius = float(np.exp(rng.uniform(np.log(5), np.log(0.32 * min(width, height)))))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        reach = radius * 1.3
        free = (taken[:, 0] > x + reach) | (taken[:, 2] < x - reach)
        free |= (taken[:, 1] > y + reach) | (taken[:, 3] < y - reach)
        if free.all():
            KINDS[rng.integers(len(KINDS))](image, (x, y), radius, rng)
    return image


def _colour(rng: np.random.Generator) -> Colour:
    """Grey more often than coloured, as rims, lamps and vents are."""
    c = rng.uniform(0, 255) + rng.normal(0, 8 if rng.random() < 0.6 else 60, 3)
    r, g, b = np.clip(c, 0, 255).astype(int).tolist()
    return r, g, b


def _at(centre: tuple[float, float], radius: float, angle: float) -> tuple[int, int]:
    return round(centre[0] + radius * np.cos(angle)), round(centre[1] + radius * np.sin(angle))


def _disc(image: Image, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    middle, squeeze = _at(centre, 0, 0), rng.uniform(0.45, 1.0) if rng.random() < 0.4 else 1.0
    axes = (max(round(radius), 1), max(round(radius * squeeze), 1))
    cv2.ellipse(image, middle, axes, rng.uniform(0, 180), 0, 360, _colour(rng), -1, cv2.LINE_AA)


def _wheel(image: Image, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """A disc, a rim, three to twelve spokes, a hub: each but the disc by chance."""
    _disc(image, centre, radius, rng)
    spoke, first, number = _colour(rng), rng.uniform(0, 2 * np.pi), int(rng.integers(3, 13))
    out, thick = rng.uniform(0.5, 0.95) * radius, max(round(radius * rng.uniform(0.04, 0.22)), 1)
    if rng.random() < 0.5:
        cv2.circle(image, _at(centre, 0, 0), round(out), _colour(rng), max(thick // 2, 1), cv2.LINE_AA)
    for k in range(number):
        end = _at(centre, out, first + 2 * np.pi * k / number)
        cv2.line(image, _at(centre, 0, 0), end, spoke, thick, cv2.LINE_AA)
    if rng.random() < 0.6:
        cv2.circle(
            image, _at(centre, 0, 0), max(round(radius * rng.uniform(0.08, 0.3)), 1), _colour(rng), -1, cv2.LINE_AA
        )


def _rings(image: Image, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    for share in np.sort(rng.uniform(0.1, 1, int(rng.integers(1, 6))))[::-1]:
        filled = -1 if rng.random() < 0.6 else max(round(radius * 0.08), 1)
        cv2.circle(image, _at(centre, 0, 0), max(round(radius * share), 1), _colour(rng), filled, cv2.LINE_AA)


def _lamp(image: Image, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """A bright spot that fades."""
    part, x, y = _around(image, centre, 1.3 * radius, 1.3 * radius)
    glow = np.clip(1.3 - np.hypot(x, y) / np.float32(radius), 0, 1)[..., None] ** rng.uniform(0.7, 3)
    part[:] = (part * (1 - glow) + np.array([255, 250, 235]) * glow).astype(np.uint8)


def _box(image: Image, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """A turned rectangle with stripes or a grid: a vent, a window, a crate, a roof."""
    sides, angle = (2 * radius, 2 * radius * rng.uniform(0.4, 1)), rng.uniform(0, 90)
    corners = np.round(cv2.boxPoints((centre, sides, angle))).astype(np.int32)
    cv2.fillConvexPoly(image, corners, _colour(rng), cv2.LINE_AA)
    line, number = _colour(rng), int(rng.integers(0, 7))
    a, b, c, d = corners.astype(float)
    for share in np.linspace(0, 1, number + 2)[1:-1]:
        ends = ((a + (b - a) * share, d + (c - d) * share), (a + (d - a) * share, b + (c - b) * share))
        for start, end in ends[: 1 + int(rng.integers(0, 2))]:
            cv2.line(
                image, tuple(np.round(start).astype(int)), tuple(np.round(end).astype(int)), line, 1 + int(radius / 15)
            )


def _letters(image: Image, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    text = "".join(rng.choice(list("ABCDEGHKMNPQRSTWXZ0234568&@%"), int(rng.integers(1, 5))))
    size, thick = radius / 14 / len(text), max(round(radius / 7 / len(text)), 1)
    face = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)[rng.integers(3)]
    (w, h), _ = cv2.getTextSize(text, face, size, thick)
    place = (round(centre[0] - w / 2), round(centre[1] + h / 2))
    cv2.putText(image, text, place, face, size, _colour(rng), thick, cv2.LINE_AA)


def _blot(image: Image, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """A round thing without eyes or mouth, shaded like a ball, with hair-like texture: a back of a head, a fruit."""
    tall = rng.uniform(0.9, 1.4)
    part, x, y = _around(image, centre, radius, tall * radius)
    away = np.hypot(x, y / np.float32(tall)) / np.float32(radius)
    inside = np.clip((1 - away) * radius / 2, 0, 1)[..., None]
    light = 1.1 - rng.uniform(0, 0.7) * away[..., None] ** 2
    strands = rng.normal(0, rng.uniform(0, 22), (1, part.shape[1], 1)) + rng.normal(0, 4, (*part.shape[:2], 1))
    paint = np.clip(np.array(_colour(rng)) * light + strands, 0, 255)
    part[:] = (part * (1 - inside) + paint * inside).astype(np.uint8)


def _around(image: Image, centre: tuple[float, float], wide: float, high: float) -> tuple[Image, Floats, Floats]:
    """The part of `image` up to `wide` and `high` pixels from `centre`, and how far right and below it its pixels lie.

    Painting all of the image for them took a quarter of the time in which a training scene is made.
    """
    x0, y0 = (max(math.floor(at - reach), 0) for at, reach in zip(centre, (wide, high), strict=True))
    x1, y1 = (max(math.ceil(at + reach) + 1, 0) for at, reach in zip(centre, (wide, high), strict=True))
    part = image[y0:y1, x0:x1]
    y, x = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]].astype(np.float32)
    return part, x - np.float32(centre[0]), y - np.float32(centre[1])


def _animal(image: Image, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """An animal's head from the front: fur, ears, two eyes, and a snout with a dark nose where people have a mouth."""
    fur, light = np.array(_fur(rng)), rng.uniform(0.5, 1.6)
    x, y = centre
    head, wide = radius * rng.uniform(0.75, 1.0), rng.uniform(0.75, 1.05)
    for side in (-1, 1):
        _ear(image, (x + side * head * wide * rng.uniform(0.6, 0.9), y - head * 0.6), side, head, tuple(fur * 0.8), rng)
    _furry(image, (x, y), (head * wide, head), fur, rng)
    length = rng.uniform(0.25, 0.5) * head
    middle = (x + rng.uniform(-0.1, 0.1) * head, y + rng.uniform(0.35, 0.55) * head)
    _furry(image, middle, (head * rng.uniform(0.3, 0.5), length), np.clip(fur * light, 0, 255), rng)
    apart, high = rng.uniform(0.3, 0.48) * head, y - rng.uniform(0.05, 0.25) * head
    eye, dark = max(head * rng.uniform(0.06, 0.13), 1.0), rng.uniform(0, 60, 3)
    for side in (-1, 1):
        place = (x + side * apart, high)
        cv2.circle(image, _at(place, 0, 0), max(round(eye), 1), tuple(dark), -1, cv2.LINE_AA)
        if rng.random() < 0.6:  # a glint, or eyes that a flash lights up
            cv2.circle(image, _at(place, eye / 3, 4), max(round(eye * rng.uniform(0.3, 0.7)), 1), (240, 235, 200), -1)
    nose, axes = (middle[0], middle[1] - length * rng.uniform(-0.2, 0.5)), head * rng.uniform(0.1, 0.2)
    size = (max(round(axes), 1), max(round(axes * rng.uniform(0.6, 0.9)), 1))
    cv2.ellipse(image, _at(nose, 0, 0), size, 0, 0, 360, tuple(rng.uniform(0, 45, 3)), -1, cv2.LINE_AA)
    mouth = (max(round(head * rng.uniform(0.15, 0.4)), 1), max(round(head * 0.15), 1))
    ends = _at((middle[0], middle[1] + length * 0.3), 0, 0)
    cv2.ellipse(image, ends, mouth, 0, 0, 180, tuple(fur * 0.25), max(round(head * 0.04), 1), cv2.LINE_AA)
    if rng.random() < 0.3:
        tongue = (max(round(head * 0.12), 1), max(round(head * rng.uniform(0.1, 0.25)), 1))
        below = _at((middle[0], ends[1] + head * 0.2), 0, 0)
        cv2.ellipse(image, below, tongue, 0, 0, 360, (215, 120, 125), -1, cv2.LINE_AA)


def _fur(rng: np.random.Generator) -> Colour:
    """Black, brown, red, yellow, grey or white."""
    kinds = ((25, 22, 20), (95, 62, 38), (165, 95, 45), (205, 170, 120), (120, 115, 110), (225, 220, 210))
    r, g, b = np.clip(np.array(kinds[rng.integers(len(kinds))]) + rng.normal(0, 14, 3), 5, 250).astype(int).tolist()
    return r, g, b


def _ear(
    image: Image, base: tuple[float, float], side: int, head: float, colour: Sequence[float], rng: np.random.Generator
) -> None:
    """Upright and pointed, or hanging."""
    if rng.random() < 0.5:
        tip = (base[0] + side * head * rng.uniform(-0.1, 0.4), base[1] - head * rng.uniform(0.5, 0.9))
        corners = ((base[0] - head * 0.3, base[1] + head * 0.2), (base[0] + head * 0.3, base[1] + head * 0.3), tip)
        cv2.fillConvexPoly(image, np.round(corners).astype(np.int32), tuple(colour), cv2.LINE_AA)
        inner = [tuple(np.array(c) * 0.5 + np.mean(corners, 0) * 0.5) for c in corners]
        cv2.fillConvexPoly(image, np.round(inner).astype(np.int32), (200, 150, 140), cv2.LINE_AA)
        return
    middle = _at((base[0] + side * head * 0.25, base[1] + head * rng.uniform(0.3, 0.7)), 0, 0)
    axes, turn = (max(round(head * 0.25), 1), max(round(head * 0.6), 1)), -side * rng.uniform(0, 30)
    cv2.ellipse(image, middle, axes, turn, 0, 360, tuple(colour), -1, cv2.LINE_AA)


def _furry(
    image: Image,
    centre: tuple[float, float],
    axes: tuple[float, float],
    colour: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """An ellipse with a ragged edge and hair that runs outwards from its middle, shaded like a ball."""
    part, x, y = _around(image, centre, RAGGED * axes[0], RAGGED * axes[1])
    if not part.size:
        return
    dx, dy = x / np.float32(axes[0]), y / np.float32(axes[1])
    away, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    hairs = np.interp(angle, np.linspace(-np.pi, np.pi, 181), rng.normal(0, 1, 181)).astype(np.float32)
    clumps = cv2.GaussianBlur(rng.normal(0, 1, part.shape[:2]).astype(np.float32), (0, 0), max(axes[0] / 14, 0.6))
    inside = np.clip((1 + 0.07 * hairs - away) * max(min(axes), 1) / 2, 0, 1)[..., None]
    texture = (hairs * rng.uniform(3, 12) + clumps * axes[0] * rng.uniform(0.6, 2.0))[..., None]
    paint = np.clip(np.asarray(colour) * (1.1 - 0.4 * away[..., None] ** 2) + texture, 0, 255)
    part[:] = (part * (1 - inside) + paint * inside).astype(np.uint8)


KINDS = (_wheel, _wheel, _disc, _rings, _lamp, _box, _letters, _blot, _animal, _animal)
