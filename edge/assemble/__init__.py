"""Builds the camera from the settings: the only place that knows both the settings and the classes.

A part is imported when the settings choose it, so an unused camera or sink costs nothing and needs no package.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from edge.assemble import networks, sinks, source
from edge.assemble.collect import collecting
from edge.assemble.networks import engine, probe
from edge.assemble.sinks import own, sections, sink
from edge.assemble.source import camera
from edge.core.metrics import Timers
from edge.core.plugins import resolve
from edge.core.ports import Camera, Engine, Sink
from edge.history.reader import History, Past
from edge.runtime import identity
from edge.runtime.clock import clock_is_set
from edge.runtime.controls import Controls
from edge.runtime.door import Door
from edge.runtime.identity import Stamper
from edge.runtime.parts import Runtime
from edge.runtime.pipeline import Pipeline
from edge.runtime.systemd import state_directory
from edge.tracking.alerts import AlertPolicy, StillsPolicy
from edge.tracking.tally import Tally
from edge.tracking.tracker import GreedyTracker
from edge.tracking.voting import VotingJudge
from edge.vision.change import ChangeDetector
from edge.vision.visibility import Visibility

if TYPE_CHECKING:  # pydantic is slow to import; only the types are needed here
    from edge.config.settings import Settings
    from edge.sinks.snapshots import Film
    from edge.vision.bundle import Bundle

__all__ = [
    "Assembly",
    "Runtime",
    "camera",
    "engine",
    "own",
    "probe",
    "resolve",
    "runtime",
    "sections",
    "sink",
]

T = TypeVar("T")


@contextmanager
def runtime(settings: Settings, live: bool) -> Iterator[Runtime]:
    """Opens camera, networks and sinks, and always closes them in reverse order.

    `live`: frames are taken in real time, and those that arrive too fast are dropped. Otherwise no frame of a
    recording is dropped.
    Raises CameraError, BundleError, EngineError, SinkError, MissingPackage.
    """
    with closing(Assembly(live)) as assembly:
        yield assembly.apply(settings)


class Assembly:
    """What a run needs, opened as the settings say; new settings are applied between two frames."""

    def __init__(self, live: bool, controls: Controls | None = None) -> None:
        """`controls` receives the requests that reach the sinks."""
        self._live, self._controls = live, controls or Controls()
        self.stamp = Stamper(identity.origin(), time.time) if live else Stamper(identity.origin(), None, run="0")
        self._tally: Tally | None = None
        self._parts: dict[str, tuple[Any, Any, ExitStack]] = {}
        """The open parts in the order of opening: the settings of each, the part itself, and what closes it."""

    def apply(self, settings: Settings, camera: Camera | None = None) -> Runtime:
        """Opens what is not open yet. Camera, networks and sinks stay open while their sections are unchanged, so no
        frame is lost; what lies between them starts afresh. Raises what `runtime` raises; applying the previous
        settings again repairs that.

        `camera`: in place of the one that the settings name; whoever made it closes it.
        """
        sinks, film = self._sinks(settings)
        unnamed = settings.camera.model_copy(update={"name": ""})
        found = (
            (camera, (), settings.camera.fps)
            if camera
            else self._part("camera", unnamed, lambda stack: source.opened(settings, self._live, stack))
        )
        engines = self._part(
            "networks", (settings.model, settings.backend), lambda stack: networks.opened(settings, self._live, stack)
        )
        opened, pictures, fps = found
        bundle = engines[0]
        self.stamp.origin = replace(self.stamp.origin, bundle=f"{bundle.name} {bundle.created}")
        # The pictures of a set are unrelated: each is judged alone, once.
        stills = bool(pictures)
        timers = Timers()
        pipeline = _pipeline(settings, *engines, stills, timers)
        alerts = settings.alerts.model_dump(exclude={"snooze"})
        policy = StillsPolicy([str(path) for path in pictures]) if stills else AlertPolicy(**alerts)
        hits = 1 if stills else settings.decision.min_votes
        name = source.named(settings)
        return Runtime(
            opened,
            pipeline,
            policy,
            sinks,
            timers,
            fps,
            pictures,
            hits,
            name,
            backends=engines[1],
            tally=self._counting(settings) if self._live else None,
            stamp=self.stamp,
            collector=self._part("collect", settings.collect, lambda stack: collecting(settings, stack))
            if self._live
            else None,
            door=self._part("door", bundle.fingerprint, lambda stack: _door(bundle, stack)) if self._live else None,
            keep=film.keep if film else None,
        )

    def sinks(self, settings: Settings) -> Sequence[Sink]:
        """Opens the sinks first, so that they can report that the rest is starting."""
        return self._sinks(settings)[0]

    def _sinks(self, settings: Settings) -> tuple[Sequence[Sink], Film | None]:
        """The open sinks, and the film that they take pictures from."""
        who = identity.origin(settings.device.name, settings.camera.name)
        self.stamp.origin = replace(who, bundle=self.stamp.origin.bundle)
        key = (settings.sinks, settings.device, settings.camera.name, settings.collect is None)

        def open(stack: ExitStack) -> tuple[Sequence[Sink], Film | None]:
            film = sinks.film(settings)
            return _opened(sinks.chosen(settings, self._live, self._controls, film), stack), film

        return self._part("sinks", key, open)

    def _counting(self, settings: Settings) -> Tally:
        """One for the whole run: the day's counts continue when the settings change."""
        hits, gap = settings.decision.min_votes, settings.tracker.max_gap
        if self._tally is None:
            section = settings.sinks.history
            past = Past(History(sinks.history_file(section))) if section else None
            self._tally = Tally(hits, gap, time.time, self.stamp.clock_set, past)
        self._tally.person_hits, self._tally.max_gap = hits, gap
        return self._tally

    def close(self) -> None:
        with ExitStack() as stack:  # one that cannot be closed must not keep the others open
            for name in list(self._parts):
                stack.callback(self._drop, name)

    def _part(self, name: str, key: Any, open: Callable[[ExitStack], T]) -> T:
        """The part called `name` if it was opened with an equal `key`; otherwise it is closed and opened again."""
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


def _door(bundle: Bundle, stack: ExitStack) -> Door:
    return stack.enter_context(closing(Door(bundle, state_directory(), clock_is_set)))


def _opened(sinks: Iterable[Sink], stack: ExitStack) -> Sequence[Sink]:
    return [stack.enter_context(closing(sink)) for sink in sinks]


def _pipeline(
    settings: Settings, bundle: Bundle, engines: Mapping[str, Engine], stills: bool, timers: Timers
) -> Pipeline:
    """Both networks with tracking and voting between them."""
    faces, judge, tracker = settings.detector, settings.decision, settings.tracker
    visibility, threshold = settings.visibility, faces.threshold or bundle.detector.operating
    return Pipeline(
        resolve("edge.vision.detector:FaceDetector")(
            engines["detector"],
            bundle.detector,
            threshold,
            faces.nms_iou or None,
            timers,
            None if faces.windows == "auto" else faces.windows,
            0.0 if faces.threshold else faces.min_face,
            not stills,
        ),
        GreedyTracker(
            tracker.min_iou,
            0.0 if stills else tracker.max_gap,
            tracker.smoothing,
            tracker.duplicate,
            0.0 if stills or faces.threshold else tracker.start_score,
        ),
        resolve("edge.vision.classifier:MaskClassifier")(
            engines["classifier"],
            bundle.classifier,
            judge.unsure_below,
            judge.not_a_face,
            threshold if bundle.detector.joint_threshold else None,
        ),
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
        Visibility(visibility.dark, visibility.flat, 0.0 if stills else visibility.hold, 1.0 if stills else 1.5),
        None if stills else ChangeDetector(smallest=faces.min_face),
    )
