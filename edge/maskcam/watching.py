"""The whole camera as a loop, and its benchmark."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import assemble, config
from edge.config.settings import Settings, Sinks
from edge.config.template import toml
from edge.core.ports import Sink
from edge.core.records import Observation
from edge.runtime.replay import observations
from edge.runtime.step import Step

if TYPE_CHECKING:
    from edge.operations.benchmark.report import Report

FACES = (0, 1, 2, 5, 20)


def watch(
    source: int | str | Path | None = None,
    *,
    config: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    sinks: Sequence[Sink] = (),
    live: bool | None = None,
) -> Generator[Observation, None, None]:
    """Iterates over the frames of a camera or a recording with the faces, tracks and decisions in them.

    The camera is opened with the first frame and always closed when the loop ends. A lost camera is reopened without
    limit, as in `maskcam run`.

    Args:
        source: as `camera.source`: 0, "/dev/v4l/by-id/...", "pi", "csi", "rtsp://...", "synthetic", a video, a picture
            or a folder of pictures; None for the one in the settings.
        config: a TOML file of settings. The machine's own (/etc/maskcam) are not read.
        settings: single settings that override it, such as {"camera.width": 1280, "alerts.raise_after": 2}.
        sinks: objects with `send(event)` and `close()`. They are called between two frames, so `send` should be quick;
            an error in one is logged and the loop continues. The caller closes them.
        live: True drops frames that arrive faster than they can be judged, False judges every frame as fast as
            possible; None means False for a file or a folder, else True.

    Yields:
        An `Observation`: `frame`, `tracks`, `decisions`, and `blind`: why nothing can be judged, or None.

    Raises:
        ConfigError: immediately, for unknown settings or wrong values.
        CameraError: the source does not exist or cannot be read.
        BundleError, EngineError, MissingPackage, SinkError: something else cannot be opened.
    """
    found = _settings(source, config, settings)
    recorded = Path(str(found.camera.source)).is_file() or Path(str(found.camera.source)).is_dir()
    return _observations(found, sinks, not recorded if live is None else live)


def _observations(settings: Settings, sinks: Sequence[Sink], live: bool) -> Generator[Observation, None, None]:
    with assemble.runtime(settings, live) as runtime:
        runtime = replace(runtime, sinks=[*runtime.sinks, *sinks])
        with closing(observations(runtime, Step(runtime))) as processed:
            yield from processed


def benchmark(
    source: str | Path = "synthetic",
    *,
    seconds: float = 5.0,
    faces: Sequence[int] = FACES,
    config: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Report:
    """How fast this machine is, as `maskcam benchmark` measures it.

    Args:
        source: a recording, or "synthetic" (extra `demo`).
        seconds: how long the source is timed; each further figure takes a fifth of it.
        faces: also time frames with these numbers of faces; () for none.
        config: as for `watch`.
        settings: as for `watch`, such as {"backend.detector": "opencv"}.

    Returns:
        A report: `speed.fps`, `speed.stages["detect"].p50_ms` and others; `render()` gives text, `json()` JSON.
    """
    from edge.operations.benchmark import suite

    found = _settings(source, config, settings).model_copy(update={"sinks": Sinks(log=False)})
    return suite.run(found, seconds, None, faces, False, dict)


def _settings(source: Any, file: str | Path | None, above: Mapping[str, Any] | None) -> Settings:
    """A library logs nothing by itself: events are logged only on request."""
    quiet = {} if file else {"sinks.log": False}
    named = {} if source is None else {"camera.source": source}
    wanted = {**quiet, **(above or {}), **named}
    return config.load(file, [f"{key}={toml(value)}" for key, value in wanted.items()])
