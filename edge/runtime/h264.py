"""H.264, which every browser plays: written by OpenCV if its build has an encoder, otherwise by the program ffmpeg."""

from __future__ import annotations

import logging
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import edge.cameras.base  # noqa: F401 (keeps FFmpeg's own lines to itself)

if TYPE_CHECKING:
    import cv2

log = logging.getLogger(__name__)

LIMIT = 3600.0
"""Longest conversion, in seconds."""


def writer(path: Path, fps: float, size: tuple[int, int]) -> tuple[cv2.VideoWriter, bool]:
    """A writer of an MP4 of `size` (width, height), and whether it writes H.264; check `isOpened`."""
    import cv2

    logging: object = getattr(cv2.utils, "logging", cv2)  # OpenCV 4.6 of Debian 12 has these functions at its top level
    level = logging.getLogLevel()  # type: ignore[attr-defined]
    logging.setLogLevel(0)  # type: ignore[attr-defined]
    try:
        found = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"avc1"), fps, size)
        if found.isOpened():
            return found, True
        return cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size), False
    finally:
        logging.setLogLevel(level)  # type: ignore[attr-defined]


def convert(path: Path, name: Path) -> None:
    """Converts the MP4 at `path` to H.264 in place; if that fails the file stays unchanged and the log says why.

    `name`: the file's name for messages.
    """
    problem = "this OpenCV has no H.264 encoder and there is no ffmpeg: sudo apt install ffmpeg, then run this again"
    if ffmpeg := shutil.which("ffmpeg"):
        part = path.with_name(f"{path.stem}.h264{path.suffix}")
        even = "pad=ceil(iw/2)*2:ceil(ih/2)*2"  # H.264 with 4:2:0 colour, which browsers need, has even sides
        options = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-vf", even]
        command = [ffmpeg, "-nostdin", "-loglevel", "error", "-y", "-i", str(path), *options]
        try:
            done = subprocess.run(
                [*command, "-movflags", "+faststart", str(part)], capture_output=True, text=True, timeout=LIMIT
            )
            if done.returncode == 0:
                part.replace(path)
                return
            problem = " ".join(done.stderr.split())[-200:]
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        finally:
            part.unlink(missing_ok=True)
    log.warning("%s: MPEG-4 video, which players show and browsers do not: %s", name, problem)
