"""The benchmark against a clock that only the fakes move, and once for real."""

import json

import cv2
import numpy as np
import pytest

from edge import cli
from edge.config import settings as defaults
from edge.config import sink_sections
from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.metrics import Timers
from edge.core.records import Face, Frame, Verdict
from edge.operations.benchmark import faces, latency, machine, report, stages
from edge.runtime.pipeline import Pipeline
from edge.sinks.gpio import GpioSink
from edge.testing.defaults import with_defaults
from edge.tracking.alerts import AlertPolicy
from edge.tracking.tracker import GreedyTracker
from edge.tracking.voting import VotingJudge

AlertPolicy = with_defaults(AlertPolicy, defaults.Alerts())
GpioSink = with_defaults(GpioSink, sink_sections.Gpio())
GreedyTracker = with_defaults(GreedyTracker, defaults.Tracker())
VotingJudge = with_defaults(VotingJudge, defaults.Judgement(), defaults.Detector(), forget_after=1.0)


class Bench:
    """Camera, detector and classifier in one; each takes its time on the clock. The first frames are slow."""

    def __init__(self, count=0):
        self.count, self.now, self.detected, self.judged = count, 0.0, 0, 0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds

    def __iter__(self):
        for i in range(self.count):
            self.now += 1.0
            yield Frame(i, i / 10, np.zeros((48, 64, 3), np.uint8))

    def close(self):
        pass

    def detect(self, image):
        self.detected += 1
        self.now += 5.0 if self.detected <= 10 else 0.25
        return [Face(Box(0, 0, 30, 30), 0.9), Face(Box(32, 0, 62, 30), 0.8)]

    def classify(self, image, box, score=None):
        self.judged += 1
        self.now += 0.125
        return Verdict(Mask.UNSURE, 0.5)


class Reader(Bench):
    """Finds what `faces.picture` has put there: white squares, all without a mask."""

    def detect(self, image):
        self.now += 0.25
        _, _, boxes, _ = cv2.connectedComponentsWithStats((image.min(2) == 255).astype(np.uint8))
        return [Face(Box(x, y, x + w, y + h), 0.9) for x, y, w, h, area in boxes[1:].tolist() if area > 100]

    def classify(self, image, box, score=None):
        self.judged += 1
        self.now += 0.125
        return Verdict(Mask.OFF, 1.0)


WHITE = np.full((64, 64, 3), 255, np.uint8)


def pipeline(bench):
    return Pipeline(bench, GreedyTracker(), bench, VotingJudge(), Timers(clock=bench))


def run(bench, frames, seconds=1e9):
    return stages.measure_speed(bench, pipeline(bench), seconds, frames, warm_up=10, clock=bench)


def test_warm_up_does_not_count_and_the_cameras_time_is_not_the_boards():
    speed = run(Bench(100), 20)
    assert (speed.frames, speed.faces_per_frame, speed.width, speed.height) == (20, 2.0, 64, 48)
    assert speed.fps == pytest.approx(1 / (0.25 + 2 * 0.125))
    assert speed.stages["detect"] == stages.StageTime(20, 250, 250)
    assert (speed.stages["classify"].n, speed.stages["classify"].p50_ms) == (40, 125)
    assert speed.stages["capture"].p50_ms == 1000
    assert list(speed.stages) == ["capture", "detect", "track", "classify", "decide"]


def test_it_stops_after_the_seconds():
    assert run(Bench(100), None, seconds=6).frames == 4  # of 1.5 s each


def test_a_short_recording_gives_what_it_has():
    assert run(Bench(15), 100).frames == 5


def test_a_recording_shorter_than_the_warm_up_is_an_error():
    with pytest.raises(DataError, match="more than 10 frames"):
        run(Bench(10), 100)


@pytest.mark.parametrize("number", [0, 1, 2, 5, 20, 100])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1920, 320)])
def test_a_picture_has_the_faces_apart_and_whole(number, size):
    image = faces.picture(WHITE, number, *size)
    assert image.shape == (size[1], size[0], 3)
    boxes = [face.box for face in Reader().detect(image)]
    assert len(boxes) == number
    assert len({(round(box.width), round(box.height)) for box in boxes}) == (1 if number else 0)


def test_known_faces_cost_little_and_faces_to_be_judged_their_full_time(monkeypatch):
    bench = Reader()
    monkeypatch.setattr(faces, "measure_speed", lambda *args, **more: stages.measure_speed(*args, **more, clock=bench))
    rows = faces.rows(pipeline(bench), WHITE, (0, 2, 5), (640, 480), 20.0, 0.5)
    assert [row.faces for row in rows] == [0, 2, 5]
    assert [row.found for row in rows] == [0, 2, 5]
    for row in rows:
        assert row.judged_fps == pytest.approx(1 / (0.25 + row.faces * 0.125), rel=0.05)
    assert rows[2].settled_fps == pytest.approx(1 / (0.25 + 5 * 0.125 / 15), rel=0.05)  # each once in half a second


def test_without_a_face_in_the_source_only_empty_frames_are_timed(monkeypatch):
    bench = Reader()
    monkeypatch.setattr(faces, "measure_speed", lambda *args, **more: stages.measure_speed(*args, **more, clock=bench))
    assert [row.faces for row in faces.rows(pipeline(bench), None, (0, 2, 5), (640, 480), 1.0, 0.5)] == [0]


def to_pin(bench, pictures, slow=0.0):
    sink = GpioSink(17, driver="mock")
    sink.pin._clock = bench
    send = sink.send

    class Slow:
        def send(self, event):
            bench.wait(slow)
            send(event)

        def close(self):
            sink.close()

    return latency.measure_latency(
        pipeline(bench), AlertPolicy(0, 0, 0), Slow(), sink.pin, pictures, 60.0, clock=bench, wait=bench.wait
    )


def test_latency_is_from_the_stamp_of_the_frame_to_the_level_of_the_pin():
    someone = {"no_mask": faces.picture(WHITE, 1, 320, 240), "all_clear": faces.picture(None, 0, 320, 240)}
    found = to_pin(Reader(), someone, slow=0.5)
    assert found.n > 10
    assert found.p50_ms == pytest.approx(1e3 * (0.25 + 0.125 + 0.5), abs=126)  # nobody to judge: one look less
    assert found.p95_ms <= 1e3 * (0.25 + 0.125 + 0.5) + 1


def test_a_source_without_anybody_has_no_latency():
    empty = faces.picture(None, 0, 320, 240)
    assert to_pin(Reader(), {"no_mask": empty, "all_clear": empty}) is None


def test_the_age_of_a_process_and_its_memory_are_plausible():
    first = machine.age()
    assert 0 < first <= machine.age() < 24 * 3600
    assert 10 < machine.peak_memory() < 1e5


def test_a_board_is_named_by_its_device_tree(tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    assert machine.board(tmp_path).startswith("Raspberry Pi 5 Model B Rev 1.0, ")


def made(**changes):
    values = {
        "version": "1",
        "bundle": "shipped",
        "board": "a board",
        "health": {"temperature": "51 °C"},
        "backends": {"detector": "tflite", "classifier": "coral"},
        "threads": 2,
        "start_s": 1.0,
        "peak_mib": 100.0,
        "speed": run(Bench(30), 20),
        "faces": [faces.FacesResult(5, 5.0, 20.0, 10.0)],
        "latency": latency.Latency(10, 40.0, 50.0),
        "sweep": [
            report.Combination("coral", 1, problem="no library"),
            report.Combination("tflite", 2, 9.0, 8.0, None),
        ],
    }
    return report.Report(**{**values, **changes})


def test_the_table_says_what_the_json_says():
    text, values = made().render(), json.loads(made().json())
    for words in ("temperature: 51 °C", "detector: tflite, classifier: coral", "frame to pin: p50 40.0 ms", "2.0 FPS"):
        assert words in text
    rows = [line.split() for line in text.splitlines()]
    assert ["detect", "20", "250.00", "250.00"] in rows
    assert ["5", "5.0", "20.0", "10.0"] in rows
    assert ["coral", "1", "no", "library"] in rows
    assert ["tflite", "2", "9.0", "8.00", "-"] in rows
    assert values["speed"]["stages"]["detect"] == {"n": 20, "p50_ms": 250.0, "p95_ms": 250.0}


def test_comparison_knows_which_way_is_worse():
    old = json.loads(made().json())
    slower = made(peak_mib=150.0, faces=[faces.FacesResult(5, 5.0, 20.0, 5.0)], threads=4)
    text, worse = report.compare(slower, old, tolerance=0.6)
    rows = {line[:24].strip(): line[24:].split() for line in text.splitlines()}
    assert rows["peak MiB"] == ["100.00", "150.00", "1.50"]
    assert rows["FPS, 5 faces"] == ["10.00", "5.00", "2.00", "WORSE"]
    assert worse
    assert "not the same threads: 2 then, 4 now" in text
    assert not report.compare(slower, old, tolerance=1.5)[1]
    assert not report.compare(slower, old, tolerance=None)[1]
    assert not report.compare(made(peak_mib=1.0), old, tolerance=0.1)[1]


def test_of_several_measurements_the_best_counts():
    old = json.loads(made().json())
    slower = made(peak_mib=150.0, faces=[faces.FacesResult(5, 5.0, 20.0, 5.0)])
    assert report.compare(slower, old, 0.1)[1]
    assert report.compare(slower, old, 0.1, [slower])[1]
    assert not report.compare(slower, old, 0.1, [slower, made()])[1]


def test_worse_is_never_said_of_one_measurement(tmp_path, monkeypatch, capsys):
    file, runs = tmp_path / "then.json", []
    file.write_text(made().json())
    monkeypatch.setattr("edge.operations.benchmark.suite.run", lambda *_: runs.append(1) or made(peak_mib=900.0))
    arguments = ["benchmark", "synthetic", "--compare", str(file), "--tolerance", "0.1"]
    assert cli.main(arguments) == 1
    assert len(runs) == 3
    reports = iter([made(peak_mib=900.0), made()])
    monkeypatch.setattr("edge.operations.benchmark.suite.run", lambda *_: next(reports))
    assert cli.main(arguments) == 0
    assert "WORSE" not in capsys.readouterr().out.rpartition("against")[2]


def test_without_the_demo_it_times_the_picture_of_the_bundle(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    quick = ["--seconds", "0.3", "--frames", "8", "--faces", "1", "--set", "backend.detector=tflite"]
    assert cli.main(["benchmark", *quick, "--json", str(tmp_path / "a.json")]) == 0
    said = capsys.readouterr()
    assert "picture of the known answer is timed instead" in said.err
    assert json.loads((tmp_path / "a.json").read_text())["speed"]["fps"] > 0


@pytest.mark.parametrize("text", [None, "{}", "[1]", "nonsense", '{"speed": 3}'])
def test_another_file_is_no_report(tmp_path, capsys, text):
    path = tmp_path / "old.json"
    if text is not None:
        path.write_text(text)
    assert cli.main(["benchmark", "--compare", str(path)]) == 2
    assert "old.json" in capsys.readouterr().err


@pytest.mark.parametrize("numbers", ["1,x", "-1", "101", "1.5"])
def test_wrong_numbers_of_faces_are_one_line(capsys, numbers):
    assert cli.main(["benchmark", f"--faces={numbers}"]) == 2
    assert "--faces" in capsys.readouterr().err


def test_the_real_pipeline_once_with_everything(tmp_path, capsys):
    """Real networks, the synthetic camera, a sweep, the file and the comparison with itself."""
    pytest.importorskip("skimage", reason="the synthetic camera needs the extra 'demo'")
    file = tmp_path / "now.json"
    quick = ["--seconds", "0.5", "--frames", "8", "--faces", "1,2", "--set", "backend.detector=tflite"]
    assert cli.main(["benchmark", *quick, "--sweep", "--json", str(file)]) == 0
    values = json.loads(file.read_text())
    assert {"capture", "resize", "detect", "track", "decide"} <= set(values["speed"]["stages"])
    resize, detect = (values["speed"]["stages"][name]["p50_ms"] for name in ("resize", "detect"))
    assert 0 < resize < detect
    assert [row["faces"] for row in values["faces"]] == [1, 2]
    assert [row["found"] for row in values["faces"]] == [1.0, 2.0]
    assert values["latency"]["n"] >= 2
    assert values["backends"]["detector"] == "tflite"
    swept = {row["backend"]: row for row in values["sweep"]}
    for backend in ("tflite", "opencv"):
        assert swept[backend]["fps"] > 0
        assert 0 < swept[backend]["classify_ms"] < swept[backend]["detect_ms"]
    capsys.readouterr()
    assert cli.main(["benchmark", *quick, "--json", "--compare", str(file), "--tolerance", "1000"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["bundle"] == "shipped"
    assert printed.err.startswith("\nagainst ")
