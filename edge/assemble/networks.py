"""The bundle, and an engine for each of its networks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from edge.assemble.tables import AUTO, ENGINES, ISOLATED, resolve
from edge.core.errors import ConfigError
from edge.runtime.systemd import state_directory

if TYPE_CHECKING:
    from edge.backends.selection.probe import Candidate, ProbeResult
    from edge.backends.supervised.failover import FailoverEngine
    from edge.config.settings import Settings
    from edge.vision.bundle import Bundle

log = logging.getLogger(__name__)


def opened(settings: Settings, live: bool, stack: ExitStack) -> tuple[Bundle, Mapping[str, FailoverEngine]]:
    """The bundle and an engine for each of its networks.

    Only a live camera is worth the seconds that measuring takes; a recording is judged alike on every machine.
    """
    bundle = resolve("edge.vision.bundle:load")(settings.model.bundle or None)
    wanted, known = settings.backend, candidates()
    requested = {"detector": wanted.detector, "classifier": wanted.classifier}
    rows: Sequence[ProbeResult] = ()
    if live and "auto" in requested.values():
        rows = probe(settings, bundle)
    opener = resolve("edge.backends.selection.opener:Opener")(
        known, AUTO, bundle, resolve, stack, wanted.threads, wanted.device, wanted.strict, rows
    )
    stages: dict[str, FailoverEngine] = {}
    for network, name in requested.items():
        stages[network] = opener.open(network, name)
        stack.callback(stages[network].close)
    for network, stage in stages.items():
        log.log(logging.WARNING if stage.reason else logging.INFO, "%s: %s", network, stage.describe())
    return bundle, stages


def engine(bundle: Bundle, network: str, backend: str, threads: int, stack: ExitStack) -> FailoverEngine:
    """The engine of "detector" or "classifier" alone, for whoever wants one network and no camera; `stack` closes it.

    "auto" takes the first that works on the processor. Raises ConfigError, BundleError, EngineError, MissingPackage.
    """
    known = candidates()
    if backend != "auto" and backend not in known:
        raise ConfigError(f"backend = {backend!r}: expected auto, {', '.join(AUTO)}")
    opener = resolve("edge.backends.selection.opener:Opener")
    found: FailoverEngine = opener(known, AUTO, bundle, resolve, stack, threads).open(network, backend)
    stack.callback(found.close)
    return found


def candidates() -> dict[str, Candidate]:
    """Every engine with what has to be known of it to try it."""
    forms = {"tflite": "tflite", "coral": "edgetpu", "scripted": ""}
    known = resolve("edge.backends.selection.probe:Candidate")
    int8, real = resolve("edge.backends.self_test:INT8"), resolve("edge.backends.self_test:FLOAT")
    no_cuda = resolve("edge.backends.opencv:built_without_cuda")()
    found = {}
    for name, target in ENGINES.items():
        form, absent = forms.get(name, "onnx"), no_cuda if "cuda" in name else ""
        found[name] = known(name, target, name in ISOLATED, real if form == "onnx" else int8, form, absent)
    return found


def probe(settings: Settings, bundle: Bundle, anew: bool = False) -> Sequence[ProbeResult]:
    """What each engine that "auto" may take can do here; from the state directory unless `anew`."""
    wanted, known = settings.backend, candidates()
    rows: Sequence[ProbeResult] = resolve("edge.backends.selection.opener:probe_results")(
        [known[name] for name in AUTO], bundle, wanted.threads, wanted.device, state_directory(), anew
    )
    return rows
