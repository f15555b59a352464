"""A live run over fakes: what supervisor and sinks hear, what a reload changes, what status says. No time passes."""

import errno
import json
import os
import signal
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from edge.assemble import Runtime
from edge.cameras.base import ENDED, OK, Live
from edge.config import settings as defaults
from edge.core.errors import ConfigError, EngineError, SinkError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.metrics import Counters, Timers
from edge.core.records import Face, Frame, Verdict
from edge.runtime.controls import Controls
from edge.runtime.pipeline import Pipeline
from edge.runtime.service import Service
from edge.runtime.signals import Flag, reload_on_signal, stop_on_signals
from edge.runtime.status import Status
from edge.testing.defaults import with_defaults
from edge.testing.sink import MemorySink
from edge.tracking.alerts import AlertPolicy
from edge.tracking.tally import Tally
from edge.tracking.tracker import GreedyTracker
from edge.tracking.voting import VotingJudge
from edge.vision.visibility import Visibility

AlertPolicy = with_defaults(AlertPolicy, defaults.Alerts())
GreedyTracker = with_defaults(GreedyTracker, defaults.Tracker())
Visibility = with_defaults(Visibility, defaults.Visibility())
VotingJudge = with_defaults(VotingJudge, defaults.Judgement(), defaults.Detector(), forget_after=1.0)


class Camera(Live):
    """Plays a script: a number is so many frames at 10 a second, a text a state in which none comes, a call is made."""

    def __init__(self, *script) -> None:
        self.script, self.frames = list(script), 0

    def poll(self, timeout):
        while self.script:
            step = self.script.pop(0)
            if callable(step):
                step()
            elif isinstance(step, str):
                self.state = step
                return None
            elif step:
                self.script.insert(0, step - 1)
                self.state, self.frames = OK, self.frames + 1
                return Frame(self.frames - 1, (self.frames - 1) / 10, np.zeros((96, 128, 3), np.uint8))
        self.state = ENDED
        return None


class Faces:
    """A detector that finds one face, or none."""

    def __init__(self, count=1) -> None:
        self.count = count

    def detect(self, image):
        return [Face(Box(40, 20, 90, 80), 0.9)] * self.count


class Bare:
    """A classifier that counts its looks."""

    looks = 0

    def classify(self, image, box, score=None):
        self.looks += 1
        return Verdict(Mask.OFF, 1.0)


class Stuck:
    def detect(self, image):
        raise EngineError("no answer")


class Supervisor:
    """A notifier that remembers."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.said: list[str] = []

    def __getattr__(self, name):
        return lambda: self.heard.append(name)

    def alive(self, status: str) -> None:
        self.heard.append("alive")
        self.said.append(status)

    def status(self, text: str) -> None:
        self.heard.append(text.split(";")[0])
        self.said.append(text)


@dataclass(frozen=True)
class Settings:
    """What the fake assembly is told."""

    raise_after: float = 1.0
    broken: bool = False


@dataclass(frozen=True)
class Loaded:
    settings: Settings = Settings()
    fallback: str | None = None
    kept: list[Settings] = field(default_factory=list)

    less: tuple[Settings, ...] = ()
    """What is left of them, when something is left out."""
    died: str = ""
    over: list[bool] = field(default_factory=list)
    """One for each time it was told that the start is over."""

    def worked(self) -> None:
        self.kept.append(self.settings)

    def trying(self) -> str:
        return self.died

    def tried(self) -> None:
        self.over.append(True)

    def left_out(self, why, crashed):
        return (Loaded(settings, f"{why}\nleft out") for settings in self.less)


class Assembly:
    """Fits fakes around one camera and one sink."""

    def __init__(self, camera, detector=None) -> None:
        self.camera, self.detector, self.sink = camera, detector or Faces(), MemorySink()
        self.classifier, self.fitted = Bare(), []
        self.tally: Tally | None = None
        self.collector = None

    def sinks(self, settings):
        return [self.sink]

    def stamp(self, event):
        return event

    def apply(self, settings):
        self.fitted.append(settings)
        if settings.broken:
            raise SinkError("no such pin")
        pipeline = Pipeline(self.detector, GreedyTracker(), self.classifier, VotingJudge(), Timers())
        policy = AlertPolicy(raise_after=settings.raise_after)
        parts = {"tally": self.tally, "collector": self.collector}
        return Runtime(self.camera, pipeline, policy, [self.sink], Timers(), 10.0, [], 3, "door", **parts)


def service(assembly, *loads, folder=None, asked=None, **options):
    """A service that loads each of `loads` in turn, and its supervisor; `asked`: what it told when it asked."""
    supervisor, texts = Supervisor(), list(loads) or [Loaded()]
    asked = [] if asked is None else asked

    def load(unusable):
        asked.append(unusable)
        if unusable and not texts:
            raise ConfigError(unusable)
        loaded = texts.pop(0)
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    return Service(assembly, load, supervisor, folder, **options), supervisor


def told(assembly) -> list[str]:
    return [event.state or event.kind for event in assembly.sink.events]


def test_ready_comes_after_the_first_frame_and_the_watchdog_is_fed_by_frames_alone():
    assembly = Assembly(Camera("starting", "lost: unplugged", 2, "lost: no frame comes", "lost: no frame comes", 1))
    run, supervisor = service(assembly)
    run.run(Flag(), Flag())
    assert supervisor.heard == [
        "starting: loading the networks",
        "camera lost (unplugged)",
        *("ok", "ready", "alive", "alive"),
        "camera lost (no frame comes)",
        *("ok", "alive"),
        *("stopping", "stopping"),
    ]


def test_sinks_hear_of_every_state_once():
    assembly = Assembly(Camera("lost: unplugged", 1, "lost: gone", "lost: gone", 2), Faces(0))
    run, _ = service(assembly)
    run.run(Flag(), Flag())
    assert told(assembly) == ["starting", "camera lost", "ok", "camera lost", "ok", "stopping"]
    assert [e.detail for e in assembly.sink.events if e.state == "camera lost"] == ["unplugged", "gone"]


def test_both_networks_have_run_before_it_is_ready_though_nobody_is_there():
    assembly = Assembly(Camera(3), Faces(0))
    run, supervisor = service(assembly)
    run.run(Flag(), Flag())
    assert assembly.classifier.looks == 1
    assert supervisor.heard.count("ready") == 1


def test_a_snooze_is_granted_between_two_frames_and_survives_a_reload():
    controls, reload = Controls(), Flag()
    assembly = Assembly(
        Camera(15, lambda: controls.snooze(600.0), 5, reload.request, 15, lambda: controls.snooze(0), 5)
    )
    loads = Loaded(Settings(raise_after=0.5)), Loaded(Settings(raise_after=0.5))
    run, _ = service(assembly, *loads, controls=controls)
    run.run(Flag(), reload)
    said = [(e.kind, e.state) for e in assembly.sink.events if e.kind not in ("decision", "state")]
    assert said == [
        *(("no_mask", ""), ("all_clear", ""), ("snooze", "on")),
        ("snooze", "on"),  # said again: sinks may have been opened anew
        *(("snooze", "off"), ("no_mask", "")),
        ("all_clear", ""),  # it stops
    ]
    again = next(e for e in reversed(assembly.sink.events) if e.state == "on")
    assert again.seconds == pytest.approx(600 - 0.5, abs=0.2)


def test_what_was_wrong_is_heard_from_the_page_and_the_button_between_two_frames():
    class Collector:
        """Writes down what it is told, and after how many frames."""

        def __init__(self) -> None:
            self.seen, self.heard = 0, []

        def see(self, observation):
            self.seen += 1

        def listen(self, said):
            self.heard.append((self.seen, said))

        def report(self):
            return {}

    controls, collector = Controls(), Collector()
    assembly = Assembly(Camera(2, controls.wrong, 1, "lost: gone"))
    assembly.collector, collector.folder, collector.button = collector, type("Folder", (), {"path": "/x"}), None
    run, _ = service(assembly, controls=controls)
    run.run(Flag(), Flag())
    assert collector.heard == [(0, False), (1, False), (2, False), (3, True), (3, False)], "a lost camera hears too"


def test_whoever_is_there_at_a_reload_and_at_the_end_is_told():
    reload = Flag()
    assembly = Assembly(Camera(10, reload.request, 10))
    assembly.tally = Tally(3, 1.0, lambda: 1795630000.0, lambda: True)
    run, _ = service(assembly, Loaded(), Loaded())
    run.run(Flag(), reload)
    assert [(e.visit.number, e.visit.outcome) for e in assembly.sink.events if e.visit] == [(1, "off"), (2, "off")]
    assert assembly.sink.events[-1].state == "stopping"


class Timed(Camera):
    """A camera with a clock, `now`: 0.1 s for each frame, and what `passes` adds. Its first frame has the time zero."""

    def __init__(self, *script) -> None:
        super().__init__(*script)
        self.now, self.first = 0.0, None

    def poll(self, timeout):
        frame = super().poll(timeout)
        if frame is None:
            return None
        self.now += 0.1
        self.first = self.now if self.first is None else self.first
        return replace(frame, t=self.now - self.first)

    def passes(self, seconds):
        def step():
            self.now += seconds

        return step


def test_time_goes_on_while_no_frame_comes():
    """Whoever was seen last has left, and at that time; a snooze ends; what is told has the time of its telling."""
    controls, camera = Controls(), Timed()
    camera.script = [
        *(10, lambda: controls.snooze(60.0), 5, "lost: gone", camera.passes(0.5), "lost: gone"),
        *(camera.passes(3600.0), "lost: no reply", camera.passes(60.0), 1),
    ]
    assembly = Assembly(camera)
    assembly.tally = Tally(3, 1.0, lambda: 1795630000.0 + camera.now, lambda: True)
    run, _ = service(assembly, clock=lambda: camera.now, controls=controls)
    run.run(Flag(), Flag())
    events = assembly.sink.events
    said = [(e.state or e.kind, round(e.t, 1)) for e in events if e.kind in ("state", "snooze", "person")]
    assert said[1:] == [
        *(("ok", 0.0), ("on", 1.0), ("camera lost", 1.4)),
        *(("camera lost", 3601.9), ("off", 3601.9), ("person", 3601.9)),
        *(("ok", 3662.0), ("stopping", 3662.0)),
    ]
    [left] = [e.visit for e in events if e.visit]
    assert round(left.last, 1) == 1.4
    assert [e.counts.present for e in events if e.counts][-1] == 0


def test_a_stop_while_the_camera_is_lost_does_not_move_the_visit():
    stop, camera = Flag(), Timed()
    camera.script = [10, "starting", camera.passes(4.0), "starting", stop.request]
    assembly = Assembly(camera)
    assembly.tally = Tally(3, 10.0, lambda: 1795630000.0 + camera.now, lambda: True)
    run, _ = service(assembly, clock=lambda: camera.now)
    run.run(stop, Flag())
    [left] = [e for e in assembly.sink.events if e.visit]
    assert (round(left.t, 1), round(left.visit.last, 1)) == (4.9, 0.9)


def test_a_camera_that_a_reload_opened_continues_the_time_and_the_snooze():
    controls, reload, camera = Controls(), Flag(), Timed()
    camera.script = [33, lambda: controls.snooze(5.05), 3, reload.request, 1]
    other = Timed(65)

    class Moved(Assembly):
        def apply(self, settings):
            if self.fitted:
                self.camera = other
            return super().apply(settings)

    assembly = Moved(camera)
    loads = Loaded(Settings(raise_after=0.5)), Loaded(Settings(raise_after=0.5))
    run, _ = service(assembly, *loads, clock=lambda: camera.now + other.now, controls=controls)
    run.run(Flag(), reload)
    said = [(e.state or e.kind, round(e.t, 1)) for e in assembly.sink.events if e.kind in ("snooze", "no_mask")]
    assert said == [("no_mask", 0.8), ("on", 3.3), ("on", 3.6), ("off", 8.4), ("no_mask", 8.4)]


def test_a_stop_during_an_alert_clears_it():
    assembly = Assembly(Camera(30))
    run, _ = service(assembly)
    run.run(Flag(), Flag())
    assert told(assembly)[-3:] == ["no_mask", "all_clear", "stopping"]


def test_networks_that_fail_are_never_ready_and_never_feed_the_watchdog():
    run, supervisor = service(Assembly(Camera(3), Stuck()))
    with pytest.raises(EngineError):
        run.run(Flag(), Flag())
    assert supervisor.heard == ["starting: loading the networks"]


def test_it_runs_until_it_is_stopped_or_the_duration_has_passed():
    stop = Flag()
    run, _ = service(Assembly(Camera(3, stop.request, 5)))
    assert run.run(stop, Flag()).frames == 4
    camera = Camera(30)
    run, _ = service(Assembly(camera), clock=lambda: camera.frames / 10)
    assert run.run(Flag(), Flag(), duration=0.5).frames == 5


@pytest.mark.fault("no frame ever comes", "camera lost for good", "the run ends on time", "-")
def test_a_duration_is_over_although_no_frame_comes():
    now = [0.0]

    class Dead(Camera):
        def poll(self, timeout):
            now[0] += timeout
            self.state = "lost: no frame comes"

    run, _ = service(Assembly(Dead()), clock=lambda: now[0])
    assert run.run(Flag(), Flag(), duration=1.2).frames == 0
    assert now[0] == pytest.approx(1.2)


def test_settings_are_good_once_the_camera_has_seen_with_them():
    reload, first, second = Flag(), Loaded(), Loaded(Settings(raise_after=2.0))
    camera = Camera("lost: unplugged", lambda: kept.append(list(first.kept)), 1, reload.request, 2)
    kept = []
    run, _ = service(Assembly(camera), first, second)
    run.run(Flag(), reload)
    assert kept == [[]]
    assert (first.kept, second.kept) == ([first.settings], [second.settings])


@pytest.mark.fault(
    "a setting that loads and cannot be used",
    "pin that is not there, error of a library",
    "configuration error",
    "the same start",
)
@pytest.mark.parametrize("wrong", [SinkError("no such pin"), RuntimeError("of a library")])
def test_a_start_falls_back_over_whatever_a_setting_causes(wrong):
    class Broken(Assembly):
        def apply(self, settings):
            if settings.broken:
                raise wrong
            return super().apply(settings)

    asked, good = [], Loaded(Settings(), "no such pin\nthe last good settings are in force")
    assembly = Broken(Camera(2))
    run, _ = service(assembly, Loaded(Settings(broken=True)), good, asked=asked)
    assert run.run(Flag(), Flag()).frames == 2
    assert asked[1].endswith(str(wrong))
    assert "configuration error" in told(assembly)
    assert good.kept == []


def test_what_fails_before_the_first_verdict_falls_back_too():
    class Late(Assembly):
        def apply(self, settings):
            self.detector = Stuck() if settings.broken else Faces()
            return super().apply(replace(settings, broken=False))

    good = Loaded(Settings(), "no answer")
    run, supervisor = service(Late(Camera(3)), Loaded(Settings(broken=True)), good)
    assert run.run(Flag(), Flag()).frames == 2
    assert supervisor.heard.count("ready") == 1


@pytest.mark.fault("no engine is right any more", "wrong answers while running", "engine fault", "restart by systemd")
def test_networks_that_fail_later_are_a_state_before_the_run_ends():
    class Later(Faces):
        def detect(self, image):
            if self.count == 0:
                raise EngineError("wrong answer: not a number")
            self.count -= 1
            return super().detect(image)

    assembly = Assembly(Camera(5), Later(3))
    run, supervisor = service(assembly)
    with pytest.raises(EngineError):
        run.run(Flag(), Flag())
    last = assembly.sink.events[-1]
    assert (last.state, last.detail) == ("engine fault", "wrong answer: not a number")
    assert supervisor.heard[-1] == "engine fault (wrong answer: not a number)"


def test_where_there_are_no_other_settings_the_error_is_told():
    asked = []
    with pytest.raises(SinkError, match="no such pin"):
        service(Assembly(Camera(2)), Loaded(Settings(broken=True)), asked=asked)
    assert asked == ["", "no such pin"]


@pytest.mark.fault("a first start with a setting that cannot be used", "pin that is not there", "left out", "at once")
def test_where_nothing_ever_worked_it_starts_without_what_is_in_the_way():
    broken, plain = Settings(broken=True), Settings()
    assembly = Assembly(Camera(3))
    run, _ = service(assembly, Loaded(broken, less=(replace(broken, raise_after=2.0), plain)))
    assert run.run(Flag(), Flag()).frames == 3
    assert [settings.broken for settings in assembly.fitted] == [True, True, False]
    assert [(e.state, e.detail) for e in assembly.sink.events if e.state == "configuration error"] == [
        ("configuration error", "no such pin")
    ]


def test_where_leaving_out_does_not_help_the_first_error_is_told():
    broken = Settings(broken=True)
    with pytest.raises(SinkError, match="no such pin"):
        service(Assembly(Camera(3)), Loaded(broken, less=(broken, broken)))


@pytest.mark.fault(
    "a setting that kills the process", "three starts without a word", "configuration error", "4th start"
)
def test_settings_that_killed_the_process_are_not_tried_again():
    asked, deadly = [], Settings(raise_after=9.0)
    assembly, loaded = Assembly(Camera(2)), Loaded(deadly, died="the process died 3 times")
    run, _ = service(assembly, loaded, Loaded(fallback="the process died 3 times\nmore"), asked=asked)
    run.run(Flag(), Flag())
    assert asked == ["", "the process died 3 times"]
    assert deadly not in assembly.fitted
    assert loaded.over == [], "it is remembered, or the next start would try them again"
    assert "configuration error" in told(assembly)


def test_a_start_that_ends_by_itself_is_no_crash():
    lost, wrong = Loaded(), Loaded(Settings(broken=True))
    run, _ = service(Assembly(Camera("lost: unplugged")), lost)
    run.run(Flag(), Flag())
    assert (lost.kept, lost.over) == ([], [True])
    with pytest.raises(SinkError):
        service(Assembly(Camera(3)), wrong)
    assert wrong.over == [True]


class Stage:
    """What the status asks of the engine of a network."""

    requested, running = "coral", "tflite"

    def __init__(self, reason="") -> None:
        self.reason = reason

    def describe(self):
        return f"requested coral, running tflite: {self.reason}" if self.reason else "coral"


@pytest.mark.fault("an engine is down", "the spare one answers", "engine fallback", "when the first is right again")
def test_while_a_spare_engine_answers_that_is_the_state():
    stage = Stage()

    class Spared(Assembly):
        def apply(self, settings):
            return replace(super().apply(settings), backends={"detector": stage})

    def down():
        stage.reason = "coral is down: no answer"

    def up():
        stage.reason = ""

    assembly = Spared(Camera(2, down, 2, up, 2), Faces(0))
    run, supervisor = service(assembly)
    run.run(Flag(), Flag())
    assert told(assembly) == ["starting", "ok", "engine fallback", "ok", "stopping"]
    (said,) = [e.detail for e in assembly.sink.events if e.state == "engine fallback"]
    assert said == "detector: requested coral, running tflite: coral is down: no answer"
    assert supervisor.heard.count("alive") == 6, "it goes on seeing"


def test_a_reload_after_which_nothing_stands_ends_the_run_with_the_reason():
    class Fragile(Assembly):
        def apply(self, settings):
            if len(self.fitted) == 1:
                self.fitted.append(settings)
                raise SinkError("no such pin")
            if len(self.fitted) == 2:
                raise SinkError("no descriptors left")
            return super().apply(settings)

    reload = Flag()
    run, _ = service(Fragile(Camera(1, reload.request, 2)), Loaded(), Loaded(Settings(raise_after=3.0)))
    with pytest.raises(SinkError, match="no descriptors left"):
        run.run(Flag(), reload)


@pytest.mark.fault("black frames from the start", "frames of zeros", "blind, never ok", "1 s after light")
def test_a_picture_that_cannot_be_judged_is_not_ok_from_the_first_frame_on():
    class Dark(Assembly):
        def apply(self, settings):
            runtime = super().apply(settings)
            runtime.pipeline.visibility = Visibility()
            return runtime

    loaded = Loaded()
    assembly = Dark(Camera(25))  # black, at 10 frames a second
    run, _ = service(assembly, loaded)
    run.run(Flag(), Flag())
    assert told(assembly) == ["starting", "blind", "stopping"]
    assert loaded.kept == []


def test_a_reload_changes_a_threshold_between_two_frames():
    reload = Flag()
    assembly = Assembly(Camera(20, reload.request, 20))
    run, supervisor = service(assembly, Loaded(Settings(raise_after=600)), Loaded(Settings(raise_after=0.5)))
    assert run.run(Flag(), reload).frames == 40
    assert [e.t for e in assembly.sink.events if e.kind == "no_mask"] == pytest.approx([2.8], abs=0.21)
    at = supervisor.heard.index("reloading")
    assert supervisor.heard[at - 1 : at + 4] == ["alive", "reloading", "ready", "ok", "alive"]


def test_an_alert_that_stands_at_a_reload_is_cleared_and_raised_again():
    reload = Flag()
    assembly = Assembly(Camera(20, reload.request, 20))
    run, _ = service(assembly, Loaded(), Loaded(Settings(raise_after=0.5)))
    run.run(Flag(), reload)
    assert [kind for kind in told(assembly) if kind in ("no_mask", "all_clear")] == ["no_mask", "all_clear"] * 2


@pytest.mark.parametrize(
    "second",
    [
        Loaded(fallback="a.toml:1: camera.width = 1: too small\nmore"),
        ConfigError("a.toml:1: camera.width = 1: too small"),
    ],
)
def test_a_reload_of_a_broken_file_keeps_the_old_settings_and_says_so_until_it_is_mended(second, caplog):
    reload = Flag()
    assembly = Assembly(Camera(1, reload.request, 2, reload.request, 2))
    run, supervisor = service(assembly, Loaded(), second, Loaded())
    run.run(Flag(), reload)
    assert len(assembly.fitted) == 2  # the start and the mended file
    assert [e.state for e in assembly.sink.events if e.kind == "state"] == [
        *("starting", "ok", "configuration error", "ok", "stopping")
    ]
    assert "the previous settings remain in force: a.toml:1: camera.width = 1: too small" in caplog.messages
    assert sum("not the settings asked for: a.toml:1" in line for line in supervisor.said) == 3


def test_settings_that_cannot_be_opened_give_way_to_those_before(caplog):
    reload, old, new = Flag(), Settings(), Settings(broken=True)
    assembly = Assembly(Camera(1, reload.request, 2))
    run, _ = service(assembly, Loaded(old), Loaded(new))
    assert run.run(Flag(), reload).frames == 3
    assert assembly.fitted == [old, new, old]
    assert caplog.messages == ["the previous settings remain in force: no such pin"]


def test_started_on_the_last_good_settings_it_says_so():
    assembly = Assembly(Camera(2))
    run, supervisor = service(assembly, Loaded(fallback="b.toml: not TOML"))
    run.run(Flag(), Flag())
    assert "configuration error" in told(assembly)
    assert "ok" not in told(assembly)
    assert supervisor.said[-1].endswith("not the settings asked for: b.toml: not TOML")


def test_a_reload_before_the_first_frame_does_not_make_it_ready():
    reload = Flag()
    reload.request()
    run, supervisor = service(Assembly(Camera("lost: unplugged")), Loaded(), Loaded())
    run.run(Flag(), reload)
    assert "ready" not in supervisor.heard


def test_the_status_file_appears_whole_at_most_once_a_second_and_for_everybody_to_read(tmp_path):
    now = [100.0]
    runtime = Assembly(Camera()).apply(Settings())
    counters = Counters()
    status = Status(counters, tmp_path, clock=lambda: now[0])
    written = []
    for tenth in range(35):
        now[0] = 100 + tenth / 10
        counters.frames += 1
        status.write(runtime)
        written.append(json.loads((tmp_path / "status.json").read_text())["frames"])
    [path] = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o644
    assert sorted(set(written)) == [1, 11, 21, 31]
    report = json.loads(path.read_text())
    assert (report["state"], report["camera"], report["fps"]) == ("starting", "door", pytest.approx(10, abs=0.5))


@pytest.mark.fault("status.json cannot be written", "ENOSPC, EMFILE, ENOENT at writing", "said once", "next second")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENOENT])
def test_a_status_file_that_cannot_be_written_is_said_once(number, tmp_path, monkeypatch, caplog):
    now, full, write = [0.0], [True], os.open

    def open_file(path, *arguments, **options):
        if full[0] and str(path).startswith(str(tmp_path)):
            raise OSError(number, os.strerror(number), str(path))
        return write(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_file)
    caplog.set_level("INFO")
    runtime = Assembly(Camera()).apply(Settings())
    status = Status(Counters(), tmp_path, clock=lambda: now[0])
    for second in range(10):
        now[0], full[0] = float(second + 1), second < 5
        status.write(runtime)
    first, second = caplog.messages
    assert f"is not written ({os.strerror(number)}); the camera goes on" in first
    assert second.endswith("is written again")
    assert (tmp_path / "status.json").exists()


def test_the_status_line_tells_when_the_last_alert_was():
    now = [0.0]
    runtime = replace(Assembly(Camera()).apply(Settings()), backends={})
    status = Status(Counters(), clock=lambda: now[0])
    assert "no alert yet" in status.line(runtime)
    status.alerted()
    now[0] = 75.0
    assert "last alert 75 s ago" in status.line(runtime)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_flag_and_a_second_one_ends_the_process(number):
    before = signal.signal(number, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), number)
            assert stop.requested
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)


def test_every_sighup_asks_for_a_reload():
    before = signal.getsignal(signal.SIGHUP)
    with reload_on_signal() as reload:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            assert reload.take()
            assert not reload.take()
    assert signal.getsignal(signal.SIGHUP) is before
