"""Pascal VOC: one .xml per picture, as LabelImg writes it and as the public "Face Mask Detection" set comes."""

from __future__ import annotations

import math
import os
import xml.etree.ElementTree as ElementTree  # nosec B405
from pathlib import Path

import numpy as np

from edge.core.errors import DataError
from edge.core.files import readable
from edge.core.plain_text import plain
from edge.evaluation.annotated import IGNORE, MOST, NOT_A_FACE, Annotated
from edge.evaluation.labels import Labels
from edge.evaluation.picture_names import Places, split_of

CORNERS = ("xmin", "ymin", "xmax", "ymax")
SHOWN = 40
"""Characters of a value in a message."""


def files(root: Path) -> list[Path]:
    """The annotations among the .xml files under `root`."""
    hidden = (p for p in root.rglob("*.xml") if not any(part.startswith(".") for part in p.relative_to(root).parts))
    return [p for p in sorted(hidden) if p.is_file() and b"<annotation" in p.read_bytes()[:2000]]


def read(files: list[Path], root: Path, labels: Labels) -> list[Annotated]:
    """Reads one picture per file. Raises DataError that names file and object."""
    places = {folder: Places(folder) for folder in {f.parent for f in files}}
    result = []
    for path in files:
        try:
            # Python's expat fetches nothing, and since 2.4.1 it limits the expansion of entities.
            tree = ElementTree.fromstring(readable(path).read_text(encoding="utf-8-sig"))  # nosec B314
        except (OSError, ValueError, ElementTree.ParseError) as error:
            raise DataError(f"{path}: not XML ({error}); cut short?") from error
        if tree.tag != "annotation":
            raise DataError(f"{path}: <{tree.tag}>, no Pascal VOC; expected <annotation>, of CVAT an export as COCO")
        rows = [row for k, item in enumerate(tree.iter("object")) if (row := _object(path, k, item, labels))]
        size = tuple(_number(tree, f"size/{key}") for key in ("width", "height"))
        picture = places[path.parent].find(tree.findtext("filename") or path.stem)
        if not os.path.isfile(picture):  # pictures are renamed without their annotations
            same = [f for f in picture.parent.glob(f"{path.stem}.*") if f != path]
            picture = same[0] if len(same) == 1 else picture
        result.append(
            Annotated(
                picture,
                np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
                np.array([category for _, category, _ in rows], np.int64),
                np.array([difficult or category == NOT_A_FACE for _, category, difficult in rows], bool),
                root.resolve().name,
                split=split_of(*path.relative_to(root).parts[:-1]) if path.is_relative_to(root) else "",
                size=(int(size[0]), int(size[1])) if all(0 < v <= MOST for v in size) else None,
                where=str(path),
            )
        )
    return result


def _object(path: Path, k: int, item: ElementTree.Element, labels: Labels) -> tuple[list[float], int, bool] | None:
    category = labels.require(item.findtext("name") or "(no name)", f"{path}: object {k}", 1)
    if category == IGNORE:
        return None
    box = [_number(item, f"bndbox/{corner}") for corner in CORNERS]
    if not all(abs(v) <= MOST for v in box) or box[2] <= box[0] or box[3] <= box[1]:
        said = ", ".join(f"{c} {_word(item.findtext(f'bndbox/{c}'))}" for c in CORNERS)
        raise DataError(f"{path}: object {k}: {said}: no box; expected pixels with xmin < xmax and ymin < ymax")
    return box, category, (item.findtext("difficult") or "0").strip() not in ("0", "false", "False", "")


def _number(item: ElementTree.Element, key: str) -> float:
    """The number, or NaN if it is missing or not a number."""
    try:
        return float(item.findtext(key) or "nan")
    except ValueError:
        return math.nan


def _word(text: str | None) -> str:
    """What a message shows of an annotation's value, however long that is."""
    word = plain(" ".join(str(text).split()))
    return word if len(word) <= SHOWN else f"{word[:SHOWN]}..."
