"""A live run that reports its state, feeds the watchdog and reloads its settings."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
"""Seconds to wait for a frame before the flags are checked again."""


class Assembly(Protocol):
    """The part of `edge.assemble.Assembly` that is used here."""

    def sinks(self, settings: Settings) -> Sequence[Sink]: ...

    def apply(self, settings: Settings) -> Runtime: ...

    def stamp(self, event: Event) -> Event: ...


class Page(Protocol):
    """An observer of a run, such as `edge.web.hub.Hub`."""

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
        """Takes one step of the loop."""

    def requests(self) -> Sequence[Callable[[Any], None]]:
        """Requests to the loop that are due; each is called with the loop's `Step`."""


class Service:
    """Runs on a live camera.

    The supervisor is told "ready" once a frame has gone through both networks, and only the frames that follow feed
    its watchdog: a camera does not pass off a repeated picture as new, and a network that hangs gives no result. While
    the camera is lost the process keeps reopening it, until the watchdog replaces the process with a new one, which
    cures what reopening does not.
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
        """`load` reads the settings, at the start and at every reload; status.json is written to `folder`;
        `page` is told of every step.

        `load` is given the reason when settings cannot be used; it returns others, or raises ConfigError if there are
        none.
        """
        self._assembly, self._load, self._notifier = assembly, load, notifier
        self._clock, self._controls = clock, controls or Controls()
        loaded = load("")
        self._t = 0.0
        """The run's time in seconds: `Frame.t` of the newest frame or, while none comes, what it would be by now."""
        self._seen_at: float | None = None
        """When the newest frame came, by `clock`."""
        self._opened: tuple[Live | None, float] = None, 0.0
        """The camera of the newest frame, and what is added to its time."""
        self._ready = False
        notifier.status("starting: loading the networks")
        self._page = page
        self._said = "", ""
        """State and detail as last sent to the sinks."""
        self._seen: Observation | None = None
        """Events that the page has not seen yet."""
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
        sinks = self._assembly.sinks(settings)  # these first: the stamp carries the names that they set
        deliver(self._assembly.stamp(Event("state", 0.0, state="starting")), sinks)
        return self._assembly.apply(settings)

    def _otherwise(
        self, loaded: Loaded, error: Exception, start: Callable[[Settings], Runtime], crashed: bool = False
    ) -> tuple[Loaded, Runtime]:
        """Starts with the last good settings or, if there are none, without what fails.

        Raises `error`, which `loaded` caused, if that fails too.
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
        """Puts these settings in force; they become the last good ones after the first verdict."""
        self._settings, self._unproven = loaded.settings, None if loaded.fallback else loaded
        self._note(loaded.fallback or "")

    @property
    def runtime(self) -> Runtime:
        return self._step.runtime

    @property
    def _camera(self) -> Live:
        return cast(Live, self._step.runtime.camera)  # not for a recording

    def run(self, stop: Flag, reload: Flag, duration: float | None = None) -> Counters:
        """Runs until `stop` is requested, the source ends, or `duration` seconds have passed.

        Raises EngineError, and CameraError if reopening cannot help.
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
        self._clear()
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
        """Processes the newest frame if one arrives within `wait` seconds; False if none will ever come."""
        camera = self._camera
        with self.runtime.timers("camera"):
            frame = camera.poll(wait)
        self._tick(frame)
        if frame is not None:
            self._process(replace(frame, t=self._t))
        elif camera.state.startswith("lost: "):
            self._enter("camera lost", camera.state.removeprefix("lost: "))
            self._idle()
        return frame is not None or camera.state != ENDED

    def _tick(self, frame: Frame | None) -> None:
        """Advances the time. It does not stand still without frames, and a camera that new settings have opened, whose
        own time begins with zero, continues it: a snooze would last longer, and visits would end when they did not."""
        now = self._clock()
        if self._seen_at is not None and frame is None:
            self._t, self._seen_at = self._t + now - self._seen_at, now
        elif frame is not None:
            if self._opened[0] is not self._camera:
                passed = 0.0 if self._seen_at is None else self._t + now - self._seen_at - frame.t
                self._opened = self._camera, passed
            self._t, self._seen_at = frame.t + self._opened[1], now

    def _idle(self) -> None:
        """What happens without frames: a snooze ends, people have left, a day is over."""
        runtime = self.runtime
        over = [] if runtime.policy.snoozed(self._t) else runtime.policy.snooze(0, self._t)
        for event in [*over, *(runtime.tally.idle(self._t) if runtime.tally else [])]:
            self._step.send(event)

    def _begin_again(self, error: Exception) -> None:
        """Continues with other settings if the requested ones fail before the first verdict."""
        if self._unproven is None:
            raise error
        loaded, self._step.runtime = self._otherwise(self._unproven, error, self._assembly.apply)
        self._take(loaded)

    def _process(self, frame: Frame) -> None:
        """Processes one frame; the first one goes through both networks even without a face."""
        pipeline = self.runtime.pipeline
        if not self._ready:
            pipeline.warm_up(frame.image)
        self._seen = observation = pipeline.process(frame)
        if any(event.kind == "no_mask" for event in self._step.finish(observation)):
            self._status.alerted()
        if observation.blind:
            self._enter("blind", observation.blind)
        elif observation.clear:  # a black picture at the start must not be "ok" until it counts as "blind"
            self._enter(*self._condition())
        if not self._ready:
            self._ready = True
            self._notifier.ready()
        if self._unproven and observation.clear:
            self._unproven.worked()
            self._unproven = None
        self._notifier.alive(self._status.line(self.runtime))

    def _condition(self) -> tuple[str, str]:
        """The state of a camera that delivers frames, and a line about it."""
        if self._status.notice:
            return "configuration error", self._status.notice
        spare = [f"{network}: {stage.describe()}" for network, stage in self.runtime.backends.items() if stage.reason]
        return ("engine fallback", "; ".join(spare)) if spare else ("ok", "")

    def _enter(self, state: str, detail: str = "") -> None:
        """Reports a state to the sinks and the supervisor, once."""
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

    def _clear(self) -> None:
        """Clears an active alert: nobody watches any more, or a new policy that starts without one."""
        if self.runtime.policy.active:
            self._step.send(Event("all_clear", self._t))

    def _leave(self) -> None:
        """Closes the visits of everybody in view: after this, the tracker would count them as other people."""
        for event in self.runtime.tally.leave(self._t) if self.runtime.tally else []:
            self._step.send(event)

    def _reload(self) -> None:
        """Reads the settings again; the old ones stay in force if the new ones cannot be used."""
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
        """Applies them. Returns "" or, with the previous ones in force again, why they cannot be used.

        Raises the error that prevents the previous ones from being opened again: then nothing is open.
        """
        self._clear()
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
        self._said = "", ""  # so that reopened sinks receive it
        return problem

    def _note(self, problem: str) -> None:
        """Why the requested settings are not in force; empty if they are."""
        for line in problem.splitlines():
            log.error("the previous settings remain in force: %s", line)
        self._status.notice = problem.partition("\n")[0]


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, MaskcamError) else f"{type(error).__name__}: {error}"
