"""Months in a minute: time is data. Memory, descriptors and threads stay flat, by regression with its interval.

TEST_SOAK=1 (`make test-soak`) takes the long run; without it a short one shows that the proof itself works.
"""

import gc
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.assemble import Runtime
from edge.cameras.reconnecting import ReconnectingCamera
from edge.config import settings as defaults
from edge.core.errors import CameraError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.metrics import Timers
from edge.core.records import Face, Frame, Verdict
from edge.runtime.pipeline import Pipeline
from edge.runtime.service import Service
from edge.runtime.signals import Flag
from edge.runtime.step import Step
from edge.testing.defaults import with_defaults
from edge.testing.sink import MemorySink
from edge.tracking.alerts import AlertPolicy
from edge.tracking.tracker import GreedyTracker
from edge.tracking.voting import VotingJudge

AlertPolicy = with_defaults(AlertPolicy, defaults.Alerts())
GreedyTracker = with_defaults(GreedyTracker, defaults.Tracker())
ReconnectingCamera = with_defaults(ReconnectingCamera, defaults.Camera(), first_within=15.0)
VotingJudge = with_defaults(VotingJudge, defaults.Judgement(), defaults.Detector(), forget_after=1.0)

LONG = bool(os.environ.get("TEST_SOAK"))
REOPENINGS = 2000 if LONG else 150
RELOADS = 2000 if LONG else 200
DAYS = 30 if LONG else 1
KILOBYTES = 2.0
"""Growth per turn that is noise of the allocator; a kept picture is 900."""

linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")


def facts():
    """Resident kilobytes, descriptors, threads."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
    return resident, len(os.listdir("/proc/self/fd")), threading.active_count()


def slope(rows):
    """Growth per turn and the half width of its 95 % interval, over the later three quarters of (turn, value)."""
    x, y = np.array(rows[len(rows) // 4 :], float).T
    (rise, start), residuals = np.polyfit(x, y, 1), None
    residuals = y - (rise * x + start)
    spread = float(np.sqrt((residuals**2).sum() / max(len(x) - 2, 1) / ((x - x.mean()) ** 2).sum()))
    return float(rise), 1.96 * spread


def flat(rows, name, limit, capsys):
    for index, (what, most) in enumerate((("kB", limit), ("descriptors", 1e-3), ("threads", 1e-3))):
        rise, width = slope([(turn, values[index]) for turn, values in rows])
        with capsys.disabled():
            print(f"\n{name}: {rise:+.4f} {what} per turn, 95 % +-{width:.4f}, {rows[-1][0]} turns", end="")
        assert rise - width <= most, (name, what)


class Failing:
    """Two pictures, then the camera is lost."""

    def __iter__(self):
        for index in range(2):
            yield Frame(index, index / 10, np.random.default_rng(index).integers(0, 255, (480, 640, 3), np.uint8))
        raise CameraError("ended") from OSError("the cause")

    def close(self):
        pass


@linux
@pytest.mark.fault("a camera comes and goes", "2,000 reopenings", "nothing is kept of them", "at each reopening")
def test_reopenings_keep_nothing(capsys):
    gc.collect()
    camera = ReconnectingCamera(Failing, retry_first=1e-4, retry_longest=1e-4, frozen_after=0)
    rows, seen = [], -1
    gc.disable()  # a cycle would be hidden by a collection that happens to come
    try:
        with camera:
            while camera.reopened < REOPENINGS:
                camera.poll(1.0)
                if camera.reopened != seen and camera.reopened % 10 == 0:
                    seen = camera.reopened
                    rows.append((seen, facts()))
    finally:
        gc.enable()
    flat(rows, "reopenings", 20.0 if not LONG else KILOBYTES, capsys)


class Person:
    """Somebody stands before the camera for four of ten seconds, every third one without a mask."""

    def __init__(self):
        self.t = 0.0

    def detect(self, image):
        return [Face(Box(40, 20, 90, 80), 0.9)] if self.t % 10 < 4 else []

    def classify(self, image, box, score=None):
        return Verdict(Mask.OFF if self.t // 10 % 3 == 0 else Mask.ON, 0.95)


def runtime(person, sink):
    pipeline = Pipeline(person, GreedyTracker(), person, VotingJudge(), Timers())
    return Runtime(None, pipeline, AlertPolicy(1.0, 0.8, 2.0, 0.0), [sink], Timers(), 10.0, [], 3, "soak")


class Counting(MemorySink):
    """Counts instead of remembering."""

    def __init__(self):
        super().__init__()
        self.counts = {}

    def send(self, event):
        self.counts[event.kind] = self.counts.get(event.kind, 0) + 1


@linux
@pytest.mark.fault(
    "a month goes by", "two frames a second of it, time is data", "memory is flat, counts are exact", "-"
)
def test_a_month_is_flat_and_counts_right(capsys):
    person, sink = Person(), Counting()
    step, image, rows = Step(runtime(person, sink)), np.zeros((96, 128, 3), np.uint8), []
    frames = DAYS * 86400 * 2
    for index in range(frames):
        person.t = index / 2
        step.finish(step.runtime.pipeline.process(Frame(index, person.t, image)))
        if index % max(frames // 200, 1) == 0:
            rows.append((index, facts()))
    visits = DAYS * 86400 / 10
    assert sink.counts["no_mask"] == visits / 3
    assert sink.counts["all_clear"] in (visits / 3, visits / 3 - 1)
    assert sink.counts["decision"] == visits
    flat(rows, "simulated month", 1024 / frames, capsys)


class Still:
    """A camera that always sees."""

    state, dropped = "ok", 0

    def __init__(self):
        self.frames = 0

    def poll(self, timeout):
        self.frames += 1
        return Frame(self.frames, self.frames / 10, np.zeros((96, 128, 3), np.uint8))


class Loaded:
    fallback = None

    def __init__(self, settings):
        self.settings = settings

    def worked(self):
        pass

    def tried(self):
        pass

    def trying(self):
        return ""


@linux
@pytest.mark.fault("settings are reloaded", "2,000 reloads", "nothing is kept of them", "at each reload")
def test_reloads_keep_nothing(capsys):
    camera, sink, rows = Still(), Counting(), []

    class Assembly:
        def sinks(self, settings):
            return [sink]

        def fit(self, settings):
            return replace(runtime(Person(), sink), camera=camera)

        apply = fit

        def stamp(self, event):
            return event

    class Quiet:
        def __getattr__(self, name):
            return lambda *arguments: None

    stop, reload, loads = Flag(), Flag(), []

    def load(unusable=""):
        loads.append(1)
        reload.request()
        if len(loads) % 10 == 0:
            rows.append((len(loads), facts()))
        if len(loads) > RELOADS:
            stop.request()
        return Loaded(object())

    Service(Assembly(), load, Quiet()).run(stop, reload)
    assert len(loads) > RELOADS
    flat(rows, "reloads", 5.0 if not LONG else KILOBYTES, capsys)
