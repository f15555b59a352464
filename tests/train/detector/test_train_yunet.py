"""YuNet as the beginning of the detector: it finds what YuNet finds. The file is made here, its weights are random."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'", exc_type=ImportError)
pytest.importorskip("onnx", reason="training needs the extra 'train'")

import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.core.errors import DataError
from edge.vision.decode import cells, decode
from train import cli
from train.detector import network, yunet

pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations

SIDE, INNER = 320, 224
"""Of the picture, and from where on no cell sees its upper or left edge: beyond it YuNet sees black, ours grey."""
STRIDES = (8, 16, 32)
SAID = {
    "cls": [(-1.0, 1.0)],
    "bbox": [(0.5, 0.3)] * 2 + [(1.0, 0.7)] * 2,
    "obj": [(0.0, 1.0)],
    "kps": [(0.0, 1.0)] * 10,
}
"""The heads in the order of the file's convolutions; for each value its mean and standard deviation over the cells:
logits, the middle in strides, logarithms of the sides, five points that nobody reads."""
UNITS = {"unit_2": (16, 16), "unit_4a": (16, 16), "unit_4b": (16, 32), "unit_4c": (32, 32), "unit_4d": (32, 64)}
UNITS |= {f"unit_{stride}{letter}": (64, 64) for stride in STRIDES for letter in "ab"}
UNITS |= {f"neck_{stride}": (64, 64) for stride in (32, 16, 8)}
UNITS |= {f"{head}_{stride}": (64, len(values)) for head, values in SAID.items() for stride in STRIDES}
"""Channels that each reads and writes, in the order of the file."""


def random_weights(seed=0):
    """Convolution -> kernel and bias, of such a size that values neither fade away nor grow."""
    rng = np.random.default_rng(seed)
    stem = rng.normal(0, 0.006, (16, 3, 3, 3)).astype("f4")
    weights = {"stem": (stem, -128 * stem.sum((1, 2, 3)))}
    for name, (read, written) in UNITS.items():
        weights[f"{name}.mix"] = rng.normal(0, read**-0.5, (written, read, 1, 1)), rng.normal(0, 0.1, written)
        weights[f"{name}.look"] = rng.normal(0, 0.67, (written, 1, 3, 3)), rng.normal(0, 0.1, written)
    return {name: (kernel.astype("f4"), bias.astype("f4")) for name, (kernel, bias) in weights.items()}


class File:
    """An ONNX file of YuNet's layers and of these weights."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants = weights, [], []

    def node(self, kind, output, *inputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def convolution(self, name, x, **attributes):
        kernel, bias = (self.constant(f"{name}.{k}", values) for k, values in enumerate(self.weights[name]))
        return self.node("Conv", name, x, kernel, bias, **attributes)

    def said(self, name, x):
        x, channels = self.convolution(f"{name}.mix", x), UNITS[name][1]
        return self.convolution(f"{name}.look", x, group=channels, pads=[1] * 4)

    def unit(self, name, x):
        return self.node("Relu", f"{name}.relu", self.said(name, x))

    def half(self, x):
        return self.node("MaxPool", f"{x}.half", x, kernel_shape=[2, 2], strides=[2, 2])

    def twice(self, x):
        roi, scales = np.zeros(0, "f4"), np.array([1, 1, 2, 2], "f4")
        constants = self.constant(f"{x}.roi", roi), self.constant(f"{x}.scales", scales)
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", f"{x}.twice", x, *constants, **how)

    def write(self, path, probabilities=True):
        """`probabilities`: as YuNet says its scores; else as logits."""
        x = self.node("Relu", "stem.relu", self.convolution("stem", "input", strides=[2, 2], pads=[1] * 4))
        x = self.half(self.unit("unit_2", x))
        for letter in "abcd":
            x = self.unit(f"unit_4{letter}", x)
        levels, outputs = {}, []
        for stride in STRIDES:
            x = self.unit(f"unit_{stride}a", self.half(x))
            levels[stride] = x = self.unit(f"unit_{stride}b", x)
        levels[32] = self.unit("neck_32", levels[32])
        for stride in (16, 8):
            x = self.node("Add", f"sum_{stride}", levels[stride], self.twice(levels[2 * stride]))
            levels[stride] = self.unit(f"neck_{stride}", x)
        for head, values in SAID.items():
            for name, level in ((f"{head}_{stride}", levels[stride]) for stride in STRIDES):
                x = self.node("Transpose", f"{name}.last", self.said(name, level), perm=[0, 2, 3, 1])
                rows = self.constant(f"{name}.rows", np.array([1, -1, len(values)]))
                if head in ("cls", "obj") and probabilities:
                    self.node("Sigmoid", name, self.node("Reshape", f"{name}.logits", x, rows))
                else:
                    self.node("Reshape", name, x, rows)
                outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, len(values)]))
        picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
        graph = helper.make_graph(self.nodes, "yunet", [picture], outputs, self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), path)
        return path


def picture():
    """Blobs of all sizes (SIDE, SIDE, 3), RGB."""
    rng = np.random.default_rng(1)
    blobs = [cv2.resize(rng.normal(0, 60, (n, n, 3)), (SIDE, SIDE)) for n in (4, 10, 20, 40, 80)]
    return np.clip(127 + sum(blobs), 0, 255).astype(np.uint8)


def answers(path):
    """What OpenCV says that the file at `path` says of the picture: output -> (cells, values)."""
    net = cv2.dnn.readNetFromONNX(str(path))
    net.setInput(cv2.dnn.blobFromImage(picture()[..., ::-1]))
    names = [f"{head}_{stride}" for head in SAID for stride in STRIDES]
    return {name: rows.reshape(-1, rows.shape[-1]) for name, rows in zip(names, net.forward(names), strict=True)}


@pytest.fixture(scope="module")
def yunet_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("yunet")
    weights = random_weights()
    for name, rows in answers(File(weights).write(folder / "logits.onnx", probabilities=False)).items():
        mean, spread = np.array(SAID[name.split("_")[0]], "f4").T
        kernel, bias = weights[f"{name}.look"]
        factor = spread / rows.std(0)
        weights[f"{name}.look"] = kernel * factor[:, None, None, None], (bias - rows.mean(0)) * factor + mean
    return File(weights).write(folder / "yunet.onnx")


@pytest.fixture(scope="module")
def model():
    return network.build(SIDE, SIDE)


def test_the_file_asks_for_what_the_lines_were_fitted_to(yunet_file):
    """Beyond that, and where the two scores disagree by more, the lines go on straight and leave the curves."""
    found = answers(yunet_file)
    for stride in STRIDES:
        a, b = (np.log(p / (1 - p)) for p in (found[f"cls_{stride}"], found[f"obj_{stride}"]))
        assert -10 < min(a.min(), b.min()) < max(a.max(), b.max()) < 8
        assert np.abs(a - b).max() < 6
        sides = found[f"bbox_{stride}"][:, 2:]
        assert -2.5 < sides.min() < sides.max() < 3.4
        assert min(rows.std() for rows in (a, b, *sides.T)) > 0.5, "cells differ, so that a wrong one would be seen"


def test_the_detector_begins_with_the_scores_and_boxes_of_yunet(yunet_file, model):
    """As near as bent lines come: 15 of 100 in a score, 4 % of a side. The middle of a box is exact."""
    yunet.begin(model, yunet_file)
    logits, distances = (rows[0] for rows in model.predict_on_batch(picture()[None].astype("f4") / 127.5 - 1))
    centres, strides = cells(SIDE, SIDE)
    rows = decode(logits, distances, centres, strides, 1e-4)
    assert len(rows) == len(centres), "every cell scores more than that"
    found = answers(yunet_file)
    a, b, boxes = (np.concatenate([found[f"{head}_{s}"] for s in STRIDES]) for head in ("cls", "obj", "bbox"))
    middles = centres + (boxes[:, :2] - 0.5) * strides[:, None]
    sides = np.exp(boxes[:, 2:]) * strides[:, None]
    inner, score = (centres > INNER).all(1), np.sqrt(a * b)[:, 0]
    around = inner & (np.abs(middles - centres) < 0.45 * sides).all(1)  # a box ends at its cell's centre
    for stride in STRIDES:
        k, placed = inner & (strides == stride), around & (strides == stride)
        assert placed.sum() > 0.7 * k.sum() > 6
        assert np.abs(rows[k, 4] - score[k]).max() < 0.16
        assert np.corrcoef(logits[k, 0], np.log(score / (1 - score))[k])[0, 1] > 0.85
        np.testing.assert_allclose((rows[placed, :2] + rows[placed, 2:4]) / 2, middles[placed], atol=0.01)
        np.testing.assert_allclose(rows[placed, 2:4] - rows[placed, :2], sides[placed], rtol=0.04)


def test_what_may_add_to_yunet_adds_nothing_yet(yunet_file, model):
    yunet.begin(model, yunet_file)
    blocks = [layer for layer in model.layers if layer.name.endswith("_back")]
    assert len(blocks) == 6
    assert not any(np.any(weights) for layer in blocks for weights in layer.get_weights())


def other(path, kernel, more=(), inputs=("k", "b")):
    """A network of one convolution, or of whatever nodes."""
    nodes = [helper.make_node("Conv", ["input", *inputs], ["x"]), *more] if inputs is not None else list(more)
    values = [numpy_helper.from_array(kernel, "k"), numpy_helper.from_array(np.zeros(len(kernel), "f4"), "b")]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, None, None, None]) for n in ("input", "x")]
    onnx.save(helper.make_model(helper.make_graph(nodes, "other", ends[:1], ends[1:], values)), path)


def half_of_it(path):
    nodes = onnx.load(path.with_name("whole.onnx"))
    del nodes.graph.node[40:]
    onnx.save(nodes, path)


STEM = np.zeros((16, 3, 3, 3), "f4")
SMALL = helper.make_node("DequantizeLinear", ["k", "b"], ["dequantised"])
WRONG = {
    "missing": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "no such file"),
    "a pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:8f23\nsize 232589\n"),
        "a Git-LFS pointer, not the network; fetch it with 'git lfs pull'",
    ),
    "a text": (lambda path: path.write_text("<html>not found</html>"), "not an ONNX file"),
    "without a convolution": (
        lambda path: other(path, STEM, [helper.make_node("Relu", ["input"], ["x"])], None),
        "no convolution in it",
    ),
    "a larger stem": (lambda path: other(path, np.zeros((24, 3, 3, 3), "f4")), "not the network of YuNet"),
    "a stem alone": (lambda path: other(path, STEM), "not the network of YuNet"),
    "half of it": (half_of_it, "not the network of YuNet"),
    "without biases": (lambda path: other(path, STEM, inputs=["k"]), "not the network of YuNet"),
    "quantised": (lambda path: other(path, STEM, [SMALL], ["dequantised", "b"]), "not the network of YuNet"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_yunet_is_one_line(name, tmp_path, yunet_file, model):
    (tmp_path / "whole.onnx").write_bytes(yunet_file.read_bytes())
    make, says = WRONG[name]
    make(tmp_path / "y.onnx")
    with pytest.raises(DataError) as caught:
        yunet.begin(model, tmp_path / "y.onnx")
    said = str(caught.value)
    assert str(tmp_path / "y.onnx") in said
    assert says in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "--weights is missing: expected face_detection_yunet_2023mar.onnx or a later one of the OpenCV Zoo, or"),
        (["--weights", "none.onnx"], "--weights none.onnx: no such file; expected face_detection_yunet_2023mar.onnx"),
    ],
)
def test_a_training_without_a_beginning_is_one_line_and_writes_nothing(tmp_path, capsys, more, says):
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "0.png"), np.zeros((64, 64, 3), np.uint8))
    images = [{"id": 0, "file_name": "0.png", "width": 64, "height": 64}]
    annotations = [{"id": 0, "image_id": 0, "bbox": [20, 20, 20, 20], "category_id": 2, "iscrowd": 0}]
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    (tmp_path / "c.toml").write_text("width = 64\nheight = 64\n")
    data, work = str(tmp_path / "coco.json"), tmp_path / "run"
    args = ["detector", str(tmp_path / "c.toml"), "--data", data, "--val", data, "--workdir", str(work)]
    assert cli.main([*args, *more]) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("maskcam-train: error: --weights ")
    assert says in line
    assert "\n" not in line
    assert not work.exists()
