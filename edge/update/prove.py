"""Whether the networks give their known answers on this device; what an update runs before it switches."""

from __future__ import annotations

from edge.errors import UpdateError
from edge.settings import Settings


def prove(settings: Settings) -> str:
    """The table of engines. Raises UpdateError when no engine is right for one of the networks."""
    from edge import assemble, bundle
    from edge.engines.probe import fastest, render

    found = bundle.load(settings.model.bundle or None)
    rows = assemble.probe(settings, found, anew=True)
    best = {stage: fastest(rows, stage) for stage in ("detector", "classifier")}
    table = render(rows, {stage: chosen[0].candidate for stage, chosen in best.items() if chosen})
    if wrong := [stage for stage, chosen in best.items() if not chosen]:
        raise UpdateError(f"no engine gives the known answer of the {' and the '.join(wrong)}:\n{table}")
    return table
