"""The benchmark against a clock that only the fakes move."""

import json

import numpy as np
import pytest

from edge.benchmark import measure
from edge.decision import VotingJudge
from edge.errors import DataError
from edge.geometry import Box
from edge.labels import Mask
from edge.metrics import Timers
from edge.pipeline import Pipeline
from edge.records import Face, Frame, Verdict
from edge.tracker import GreedyTracker


class Bench:
    """Camera, detector and classifier in one; each takes its time on the clock. The first frames are slow."""

    def __init__(self, count: int) -> None:
        self.count, self.now, self.detected = count, 0.0, 0

    def __call__(self) -> float:
        return self.now

    def __iter__(self):
        for i in range(self.count):
            self.now += 1.0
            yield Frame(i, i / 10, np.zeros((48, 64, 3), np.uint8))

    def close(self) -> None:
        pass

    def detect(self, image):
        self.detected += 1
        self.now += 5.0 if self.detected <= 10 else 0.25
        return [Face(Box(0, 0, 30, 30), 0.9), Face(Box(32, 0, 62, 30), 0.8)]

    def classify(self, image, box):
        self.now += 0.125
        return Verdict(Mask.UNSURE, 0.5)


def run(bench: Bench, frames: int):
    pipeline = Pipeline(bench, GreedyTracker(), bench, VotingJudge(), Timers())
    return measure(bench, pipeline, frames, warm_up=10, clock=bench)


def test_warm_up_does_not_count_and_the_cameras_time_is_not_the_boards():
    report = run(Bench(100), 20)
    assert report.frames == 20
    assert report.faces_per_frame == 2.0
    assert (report.width, report.height) == (64, 48)
    assert report.fps == pytest.approx(1 / (0.25 + 2 * 0.125))
    assert (report.stages["detect"].n, report.stages["detect"].p50_ms, report.stages["detect"].p95_ms) == (20, 250, 250)
    assert (report.stages["classify"].n, report.stages["classify"].p50_ms) == (40, 125)
    assert report.stages["camera"].p50_ms == 1000


def test_a_short_recording_gives_what_it_has():
    assert run(Bench(15), 100).frames == 5


def test_a_recording_shorter_than_the_warm_up_is_an_error():
    with pytest.raises(DataError, match="more than 10 frames"):
        run(Bench(10), 100)


def test_the_table_and_the_json_say_the_same():
    report = run(Bench(30), 20)
    head, _, _, *rows = report.render().splitlines()
    assert head == "20 frames of 64x48, 2.00 faces per frame, 2.0 FPS"
    data = json.loads(report.json())
    assert [row.split()[0] for row in rows] == list(data["stages"])
    assert rows[1].split() == ["detect", "20", "250.00", "250.00"]
    assert data["stages"]["detect"] == {"n": 20, "p50_ms": 250.0, "p95_ms": 250.0}
