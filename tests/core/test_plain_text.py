"""Whatever a server, a file's name or a driver says, a log shows it and does nothing else."""

import pytest

from edge.core.plain_text import LONGEST, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("camera 'Tür' is lost", "camera 'Tür' is lost"),
        ("a\n\tb", "a\n\tb"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("over\rwritten \x07 \x00", r"over\rwritten \x07 \x00"),
        ("\x9b31m \u202egnp.exe \ud800", r"\x9b31m \u202egnp.exe \ud800"),
    ],
)
def test_nothing_moves_a_cursor(text, shown):
    assert plain(text) == shown
    assert plain(text).encode()


def test_a_line_has_an_end():
    said = plain("first\n" + "x" * 60000)
    assert said == f"first\n{'x' * LONGEST}... (60000 characters)"
