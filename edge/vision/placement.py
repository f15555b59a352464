"""Places labels in a crowd: beside their own face, over no face and no other label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.core.geometry import Box

Size = tuple[int, int]
"""Width and height in pixels."""


def place(
    faces: Sequence[Box], sizes: Sequence[Sequence[Size]], width: int, height: int
) -> list[tuple[int, Box] | None]:
    """For each face, which of its `sizes` (the preferred label first) fits where; None if none does.

    The picture has `width` x `height` pixels. Large faces are placed first: they are nearest and matter most.
    """
    found: list[tuple[int, Box] | None] = [None] * len(faces)
    order = sorted(range(len(faces)), key=lambda i: -faces[i].area)
    for shortest in (True, False):  # first a number for everybody, then longer labels where there is room
        for i in order:
            wordings = list(enumerate(sizes[i]))
            others = [one[1] for j, one in enumerate(found) if one and j != i]
            for wording, size in wordings[-1:] if shortest else wordings[:-1]:
                spot = next((s for s in _spots(faces[i], size, width, height) if not _hits(s, [*faces, *others])), None)
                if spot:
                    found[i] = wording, spot
                    break
    return found


def _spots(face: Box, size: Size, width: int, height: int) -> Iterator[Box]:
    """Above, below and beside the face; at the edge of the picture the label is moved inside."""
    w, h = size
    across = (face.x0, face.x1 - w, face.centre[0] - w / 2)
    down = (face.y0, face.y1 - h)
    corners = [(x, y) for y in (face.y0 - h, face.y1) for x in across]
    corners += [(x, y) for x in (face.x1, face.x0 - w) for y in down]
    for x, y in corners:
        x, y = round(min(max(x, 0), width - w)), round(min(max(y, 0), height - h))
        if x >= 0 and y >= 0:
            yield Box(x, y, x + w, y + h)


def _hits(spot: Box, taken: Sequence[Box]) -> bool:
    """Whether it overlaps by more than one pixel, which rounding can cause."""
    return any(
        min(spot.x1, other.x1) - max(spot.x0, other.x0) > 1 and min(spot.y1, other.y1) - max(spot.y0, other.y0) > 1
        for other in taken
    )
