"""JSON and YAML of others: one kind of error, whatever it is that is wrong."""

import json

import pytest

from edge.core import json_text, nesting


@pytest.mark.parametrize("text", ["", "{", "[" * 100000, "{" + '"a":{' * 50000, "9" * 5000, b"\xff", "nul", '"\\ud800'])
def test_what_is_no_json_is_one_kind_of_error(text):
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)) as caught:
        json_text.parse(text)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_json_is_read():
    assert json_text.parse('{"a": [1, NaN]}')["a"][0] == 1
    assert json_text.parse(b"[]") == []


@pytest.mark.parametrize("text", ["[" * 60, "{a: " * 60, "- " * 60, "? " * 60, "a: " + "[{" * 30])
def test_what_is_nested_too_deep_for_a_parser_of_yaml_is_told_without_one(text):
    assert nesting.too_deep(text)


@pytest.mark.parametrize("text", ["", "a: [1, 2]\n" * 500, "]" * 99 + "[" * 50, "- a\n- b\n" * 99, "- - [a, {b: c}]"])
def test_what_people_write_is_not(text):
    assert not nesting.too_deep(text)
