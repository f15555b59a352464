"""The picture of a bundle's limits: each case is framed by whether what was said of it is right."""

import cv2
import numpy as np
import pytest

pytest.importorskip("skimage", reason="the demo's face needs the extra 'demo'")


class Says:
    """A detector that finds the face of every case, or none, and gives all the same label."""

    operating = 0.5

    def __init__(self, label, seen=True):
        from convert.bundle import limits

        self.faces = iter([face for _, _, _, face in limits.cases()])
        self.label, self.seen = label, seen

    def rows(self, image):
        face = next(self.faces)
        score = 0.9 if self.seen else 0.4
        return np.array([[face.x0, face.y0, face.x1, face.y1, score, self.label]])


def frames(path):
    """Which tiles are framed green, row by row."""
    from convert.bundle.limits import TILE

    picture = cv2.imread(str(path)).astype(int)
    edge = picture[TILE // 2 :: TILE, 1::TILE]
    return (edge[..., 1] > edge[..., 2]).tolist()


@pytest.mark.parametrize("label", [0, 1, 2])
def test_green_is_where_the_label_is_right(tmp_path, label):
    from convert.bundle import limits

    limits.sheet(Says(label), tmp_path / "limits.png")
    green = frames(tmp_path / "limits.png")
    assert green[:8] == [[label == 1] * 5 if row % 2 else [label != 1] * 5 for row in range(8)]
    assert green[8] == [(share < 0.2) == (label == 1) for share in limits.LOWERED], "a mask below the nose is none"


def test_a_face_below_the_operating_point_is_not_found(tmp_path):
    from convert.bundle import limits

    limits.sheet(Says(1, seen=False), tmp_path / "limits.png")
    assert not np.any(frames(tmp_path / "limits.png"))


def test_the_cases_show_the_face_where_they_say():
    """The face is darker, smaller or turned, never elsewhere: its box stays inside the picture."""
    from convert.bundle import limits

    for title, _, image, face in limits.cases():
        height, width = image.shape[:2]
        assert face.clipped(width, height).area > 0.95 * face.area, title
