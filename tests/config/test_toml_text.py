"""What people write in place of TOML, and what they are told."""

from __future__ import annotations

import pytest

from edge.config import toml_text
from edge.core.errors import ConfigError
from edge.web import texts

POINT = "expected a digit before and after the point, as in 0.5"
QUOTES = 'expected a text in quotes, as in name = "door"'
KEY = "expected key = value"
ENDS = "expected a text that ends with the quote that it begins with, and nothing after it"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("x = .35", POINT),
        ("x = -5.", POINT),
        ("x = [.1, 2.0]", POINT),
        ("x = [\n  .5,\n]", POINT),
        ("x = 0,5", "expected a point in a number, as in 0.5"),
        ("x = 1,2,3", "expected brackets around a list, as in [1, 2]"),
        ("x = 2 s", "expected a number without a unit, or a text in quotes"),
        ("x = 640px  # wide", "expected a number without a unit, or a text in quotes"),
        ("x = 0640", "expected a number that does not begin with 0, or a text in quotes"),
        ("x = True", "expected true, in small letters"),
        ("x = Off", "expected false, in small letters"),
        ("x = none", "expected a value; without the line, the default holds"),
        ("x =", "expected a value after ="),
        ("x = 1;", "expected no ; after the value"),
        ("x: 2", KEY),
        ("x 2", KEY),
        ("x := 2", KEY),
        ("x == 2", KEY),
        ("front door = 2", KEY),
        ("<html>", KEY),
        ("x = “door”", 'expected straight quotes, as in name = "door"'),
        ("x = front door", QUOTES),
        ("x = 1/2", QUOTES),
        (r"x = C:\door", QUOTES),
        (r'x = "C:\door"', r"expected single quotes around a text with a backslash, as in 'C:\door'"),
        ('x = "door', ENDS),
        ("x = 'it's'", ENDS),
        ("[camera", "expected a closing ], as in [camera]"),
        ("[camera\nx = 1", "expected a closing ], as in [camera]"),
    ],
)
def test_a_habit_is_told_what_to_write(text, remedy):
    for before in ("", "[alerts]\ncooldown = 3\n"):
        with pytest.raises(ValueError, match=r"line|end of document") as raised:
            toml_text.loads(before + text)
        assert str(raised.value).endswith(f"): {remedy}")


@pytest.mark.parametrize("text", ["x = true\nx = true", "[a]\n[a]", "x = [1, 2", f"x = {'y' * 1000}"])
def test_what_no_habit_explains_gets_the_parsers_words_alone(text):
    with pytest.raises(ValueError, match=r"line|end of document") as raised:
        toml_text.loads(text)
    assert "expected" not in str(raised.value)


def test_no_value_is_shown():
    with pytest.raises(ValueError, match="line 1") as raised:
        toml_text.loads("password = s3cret word")
    assert "s3cret" not in str(raised.value)


def test_every_file_that_is_edited_says_it(tmp_path):
    own = tmp_path / "sign.toml"
    own.write_text("[en]\nplease = Please wear a mask\n")
    with pytest.raises(ConfigError, match=r"web.sign_texts: .*expected a text in quotes"):
        texts.load(str(own))
