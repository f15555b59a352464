"""`import maskcam`: what a Python developer tries first."""

import subprocess
import sys
import types
from pathlib import Path

import cv2
import maskcam
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def python(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)


def test_every_name_is_there_and_nothing_else_is_promised():
    for name in maskcam.__all__:
        assert getattr(maskcam, name) is not None
    assert dir(maskcam) == sorted(maskcam.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Detecter'"):
        maskcam.Detecter  # noqa: B018


def test_importing_it_loads_no_heavy_package():
    heavy = ["cv2", "numpy", "pydantic", "tensorflow"]
    done = python(f"import sys, maskcam; print(sorted(set({heavy}) & set(sys.modules)))", check=True)
    assert done.stdout.strip() == "[]"


def test_another_package_named_edge_is_told_in_one_sentence(tmp_path):
    (tmp_path / "edge.py").write_text("")
    done = python("import maskcam", cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: maskcam needs its own package 'edge'")
    assert str(tmp_path / "edge.py") in last


def test_without_opencv_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "edge.maskcam.networks", raising=False)
    code = "import sys; sys.modules['cv2'] = None; import maskcam; maskcam.Detector"
    assert "package 'cv2' is not installed" in python(code).stderr.splitlines()[-1]


def test_a_face_is_found_and_judged(portrait):
    with maskcam.Detector() as detector, maskcam.Classifier() as classifier:
        (face,) = detector.detect(portrait)
        verdict = classifier.classify(portrait, face)
        p = classifier.probabilities(portrait, face)
    assert 0.5 < face.score <= 1
    assert 0 <= face.box.x0 < face.box.x1 <= portrait.shape[1]
    assert verdict.mask is maskcam.Mask.OFF
    assert sum(p.values()) == pytest.approx(1, abs=0.02)
    assert max(p, key=p.get) == "without_mask"


def test_every_kind_of_array_gives_the_same_face(portrait):
    bgr = cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR)
    with maskcam.Detector() as detector:
        expected = detector.detect(portrait)
        wide = np.zeros((portrait.shape[0], 2 * portrait.shape[1], 3), np.uint8)
        wide[:, ::2] = portrait
        for image in (
            portrait / 255,
            portrait.astype(int),
            wide[:, ::2],
            np.dstack([portrait, portrait[..., 0] * 0 + 255]),
        ):
            assert detector.detect(image) == expected
        assert len(detector.detect(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY))) == 1
    with maskcam.Detector(colour="BGR") as detector:
        assert detector.detect(bgr) == expected


def test_a_box_may_be_four_numbers_and_the_whole_picture_a_face(portrait):
    with maskcam.Detector() as detector, maskcam.Classifier() as classifier:
        face = detector.detect(portrait)[0]
        b = face.box
        expected = classifier.classify(portrait, face)
        assert classifier.classify(portrait, b) == expected
        assert classifier.classify(portrait, (b.x0, b.y0, b.x1, b.y1)) == expected
        assert classifier.classify(portrait, np.array([b.x0, b.y0, b.x1, b.y1])) == expected
        cut = portrait[int(b.y0) : int(b.y1), int(b.x0) : int(b.x1)]
        assert classifier.classify(cut).mask is not maskcam.Mask.ON


@pytest.mark.parametrize(
    "face",
    [(1, 2, 3), "nose", (50, 50, 20, 20), (0, 0, 0, 9), (900, 0, 950, 50), (0, 0, float("nan"), 9), (0, 0, 9, np.inf)],
)
def test_a_box_that_is_none_is_refused(face):
    with maskcam.Classifier() as classifier, pytest.raises(maskcam.DataError, match="face ="):
        classifier.classify(np.zeros((100, 200, 3), np.uint8), face)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"colour": "rgb"}, "'RGB' or 'BGR'"),
        ({"threshold": 1.5}, "threshold = 1.5"),
        ({"backend": "tensorrt"}, "expected auto, tflite"),
        ({"bundle": "/nowhere"}, "/nowhere: not a bundle"),
    ],
)
def test_what_a_detector_cannot_be(arguments, said):
    with pytest.raises(maskcam.MaskcamError, match=said):
        maskcam.Detector(**arguments)


def test_extreme_shapes_are_pictures_too():
    with maskcam.Detector() as detector:
        for shape in ((1, 1, 3), (1, 4000, 3), (4000, 1), (17, 19, 4)):
            assert detector.detect(np.zeros(shape, np.uint8)) == []


class Heard:
    def __init__(self):
        self.kinds, self.closed = [], False

    def send(self, event):
        self.kinds.append(event.kind)

    def close(self):
        self.closed = True


def test_watching_gives_decisions_and_sinks_hear_the_alert_even_beside_a_broken_one(caplog):
    heard, broken = Heard(), types.SimpleNamespace(send=lambda event: 1 / 0, close=lambda: None)
    scene = {"camera.duration": 5.0, "camera.fps": 8.0, "alerts.raise_after": 0.5}
    seen = list(maskcam.watch("synthetic", settings=scene, sinks=[broken, heard], live=False))
    assert [o.frame.index for o in seen] == list(range(40))
    assert any(d.mask is maskcam.Mask.OFF for o in seen for d in o.decisions)
    assert "decision" in heard.kinds
    assert "no_mask" in heard.kinds
    assert not heard.closed  # whoever made it closes it
    assert "division by zero" in caplog.text


def test_leaving_the_loop_closes_the_camera(monkeypatch):
    from edge.cameras.synthetic import SyntheticCamera

    closed = []
    monkeypatch.setattr(SyntheticCamera, "close", lambda self: closed.append(self))
    for _ in maskcam.watch("synthetic", live=False):
        break
    assert len(closed) == 1


def test_wrong_settings_are_told_before_the_loop():
    with pytest.raises(maskcam.ConfigError, match=r"did you mean 'camera\.width'"):
        maskcam.watch(0, settings={"camera.widht": 3})


def test_pictures_are_a_source(portrait, tmp_path):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR))
    seen = list(maskcam.watch(tmp_path))
    assert [len(o.tracks) for o in seen] == [1, 1]
    np.testing.assert_array_equal(maskcam.read_image(tmp_path / "a.png"), portrait)


def test_the_benchmark_measures():
    report = maskcam.benchmark(seconds=0.2, faces=())
    assert report.speed.fps > 0
    assert "detect" in report.render()


def test_it_is_a_command_too():
    done = subprocess.run([sys.executable, "-m", "maskcam", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"maskcam {maskcam.__version__}\n"
