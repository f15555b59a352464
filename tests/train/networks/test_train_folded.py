"""The detector computed by PyTorch: the same numbers, and the same things learn. In a process of its own: one process
has one backend of Keras."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    not (find_spec("torch") and find_spec("keras")), reason="needs the extra 'train-torch' (PyTorch)"
)
COMMON = """
import keras, numpy as np
from train.config import DetectorConfig
from train.detector import network
from train.networks.folded import Folded
keras.utils.set_random_seed(3)
model = network.build(96, 64, "unit_4d_relu")
for layer in model.layers:  # kernels and biases of zero would hide what is folded wrongly
    layer.set_weights([w + np.random.normal(0, 0.05, w.shape) for w in layer.get_weights()])
pictures = np.random.uniform(-1, 1, (2, 64, 96, 3)).astype("float32")
"""


def child(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", COMMON + code],
        env=os.environ | {"KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def test_it_computes_what_keras_computes() -> None:
    assert "same" in child("""
wanted = np.concatenate(model.predict_on_batch(pictures), -1)
np.testing.assert_allclose(Folded(model).predict_on_batch(pictures), wanted, rtol=1e-3, atol=1e-3)
print("same")
""")


def test_a_trained_detector_is_asked_in_the_same_way() -> None:
    assert "same" in child("""
for own, wanted in zip(network.answering(model)(pictures), model.predict_on_batch(pictures), strict=True):
    assert own.shape == wanted.shape
    np.testing.assert_allclose(own, wanted, rtol=1e-3, atol=1e-3)
print("same")
""")


def test_what_is_frozen_stays_and_the_rest_learns() -> None:
    assert "learns" in child("""
trainer = network.for_training(model, DetectorConfig(width=96, height=64, learning_rate=1e-2))
assert isinstance(trainer, Folded)
boxes = np.zeros((2, 48, 5), "float32")
boxes[:, 0] = [20, 10, 50, 45, 1]
before = {v.path: np.array(v.numpy()) for v in model.variables}
losses = [float(trainer.train_on_batch(pictures, boxes)) for _ in range(30)]
moved = {v.path for v in model.variables if not np.array_equal(before[v.path], v.numpy())}
assert losses[-1] < losses[0], losses
assert not moved & {"stem/kernel", "unit_4a_mix/kernel", "unit_4d_look/bias"}, moved
assert moved >= {"unit_8a_mix/kernel", "block_8_back/bias", "neck_8_look/kernel", "score_32_last/kernel"}, moved
print("learns")
""")


def test_a_layer_that_it_does_not_know_is_refused_by_name() -> None:
    assert "odd: a Softmax" in child("""
try:
    Folded(keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Softmax(name="odd")]))
except ValueError as error:
    print(error)
""")
