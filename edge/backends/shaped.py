"""One engine for all input shapes of the detector: each is opened when the first picture of its shape comes.

A camera's frames have one shape, so that memory is taken for what is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from edge.core.errors import BundleError, EngineError, MissingPackage
from edge.core.ports import Engine
from edge.core.records import Image
from edge.vision.bundle import Bundle

Opener = Callable[[Bundle, str, int], Engine]
"""`open` of a backend."""


class ShapedEngine:
    """The networks of one name in a bundle ("detector" with its further shapes, or "classifier")."""

    def __init__(self, bundle: Bundle, network: str, form: str, open: Callable[[str], Engine]) -> None:
        """`open`: opens one of the bundle's networks by its name. `form`: the format of file that it needs, "" for
        none; a shape of which the bundle has no such file is left out.
        """
        self._names = {
            (spec.input.width, spec.input.height): name
            for name, spec in bundle.shapes(network).items()
            if name == network or not form or form in spec.files
        }
        self._open, self._unfit = open, ""
        self._engines = {network: open(network)}

    @property
    def shapes(self) -> Sequence[tuple[int, int]]:
        """See `edge.core.ports.Shaped`."""
        return list(self._names)

    @property
    def fault(self) -> str:
        """Why one of its engines is down or could not be opened; "" while all work."""
        faults = (str(getattr(one, "fault", "")) for one in self._engines.values())
        return self._unfit or next(filter(None, faults), "")

    def infer(self, image: Image) -> Sequence[NDArray[Any]]:
        """See `edge.core.ports.Engine`. Raises EngineError also for a shape that could not be opened."""
        name = self._names.get((image.shape[1], image.shape[0]))
        if name is None:
            known = ", ".join(f"{width}x{height}" for width, height in self._names)
            raise EngineError(f"picture of shape {image.shape}, the network takes {known}")
        if name not in self._engines:
            self._engines[name] = self._opened(name)
        return self._engines[name].infer(image)

    def _opened(self, name: str) -> Engine:
        """A further shape, which is tried once: every frame would pay for another try."""
        if self._unfit:
            raise EngineError(self._unfit)
        try:
            return self._open(name)
        except (BundleError, EngineError, MissingPackage, OSError) as error:  # the bundle's folder may be gone by now
            self._unfit = f"{name}: {error}"
            raise EngineError(self._unfit) from error

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()


def alone(bundle: Bundle, network: str, form: str, open: Opener, threads: int) -> ShapedEngine:
    """A network of a bundle on one backend, without self-test or fallback. Raises what `open` raises."""
    return ShapedEngine(bundle, network, form, lambda name: open(bundle, name, threads))


def both(bundle: Bundle, form: str, open: Opener, threads: int) -> tuple[ShapedEngine, ShapedEngine]:
    """The same of detector and classifier."""
    detector, classifier = (alone(bundle, name, form, open, threads) for name in ("detector", "classifier"))
    return detector, classifier
