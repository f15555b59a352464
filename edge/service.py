"""A run: start, loop, stop; and what a run leaves behind.

SIGINT and SIGTERM only set a flag, which the loop reads after each frame; a second one ends the process at once,
for a camera that hangs. Files appear under their names only when the run has succeeded.
"""

from __future__ import annotations

import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType

from edge.assemble import Runtime, resolve
from edge.errors import DataError, EngineError
from edge.metrics import Counters
from edge.ports import Sink
from edge.records import Event, Image
from edge.systemd import Notifier

log = logging.getLogger(__name__)

PICTURES = (".png", ".jpg", ".jpeg")
"""Endings under which a picture can be written."""

Watcher = Callable[[int, Image], None]
"""Takes the index of a frame and the frame with its overlay, RGB."""


class Stop:
    """The flag."""

    def __init__(self) -> None:
        self.requested = False

    def request(self) -> None:
        self.requested = True


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A flag that SIGINT and SIGTERM set. Only in the main thread, as signals demand."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def request(number: int, frame: FrameType | None) -> None:
        stop.request()
        restore()

    for number in before:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        restore()


def serve(
    runtime: Runtime,
    notifier: Notifier,
    stop: Stop,
    duration: float | None = None,
    watchers: Sequence[Watcher] = (),
    progress: Callable[[Counters], None] | None = None,
) -> Counters:
    """Runs until the camera ends, `stop` is requested or `duration` seconds of the camera's time have passed.

    The supervisor hears "ready" and has its watchdog fed only once a frame has gone through both networks, so a
    camera or a network that hangs is noticed. Raises CameraError and EngineError.
    """
    counters = Counters(runtime.person_hits)
    annotate = resolve("edge.draw:annotate") if watchers else None
    start: float | None = None
    with closing(runtime.pipeline.watch(runtime.camera)) as observations:
        for observation in observations:
            events = runtime.policy.events(observation)
            for event in events:
                counters.failed += _deliver(event, runtime.sinks)
            counters.count(observation, events)
            if start is None:
                start = observation.frame.t
                notifier.ready()
            notifier.alive(counters.render())
            if progress:
                progress(counters)
            if annotate:
                image = annotate(observation, runtime.policy.active)
                for watch in watchers:
                    watch(observation.frame.index, image)
            if stop.requested or (duration is not None and observation.frame.t - start >= duration):
                break
    notifier.stopping()
    counters.skipped = len(getattr(runtime.camera, "skipped", ()))
    counters.dropped = getattr(runtime.camera, "dropped", 0)
    return counters


def _deliver(event: Event, sinks: Sequence[Sink]) -> int:
    """Sends to every sink; returns how many failed. A broken sink must not take the others, or the loop, with it."""
    failed = 0
    for sink in sinks:
        try:
            sink.send(event)
        except Exception as error:
            failed += 1
            log.error("%s did not take %s at %.2f s: %s", type(sink).__name__, event.kind, event.t, error)
    return failed


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
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to: it takes the place of `path` when the block succeeds, else it vanishes."""
    part = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield part
        if part.exists():
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
            write(part, resolve("edge.draw:contact_sheet")(chosen, columns, 1280))


@contextmanager
def window(stop: Stop) -> Iterator[Watcher]:
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
            stop.request()

    try:
        yield watch
    finally:
        cv2.destroyWindow("maskcam")


def write(path: Path, image: Image) -> None:
    """Writes an RGB picture. Raises DataError."""
    import cv2

    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise DataError(f"output '{path}' cannot be written")
