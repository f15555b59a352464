"""A drawn picture and what the int8 network answers to it: proves a backend right before it is trusted.

Networks differ in what they make of a drawing, so the picture is chosen for the network, among many: the one whose
answer differs most from those to blank pictures, which is what a device sees that has lost its input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.ports import Engine
from edge.core.records import Image

CANDIDATES = 96
TELLING = 0.5
"""The least difference (RMS) from the answer to a blank picture, as a share of the answer's spread. Backends may be off
by 0.15 (int8) and 0.4 (float) of it: `edge.backends.registry`."""
SKIN = ((226, 178, 150), (198, 134, 98), (141, 85, 54), (241, 205, 180))
CLOTH = ((150, 195, 225), (235, 238, 240), (40, 42, 48), (120, 170, 120))

Answer = Sequence[NDArray[Any]]


def pattern(width: int, height: int, seed: int) -> Image:
    """Gradients, bars and faces of discs and ellipses, RGB (height, width, 3), uint8; the same for the same seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    turn = rng.uniform(2, 12, 2)
    image = np.stack([255 * x, 255 * y, 127 + 127 * np.sin(turn[0] * x + turn[1] * y)], -1) * rng.uniform(0.3, 1)
    image[(abs(x - rng.uniform(0.1, 0.9)) < 0.08) & (np.sin(60 * y) > 0)] = rng.uniform(0, 255)
    faces = 1 if width == height else int(rng.integers(1, 5))
    for i in range(faces):
        size = height * rng.uniform(0.45, 0.75) / np.sqrt(faces)
        centre = (width * (i + 0.5) / faces + rng.normal(0, 0.02 * width), height * rng.uniform(0.45, 0.55))
        _face(image, centre, size, masked=rng.random() < 0.5, rng=rng)
    image = cv2.GaussianBlur(image, (0, 0), max(0.4, width / 400)) + rng.normal(0, rng.uniform(0, 6), image.shape)
    drawn: NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return drawn


def _face(
    image: NDArray[Any], centre: tuple[float, float], size: float, masked: bool, rng: np.random.Generator
) -> None:
    """Draws a face of `size` pixels from chin to hair: neck, hair, head, eyes, nose, and a mouth or a mask."""
    skin = np.array(SKIN[rng.integers(len(SKIN))], float)
    hair = rng.uniform(10, 90, 3)

    def ellipse(dx: float, dy: float, rx: float, ry: float, colour: Any, start: int = 0, end: int = 360) -> None:
        at = (round(centre[0] + dx * size), round(centre[1] + dy * size))
        axes = (max(1, round(rx * size)), max(1, round(ry * size)))
        cv2.ellipse(image, at, axes, 0, start, end, [float(c) for c in colour], -1, cv2.LINE_AA)

    ellipse(0, 0.95, 0.75, 0.42, rng.uniform(20, 220, 3))
    ellipse(0, 0.45, 0.17, 0.3, skin * 0.8)
    ellipse(0, -0.08, 0.42, 0.5, hair)
    ellipse(0, 0, 0.36, 0.47, skin)
    ellipse(0.12, 0, 0.24, 0.42, skin * 0.94)
    ellipse(0, -0.33, 0.36, 0.2, hair, 180, 360)
    for side in (-1, 1):
        ellipse(side * 0.15, -0.15, 0.085, 0.02, hair)
        ellipse(side * 0.15, -0.07, 0.07, 0.035, (240, 238, 235))
        ellipse(side * 0.15, -0.07, 0.033, 0.033, (35, 28, 25))
    ellipse(0, 0.07, 0.05, 0.09, skin * 0.82)
    if masked:
        cloth = np.array(CLOTH[rng.integers(len(CLOTH))], float)
        ellipse(0, 0.22, 0.33, 0.24, cloth)
        for fold in (0.14, 0.22, 0.3):
            ellipse(0, fold, 0.28, 0.008, cloth * 0.75)
    else:
        ellipse(0, 0.27, 0.13, 0.045, (150, 60, 60))
        ellipse(0, 0.265, 0.11, 0.012, (90, 30, 30))


def differences(answer: Answer, blanks: Sequence[Answer]) -> NDArray[np.float64]:
    """Root mean square between each output of `answer` and that of the nearest of `blanks`, one figure per output."""
    return np.array(
        [min(float(np.sqrt(np.square(mine - blank[i]).mean())) for blank in blanks) for i, mine in enumerate(answer)]
    )


def write(path: Path, engine: Engine, outputs: list[str], width: int, height: int) -> None:
    """Saves the most telling picture as `input` and the engine's answer to it, outputs by name.

    Warns where the network says nearly the same of every drawing as of a blank picture.
    """
    blanks = [engine.infer(np.full((height, width, 3), grey, np.uint8)) for grey in (0, 128, 255)]
    answers = [engine.infer(pattern(width, height, seed)) for seed in range(CANDIDATES)]
    off = np.array([differences(answer, blanks) for answer in answers])
    best = int(np.argmax((off / (np.median(off, axis=0) + 1e-9)).min(axis=1)))  # outputs have different units
    share = float((off[best] / [values.std() + 1e-9 for values in answers[best]]).min())
    if share < TELLING:
        print(
            f"{path.name}: of {CANDIDATES} drawn pictures none gets an answer that differs from a blank one's by more "
            f"than {share:.2f} of its spread, expected {TELLING}: a device that loses its input would not be noticed; "
            "is the network trained?",
            file=sys.stderr,
        )
    np.savez_compressed(path, input=pattern(width, height, best), **dict(zip(outputs, answers[best], strict=True)))  # type: ignore[arg-type]
