"""A training that is killed, wherever, and started again ends as one that was not."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import errno
import json

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

import keras

from edge.core.errors import ConfigError, DataError
from train.classifier import batches, network, training
from train.config import Augmentation, ClassifierConfig, DetectorConfig, Phase
from train.data.dataset import Patch, Sample
from train.fitting import checkpoint, loop

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

HEAD, TUNE = 2, 2


class Killed(BaseException):
    """As a SIGKILL, nothing in the training catches it."""


def tiny(config):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, 2, activation="relu", name="low")(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="high")(x)
    x = keras.layers.Dropout(0.5, seed=config.seed)(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(2, "softmax", name=network.LAST)(x))


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "build", tiny)
        compiled = keras.Model.compile  # compiling the graph would take longer than these few steps
        patch.setattr(keras.Model, "compile", lambda self, *a, **k: compiled(self, *a, **k, run_eagerly=True))
        yield


def settings():
    return ClassifierConfig.model_construct(
        **{
            **{k: f.default for k, f in ClassifierConfig.model_fields.items() if not f.is_required()},
            "size": 8,
            "batch": 4,
            "per_epoch": 8,
            "unfreeze_after": "low",
            "head": Phase(epochs=HEAD, learning_rate=1e-2, ema=0.9),
            "tune": Phase(epochs=TUNE, learning_rate=1e-2, weight_decay=1e-3, ema=0.5),
            "augmentation": Augmentation(far=0, covered=0, drawn=0, photometric=0),
        }
    )


def faces():
    rng = np.random.default_rng(0)
    return [
        Patch(
            Sample(None, batches.Box(4, 4, 12, 12), ("with_mask", "without_mask")[k % 2], "s"),
            (rng.integers(0, 100, (16, 16, 3)) + 100 * (k % 2)).astype(np.uint8),
            batches.Box(4, 4, 12, 12),
            8.0,
        )
        for k in range(8)
    ]


def trained(folder):
    keras.backend.clear_session()
    model, history = training.train(settings(), faces(), faces(), folder)
    return [np.array(w) for w in model.get_weights()], history


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    weights, history = trained(tmp_path_factory.mktemp("unbroken"))
    assert len(history) == HEAD + TUNE
    assert all(np.abs(w).max() > 0 for w in weights[::2])
    return weights, history


def same(run, unbroken):
    weights, history = run
    assert [row["epoch"] for row in history] == list(range(HEAD + TUNE))
    assert history == unbroken[1]
    for ours, theirs in zip(weights, unbroken[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def dies(monkeypatch, owner, name, at, after=False):
    """The `at`-th call of a function of the training kills it, before or after its work."""
    plain, calls = getattr(owner, name), []

    def deadly(*args, **named):
        calls.append(0)
        if len(calls) == at and not after:
            raise Killed
        result = plain(*args, **named)
        if len(calls) == at:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, deadly)


EPOCHS = range(1, HEAD + TUNE + 1)
POINTS = [
    *(pytest.param(loop.TakeState, "on_epoch_end", n, False, id=f"epoch {n} is not written") for n in EPOCHS),
    *(pytest.param(os, "replace", 2 * n - 1, False, id=f"epoch {n} is half written") for n in (1, HEAD, HEAD + 1)),
    pytest.param(checkpoint, "write", HEAD, True, id=f"epoch {HEAD} is written, its history not"),  # each: see below
    *(pytest.param(loop, "fit", n, True, id=f"phase {n} has ended") for n in (1, 2)),
]


@pytest.mark.parametrize(("owner", "name", "at", "after"), POINTS)
def test_a_killed_training_ends_as_an_unbroken_one(owner, name, at, after, unbroken, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        dies(patch, owner, name, at, after)
        with pytest.raises(Killed):
            trained(tmp_path)
    same(trained(tmp_path), unbroken)


def test_one_that_is_killed_in_every_epoch_does_too(unbroken, tmp_path):
    for _ in EPOCHS:
        with pytest.MonkeyPatch.context() as patch:
            dies(patch, checkpoint, "write", 1, after=True)
            with pytest.raises(Killed):
                trained(tmp_path)
    same(trained(tmp_path), unbroken)


def test_a_full_disk_costs_an_epoch_and_nothing_else(unbroken, tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        dies(patch, checkpoint, "write", 1, after=True)
        with pytest.raises(Killed):
            trained(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"checkpoint.npz: cannot be written: No space left.*goes on after epoch 1"):
            trained(tmp_path)
    assert [p.name for p in (tmp_path / "head").glob(".*.part*")] == []
    same(trained(tmp_path), unbroken)


def test_a_damaged_checkpoint_is_named(unbroken, tmp_path):
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / checkpoint.NAME).write_bytes(b"PK\x03\x04 not much of it")
    with pytest.raises(DataError, match=r"checkpoint.npz: damaged .*delete it"):
        trained(tmp_path)


def test_a_start_that_fails_claims_nothing(tmp_path, monkeypatch):
    def without_weights(config):
        raise DataError("nope.h5: no such weights file")

    monkeypatch.setattr(network, "build", without_weights)
    claimed = []
    with pytest.raises(DataError):
        training.train(settings(), faces(), faces(), tmp_path, lambda: claimed.append(1))
    assert claimed == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_before_a_setting_existed_is_still_its_own(tmp_path):
    settings = {"config": DetectorConfig().model_dump()}
    older = {"config": {k: v for k, v in settings["config"].items() if k != "averaged"}}
    (tmp_path / "settings.json").write_text(json.dumps(older))
    loop.check(tmp_path, settings, DetectorConfig)
    with pytest.raises(ConfigError, match="other settings"):
        loop.check(tmp_path, {"config": DetectorConfig(averaged=0.5).model_dump()}, DetectorConfig)
