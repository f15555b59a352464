"""Reads COCO annotations of faces: the one reader of train, convert and `maskcam accuracy`.

Categories go by their names, whatever their numbers in a file: with_mask, without_mask, mask_worn_incorrectly, and
face where the mask state is unknown; a file without names is taken to number them 1 to 4 in this order.
`iscrowd` marks a region to ignore: a detection there is neither right nor wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError

WITH_MASK, WITHOUT_MASK, WORN_WRONGLY, FACE = 1, 2, 3, 4
NAMES = {"with_mask": WITH_MASK, "without_mask": WITHOUT_MASK, "mask_worn_incorrectly": WORN_WRONGLY, "face": FACE}


@dataclass(frozen=True, eq=False)
class Annotated:
    """One picture and its boxes."""

    path: Path
    boxes: NDArray[np.float32]
    """(N, 4) x0, y0, x1, y1 in pixels."""
    categories: NDArray[np.int64]
    """(N,) one of the numbers of `NAMES`."""
    ignored: NDArray[np.bool_]
    """(N,) True for a region to ignore."""
    source: str = ""
    cluster: str = ""


def read(path: Path | str) -> list[Annotated]:
    """Reads a COCO file, or a folder that holds exactly one `.json`; pictures lie in `images/` beside it.

    Raises DataError, one line, for a missing or malformed file and for one without any face.
    """
    path = _file(Path(path))
    try:
        coco = json.loads(path.read_text())
        named = {c["id"]: c["name"] for c in coco.get("categories", ())} or {n: name for name, n in NAMES.items()}
        unknown = sorted(set(named.values()) - set(NAMES))
        if unknown:
            raise DataError(f"{path}: category '{unknown[0]}' is unknown: expected {', '.join(NAMES)}")
        numbers = {number: NAMES[name] for number, name in named.items()}
        rows: dict[int, list[list[float]]] = {i["id"]: [] for i in coco["images"]}
        for a in coco["annotations"]:
            x, y, w, h = a["bbox"]
            rows[a["image_id"]].append([x, y, x + w, y + h, numbers[a["category_id"]], int(a.get("iscrowd", 0))])
        pictures = [_annotated(path.parent / "images", i, rows[i["id"]]) for i in coco["images"]]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not COCO annotations: {type(error).__name__}: {error}") from error
    if not any((~p.ignored).any() for p in pictures):
        raise DataError(f"{path}: no face is annotated; expected at least one box that is not iscrowd")
    return pictures


def _file(path: Path) -> Path:
    if path.is_dir():
        found = sorted(path.glob("*.json"))
        if len(found) != 1:
            raise DataError(f"{path}: holds {len(found)} .json files; name the annotations to use")
        return found[0]
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected COCO annotations (.json)")
    return path


def _annotated(folder: Path, image: dict[str, str], rows: list[list[float]]) -> Annotated:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Annotated(
        folder / image["file_name"],
        table[:, :4],
        table[:, 4].astype(np.int64),
        table[:, 5] > 0,
        str(image.get("source", "")),
        str(image.get("cluster", "")),
    )
