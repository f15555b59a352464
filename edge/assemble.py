"""Puts the camera together from the settings: the only place that knows both the settings and the classes.

What is chosen is imported when it is chosen, so an unused camera or sink costs nothing and needs no package.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.alerts import AlertPolicy
from edge.decision import VotingJudge
from edge.errors import CameraError, EngineError, MissingPackage
from edge.metrics import Timers
from edge.pipeline import Pipeline
from edge.ports import Camera, Sink
from edge.tracker import GreedyTracker

if TYPE_CHECKING:  # pydantic is slow to import; only the type is wanted here
    from edge.settings import Settings

log = logging.getLogger(__name__)

CAMERAS = {
    "v4l2": "edge.camera.v4l2:V4L2Camera",
    "stream": "edge.camera.stream:StreamCamera",
    "recording": "edge.camera.files:open_recording",
    "synthetic": "edge.camera.synthetic:SyntheticCamera",
    "newest": "edge.camera.newest:Newest",
}
ENGINES = {
    "tflite": "edge.engines.tflite:open",
    "opencv": "edge.engines.opencv:open",
    "scripted": "edge.engines.scripted:open",
}
SINKS = {
    "log": "edge.sinks.log:LogSink",
    "journal": "edge.sinks.journal:JournalSink",
    "gpio": "edge.sinks.gpio:GpioSink",
    "memory": "edge.sinks.memory:MemorySink",
}
EXTRAS = {
    "cv2": "cpu",
    "ai_edge_litert": "cpu",
    "tflite_runtime": "cpu",
    "skimage": "demo",
    "pooch": "demo",
    "gpiozero": "pi",
    "gpiod": "jetson",
}
"""Which extra brings a package."""


def resolve(target: str) -> Any:
    """Imports "module:attribute".

    Raises MissingPackage when a package it needs is not installed and EngineError when an installed one does not
    load. A mistake inside maskcam itself is neither, and passes as it is.
    """
    module, attribute = target.split(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if isinstance(error, MissingPackage) or package in ("", "edge"):
            raise
        if isinstance(error, ModuleNotFoundError):
            raise MissingPackage(package, EXTRAS.get(package, "cpu")) from None
        raise EngineError(f"package '{package}' is installed but does not load: {error}") from None


@dataclass(frozen=True)
class Runtime:
    """Everything a run needs, opened."""

    camera: Camera
    pipeline: Pipeline
    policy: AlertPolicy
    sinks: Sequence[Sink]
    timers: Timers
    fps: float
    """Frame rate of the source, 1/s: what a video made of it should play at."""
    pictures: Sequence[Path]
    """The file of each picture of a set, by frame index; empty for anything else."""
    person_hits: int
    """Frames that make a track a person."""


@contextmanager
def runtime(settings: Settings, live: bool) -> Iterator[Runtime]:
    """Opens camera, networks and sinks, and closes all of them, in reverse order, whatever happens.

    `live`: paced like reality, frames that come too fast are dropped. Otherwise every frame of a recording counts.
    Raises CameraError, BundleError, EngineError, SinkError, MissingPackage.
    """
    with ExitStack() as stack:
        source = camera(settings, live)
        pictures = [Path(path) for path in getattr(source, "paths", ())]
        fps = float(getattr(source, "fps", settings.camera.fps))
        # `Newest` closes what it wraps, in the thread that reads it.
        opened = stack.enter_context(closing(resolve(CAMERAS["newest"])(source) if live else source))
        # Pictures of a set have nothing to do with one another: each is judged alone, by one look.
        stills = bool(pictures)
        timers = Timers()
        pipeline = _pipeline(settings, stills, timers, stack)
        sinks = [stack.enter_context(closing(sink)) for sink in _sinks(settings)]
        holds = settings.alerts
        policy = AlertPolicy(0, 0, 0) if stills else AlertPolicy(holds.raise_after, holds.clear_after, holds.cooldown)
        hits = 1 if stills else settings.decision.min_votes
        yield Runtime(opened, pipeline, policy, sinks, timers, fps, pictures, hits)


def camera(settings: Settings, live: bool) -> Camera:
    """The camera or recording that `camera.source` names. Raises CameraError and MissingPackage."""
    wanted, source = settings.camera, str(settings.camera.source)
    kind = _kind(source, live)
    arguments: dict[str, Any]
    if kind == "synthetic":
        size = {"width": wanted.width, "height": wanted.height, "fps": wanted.fps}
        arguments = size | {"duration": wanted.duration or None, "seed": wanted.seed, "realtime": live}
    elif kind == "v4l2":
        device = int(source) if source.isdigit() else source
        arguments = {"device": device, "width": wanted.width, "height": wanted.height, "fps": wanted.fps}
    elif kind == "stream":
        arguments = {"url": source, "timeout": wanted.timeout}
    else:
        arguments = {"path": Path(source), "realtime": live}
    opened: Camera = resolve(CAMERAS[kind])(**arguments)
    return opened


def _kind(source: str, live: bool) -> str:
    """The key of CAMERAS for a source."""
    if source == "synthetic":
        return "synthetic"
    if not live:
        return "recording"
    if source.isdigit() or source.startswith("/dev/"):
        return "v4l2"
    if "://" in source:
        return "stream"
    if Path(source).is_file():
        return "recording"
    found = "is a folder, which maskcam replay reads" if Path(source).is_dir() else "does not exist"
    raise CameraError(
        f"camera.source = '{source}' {found}: expected an index such as 0, /dev/..., rtsp:// or http(s)://, "
        "'synthetic' or a video file"
    )


def _pipeline(settings: Settings, stills: bool, timers: Timers, stack: ExitStack) -> Pipeline:
    """Both networks and the thinking between them; `stack` closes the engines."""
    bundle = resolve("edge.bundle:load")(settings.model.bundle or None)
    engines = {}
    for network, backend in (("detector", settings.backend.detector), ("classifier", settings.backend.classifier)):
        engines[network] = resolve(ENGINES[backend])(bundle, network, settings.backend.threads)
        stack.callback(engines[network].close)
    faces, judge, tracker = settings.detector, settings.decision, settings.tracker
    return Pipeline(
        resolve("edge.detector:FaceDetector")(
            engines["detector"], bundle.detector, faces.threshold or None, faces.overlap or None
        ),
        GreedyTracker(tracker.min_iou, 0.0 if stills else tracker.max_gap, tracker.smoothing, tracker.duplicate),
        resolve("edge.classifier:MaskClassifier")(engines["classifier"], bundle.classifier, judge.unsure_below),
        VotingJudge(
            min_votes=1 if stills else judge.min_votes,
            threshold=0.0 if stills else judge.threshold,
            limit=1.0 if stills else judge.limit,
            recheck_every=judge.recheck_every,
            doubt_after=judge.doubt_after,
            min_face=faces.min_face,
            forget_after=tracker.max_gap,
        ),
        timers,
    )


def _sinks(settings: Settings) -> Iterator[Sink]:
    """The sinks that are switched on, opened one by one."""
    chosen = settings.sinks
    if chosen.log:
        yield resolve(SINKS["log"])()
    if chosen.memory:
        yield resolve(SINKS["memory"])()
    if chosen.journal:
        yield resolve(SINKS["journal"])(Path(chosen.journal.path) if chosen.journal.path else None)
    if chosen.gpio:
        gpio = chosen.gpio
        yield resolve(SINKS["gpio"])(gpio.pin, gpio.active_high, gpio.driver, log.info if gpio.announce else None)
