"""Batches of face crops: fixed ones for measuring, augmented ones for training.

Augmentation imitates a door camera before a real detector: the box is never quite right, the face is turned,
far away, badly lit, partly covered. A bare face with a hand, a beard or a cup stays bare; a bare face with a
mask drawn on it is a masked one, and one whose mask hangs too low wears it incorrectly. Pixels are only ever cut out by
`edge.vision.preprocess.crop`, as on the device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.labels import CLASSIFIER_LABELS, INCORRECTLY_WORN, NOT_A_FACE, WITHOUT_MASK
from edge.core.records import Image
from edge.vision import masks
from edge.vision.preprocess import PADDING, InputSpec, crop, resize
from train.augmentation import drawn_objects, occlusion, photometric
from train.classifier.beside_detector import with_scores
from train.config import Augmentation, ClassifierConfig
from train.data.dataset import EVEN, Patch, truth
from train.fitting import workers

Array = NDArray[Any]
BARE, INCORRECT, THING = map(CLASSIFIER_LABELS.index, (WITHOUT_MASK, INCORRECTLY_WORN, NOT_A_FACE))
"""Outputs of the classifier for bare faces, for masks that are worn incorrectly, and for false detections."""
THREADS = 2
"""That make batches, unless `--workers` says otherwise."""
LOWERED = (masks.NOSE_FREE + 0.05, 0.6)
"""How far an incorrectly worn mask hangs too low, in heights of the face: from a free nose to under the chin."""


def augmented(patch: Patch, drawn: float | None, size: int, how: Augmentation, rng: np.random.Generator) -> Image:
    """One crop (size, size, 3) of `patch` as a door camera might see it.

    `drawn`: with a mask drawn on that hangs so many heights of the face too low, 0 for none too low; None: no mask.
    """
    image, box = patch.image, patch.box
    if drawn is not None:
        image = masks.draw(image, box, rng, drawn, patch.sample.nose)
    if patch.sample.box is not None:  # where the whole picture is the face, nobody knows where the mouth is
        bare = drawn is None and patch.sample.label == WITHOUT_MASK
        if bare and rng.random() < how.covered:
            image = occlusion.lower(image, box, rng)
        elif patch.sample.label != NOT_A_FACE and rng.random() < how.covered / 3:
            image = occlusion.upper(image, box, rng)
    if how.rotation or how.shear:
        image = turned(image, box, how, rng)
    box, margin = jittered(box, how, rng), margin_of(patch, rng.uniform(*how.margin))
    side = max(box.width, box.height)
    if rng.random() < how.far:
        side = min(side, float(np.exp(rng.uniform(*np.log(how.far_side)))))
    pixels = int(np.clip(round(side * (1 + 2 * margin)), 8, size))
    face = crop(image, box, pixels, pixels, margin)
    if rng.random() < how.photometric:
        face = photometric.jitter(face, rng)
    if how.mirror and rng.random() < 0.5:
        face = face[:, ::-1]
    return resize(np.ascontiguousarray(face), size, size)


def turned(image: Image, box: Box, how: Augmentation, rng: np.random.Generator) -> Image:
    """`image` turned and sheared about the middle of the face, by degrees of `how`."""
    (x, y), angle, shear = box.centre, rng.uniform(-1, 1) * how.rotation, rng.uniform(-1, 1) * how.shear
    matrix = cv2.getRotationMatrix2D((x, y), angle, 1)
    slant = np.tan(np.radians(shear))
    matrix[:, 1] += matrix[:, 0] * slant
    matrix[:, 2] -= matrix[:, 0] * slant * y  # the middle stays where it is
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, borderValue=(PADDING, PADDING, PADDING))  # type: ignore[return-value]


def jittered(box: Box, how: Augmentation, rng: np.random.Generator) -> Box:
    """The box as a detector might have said it: shifted and scaled by shares of its sides."""
    dx, dy = rng.uniform(-1, 1, 2) * how.shift
    kx, ky = 1 + rng.uniform(-1, 1, 2) * how.zoom
    (x, y), w, h = box.centre, box.width * kx / 2, box.height * ky / 2
    x, y = x + dx * box.width, y + dy * box.height
    return Box(x - w, y - h, x + w, y + h)


def margin_of(patch: Patch, margin: float) -> float:
    """`margin`, but none where the whole picture is the face: it holds its surroundings already."""
    return 0.0 if patch.sample.box is None else margin


def one_hot(labels: Sequence[int] | Array, count: int) -> Array:
    return np.eye(count, dtype=np.float32)[np.asarray(labels, int)]


class Fixed(keras.utils.PyDataset):
    """Crops as the device makes them, in order: (B, size, size, 3) float32 and one-hot `labels` (B, L)."""

    def __init__(self, patches: Sequence[Patch], labels: Sequence[str], size: int, margin: float, batch: int) -> None:
        super().__init__()
        self.patches, self.size, self.margin, self.batch = patches, size, margin, batch
        self.spec = InputSpec(size, size)
        self.labels, self.count = truth(patches, labels), len(labels)

    def __len__(self) -> int:
        return -(-len(self.patches) // self.batch)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        part = slice(index * self.batch, (index + 1) * self.batch)
        faces = [crop(p.image, p.box, self.size, self.size, margin_of(p, self.margin)) for p in self.patches[part]]
        return self.spec.normalise(np.stack(faces)), one_hot(self.labels[part], self.count)


class Pool:
    """Patches of one class; a source of n is drawn in proportion to sqrt(n), so no large set drowns the others."""

    def __init__(self, patches: Sequence[Patch]) -> None:
        self.patches = patches
        counts = Counter(p.sample.source for p in patches)
        self.cumulative = np.cumsum([counts[p.sample.source] ** -0.5 for p in patches])

    def draw(self, rng: np.random.Generator) -> Patch:
        return self.patches[int(np.searchsorted(self.cumulative, rng.uniform(0, self.cumulative[-1]), side="right"))]


class Augmented(keras.utils.PyDataset):
    """Endlessly varied batches of the same shapes, the labels in the shares of `config.balance`.

    Where a detector drew some of the boxes (`scored`), its scores stand beside the labels, for `beside_detector`.
    The draws of a batch depend only on the seed, the epoch and the batch (and the worker whose share it is), not on
    the `threads` that make batches beside the training.
    Raises DataError for a label of which there is neither a picture nor a way to draw one.
    """

    def __init__(self, patches: Sequence[Patch], config: ClassifierConfig, threads: int = THREADS) -> None:
        super().__init__(workers=threads, max_queue_size=4 * threads)
        self.config, self.spec = config, InputSpec(config.size, config.size)
        self.epoch = 0  # `loop.fit` sets it
        self.share = workers.ALONE  # and this
        self.per_epoch = config.per_epoch or len(patches)
        self.scored = NOT_A_FACE in config.labels and any(p.sample.score != EVEN for p in patches)
        self.classes = [Pool([p for p in patches if p.sample.label == label]) for label in config.labels]
        self.drawable = Pool([p for p in self.classes[BARE].patches if p.sample.box is not None])
        self.profiles = Pool([p for p in self.drawable.patches if p.sample.nose])
        how, bare = config.augmentation, bool(self.drawable.patches)
        self.drawn = (how.drawn * bare, 0.0, how.drawn_low * bare, how.drawn_things)
        for label, share, pool, drawn in zip(config.labels, config.balance, self.classes, self.drawn, strict=False):
            if share and not drawn and not pool.patches:
                raise DataError(f"no face of {label!r} to train on: give more --data, or another balance")

    def __len__(self) -> int:
        return max(self.per_epoch // self.config.batch, 1)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        config, share = self.config, self.share
        rng = np.random.default_rng(share.seed(config.seed, self.epoch, index))
        labels = rng.choice(len(config.labels), share.rows(config.batch), p=config.balance)
        faces, scores = zip(*(self.face(label, rng) for label in labels), strict=True)
        truths = one_hot(labels, len(config.labels))
        return self.spec.normalise(np.stack(faces)), with_scores(truths, scores) if self.scored else truths

    def face(self, label: int, rng: np.random.Generator) -> tuple[Image, float]:
        """A crop of `label`, and the score of the detector that found it."""
        pool, how, size = self.classes[label], self.config.augmentation, self.config.size
        if pool.patches and rng.random() >= self.drawn[label]:
            patch = pool.draw(rng)
            return augmented(patch, None, size, how, rng), patch.sample.score
        if label == THING:
            return augmented(drawn_objects.draw(rng), None, size, how, rng), EVEN
        lowered = rng.uniform(*LOWERED) if label == INCORRECT else 0.0
        aside = self.profiles.patches and rng.random() < how.drawn_profiles
        return augmented((self.profiles if aside else self.drawable).draw(rng), lowered, size, how, rng), EVEN
