"""edge.cameras.pi on picamera2 and libcamera, both unmodified, and the kernel's virtual camera (vimc)."""

import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest

sys.modules["pykms"] = MagicMock()  # for a preview on the screen; picamera2 imports it always

from edge.cameras.pi import PiCamera  # noqa: E402
from edge.config import settings as defaults  # noqa: E402
from edge.core.errors import CameraError  # noqa: E402
from edge.testing.defaults import with_defaults  # noqa: E402

PiCamera = with_defaults(PiCamera, defaults.Camera())


@pytest.fixture
def vimc():
    subprocess.run(["modprobe", "vimc"], check=True)
    subprocess.run(["udevadm", "settle"], check=True)
    heap = Path("/dev/dma_heap/linux,cma")  # a Pi's kernel has it
    if not heap.exists():
        heap.symlink_to("system")


def test_frames_of_the_camera_port(vimc):
    with PiCamera(0, width=641, height=480, silence=30.0) as camera:
        print(camera.describe())
        frames, began = [], time.monotonic()
        for frame in camera:
            frames.append(frame)
            if len(frames) == 5:
                break
    print(f"5 frames in {time.monotonic() - began:.1f} s, mean {frames[-1].image.mean():.1f}")
    assert {frame.image.shape for frame in frames} == {(480, 640, 3)}
    assert frames[-1].image.dtype == "uint8"
    assert frames[-1].image.std() > 10
    assert [frame.t for frame in frames] == sorted({frame.t for frame in frames})


def test_a_closed_camera_can_be_opened_again(vimc):
    for _ in range(2):
        with PiCamera(0, silence=30.0) as camera:
            next(iter(camera))


def test_the_second_camera_does_not_exist(vimc):
    with pytest.raises(CameraError, match="'pi:1': does not exist, libcamera finds 1"):
        PiCamera(1)
