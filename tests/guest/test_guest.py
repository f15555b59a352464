"""Cameras, pins and the unit's limits under a Linux of its own: each file of `inside` runs in the emulated machine."""

import pytest

PYTEST = "cd /opt/tests; GUEST=1 /opt/maskcam/bin/python -m pytest -p no:cacheprovider -rA --color=no --durations=0"


@pytest.mark.parametrize("name", ["cameras", "pins", "unit", "pi"])
def test_in_the_guest(console, name):
    said = console.run(f"{PYTEST} test_{name}.py 2>&1; echo exit code $?", timeout=2400)
    print(f"\n{said}")
    assert said.endswith("exit code 0")
