"""feeder.py DEVICE KIND FPS [WIDTHxHEIGHT]: writes pictures into a v4l2loopback device until it is killed.

KIND: "scene", the synthetic camera's (raw YUYV, beside this file), each sent five times; "frozen", the first of them;
"jpeg", the same compressed; "garbage", bytes that are called JPEG.
"""

import fcntl
import itertools
import struct
import sys
import time
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 480
SCENE = Path(__file__).with_name("scene.yuyv")
VIDIOC_S_FMT = 0xC0D05605
"""_IOWR('V', 5, struct v4l2_format), which has 208 bytes on 64-bit systems."""
OUTPUT, NO_FIELD, SRGB = 2, 1, 8


def main(device: str, kind: str, fps: str, size: str = "640x480") -> None:
    width, height = map(int, size.split("x"))
    step = WIDTH // width
    raw = np.fromfile(SCENE, np.uint8).reshape(-1, HEIGHT, WIDTH // 2, 4)  # Y0 U Y1 V
    pictures = [picture.tobytes() for picture in raw[:, ::step, ::step]]
    if kind == "frozen":
        pictures = pictures[:1]
    elif kind == "jpeg":
        pictures = [jpeg(picture) for picture in raw]
    elif kind == "garbage":
        rng = np.random.default_rng(0)
        pictures = [rng.bytes(20000) for _ in range(10)]
    code = b"MJPG" if kind in ("jpeg", "garbage") else b"YUYV"
    pixels = struct.pack("<II4sIIII", width, height, code, NO_FIELD, width * 2, width * height * 2, SRGB)
    with open(device, "wb", buffering=0) as video:
        fcntl.ioctl(video, VIDIOC_S_FMT, bytearray(struct.pack("<I4x", OUTPUT) + pixels.ljust(200, b"\0")))
        due = time.monotonic()
        for picture in itertools.cycle(pictures):
            for _ in range(1 if kind in ("jpeg", "garbage") else 5):
                video.write(picture)
                due = max(due + 1 / float(fps), time.monotonic())
                time.sleep(max(due - time.monotonic(), 0))


def jpeg(picture: np.ndarray) -> bytes:
    image = cv2.cvtColor(picture.reshape(HEIGHT, WIDTH, 2), cv2.COLOR_YUV2BGR_YUYV)
    return cv2.imencode(".jpg", image)[1].tobytes()


if __name__ == "__main__":
    main(*sys.argv[1:])
