"""Every target of `tests.fuzz.targets`: its corpus, what once did harm, and damage to both.

TEST_FUZZ=N (`make test-fuzz`) tries N of each; then atheris goes on from the corpus, guided by coverage.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import targets
from tests.fuzz.seeds import NASTY, RIGHT, damaged, seeds

pytest.importorskip("ruamel.yaml", reason="needs the extra 'flash'")
pytest.importorskip("minisign", reason="needs the extra 'update'")

FEW = int(os.environ.get("TEST_FUZZ", "40"))

CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(NASTY), st.integers(0, 255)), max_size=4
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "only"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", targets.TARGETS)
def test_the_corpus(folder, name):
    for data in [*seeds(name), *NASTY, b""]:
        targets.attempt(name, folder, data)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_what_is_right_is_taken(folder, name):
    """Damage to what is refused at its first byte would prove little."""
    targets.attempt(name, folder, RIGHT[name]()[0], right=True)


@pytest.mark.parametrize("name", targets.TARGETS)
@settings(max_examples=FEW, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage(folder, name, data):
    seed = data.draw(st.sampled_from(seeds(name)))
    targets.attempt(name, folder, damaged(seed, data.draw(CHANGES)))
