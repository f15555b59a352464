"""What `make test-arm64` asks pip for: the requirements of a board, judged for that board and not for this machine."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("packaging")
spec = importlib.util.spec_from_file_location("wheels", Path(__file__).with_name("wheels.py"))
wheels = importlib.util.module_from_spec(spec)
spec.loader.exec_module(wheels)


def names(machine, python):
    return {one.name for one in wheels.requirements("pi", machine, python)}


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_a_64_bit_board_takes_litert_and_opencv(python):
    assert {"ai-edge-litert", "opencv-python-headless", "numpy", "gpiozero"} <= names("aarch64", python)
    assert "tflite-runtime" not in names("aarch64", python)


def test_a_32_bit_board_takes_tflite_runtime_and_leaves_opencv_to_apt():
    assert {"tflite-runtime", "numpy", "gpiozero"} <= names("armv7l", "3.11")
    assert not {"ai-edge-litert", "opencv-python-headless", "py-minisign"} & names("armv7l", "3.11")
    (numpy,) = {str(one) for one in wheels.requirements("pi", "armv7l", "3.11") if "<2" in str(one)}
    assert numpy == "numpy<2"
