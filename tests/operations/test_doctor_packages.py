"""The doctor's knowledge of packages that do not get on with one another."""

import sys

import pytest

from edge.operations.doctor import gpio, packages
from edge.operations.doctor.packages import NO_MODULE, Package, Platform

NONE = dict.fromkeys(packages.DISTRIBUTIONS, Package())
BOOKWORM = Platform((3, 11), 64, (2, 36))
WELL = {
    **NONE,
    "numpy": Package("2.4.6", wheel=True),
    "cv2": Package("4.14.0", wheel=True),
    "ai_edge_litert": Package("2.3.0", wheel=True),
}


def examined(platform=BOOKWORM, **changes):
    return {finding.name: finding for finding in packages.packages({**WELL, **changes}, platform)}


def test_all_is_well():
    assert {name: finding.state for name, finding in examined().items()} == dict.fromkeys(
        ("Python", "NumPy", "OpenCV", "TFLite"), "ok"
    )


OLD = {"ai_edge_litert": Package(), "tflite_runtime": Package("2.14.0")}


@pytest.mark.parametrize(
    ("name", "remedy", "platform", "changes"),
    [
        ("NumPy", "pip install 'numpy<2'", BOOKWORM, OLD),
        (
            "NumPy",
            "pip install 'numpy<2'",
            BOOKWORM,
            {"simplejpeg": Package("1.6.6", "ValueError: numpy.dtype size changed")},
        ),
        ("NumPy", "install --force-reinstall maskcam", BOOKWORM, {"numpy": Package()}),
        ("NumPy", "install --force-reinstall numpy", BOOKWORM, {"numpy": Package("1.26.4", "signal 4")}),
        ("OpenCV", "install 'opencv-python-headless>=4.8,<5'", BOOKWORM, {"cv2": Package("5.0.0", wheel=True)}),
        ("OpenCV", "install 'opencv-python-headless>=4.8,<5'", BOOKWORM, {"cv2": Package()}),
        ("OpenCV", "apt install python3-opencv", Platform((3, 11), 32, (2, 36)), {"cv2": Package()}),
        ("OpenCV", "install 'opencv", BOOKWORM, {"cv2": Package("", "ImportError: libGL.so.1")}),
        ("TFLite", "update to", Platform((3, 9), 64, (2, 31)), {**OLD, "numpy": Package("1.26.4")}),
        ("TFLite", "pip install 'ai-edge-litert>=2.1'", BOOKWORM, {"ai_edge_litert": Package()}),
        ("TFLite", "reinstall ai-edge-litert", BOOKWORM, {"ai_edge_litert": Package("2.3.0", "signal 11")}),
        ("Python", "64-bit Raspberry Pi OS", Platform((3, 13), 32, (2, 41)), {"ai_edge_litert": Package()}),
        ("pycoral", "uninstall -y pycoral", BOOKWORM, {"pycoral.utils.edgetpu": Package("0.1", NO_MODULE)}),
        (
            "pycoral",
            "uninstall -y pycoral",
            BOOKWORM,
            {"pycoral.utils.edgetpu": Package("0.1", "ModuleNotFoundError: No module named 'pycoral.utils'")},
        ),
    ],
)
def test_known_bad_combinations(name, remedy, platform, changes):
    finding = examined(platform, **changes)[name]
    assert finding.state == "bad"
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"numpy": Package("1.26.4"), **OLD},
        {"tflite_runtime": Package("2.14.0")},  # LiteRT is taken first
        {"simplejpeg": Package("1.8.2")},
        {"numpy": Package("1.24.2"), "simplejpeg": Package("1.6.6")},
        {"pycoral.utils.edgetpu": Package("2.0.0", "ImportError: _pywrap_coral.so")},  # Google's, for another Python
    ],
)
def test_combinations_that_work(changes):
    assert {finding.state for finding in examined(**changes).values()} == {"ok"}


def test_a_wheel_hides_a_jetsons_opencv():
    jetson = Platform((3, 10), 64, (2, 35), jetson=True)
    assert examined(jetson)["OpenCV"].state == "warn"
    assert examined(jetson, cv2=Package("4.8.0"))["OpenCV"].state == "ok"
    assert examined(jetson, ai_edge_litert=Package())["TFLite"].state == "warn"


def test_pin_libraries():
    def states(wanted, **changes):
        return {finding.name: finding.state for finding in gpio.drivers({**NONE, **changes}, wanted)}

    assert states([]) == {}
    assert states([], lgpio=Package("0.0.0.2", NO_MODULE)) == {"lgpio": "bad"}
    assert states(["gpiozero"]) == {"lgpio": "bad", "gpiozero": "bad"}
    good = {"lgpio": Package("0.2.2.0"), "gpiozero": Package("2.0.1.post3")}
    assert states(["gpiozero"], **good) == {"gpiozero": "ok"}
    assert states(["gpiod"], gpiod=Package("1.6.3")) == {"gpiod": "bad"}
    assert states(["gpiod"], gpiod=Package("2.2.1")) == {"gpiod": "ok"}


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Writes packages that this Python finds."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(module, source, distribution="", version=""):
        if module:
            (tmp_path / f"{module}.py").write_text(source)
        if distribution:
            folder = tmp_path / f"{distribution}-{version}.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")

    return write


def test_looking_at_packages(installed):
    assert packages.look("picamera2") == Package()
    installed("picamera2", "__version__ = '1.0'")
    assert packages.look("picamera2") == Package("1.0")
    installed("simplejpeg", "raise ValueError('numpy.dtype size changed')", "simplejpeg", "1.6.6")
    assert packages.look("simplejpeg") == Package("1.6.6", "ValueError: numpy.dtype size changed", wheel=True)
    installed("tflite_runtime", "import os; os.abort()")
    assert packages.look("tflite_runtime") == Package("", "signal 6")


def test_looking_at_an_empty_placeholder(installed):
    installed(None, "", "lgpio", "0.0.0.2")
    assert packages.look("lgpio") == Package("0.0.0.2", NO_MODULE, wheel=True)


def test_looking_at_the_wrong_pycoral(installed):
    installed("pycoral", "", "pycoral", "0.1")
    found = packages.look("pycoral.utils.edgetpu")
    assert found.error.startswith("ModuleNotFoundError")
    assert examined(**{"pycoral.utils.edgetpu": found})["pycoral"].state == "bad"


def test_a_package_is_never_loaded_here(installed):
    installed("gpiod", "__version__ = '9'")
    loaded = sys.modules.get("gpiod")
    packages.look("gpiod")
    assert sys.modules.get("gpiod") is loaded
