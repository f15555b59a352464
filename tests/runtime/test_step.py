"""The loop over a recording of fakes; and files that appear only when a run succeeds."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.assemble import Runtime
from edge.config import settings as defaults
from edge.core import files
from edge.core.errors import CameraError, DataError, EngineError, SinkError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.metrics import Timers
from edge.core.records import Event, Face, Frame, Verdict
from edge.runtime import outputs
from edge.runtime.pipeline import Pipeline
from edge.runtime.replay import replay
from edge.runtime.signals import Flag
from edge.runtime.step import Step
from edge.testing.defaults import with_defaults
from edge.testing.sink import MemorySink
from edge.tracking.alerts import AlertPolicy
from edge.tracking.tracker import GreedyTracker
from edge.tracking.voting import VotingJudge

AlertPolicy = with_defaults(AlertPolicy, defaults.Alerts())
GreedyTracker = with_defaults(GreedyTracker, defaults.Tracker())
VotingJudge = with_defaults(VotingJudge, defaults.Judgement(), defaults.Detector(), forget_after=1.0)


class Camera:
    """`count` grey frames at 10 a second; what stands in `at` is called before the frame of that index."""

    def __init__(self, count=30, at=None) -> None:
        self.count, self.at, self.given = count, at or {}, 0

    def __iter__(self):
        for i in range(self.count):
            self.at.get(i, lambda: None)()
            self.given += 1
            yield Frame(i, i / 10, np.full((96, 128, 3), 8 * i % 256, np.uint8))

    def close(self) -> None:
        pass


class OneFace:
    def detect(self, image):
        return [Face(Box(40, 20, 90, 80), 0.9)]


class Bare:
    def classify(self, image, box, score=None):
        return Verdict(Mask.OFF, 1.0)


class Broken:
    """A sink that never works."""

    def __init__(self, error) -> None:
        self.error = error

    def send(self, event) -> None:
        raise self.error

    def close(self) -> None:
        pass


def runtime(camera, sinks=(), detector=None) -> Runtime:
    timers = Timers()
    pipeline = Pipeline(detector or OneFace(), GreedyTracker(), Bare(), VotingJudge(), timers)
    return Runtime(camera, pipeline, AlertPolicy(raise_after=1.0), sinks, timers, 10.0, [], 3)


def fail(error):
    def call():
        raise error

    return call


def test_a_run_counts_and_delivers():
    sink = MemorySink()
    counters = replay(runtime(Camera(), [sink]), Flag())
    assert (counters.frames, counters.faces, counters.people, counters.alerts) == (30, 30, 1, 1)
    assert [event.kind for event in sink.events] == ["decision", "no_mask"]


@pytest.mark.parametrize("error", [SinkError("disk full"), RuntimeError("a mistake")])
def test_a_broken_sink_takes_neither_the_loop_nor_the_others_with_it(error, caplog):
    sink = MemorySink()
    counters = replay(runtime(Camera(), [Broken(error), sink]), Flag())
    assert (counters.frames, counters.failed, len(sink.events)) == (30, 2, 2)
    assert [r.getMessage() for r in caplog.records] == [
        f"Broken did not take {event.kind} at {event.t:.2f} s: {error}" for event in sink.events
    ]


def test_it_stops_after_the_frame_at_hand():
    stop = Flag()
    assert replay(runtime(Camera(at={4: stop.request})), stop).frames == 5


def test_damaged_pictures_and_dropped_frames_are_counted():
    camera = Camera(2)
    camera.skipped, camera.dropped = ["a.jpg"], 7
    counters = replay(runtime(camera), Flag())
    assert (counters.skipped, counters.dropped) == (1, 7)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_watchers_see_every_frame_with_its_overlay(tmp_path):
    seen = []
    replay(runtime(Camera(3)), Flag(), watchers=[lambda frame, image: seen.append((frame.index, image))])
    assert [i for i, _ in seen] == [0, 1, 2]
    assert all(len(np.unique(image.reshape(-1, 3), axis=0)) > 3 for _, image in seen)  # no longer plain grey


def film(path: Path, camera: Camera) -> None:
    with outputs.video(path, 10.0) as watch:
        replay(runtime(camera), Flag(), watchers=[watch])


def test_a_video_plays_at_the_rate_of_its_source_in_true_colours(tmp_path):
    film(tmp_path / "out.mp4", Camera(8))
    video = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert (video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)) == (10.0, 8)
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    with outputs.video(tmp_path / "red.mp4", 5.0) as watch:
        watch(Frame(0, 0.0, red), red)
    _, image = cv2.VideoCapture(str(tmp_path / "red.mp4")).read()
    assert image[32, 32, 2] > 200 > 50 > image[32, 32, 0]  # OpenCV reads BGR


def test_a_recording_of_a_variable_rate_keeps_its_length(tmp_path):
    """A second at 10 a second, then one picture for a second, and one that lasts as long."""
    with outputs.video(tmp_path / "out.mp4", 10.0) as watch:
        for index, t in enumerate([*(i / 10 for i in range(10)), 1.0, 2.0]):
            watch(Frame(index, t, grey(20 * index)), grey(20 * index))
    video = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 30
    shown = [float(video.read()[1].mean()) for _ in range(30)]
    assert shown[15] == pytest.approx(200, abs=10), "a picture stays until the next one's time"
    assert shown[20] == pytest.approx(220, abs=10)


def test_a_recording_that_pauses_for_hours_shows_each_pause_for_a_second(tmp_path):
    """A camera that records movement alone; and a clock that jumps at the end."""
    with outputs.video(tmp_path / "out.mp4", 10.0) as watch:
        for index, t in enumerate([0.0, 0.1, 3600.0, 3600.1, 7200.0, 7200.1, 1e9]):
            watch(Frame(index, t, grey(20 * index)), grey(20 * index))
    video = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 7 + 4 * 10


def test_what_is_there_is_not_overwritten_unasked(tmp_path):
    there = tmp_path / "e.jsonl"
    there.write_text("precious")
    with pytest.raises(DataError, match=r"is there already: expected another name, or --overwrite"):
        outputs.check_output(there, "clip.mp4")
    outputs.check_output(there, "clip.mp4", overwrite=True)
    (tmp_path / "a.png").write_bytes(b"precious")
    with (
        pytest.raises(DataError, match=r"a\.png' is there already: expected another folder or name, or --overwrite"),
        outputs.pictures(tmp_path, [Path("/in/a.jpg")], Path("/in")),
    ):
        pass


def test_a_fifo_and_a_link_stay_what_they_are(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    outputs.check_output(tmp_path / "fifo", "clip.mp4")
    with files.replacing(tmp_path / "fifo") as part:
        assert part == tmp_path / "fifo"
    assert (tmp_path / "fifo").is_fifo()
    with files.replacing(tmp_path / "link.jsonl") as part:
        part.write_text("new")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").read_text() == "new"
    with files.replacing(Path("/dev/stdout")) as part:
        assert part == Path("/dev/stdout")
    os.mkfifo(tmp_path / "fifo.mp4")
    with pytest.raises(DataError, match="no file, and an MP4"):
        outputs.check_output(tmp_path / "fifo.mp4", "clip.mp4", (".mp4",))


def test_what_a_killed_run_left_behind_is_removed_at_the_next(tmp_path):
    code = "import os, pathlib, sys; from edge.core import files\n"
    code += "with files.replacing(pathlib.Path(sys.argv[1])) as part: part.write_text('half'); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "e[1].jsonl")], cwd=Path(__file__).parents[2])
    (left,) = left_in(tmp_path)
    assert left.startswith(".e[1].")
    (tmp_path / f".e[1].{os.getpid()}.part.jsonl").write_text("of a run that goes on")
    outputs.check_output(tmp_path / "e[1].jsonl", "clip.mp4")
    assert left_in(tmp_path) == [f".e[1].{os.getpid()}.part.jsonl"]


def test_a_reader_that_leaves_ends_the_run_quietly():
    class Closed(MemorySink):
        def send(self, event):
            raise SinkError("cannot be written") from BrokenPipeError()

    stop = Flag()
    sink = outputs.UntilClosed(Closed(), stop.request)
    sink.send(Event("no_mask", 0.0))
    sink.send(Event("no_mask", 1.0))
    assert stop.requested


def test_a_failed_run_overwrites_nothing_and_leaves_nothing(tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"precious")
    with pytest.raises(CameraError):
        film(tmp_path / "out.mp4", Camera(at={5: fail(CameraError("unplugged"))}))
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"
    assert left_in(tmp_path) == ["out.mp4"]


def test_a_run_without_frames_writes_no_file(tmp_path):
    film(tmp_path / "out.mp4", Camera(0))
    with outputs.sheet(tmp_path / "sheet.png"):
        pass
    assert left_in(tmp_path) == []


def grey(value: int) -> np.ndarray:
    return np.full((30, 40, 3), value, np.uint8)


@pytest.mark.parametrize("count", [1, 5, 12, 23, 24, 100, 250])
def test_a_sheet_spreads_its_pictures_over_the_run(tmp_path, monkeypatch, count):
    chosen = []

    def contact_sheet(images, columns, width):
        chosen.extend(int(image[0, 0, 0]) for image in images)
        return grey(0)

    monkeypatch.setattr("edge.vision.draw.contact_sheet", contact_sheet)
    with outputs.sheet(tmp_path / "sheet.png") as watch:
        for i in range(count):
            watch(Frame(i, i / 10, grey(i)), grey(i))
    assert len(chosen) == min(count, 12)
    assert chosen[0] == 0
    assert chosen == sorted(chosen)
    assert chosen[-1] >= 0.8 * (count - 1)
    gaps = np.diff(chosen)
    assert count < 24 or gaps.max() <= 2 * gaps.min()
    assert left_in(tmp_path) == ["sheet.png"]


def test_pictures_keep_their_names_and_sub_folders(tmp_path):
    sources = [tmp_path / "in" / name for name in ("a.jpg", "b.jpg", "b.png", "more/a.jpg")]
    with outputs.pictures(tmp_path / "out", sources, tmp_path / "in") as watch:
        for i in (0, 1, 2, 3):
            watch(Frame(i, i / 2, grey(0)), grey(50 * i))
    written = {str(p.relative_to(tmp_path / "out")): int(cv2.imread(str(p))[0, 0, 0]) for p in tmp_path.rglob("*.png")}
    assert written == {"a.png": 0, "b.jpg.png": 50, "b.png.png": 100, "more/a.png": 150}


def test_a_single_picture_takes_the_name_given(tmp_path):
    with outputs.pictures(tmp_path / "out.jpg", [tmp_path / "a.png"], tmp_path) as watch:
        watch(Frame(0, 0.0, grey(99)), grey(99))
    assert left_in(tmp_path) == ["out.jpg"]
    with (
        pytest.raises(DataError, match=r"is one picture, the source has 2: expected a folder"),
        outputs.pictures(tmp_path / "out.jpg", [tmp_path / "a.png", tmp_path / "b.png"], tmp_path),
    ):
        pass


def test_pictures_never_overwrite_their_source(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), grey(7))
    with (
        pytest.raises(DataError, match=r"a.png' is a picture of the source"),
        outputs.pictures(tmp_path, [tmp_path / "a.png"], tmp_path),
    ):
        pass


def test_pictures_of_a_failed_run_leave_the_folder_as_it_was(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), grey(7))

    def run() -> None:
        sources = [Path("/in/a.jpg"), Path("/in/b.jpg")]
        with outputs.pictures(tmp_path, sources, Path("/in"), overwrite=True) as watch:
            watch(Frame(0, 0.0, grey(200)), grey(200))
            raise CameraError("unplugged")

    with pytest.raises(CameraError):
        run()
    assert left_in(tmp_path) == ["a.png"]
    assert cv2.imread(str(tmp_path / "a.png"))[0, 0, 0] == 7


def test_outputs_that_cannot_be_are_refused_beforehand(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"film")
    for path, suffixes, message in (
        (tmp_path / "none" / "out.mp4", (), "does not exist: create it first"),
        (tmp_path, (), "is a folder: expected a file name"),
        (tmp_path / "out.avi", (".mp4", ".png"), "ends in .mp4 or .png"),
        (tmp_path / "." / "clip.mp4", (), "is the source itself"),
    ):
        with pytest.raises(DataError, match=message):
            outputs.check_output(path, str(clip), suffixes)
    outputs.check_output(tmp_path / "out.mp4", str(clip), (".mp4",))


def test_show_says_what_to_install_where_there_are_no_windows(monkeypatch):
    def no_window(name):
        raise cv2.error("not implemented")

    monkeypatch.setattr(cv2, "namedWindow", no_window)
    with pytest.raises(EngineError, match="pip install 'opencv-python<5'"), outputs.window(Flag().request):
        pass


def test_q_in_the_window_stops_the_run(monkeypatch):
    shown = []
    monkeypatch.setattr(cv2, "namedWindow", lambda name: None)
    monkeypatch.setattr(cv2, "destroyWindow", lambda name: shown.append("closed"))
    monkeypatch.setattr(cv2, "imshow", lambda name, image: shown.append(image.shape))
    monkeypatch.setattr(cv2, "waitKey", lambda ms: ord("q") if len(shown) == 3 else -1)
    stop = Flag()
    with outputs.window(stop.request) as watch:
        counters = replay(runtime(Camera()), stop, watchers=[watch])
    assert counters.frames == 3
    assert shown == [(96, 128, 3)] * 3 + ["closed"]


def test_a_reload_counts_people_anew_and_keeps_the_failures_of_sinks_that_are_gone():
    class Failing(MemorySink):
        failed = 3

    first = replace(runtime(Camera()), sinks=[Failing()], person_hits=3)
    step = Step(first)
    step.send(Event("state", 0.0, state="ok"))
    assert step.counters.failed == 3
    step.runtime = replace(first, sinks=[MemorySink()], person_hits=7)
    step.send(Event("state", 1.0, state="ok"))
    assert (step.counters.failed, step.counters.person_hits) == (3, 7)
    step.runtime = replace(step.runtime, person_hits=2)  # the same sinks: nothing counts twice
    step.send(Event("state", 2.0, state="ok"))
    assert (step.counters.failed, step.counters.person_hits) == (3, 2)
