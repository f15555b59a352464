"""Tests each candidate in a process of its own: does it load, is it right, how long does it take?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from statistics import median

from edge.backends.registry import Backend
from edge.backends.self_test import check_known_answer, known_answer
from edge.backends.supervised.process_engine import ProcessEngine
from edge.core.errors import BundleError, EngineError
from edge.vision.bundle import Bundle

NETWORKS = ("detector", "classifier")
"""The networks that are tested: of the detector its first shape, for the others take as long and run where it runs."""
RUNS, ENOUGH = 50, 0.5
"""The time is the median of this many pictures, or of what fits into this many seconds."""
ALIKE = 1.25
"""Times within this factor count as equal: they vary that much on a busy board, and the choice should not."""
TIMEOUT = 15.0
"""Seconds for one step. An Edge TPU on USB is sent its firmware when it is first opened."""


@dataclass(frozen=True)
class ProbeResult:
    """The result of a probe."""

    stage: str
    candidate: str
    ms: float | None
    """Median time per picture in ms, including the transfer to a process if it will run in one; None: unfit."""
    why: str
    """Why it is unfit, in one line; "" if it is fit."""


def probe(
    candidates: Sequence[Backend], bundle: Bundle, threads: int, device: str, timeout: float = TIMEOUT
) -> list[ProbeResult]:
    """Tests every candidate with every network. Takes about a second for each; a hang takes `timeout` seconds."""
    rows = []
    for candidate in candidates:
        missing = {network: _missing(candidate, bundle, network) for network in NETWORKS}
        rows += [ProbeResult(network, candidate.name, None, why) for network, why in missing.items() if why]
        networks = [network for network in NETWORKS if not missing[network]]
        if networks:
            with closing(ProcessEngine(candidate.name, candidate.target, bundle, threads, device)) as remote:
                rows += _try(candidate, remote, bundle, networks, timeout)
    return rows


def _missing(candidate: Backend, bundle: Bundle, network: str) -> str:
    """Starts no process for a candidate that cannot work."""
    try:
        if candidate.form:
            bundle.path(network, candidate.form)
    except BundleError as error:
        return str(error)
    return candidate.unavailable()


def _try(
    candidate: Backend, remote: ProcessEngine, bundle: Bundle, networks: Sequence[str], timeout: float
) -> list[ProbeResult]:
    rows, died = [], ""
    for network in networks:
        try:
            if died:
                raise EngineError(died)
            remote.open(network, timeout)
            check_known_answer(bundle, network, partial(remote.infer, network, timeout=timeout), candidate.tolerance)
            rows.append(ProbeResult(network, candidate.name, _time(candidate, remote, bundle, network, timeout), ""))
        except EngineError as error:
            # A candidate that crashed or hung with one network is not tried with the next.
            died = died or ("" if remote.alive else f"{error}, with the {network}")
            rows.append(ProbeResult(network, candidate.name, None, died or str(error)))
    return rows


def _time(
    candidate: Backend,
    remote: ProcessEngine,
    bundle: Bundle,
    network: str,
    timeout: float,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Milliseconds."""
    image = known_answer(bundle, network)["input"]
    took: list[float] = []
    while len(took) < RUNS and sum(took) < ENOUGH:
        start = clock()
        remote.infer(network, image, timeout)
        took.append(clock() - start if candidate.isolated else remote.seconds)
    return median(took) * 1e3


def fastest(rows: Sequence[ProbeResult], stage: str) -> list[ProbeResult]:
    """The fit candidates of a stage, fastest first; those within ALIKE of the best in the order of testing."""
    fit = [(row.ms, row) for row in rows if row.stage == stage and row.ms is not None]
    floor = ALIKE * min((ms for ms, _ in fit), default=0.0)
    return [row for _, row in sorted(fit, key=lambda timed: max(timed[0], floor))]


def render(rows: Sequence[ProbeResult]) -> str:
    """The table, stage by stage."""
    lines = [f"{'stage':<12}{'candidate':<18}{'correct':<9}{'ms':>8}  "]
    for stage in NETWORKS:
        best = fastest(rows, stage)[:1]
        for row in (row for row in rows if row.stage == stage):
            took = "-" if row.ms is None else f"{row.ms:.2f}"
            right = "yes" if row.ms is not None else "no" if row.why.startswith("wrong answer") else "-"
            why = row.why or ("fastest" if row in best else "slower")
            lines.append(f"{row.stage:<12}{row.candidate:<18}{right:<9}{took:>8}  {why}")
    return "\n".join(line.rstrip() for line in lines)
