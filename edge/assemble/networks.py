"""The bundle, and an engine for each of its networks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from edge.backends.registry import backends
from edge.core.errors import ConfigError
from edge.core.plugins import resolve
from edge.runtime.systemd import state_directory

if TYPE_CHECKING:
    from edge.backends.selection.probe import ProbeResult
    from edge.backends.supervised.failover import FailoverEngine
    from edge.config.settings import Settings
    from edge.vision.bundle import Bundle

log = logging.getLogger(__name__)


def opened(settings: Settings, live: bool, stack: ExitStack) -> tuple[Bundle, Mapping[str, FailoverEngine]]:
    """The bundle and an engine for each of its networks.

    Backends are measured for a live camera only; a recording is judged alike on every machine.
    """
    from edge.backends.selection.opener import Opener
    from edge.vision.bundle import load

    bundle, wanted = load(settings.model.bundle or None), settings.backend
    requested = {"detector": wanted.detector, "classifier": wanted.classifier}
    opener = Opener(
        backends(),
        bundle,
        resolve,
        stack,
        threads=wanted.threads,
        device=wanted.device,
        strict=wanted.strict,
        rows=probe(settings, bundle) if live and "auto" in requested.values() else (),
    )
    stages: dict[str, FailoverEngine] = {}
    for network, name in requested.items():
        stages[network] = opener.open(network, name)
        stack.callback(stages[network].close)
    for network, stage in stages.items():
        log.log(logging.WARNING if stage.reason else logging.INFO, "%s: %s", network, stage.describe())
    return bundle, stages


def engine(bundle: Bundle, network: str, backend: str, threads: int, stack: ExitStack) -> FailoverEngine:
    """The engine of "detector" or "classifier" alone, for a caller without a camera; `stack` closes it.

    "auto" takes the first that works on the processor. Raises ConfigError, BundleError, EngineError, MissingPackage.
    """
    from edge.backends.selection.opener import Opener

    known = backends()
    if backend != "auto" and backend not in known:
        raise ConfigError(
            f"backend = {backend!r}: expected auto, {', '.join(one.name for one in known.values() if one.auto)}"
        )
    found = Opener(known, bundle, resolve, stack, threads).open(network, backend)
    stack.callback(found.close)
    return found


def probe(settings: Settings, bundle: Bundle, anew: bool = False) -> Sequence[ProbeResult]:
    """Probe results of each backend that "auto" may take; those kept in the state directory are used unless `anew`."""
    from edge.backends.selection.opener import probe_results

    wanted, known = settings.backend, [backend for backend in backends().values() if backend.auto]
    return probe_results(known, bundle, wanted.threads, wanted.device, state_directory(), anew)
