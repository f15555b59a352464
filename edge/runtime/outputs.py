"""Outputs of a run: annotated video, pictures, a contact sheet, a window.

Files appear under their names only after the run has succeeded.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from edge.core.errors import DataError, EngineError, SinkError
from edge.core.files import passes_on, replacing, tidy
from edge.core.ports import Sink
from edge.core.records import Event, Frame, Image
from edge.runtime import h264
from edge.vision import draw

PICTURES = (".png", ".jpg", ".jpeg")
"""File name endings of pictures that can be written."""

STANDARD_OUTPUT = Path("-")

PAUSE, SHOWN = 60.0, 1.0
"""Seconds: a picture held for longer than PAUSE (the recording pauses, or its clock jumps) is shown for SHOWN."""

Watcher = Callable[[Frame, Image], None]
"""Takes a frame, and its RGB picture with the overlay."""


def check_output(path: Path, source: str, suffixes: Sequence[str] = (), overwrite: bool = False) -> None:
    """Checks before any work that `path` can be written, has an allowed suffix and is not the source itself.

    An existing file is refused too, unless it may be overwritten. Leftovers of a killed run are removed. Raises
    DataError.
    """
    if path == STANDARD_OUTPUT and not suffixes:
        return
    if not path.parent.is_dir():
        raise DataError(f"output '{path}': folder '{path.parent}' does not exist: create it first")
    if path.is_dir():
        raise DataError(f"output '{path}' is a folder: expected a file name")
    if suffixes and path.suffix.lower() not in suffixes:
        raise DataError(f"output '{path}': expected a name that ends in {' or '.join(suffixes)}")
    if path.resolve() == Path(source).resolve():
        raise DataError(f"output '{path}' is the source itself: expected another name")
    if passes_on(path):
        if ".mp4" in suffixes:
            raise DataError(f"output '{path}' is no file, and an MP4 is not written in one go: expected a file name")
        return
    if path.is_file() and path.stat().st_size and not overwrite:
        raise DataError(f"output '{path}' is there already: expected another name, or --overwrite")
    if not os.access(path.resolve().parent, os.W_OK):
        raise DataError(f"output '{path}': folder '{path.resolve().parent}' cannot be written: expected another one")
    tidy(path)


@contextmanager
def video(path: Path, fps: float) -> Iterator[Watcher]:
    """Writes an MP4 of `fps` 1/s, each frame at its time: a long one is repeated, a short one skipped."""
    import cv2

    with replacing(path) as part:
        writer: cv2.VideoWriter | None = None
        final = False
        """Whether the writer produces H.264 itself."""
        written, start, shown = 0, 0.0, 0.0
        last: tuple[Any, float] = (None, 0.0)
        """The last picture, and the gap before it in seconds, for which it is held."""

        def watch(frame: Frame, image: Image) -> None:
            """Writes the previous picture as often as it was visible: a recording of variable rate keeps its length."""
            nonlocal writer, final, written, start, shown, last
            if writer is None:
                start = frame.t
                writer, final = h264.writer(part, fps, (image.shape[1], image.shape[0]))
                if not writer.isOpened():
                    raise DataError(f"output '{path}': this OpenCV cannot write MP4 video there")
            picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            due = round((frame.t - start) * fps) + 1
            for _ in range(_repeats((due - written - 1) / fps, fps)):
                writer.write(last[0])  # the previous picture was visible until this frame's time
            if due > written:
                writer.write(picture)
            written = max(due, written)
            last = picture, frame.t - shown
            shown = frame.t

        try:
            yield watch
            for _ in range(_repeats(last[1] - 1 / fps, fps)):
                if writer is not None:
                    writer.write(last[0])
        finally:
            if writer is not None:
                writer.release()
        if writer is not None and not final:
            h264.convert(part, path)


def _repeats(seconds: float, fps: float) -> int:
    """How often the last picture is written again, to be held for `seconds`."""
    return round((seconds if seconds <= PAUSE else SHOWN) * fps)


@contextmanager
def pictures(out: Path, sources: Sequence[Path], root: Path, overwrite: bool = False) -> Iterator[Watcher]:
    """Writes each frame as a picture: to `out` if that names a picture, otherwise into the folder `out`.

    `sources` are the files by frame index, all under the folder `root`; their sub-folders are kept. The format is
    PNG, which is lossless. Raises DataError if a source itself would be overwritten.
    """
    if out.suffix.lower() in PICTURES and not out.is_dir():
        if len(sources) > 1:
            raise DataError(f"output '{out}' is one picture, the source has {len(sources)}: expected a folder")
        targets = [out]
    else:
        names = [source.relative_to(root) for source in sources]
        stems = Counter(name.with_suffix("") for name in names)  # a.jpg and a.png become a.jpg.png and a.png.png
        targets = [out / (f"{n}.png" if stems[n.with_suffix("")] > 1 else n.with_suffix(".png")) for n in names]
    if clash := {source.resolve() for source in sources} & {target.resolve() for target in targets}:
        raise DataError(f"output '{min(clash)}' is a picture of the source: expected another folder or name")
    there = [target for target in targets if target.exists()]
    if there and not overwrite:
        raise DataError(f"output '{there[0]}' is there already: expected another folder or name, or --overwrite")
    with ExitStack() as stack:

        def watch(frame: Frame, image: Image) -> None:
            targets[frame.index].parent.mkdir(parents=True, exist_ok=True)
            write(stack.enter_context(replacing(targets[frame.index])), image)

        yield watch


@contextmanager
def sheet(path: Path, columns: int = 4, rows: int = 3) -> Iterator[Watcher]:
    """Writes one picture with frames spread evenly over the run."""
    wanted, stride = columns * rows, 1
    kept: list[Image] = []
    count = 0

    def watch(frame: Frame, image: Image) -> None:
        """Keeps every `stride`-th frame; at twice as many as needed, drops every other one and doubles the stride."""
        nonlocal count, stride
        if count % stride == 0:
            kept.append(image)
            if len(kept) == 2 * wanted:
                del kept[1::2]
                stride *= 2
        count += 1

    with replacing(path) as part:
        yield watch
        if kept:
            chosen = [kept[i * len(kept) // wanted] for i in range(wanted)] if len(kept) > wanted else kept
            write(part, draw.contact_sheet(chosen, columns, 1280))


@contextmanager
def window(request_stop: Callable[[], None]) -> Iterator[Watcher]:
    """Shows the frames; q or Esc stops the run. Raises EngineError if OpenCV was built without windows."""
    import cv2

    try:
        cv2.namedWindow("maskcam")
    except cv2.error:
        raise EngineError(
            "--show: this OpenCV opens no window: pip uninstall opencv-python-headless, "
            "then pip install 'opencv-python<5'"
        ) from None

    def watch(frame: Frame, image: Image) -> None:
        cv2.imshow("maskcam", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if cv2.waitKey(1) & 0xFF in (ord("q"), 27):
            request_stop()

    try:
        yield watch
    finally:
        cv2.destroyWindow("maskcam")


def write(path: Path, image: Image) -> None:
    """Writes an RGB picture. Raises DataError."""
    import cv2

    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise DataError(f"output '{path}' cannot be written")


class UntilClosed:
    """A sink whose reader may go away, as in `maskcam replay door.mp4 --events - | head`. The run then ends quietly."""

    def __init__(self, sink: Sink, request_stop: Callable[[], None]) -> None:
        self._sink, self._request_stop = sink, request_stop
        self._left = False

    def send(self, event: Event) -> None:
        if self._left:
            return
        try:
            self._sink.send(event)
        except SinkError as error:
            if not isinstance(error.__cause__, BrokenPipeError):
                raise
            self._left = True
            self._request_stop()

    def close(self) -> None:
        self._sink.close()
