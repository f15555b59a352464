"""Recordings as cameras: pictures, folders of pictures, video files."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from edge.cameras.base import Pace, Source, capture, check_size, pixel_aspect
from edge.cameras.decoded import Decoded
from edge.core.errors import CameraError
from edge.core.records import Frame, Image

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What `find` takes for a picture; all are read by every build of OpenCV."""

JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""A JPEG marker that has a segment, or the end marker: not stuffing, restart or fill bytes (ITU-T T.81, B.1.1)."""
JPEG_END = b"\xff\xd9"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
"""The last chunk of every PNG: its length, name and check sum."""
LFS_POINTER = b"version https://git-lfs"


class PictureFiles(Source):
    """Pictures one by one as a camera of `fps` frames a second; a damaged one is skipped.

    `Frame.index` is the place in `paths`, so a skipped picture leaves a gap. `skipped` lists the damaged
    pictures of the latest pass with the reason.
    """

    def __init__(self, paths: Sequence[str | Path], fps: float = 2.0) -> None:
        self.paths = [Path(p) for p in paths]
        self.fps = fps
        self.skipped: list[tuple[Path, str]] = []

    def __iter__(self) -> Iterator[Frame]:
        self.skipped = []
        for index, path in enumerate(self.paths):
            try:
                image = read(path)
            except CameraError as error:
                self.skipped.append((path, str(error)))
                log.warning("skipped: %s", error)
                continue
            yield Frame(index, index / self.fps, image)


class VideoFile(Source):
    """A video, played once; `t` is the position in the recording. Turned as its metadata say.

    With `realtime` it behaves like a camera: frames come when due, and those the caller is too late for are
    dropped and counted in `dropped`.
    """

    def __init__(
        self,
        path: str | Path,
        realtime: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = Path(path)
        self.dropped = 0
        self._video = capture(os.path.abspath(path), cv2.CAP_ANY)  # "a:b.mp4" would be protocol "a" to FFmpeg
        self._video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # the default is off in OpenCV 4.11
        if not self._video.isOpened():
            raise CameraError(f"{path}: neither a picture nor a video that OpenCV can read (damaged or cut short?)")
        check_size(self._video, str(path))
        self._decoded = Decoded(self._video, str(path), partial(capture, os.path.abspath(path), cv2.CAP_FFMPEG))
        self.fps = float(self._video.get(cv2.CAP_PROP_FPS)) or 25.0
        self._pace = Pace(1 / self.fps, clock, sleep) if realtime else None

    def __iter__(self) -> Iterator[Frame]:
        t = -1 / self.fps
        for index in count():
            if not self._video.grab():
                self._decoded.end()
                self._check_end(index)
                return
            position = self._video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            t = position if position > t else t + 1 / self.fps  # some containers carry no time stamps
            if self._pace and not self._pace.admits(t):
                self.dropped += 1
                continue
            good, image = self._video.retrieve()
            if good:
                self._decoded.check(image)
                yield Frame(index, t, _rgb(image))

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel by its height."""
        return pixel_aspect(self._video)

    def _check_end(self, frames: int) -> None:
        expected = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT))
        if frames == 0:
            raise CameraError(f"{self.path}: no frame could be read (damaged or cut short?)")
        if frames < 0.9 * expected:  # a container's count is an estimate, so only a large gap means damage
            log.warning("%s: ended after %d of %d frames (damaged or cut short?)", self.path, frames, expected)

    def close(self) -> None:
        self._video.release()


def open_recording(path: str | Path, fps: float = 2.0, realtime: bool = False) -> PictureFiles | VideoFile:
    """A picture, a folder of pictures (`fps` says how fast) or a video as a camera, by what is there.

    Raises CameraError when nothing can be read there.
    """
    path = Path(path)
    if not path.exists():
        raise CameraError(f"{path}: no such file or folder")
    if path.is_dir():
        return PictureFiles(find(path), fps)
    _head(path)
    if path.suffix.lower() in SUFFIXES or cv2.haveImageReader(str(path)):
        read(path)  # one bad picture among many is skipped; alone it is an error
        return PictureFiles([path], fps)
    return VideoFile(path, realtime)


def find(folder: str | Path) -> list[Path]:
    """All pictures under `folder`, sorted by path; hidden ones are left out. CameraError when there is none."""
    folder = Path(folder)
    found = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES
        and p.is_file()
        and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )
    if not found:
        raise CameraError(f"{folder}: no pictures there (looked for {', '.join(sorted(SUFFIXES))})")
    return found


def read(path: str | Path) -> Image:
    """One picture, RGB uint8 (H, W, 3), turned as its EXIF says; CameraError when damaged or unreadable."""
    path = Path(path)
    _head(path)
    data = path.read_bytes()
    if not _is_whole(data):
        raise CameraError(f"{path}: the picture is cut short")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise CameraError(f"{path}: not a picture that OpenCV can read ({error.err})") from error
    if image is None:
        raise CameraError(f"{path}: not a picture that OpenCV can read")
    return _rgb(image)


def _head(path: Path) -> None:
    """CameraError for what no decoder should be asked to read."""
    try:
        with path.open("rb") as file:
            head = file.read(len(LFS_POINTER))
    except OSError as error:
        raise CameraError(f"{path}: cannot be read ({error.strerror})") from error
    if not head:
        raise CameraError(f"{path}: the file is empty")
    if head == LFS_POINTER:
        raise CameraError(f"{path}: a Git-LFS pointer, not the recording itself: fetch it with 'git lfs pull'")


def _is_whole(data: bytes) -> bool:
    """False for a JPEG or PNG without its end: some decoders fill the missing part with grey and say nothing."""
    if data.startswith(b"\x89PNG"):
        return PNG_END in data
    if not data.startswith(b"\xff\xd8"):
        return True
    at = 2
    while marker := JPEG_MARKER.search(data, at):  # skips whole segments: a thumbnail has an end marker too
        if marker[0] == JPEG_END:
            return True
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return False


def _rgb(image: cv2.typing.MatLike) -> Image:
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
