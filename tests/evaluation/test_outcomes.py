"""Two systems on the same pictures: what is chance, and what is not."""

from pathlib import Path

import numpy as np
import pytest

from edge.evaluation import outcomes
from edge.evaluation.annotated import WITH_MASK, WITHOUT_MASK, Annotated
from edge.evaluation.scoring import Scorer

BOX = [10.0, 10, 50, 50]


def truth(category, lone=False):
    return Annotated(Path("x"), np.array([BOX], "f4"), np.array([category]), np.array([False]), lone=lone)


def said(score=0.9, label=1, moved=0.0):
    return np.array([[BOX[0] + moved, *BOX[1:], score, label]])


def heard(answers, lone=False):
    """Outcomes over pictures that alternate masked and bare; `answers` are labels, None for nothing found."""
    result = outcomes.Outcomes(0.5)
    for k, label in enumerate(answers):
        rows = np.zeros((0, 6)) if label is None else said(0.6 + 0.3 * (k % 7) / 7, label)
        result.add(truth((WITH_MASK, WITHOUT_MASK)[k % 2], lone), rows)
    return result


def right(count):
    return [1 - k % 2 for k in range(count)]


def test_figures_are_those_of_the_scorer():
    rng, scorer, ours = np.random.default_rng(0), Scorer(0.5), outcomes.Outcomes(0.5)
    for k in range(60):
        t = truth((WITH_MASK, WITHOUT_MASK)[k % 2])
        rows = np.concatenate([said(rng.random(), rng.integers(2), rng.choice([0, 60])) for _ in range(3)])
        scorer.add(t, rows), ours.add(t, rows)
    assert ours.figures() == pytest.approx({k: scorer.result()[k] for k in outcomes.BETTER})


def test_the_same_answers_are_told_apart_by_nothing():
    for i in outcomes.compare(heard(right(40)), heard(right(40))):
        assert (i.low, i.high, i.surely_worse, i.surely_better) == (0, 0, False, False)


def test_one_picture_of_thirty_is_noise_and_a_third_of_them_is_not():
    one, third = right(30), right(30)
    one[4] = 1 - one[4]
    for k in range(10):
        third[k] = 1 - third[k]
    by_name = {
        n: {i.name: i for i in outcomes.compare(heard(a), heard(right(30)))} for n, a in (("1", one), ("3", third))
    }
    assert by_name["1"]["label_accuracy"].new == pytest.approx(29 / 30)
    assert not by_name["1"]["label_accuracy"].surely_worse
    assert by_name["3"]["label_accuracy"].surely_worse
    assert not by_name["3"]["face_ap"].surely_worse
    text = outcomes.table(list(by_name["3"].values()), "new", "old", 30)
    assert "surely worse" in text
    assert "Only 30 pictures: a difference of 3.3 points can be one picture." in text


def test_faces_that_are_no_longer_found_are_surely_worse():
    lost = [None if k % 3 == 0 else a for k, a in enumerate(right(60))]
    found = {i.name for i in outcomes.compare(heard(lost), heard(right(60))) if i.surely_worse}
    assert found == {"face_ap", "recall_masked", "recall_bare"}
    better = {i.name for i in outcomes.compare(heard(right(60)), heard(lost)) if i.surely_better}
    assert better == found


def test_pictures_of_one_visit_are_drawn_together_and_say_less():
    """Ten right answers about one person are one success, not ten."""
    lost = [None if 20 <= k < 30 else a for k, a in enumerate(right(60))]
    apart, together = (
        next(i for i in outcomes.compare(heard(lost), heard(right(60)), groups=groups) if i.name == "face_ap")
        for groups in ([], [str(k // 10) for k in range(60)])
    )
    assert (apart.new, apart.old) == (together.new, together.old)
    assert apart.surely_worse
    assert not together.surely_worse


def test_of_lone_faces_only_labels_are_compared():
    assert [i.name for i in outcomes.compare(heard(right(20), lone=True), heard(right(20), lone=True))] == [
        "label_accuracy"
    ]


def test_other_pictures_are_not_compared():
    with pytest.raises(ValueError, match="20 and 10 pictures"):
        outcomes.compare(heard(right(20)), heard(right(10)))
