"""Puts the camera together from the settings: the only place that knows both the settings and the classes.

What is chosen is imported when it is chosen, so an unused camera or sink costs nothing and needs no package.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edge.alerts import AlertPolicy
from edge.decision import VotingJudge
from edge.errors import CameraError, EngineError, MissingPackage
from edge.metrics import Timers
from edge.pipeline import Pipeline
from edge.ports import Camera, Engine, Sink
from edge.records import KINDS
from edge.sight import Sight
from edge.tracker import GreedyTracker

if TYPE_CHECKING:  # pydantic is slow to import; only the types are wanted here
    from edge.bundle import Bundle
    from edge.engines.probe import Candidate, Row
    from edge.engines.stage import Stage
    from edge.settings import Settings

T = TypeVar("T")

log = logging.getLogger(__name__)

CAMERAS = {
    "pi": "edge.camera.pi:PiCamera",
    "csi": "edge.camera.csi:CsiCamera",
    "v4l2": "edge.camera.v4l2:V4L2Camera",
    "stream": "edge.camera.stream:StreamCamera",
    "recording": "edge.camera.files:open_recording",
    "synthetic": "edge.camera.synthetic:SyntheticCamera",
    "view": "edge.camera.view:View",
    "newest": "edge.camera.newest:Newest",
    "steady": "edge.camera.steady:SteadyCamera",
}
DEVICES = ("pi", "csi", "v4l2", "stream")
"""Cameras that can be lost and come back."""
ENGINES = {
    "tflite": "edge.engines.tflite:open",
    "coral": "edge.engines.coral:open",
    "opencv": "edge.engines.opencv:open",
    "opencv-cuda": "edge.engines.opencv:open_cuda",
    "opencv-cuda-fp16": "edge.engines.opencv:open_cuda_fp16",
    "scripted": "edge.engines.scripted:open",
}
ISOLATED = ("coral", "opencv-cuda", "opencv-cuda-fp16")
"""Engines whose drivers may crash or hang: they run in a process of their own."""
AUTO = ("tflite", "coral", "opencv", "opencv-cuda", "opencv-cuda-fp16")
"""What "auto" and a fallback may take."""
SINKS = {
    "log": "edge.sinks.log:LogSink",
    "journal": "edge.sinks.journal:JournalSink",
    "gpio": "edge.sinks.gpio:GpioSink",
    "buzzer": "edge.sinks.gpio:GpioSink",
    "webhook": "edge.sinks.webhook:WebhookSink",
    "command": "edge.sinks.command:CommandSink",
    "mqtt": "edge.sinks.mqtt:MqttSink",
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
    "paho": "mqtt",
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
    source: str = ""
    """Name of the camera, without passwords."""
    backends: Mapping[str, Stage] = field(default_factory=dict)
    """Of "detector" and "classifier": what was asked for, what runs and why."""


@contextmanager
def runtime(settings: Settings, live: bool) -> Iterator[Runtime]:
    """Opens camera, networks and sinks, and closes all of them, in reverse order, whatever happens.

    `live`: paced like reality, frames that come too fast are dropped. Otherwise every frame of a recording counts.
    Raises CameraError, BundleError, EngineError, SinkError, MissingPackage.
    """
    with closing(Assembly(live)) as assembly:
        yield assembly.fit(settings)


class Assembly:
    """What a run needs, opened as the settings say, and changed between two frames when they change."""

    def __init__(self, live: bool) -> None:
        self._live = live
        self._parts: dict[str, tuple[Any, Any, ExitStack]] = {}
        """What stands, in the order of opening: the settings it was opened with, itself, and how it is closed."""

    def fit(self, settings: Settings) -> Runtime:
        """Opens what is not there yet. Camera, networks and sinks stay when their sections are the same, so that no frame
        is lost; what lies between them starts anew. Raises what `runtime` raises; `fit` to older settings mends that.
        """
        sinks = self.sinks(settings)
        source = self._part("camera", settings.camera, lambda stack: _source(settings, self._live, stack))
        networks = self._part(
            "networks", (settings.model, settings.backend), lambda stack: _networks(settings, self._live, stack)
        )
        opened, pictures, fps = source
        # Pictures of a set have nothing to do with one another: each is judged alone, by one look.
        stills = bool(pictures)
        timers = Timers()
        pipeline = _pipeline(settings, *networks, stills, timers)
        policy = AlertPolicy(0, 0, 0) if stills else AlertPolicy(**settings.alerts.model_dump())
        hits = 1 if stills else settings.decision.min_votes
        name = _named(settings)
        return Runtime(opened, pipeline, policy, sinks, timers, fps, pictures, hits, name, backends=networks[1])

    def sinks(self, settings: Settings) -> Sequence[Sink]:
        """The sinks alone, which come first: they can tell that the rest is on its way."""
        return self._part("sinks", settings.sinks, lambda stack: _opened(_sinks(settings, self._live), stack))

    def close(self) -> None:
        with ExitStack() as stack:  # one that cannot be closed keeps none of the others open
            for name in list(self._parts):
                stack.callback(self._drop, name)

    def _part(self, name: str, key: Any, open: Callable[[ExitStack], T]) -> T:
        """What stands under `name`, if it was opened with an equal `key`; otherwise it is closed and opened anew."""
        if name in self._parts and self._parts[name][0] == key:
            return self._parts[name][1]
        self._drop(name)
        with ExitStack() as stack:
            what = open(stack)
            self._parts[name] = (key, what, stack.pop_all())
        return what

    def _drop(self, name: str) -> None:
        if name in self._parts:
            self._parts.pop(name)[2].close()


def _opened(sinks: Iterable[Sink], stack: ExitStack) -> Sequence[Sink]:
    return [stack.enter_context(closing(sink)) for sink in sinks]


def _source(settings: Settings, live: bool, stack: ExitStack) -> tuple[Camera, Sequence[Path], float]:
    """The camera, opened; the files of a set of pictures; the frame rate, 1/s."""
    wanted, kind = settings.camera, _kind(str(settings.camera.source), live)
    if kind in DEVICES:
        resolve(CAMERAS[kind])  # what is not installed is said at once, not by the thread that opens the camera
        steady = resolve(CAMERAS["steady"])(
            partial(camera, settings, live),
            wanted.timeout + wanted.lost_after,
            wanted.lost_after,
            wanted.frozen_after,
            wanted.retry_first,
            wanted.retry_longest,
            wanted.reopen,
        )
        return stack.enter_context(closing(steady)), [], wanted.fps
    source = camera(settings, live)
    # `Newest` closes what it wraps, in the thread that reads it.
    opened = stack.enter_context(closing(resolve(CAMERAS["newest"])(source) if live else source))
    pictures = [Path(path) for path in getattr(source, "paths", ())]
    return opened, pictures, float(getattr(source, "fps", wanted.fps))


def _named(settings: Settings) -> str:
    source = str(settings.camera.source)
    return str(resolve("edge.camera.stream:blanked")(source)) if "://" in source else source


def camera(settings: Settings, live: bool) -> Camera:
    """The camera or recording that `camera.source` names, opened. Raises CameraError and MissingPackage."""
    wanted, source = settings.camera, str(settings.camera.source)
    kind = _kind(source, live)
    size = {"width": wanted.width, "height": wanted.height, "fps": wanted.fps}
    number = int(source.partition(":")[2] or 0) if kind in ("pi", "csi") else 0
    arguments: dict[str, dict[str, Any]] = {
        "pi": size | {"number": number, "exposure": wanted.exposure, "silence": wanted.lost_after},
        "csi": size | {"sensor": number, "exposure": wanted.exposure},
        "v4l2": size | {"device": source, "format": wanted.format, "exposure": wanted.exposure},
        "stream": {"url": source, "timeout": wanted.timeout, "silence": wanted.lost_after},
        "synthetic": size | {"duration": wanted.duration or None, "seed": wanted.seed, "realtime": live},
        "recording": {"path": Path(source), "realtime": live},
    }
    opened: Any = resolve(CAMERAS[kind])(**arguments[kind])
    if kind in DEVICES:
        log.info("camera: %s", opened.describe())
    if (wanted.rotation, wanted.flip, wanted.region) == (0, "none", [0, 0, 1, 1]):
        return opened
    return resolve(CAMERAS["view"])(opened, wanted.rotation, wanted.flip, wanted.region)


def _kind(source: str, live: bool) -> str:
    """The key of CAMERAS for a source."""
    if source == "synthetic":
        return "synthetic"
    if not live:
        return "recording"
    if named := re.fullmatch(r"(pi|csi)(:\d+)?", source):
        return named[1]
    if source.isdigit() or source.startswith("/dev/"):
        return "v4l2"
    if "://" in source:
        return "stream"
    if Path(source).is_file():
        return "recording"
    found = "is a folder, which maskcam replay reads" if Path(source).is_dir() else "does not exist"
    raise CameraError(
        f"camera.source = '{source}' {found}: expected an index such as 0, /dev/..., 'pi', 'csi', rtsp:// or "
        "http(s)://, 'synthetic' or a video file"
    )


def _networks(settings: Settings, live: bool, stack: ExitStack) -> tuple[Bundle, Mapping[str, Stage]]:
    """The bundle and an engine for each of its networks.

    Only a live camera is worth the seconds that measuring takes; a recording is judged alike on every machine.
    """
    bundle = resolve("edge.bundle:load")(settings.model.bundle or None)
    wanted, known = settings.backend, candidates()
    requested = {"detector": wanted.detector, "classifier": wanted.classifier}
    rows: Sequence[Row] = ()
    if live and "auto" in requested.values():
        rows = probe(settings, bundle)
    opener = resolve("edge.engines.choose:Opener")(
        known, AUTO, bundle, resolve, stack, wanted.threads, wanted.device, wanted.strict, rows
    )
    stages: dict[str, Stage] = {}
    for network, name in requested.items():
        stages[network] = opener.open(network, name)
        stack.callback(stages[network].close)
    for network, stage in stages.items():
        log.log(logging.WARNING if stage.reason else logging.INFO, "%s: %s", network, stage.describe())
    return bundle, stages


def candidates() -> dict[str, Candidate]:
    """Every engine with what has to be known of it to try it."""
    known, forms = resolve("edge.engines.probe:Candidate"), {"tflite": "tflite", "coral": "edgetpu", "scripted": ""}
    int8, real = resolve("edge.engines.known:INT8"), resolve("edge.engines.known:FLOAT")
    no_cuda = resolve("edge.engines.opencv:built_without_cuda")()
    found = {}
    for name, target in ENGINES.items():
        form, absent = forms.get(name, "onnx"), no_cuda if "cuda" in name else ""
        found[name] = known(name, target, name in ISOLATED, real if form == "onnx" else int8, form, absent)
    return found


def probe(settings: Settings, bundle: Bundle, anew: bool = False) -> Sequence[Row]:
    """What each engine that "auto" may take can do here; from the state directory unless `anew`."""
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    wanted, known = settings.backend, candidates()
    rows: Sequence[Row] = resolve("edge.engines.choose:measured")(
        [known[name] for name in AUTO], bundle, wanted.threads, wanted.device, Path(state) if state else None, anew
    )
    return rows


def _pipeline(
    settings: Settings, bundle: Bundle, engines: Mapping[str, Engine], stills: bool, timers: Timers
) -> Pipeline:
    """Both networks and the thinking between them."""
    faces, judge, tracker, sight = settings.detector, settings.decision, settings.tracker, settings.sight
    return Pipeline(
        resolve("edge.detector:FaceDetector")(
            engines["detector"], bundle.detector, faces.threshold or None, faces.overlap or None, timers
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
        Sight(sight.dark, sight.flat, 0.0 if stills else sight.hold, 1.0 if stills else 1.5),
    )


def _sinks(settings: Settings, live: bool) -> Iterator[Sink]:
    """The sinks that are switched on.

    Live, whatever can fail or hang stands behind a thread of its own. A replay opens only what reaches nobody else: old
    events light no lamp and call no one, and the file of settings of a device can be tried where its pins are not.
    """
    if settings.sinks.log:
        yield resolve(SINKS["log"])()
    if settings.sinks.memory:
        yield resolve(SINKS["memory"])()
    for name in SINKS:
        section = getattr(settings.sinks, name)
        if isinstance(section, bool) or section is None:
            continue
        open = partial(sink, name, section, live)
        if live:
            yield resolve("edge.sinks.isolated:Isolated")(
                f"sinks.{name}",
                open,
                kinds=getattr(section, "kinds", KINDS),
                restate=name in ("gpio", "buzzer", "mqtt"),
                attempts=1 if name == "command" else 5,  # a sound is no longer wanted a minute later
            )
        elif name == "journal" or getattr(section, "driver", "") == "mock":
            yield open()
        else:
            log.info("sinks.%s: left out of a replay", name)


def sink(name: str, section: Any, live: bool) -> Sink:
    """Opens one sink as its section of the settings says. Raises ConfigError, SinkError and MissingPackage."""
    arguments: dict[str, Any] = section.model_dump(exclude={"kinds"})
    if name in ("gpio", "buzzer"):
        patterns = dict(resolve(f"edge.sinks.patterns:{'LIGHT' if name == 'gpio' else 'BUZZER'}"))
        if not arguments.pop("heartbeat", True):
            del patterns["ok"]
        arguments |= {"patterns": patterns, "name": "LED" if name == "gpio" else "buzzer"}
        arguments["safe"] = arguments.pop("lit_when_stopped", False)
        arguments["self_test"] &= live
        arguments["announce"] = log.info if section.announce else None
    opened: Sink = resolve(SINKS[name])(**arguments)
    return opened
