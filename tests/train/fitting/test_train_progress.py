"""What a training leaves on the terminal when it is ended in the middle of an epoch."""

import io
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

import keras

from edge.core import progress
from train.fitting import loop

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Batches(keras.utils.PyDataset):
    epoch = 0

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return np.ones((2, 3), np.float32), np.ones((2, 1), np.float32)


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 3:
            raise KeyboardInterrupt


def test_the_line_of_a_training_that_is_stopped_is_taken_away(tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "TERMINAL", 0.0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(KeyboardInterrupt):
        loop.fit(model, Batches(), tmp_path / "run", 2, callbacks=[Interrupt()])
    shown = terminal.getvalue()
    assert "training: 3 of 12 batches, epoch 1 of 2, about " in shown
    assert shown.endswith("\r")
    assert not shown.rstrip("\r").rpartition("\r")[2].strip(), "the error that follows stands on a line of its own"
