"""Opens the engine of each stage: the requested backend or the next best one, and reports which and why."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from edge.backends.registry import Backend
from edge.backends.selection import probe_cache
from edge.backends.selection.probe import ProbeResult, fastest, probe, render
from edge.backends.self_test import check_known_answer
from edge.backends.shaped import ShapedEngine
from edge.backends.supervised.engine import PATIENCE, Accelerator
from edge.backends.supervised.failover import FailoverEngine, NamedEngine, OnAccelerator
from edge.backends.supervised.process_engine import ProcessEngine
from edge.backends.watched import WatchedEngine
from edge.core.errors import BundleError, EngineError, MissingPackage, bare
from edge.core.ports import Engine
from edge.vision.bundle import Bundle

log = logging.getLogger(__name__)

UNFIT = (BundleError, EngineError, MissingPackage)


def probe_results(
    candidates: Sequence[Backend], bundle: Bundle, threads: int, device: str, folder: Path | None, anew: bool = False
) -> list[ProbeResult]:
    """Results of a probe, or those cached in `folder`, if any; `anew` ignores the cache.

    Logs the table if it is new.
    """
    key = probe_cache.key(bundle, candidates, threads, device)
    rows = None if anew else probe_cache.recall(folder, key)
    if rows is None:
        rows = probe(candidates, bundle, threads, device)
        log.info("%s", render(rows))
        if folder:
            try:
                probe_cache.remember(folder, key, rows)
            except OSError as error:
                log.warning("%s: what the probe found cannot be kept (%s): next time it starts anew", folder, error)
    return rows


@dataclass
class Opener:
    """Opens stages of one bundle; networks on the same device share a process.

    candidates: by name, in the order of "auto" and of a fallback. resolve: imports "module:attribute".
    rows: probe results for "auto"; without them it takes the first that opens. strict: no fallback, neither now nor on
    a later failure. stack: closes the accelerators. patience: seconds that a device has for an answer.
    """

    candidates: Mapping[str, Backend]
    bundle: Bundle
    resolve: Callable[[str], Any]
    stack: ExitStack
    threads: int
    device: str = ""
    strict: bool = False
    rows: Sequence[ProbeResult] = ()
    patience: float = PATIENCE
    accelerators: dict[str, Accelerator] = field(default_factory=dict)

    def open(self, network: str, requested: str) -> FailoverEngine:
        """The stage of "detector" or "classifier". Raises the error of the first choice if nothing else opens."""
        strict = self.strict and requested != "auto"
        order = self._order(network, requested)[: 1 if strict else None]
        refused: list[Exception] = []
        for position, candidate in enumerate(order):
            try:
                first = self._opened(candidate, network)
            except UNFIT as error:
                refused.append(bare(error))
                continue
            spare = partial(self._standby, order[position + 1 :], network)
            standby = spare() if candidate.isolated else None  # devices fail often, so the standby is opened now
            why = str(refused[0]) if refused else ""
            return FailoverEngine(network, requested, first, standby, why, self._measured(network, candidate), spare)
        try:
            raise refused[0]
        finally:
            refused.clear()

    def _order(self, network: str, requested: str) -> list[Backend]:
        first = [row.candidate for row in fastest(self.rows, network)] if requested == "auto" else [requested]
        safe = [
            name for name, known in self.candidates.items() if known.auto and not known.isolated and name not in first
        ]
        return [self.candidates[name] for name in first + safe]

    def _opened(self, candidate: Backend, network: str) -> NamedEngine:
        """A candidate that loads the network and gives the known answer."""
        open: Callable[[str], Engine] = partial(self._here, candidate)
        if candidate.isolated:
            accelerator = self._accelerator(candidate)
            accelerator.add(network)
            open = partial(OnAccelerator, accelerator)
        return NamedEngine(candidate.name, ShapedEngine(self.bundle, network, candidate.form, open))

    def _here(self, candidate: Backend, network: str) -> Engine:
        """An engine in this process that gives the known answer, now and whenever it is asked again."""
        engine: Engine = self.resolve(candidate.target)(self.bundle, network, self.threads, self.device)
        check = partial(check_known_answer, self.bundle, network, engine.infer, candidate.tolerance)
        try:
            check()
        except EngineError:
            engine.close()
            raise
        return WatchedEngine(engine, check)

    def _accelerator(self, candidate: Backend) -> Accelerator:
        if candidate.name not in self.accelerators:

            def start() -> ProcessEngine:
                return ProcessEngine(candidate.name, candidate.target, self.bundle, self.threads, self.device)

            accelerator = Accelerator(candidate.name, self.bundle, start, candidate.tolerance, self.patience)
            self.stack.callback(accelerator.close)
            self.accelerators[candidate.name] = accelerator
        return self.accelerators[candidate.name]

    def _standby(self, rest: Sequence[Backend], network: str) -> NamedEngine | None:
        """The standby, opened in advance so that it can answer at once; it needs no device that could be lost too."""
        for candidate in rest:
            if not candidate.isolated:
                try:
                    return self._opened(candidate, network)
                except (*UNFIT, OSError):  # the bundle's folder may be gone by now
                    continue
        return None

    def _measured(self, network: str, candidate: Backend) -> str:
        fit: Mapping[str, ProbeResult] = {row.candidate: row for row in fastest(self.rows, network)}
        return f"{fit[candidate.name].ms:.1f} ms, fastest of {len(fit)}" if candidate.name in fit else ""
