"""The Edge TPU's delegate through the runtime's own `load_delegate`, with a stub of its library built here.

No Edge TPU computes anything in these tests: they prove how it is found, loaded, judged and given up.
"""

import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

from edge.backends import coral, tflite
from edge.backends.registry import INT8
from edge.backends.self_test import check_known_answer
from edge.backends.supervised.process_engine import ProcessEngine
from edge.core.errors import BundleError, EngineError
from edge.vision import bundle
from edge.vision.bundle import ClassifierSpec

OPEN = "edge.backends.coral:open"
PEER = Path(__file__).parents[3] / "shared" / "peers" / "mobilenet_v2_mask_classification_edgetpu.tflite"


@pytest.fixture
def start(compiled_bundle):
    """Starts the process of a Coral; they all end with the test."""
    started = []

    def begin(device="", folder=compiled_bundle):
        started.append(ProcessEngine("coral", OPEN, bundle.load(folder), 1, device))
        return started[-1]

    yield begin
    for remote in started:
        remote.close()


def shape(loaded, network="classifier"):
    size = getattr(loaded, network).input
    return np.zeros((size.height, size.width, 3), np.uint8)


def known(remote, loaded, network="classifier"):
    remote.open(network, 30)
    check_known_answer(loaded, network, lambda image: remote.infer(network, image, 30), INT8)


def test_both_networks_run_on_one_device_in_one_process(start, edgetpu, compiled_bundle):
    loaded, remote = bundle.load(compiled_bundle), start("usb:0")
    known(remote, loaded, "detector")
    known(remote, loaded, "classifier")
    assert remote.alive
    assert remote.seconds > 0


def test_the_delegate_does_the_work(edgetpu, start, compiled_bundle):
    """A stub that answers zeros gives another result: the answer does come through the delegate."""
    edgetpu("wrong")
    with pytest.raises(EngineError, match=r"wrong answer: classifier.probabilities differs from the bundle's known"):
        known(start(), bundle.load(compiled_bundle))


def test_without_the_library_it_says_what_to_install(start, monkeypatch, tmp_path):
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"^libedgetpu.so.1 not found: install the .*feranick/libedgetpu") as caught:
        start().open("classifier", 30)
    assert "\n" not in str(caught.value)


def test_without_a_device_it_says_what_is_on_the_bus(edgetpu, start):
    edgetpu("no-device")
    with pytest.raises(EngineError, match=r"^libedgetpu.so.1 found no free Edge TPU .*on the bus: none; plug it in"):
        start().open("classifier", 30)


def test_what_the_library_says_of_an_option_is_passed_on(edgetpu, start):
    edgetpu("bad-option")
    with pytest.raises(EngineError, match=r"refuses backend.device = 'usb:0': unknown option device"):
        start("usb:0").open("classifier", 30)
    start("").open("classifier", 30)  # no option, nothing to refuse


def test_a_device_lost_is_an_error_of_that_inference(edgetpu, start, compiled_bundle):
    edgetpu("lost", 1)
    loaded, remote = bundle.load(compiled_bundle), start()
    known(remote, loaded)
    with pytest.raises(EngineError, match=r"failed: edgetpu stub: the device is gone"):
        remote.infer("classifier", shape(loaded), 30)


@pytest.mark.parametrize(
    ("fault", "timeout", "said"),
    [("crash", 120, r"^coral crashed \(SIGSEGV\)$"), ("hang", 0.5, r"^coral did not answer within 0.5 s$")],
)
def test_a_crash_and_a_hang_cost_a_process_and_no_more(edgetpu, start, compiled_bundle, fault, timeout, said):
    edgetpu(fault, 1)
    loaded, remote = bundle.load(compiled_bundle), start()
    known(remote, loaded)
    before = time.monotonic()
    with pytest.raises(EngineError, match=said):
        remote.infer("classifier", shape(loaded), timeout)
    assert time.monotonic() - before < 60
    assert not remote.alive
    assert remote._process.wait(60) < 0  # it was killed, or died of the fault
    with pytest.raises(EngineError, match="coral is not running"):
        remote.infer("classifier", shape(loaded), timeout)


def test_another_edge_in_the_working_directory_is_not_mistaken_for_ours(edgetpu, start, tmp_path, monkeypatch):
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge/__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    start().open("classifier", 30)


def test_a_process_that_cannot_be_started_is_an_engine_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(EngineError, match="coral: its process cannot be started: No such file or directory"):
        ProcessEngine("coral", OPEN, bundle.load(), 1, "")


def test_a_bundle_without_a_compiled_file_names_the_command():
    with pytest.raises(BundleError, match=r"no edgetpu file of the detector.*: maskcam-convert edgetpu .*shipped$"):
        coral.open(bundle.load(), "detector", 2)


def plug(root, name, vendor, product):
    folder = root / "sys/bus/usb/devices" / name
    folder.mkdir(parents=True)
    (folder / "idVendor").write_text(vendor + "\n")
    (folder / "idProduct").write_text(product + "\n")


def test_devices_are_found_on_the_bus(tmp_path):
    assert coral.devices(tmp_path) == []
    plug(tmp_path, "1-1", "1a6e", "089a")  # before its first inference
    plug(tmp_path, "2-1", "18d1", "9302")  # after it
    plug(tmp_path, "2-2", "18d1", "4ee7")  # a telephone of the same vendor
    (tmp_path / "sys/bus/usb/devices/1-1:1.0").mkdir()  # an interface has no vendor
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    assert coral.devices(tmp_path) == ["usb:0", "usb:1", "pci:0"]


def test_devices_are_asked_of_googles_pycoral_where_it_is(monkeypatch):
    module = types.ModuleType("pycoral.utils.edgetpu")
    module.list_edge_tpus = lambda: [{"type": "pci", "path": "/dev/apex_0"}, {"type": "pci", "path": "/dev/apex_1"}]
    monkeypatch.setitem(sys.modules, "pycoral", types.ModuleType("pycoral"))
    monkeypatch.setitem(sys.modules, "pycoral.utils", types.ModuleType("pycoral.utils"))
    monkeypatch.setitem(sys.modules, "pycoral.utils.edgetpu", module)
    assert coral.devices() == ["pci:0", "pci:1"]


def test_the_other_pycoral_is_not_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycoral", types.ModuleType("pycoral"))  # has no utils.edgetpu
    assert isinstance(coral.devices(), list)


@pytest.mark.parametrize(("platform", "name"), [("linux", "libedgetpu.so.1"), ("darwin", "libedgetpu.1.dylib")])
def test_the_library_is_named_as_the_system_names_it(monkeypatch, platform, name):
    monkeypatch.setattr(sys, "platform", platform)
    assert coral.library() == name


@pytest.mark.skipif(not PEER.exists(), reason="needs a model compiled by Google's compiler beside the repository")
def test_a_really_compiled_model_is_recognised_and_runs_only_with_the_delegate(edgetpu_library):
    """What Google's compiler writes has the same operation: refused by the processor, claimed by the stub."""
    spec = ClassifierSpec(
        input={"width": 224, "height": 224},
        outputs={"probabilities": [1]},
        files={},
        known_answer="",
        labels=["with_mask", "without_mask"],
        margin=0.1,
    )
    with pytest.raises(EngineError, match="only the 'coral' backend can run it"):
        tflite.TFLiteEngine(PEER, spec, 1)
    maker, _ = tflite.interpreter_class()
    load_delegate = sys.modules[maker.__module__].load_delegate
    delegate = load_delegate(str(edgetpu_library / "libedgetpu.so.1"))
    engine = tflite.TFLiteEngine(PEER, spec, 1, [delegate])
    (answer,) = engine.infer(np.zeros((224, 224, 3), np.uint8))
    assert answer.shape == (1,)
