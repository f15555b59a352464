"""feed.py DEVICE FRAMES: plays raw YUYV pictures of 640 x 480 into a v4l2loopback device, over and over.

An emulated processor judges a frame in seconds, so every picture stays for half of one, sent five times.
"""

import fcntl
import itertools
import struct
import sys
import time

WIDTH, HEIGHT = 640, 480
SIZE = WIDTH * HEIGHT * 2
VIDIOC_S_FMT = 0xC0D05605
"""_IOWR('V', 5, struct v4l2_format), which has 208 bytes on 64-bit systems."""
OUTPUT = 2
SRGB, NO_FIELD = 8, 1

with open(sys.argv[2], "rb") as file:
    frames = list(iter(lambda: file.read(SIZE), b""))
with open(sys.argv[1], "wb", buffering=0) as device:
    pixels = struct.pack("<II4sIIII", WIDTH, HEIGHT, b"YUYV", NO_FIELD, WIDTH * 2, SIZE, SRGB)
    fcntl.ioctl(device, VIDIOC_S_FMT, bytearray(struct.pack("<I4x", OUTPUT) + pixels.ljust(200, b"\0")))
    for frame in itertools.cycle(frames):
        for _ in range(5):
            device.write(frame)
            time.sleep(0.1)
