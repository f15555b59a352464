"""`maskcam-train tune`, where a door has scenes enough: the bundle's detector goes on with them, and may not forget.

It is compared with what it went on from, on scenes of the door that were held back and on a general check: scenes that
our own code draws, and the sets that the user names. Where it is surely worse on any of them, the bundle's stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge.core import files
from edge.core.errors import DataError
from edge.core.records import Image
from edge.evaluation import formats
from edge.evaluation.annotated import (
    INCORRECTLY_WORN,
    NAMES,
    WITH_MASK,
    WITHOUT_MASK,
    Annotated,
    Skipped,
    each,
)
from edge.evaluation.outcomes import Interval, Outcomes, compare
from edge.vision import bundle, pictures
from train.augmentation import drawn_scenes
from train.config import DetectorConfig, load_stages
from train.data import dataset, manifest
from train.data.near_duplicates import fingerprint, near
from train.detector import training
from train.fitting import paired

RECIPE = Path("door-detector")
FEWEST, FEWEST_HELD_OUT = 500, 50
"""Scenes of a door from which its detector is tuned, and those that must be among them to measure it on."""
FACE_PICTURE = 0.4
"""Side of a face, in sides of its picture, from which the picture shows that face and no scene."""
CHECKED = 150
"""Drawn scenes of the general check."""
MOST_LOST = 0.005
"""Face AP on the general check that may surely be lost."""
DISTANCE = 6
"""Bits in which the hashes of near-duplicates may differ."""
MASK_STATES = (WITH_MASK, WITHOUT_MASK, INCORRECTLY_WORN)
TRAIN, VAL = "train.json", "val.json"
Scene = tuple[Annotated, Image]
Find = Callable[[Image], NDArray[np.float64]]


def run(
    paths: Sequence[Path],
    start: Path,
    workdir: Path,
    general: Sequence[Path] = (),
    renamed: Mapping[str, str] | None = None,
) -> Path | None:
    """Tunes (or resumes), measures, and writes `detector/` in the `workdir` of the classifier's tuning.

    Its faces.csv says which pictures are held back, so that one bundle can be measured on them. `start`: the folder of
    a bundle. Returns the folder; None where there are too few scenes, or nothing of the change is kept.
    Raises ConfigError, BundleError, DataError.
    """
    found = [scene for path in paths for scene in scenes_of(path, renamed)]
    fit, held_out = divided(found, workdir / manifest.NAME)
    if len(found) < FEWEST or len(held_out) < FEWEST_HELD_OUT:
        print(
            f"the detector stays as it is: {len(found)} scenes with labelled faces, {len(held_out)} of them held "
            f"back; expected {FEWEST} and {FEWEST_HELD_OUT}",
            flush=True,
        )
        return None
    folder = workdir / "detector"
    folder.mkdir(exist_ok=True)
    for name, scenes in ((TRAIN, fit), (VAL, held_out)):
        files.write(folder / name, json.dumps(as_coco(scenes)))
    print(f"\ndetector: {len(fit)} scenes of the door to tune on, {len(held_out)} held back", flush=True)
    config = settings(start)
    model = keras.models.load_model(
        training.train([config], [folder / TRAIN], folder / VAL, folder, start), compile=False
    )
    networks = training.finder(model), training.finder(training.starting_network(config, start))
    checks: dict[str, Iterable[Scene]] = {"held back at this door": each(held_out, Skipped())}
    checks[drawn_scenes.SOURCE] = drawn(CHECKED, config.seed)
    sets = {path: scenes_of(path, renamed) for path in general}
    new = set(map(id, without_copies([scene for scenes in sets.values() for scene in scenes], fit)))
    for path, scenes in sets.items():
        if unseen := [scene for scene in scenes if id(scene) in new]:
            checks[path.name] = each(unseen, Skipped())
    return kept(folder, {name: measured(name, *networks, scenes) for name, scenes in checks.items()})


def scenes_of(path: Path, renamed: Mapping[str, str] | None) -> list[Annotated]:
    """The scenes of a data set, which may also hold pictures of one face each."""
    return [truth for truth in formats.read(path, renamed, things=True) if is_scene(truth)]


def is_scene(truth: Annotated) -> bool:
    """Whether a picture that somebody labelled shows more than one face that fills it.

    A camera's own boxes, of unknown mask state, are no labels: the detector would learn to miss what it missed.
    """
    labelled = truth.boxes[~truth.ignored & np.isin(truth.categories, MASK_STATES)]
    if truth.whole or truth.lone or not len(labelled):
        return False
    if len(truth.boxes) > 1:
        return True
    try:
        size = truth.size or pictures.size(truth.path)
    except DataError:
        return False
    return float((labelled[:, 2:] - labelled[:, :2]).max()) < FACE_PICTURE * max(size)


def divided(scenes: Sequence[Annotated], table: Path) -> tuple[list[Annotated], list[Annotated]]:
    """Scenes to tune on, and those of which the classifier held back every face that it knows."""
    parts: dict[Path, set[str]] = {}
    for sample in dataset.read(table):
        parts.setdefault(sample.path, set()).add(sample.split)
    held_out = [scene for scene in scenes if parts.get(scene.path.resolve()) == {"val"}]
    kept = set(map(id, held_out))
    return [scene for scene in scenes if id(scene) not in kept], held_out


def as_coco(scenes: Sequence[Annotated]) -> dict[str, Any]:
    """The scenes as COCO that names the pictures where they lie."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes, 1):
        images.append({"id": number, "file_name": str(scene.path.resolve()).replace("%", "%25")})
        images[-1] |= dict(zip(("width", "height"), scene.size or (), strict=False))
        images[-1] |= {key: value for key in ("source", "cluster") if (value := getattr(scene, key))}
        named: Sequence[frozenset[str]] = scene.attributes or [frozenset()] * len(scene.boxes)
        rows = zip(scene.boxes.tolist(), scene.categories.tolist(), scene.ignored.tolist(), named, strict=True)
        for (x0, y0, x1, y1), category, ignored, attributes in rows:
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": category, "iscrowd": int(ignored)}
            row |= {"bbox": [x0, y0, x1 - x0, y1 - y0], "attributes": dict.fromkeys(sorted(attributes), True)}
            annotations.append(row)
    categories = [{"id": number, "name": name} for name, number in NAMES.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def settings(start: Path) -> DetectorConfig:
    """The recipe with the size of the bundle's detector. Raises ConfigError, BundleError."""
    (config,), size = load_stages(RECIPE), bundle.load(start).detector.input
    return config.model_copy(update={"width": size.width, "height": size.height})


def drawn(count: int, seed: int) -> list[Scene]:
    """Scenes of the general check, always the same ones, each a group of its own."""
    made = (drawn_scenes.draw(np.random.default_rng([seed, k])) for k in range(count))
    return [(replace(truth, cluster=str(k)), image) for k, (truth, image) in enumerate(made)]


def without_copies(scenes: Sequence[Annotated], fit: Sequence[Annotated]) -> list[Annotated]:
    """Those `scenes` of a general check that can be read and are no near-duplicates of those that are trained on."""
    if not scenes:
        return []
    hashed = [(scene, fingerprint(image)) for scene, image in each(scenes, Skipped())]
    trained = [fingerprint(image) for _, image in each(fit, Skipped())]
    theirs, ours = (np.array(values, np.uint64) for values in ([value for _, value in hashed], trained))
    copies = set(near(theirs, ours, DISTANCE)[0].tolist())
    return [scene for k, (scene, _) in enumerate(hashed) if k not in copies]


def measured(name: str, new: Find, old: Find, scenes: Iterable[Scene]) -> dict[str, Any]:
    """Face AP of both networks with the interval of the difference; also printed."""
    ours, theirs, groups = Outcomes(0.5), Outcomes(0.5), []
    for truth, image in scenes:
        groups.append(truth.cluster or str(truth.path))
        for outcomes, find in ((ours, new), (theirs, old)):
            rows = find(image)
            outcomes.add(truth, np.c_[rows, np.full(len(rows), -1.0)])
    interval = next(i for i in compare(ours, theirs, groups=groups) if i.name == "face_ap")
    count = len(set(groups))
    print("  " + paired.text(f"{name}, face AP", interval, len(ours), count, "scenes"), flush=True)
    return paired.record(interval, len(ours), count, "scenes") | {"surely_worse": worse(interval)}


def worse(interval: Interval) -> bool:
    return interval.surely_worse and interval.old - interval.new > MOST_LOST


def kept(folder: Path, compared: Mapping[str, Mapping[str, Any]]) -> Path | None:
    """Writes the comparison into report.json; takes the network away where it is surely worse anywhere."""
    report = folder / "report.json"
    values = json.loads(report.read_text()) | {"compared_with_start": compared}
    files.write(report, json.dumps(values, indent=1))
    lost = [name for name, row in compared.items() if row["surely_worse"]]
    if not lost:
        return folder
    (folder / "detector.keras").unlink()
    print(f"the detector stays as it is: tuned, it is surely worse on {' and '.join(lost)}", flush=True)
    return None
