"""Whether the networks give their known answers on this device; run by an update before it is activated."""

from __future__ import annotations

from edge.config.settings import Settings
from edge.core.errors import UpdateError


def self_test(settings: Settings) -> str:
    """The table of engines. Raises UpdateError if no engine is right for one of the networks."""
    from edge import assemble
    from edge.backends.selection.probe import render
    from edge.vision import bundle

    rows = assemble.probe(settings, bundle.load(settings.model.bundle or None), anew=True)
    table, right = render(rows), {row.stage for row in rows if row.ms is not None}
    if wrong := [stage for stage in ("detector", "classifier") if stage not in right]:
        raise UpdateError(f"no engine gives the known answer of the {' and the '.join(wrong)}:\n{table}")
    return table
