"""One training scene of the face detector: pictures with boxes, cut, scaled and re-lit at random.

Without Keras, so that processes which make nothing but batches start quickly and stay small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.records import Image
from edge.evaluation import coco
from edge.evaluation.coco import Annotated
from edge.vision.masks import draw
from train.augmentation import drawn_objects, occlusion
from train.augmentation.photometric import jitter
from train.config import DetectorConfig
from train.data.kept import MEGABYTES, KeptPictures
from train.detector.hard_examples import Place

MOST_BOXES = 48
"""Boxes per training scene; in a denser crowd the smallest are treated as background."""
FACE, IGNORE = 1, -1
Affine = NDArray[np.float64]
"""(2, 3): what `cv2.warpAffine` takes, from pixels of the picture to pixels of the scene."""


class Sampler:
    """Makes training scenes of annotated pictures, each as its random numbers say."""

    def __init__(
        self,
        scenes: Sequence[Annotated],
        config: DetectorConfig,
        hard_examples: Sequence[Sequence[Place]] = (),
        megabytes: float = MEGABYTES,
        readable: Sequence[int] | None = None,
    ) -> None:
        """`hard_examples`: kinds of places, shown equally often in a share `config.hard_examples` of the samples.

        `megabytes`: of decoded pictures that are kept. `readable`: numbers of the pictures that can be read, where that
        is known. Raises DataError where none can.
        """
        self.config = config
        self.pictures = KeptPictures(scenes, megabytes, readable)
        self.boxes = [np.c_[s.boxes, np.where(s.ignored, 0, s.categories)].astype(np.float32) for s in scenes]
        self.readable = self.pictures.readable
        if not self.readable:
            raise DataError(f"none of the {len(scenes)} pictures can be read; the first is {scenes[0].path}")
        known = set(self.readable)
        shown = [[place for place in kind if place[0] in known] for kind in hard_examples]
        self.hard_examples = [kind for kind in shown if kind]
        counts = Counter(scenes[k].source for k in self.readable)
        self.shares = np.cumsum([counts[scenes[k].source] ** -0.5 for k in self.readable])
        """A source of n pictures is drawn in proportion to sqrt(n), so that no large one drowns the others."""

    def batch(self, rows: int, seed: Sequence[int]) -> tuple[Image, NDArray[np.float32]]:
        """Pictures (rows, height, width, 3) RGB bytes and boxes (rows, MOST_BOXES, 5) that depend on `seed` alone.

        The fifth column of a box is 1 for a face, -1 for a region to ignore, 0 for padding.
        """
        c, rng = self.config, np.random.default_rng(seed)
        images = np.empty((rows, c.height, c.width, 3), np.uint8)
        boxes = np.zeros((rows, MOST_BOXES, 5), np.float32)
        for i in range(rows):
            images[i], found = self._picture(rng)
            found = found[np.argsort(-(found[:, 2] - found[:, 0]), kind="stable")][:MOST_BOXES]
            boxes[i, : len(found)] = found
        return images, boxes

    def _picture(self, rng: np.random.Generator) -> tuple[Image, NDArray[np.float32]]:
        """One scene, or four that meet at a random point: small pictures would leave most of the input empty."""
        c, tiles = self.config, [(0, 0, self.config.width, self.config.height)]
        if rng.random() < c.mosaic:
            x, y = round(c.width * rng.uniform(0.3, 0.7)), round(c.height * rng.uniform(0.3, 0.7))
            tiles = [(0, 0, x, y), (x, 0, c.width, y), (0, y, x, c.height), (x, y, c.width, c.height)]
        image, boxes = np.empty((c.height, c.width, 3), np.uint8), []
        for x0, y0, x1, y1 in tiles:
            if rng.random() < c.empty:
                part, found = nothing(x1 - x0, y1 - y0, rng)
            else:
                k, shown = self._choice(rng)
                part, found = sample(self.pictures[k], self.boxes[k], x1 - x0, y1 - y0, c, rng, shown)
            image[y0:y1, x0:x1] = part
            boxes.append(found + np.array([x0, y0, x0, y0, 0], np.float32))
        return image, np.concatenate(boxes)

    def _choice(self, rng: np.random.Generator) -> tuple[int, tuple[float, float, float, float] | None]:
        """Number of a picture, and the box that must be seen if it was chosen as a hard example."""
        if self.hard_examples and rng.random() < self.config.hard_examples:
            kind = self.hard_examples[int(rng.integers(len(self.hard_examples)))]
            return kind[int(rng.integers(len(kind)))]
        k = int(np.searchsorted(self.shares, rng.uniform(0, self.shares[-1]), side="right"))
        return self.readable[k], None


def nothing(width: int, height: int, rng: np.random.Generator) -> tuple[Image, NDArray[np.float32]]:
    """A scene without a face: a wall, mostly with things on it."""
    image, taken = drawn_objects.wall(width, height, rng), np.zeros((0, 5), np.float32)
    return jitter(drawn_objects.put(image, taken, rng) if rng.random() < 0.8 else image, rng), taken


def sample(
    image: Image,
    boxes: NDArray[np.float32],
    width: int,
    height: int,
    c: DetectorConfig,
    rng: np.random.Generator,
    shown: tuple[float, float, float, float] | None = None,
) -> tuple[Image, NDArray[np.float32]]:
    """One augmented scene of `width` x `height` and its boxes (N, 5) with FACE or IGNORE.

    `boxes` (N, 5): x0, y0, x1, y1, COCO category, 0 for a region to ignore. The box `shown`, else a face, is
    brought to a log-uniform size at a random place.
    """
    for k in np.flatnonzero(boxes[:, 4] > 0):
        image = _dressed(image, boxes[k], c, rng)
    wanted = boxes[boxes[:, 4] > 0] if shown is None else np.array([shown], np.float32)
    move = _placement(image, wanted, width, height, c, rng, always=shown is not None)
    image = _cut(image, move, width, height, rng)
    kind = np.where(boxes[:, 4] > 0, FACE, IGNORE)
    moved = _visible(np.c_[carried(boxes[:, :4], move), kind].astype(np.float32), width, height)
    if rng.random() < c.things:
        image = drawn_objects.put(image, moved, rng)
    if rng.random() < 0.5:
        image = cv2.flip(image, 1)  # type: ignore[assignment]
        moved[:, [0, 2]] = width - moved[:, [2, 0]]
    return jitter(image, rng), moved


def _dressed(image: Image, row: NDArray[np.float32], c: DetectorConfig, rng: np.random.Generator) -> Image:
    """`image` with the face of `row` (x0, y0, x1, y1, category) behind a drawn mask, a hand, a beard, glasses, hair."""
    box = Box(*map(float, row[:4]))
    if row[4] == coco.WITHOUT_MASK and rng.random() < c.drawn_masks:
        return draw(image, box, rng)
    if row[4] == coco.WITHOUT_MASK and rng.random() < c.covered:
        return occlusion.lower(image, box, rng)
    return occlusion.upper(image, box, rng) if rng.random() < c.covered / 3 else image


def carried(boxes: NDArray[np.float32], move: Affine) -> NDArray[np.float64]:
    """`boxes` (N, 4) after the affine map `move` (2, 3): the bounds of the ellipse in each, as a face is round."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ move[:, :2].T + move[:, 2]
    half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (move[:, :2] ** 2).T)
    return np.c_[centre - half, centre + half]


def _placement(
    image: Image,
    faces: NDArray[np.float32],
    width: int,
    height: int,
    c: DetectorConfig,
    rng: np.random.Generator,
    always: bool,
) -> Affine:
    """The affine map (2, 3) that brings the picture into the training scene, mostly so as to show one of `faces`."""
    h, w = image.shape[:2]
    centre, place = np.array([w, h]) / 2, np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    scale = min(width / w, height / h) * rng.uniform(0.8, 1.6)  # as the device would letterbox it, and a bit more
    if len(faces) and (rng.random() < 0.8 or always):
        f = faces[rng.integers(len(faces))]
        side = max(float(np.sqrt((f[2] - f[0]) * (f[3] - f[1]))), 4.0)
        largest = max(min(c.largest_face, 1.15 * min(width, height)), c.smallest_face)  # of a mosaic a part is small
        wanted = np.exp(rng.uniform(np.log(c.smallest_face), np.log(largest)))
        scale = float(np.clip(wanted / side, 0.12, 3.0))
        centre, place = (f[:2] + f[2:4]) / 2, np.array([width, height]) * rng.uniform(0.1, 0.9, 2)
    angle = np.radians(rng.uniform(-1, 1) * c.rotation) if rng.random() < c.rotated else 0.0
    stretch = np.exp(rng.uniform(-0.35, 0.35)) if rng.random() < c.stretched else 1.0
    sides = np.diag([scale * stretch, scale / stretch])
    turn = sides @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.c_[turn, place - turn @ centre]


def _cut(image: Image, move: Affine, width: int, height: int, rng: np.random.Generator) -> Image:
    """Moves the picture (area-averaged when shrinking); outside is grey as on the device, or any colour."""
    fill = (114, 114, 114) if rng.random() < 0.6 else tuple(int(v) for v in rng.integers(0, 256, 3))
    scale = float(np.sqrt(abs(np.linalg.det(move[:, :2]))))
    if scale < 0.7:
        size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
        shrunk = np.array(size) / image.shape[1::-1]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        move = np.c_[move[:, :2] / shrunk, move[:, 2]]
    return cv2.warpAffine(image, move, (width, height), flags=cv2.INTER_LINEAR, borderValue=fill)  # type: ignore[return-value]


def _visible(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Clips to the scene; faces that are mostly cut off or tiny become regions to ignore, the rest goes."""
    cut = np.clip(boxes[:, :4], 0, [width, height, width, height])
    area = (boxes[:, 2:4] - boxes[:, :2]).prod(1)
    side = cut[:, 2:] - cut[:, :2]
    share = side.clip(0).prod(1) / np.maximum(area, 1e-6)
    kind = np.where((share > 0.5) & (side.min(1) >= 5), boxes[:, 4], IGNORE)
    return np.c_[cut, kind][(side.min(1) > 1)].astype(np.float32)
