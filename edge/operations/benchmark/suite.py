"""All measurements of `maskcam benchmark`, one after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge import __version__, assemble
from edge.backends.registry import backends
from edge.config.settings import Alerts, Backend, Settings
from edge.config.sink_sections import Gpio
from edge.core.errors import DataError, MaskcamError
from edge.core.records import Frame, Image
from edge.operations.benchmark import faces, latency, machine, stages
from edge.operations.benchmark.report import Combination, Report
from edge.runtime.pipeline import Pipeline
from edge.sinks.isolated import Isolated
from edge.tracking.alerts import AlertPolicy
from edge.vision import bundle

SCOUTED = 30
"""Frames at the start of the source that are searched for the clearest face."""
PORTRAIT = 256
"""Side of its copy, in pixels."""


def run(
    settings: Settings,
    seconds: float,
    frames: int | None,
    numbers: Sequence[int],
    sweep: bool,
    health: Callable[[], Mapping[str, str]],
    say: Callable[[str, float], None] = lambda text, seconds: None,
) -> Report:
    """Measures the source for `seconds` (or `frames`), and each further figure for a fifth of that; see `Report`.

    numbers: of faces in a frame. health: reads temperature and power supply at the end. say: receives what is being
    measured, and the seconds until the end.
    Raises CameraError, BundleError, DataError, EngineError and MissingPackage.
    """
    short = seconds / 5
    several, combined = 2 * short * len(numbers), short * sum(map(len, _combinations().values())) * sweep
    say("how long the networks take to load", seconds + short + several + combined)
    with assemble.runtime(settings, live=False) as runtime:
        pipeline = runtime.pipeline
        with closing(assemble.camera(settings, live=False)) as scout:
            seen = islice(scout, SCOUTED)
            first = _first(seen)
            pipeline.warm_up(first.image)
            start = machine.age()
            portrait = _clearest(pipeline, [first, *seen])
        say("the source", seconds + short + several + combined)
        speed = stages.measure_speed(runtime.camera, pipeline, seconds, frames)
        size = (speed.width, speed.height)
        pictures = {"no_mask": faces.picture(portrait, 1, *size), "all_clear": faces.picture(None, 0, *size)}
        say("the time from a frame to a pin", short + several + combined)
        to_pin = _to_pin(pipeline, pictures, short)
        say(f"{', '.join(map(str, numbers))} faces", several + combined)
        rows = faces.rows(pipeline, portrait, numbers, size, short, settings.decision.recheck_every)
        peak = machine.peak_memory()
        running = {network: stage.running for network, stage in runtime.backends.items()}
    combinations = list(_sweep(settings, pictures["no_mask"], short, say)) if sweep else []
    return Report(
        version=__version__,
        bundle=settings.model.bundle or "shipped",
        board=machine.board(),
        health=dict(health()),
        backends=running,
        threads=settings.backend.threads,
        start_s=start,
        peak_mib=peak,
        speed=speed,
        faces=rows,
        latency=to_pin,
        sweep=combinations,
    )


def _first(frames: Iterator[Frame]) -> Frame:
    try:
        return next(frames)
    except StopIteration:
        raise DataError("benchmark: the source has no frame") from None


def _clearest(pipeline: Pipeline, frames: Sequence[Frame]) -> Image | None:
    """A copy of the face with the best score; None if there is none."""
    found = [(face.score, frame.image, face) for frame in frames for face in pipeline.detector.detect(frame.image)[:1]]
    if not found:
        return None
    _, image, face = max(found, key=lambda one: one[0])
    return faces.portrait(image, face, PORTRAIT)


def _to_pin(pipeline: Pipeline, pictures: Mapping[str, Image], seconds: float) -> latency.Latency | None:
    section = Gpio(driver="mock", heartbeat=False, self_test=False, announce=False)
    light: Any = assemble.sink("gpio", section, live=True)
    with closing(Isolated("sinks.gpio", lambda: light)) as sink:
        policy = AlertPolicy(**Alerts(raise_after=0, clear_after=0, cooldown=0).model_dump(exclude={"snooze"}))
        return latency.measure_latency(pipeline, policy, sink, light.pin, pictures, seconds)


def _sweep(
    settings: Settings, image: Image, seconds: float, say: Callable[[str, float], None]
) -> Iterator[Combination]:
    """A row for each of `_combinations`; a backend that does not work is tried once."""
    wanted = _combinations()
    ahead = sum(map(len, wanted.values()))
    for name, threads in wanted.items():
        for done, n in enumerate(threads):
            say(f"{name}, threads: {n}", seconds * (ahead - done))
            try:
                yield _combination(settings, name, n, image, seconds)
            except MaskcamError as error:
                yield Combination(name, n, problem=str(error).splitlines()[0])
                break
        ahead -= len(threads)


def _combinations() -> dict[str, list[int]]:
    """Every backend with 1, 2, 4, ... threads; with one thread if it runs on a device of its own."""
    processors = os.cpu_count() or 1
    threads = sorted({1, 2, processors, *(n for n in (4, 8) if n < processors)})
    return {name: threads[:1] if one.isolated else threads for name, one in backends().items() if one.auto}


def _combination(settings: Settings, name: str, threads: int, image: Image, seconds: float) -> Combination:
    """Times one backend with the face of `image` classified in every frame."""
    own = settings.backend.model_dump() | {"detector": name, "classifier": name, "threads": threads, "strict": True}
    with assemble.runtime(settings.model_copy(update={"backend": Backend(**own)}), live=False) as runtime:
        camera = faces.Still(image, step=faces.judged(settings.decision.recheck_every))
        speed = stages.measure_speed(camera, runtime.pipeline, seconds)
    detect, classify = speed.stages["detect"].p50_ms, speed.stages.get("classify")
    return Combination(name, threads, speed.fps, detect, classify.p50_ms if classify else None)


def known_scene(folder: Path, frames: int = 150) -> Path:
    """A recording of the bundle's picture, for an installation without the synthetic camera's packages."""
    with np.load(bundle.load(None).known_answer("detector")) as known:
        picture = cv2.cvtColor(known["input"], cv2.COLOR_RGB2BGR)
    path = folder / "known.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, picture.shape[1::-1])
    for number in range(frames):
        writer.write(np.roll(picture, number % 4, axis=1))
    writer.release()
    return path
