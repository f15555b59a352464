"""`crops.csv`: a face per row. Columns file, label, x0, y0, x1, y1; optional: box, source, cluster, split, score."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from edge.core.errors import DataError
from edge.core.files import readable
from edge.evaluation.annotated import IGNORE, MOST, NOT_A_FACE, Annotated
from edge.evaluation.labels import Labels
from edge.evaluation.picture_names import Places

NEEDED = ("file", "label", "x0", "y0", "x1", "y1")
CORNERS = NEEDED[2:]


def files(root: Path) -> list[Path]:
    """The table in `root`, if there is one."""
    return [path for path in (root / "crops.csv",) if path.is_file()]


def read(path: Path, labels: Labels) -> list[Annotated]:
    """Reads commas, semicolons or tabs, as Excel writes them, with or without a byte order mark. Raises DataError.

    `box` = whole: the picture is the face. `file` is in `images/` beside the table, or a full path. `score`: 0..1, of
    the detector that drew the box.
    """
    try:
        lines = readable(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 ({error})") from error
    head = lines[0] if lines else ""
    delimiter = max(",;\t", key=head.count)
    columns = [c.strip() for c in head.split(delimiter)]
    if missing := [c for c in NEEDED if c not in columns]:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(columns)[:200]}; expected {', '.join(NEEDED)}"
        )
    try:
        rows = list(csv.DictReader(lines[1:], columns, delimiter=delimiter))
    except csv.Error as error:
        raise DataError(f"{path}: not a table ({error}); damaged, or another kind of file?") from error
    places, result = Places(path.parent), []
    for number, row in enumerate(rows, 2):
        where = f"{path}:{number}"
        category = labels.require(row["label"] or "", where, 1)
        if category == IGNORE:
            continue
        whole = row.get("box") == "whole"
        box = [0.0] * 4 if whole else _box(row, where)
        result.append(
            Annotated(
                places.find(row["file"] or ""),
                np.array([box], np.float32),
                np.array([category]),
                np.array([category == NOT_A_FACE]),
                row.get("source") or path.parent.resolve().name,
                row.get("cluster") or "",
                split=row.get("split") or "",
                whole=whole,
                lone=True,
                where=where,
                scores=_score(row, where),
            )
        )
    return result


def _box(row: dict[str, str], where: str) -> list[float]:
    try:
        box = [float((row[c] or "").replace(",", ".")) for c in CORNERS]
    except ValueError as error:
        said = ", ".join(f"{c} = {(row[c] or '')[:40]!r}" for c in CORNERS)
        raise DataError(f"{where}: {said}: expected four numbers, the corners of the face in pixels") from error
    if not all(abs(v) <= MOST for v in box) or box[2] <= box[0] or box[3] <= box[1]:
        said = ", ".join(f"{c} = {v:g}" for c, v in zip(CORNERS, box, strict=True))
        raise DataError(f"{where}: {said}: no box; expected x0 < x1 and y0 < y1, in pixels")
    return box


def _score(row: dict[str, str], where: str) -> tuple[float, ...]:
    said = (row.get("score") or "").strip()
    if not said:
        return ()
    try:
        score = float(said.replace(",", "."))
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise DataError(f"{where}: score = {said[:40]!r}: expected a number from 0 to 1, a detector's, or nothing")
    return (score,)
