"""Pictures of a face without a mask, then with one, as a V4L2 camera delivers them: raw YUYV, 640 x 480."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.cameras.synthetic import PHASE, SyntheticCamera

SECONDS = 48.0
"""Of each state: long enough for an emulated processor to judge it several times."""


def write(path: Path, per_second: float = 2.0) -> None:
    """The synthetic camera's walk, its four seconds of each state stretched to SECONDS."""
    camera = SyntheticCamera(640, 480, realtime=False)
    count = round(SECONDS * per_second)
    with path.open("wb") as file:
        for state in (0, 1):
            for t in np.linspace(state * PHASE, (state + 1) * PHASE, count, endpoint=False):
                assert camera.mask_on_at(float(t)) == bool(state)
                file.write(yuyv(camera.image_at(float(t))))


def yuyv(image: np.ndarray) -> bytes:
    """RGB (H, W, 3) uint8 -> Y0 U Y1 V of every two pixels."""
    yuv = cv2.cvtColor(image, cv2.COLOR_RGB2YUV)
    packed = np.empty((*image.shape[:2], 2), np.uint8)
    packed[..., 0] = yuv[..., 0]
    chroma = yuv[:, ::2, 1:].astype(np.uint16) + yuv[:, 1::2, 1:]
    packed[:, ::2, 1], packed[:, 1::2, 1] = chroma[..., 0] // 2, chroma[..., 1] // 2
    return packed.tobytes()
