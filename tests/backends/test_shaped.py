"""One engine for all input shapes of the detector, with fakes that remember."""

import numpy as np
import pytest

from edge.backends.shaped import ShapedEngine, both
from edge.core.errors import BundleError, EngineError
from edge.testing.engine import ScriptedEngine
from edge.vision import bundle

WIDE, TALL = np.zeros((32, 64, 3), np.uint8), np.zeros((64, 32, 3), np.uint8)


@pytest.fixture
def loaded(tmp_path, write_bundle, bundle_shape):
    return bundle.load(write_bundle(tmp_path / "b", detector={"shapes": [bundle_shape(32, 64)]}))


@pytest.fixture
def opened():
    """The engines that were opened, by name; `open` opens one."""
    engines = {}

    def open(name):
        engines[name] = ScriptedEngine([[np.full(1, len(engines))]])
        return engines[name]

    engines_of = type("Opened", (), {"engines": engines, "open": staticmethod(open)})
    return engines_of()


def test_a_shape_is_opened_when_its_first_picture_comes_and_only_then(loaded, opened):
    engine = ShapedEngine(loaded, "detector", "tflite", opened.open)
    assert engine.shapes == [(64, 32), (32, 64)]
    engine.infer(WIDE)
    assert list(opened.engines) == ["detector"]
    assert engine.infer(TALL)[0] == 1
    assert engine.infer(TALL)[0] == 1
    assert [len(one.seen) for one in opened.engines.values()] == [1, 2]


def test_a_picture_of_no_known_shape_is_refused_with_those_that_are(loaded, opened):
    engine = ShapedEngine(loaded, "detector", "tflite", opened.open)
    with pytest.raises(EngineError, match=r"picture of shape \(10, 20, 3\), the network takes 64x32, 32x64"):
        engine.infer(np.zeros((10, 20, 3), np.uint8))


def test_a_shape_without_a_file_for_the_backend_is_left_out(loaded, opened):
    assert ShapedEngine(loaded, "detector", "edgetpu", opened.open).shapes == [(64, 32)]


def test_the_classifier_has_its_one_shape(loaded, opened):
    assert ShapedEngine(loaded, "classifier", "tflite", opened.open).shapes == [(32, 32)]


def test_the_fault_of_any_shape_is_told(loaded, opened):
    engine = ShapedEngine(loaded, "detector", "tflite", opened.open)
    engine.infer(TALL)
    assert engine.fault == ""
    opened.engines["detector-32x64"].fault = "unplugged"
    assert engine.fault == "unplugged"


@pytest.mark.parametrize("error", [BundleError("no such file"), FileNotFoundError("no such file")])
def test_a_shape_that_cannot_be_opened_later_is_a_failure_of_the_engine(loaded, opened, error):
    """For which there is a standby; it is tried once, and the shape that is open goes on."""
    tried = []

    def open(name):
        tried.append(name)
        if name != "detector":
            raise error
        return opened.open(name)

    engine = ShapedEngine(loaded, "detector", "tflite", open)
    for _ in range(2):
        with pytest.raises(EngineError, match="detector-32x64: no such file"):
            engine.infer(TALL)
    assert tried == ["detector", "detector-32x64"]
    assert engine.fault == "detector-32x64: no such file"
    assert engine.infer(WIDE)[0] == 0


def test_every_open_shape_is_closed(loaded, opened):
    engine = ShapedEngine(loaded, "detector", "tflite", opened.open)
    engine.infer(TALL)
    engine.close()
    assert [one.closed for one in opened.engines.values()] == [True, True]


def test_both_networks_open_what_they_need(loaded, opened):
    asked = []

    def open(of, name, threads):
        asked.append((of, name, threads))
        return opened.open(name)

    detector, _ = both(loaded, "tflite", open, 3)
    detector.infer(TALL)
    assert asked == [(loaded, "detector", 3), (loaded, "classifier", 3), (loaded, "detector-32x64", 3)]
