"""Identifies a network's outputs by shape, since converters do not keep names or order."""

from __future__ import annotations

from collections.abc import Sequence

from edge.core.errors import EngineError


def by_shape(wanted: dict[str, list[int]], found: Sequence[Sequence[int]], what: str) -> list[int]:
    """Position in `found` (shapes without the batch axis) of each output of `wanted`, in its order.

    Raises EngineError if the outputs differ from those in the bundle's description.
    """
    shapes = [tuple(s) for s in found]
    try:
        return [shapes.index(tuple(shape)) for shape in wanted.values()]
    except ValueError as error:
        raise EngineError(f"{what}: outputs have shapes {shapes}, the bundle says {wanted}") from error
