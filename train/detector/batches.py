"""Batches of training scenes for the face detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.core.labels import NOT_A_FACE
from edge.evaluation import coco, formats
from edge.evaluation.coco import Annotated
from train.config import DetectorConfig
from train.data import dataset
from train.data.kept import MEGABYTES
from train.detector.hard_examples import Place
from train.detector.processes import Processes
from train.detector.sampling import Sampler
from train.fitting.workers import ALONE


def read(path: Path) -> list[Annotated]:
    """Scenes of any format that says boxes; of a crops.csv the faces of its training part, one per picture.

    Raises DataError.
    """
    if path.suffix != ".csv":
        scenes = formats.read(path)
        if any(s.whole for s in scenes):
            raise DataError(
                f"{path}: folders of faces say no boxes, and the detector learns boxes; expected COCO or VOC"
            )
        return scenes
    return [
        Annotated(
            s.path,
            np.array([[s.box.x0, s.box.y0, s.box.x1, s.box.y1]], np.float32),
            np.array([coco.NAMES[s.label]]),
            np.array([False]),
            s.source,
            s.cluster,
        )
        for s in dataset.read(path)
        if s.box and s.label in coco.NAMES and s.label != NOT_A_FACE and s.split != "val"
    ]


class Scenes(keras.utils.PyDataset):
    """Batches for `fit`: pictures (B, height, width, 3) float -1..1 and boxes (B, MOST_BOXES, 5).

    The fifth column of a box is 1 for a face, -1 for a region to ignore, 0 for padding. A batch depends only
    on (seed, epoch, its number, whose share it is), so a resumed training sees what an unbroken one would have seen.
    """

    def __init__(
        self,
        scenes: list[Annotated],
        config: DetectorConfig,
        workers: int = 1,
        hard_examples: Sequence[Sequence[Place]] = (),
        megabytes: float = MEGABYTES,
    ) -> None:
        """`hard_examples`, `megabytes`: see `Sampler`. `workers`: processes that make batches beside the training.

        One makes them in a thread of this process. Several divide `megabytes` among them.
        """
        super().__init__(workers=workers, max_queue_size=max(6, 2 * workers))
        self.config, self.epoch, self.share = config, 0, ALONE
        here = megabytes if workers == 1 else 1.0
        self.sampler = Sampler(scenes, config, hard_examples, here)
        self.readable = self.sampler.readable
        self.skipped = [scenes[k].path for k in sorted(set(range(len(scenes))) - set(self.readable))]
        self.processes = None
        if workers > 1:
            self.processes = Processes(workers, scenes, config, hard_examples, megabytes / workers, self.readable)

    def __len__(self) -> int:
        return self.config.steps_per_epoch

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows, seed = self.share.rows(self.config.batch), self.share.seed(self.config.seed, self.epoch, index)
        images, boxes = (self.processes or self.sampler).batch(rows, seed)
        return images / np.float32(127.5) - np.float32(1), boxes

    def close(self) -> None:
        """Ends the processes that make batches: when the garbage collector would do it is not certain."""
        if self.processes:
            self.processes.close()
