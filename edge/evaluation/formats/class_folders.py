"""A folder per class, as in the tutorial. The whole picture counts as the face, since there is no box."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.core.errors import DataError
from edge.evaluation.annotated import FACE, IGNORE, NOT_A_FACE, Annotated
from edge.evaluation.labels import Labels
from edge.evaluation.picture_names import split_of
from edge.vision import pictures


def folders(root: Path, labels: Labels) -> dict[Path, int]:
    """The topmost folders under `root` with known names, and the meaning of each."""
    found: dict[Path, int] = {}
    for folder in sorted(p for p in root.rglob("*") if p.is_dir()):
        hidden = any(part.startswith(".") for part in folder.relative_to(root).parts)
        number = labels.number(folder.name)
        if not hidden and number is not None and number != FACE and not any(above in found for above in folder.parents):
            found[folder] = number
    return found


def read(root: Path, found: dict[Path, int], labels: Labels) -> list[Annotated]:
    """`train/` and `val/` may be above or below the classes. Raises DataError for a single folder of another class."""
    for folder in {f.parent for f in found}:
        for other in sorted(
            p for p in folder.iterdir() if p.is_dir() and p not in found and labels.number(p.name) is None
        ):
            if not split_of(other.name) and not other.name.startswith(".") and (n := len(pictures.find(other))):
                raise DataError(
                    f"{other}: {n} pictures of an unknown class; say what it is with --label "
                    f"'{other.name}=without_mask' (or another), or --label '{other.name}=ignore'"
                )
    source = root.resolve().name
    return [
        Annotated(
            path,
            np.zeros((1, 4), np.float32),
            np.array([number]),
            np.array([number == NOT_A_FACE]),
            source,
            split=split_of(*path.relative_to(root).parts[:-1]),
            whole=True,
            lone=True,
        )
        for folder, number in found.items()
        if number != IGNORE
        for path in pictures.find(folder)
    ]
