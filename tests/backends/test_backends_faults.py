"""Six faulty devices in the real pipeline: the camera goes on, the status tells the truth, verdicts keep coming."""

import time
from contextlib import closing
from itertools import pairwise

import pytest

from edge import assemble, config
from edge.core.errors import EngineError

pytest.importorskip("skimage")  # the portrait that walks before the synthetic camera

LONGEST_GAP = 2.0
"""Seconds without a verdict."""


@pytest.fixture
def settings(compiled_bundle):
    """settings(...): a synthetic camera whose person is judged in every frame; the Coral on one stage, "on"."""

    def make(on="classifier", strict=False, seconds=2):
        other = "classifier" if on == "detector" else "detector"
        changes = {
            "camera.source": "synthetic",
            "camera.fps": 10.0,
            "camera.duration": float(seconds),
            "model.bundle": f"'{compiled_bundle}'",
            f"backend.{on}": "coral",
            f"backend.{other}": "tflite",
            "backend.device": "usb:0",
            "backend.strict": str(strict).lower(),
            "decision.recheck_every": 0.0,
            "sinks.log": "false",
        }
        return config.load(None, [f"{key}={value}" for key, value in changes.items()])

    return make


def waited():
    """Seconds that this thread has waited for a processor: on a busy machine no device is at fault for them."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:  # not Linux
        return 0.0


def describe(backends):
    return {network: stage.describe() for network, stage in backends.items()}


def watch(settings, each=lambda index, backends: False):
    """Runs the pipeline; returns the longest time between two verdicts, their number, and what was said before and
    after. `each` is called after every frame and may end the run."""
    times, said = [], []
    with assemble.runtime(settings, live=False) as runtime:
        said.append(describe(runtime.backends))
        classify = runtime.pipeline.classifier.classify

        def noted(*asked):
            verdict = classify(*asked)
            times.append(time.monotonic() - waited())
            return verdict

        runtime.pipeline.classifier.classify = noted
        with closing(runtime.pipeline.run(runtime.camera)) as observations:
            for observation in observations:
                if each(observation.frame.index, runtime.backends):
                    break
        said.append(describe(runtime.backends))
    return max(b - a for a, b in pairwise(times)), len(times), said


@pytest.mark.parametrize("stage", ["detector", "classifier"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("no-device", "libedgetpu.so.1 found no free Edge TPU for backend.device = 'usb:0'"),
        ("bad-option", "libedgetpu.so.1 refuses backend.device = 'usb:0': unknown option device"),
        ("wrong", "wrong answer: "),
    ],
)
def test_a_device_that_is_faulty_from_the_start_is_not_used(edgetpu, settings, fault, said, stage):
    edgetpu(fault)
    gap, verdicts, (first, last) = watch(settings(stage))
    assert verdicts >= 15
    assert gap < LONGEST_GAP
    assert first == last
    assert first[stage].startswith(f"requested coral, running tflite: {said}")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("lost", "edgetpu stub: the device is gone"),
        ("hang", "coral did not answer within 0.75 s"),
        ("crash", "coral crashed (SIGSEGV)"),
    ],
)
def test_a_device_that_fails_at_work_is_replaced_at_once(edgetpu, settings, fault, said):
    edgetpu(fault, after=10)
    history = []
    gap, verdicts, (first, _) = watch(settings(), lambda index, backends: history.append(describe(backends)))
    assert verdicts >= 15
    assert gap < LONGEST_GAP
    assert first == {"detector": "tflite", "classifier": "coral"}
    assert {each["detector"] for each in history} == {"tflite"}
    failed = next(each["classifier"] for each in history if each != first)
    assert failed.startswith("requested coral, running tflite: coral is down: ")
    assert said in failed


def test_a_device_that_comes_back_is_used_again(edgetpu, settings):
    """Unplugged, and plugged in again: after the first wait the stage runs on it, with no gap on the way."""
    edgetpu("lost", after=10)
    faults = []

    def is_back(index, backends):
        faults.append(backends["classifier"].reason)
        if faults[-1]:
            edgetpu()
        return any(faults) and not faults[-1]

    gap, _, (first, last) = watch(settings(seconds=300), is_back)
    assert first == last == {"detector": "tflite", "classifier": "coral"}
    assert any(faults)
    assert gap < LONGEST_GAP


def test_strict_ends_the_run_instead(edgetpu, settings):
    edgetpu("lost", after=10)
    with pytest.raises(EngineError, match="the device is gone"):
        watch(settings(strict=True))
    edgetpu("no-device")
    with pytest.raises(EngineError, match="no free Edge TPU"):
        watch(settings(strict=True))
