"""Makes faces unrecognisable."""

from __future__ import annotations

import cv2

from edge.core.geometry import Box
from edge.core.records import Image

MARGIN = 0.35
"""Share of a face's size that is blurred around it: hair and ears identify people too."""
CELLS = 5
"""Number of averages across and down that are left of a face."""


def blurred(image: Image, box: Box) -> None:
    """Changes `image` in place: a few averages, drawn out to the size of the face with what surrounds it."""
    x, y = MARGIN * box.width, MARGIN * box.height
    x0, y0 = (max(int(edge), 0) for edge in (box.x0 - x, box.y0 - y))
    part = image[y0 : max(int(box.y1 + y) + 1, 0), x0 : max(int(box.x1 + x) + 1, 0)]
    if part.size:
        coarse = cv2.resize(part, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
        part[:] = cv2.resize(coarse, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
