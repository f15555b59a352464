"""One of the machines that `test_train_workers.py` plays; TF_CONFIG says which.

classifier FOLDER [EPOCH]: trains the tiny network of the resume tests; EPOCH: the last worker kills itself within it.
detector FOLDER: a tiny detector, by the command's own function.
Each leaves what it became in FOLDER.NUMBER.npz.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np

from train.fitting import workers

HERE = Path(__file__).parent


def classifier(folder, dies_in=None):
    sys.path.insert(0, str(HERE))
    from test_train_resume import faces, settings, tiny

    from train.classifier import batches, network, training

    network.build = tiny
    made = batches.Augmented.__getitem__

    def deadly(self, index):
        if self.epoch == dies_in and index == 1 and workers.place().number and self.share.count > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return made(self, index)

    batches.Augmented.__getitem__ = deadly
    model, history = training.train(settings(), faces(), faces(), folder)
    return model.get_weights(), [row["loss"] for row in history]


def detector(folder):
    sys.path.insert(0, str(HERE.parent / "detector"))
    from test_train_detector import CONFIG
    from test_train_detector import faces as scenes

    from tests.train import small
    from train.detector import network, training

    network.build = small.build
    place = workers.place()
    own = folder.parent / f"of-{place.number}"
    data = scenes(own / "data")
    (own / "c.toml").write_text(CONFIG.format(epochs=2) + "[[stage]]\n[[stage]]\nlearning_rate = 0.001\n")
    training.run(own / "c.toml", [data], data, folder)
    return [], []


def main(kind, folder, *epoch):
    workers.begin()
    folder = Path(folder)
    weights, losses = {"classifier": classifier, "detector": detector}[kind](folder, *map(int, epoch))
    np.savez(f"{folder}.{workers.place().number}.npz", *weights, losses=np.array(losses))


if __name__ == "__main__":
    parts = sys.argv[1:]
    while parts:  # several trainings, one after the other: most of a test's time is TensorFlow's start
        end = parts.index("then") if "then" in parts else len(parts)
        main(*parts[:end])
        parts = parts[end + 1 :]
