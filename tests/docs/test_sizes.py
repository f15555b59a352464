"""A file is read in one sitting."""

import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEDIAN, LONGEST = 150, 400


@pytest.mark.parametrize("package", ["edge", "train", "convert"])
def test_no_module_is_longer_than_one_sitting(package):
    lines = {path: len(path.read_text().splitlines()) for path in (ROOT / package).rglob("*.py")}
    assert {str(path): n for path, n in lines.items() if n > LONGEST} == {}
    assert statistics.median(lines.values()) <= MEDIAN
