"""The camera port of Raspberry Pi boards, through picamera2.

One RGB stream serves both networks. A second, small one for the detector would save scaling the frame down (measured
on a core of a PC: 0.2 ms from 640 x 480, 3 ms from 1280 x 720), and cost a second picture in every frame, a colour
conversion (before the Pi 5 it is YUV only), and pictures that are scaled in another way than in training and tests.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as NoFrame  # Python 3.10 has another TimeoutError
from itertools import count
from typing import Any

from edge.cameras.base import Source
from edge.core.errors import CameraError, MissingPackage
from edge.core.records import Frame

RGB = "BGR888"
"""R, G, B in memory order by the name of libcamera, which counts from the highest byte of a word."""


class PiCamera(Source):
    """Camera `number` of libcamera; width and height are rounded to even, as it requires.

    exposure: milliseconds, 0 for automatic. silence: seconds without a frame after which it is an error, since
    picamera2 does not report it. `t` is the `clock` on arrival. Raises CameraError and MissingPackage.
    """

    def __init__(
        self,
        number: int = 0,
        *,
        width: int,
        height: int,
        fps: float,
        exposure: float = 0.0,
        silence: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._silence, self._clock = f"pi:{number}", silence, clock
        driver = _picamera2()
        found = driver.global_camera_info()
        if number >= len(found):
            raise CameraError(
                f"camera '{self._name}': does not exist, libcamera finds {len(found)}: check the ribbon cable at both "
                "ends, then rpicam-hello --list-cameras"
            )
        self._model = found[number].get("Model", "camera")
        self._stuck = False
        self._camera: Any = None
        try:
            self._camera = driver(number)
            self._configure(width - width % 2, height - height % 2, fps, exposure)
        except Exception as error:  # picamera2 and libcamera raise RuntimeError, IndexError and others
            self.close()
            raise CameraError(
                f"camera '{self._name}': cannot be opened, in use by another program? ({error})"
            ) from error

    def _configure(self, width: int, height: int, fps: float, exposure: float) -> None:
        period = round(1e6 / fps)
        wanted: dict[str, Any] = {"FrameDurationLimits": (period, period)}
        if exposure:
            wanted |= {"ExposureTime": round(exposure * 1000)}
        known = self._camera.camera_controls
        controls = {name: value for name, value in wanted.items() if name in known}
        main = {"size": (width, height), "format": RGB}
        self._camera.configure(self._camera.create_video_configuration(main=main, raw=None, controls=controls))
        self._camera.start()

    def describe(self) -> str:
        """The actual configuration."""
        main = self._camera.camera_configuration()["main"]
        return "{}: {}, {}x{} {}".format(self._name, self._model, *main["size"], main["format"])

    def __iter__(self) -> Iterator[Frame]:
        for index in count():
            try:
                image = self._camera.capture_array("main", wait=self._silence)
            except NoFrame:
                self._stuck = True
                raise CameraError(
                    f"camera '{self._name}': silent for {self._silence:g} s: check ribbon cable and power supply"
                ) from None
            except RuntimeError as error:
                raise CameraError(f"camera '{self._name}': {error}") from error
            yield Frame(index, self._clock(), image)

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is None:
            return
        if self._stuck:  # otherwise closing waits for a capture that never ends
            camera.cancel_all_and_flush()
        camera.close()


def _picamera2() -> Any:
    """The class of picamera2. It comes with the system, since it has to match its libcamera."""
    try:
        return importlib.import_module("picamera2").Picamera2
    except ModuleNotFoundError as error:
        remedy = (
            "sudo apt install python3-picamera2; an own environment finds it when made with "
            "python3 -m venv --system-site-packages"
        )
        raise MissingPackage(str(error.name).partition(".")[0], remedy=remedy) from None
    except Exception as error:  # simplejpeg built for another NumPy raises ValueError
        raise CameraError(
            f"package 'picamera2' is installed but does not load ({error}): what an own environment installs must fit "
            "the system's packages, NumPy above all: pip install 'numpy<2' on Debian 12"
        ) from None
