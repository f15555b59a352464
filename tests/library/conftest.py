"""Pictures of people are not in the repository: the portrait of the synthetic camera is."""

import pytest


@pytest.fixture(scope="session")
def portrait():
    """(image (480, 640, 3) uint8 RGB with one bare face)"""
    import maskcam

    for seen in maskcam.watch("synthetic", settings={"camera.duration": 3.0}, live=False):
        if seen.tracks and seen.frame.t > 1:
            return seen.frame.image
    raise AssertionError("the synthetic camera showed no face")
