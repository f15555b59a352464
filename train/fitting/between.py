"""Weights between those before a training and those after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

Weights = Sequence[NDArray[Any]]


def between(before: Weights, after: Weights, share: float) -> list[NDArray[Any]]:
    """So far on the way from `before` to `after`.

    What lies between keeps more of what the first could do than tuning alone: Wortsman et al. 2022, arXiv 2109.01903.
    """
    return [(a + share * (b - a)).astype(a.dtype) for a, b in zip(before, after, strict=True)]
