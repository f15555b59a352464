"""Which devices of a machine share a training, where Keras computes with JAX; a stand-in for JAX says what there is."""

import contextlib

import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

import keras

from train.fitting import loop


@pytest.fixture
def jax(monkeypatch):
    """What this machine has, such as ["cpu:0"]; asked for a kind that it has not, it raises, as JAX does."""
    there, shared = [], []

    def listed(kind=None):
        found = [name for name in there if name.startswith(kind or there[0].partition(":")[0])]
        if not found:
            raise RuntimeError(f"Unknown backend: '{kind}' requested, but no platforms that are instances of it")
        return found

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(keras.distribution, "list_devices", listed)
    monkeypatch.setattr(keras.distribution, "DataParallel", lambda devices: devices)
    monkeypatch.setattr(keras.distribution, "set_distribution", shared.append)
    return there, shared


@pytest.mark.parametrize(
    ("machine", "used"),
    [
        (["cpu:0"], []),
        (["cpu:0", "cpu:1"], []),
        (["gpu:0", "cpu:0"], []),
        (["gpu:0", "gpu:1", "cpu:0"], [["gpu:0", "gpu:1"]]),
    ],
)
def test_several_gpus_share_a_batch_and_a_machine_without_trains_all_the_same(machine, used, jax):
    there, shared = jax
    there += machine
    with loop.strategy_scope() as scope:
        assert scope is None
    assert shared == used
    assert isinstance(loop.strategy_scope(), contextlib.nullcontext)
