"""Labels in a crowd: over no face, over no other label, inside the picture."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.geometry import Box
from edge.vision.placement import place

WIDTH, HEIGHT = 640, 460
TEXTS = [(120, 18), (24, 18)]

faces = st.lists(
    st.builds(
        lambda x, y, side: Box(x, y, x + side, y + 1.2 * side),
        st.floats(-20, WIDTH),
        st.floats(-20, HEIGHT),
        st.floats(5, 300),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(faces)
def test_no_label_covers_a_face_or_another_label(faces):
    found = place(faces, [TEXTS] * len(faces), WIDTH, HEIGHT)
    spots = [spot for one in found if one for spot in [one[1]]]
    for i, spot in enumerate(spots):
        assert spot.x0 >= 0
        assert spot.y0 >= 0
        assert spot.x1 <= WIDTH
        assert spot.y1 <= HEIGHT
        for other in [*faces, *spots[:i]]:
            across = min(spot.x1, other.x1) - max(spot.x0, other.x0)
            down = min(spot.y1, other.y1) - max(spot.y0, other.y0)
            assert min(across, down) <= 1, "no more than a line of pixels"


def test_a_face_alone_has_its_label_above_and_at_the_top_below():
    face = Box(100, 80, 160, 150)
    assert place([face], [TEXTS], WIDTH, HEIGHT) == [(0, Box(100, 62, 220, 80))]
    assert place([face.moved(0, -80)], [TEXTS], WIDTH, HEIGHT) == [(0, Box(100, 70, 220, 88))]


def test_where_all_words_do_not_fit_the_number_does():
    row = [Box(40 * i, 200, 40 * i + 36, 245) for i in range(16)]
    found = place(row, [TEXTS] * 16, WIDTH, HEIGHT)
    assert all(found)
    assert {one[0] for one in found} == {0, 1}


def test_the_nearest_face_chooses_first():
    small, large = Box(100, 100, 130, 130), Box(100, 150, 300, 400)
    assert place([small, large], [[(200, 18)]] * 2, 330, 420)[1] is not None


def test_a_crowd_of_fifty_takes_no_time_to_speak_of():
    rng = np.random.default_rng(0)
    crowd = [Box(x, y, x + 30, y + 36) for x, y in rng.uniform(0, 600, (50, 2))]
    assert len(place(crowd, [TEXTS] * 50, WIDTH, HEIGHT)) == 50
