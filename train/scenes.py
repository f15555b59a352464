"""Training scenes for the face detector: whole pictures with boxes, cut, scaled and re-lit at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.records import Image
from edge.evaluation import coco
from edge.evaluation.coco import Annotated
from edge.vision.masks import draw
from train import data
from train.config import DetectorConfig
from train.mistakes import Mistake
from train.photometric import jitter

MOST_BOXES = 48
"""Boxes per training scene; in a denser crowd the smallest are treated as background."""
FACE, IGNORE = 1, -1


def read(path: Path) -> list[Annotated]:
    """Scenes of a COCO file, or of a crops.csv (its training part: one face per picture). Raises DataError."""
    if path.suffix != ".csv":
        return coco.read(path)
    return [
        Annotated(
            s.path,
            np.array([[s.box.x0, s.box.y0, s.box.x1, s.box.y1]], np.float32),
            np.array([coco.NAMES[s.label]]),
            np.array([False]),
            s.source,
            s.cluster,
        )
        for s in data.read(path)
        if s.box and s.label in coco.NAMES and s.split != "val"
    ]


class Scenes(keras.utils.PyDataset):
    """Batches for `fit`: pictures (B, height, width, 3) float -1..1 and boxes (B, MOST_BOXES, 5).

    The fifth column of a box is 1 for a face, -1 for a region to ignore, 0 for padding. A batch depends only
    on (seed, epoch, its number), so a resumed training sees what an unbroken one would have seen.
    """

    def __init__(
        self,
        scenes: list[Annotated],
        config: DetectorConfig,
        workers: int = 1,
        mistakes: Sequence[Sequence[Mistake]] = (),
    ) -> None:
        """`mistakes`: kinds of places that a share `config.mistakes` of the samples shows, each kind as often."""
        super().__init__(workers=workers, max_queue_size=6)
        self.config, self.epoch = config, 0
        self.mistakes = [kind for kind in mistakes if kind]
        self.pictures, self.boxes, self.skipped = [], [], []
        for scene in scenes:
            picture = data.picture(scene.path)
            if picture is None:
                self.skipped.append(scene.path)
            self.pictures.append(picture)
            self.boxes.append(np.c_[scene.boxes, np.where(scene.ignored, 0, scene.categories)].astype(np.float32))
        self.readable = [k for k, picture in enumerate(self.pictures) if picture is not None]
        if not self.readable:
            raise DataError(f"none of the {len(scenes)} pictures can be read; the first is {scenes[0].path}")

    def __len__(self) -> int:
        return self.config.steps_per_epoch

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        c = self.config
        rng = np.random.default_rng((c.seed, self.epoch, index))
        images = np.empty((c.batch, c.height, c.width, 3), np.float32)
        boxes = np.zeros((c.batch, MOST_BOXES, 5), np.float32)
        for i in range(c.batch):
            images[i], found = self._picture(rng)
            found = found[np.argsort(-(found[:, 2] - found[:, 0]), kind="stable")][:MOST_BOXES]
            boxes[i, : len(found)] = found
        return images / np.float32(127.5) - np.float32(1), boxes

    def _picture(self, rng: np.random.Generator) -> tuple[Image, NDArray[np.float32]]:
        """One scene, or four that meet at a random point: small pictures would leave most of the input empty."""
        c, tiles = self.config, [(0, 0, self.config.width, self.config.height)]
        if rng.random() < c.mosaic:
            x, y = round(c.width * rng.uniform(0.3, 0.7)), round(c.height * rng.uniform(0.3, 0.7))
            tiles = [(0, 0, x, y), (x, 0, c.width, y), (0, y, x, c.height), (x, y, c.width, c.height)]
        image, boxes = np.empty((c.height, c.width, 3), np.uint8), []
        for x0, y0, x1, y1 in tiles:
            k, shown = self._choice(rng)
            part, found = sample(self.pictures[k], self.boxes[k], x1 - x0, y1 - y0, c, rng, shown)
            image[y0:y1, x0:x1] = part
            boxes.append(found + np.array([x0, y0, x0, y0, 0], np.float32))
        return image, np.concatenate(boxes)

    def _choice(self, rng: np.random.Generator) -> tuple[int, tuple[float, float, float, float] | None]:
        """Number of a picture, and the box that must be seen if it was chosen for a mistake."""
        if self.mistakes and rng.random() < self.config.mistakes:
            kind = self.mistakes[rng.integers(len(self.mistakes))]
            return kind[rng.integers(len(kind))]
        return self.readable[rng.integers(len(self.readable))], None


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
    faces = np.flatnonzero(boxes[:, 4] > 0)
    for k in faces:
        if boxes[k, 4] == coco.WITHOUT_MASK and rng.random() < c.drawn_masks:
            image = draw(image, Box(*map(float, boxes[k, :4])), rng)
    wanted = boxes[faces] if shown is None else np.array([shown], np.float32)
    scale, shift = _placement(image, wanted, width, height, c, rng, always=shown is not None)
    image = _cut(image, scale, shift, width, height, rng)
    moved = np.c_[boxes[:, :4] * scale + np.tile(shift, 2), np.where(boxes[:, 4] > 0, FACE, IGNORE)].astype(np.float32)
    moved = _visible(moved, width, height)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
        moved[:, [0, 2]] = width - moved[:, [2, 0]]
    return jitter(image, rng), moved


def _placement(
    image: Image,
    faces: NDArray[np.float32],
    width: int,
    height: int,
    c: DetectorConfig,
    rng: np.random.Generator,
    always: bool,
) -> tuple[float, NDArray[np.float64]]:
    """Scale and shift (pixels) that bring the picture into the training scene, mostly so as to show one of `faces`."""
    h, w = image.shape[:2]
    if len(faces) and (rng.random() < 0.8 or always):
        f = faces[rng.integers(len(faces))]
        side = max(float(np.sqrt((f[2] - f[0]) * (f[3] - f[1]))), 4.0)
        wanted = np.exp(rng.uniform(np.log(c.smallest_face), np.log(min(c.largest_face, min(width, height)))))
        scale = float(np.clip(wanted / side, 0.15, 3.0))
        place = np.array([rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height])
        return scale, place - (f[:2] + f[2:4]) / 2 * scale
    scale = min(width / w, height / h) * rng.uniform(0.8, 1.6)  # as the device would letterbox it, and a bit more
    room = np.array([width - w * scale, height - h * scale])
    return scale, room * rng.uniform(0, 1, 2)


def _cut(
    image: Image, scale: float, shift: NDArray[np.float64], width: int, height: int, rng: np.random.Generator
) -> Image:
    """Scales (area-averaged when shrinking) and cuts; outside is grey as in `edge.vision.preprocess`, or any colour."""
    fill = (114, 114, 114) if rng.random() < 0.6 else tuple(int(v) for v in rng.integers(0, 256, 3))
    if scale < 0.7:
        size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
        image, scale = cv2.resize(image, size, interpolation=cv2.INTER_AREA), 1.0
    move = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    return cv2.warpAffine(image, move, (width, height), flags=cv2.INTER_LINEAR, borderValue=fill)


def _visible(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Clips to the scene; faces that are mostly cut off or tiny become regions to ignore, the rest goes."""
    cut = np.clip(boxes[:, :4], 0, [width, height, width, height])
    area = (boxes[:, 2:4] - boxes[:, :2]).prod(1)
    side = cut[:, 2:] - cut[:, :2]
    share = side.clip(0).prod(1) / np.maximum(area, 1e-6)
    kind = np.where((share > 0.5) & (side.min(1) >= 5), boxes[:, 4], IGNORE)
    return np.c_[cut, kind][(side.min(1) > 1)].astype(np.float32)
