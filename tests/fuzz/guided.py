"""Guided by coverage: python tests/fuzz/guided.py TARGET [libFuzzer's options] [CORPUS ...]

atheris (Google, Apache-2.0) changes inputs that reach new lines. `make test-fuzz` runs it for every target.
"""

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))
with atheris.instrument_imports(include=["edge"]):
    from tests.fuzz import targets


def main() -> None:
    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "only"
        folder.mkdir()
        atheris.Setup(sys.argv, lambda data: targets.attempt(name, folder, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
