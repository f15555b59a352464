"""`maskcam-train classifier`: reads faces, splits, trains in two phases, calibrates, measures, writes the report."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.core import files
from edge.core.errors import ConfigError, DataError
from edge.core.labels import NOT_A_FACE
from edge.core.plain_text import plain
from edge.vision import bundle
from train.classifier import card, network, report
from train.classifier.batches import THREADS, Augmented, Fixed
from train.config import ClassifierConfig, load
from train.data import dataset, manifest, near_duplicates, splits
from train.data.dataset import Patch
from train.fitting import loop, workers
from train.fitting.between import between
from train.fitting.plots import curves
from train.networks import from_bundle


def run(
    config_path: Path,
    paths: Sequence[Path],
    workdir: Path,
    weights: str | None = None,
    also: Sequence[Path] = (),
    start: Path | None = None,
    renamed: Mapping[str, str] | None = None,
    threads: int = THREADS,
) -> dict[str, Any]:
    """Trains (or resumes) once per split of the configuration; the first split's model is `classifier.keras`.

    `also`: further sets that are only measured (their validation part, where they have one). `start`: a bundle, or the
    classifier.keras of an earlier training, to go on from. `renamed`: see `formats.read`. `threads`: that make batches,
    which changes the speed alone. Returns what `report.json` holds. Raises ConfigError, DataError.
    """
    workers.begin()
    config = settings(config_path, weights, start)
    samples = [sample for path in paths for sample in dataset.read(path, renamed, things=True)]
    if NOT_A_FACE in config.labels:
        for path in (path for path in paths if path.suffix == ".json"):
            samples += dataset.backgrounds(path, config.backgrounds, config.seed, renamed)
    others = {str(path): held_out(dataset.read(path, renamed, things=True)) for path in also}
    dataset.require_both(samples, "--data")
    mark = {"config": config.model_dump(), "data": [str(p.resolve()) for p in paths], "faces": len(samples)}
    mark |= {"start": str(start)} if start else {}
    loop.check(workdir, mark, ClassifierConfig)
    print(loop.what_trains(), flush=True)
    print(f"reading {len(samples)} faces", flush=True)
    patches, skipped = dataset.decode(samples)
    if skipped:
        first = plain(next(iter(skipped.values())))
        pictures = len({s.path for s in samples})
        print(f"skipped {len(skipped)} of {pictures} pictures, the first is {first}", flush=True)
    patches = near_duplicates.assign([p for p in patches if p.side >= config.smallest], config.distance)
    sets = {name: [p for p in dataset.decode(s)[0] if p.side >= config.smallest] for name, s in others.items()}

    def lock() -> None:
        loop.lock_workdir(workdir, mark, ClassifierConfig)

    results = []
    for number, way in enumerate(config.splits, 1):
        folder = workdir if number == 1 else workdir / f"split-{way}"
        ahead = (config.head.epochs + config.tune.epochs) * (len(config.splits) - number)
        results.append(train_and_measure(config, way, patches, sets, folder, lock, start, ahead, threads))
    if not workers.chief():
        return {}
    whole = results[0] | {
        "config": config.model_dump() | {"weights": Path(config.weights).name},
        "labels": list(config.labels),
        "skipped": [path.name for path in skipped],
        "compared": results[1:],
    }
    if start:
        whole |= {"start": str(start)}
        whole |= {"start_data": bundle.load(start).training.get("data", {})} if start.is_dir() else {}
    write(workdir, whole, results)
    return whole


def settings(path: Path, weights: str | None, start: Path | None = None) -> ClassifierConfig:
    """The configuration; a weights file named in it lies beside it. Raises ConfigError, DataError, BundleError.

    With a bundle to `start` from, backbone, width, size and margin are those of its classifier.
    """
    config = load(path, ClassifierConfig)
    if start:
        if not start.exists():
            raise DataError(f"--start {start}: no such file; expected a bundle, or the classifier.keras of a training")
        taken = from_bundle.origin(bundle.load(start)) if start.is_dir() else {}
        return config.model_copy(update={**taken, "weights": "none"})
    if config.averaged:
        raise ConfigError(
            f"{path}: averaged = {config.averaged:g}: what with? Give a trained classifier to --start from"
        )
    if weights:
        config = config.model_copy(update={"weights": weights})
    elif config.weights not in ("imagenet", "none"):
        config = config.model_copy(update={"weights": str((path.parent / config.weights).resolve())})
    if not config.head.epochs:
        raise ConfigError(
            f"{path}: head.epochs = 0: expected at least 1, an untrained head would spoil the upper blocks; "
            "or a trained one to --start from"
        )
    return config


def held_out(samples: list[dataset.Sample]) -> list[dataset.Sample]:
    return [s for s in samples if s.split == "val"] or samples


def parts(
    config: ClassifierConfig, way: str, patches: Sequence[Patch]
) -> tuple[list[Patch], list[Patch], dict[str, Any]]:
    """Training faces, validation faces, and what is to be said of the split. Raises DataError for one class."""
    training, validation, said = divided(config, way, patches)
    dataset.require_both([p.sample for p in training], "training part")
    dataset.require_both([p.sample for p in validation], "validation part")
    return training, validation, said


def divided(
    config: ClassifierConfig, way: str, patches: Sequence[Patch]
) -> tuple[list[Patch], list[Patch], dict[str, Any]]:
    """The same, whatever labels the parts hold."""
    trusted = splits.own_splits(p.sample for p in patches)
    samples = splits.split([p.sample for p in patches], way, config.validation, config.seed)
    placed = [replace(p, sample=s) for p, s in zip(patches, samples, strict=True)]
    wanted = [p for p in placed if p.sample.split == "train" and p.sample.label in config.labels]
    training = [dataset.shrunk(p, config.size) for p in wanted]
    validation = [p for p in placed if p.sample.split == "val"]
    at_random = splits.split([replace(s, split="") for s in samples], "random", config.validation, config.seed)
    said = {
        "split": way,
        "clusters": len({s.cluster for s in samples}),
        "leaked": splits.leaks(samples, trusted),
        "left_out_as_copies": sum(s.split == splits.LEFT_OUT for s in samples),
        "random_split": {
            "leaked": splits.leaks(at_random),
            "files": len({s.path for s in at_random if s.split == "val"}),
        },
        "training": counts(training),
        "validation": counts(validation),
    }
    return training, validation, said


def counts(patches: Sequence[Patch]) -> dict[str, dict[str, int]]:
    """Source -> label -> faces."""
    table: dict[str, Counter[str]] = {}
    for p in patches:
        table.setdefault(p.sample.source, Counter())[p.sample.label] += 1
    return {source: dict(sorted(table[source].items())) for source in sorted(table)}


def train_and_measure(
    config: ClassifierConfig,
    way: str,
    patches: Sequence[Patch],
    sets: dict[str, list[Patch]],
    folder: Path,
    lock: Callable[[], None],
    start: Path | None = None,
    others: int = 0,
    threads: int = THREADS,
) -> dict[str, Any]:
    """One training by one split and what it is worth. `others`: epochs of the trainings that follow.

    Where several machines train, the chief alone measures and writes; the others return nothing.
    """
    training, validation, result = parts(config, way, patches)
    print(f"split by {way}: {len(training)} faces to train on, {len(validation)} to validate on", flush=True)
    print(report.leakage(result), flush=True)
    known = [p for p in validation if p.sample.label in config.labels]
    model, history = train(config, training, known, folder, lock, start, others, threads)
    if not workers.chief():
        return {}

    def predict(faces: Sequence[Patch]) -> Any:
        return model.predict(Fixed(faces, config.labels, config.size, config.margin, config.batch), verbose=0)

    truths, result["history"] = dataset.truth(known, config.labels), history
    if config.calibrate:
        before = predict(known)
        result["temperature"] = network.best_temperature(before, truths)
        result["ece_before_calibration"] = report.calibration(truths, before)[0]
        network.apply_temperature(model, result["temperature"])
    network.apply_offsets(model, np.array([config.logit_offsets.get(label, 0.0) for label in config.labels]))
    result["val"] = report.measure(validation, predict, config.labels, config.seed)
    result["also"] = {}
    for name, faces in sets.items():
        near = near_duplicates.copies(faces, training, config.distance)
        result["also"][name] = report.measure(faces, predict, config.labels, config.seed) | {"near_training": near}
    loop.save(model, folder / "classifier.keras")
    manifest.write(folder, [*training, *validation])
    if history:  # with no epochs a trained network is calibrated and measured
        curves(history, ["accuracy", "loss"], folder / "history.png", "mask classifier: head, then upper blocks")
    report.confusion_picture(result["val"], folder / "confusion.png")
    report.reliability_picture(truths, predict(known), folder / "reliability.png")
    return result


def train(
    config: ClassifierConfig,
    training: Sequence[Patch],
    validation: Sequence[Patch],
    folder: Path,
    lock: Callable[[], None] = lambda: None,
    start: Path | None = None,
    others: int = 0,
    threads: int = THREADS,
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Both phases; each has a folder of its own under `folder`, so a killed training knows where it stood.

    `lock` is called once the network stands, before anything is written. `others`: epochs of the trainings that follow.
    """
    keras.utils.set_random_seed(config.seed)
    batches = Augmented(training, config, threads)
    if batches.scored:
        print("boxes with a detector's score: taught what that detector does not know", flush=True)
    checks = Fixed(validation, config.labels, config.size, config.margin, config.batch)
    with loop.strategy_scope():
        model = network.build(config)
        if start:
            begin(model, start)
        network.unfreeze(
            model, config, upper_blocks=config.tune.epochs > 0
        )  # an unknown layer is an error now, not in an hour
        lock()
        before = model.get_weights()
        history = phases(model, config, batches, checks, folder, others)
        model.set_weights(between(model.get_weights(), before, config.averaged))
        if batches.scored:
            # Not compiled: a file that names a loss of ours opens only where maskcam is installed.
            model = keras.Model(model.input, model.output, name=model.name)
    return model, history


def phases(
    model: keras.Model, config: ClassifierConfig, batches: Any, checks: Any, folder: Path, others: int = 0
) -> list[dict[str, float]]:
    """Head, then upper blocks, in the strategy's scope; each in a folder of its own under `folder`. Their history.

    `others`: epochs of the trainings that follow, for the time that is reported to be left.
    """
    history: list[dict[str, float]] = []
    for name, phase, after in (("head", config.head, config.tune.epochs), ("tune", config.tune, 0)):
        if phase.epochs:
            print(f"phase {name}: {phase.epochs} epochs of {len(batches)} batches", flush=True)
            network.prepare(model, config, phase, phase.epochs * len(batches), name == "tune", batches.scored)
            rows = loop.fit(
                model,
                batches,
                folder / name,
                phase.epochs,
                checks,
                afterwards=after + others,
                metrics=network.metrics(batches.scored),
            )
            history += [row | {"epoch": float(k)} for k, row in enumerate(rows, start=len(history))]
    return history


def begin(model: keras.Model, start: Path) -> None:
    """Gives `model` the weights of the classifier that `start` names. Raises DataError, BundleError."""
    if start.is_dir():
        from_bundle.restore_classifier(model, bundle.load(start))
        return
    try:
        model.load_weights(start)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"--start {start}: does not fit a classifier of this configuration: {reason}") from error


def write(workdir: Path, whole: dict[str, Any], results: Sequence[dict[str, Any]]) -> None:
    """report.json, report.txt and card.md."""
    sections = [report.text(whole["val"], f"validation part of the split by {whole['split']}")]
    sections += [report.text(r, f"measured only: {name}") for name, r in whole["also"].items()]
    if len(results) > 1 or whole["also"]:
        sections.append(report.comparison(results))
    sections.append(report.leakage(whole))
    files.write(workdir / "report.txt", "\n".join(sections))
    files.write(workdir / "report.json", json.dumps(whole, indent=1))
    files.write(workdir / "card.md", card.classifier(whole))
    print("\n".join(sections))
