"""`maskcam-train detector`: reads scenes, trains, measures COCO AP after each epoch, writes model and report."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from edge.core import files
from edge.core.digest import sha256
from edge.core.errors import ConfigError, DataError
from edge.core.plain_text import plain
from edge.core.records import Image
from edge.evaluation.coco import Annotated
from edge.vision import bundle
from edge.vision.detector import float_rows
from train.config import DetectorConfig, load_stages
from train.data.kept import MEGABYTES
from train.detector import hard_examples, network, yunet
from train.detector.batches import Scenes, read
from train.detector.coco_ap import coco_ap
from train.detector.hard_examples import Place
from train.fitting import loop, workers
from train.fitting.between import between
from train.fitting.plots import curves
from train.networks import from_bundle

Rows = NDArray[np.float64]
RANDOM = "none"
"""In place of a file of weights."""


def run(
    config_path: Path,
    data: list[Path],
    val: Path,
    workdir: Path,
    weights: str | None = None,
    start: Path | None = None,
    processes: int = 1,
    megabytes: int = MEGABYTES,
) -> Path:
    """Trains (or resumes) all stages and returns the path of `detector.keras`. Raises ConfigError, DataError.

    `start`: a detector.keras of any input size to go on from, or a bundle's folder. `weights`: YuNet's file.
    Each stage goes on from the one before it, in a folder of its own under `workdir`. `processes`, `megabytes`: see
    `Scenes`; they change the speed and nothing else.
    """
    workers.begin()
    stages = load_stages(config_path)
    if weights and start:
        raise ConfigError("--start and --weights: expected one of them, each says where the weights come from")
    if weights:
        stages = [config.model_copy(update={"weights": weights}) for config in stages]
    return train(stages, data, val, Path(workdir), start, processes, megabytes)


def train(
    stages: Sequence[DetectorConfig],
    data: Sequence[Path],
    val: Path,
    workdir: Path,
    start: Path | None,
    processes: int = 1,
    megabytes: int = MEGABYTES,
) -> Path:
    """What `run` does, of configurations that are read already."""
    origin, held_out = start, read(val)
    scenes = [scene for path in data for scene in without_copies(read(path), held_out)]
    parts = [of_sources(scenes, config.sources) for config in stages]
    for number, (config, part) in enumerate(zip(stages, parts, strict=True), 1):
        folder = workdir / f"stage-{number}" if len(stages) > 1 else workdir
        if len(stages) > 1:
            print(f"stage {number} of {len(stages)}: {config.epochs} epochs at {config.width} x {config.height}")
        afterwards = sum(map(_cost, stages[number:])) / _cost(config) * config.epochs
        listed = hard_examples.listed(data, part)
        start = _stage(config, part, listed, held_out, folder, start, origin, afterwards, processes, megabytes)
    if len(stages) > 1 and workers.chief():
        for name in ("detector.keras", "report.json", "history.png"):
            shutil.copyfile(folder / name, workdir / name)
    return workdir / "detector.keras"


def _cost(config: DetectorConfig) -> int:
    """Pixels that a training sees: what it takes, compared with another."""
    return config.epochs * config.steps_per_epoch * config.batch * config.width * config.height


def _stage(
    config: DetectorConfig,
    scenes: list[Annotated],
    listed: list[Place],
    held_out: list[Annotated],
    workdir: Path,
    start: Path | None,
    origin: Path | None,
    afterwards: float,
    processes: int,
    megabytes: int,
) -> Path:
    """One stage; returns its `detector.keras`, at once where it is already trained.

    `listed`: known false alarms; `origin`: the detector that the first stage went on from, None for YuNet.
    `afterwards`: the work of the stages that follow, in epochs of this one.
    """
    done, digest = workdir / "detector.keras", _digest(config, start)
    mark = {"config": config.model_dump(), "scenes": len(scenes), "val": len(held_out), "start": digest}
    loop.check(workdir, mark, DetectorConfig)
    if done.exists() and (workdir / "report.json").exists():
        return done
    print(loop.what_trains(), flush=True)
    cv2.setNumThreads(1)  # pictures are made beside the training: its threads would wait for one another
    keras.utils.set_random_seed(config.seed)
    with loop.strategy_scope():
        model = starting_network(config, start)
    if config.averaged and origin is None and config.weights == RANDOM:
        raise DataError(f"averaged = {config.averaged}: random weights are nothing to keep; give --weights or --start")
    loop.lock_workdir(workdir, mark, DetectorConfig)
    hard: Sequence[list[Place]] = ()
    knows = start is not None or config.weights != RANDOM
    if config.hard_examples and (listed or knows):
        with workers.chief_first():
            hard, scenes = _hard(config, scenes, listed, model if knows else None, workdir)
    batches = Scenes(scenes, config, processes, hard, megabytes)
    if batches.skipped:
        print(
            f"skipped {len(batches.skipped)} of {len(scenes)} pictures, the first is {plain(str(batches.skipped[0]))}"
        )
    with loop.strategy_scope():
        trainer = network.for_training(model, config)
    shown = held_out[:: max(len(held_out) // config.evaluate_pictures, 1)]
    measure = MeasureAP(shown, finder(model))
    with closing(batches):
        history = loop.fit(trainer, batches, workdir, config.epochs, callbacks=[measure], afterwards=afterwards)
        with workers.chief_first():
            if not workers.chief():
                return done
            if config.averaged:
                average(model, starting_network(config, origin), config.averaged)
            report = {
                "config": config.model_dump() | {"weights": Path(config.weights).name},
                "start": digest,
                "pictures": len(batches.readable),
                "sources": sorted({scene.source for scene in scenes if scene.source}),
                "skipped": [str(p.name) for p in batches.skipped],
                "val_pictures": len(held_out),
                "history": history,
            }
            _finish(model, report, held_out, done)
    return done


def _finish(model: keras.Model, report: dict[str, Any], held_out: list[Annotated], done: Path) -> None:
    """Writes model, report and curves of a trained stage."""
    loop.save(model, done)
    report = report | {"val": coco_ap(held_out, finder(model))}
    files.write(done.parent / "report.json", json.dumps(report, indent=1))
    curves(report["history"], ["loss", "AP", "AP50"], done.parent / "history.png", "face detector")


def _hard(
    config: DetectorConfig, scenes: list[Annotated], listed: list[Place], model: keras.Model | None, workdir: Path
) -> tuple[list[list[Place]], list[Annotated]]:
    """What is shown more often: false alarms, faces that `model` misses (None: not trained yet), faces turned aside.

    Also the scenes, which a trained model corrects, unless they were settled before: then false alarms are `listed`.
    """
    alarms, missed, better = listed, list[Place](), scenes
    if model is not None:
        find = finder(model, config.hard_examples_from)
        said, missed, corrected = hard_examples.find(scenes, find, cache(workdir), config.ignored_from)
        if not listed:
            alarms, better = said, corrected
    turned = hard_examples.turned(better)
    heads = sum(a is not b for a, b in zip(scenes, better, strict=True))
    print(
        f"shown more often: {len(alarms)} false alarms, {len(missed)} missed faces, {len(turned)} faces turned aside; "
        f"{heads} pictures with heads drawn tight",
        flush=True,
    )
    return [alarms, missed, turned], better


def average(model: keras.Model, other: keras.Model, share: float) -> None:
    """Moves the weights of `model` towards those of `other`, which it was tuned from, by `share`."""
    model.set_weights(between(model.get_weights(), other.get_weights(), share))


def cache(workdir: Path) -> Path:
    """Where the hard examples of a training are kept, under the name that it knows them by."""
    older = workdir / "mistakes.json"
    return older if older.exists() else workdir / "hard_examples.json"


def _digest(config: DetectorConfig, start: Path | None) -> str | None:
    """SHA-256 of what a training begins with; None for random weights. Raises DataError, BundleError."""
    if start is None:
        weights = Path(config.weights)
        return sha256(weights) if weights.is_file() else None
    if start.is_dir():
        return sha256(bundle.load(start).path("detector", "onnx"))
    if not start.is_file():
        raise DataError(
            f"--start {start}: no such file; expected the detector.keras of an earlier training, or a bundle"
        )
    return sha256(start)


def starting_network(config: DetectorConfig, start: Path | None) -> keras.Model:
    """The network that a training begins with. Raises ConfigError, DataError, BundleError."""
    model = network.build(config.width, config.height, config.frozen_until)
    if start and start.is_dir():
        from_bundle.restore(model, bundle.load(start))
    elif start:
        _load(model, start)
    elif not config.weights:
        raise DataError(f"--weights is missing: {yunet.EXPECTED}, or --start with a bundle or a detector.keras")
    elif config.weights != RANDOM:
        yunet.begin(model, Path(config.weights))
    return model


def _load(model: keras.Model, start: Path) -> None:
    try:
        model.load_weights(start)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"--start {start}: does not fit this detector: {str(error).splitlines()[0]}") from error


def without_copies(scenes: list[Annotated], held_out: list[Annotated]) -> list[Annotated]:
    """`scenes` without those that have a near-duplicate among the validation pictures of another data set.

    Within one data set (one folder of pictures) its own split is trusted: see `train.data.splits`.
    """
    held = {(s.cluster, s.path.parent) for s in held_out if s.cluster}
    folders = {folder for _, folder in held}
    return [s for s in scenes if s.path.parent in folders or all((s.cluster, f) not in held for f in folders)]


def of_sources(scenes: list[Annotated], sources: list[str]) -> list[Annotated]:
    """The scenes of `sources`, all where it is empty. Raises DataError for a source that no scene is of."""
    known = {scene.source for scene in scenes}
    if missing := [source for source in sources if source not in known]:
        raise DataError(
            f"sources: no picture of {missing[0]!r}; expected some of {', '.join(sorted(known))}, "
            "or no `sources` for all of them"
        )
    return [scene for scene in scenes if scene.source in sources] if sources else scenes


def finder(model: keras.Model, threshold: float = 0.05) -> Callable[[Image], Rows]:
    """A Keras detector as a function picture (RGB) -> (M, 5) rows x0, y0, x1, y1, score in picture pixels."""
    height, width = model.input_shape[1:3]
    return float_rows(network.answering(model), width, height, threshold, 0.45)


class MeasureAP(keras.callbacks.Callback):
    """Adds COCO AP and AP50 on validation pictures to the logs of each epoch."""

    def __init__(self, scenes: list[Annotated], find: Callable[[Image], Rows]) -> None:
        super().__init__()
        self.scenes, self.find = scenes, find

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        result = coco_ap(self.scenes, self.find)
        logs.update({k: result[k] for k in ("AP", "AP50")})
        print(f"  epoch {epoch + 1}: " + ", ".join(f"{k} {v:.3f}" for k, v in result.items()), flush=True)
