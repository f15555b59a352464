"""Limits the memory that FFmpeg, inside OpenCV, allocates for one picture.

The announced size of a video is checked when it is opened, but later frames may have another size: a JPEG of 500 kB can
claim 16000 x 16000 pixels, and FFmpeg decodes it at once. OpenCV does not expose FFmpeg's limits, so the loaded library
is called directly. If it cannot be found (Windows, a static build), there is no limit.
"""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

MOST_PIXELS = 50_000_000
"""Maximum pixels of a video frame: 1.5 times 8K. Decoding and converting take six bytes per pixel."""
MOST_BYTES = 2 * MOST_PIXELS
"""Maximum bytes of one block of memory, which holds a plane of a frame with up to two bytes per sample."""


@cache
def limit(maps: Path = Path("/proc/self/maps")) -> bool:
    """Sets the limit for this process; False if no library was found. OpenCV must be loaded already."""
    with suppress(OSError, AttributeError):
        for path in sorted(set(re.findall(r"/\S*libavutil\S*", maps.read_text(encoding="utf-8", errors="replace")))):
            ask = ctypes.CDLL(path).av_max_alloc  # public API of libavutil (mem.h)
            ask.argtypes, ask.restype = [ctypes.c_size_t], None
            ask(MOST_BYTES)
            return True
    return False
