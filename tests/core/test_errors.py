"""What errors keep, and the remedies they name."""

import re
from pathlib import Path

import pytest

from edge.core.errors import REQUIREMENTS, CameraError, MissingPackage, bare

PROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")


def test_a_bare_error_holds_no_frames_nor_do_its_causes():
    def caused():
        try:
            raise OSError("the cause")
        except OSError as cause:
            raise CameraError("lost") from cause

    with pytest.raises(CameraError) as caught:
        caused()
    error = bare(caught.value)
    assert error.__traceback__ is None
    assert error.__cause__.__traceback__ is None
    assert str(error.__cause__) == "the cause"


@pytest.mark.parametrize(
    "wanted", [part for wanted in REQUIREMENTS.values() for part in re.findall(r"'([^']+)'", wanted)]
)
def test_what_hints_ask_for_is_what_the_extras_ask_for(wanted):
    assert re.search(rf'"{re.escape(wanted)}["; ]', PROJECT)


def test_no_hint_names_an_index_that_does_not_have_maskcam():
    for package, extra in (("cv2", "cpu"), ("gpiod", "jetson"), ("pyfatfs", "flash"), ("?", "train")):
        assert "install 'maskcam[" not in str(MissingPackage(package, extra))
    for path in (Path(__file__).parents[2] / "edge").rglob("*.py"):
        assert "install 'maskcam[" not in path.read_text(encoding="utf-8"), path
