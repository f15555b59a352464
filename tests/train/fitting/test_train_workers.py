"""Several machines train one network; here they are two processes of this one, really connected."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.core.errors import ConfigError

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

from train.fitting import checkpoint
from train.fitting.workers import ALONE, Place, place

WORKER = Path(__file__).with_name("one_worker.py")
REPOSITORY = Path(__file__).parents[3]
PAIR = pytest.mark.skipif(not os.environ.get("TEST_WORKERS"), reason="two processes, minutes: make test-workers")


def config(number, count=2, kind="worker"):
    cluster = {"worker": [f"10.0.0.{k}:2222" for k in range(count)]}
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": number}})


def test_who_a_worker_is():
    assert place("") == place(" ") == ALONE == Place(0, 1)
    assert [place(config(k)) for k in (0, 1)] == [Place(0, 2), Place(1, 2)]
    chief = json.loads(config(1))
    chief["cluster"]["chief"] = ["10.0.0.9:2222"]
    assert place(json.dumps(chief)) == Place(2, 3)
    assert place(json.dumps(chief | {"task": {"type": "chief", "index": 0}})) == Place(0, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{cut", "Expecting property name"),
        ("[]", "list indices"),
        ('{"cluster": {"worker": ["a:1"]}}', "no 'task'"),
        (config(2), "index 2 of 2 of type 'worker'"),
        (config(-1), "index -1 of 2"),
        (config(0, kind="ps"), "no 'ps'"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}', "'ps' is not for"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "no HOST:PORT"),
    ],
)
def test_a_wrong_tf_config_is_one_line(text, said):
    with pytest.raises(ConfigError) as caught:
        place(text)
    assert str(caught.value).startswith("TF_CONFIG: ")
    assert said in str(caught.value)
    assert '; expected {"cluster": {"worker": ["HOST:PORT", ...]}' in str(caught.value)


def test_each_worker_makes_its_own_share_of_a_batch():
    from train.classifier.batches import Augmented

    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from test_train_resume import faces, settings
    finally:
        sys.path.pop(0)
    batches = Augmented(faces(), settings())
    whole = batches[1]
    shares = []
    for number in range(2):
        batches.share = Place(number, 2)
        shares.append(batches[1])
        np.testing.assert_array_equal(shares[-1][0], batches[1][0])
    assert [len(part[0]) for part in (whole, *shares)] == [4, 2, 2]
    assert (shares[0][0] != shares[1][0]).any()
    batches.share = Place(0, 3)
    with pytest.raises(ConfigError, match="batch = 4: cannot be shared by 3 workers; expected a multiple of it"):
        batches[0]


def test_what_all_train_is_a_copy_of_the_model_whatever_its_loss(monkeypatch):
    import keras
    import tensorflow as tf

    from train.detector.loss import DetectionLoss
    from train.fitting import workers

    monkeypatch.setattr(workers, "strategy", tf.distribute.get_strategy)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    model.layers[1].trainable = False
    model.compile(keras.optimizers.AdamW(0.5, use_ema=True), DetectionLoss(64, 64))
    copy = workers.distributed(model, [])
    same(copy.get_weights(), model.get_weights())
    assert (copy.loss, len(copy.trainable_variables)) == (model.loss, 2)
    assert copy.optimizer.get_config() == model.optimizer.get_config()
    assert copy.trainable_variables[0] is not model.trainable_variables[0]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def together(folder, *command):
    """Runs `command` on two workers; what they said, and how they ended."""
    names = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for number in range(2):
        task = {"cluster": {"worker": names}, "task": {"type": "worker", "index": number}}
        environment = os.environ | {"TF_CONFIG": json.dumps(task), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": "."}
        with (folder / f"said-{number}").open("w") as said:
            line = [sys.executable, str(WORKER), *command]
            started.append(subprocess.Popen(line, cwd=REPOSITORY, env=environment, stdout=said, stderr=said))
    ended = [process.wait(900) for process in reversed(started)][::-1]
    return [(folder / f"said-{number}").read_text() for number in range(2)], ended


def became(path):
    """Weights, and the losses of the epochs, which the chief alone knows."""
    with np.load(path) as file:
        return [file[f"arr_{k}"] for k in range(len(file.files) - 1)], file["losses"].tolist()


def same(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@PAIR
def test_two_workers_train_one_network_and_go_on_when_one_was_killed(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    said, ended = together(tmp_path, "classifier", str(whole), "then", "classifier", str(broken), "1")
    assert ended[1] == -9, said[1][-2000:]
    assert ended[0] not in (0, None), "the chief does not go on alone"
    assert "another worker is gone; start all of them again" in said[0]
    (chief, losses), (other, _) = (became(tmp_path / f"whole.{k}.npz") for k in range(2))
    same(chief, other)
    assert len(losses) == 5
    assert not (tmp_path / "broken.0.npz").exists()
    assert (broken / "head" / checkpoint.NAME).exists()
    assert "epoch 3 of 3" in said[0]
    assert "epoch 1 of" not in said[1], "the chief alone speaks and writes"
    said, ended = together(tmp_path, "classifier", str(broken))
    assert ended == [0, 0], said
    assert "1 of 3 epochs are done" in said[0]
    again, lost = became(tmp_path / "broken.0.npz")
    same(again, chief)
    assert lost == losses


@PAIR
def test_two_workers_train_a_detector_in_stages(tmp_path):
    said, ended = together(tmp_path, "detector", str(tmp_path / "run"))
    assert ended == [0, 0], said
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert [set(row) >= {"loss", "AP"} for row in report["history"]] == [True, True]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        *("detector.keras", "history.png", "report.json", "stage-1", "stage-2"),
    ]
