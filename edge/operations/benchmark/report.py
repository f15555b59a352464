"""The figures of a benchmark as a table and as JSON, and their comparison with older ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge.core import json_text
from edge.core.errors import DataError
from edge.operations.benchmark.faces import FacesResult
from edge.operations.benchmark.latency import Latency
from edge.operations.benchmark.stages import Speed


@dataclass(frozen=True)
class Combination:
    """A row of the sweep: both networks on one backend, one face classified in every frame."""

    backend: str
    threads: int
    fps: float = 0.0
    detect_ms: float = 0.0
    classify_ms: float | None = None
    """None if the source shows no face."""
    problem: str = ""
    """Why there are no figures."""


@dataclass(frozen=True)
class Report:
    version: str
    bundle: str
    board: str
    health: dict[str, str]
    """The board's findings about temperature and power supply."""
    backends: dict[str, str]
    """Network -> the backend that ran it."""
    threads: int
    start_s: float
    """Seconds from the start of the process to the first verdict."""
    peak_mib: float
    speed: Speed
    faces: Sequence[FacesResult] = field(default_factory=list)
    latency: Latency | None = None
    sweep: Sequence[Combination] = field(default_factory=list)

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    def render(self) -> str:
        """The report as text."""
        return "\n".join([*_head(self), "", *_stages(self.speed), *_faces(self), *_latency(self), *_sweep(self.sweep)])


def _head(report: Report) -> Iterator[str]:
    s = report.speed
    yield f"{report.board}; maskcam {report.version}, bundle: {report.bundle}"
    yield "; ".join(f"{what}: {said}" for what, said in report.health.items())
    ran = ", ".join(f"{network}: {backend}" for network, backend in report.backends.items())
    yield f"{ran}, threads: {report.threads}"
    yield f"first verdict {report.start_s:.2f} s after the start, peak memory {report.peak_mib:.0f} MiB"
    yield f"{s.frames} frames of {s.width}x{s.height}, {s.faces_per_frame:.2f} faces per frame, {s.fps:.1f} FPS"


def _stages(speed: Speed) -> Iterator[str]:
    yield f"{'stage':<10}{'n':>7}{'p50 ms':>9}{'p95 ms':>9}"
    for name, s in speed.stages.items():
        yield f"{name:<10}{s.n:>7}{s.p50_ms:>9.2f}{s.p95_ms:>9.2f}{'  (part of detect)' if name == 'resize' else ''}"


def _faces(report: Report) -> Iterator[str]:
    if report.faces:
        yield f"\n{'faces':>5}{'found':>7}{'FPS, known':>12}{'FPS, all judged':>17}"
    for row in report.faces:
        yield f"{row.faces:>5}{row.found:>7.1f}{row.settled_fps:>12.1f}{row.judged_fps:>17.1f}"


def _latency(report: Report) -> Iterator[str]:
    if report.latency:
        one = report.latency
        yield f"\nframe to pin: p50 {one.p50_ms:.1f} ms, p95 {one.p95_ms:.1f} ms over {one.n} changes of the alert"


def _sweep(rows: Sequence[Combination]) -> Iterator[str]:
    if rows:
        yield f"\n{'backend':<18}{'threads':>7}{'FPS':>8}{'detect ms':>11}{'classify ms':>13}"
    for r in rows:
        classify = "-" if r.classify_ms is None else f"{r.classify_ms:.2f}"
        figures = f"{r.fps:>8.1f}{r.detect_ms:>11.2f}{classify:>13}"
        yield f"{r.backend:<18}{r.threads:>7}{f'  {r.problem}' if r.problem else figures}"


def read(path: Path) -> dict[str, Any]:
    """An older report. Raises DataError."""
    try:
        values: dict[str, Any] = json_text.parse(path.read_text())
        dict(_figures(values))
        return values
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: not a report of 'maskcam benchmark --json {path}'") from error


def compare(
    new: Report, old: dict[str, Any], tolerance: float | None, again: Sequence[Report] = ()
) -> tuple[str, bool]:
    """A table of ratios, and whether a figure is worse by more than `tolerance`.

    Of several measurements (`again`) the best of each figure counts: other work on the machine only makes it worse.
    """
    before, now = dict(_figures(old)), dict(_figures(json.loads(new.json())))
    for other in again:
        for name, figure in _figures(json.loads(other.json())):
            better = max if "FPS" in name else min
            now[name] = better(now[name], figure) if name in now else figure
    lines, worse = [f"{'against ' + old['version']:<24}{'then':>10}{'now':>10}{'cost':>8}"], False
    for name, figure in now.items():
        if not before.get(name) or not figure:
            continue
        cost = before[name] / figure if "FPS" in name else figure / before[name]
        beyond = tolerance is not None and cost > 1 + tolerance
        worse |= beyond
        lines.append(f"{name:<24}{before[name]:>10.2f}{figure:>10.2f}{cost:>8.2f}{'  WORSE' if beyond else ''}")
    today = json.loads(new.json())
    different = [what for what in ("board", "bundle", "backends", "threads") if old[what] != today[what]]
    lines += [f"not the same {what}: {old[what]} then, {today[what]} now" for what in different]
    return "\n".join(lines), worse


def _figures(values: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Name -> number; rates have "FPS" in their names, for all others less is better."""
    yield "FPS", values["speed"]["fps"]
    yield from ((f"{name} p50 ms", stage["p50_ms"]) for name, stage in values["speed"]["stages"].items())
    yield from ((f"FPS, {row['faces']} faces", row["judged_fps"]) for row in values["faces"])
    if values["latency"]:
        yield "frame to pin p50 ms", values["latency"]["p50_ms"]
    yield "first verdict s", values["start_s"]
    yield "peak MiB", values["peak_mib"]
