"""Scales the channels between a network's convolutions, so that int8 has fine steps for each of them.

One scale serves all channels of an int8 tensor, so a channel of small values has few of its 256 steps. What a
convolution says of a channel may be multiplied by any factor, if those that read the channel divide by it: the function
stays the same. Cross-layer equalisation: Nagel et al. (2019), arXiv 1906.04721.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from convert.networks.keras_models import Doubled

MOST = 64.0
"""Largest factor: a channel that is nearly always zero is not blown up."""
CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
PASSING = (layers.Add, layers.MaxPooling2D, layers.UpSampling2D, layers.ZeroPadding2D, Doubled)
"""Layers whose output has the channels of their inputs."""


@dataclass(eq=False)
class Tie:
    """Tensors that must share their factors, because they are added up."""

    writers: list[Any] = field(default_factory=list)
    """The layers whose weights scale them: batch normalisations, or convolutions that have none."""
    ends: list[Any] = field(default_factory=list)
    """The layers behind those whose output is read: the writer itself, or its ReLU."""
    readers: list[Any] = field(default_factory=list)
    """The convolutions that read them."""
    fixed: bool = False
    """Whether something else reads them, so that they must stay as they are."""

    def join(self, other: Tie) -> None:
        self.writers += other.writers
        self.ends += other.ends
        self.readers += other.readers
        self.fixed |= other.fixed

    def factors(self, largest: NDArray[np.float32]) -> NDArray[np.float32]:
        """Per channel. `largest`: absolute values per channel. A ReLU6 is filled to its 6, so that a greater value, on
        another picture, is cut off where it would have been beyond the range of int8; what has no limit, to the
        largest."""
        limits = {getattr(end, "max_value", None) for end in self.ends}
        if len(limits) > 1:
            return np.ones_like(largest)
        top = limits.pop() or largest.max()
        return np.clip(top / np.maximum(largest, 1e-6), 1, MOST).astype(np.float32)


def equalise(model: keras.Model, pictures: Iterable[NDArray[np.float32]]) -> None:
    """Changes the weights of `model` and, within the range that `pictures` (1, height, width, 3) show, no output."""
    found = ties(model)
    ends = [end for tie in found for end in tie.ends]
    if not ends:
        return
    look, largest = keras.Model(model.input, [end.output for end in ends]), dict.fromkeys(ends, np.float32(0))
    for picture in pictures:
        for end, values in zip(ends, said(look, picture), strict=True):
            largest[end] = np.maximum(largest[end], np.abs(values).max((0, 1, 2)))
    for tie in found:
        factors = tie.factors(np.max([largest[end] for end in tie.ends], 0))
        for writer in tie.writers:
            first, second, *kept = writer.get_weights()  # gamma and beta, or kernel and bias
            outwards = factors[:, None] if isinstance(writer, layers.DepthwiseConv2D) else factors
            writer.set_weights([first * outwards, second * factors, *kept])
        for reader in tie.readers:
            kernel, *bias = reader.get_weights()
            reader.set_weights([kernel / factors[:, None], *bias])


def ties(model: keras.Model) -> list[Tie]:
    """Those of convolutions with a bias or a batch normalisation, without the fixed ones."""
    carried: dict[str, Tie | None] = {}  # by layer: what its output is tied to
    found: list[Tie] = []
    for layer in model.layers:
        sources = [tensor._keras_history.operation for tensor in layer._inbound_nodes[0].input_tensors]
        read = [tie for source in sources if (tie := carried.get(source.name))]
        carried[layer.name] = None
        if isinstance(layer, layers.ReLU) and read and read[0].ends == [sources[0]] and _alone(sources[0]):
            read[0].ends[:] = [layer]
            carried[layer.name] = read[0]
        elif isinstance(layer, PASSING) and len(read) == len(sources):
            for other in read[1:]:
                if other is not read[0]:
                    read[0].join(other)
                    found.remove(other)
                    carried |= {name: read[0] for name, tie in carried.items() if tie is other}
            carried[layer.name] = read[0]
        elif plain(layer):
            for tie in read:
                tie.readers.append(layer)
        else:
            for tie in read:
                tie.fixed = True
        if _writes(layer, sources):
            found.append(Tie([layer], [layer]))
            carried[layer.name] = found[-1]
    for output in model.outputs:
        if tie := carried[output._keras_history.operation.name]:
            tie.fixed = True
    return [tie for tie in found if not tie.fixed]


def said(model: keras.Model, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The outputs of a model, a list also if there is one."""
    outputs: list[NDArray[np.float32]] = keras.tree.flatten(model.predict_on_batch(picture))
    return outputs


def plain(layer: Any) -> bool:
    """Whether it is a convolution without groups, dilation or several outputs per channel."""
    single = getattr(layer, "groups", 1) == 1 and getattr(layer, "depth_multiplier", 1) == 1
    return isinstance(layer, CONVOLUTIONS) and single and layer.dilation_rate in (1, (1, 1))


def _writes(layer: Any, sources: list[Any]) -> bool:
    """Whether its weights can scale its channels: a batch normalisation's behind a convolution, or a convolution's."""
    if isinstance(layer, layers.BatchNormalization):
        return bool(layer.scale and layer.center) and _alone(sources[0], CONVOLUTIONS)
    return plain(layer) and layer.activation is keras.activations.linear and bool(layer.use_bias)


def _alone(layer: Any, kinds: tuple[type, ...] = (layers.Layer,)) -> bool:
    """Whether `layer` is one of `kinds`, and read by one layer only."""
    return len(layer._outbound_nodes) == 1 and isinstance(layer, kinds)
