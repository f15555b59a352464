"""A limit on what FFmpeg, inside OpenCV, takes for one picture.

The size a video announces is checked when it is opened, but any later frame may be of another size: a JPEG of 500 kB
can claim 16000 x 16000 pixels, and FFmpeg decodes it before anybody is asked. OpenCV hands none of FFmpeg's own limits
on, so the library that is loaded is asked itself. Where it cannot be found (Windows, a static build) there is no limit.
"""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

MOST_PIXELS = 50_000_000
"""Of a video's frame: 8K and a half more. Decoded and converted it takes six bytes a pixel."""
MOST_BYTES = 2 * MOST_PIXELS
"""Of one block of memory, which holds a plane of a frame: two bytes a sample are the most that cameras send."""


@cache
def limit(maps: Path = Path("/proc/self/maps")) -> bool:
    """Sets the limit for this process; False where no library was found. OpenCV must be loaded already."""
    with suppress(OSError, AttributeError):
        for path in sorted(set(re.findall(r"/\S*libavutil\S*", maps.read_text(encoding="utf-8", errors="replace")))):
            ask = ctypes.CDLL(path).av_max_alloc  # public API of libavutil (mem.h)
            ask.argtypes, ask.restype = [ctypes.c_size_t], None
            ask(MOST_BYTES)
            return True
    return False
