from pathlib import Path

import numpy as np
import pytest

from edge.evaluation.coco import Annotated
from edge.evaluation.scoring import Scorer, average_precision


def truth(*faces):
    """Each face: x0, y0, x1, y1, category, ignored."""
    table = np.array(faces, float).reshape(-1, 6)
    return Annotated(Path("p.jpg"), table[:, :4], table[:, 4].astype(int), table[:, 5] > 0, "s")


MASKED, BARE, INCORRECT = (0, 0, 20, 20, 1, 0), (50, 0, 70, 20, 2, 0), (100, 0, 120, 20, 3, 0)


def row(face, score, label):
    return [*face[:4], score, label]


def test_perfect_answers_score_one():
    scorer = Scorer()
    scorer.add(truth(MASKED, BARE), np.array([row(MASKED, 0.9, 1), row(BARE, 0.8, 0)]))
    result = scorer.result()
    for key in ("face_ap", "recall_masked", "recall_bare", "ap_with_mask", "ap_without_mask", "label_accuracy"):
        assert result[key] == 1.0
    assert result["false_per_image"] == 0


def test_average_precision_by_hand():
    # best first: hit, miss, hit; two of three faces found: 1/3 * 1 + 1/3 * 2/3
    value = average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 3)
    assert value == pytest.approx(1 / 3 + 2 / 9)


def test_second_row_on_a_face_is_a_false_alarm():
    scorer = Scorer()
    scorer.add(truth(MASKED), np.array([row(MASKED, 0.9, 1), row((1, 1, 21, 21), 0.8, 1)]))
    assert scorer.result()["false_per_image"] == 1


def test_ignored_and_tiny_faces_count_neither_way():
    ignored, tiny = (0, 0, 20, 20, 4, 1), (50, 0, 58, 8, 2, 0)
    scorer = Scorer()
    scorer.add(truth(ignored, tiny, (*BARE[:4], 2, 0)), np.array([row(ignored, 0.9, 1), row(tiny, 0.9, 0)]))
    result = scorer.result()
    assert result["false_per_image"] == 0
    assert scorer.faces == 1
    assert result["recall_bare"] == 0


def test_operating_point_decides_on_recall_but_not_on_ap():
    scorer = Scorer(operating=0.5)
    scorer.add(truth(BARE), np.array([row(BARE, 0.4, 0)]))
    assert scorer.result()["recall_bare"] == 0
    assert scorer.result()["face_ap"] == 1.0


def test_errors_of_each_kind_are_told_apart():
    scorer = Scorer()
    scorer.add(
        truth(MASKED, BARE, INCORRECT), np.array([row(MASKED, 0.9, 0), row(BARE, 0.9, 0), row(INCORRECT, 0.9, 0)])
    )
    result = scorer.result()
    assert result["masked_called_bare"] == 1.0
    assert result["bare_called_masked"] == 0.0
    assert result["label_accuracy"] == 0.5
    assert result["incorrectly_worn_alarmed"] == 1.0
    assert np.isnan(result["incorrectly_worn_named"]), "two labels cannot tell"


def test_a_mask_worn_wrongly_is_a_label_of_its_own_and_counts_as_bare_where_two_are_compared():
    scorer = Scorer()
    other = (150, 0, 170, 20, 3, 0)
    rows = [row(MASKED, 0.9, 2), row(BARE, 0.9, 2), row(INCORRECT, 0.9, 2), row(other, 0.9, 1)]
    scorer.add(truth(MASKED, BARE, INCORRECT, other, (200, 0, 220, 20, 3, 0)), np.array(rows))
    result = scorer.result()
    assert result["recall_incorrectly_worn"] == pytest.approx(2 / 3)
    assert result["incorrectly_worn_alarmed"] == result["incorrectly_worn_named"] == 0.5
    assert result["masked_called_incorrectly_worn"] == result["masked_called_bare"] == 1.0
    assert result["bare_called_masked"] == 0.0
    assert result["ap_without_mask"] > 0


def test_unsaid_labels_give_no_label_figures():
    scorer = Scorer()
    scorer.add(truth(MASKED), np.array([row(MASKED, 0.9, -1)]))
    assert np.isnan(scorer.result()["label_accuracy"])


def test_picture_without_faces_counts_its_false_alarms():
    scorer = Scorer()
    scorer.add(truth(), np.array([row(MASKED, 0.9, 1)]))
    scorer.add(truth(), np.zeros((0, 6)))
    assert scorer.result()["false_per_image"] == 0.5


def test_agrees_with_the_coco_authors_on_random_answers():
    """One class, one threshold: our all-point AP is within COCO's 101-point interpolation error of theirs."""
    mask = pytest.importorskip("pycocotools.cocoeval", reason="pycocotools comes with the extra 'train'")
    import contextlib
    import io

    from pycocotools.coco import COCO

    rng, scorer = np.random.default_rng(3), Scorer(threshold=0.5)
    images, annotations, results = [], [], []
    for n in range(1, 60):
        faces = [(x, y, x + 30, y + 30, 2, 0) for x, y in rng.uniform(0, 300, (rng.integers(0, 5), 2))]
        rows = [[*(np.array(f[:4]) + rng.normal(0, 5, 4)), rng.random(), 0] for f in faces if rng.random() < 0.8]
        rows += [[x, y, x + 30, y + 30, rng.random() * 0.7, 0] for x, y in rng.uniform(0, 300, (2, 2))]
        scorer.add(truth(*faces), np.array(rows))
        images.append({"id": n, "width": 400, "height": 400})
        for f in faces:
            box = [f[0], f[1], 30.0, 30.0]
            more = {"id": len(annotations) + 1, "image_id": n, "category_id": 1, "iscrowd": 0, "area": 900}
            annotations.append({"bbox": box, **more})
        for r in rows:
            box = [r[0], r[1], r[2] - r[0], r[3] - r[1]]
            results.append({"image_id": n, "category_id": 1, "bbox": box, "score": r[4]})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "f"}],
        }
        coco.createIndex()
        evaluation = mask.COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.evaluate()
        evaluation.accumulate()
    theirs = float(evaluation.eval["precision"][0, :, 0, 0, -1].mean())
    assert scorer.result()["face_ap"] == pytest.approx(theirs, abs=0.01)
