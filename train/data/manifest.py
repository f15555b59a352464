"""`faces.csv`: which faces a classifier was trained on and which were held back, for whoever measures it later."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from edge.core import files
from train.data.dataset import Patch

NAME = "faces.csv"
COLUMNS = ("file", "label", "x0", "y0", "x1", "y1", "box", "source", "cluster", "split")


def write(folder: Path, patches: Sequence[Patch]) -> None:
    """A row per face, in the columns of `edge.evaluation.formats.crops_table`; the pictures stay where they are."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for s in (p.sample for p in patches):
        corners = [round(v, 2) for v in (s.box.x0, s.box.y0, s.box.x1, s.box.y1)] if s.box else [0, 0, 1, 1]
        kind = "found" if s.box else "whole"
        table.writerow([s.path.resolve(), s.label, *corners, kind, s.source, s.cluster, s.split])
    files.write(folder / NAME, text.getvalue())
