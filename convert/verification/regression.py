"""Nothing is published that is surely worse than what it replaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convert.verification import verify
from edge.core.errors import BundleError
from edge.core.progress import Progress
from edge.evaluation import outcomes, runner
from edge.evaluation.annotated import Annotated
from edge.vision import bundle as bundles


def baseline(out: Path, against: Path | None) -> bundles.Bundle:
    """What to compare with: `against`, else the bundle that is replaced, else the shipped one. Raises BundleError."""
    if against:
        return bundles.load(against)
    if (out / bundles.NAME).is_file():
        try:
            return bundles.load(out)
        except BundleError as error:
            print(f"not compared with the bundle that is replaced: {error}", flush=True)
    return bundles.load(bundles.shipped())


def check(
    new: outcomes.Outcomes,
    pictures: list[Annotated],
    old: bundles.Bundle,
    most_alarms: float | None,
    even_if_worse: bool,
) -> dict[str, Any]:
    """Prints both side by side; returns what the bundle tells of it. Raises BundleError for what is surely worse.

    `most_alarms`: false alarms per picture that a new detector was asked for; None where it was not chosen here.
    """
    theirs = outcomes.Outcomes(old.detector.operating)
    detector = verify.detectors(old)["int8"]
    with Progress("measuring the other bundle", len(pictures), "pictures") as progress:
        runner.score(pictures, detector.rows, detector.operating, progress.update, detector.named, theirs.add)
    intervals = outcomes.compare(new, theirs)
    print(f"\nbeside {old.folder}, int8, the same {len(new)} pictures:")
    print(outcomes.table(intervals, "new", "old", len(new)))
    faults = [f"{i.name} {i.old:.3f} -> {i.new:.3f}" for i in intervals if i.surely_worse]
    alarms = new.figures()["false_per_image"]
    if most_alarms is not None and alarms > most_alarms:
        faults.append(f"{alarms:.2f} false alarms per picture, the configuration asks for {most_alarms}")
    if faults and not even_if_worse:
        raise BundleError(
            f"surely worse than {old.folder}: {'; '.join(faults)}; nothing was published "
            "(--even-if-worse publishes it, --against BUNDLE compares with another)"
        )
    if faults:
        print(f"published although surely worse: {'; '.join(faults)}", flush=True)
    rows = {i.name: {"new": i.new, "old": i.old, "low": i.low, "high": i.high} for i in intervals}
    return {"compared": {"with": old.name, "created": old.created, "pictures": len(new), "figures": rows}}
