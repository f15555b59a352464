"""A live run that looks after itself: says what state it is in, feeds the watchdog, reloads its settings."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from edge.cameras.base import ENDED, Live
from edge.core.errors import ConfigError, EngineError, MaskcamError
from edge.core.events import counts_json
from edge.core.metrics import Counters
from edge.core.ports import Sink
from edge.core.records import Event, Frame, Observation
from edge.runtime.controls import Controls
from edge.runtime.outputs import Watcher
from edge.runtime.parts import Runtime
from edge.runtime.signals import Flag
from edge.runtime.status import Status
from edge.runtime.step import Step, deliver
from edge.runtime.systemd import Notifier

if TYPE_CHECKING:
    from edge.config import Loaded
    from edge.config.settings import Settings

log = logging.getLogger(__name__)

POLL = 0.5
"""Seconds to wait for a frame before the flags are looked at again."""


class Assembly(Protocol):
    """What is used of `edge.assemble.Assembly`."""

    def sinks(self, settings: Settings) -> Sequence[Sink]: ...

    def apply(self, settings: Settings) -> Runtime: ...

    def stamp(self, event: Event) -> Event: ...


class Page(Protocol):
    """Who looks at a run from outside, such as `edge.web.hub.Hub`."""

    def send(self, event: Event) -> None: ...

    def close(self) -> None: ...

    def publish(
        self,
        observation: Observation | None,
        alert: bool,
        report: Mapping[str, Any],
        backends: Mapping[str, Mapping[str, str]],
        timers: Any,
    ) -> None:
        """Takes one turn of the loop."""

    def requests(self) -> Sequence[Callable[[Any], None]]:
        """What has been asked of the loop; each is called with its `Step`."""


class Service:
    """Watches a live camera.

    The supervisor hears "ready" once a frame has gone through both networks, and its watchdog is fed by those that
    follow and by nothing else: the camera hands out no repeated picture as new, and a network that hangs hands out
    nothing. While the camera is lost the process stays and reopens it; the watchdog then has it replaced by a fresh
    one, which heals what reopening does not.
    """

    def __init__(
        self,
        assembly: Assembly,
        load: Callable[[str], Loaded],
        notifier: Notifier,
        folder: Path | None = None,
        watchers: Sequence[Watcher] = (),
        page: Page | None = None,
        clock: Callable[[], float] = time.monotonic,
        controls: Controls | None = None,
    ) -> None:
        """`load` reads the settings, at the start and at every reload; status.json goes into `folder`;
        `page` is told of every turn.

        Told why settings cannot be used, `load` gives others, or raises ConfigError where there are none.
        """
        self._assembly, self._load, self._notifier = assembly, load, notifier
        self._clock, self._controls = clock, controls or Controls()
        loaded = load("")
        self._t = 0.0
        """`Frame.t` of the newest frame."""
        self._ready = False
        notifier.status("starting: loading the networks")
        self._page = page
        self._said = "", ""
        """State and detail as the sinks heard them last."""
        self._seen: Observation | None = None
        """What the page has not been shown yet."""
        crashed = loaded.trying()
        try:
            if crashed:
                raise ConfigError(crashed)
            runtime = self._start(loaded.settings)
        except Exception as error:  # whatever a setting can cause, in our code or in a library's
            loaded, runtime = self._otherwise(loaded, error, self._start, bool(crashed))
        self._step = Step(runtime, watchers, [page] if page else ())
        self._status = Status(self._step.counters, folder)
        self._take(loaded)

    def _start(self, settings: Settings) -> Runtime:
        sinks = self._assembly.sinks(settings)  # these first: the stamp bears the names that they set
        deliver(self._assembly.stamp(Event("state", 0.0, state="starting")), sinks)
        return self._assembly.apply(settings)

    def _otherwise(
        self, loaded: Loaded, error: Exception, start: Callable[[Settings], Runtime], crashed: bool = False
    ) -> tuple[Loaded, Runtime]:
        """Started on the settings that worked last or, where nothing ever did, without what is in the way.

        Raises `error`, which `loaded` caused, where that does not help either.
        """
        if not crashed:
            loaded.tried()
        try:
            good = self._load(_words(error))
        except ConfigError:
            for less in loaded.left_out(_words(error), crashed):
                with contextlib.suppress(Exception):
                    return less, start(less.settings)
            raise error from None
        return good, start(good.settings)

    def _take(self, loaded: Loaded) -> None:
        """These are in force from now on; they are the last good ones as soon as the camera has seen with them."""
        self._settings, self._unproven = loaded.settings, None if loaded.fallback else loaded
        self._note(loaded.fallback or "")

    @property
    def runtime(self) -> Runtime:
        return self._step.runtime

    @property
    def _camera(self) -> Live:
        return cast(Live, self._step.runtime.camera)  # a recording would not do here

    def run(self, stop: Flag, reload: Flag, duration: float | None = None) -> Counters:
        """Until `stop` is requested, a camera that can end has ended, or `duration` seconds have passed.

        Raises EngineError, and CameraError for what reopening cannot heal.
        """
        end = math.inf if duration is None else self._clock() + duration
        while not stop.requested and self._clock() < end:
            if reload.take():
                self._reload()
            for seconds in self._controls.snoozes() if self._ready else ():  # before the first frame there is no time
                self._snooze(seconds)
            said = self._controls.said_wrong()
            if self.runtime.collector and self.runtime.collector.listen(said) and self.runtime.door:
                self.runtime.door.wrong()
            try:
                if not self._poll(min(POLL, end - self._clock())):
                    break
            except Exception as error:
                if self._ready or self._status.notice:
                    if isinstance(error, EngineError):
                        self._enter("engine fault", str(error))
                    raise
                self._begin_again(error)
            self._status.write(self.runtime)
            if self._page:
                self._show(self._page)
        if self._unproven:
            self._unproven.tried()
        self._leave()
        self._enter("stopping")
        self._notifier.stopping()
        return self._step.counters

    def _show(self, page: Page) -> None:
        runtime, observation, self._seen = self.runtime, self._seen, None
        counts = runtime.tally.counts if runtime.tally else None
        report = self._status.report(runtime) | {
            "snoozed": round(runtime.policy.snoozed(self._t), 1),
            "today": counts_json(counts) if counts else None,
        }
        page.publish(observation, runtime.policy.active, report, report["stages"], runtime.timers)
        for request in page.requests():
            request(self._step)

    def _poll(self, wait: float) -> bool:
        """Looks at the newest frame, if one comes within `wait` seconds; False when none will ever come."""
        camera = self._camera
        with self.runtime.timers("camera"):
            frame = camera.poll(wait)
        if frame is not None:
            self._look(frame)
        elif camera.state.startswith("lost: "):
            self._enter("camera lost", camera.state.removeprefix("lost: "))
        return frame is not None or camera.state != ENDED

    def _begin_again(self, error: Exception) -> None:
        """On other settings, when those asked for fail before the first verdict."""
        if self._unproven is None:
            raise error
        loaded, self._step.runtime = self._otherwise(self._unproven, error, self._assembly.apply)
        self._take(loaded)

    def _look(self, frame: Frame) -> None:
        """One frame through everything; the first one through both networks, be there a face or not."""
        pipeline, self._t = self.runtime.pipeline, frame.t
        if not self._ready:
            pipeline.warm_up(frame.image)
        self._seen = observation = pipeline.process(frame)
        if any(event.kind == "no_mask" for event in self._step.finish(observation)):
            self._status.alerted()
        if observation.blind:
            self._enter("blind", observation.blind)
        elif observation.clear:  # a black picture at the start is not "ok" before it counts as "blind"
            self._enter(*self._condition())
        if not self._ready:
            self._ready = True
            self._notifier.ready()
        if self._unproven and observation.clear:
            self._unproven.worked()
            self._unproven = None
        self._notifier.alive(self._status.line(self.runtime))

    def _condition(self) -> tuple[str, str]:
        """The state of a camera that sees, and a line about it."""
        if self._status.notice:
            return "configuration error", self._status.notice
        spare = [f"{network}: {stage.describe()}" for network, stage in self.runtime.backends.items() if stage.reason]
        return ("engine fallback", "; ".join(spare)) if spare else ("ok", "")

    def _enter(self, state: str, detail: str = "") -> None:
        """Tells sinks and supervisor of a state, once."""
        if (state, detail) == self._said:
            return
        self._said = state, detail
        self._status.state, self._status.detail = state, detail
        self._step.send(Event("state", self._t, state=state, detail=detail))
        self._notifier.status(self._status.line(self.runtime))

    def _snooze(self, seconds: float | None) -> None:
        wanted = self._settings.alerts.snooze if seconds is None else seconds
        for event in self.runtime.policy.snooze(wanted, self._t):
            self._step.send(event)

    def _leave(self) -> None:
        """Whoever is in view is taken down: what follows would take them for others."""
        for event in self.runtime.tally.leave(self._t) if self.runtime.tally else []:
            self._step.send(event)

    def _reload(self) -> None:
        """Reads the settings again; those in force stay where the new ones cannot be used."""
        if self._ready:
            self._notifier.reloading()
        try:
            loaded = self._load("")
            problem = loaded.fallback or ""
        except MaskcamError as error:
            problem = str(error)
        if problem := problem or self._apply(loaded.settings):
            self._note(problem)
        else:
            self._take(loaded)
            log.info("settings reloaded")
        if self._ready:
            self._notifier.ready()

    def _apply(self, settings: Settings) -> str:
        """Why they cannot be used, and those before are in force again; "" when they are in force.

        Raises what keeps those before from being opened again: nothing stands then.
        """
        if self.runtime.policy.active:  # the new policy begins without an alert
            self._step.send(Event("all_clear", self._t))
        self._leave()
        snoozed = self.runtime.policy.snoozed(self._t)
        try:
            self._step.runtime, problem = self._assembly.apply(settings), ""
        except Exception as error:  # whatever a setting can cause, in our code or in a library's
            problem = _words(error)
        if problem:
            self._step.runtime = self._assembly.apply(self._settings)
        if snoozed:
            self._snooze(snoozed)
        self._said = "", ""  # so that sinks that were opened anew hear it
        return problem

    def _note(self, problem: str) -> None:
        """Why the requested settings are not in force; empty if they are."""
        for line in problem.splitlines():
            log.error("the previous settings remain in force: %s", line)
        self._status.notice = problem.partition("\n")[0]


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, MaskcamError) else f"{type(error).__name__}: {error}"
