"""The margin that a classifier is measured with is the one that it was trained with."""

import json

import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

from edge.core.errors import DataError
from train.config import ClassifierConfig
from train.evaluate import margin_of


def test_the_margin_is_that_of_the_report_beside_the_model(tmp_path, capsys):
    (tmp_path / "report.json").write_text(json.dumps({"config": {"margin": 0.06}}))
    assert margin_of(tmp_path / "classifier.keras") == 0.06
    assert not capsys.readouterr().err


def test_without_a_report_it_is_the_default_and_that_is_said(tmp_path, capsys):
    default = ClassifierConfig.model_fields["margin"].default
    assert margin_of(tmp_path / "classifier.keras") == default
    assert f"no such file, so the margin is taken to be the default, {default}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"config": {}}', '{"config": {"margin": "wide"}}'])
def test_a_report_that_says_no_margin_is_named(text, tmp_path):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(DataError, match=r"report\.json: says no config\.margin"):
        margin_of(tmp_path / "classifier.keras")
