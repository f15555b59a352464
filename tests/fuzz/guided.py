"""Guided by coverage: python tests/fuzz/guided.py TARGET CORPUS [libFuzzer's options] [more CORPUS folders]

atheris (Google, Apache-2.0) changes inputs that reach new lines, from the seeds of the tests on, which it puts into
CORPUS. `make test-fuzz` runs it for every target.
"""

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))
with atheris.instrument_imports(include=["edge"]):
    from tests.fuzz import targets
from tests.fuzz.seeds import NASTY, seeds


def main() -> None:
    name, corpus = sys.argv.pop(1), Path(sys.argv[1])
    for number, seed in enumerate([*seeds(name), *NASTY]):
        (corpus / f"seed-{number}").write_bytes(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "only"
        folder.mkdir()
        atheris.Setup(sys.argv, lambda data: targets.attempt(name, folder, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
