"""Checks of the bundle, and of each backend's answer to the picture in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from edge.core.errors import REQUIREMENTS, BundleError, install
from edge.core.findings import Finding, absent, bad, ok, warn
from edge.operations.doctor.packages import PIP

if TYPE_CHECKING:
    from edge.backends.selection.probe import ProbeResult
    from edge.config.settings import Settings

HARMFUL = ("wrong answer", "crashed", "did not answer")
"""Text in the reason if an available backend cannot be trusted."""


def networks(settings: Settings, coral_taken: bool) -> Iterator[Finding]:
    """Tests each backend in a process of its own. `coral_taken`: the service uses the Coral, which allows one user."""
    from edge.backends.registry import backends
    from edge.backends.selection.probe import probe
    from edge.vision import bundle

    own = settings.model.bundle
    try:
        loaded = bundle.load(own or None)
    except BundleError as error:
        yield bad("bundle", str(error), "set model.bundle = ''" if own else f"{PIP} install --force-reinstall maskcam")
        return
    yield ok("bundle", f"{loaded.name} of {loaded.created}: {len(loaded.files)} files, every digest right")
    wanted = {settings.backend.detector, settings.backend.classifier}
    fit = False
    for name, known in backends().items():
        if not known.auto and name not in wanted:
            continue
        if name == "coral" and coral_taken:
            yield absent(name, "in use by the service; 'running' tells")
            fit = True
            continue
        rows = probe([known], loaded, settings.backend.threads, settings.backend.device)
        fit = fit or all(row.ms is not None for row in rows)
        yield backend(name, rows, wanted)
    if not fit:
        yield bad("backends", "none runs both networks", f"{install('cv2', 'cpu')} {REQUIREMENTS['ai-edge-litert']}")


def backend(name: str, rows: Sequence[ProbeResult], wanted: Collection[str]) -> Finding:
    """The finding from the probe of one backend. `wanted`: the backends in the settings."""
    said = next((row.why for row in rows if row.ms is None), "")
    if not said:
        return ok(name, "right answers: " + ", ".join(f"{row.stage} {row.ms:.1f} ms" for row in rows))
    remedy = "maskcam backends shows what runs here; set backend.detector and backend.classifier to 'auto'"
    if name in wanted:
        return bad(name, said, remedy)
    return warn(name, said, remedy) if any(word in said for word in HARMFUL) else absent(name, said)
