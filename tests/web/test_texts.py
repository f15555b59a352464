"""The door sign's texts of one's own."""

import pytest

from edge.core.errors import ConfigError
from edge.web import texts


@pytest.mark.parametrize("content", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a =", b"\xff\xfe"])
def test_a_damaged_file_is_one_line(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=r"^web.sign_texts: .*mine.toml: not TOML: ") as raised:
        texts.load(str(path))
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read"):
        texts.load(str(tmp_path / "gone.toml"))
