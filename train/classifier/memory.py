"""What a classifier that is tuned for one door must not forget, in pictures that our own code draws.

Drawn heads, bare and masked, and drawn things serve twice, never the same ones: some are shown in training with the
answers that the classifier gave before (learning without forgetting, Li and Hoiem 2016, arXiv 1606.09282), others are
the general check, with the truth that the drawing knows.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge.core.labels import NOT_A_FACE, WITHOUT_MASK
from train.augmentation import drawn_faces, drawn_objects
from train.classifier.batches import INCORRECT, LOWERED, Augmented, augmented
from train.config import ClassifierConfig

Array = NDArray[Any]


def drawn(config: ClassifierConfig, count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Crops (count, size, size, 3), RGB, as a door camera sees them, and the place of each one's label: (count,).

    Every label of `config` as often as any other; one picture of `seed` does not depend on `count`.
    """
    truths = np.arange(count) % len(config.labels)
    crops = [_one(config, int(truth), np.random.default_rng([seed, k])) for k, truth in enumerate(truths)]
    return np.stack(crops), truths


def _one(config: ClassifierConfig, truth: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    label = config.labels[truth]
    if label == NOT_A_FACE:
        return augmented(drawn_objects.draw(rng), None, config.size, config.augmentation, rng)
    lowered = None if label == WITHOUT_MASK else float(rng.uniform(*LOWERED)) if truth == INCORRECT else 0.0
    return augmented(drawn_faces.draw(rng), lowered, config.size, config.augmentation, rng)


class WithMemory(keras.utils.PyDataset):
    """Batches of which one half is of the door, with its labels, and the other drawn, with the answers of before."""

    scored = False
    """A detector's scores are left aside: the drawn half has none."""

    def __init__(self, door: Augmented, crops: NDArray[np.uint8], answers: Array) -> None:
        """`crops` (M, size, size, 3) as `drawn` gives them, `answers` (M, L) what was said of them."""
        super().__init__(workers=door.workers, max_queue_size=door.max_queue_size)
        self.door, self.crops, self.answers = door, crops, answers

    @property
    def epoch(self) -> int:
        return self.door.epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self.door.epoch = number

    def __len__(self) -> int:
        return len(self.door)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        faces, labels = self.door[index]
        rng = np.random.default_rng([self.door.config.seed, self.epoch, index, 1])
        some = rng.choice(len(self.crops), len(faces), replace=len(self.crops) < len(faces))
        old = self.door.spec.normalise(self.crops[some])
        truths = labels[:, : self.answers.shape[1]]
        return np.concatenate([faces, old]), np.concatenate([truths, self.answers[some]]).astype(np.float32)
