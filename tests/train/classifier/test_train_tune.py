"""Tuning for one door: the bundle's labels stay, nothing else is forgotten, and both are measured."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")
pytest.importorskip("onnx", reason="needs the extra 'train'")

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.labels import CLASSIFIER_LABELS
from edge.vision import bundle
from train.augmentation import drawn_faces
from train.classifier import memory, training, tune
from train.classifier.batches import Augmented
from train.config import ClassifierConfig, load
from train.data.dataset import Patch, Sample
from train.fitting import paired

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def test_near_duplicates_count_as_one_in_the_interval():
    rng = np.random.default_rng(0)
    old, gained = rng.random(60) < 0.1, np.repeat([True, False, True, False, True, False], 10)
    apart = paired.compare(old | gained, old, [str(k) for k in range(60)])
    together = paired.compare(old | gained, old, [str(k // 10) for k in range(60)])
    assert apart.new - apart.old == pytest.approx(together.new - together.old)
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
    same = paired.compare(old, old, [str(k) for k in range(60)])
    assert (same.low, same.high, same.surely_better, same.surely_worse) == (0, 0, False, False)
    assert "surely better), 60 faces in 60 groups" in paired.text("door", apart, 60, 60)
    with pytest.raises(ValueError, match="expected as many"):
        paired.compare(old, old[1:], ["a"] * 60)


def config(labels=4, **changes):
    values = {"balance": [1 / labels] * labels, "size": 48, "batch": 8, "per_epoch": 16}
    return load(Path("door"), ClassifierConfig).model_copy(update=values | changes)


def patch(rng, label):
    drawn = drawn_faces.draw(rng)
    return Patch(Sample(Path("x.jpg"), drawn.box, label, "door"), drawn.image, drawn.box, drawn.side)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_bundle_s_labels_stay_whatever_the_door_shows(monkeypatch, count):
    labels = CLASSIFIER_LABELS[:count]
    monkeypatch.setattr(tune.bundle, "load", lambda start: SimpleNamespace(classifier=SimpleNamespace(labels=labels)))
    monkeypatch.setattr(training, "settings", lambda *args: load(Path("door"), ClassifierConfig))
    found = tune.settings(Path("door"), bundle.shipped())
    assert found.labels == labels
    rng = np.random.default_rng(0)
    door = [patch(rng, label) for label in ("with_mask", "without_mask") for _ in range(3)]
    shares = tune.shares(found, door)
    assert shares == [0.5, 0.5, 0.0, 0.0][:count]
    batches = Augmented(door, config(count, balance=shares))
    crops, truths = memory.drawn(batches.config, 12, 1)
    assert truths.tolist() == [k % count for k in range(12)]
    answers = np.full((12, count), 1 / count, np.float32)
    faces, wanted = memory.WithMemory(batches, crops, answers)[0]
    assert (faces.shape, wanted.shape) == ((16, 48, 48, 3), (16, count))
    assert wanted[:8, :2].sum() == 8, "of the door only what it shows"
    assert (wanted[8:] == 1 / count).all(), "beside it what the network said before"


def test_labels_in_another_order_are_refused(monkeypatch):
    odd = SimpleNamespace(classifier=SimpleNamespace(labels=("without_mask", "with_mask")))
    monkeypatch.setattr(tune.bundle, "load", lambda start: odd)
    monkeypatch.setattr(training, "settings", lambda *args: config(2))
    with pytest.raises(DataError, match="its labels are without_mask, with_mask; expected with_mask, without_mask"):
        tune.settings(Path("door"), bundle.shipped())


def test_what_is_shown_and_what_is_checked_are_other_drawings_and_always_the_same_ones():
    one, two = config(seed=1), config(seed=2)
    assert np.array_equal(memory.drawn(one, 4, 1)[0], memory.drawn(one, 8, 1)[0][:4])
    assert not np.array_equal(memory.drawn(one, 4, 1)[0], memory.drawn(one, 4, 2)[0])
    assert two.seed != one.seed


@dataclass
class Moved:
    """A model of one number: how far it has gone from what it was."""

    share: float = 1.0

    def get_weights(self):
        return [np.array([self.share], np.float32)]

    def set_weights(self, weights):
        self.share = float(weights[0][0])


class Faces(tune.Check):
    """Of 100 faces `at(share)` are right."""

    def __init__(self, name, at):
        super().__init__(name, np.zeros((100, 1, 1, 3), np.uint8), np.zeros(100, int), [str(k) for k in range(100)])
        object.__setattr__(self, "at", at)

    def right(self, model):
        return np.arange(100) < self.at(model.share)


def keep(door, world):
    model, before = Moved(), [np.zeros(1, np.float32)]
    checks = [Faces("door", door), Faces("world", world)]
    old = [check.right(Moved(0.0)) for check in checks]
    share, compared = tune.kept(model, before, old, checks[0], checks[1:])
    assert model.share == pytest.approx(share)
    return share, compared


def test_as_much_of_the_change_is_kept_as_the_check_allows():
    share, compared = keep(lambda s: 50 + 40 * s, lambda s: 95)
    assert share == 1.0
    assert (compared["door"]["before"], compared["door"]["after"]) == (0.5, 0.9)
    share, compared = keep(lambda s: 50 + 40 * s, lambda s: 95 - 60 * max(s - 0.45, 0))
    assert share == 0.5
    assert compared["world"]["after"] >= 0.9


def test_what_forgets_the_world_or_does_the_door_no_good_is_not_kept(capsys):
    with pytest.raises(DataError, match="even 20% of the change forgets world: nothing is kept"):
        keep(lambda s: 50 + 40 * s, lambda s: 95 - 90 * s)
    with pytest.raises(DataError, match="is surely worse at the door itself"):
        keep(lambda s: 90 - 80 * s, lambda s: 95)


def test_too_few_people_are_refused_with_what_is_wanted():
    rng = np.random.default_rng(0)
    faces = [patch(rng, "with_mask") for _ in range(40)]
    alike = [
        Patch(Sample(p.sample.path, p.sample.box, "with_mask", "door", "one"), p.image, p.box, p.side) for p in faces
    ]
    with pytest.raises(DataError, match="40 faces to tune on, in 1 groups of near-duplicates; expected 8 or more in 4"):
        tune.parts(config(), alike)
    with pytest.raises(DataError, match="no such folder; expected a bundle"):
        tune.settings(Path("door"), Path("nowhere"))


def test_a_drawn_head_is_where_its_box_says():
    rng = np.random.default_rng(3)
    image = np.full((300, 300, 3), 90, np.uint8)
    box = drawn_faces.head(image, 140, 150, 100, rng)
    assert box.centre == pytest.approx((140, 150))
    assert box.height == pytest.approx(100)
    changed = np.abs(image.astype(int) - 90).max(2) > 25
    inside = changed[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)].mean()
    assert inside > 0.6
    assert not changed[:40].any()
    assert isinstance(box, Box)
