"""Recordings as cameras: pictures, folders of pictures, video files."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path

import cv2

from edge.cameras.base import Pace, Source, capture, check_size, pixel_aspect
from edge.cameras.decoded import Decoded
from edge.core.errors import CameraError, DataError
from edge.core.records import Frame, Image
from edge.vision import pictures

log = logging.getLogger(__name__)

FASTEST = 240.0
"""Highest plausible frame rate."""

LISTS = (".csv", ".json", ".xml", ".yaml", ".yml")
"""Suffixes of files that list the pictures of a data set."""


class PictureFiles(Source):
    """Pictures one by one as a camera of `fps` frames a second; a damaged one is skipped.

    `Frame.index` is the index in `paths`, so a skipped picture leaves a gap. `skipped` lists the damaged pictures of
    the last pass with the reasons.
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
    """A video, played once; `t` is the position in the recording. Rotated according to its metadata.

    With `realtime` it behaves like a camera: frames come when they are due, and those that the caller is too late for
    are dropped and counted in `dropped`.
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
        self.fps = _rate(float(self._video.get(cv2.CAP_PROP_FPS)))
        self._pace = Pace(1 / self.fps, clock, sleep) if realtime else None

    def __iter__(self) -> Iterator[Frame]:
        t = -1 / self.fps
        for index in count():
            if not self._video.grab():
                self._decoded.end()
                self._check_end(index)
                return
            position = self._video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            t = position if position > t else t + 1 / self.fps  # some containers have no time stamps
            if self._pace and not self._pace.admits(t):
                self.dropped += 1
                continue
            good, image = self._video.retrieve()
            if good:
                self._decoded.check(image)
                yield Frame(index, t, _rgb(image))

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel divided by its height."""
        return pixel_aspect(self._video)

    def _check_end(self, frames: int) -> None:
        expected = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT))
        if frames == 0:
            raise CameraError(f"{self.path}: no frame could be read (damaged or cut short?)")
        if frames < 0.9 * expected:  # a container's count is an estimate, so only a large gap means damage
            log.warning("%s: ended after %d of %d frames (damaged or cut short?)", self.path, frames, expected)

    def close(self) -> None:
        self._video.release()


class Animation(Source):
    """An animated GIF, PNG or WebP as a camera, played once; `t` is the position by its stated durations.

    `realtime` as in `VideoFile`. OpenCV and FFmpeg read only the first picture of some of these.
    """

    def __init__(
        self,
        path: str | Path,
        realtime: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path, self.dropped = Path(path), 0
        times = [t for t, _ in islice(self._pictures(), 2)]
        self.fps = _rate(1 / (times[-1] or 0.1))
        self._pace = Pace(1 / self.fps, clock, sleep) if realtime else None

    def _pictures(self) -> Iterator[tuple[float, Image]]:
        try:
            yield from pictures.animation(self.path)
        except DataError as error:
            raise CameraError(str(error)) from error

    def __iter__(self) -> Iterator[Frame]:
        for index, (t, image) in enumerate(self._pictures()):
            if self._pace and not self._pace.admits(t):
                self.dropped += 1
                continue
            yield Frame(index, t, image)


def open_recording(path: str | Path, fps: float = 2.0, realtime: bool = False) -> PictureFiles | VideoFile | Animation:
    """A picture, a folder of pictures (shown at `fps`), an animation or a video as a camera.

    Raises CameraError if it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise CameraError(f"{path}: no such file or folder")
    if path.is_dir():
        return PictureFiles(find(path), fps)
    if not path.is_file():
        raise CameraError(f"{path}: is a device or a pipe: expected a recording, which can be read more than once")
    _head(path)
    if path.suffix.lower() in pictures.SUFFIXES or cv2.haveImageReader(str(path)):
        if pictures.frames(path) > 1:
            return Animation(path, realtime)
        read(path)  # one bad picture among many is skipped; alone it is an error
        return PictureFiles([path], fps)
    if path.suffix.lower() in LISTS:
        raise CameraError(f"{path}: a list of pictures, not one; name the folder of the pictures")
    return VideoFile(path, realtime)


def find(folder: str | Path) -> list[Path]:
    """All pictures under `folder`, sorted by path; hidden ones are left out. CameraError when there is none."""
    found = pictures.find(Path(folder))
    if not found:
        raise CameraError(f"{folder}: no pictures there (looked for {', '.join(sorted(pictures.SUFFIXES))})")
    return found


def read(path: str | Path) -> Image:
    """One picture, as of `edge.vision.pictures.read`. Raises CameraError."""
    try:
        return pictures.read(path)
    except DataError as error:
        raise CameraError(str(error)) from error


def _rate(said: float) -> float:
    """Frame rate; 25 if the stated one is implausible: files often state their clock instead, such as 90000."""
    return said if 0.1 <= said <= FASTEST else 25.0


def _head(path: Path) -> None:
    """Raises CameraError for files that should not be given to a decoder."""
    try:
        with path.open("rb") as file:
            head = file.read(len(pictures.LFS_POINTER))
    except OSError as error:
        raise CameraError(f"{path}: cannot be read ({error.strerror})") from error
    if not head:
        raise CameraError(f"{path}: the file is empty")
    if head == pictures.LFS_POINTER:
        raise CameraError(f"{path}: a Git-LFS pointer, not the recording itself: fetch it with 'git lfs pull'")


def _rgb(image: cv2.typing.MatLike) -> Image:
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
