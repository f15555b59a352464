"""What a run leaves behind: annotated video, pictures, a contact sheet, a window.

Files appear under their names only when the run has succeeded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge.core.errors import DataError, EngineError
from edge.core.files import replacing
from edge.core.records import Image
from edge.vision import draw

PICTURES = (".png", ".jpg", ".jpeg")
"""Endings under which a picture can be written."""

Watcher = Callable[[int, Image], None]
"""Takes the index of a frame and the frame with its overlay, RGB."""


def check_output(path: Path, source: str, suffixes: Sequence[str] = ()) -> None:
    """Refuses, before any work, a file that could not appear at `path`, has another suffix or is the source itself."""
    if not path.parent.is_dir():
        raise DataError(f"output '{path}': folder '{path.parent}' does not exist: create it first")
    if path.is_dir():
        raise DataError(f"output '{path}' is a folder: expected a file name")
    if suffixes and path.suffix.lower() not in suffixes:
        raise DataError(f"output '{path}': expected a name that ends in {' or '.join(suffixes)}")
    if path.resolve() == Path(source).resolve():
        raise DataError(f"output '{path}' is the source itself: expected another name")


@contextmanager
def video(path: Path, fps: float) -> Iterator[Watcher]:
    """Writes the frames as an MP4 of `fps`."""
    import cv2

    with replacing(path) as part:
        writer = None

        def watch(index: int, image: Image) -> None:
            nonlocal writer
            if writer is None:
                fourcc = cv2.VideoWriter.fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(part), fourcc, fps, (image.shape[1], image.shape[0]))
                if not writer.isOpened():
                    raise DataError(f"output '{path}': this OpenCV cannot write MP4 video there")
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

        try:
            yield watch
        finally:
            if writer is not None:
                writer.release()


@contextmanager
def pictures(out: Path, sources: Sequence[Path], root: Path) -> Iterator[Watcher]:
    """Writes each frame as a picture: at `out` if that names a picture, else into the folder `out`.

    `sources` are the files by frame index, all under the folder `root`; their sub-folders come with them. PNG, for
    no detail should be lost on the way. Raises DataError when a source itself would be overwritten.
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
    with ExitStack() as stack:

        def watch(index: int, image: Image) -> None:
            targets[index].parent.mkdir(parents=True, exist_ok=True)
            write(stack.enter_context(replacing(targets[index])), image)

        yield watch


@contextmanager
def sheet(path: Path, columns: int = 4, rows: int = 3) -> Iterator[Watcher]:
    """Writes one picture with frames spread evenly over the run."""
    wanted, stride = columns * rows, 1
    kept: list[Image] = []
    count = 0

    def watch(index: int, image: Image) -> None:
        """Keeps every `stride`-th frame; at twice as many as wanted, drops every other and doubles the stride."""
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
    """Shows the frames; q or Esc stops the run. Raises EngineError where OpenCV has no windows."""
    import cv2

    try:
        cv2.namedWindow("maskcam")
    except cv2.error:
        raise EngineError(
            "--show: this OpenCV opens no window: pip uninstall opencv-python-headless, "
            "then pip install 'opencv-python<5'"
        ) from None

    def watch(index: int, image: Image) -> None:
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
