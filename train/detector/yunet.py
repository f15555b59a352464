"""What YuNet has learnt, from the file of the OpenCV Zoo (MIT), as the beginning of the detector.

https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet
Its layers are the detector's own. Its heads say other things: two scores whose geometric mean counts, and the logarithm
of a box's sides. Both are curves to a network of ReLUs, so they become bent lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.vision.bundle import LFS_POINTER
from edge.vision.decode import sigmoid
from train.networks.from_bundle import graph

Array = NDArray[np.floating[Any]]
Pair = tuple[Array, Array]
"""Kernel in Keras's order of axes, and bias."""
STRIDES = (8, 16, 32)
UNITS = (
    "unit_2",
    *(f"unit_4{letter}" for letter in "abcd"),
    *(f"unit_{stride}{letter}" for stride in STRIDES for letter in "ab"),
    *(f"neck_{stride}" for stride in reversed(STRIDES)),
)
"""In the order of the file."""
HEADS = ("class", "box", "object")
SCORES = np.array([-12.0, -4, -2, 0, 2])
"""Where the line of a score is bent; YuNet's logits are greater than the first."""
SIDES = np.array([-3.0, -1, -0.2, 0.4, 0.9, 1.4, 1.9, 2.4, 2.9])
"""Where the line of a side is bent: its logarithm in strides."""
PLACE = 8.0
"""Added to a box's middle, in strides from its cell, so that ReLU lets it pass."""
EXPECTED = "expected face_detection_yunet_2023mar.onnx or a later one of the OpenCV Zoo"


def begin(model: keras.Model, path: Path) -> None:
    """Gives the detector `model` YuNet's weights: it finds what YuNet finds. Raises DataError, MissingPackage.

    Outside of the picture YuNet sees black where this network sees grey.
    """
    convolutions = _convolutions(path)
    kernel, bias = convolutions.pop(0)
    try:
        # BGR of 0 to 255 -> RGB of -1 to 1
        model.get_layer("stem").set_weights([kernel[:, :, ::-1] * 127.5, bias + kernel.sum((0, 1, 2)) * 127.5])
        for name in UNITS:
            model.get_layer(f"{name}_mix").set_weights(convolutions.pop(0))
            model.get_layer(f"{name}_look").set_weights(convolutions.pop(0))
        heads = {(head, stride): (convolutions.pop(0), convolutions.pop(0)) for head in HEADS for stride in STRIDES}
        for stride in STRIDES:
            _scores(model, f"score_{stride}", heads["class", stride], heads["object", stride])
            _distances(model, f"distance_{stride}", heads["box", stride])
    except (IndexError, ValueError) as error:
        raise DataError(f"{path}: not the network of YuNet ({str(error).splitlines()[0]}); {EXPECTED}") from error


def _convolutions(path: Path) -> list[Pair]:
    """Of the file, in its order. Raises DataError, MissingPackage."""
    if not path.is_file():
        raise DataError(f"--weights {path}: no such file; {EXPECTED}, or --start with a bundle")
    if path.read_bytes().startswith(LFS_POINTER):
        raise DataError(f"{path}: a Git-LFS pointer, not the network; fetch it with 'git lfs pull'")
    nodes, values = graph(path)
    found = []
    for node in nodes.node:
        if node.op_type == "Conv":
            if len(node.input) < 3 or not values.keys() >= set(node.input[1:]):
                raise DataError(f"{path}: not the network of YuNet in floating point; {EXPECTED}")
            kernel, bias = (values[name] for name in node.input[1:])
            deep = kernel.shape[1] == 1 and kernel.shape[2] > 1
            found.append((kernel.transpose((2, 3, 0, 1) if deep else (2, 3, 1, 0)), bias))
    if not found:
        raise DataError(f"{path}: no convolution in it; {EXPECTED}")
    return found


def _scores(model: keras.Model, name: str, first: tuple[Pair, Pair], second: tuple[Pair, Pair]) -> None:
    """The logit of sqrt(a b), where a and b are YuNet's two scores: a bent line of each logit, added up."""
    channels = [(pair, 0, -knot) for pair in (first, second) for knot in SCORES]
    a, b = (v.ravel() for v in np.meshgrid(np.linspace(-7, 3, 51), np.linspace(-9, 9, 91)))  # what faces get, and more
    mean = np.sqrt(sigmoid(a) * sigmoid(b))
    weight = np.where(mean > 0.1, 1, 0.2)[:, None]  # of what is no face the order alone counts
    bent = np.c_[_bent(a, SCORES), _bent(b, SCORES), np.ones(len(a))]
    line = np.linalg.lstsq(bent * weight, np.log(mean / (1 - mean)) * weight[:, 0], rcond=None)[0]
    _fill(model, name, channels, line[:-1, None], line[-1:])


def _distances(model: keras.Model, name: str, boxes: tuple[Pair, Pair]) -> None:
    """Middle (x, y) in strides from the cell's corner and logarithms of the sides -> distances from the cell's middle
    to left, top, right and bottom in units of two strides (`edge.vision.decode`)."""
    channels = [(boxes, 0, PLACE), (boxes, 1, PLACE)]
    channels += [(boxes, side, -knot) for side in (2, 3) for knot in SIDES]
    logarithm = np.linspace(-2.5, 3.4, 300)
    weight = np.exp(-logarithm)[:, None]  # so that the error is a share of the side
    half = np.linalg.lstsq(_bent(logarithm, SIDES) * weight, np.full(300, 0.25), rcond=None)[0]
    last = np.zeros((len(channels), 4))
    last[2 : 2 + len(SIDES), [0, 2]] = half[:, None]
    last[2 + len(SIDES) :, [1, 3]] = half[:, None]
    last[[0, 1], [0, 1]], last[[0, 1], [2, 3]] = -0.5, 0.5
    bias = 0.25 + 0.5 * PLACE
    _fill(model, name, channels, last, np.array([bias, bias, -bias, -bias]))


def _fill(
    model: keras.Model, name: str, channels: list[tuple[tuple[Pair, Pair], int, float]], last: Array, bias: Array
) -> None:
    """Sets a head: each of `channels` is an output of YuNet's (its two convolutions, its number) and what is added.

    `last` (channels, values) and `bias` (values,) say what becomes of them; channels that are left begin at random and
    say nothing yet.
    """
    mix, look, end = (model.get_layer(f"{name}_{part}") for part in ("mix", "look", "last"))
    mixed, looked, ended = (layer.get_weights() for layer in (mix, look, end))
    ended[0][:] = 0
    for k, ((first, second), number, added) in enumerate(channels):
        mixed[0][..., k], mixed[1][k] = first[0][..., number], first[1][number]
        looked[0][..., k, :], looked[1][k] = second[0][..., number, :], second[1][number] + added
    ended[0][0, 0, : len(channels)], ended[1][:] = last, bias
    for layer, weights in ((mix, mixed), (look, looked), (end, ended)):
        layer.set_weights(weights)


def _bent(values: Array, knots: Array) -> Array:
    """(N, K): what ReLUs let pass of `values` (N,) beyond each knot."""
    return np.maximum(values[:, None] - knots, 0)
