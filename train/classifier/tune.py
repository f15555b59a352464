"""`maskcam-train tune`: a bundle's classifier goes on with the pictures of one door, and may not forget the rest.

First the head alone, then the upper blocks. What comes out is measured against what went in, on faces of the door that
were held back and on a general check. Where the whole change is surely worse on the check, less of it is taken (weights
between before and after); where even the least share of it is, nothing is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge.core import files
from edge.core.errors import ConfigError, DataError
from edge.core.labels import of_outputs
from edge.core.plain_text import plain
from edge.evaluation.outcomes import Interval
from edge.vision import bundle
from edge.vision.preprocess import InputSpec
from train.classifier import card, memory, network, report, training
from train.classifier.batches import THREADS, Augmented, Fixed
from train.config import ClassifierConfig
from train.data import dataset, manifest, near_duplicates
from train.data.dataset import Patch
from train.fitting import loop, paired, workers
from train.fitting.between import between
from train.fitting.plots import curves

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
"""Of the change, tried in this order."""
REMEMBERED, CHECKED = 768, 1200
"""Drawn faces that are shown in training, and those of the general check."""
MOST_FORGOTTEN = 0.005
"""Share of right answers on the general check that may surely be lost."""
FEWEST_FACES, FEWEST_GROUPS = 8, 4
"""Of the door, in each part."""
DRAWN = "drawn faces and things"


@dataclass(frozen=True, eq=False)
class Check:
    """Faces on which a classifier is measured before and after."""

    name: str
    crops: NDArray[np.uint8]
    truths: NDArray[np.int64]
    groups: Sequence[str]
    """Near-duplicates share one."""

    def right(self, model: keras.Model) -> NDArray[np.bool_]:
        spec = InputSpec(self.crops.shape[2], self.crops.shape[1])
        said = [model.predict_on_batch(spec.normalise(self.crops[k : k + 64])) for k in range(0, len(self.crops), 64)]
        return np.concatenate(said).argmax(1) == self.truths

    def against(self, new: NDArray[np.bool_], old: NDArray[np.bool_]) -> tuple[Interval, str, dict[str, Any]]:
        """The comparison: as it is, as a line, as values."""
        found, groups = paired.compare(new, old, self.groups), len(set(self.groups))
        return found, paired.text(self.name, found, len(new), groups), paired.record(found, len(new), groups)


def run(
    recipe: Path,
    paths: Sequence[Path],
    start: Path,
    workdir: Path,
    general: Sequence[Path] = (),
    renamed: Mapping[str, str] | None = None,
    threads: int = THREADS,
) -> dict[str, Any]:
    """Tunes (or resumes), measures, and writes classifier.keras, report.json, report.txt, card.md, faces.csv.

    `start`: the folder of a bundle, whose labels are kept. `general`: data sets of the world, for the general check
    besides the drawn one; only measured. `renamed`: see `formats.read`. `threads`: that make batches. Returns what
    report.json holds. Raises ConfigError, BundleError, DataError; the last also where the general check falls
    whatever is tried.
    """
    if workers.place().count > 1:
        raise ConfigError(f"{workers.VARIABLE} is set: a door is tuned on one machine, in minutes; unset it")
    config = settings(recipe, start)
    samples = [sample for path in paths for sample in dataset.read(path, renamed, things=True)]
    mark = {"config": config.model_dump(), "data": [str(p.resolve()) for p in paths], "faces": len(samples)}
    mark |= {"start": str(Path(start).resolve())}
    loop.check(workdir, mark, ClassifierConfig)
    print(loop.what_trains(), flush=True)
    patches, skipped = dataset.decode(samples)
    if skipped:
        print(f"skipped {len(skipped)} pictures, the first is {plain(next(iter(skipped.values())))}", flush=True)
    patches = near_duplicates.assign([p for p in patches if p.side >= config.smallest], config.distance)
    faces, held_out, said = parts(config, patches)
    config = config.model_copy(update={"balance": shares(config, faces)})
    print(f"{len(faces)} faces of the door to tune on, {len(held_out)} held back", flush=True)
    door = of_patches("held back at this door", held_out, config)
    checks = [drawn_check(config), *(general_check(config, path, faces, renamed) for path in general)]

    keras.utils.set_random_seed(config.seed)
    with loop.strategy_scope():
        model = network.build(config)
        training.begin(model, start)
        before, old = model.get_weights(), [check.right(model) for check in (door, *checks)]
        batches = with_memory(model, Augmented(faces, config, threads), config)
        loop.lock_workdir(workdir, mark, ClassifierConfig)
        fixed = Fixed(held_out, config.labels, config.size, config.margin, config.batch)
        history = training.phases(model, config, batches, fixed, workdir)
    share, compared = kept(model, before, old, door, checks)
    values = said | {
        "config": config.model_dump(),
        "labels": list(config.labels),
        "start": str(start),
        "start_data": bundle.load(start).training.get("data", {}),
        "skipped": [path.name for path in skipped],
        "share": share,
        "compared_with_start": compared,
        "history": history,
        "also": {},
        "val": report.measure(held_out, predictor(model, config), config.labels, config.seed),
    }
    write(workdir, model, values, [*faces, *held_out])
    return values


def settings(recipe: Path, start: Path) -> ClassifierConfig:
    """The recipe with size, backbone, margin and labels of the bundle. Raises ConfigError, BundleError, DataError."""
    if not start.is_dir():
        raise DataError(f"--start {start}: no such folder; expected a bundle, such as edge/shipped")
    config, labels = training.settings(recipe, None, start), bundle.load(start).classifier.labels
    if tuple(labels) != of_outputs(len(labels)):
        expected = ", ".join(of_outputs(len(labels)))
        raise DataError(f"--start {start}: its labels are {', '.join(labels)}; expected {expected}, in this order")
    return config.model_copy(update={"balance": [1 / len(labels)] * len(labels)})


def parts(config: ClassifierConfig, patches: Sequence[Patch]) -> tuple[list[Patch], list[Patch], dict[str, Any]]:
    """Faces to tune on, those held back, and what is to be said of the split. Raises DataError for too few."""
    known = [p for p in patches if p.sample.label in config.labels]
    faces, held_out, said = training.divided(config, "cluster", known)
    for name, part in (("to tune on", faces), ("to hold back", held_out)):
        groups = len({p.sample.cluster for p in part})
        if len(part) < FEWEST_FACES or groups < FEWEST_GROUPS:
            raise DataError(
                f"--data: {len(part)} faces {name}, in {groups} groups of near-duplicates; expected {FEWEST_FACES} or "
                f"more in {FEWEST_GROUPS} or more: collect and label more people of this door"
            )
    return faces, held_out, said


def shares(config: ClassifierConfig, faces: Sequence[Patch]) -> list[float]:
    """Of each label in the door's half of a batch: as much as any other that the door has, none where it has none."""
    there = {p.sample.label for p in faces}
    return [(label in there) / len(there) for label in config.labels]


def of_patches(name: str, patches: Sequence[Patch], config: ClassifierConfig) -> Check:
    """The faces as the device cuts them out."""
    fixed = Fixed(patches, config.labels, config.size, config.margin, 64)
    crops = [((fixed[k][0] + 1) * 127.5).round().astype(np.uint8) for k in range(len(fixed))]
    return Check(name, np.concatenate(crops), fixed.labels, [p.sample.cluster or str(p.sample.path) for p in patches])


def drawn_check(config: ClassifierConfig) -> Check:
    crops, truths = memory.drawn(config, CHECKED, config.seed + 1)
    return Check(DRAWN, crops, truths, [str(k) for k in range(len(crops))])


def general_check(
    config: ClassifierConfig, path: Path, faces: Sequence[Patch], renamed: Mapping[str, str] | None
) -> Check:
    """A set that the user named, without what is also tuned on. Raises DataError where nothing is left."""
    patches, _ = dataset.decode(training.held_out(dataset.read(path, renamed, things=True)))
    patches = [p for p in patches if p.side >= config.smallest and p.sample.label in config.labels]
    copies = set(near_duplicates.copied(patches, faces, config.distance)) if patches else set()
    left = near_duplicates.assign([p for k, p in enumerate(patches) if k not in copies], config.distance)
    if not left:
        raise DataError(f"--general {path}: no face in it that the door's pictures do not show too")
    if copies:
        print(
            f"{path}: {len(copies)} faces are near-duplicates of the door's and are left out of the check", flush=True
        )
    return of_patches(path.name, left, config)


def with_memory(model: keras.Model, door: Augmented, config: ClassifierConfig) -> memory.WithMemory:
    crops, _ = memory.drawn(config, REMEMBERED, config.seed)
    inputs = InputSpec(config.size, config.size).normalise(crops)
    answers = np.concatenate([model.predict_on_batch(inputs[k : k + 64]) for k in range(0, len(inputs), 64)])
    return memory.WithMemory(door, crops, answers)


def kept(
    model: keras.Model,
    before: list[NDArray[Any]],
    old: Sequence[NDArray[np.bool_]],
    door: Check,
    checks: Sequence[Check],
) -> tuple[float, dict[str, Any]]:
    """Sets `model` to as much of the change as no check forbids; the share, and all comparisons by name.

    Raises DataError where nothing of it can be kept.
    """
    after, said = model.get_weights(), ""
    for share in SHARES:
        model.set_weights(between(before, after, share))
        of_door, *found = [c.against(c.right(model), was) for c, was in zip((door, *checks), old, strict=True)]
        print(f"{share:.0%} of the change:", *(line for _, line, _ in (of_door, *found)), sep="\n  ", flush=True)
        lost = [c.name for c, (i, _, _) in zip(checks, found, strict=True) if forgotten(i)]
        if not lost and not of_door[0].surely_worse:
            return share, {c.name: r for c, (_, _, r) in zip((door, *checks), (of_door, *found), strict=True)}
        said = f"forgets {' and '.join(lost)}" if lost else "is surely worse at the door itself"
    raise DataError(
        f"tuned, but even {SHARES[-1]:.0%} of the change {said}: nothing is kept. Are the labels right? "
        "Add pictures of what it forgets to --data, or more of the door's people"
    )


def forgotten(interval: Interval) -> bool:
    return interval.surely_worse and interval.old - interval.new > MOST_FORGOTTEN


def predictor(model: keras.Model, config: ClassifierConfig) -> report.Predict:
    return lambda faces: model.predict(Fixed(faces, config.labels, config.size, config.margin, config.batch), verbose=0)


def write(workdir: Path, model: keras.Model, values: dict[str, Any], faces: Sequence[Patch]) -> None:
    loop.save(model, workdir / "classifier.keras")
    manifest.write(workdir, faces)
    curves(values["history"], ["accuracy", "loss"], workdir / "history.png", "tuned for one door")
    text = report.text(values["val"], "faces of the door that were held back, after tuning")
    files.write(workdir / "report.txt", text)
    files.write(workdir / "report.json", json.dumps(values, indent=1))
    files.write(workdir / "card.md", card.classifier(values))
