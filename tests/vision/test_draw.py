"""Overlays: the colours and places that a person looks for."""

from dataclasses import replace

import numpy as np
import pytest

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Decision, Frame, Observation, Track
from edge.vision.draw import COLOURS, GAP, annotate, contact_sheet

GREY = 128
FACE = Box(100, 80, 160, 150)


def observation(*states, size=(240, 320), box=FACE, t=12.0):
    image = np.full((*size, 3), GREY, np.uint8)
    tracks = [Track(i, box.moved(80 * i - 80, 0), 1.0, 5) for i, _ in enumerate(states, start=1)]
    decisions = [Decision(i, mask, 0.98, 1.0) for i, mask in enumerate(states, start=1) if mask]
    return Observation(Frame(0, t, image), tracks, decisions)


def has(image, colour):
    return (image == colour).all(-1)


@pytest.mark.parametrize("mask", Mask)
def test_the_box_lies_on_the_face_in_the_colour_of_its_decision(mask):
    seen = observation(mask)
    image = annotate(seen)
    assert (seen.frame.image == GREY).all(), "the frame itself is not touched"
    painted = has(image, COLOURS[mask.value])
    y, x = np.nonzero(painted[80:])
    assert (x.min(), x.max()) == pytest.approx((100, 160), abs=2)
    assert (y.min() + 80, y.max() + 80) == pytest.approx((80, 150), abs=2)
    assert painted[60:80].sum() > 200, "the label stands above the box"
    assert (image[90:140, 105:155] == GREY).all(), "the face stays visible"
    assert not any(has(image, COLOURS[other.value]).any() for other in Mask if other is not mask)


def test_each_track_has_its_own_colour_and_none_yet_means_unsure():
    image = annotate(observation(Mask.ON, Mask.OFF, None))
    columns = {mask: np.nonzero(has(image, COLOURS[mask.value])[85:150].any(0))[0].min() for mask in Mask}
    assert columns == pytest.approx({Mask.ON: 100, Mask.OFF: 180, Mask.UNSURE: 260}, abs=2)


def test_words_tell_the_states_apart_without_colour():
    labels = [annotate(observation(mask))[60:78, 100:200].max(-1) > 200 for mask in (Mask.ON, Mask.OFF)]
    assert (labels[0] != labels[1]).sum() > 20


def test_the_bar_shows_the_time_and_the_alert():
    calm, later = annotate(observation()), annotate(observation(t=13.0))
    alarm = annotate(observation(Mask.OFF), alert=True)
    rows = np.nonzero((calm != GREY).any((1, 2)))[0]
    assert rows.max() == 239
    assert 5 < len(rows) < 30
    assert calm[-1, -1].max() < 64
    assert (calm != later).any(), "the time is part of it"
    assert has(alarm, COLOURS["off"])[-1].all()


@pytest.mark.parametrize("states", [(), (Mask.ON,), (Mask.UNSURE,)])
def test_an_alert_that_lingers_is_not_said_of_those_who_are_there(states):
    """Nobody without a mask is to be seen: a red bar under a green box would say two things."""
    bar = annotate(observation(*states), alert=True)[-1]
    assert not has(bar, COLOURS["off"]).any()
    assert has(bar, COLOURS["unsure"]).any()
    assert (annotate(observation(*states), alert=True)[-20:] != annotate(observation(*states))[-20:]).any()


def test_a_face_too_small_to_judge_is_called_so():
    seen = observation(Mask.UNSURE)
    said = {min_face: annotate(replace(seen, min_face=min_face))[60:80] for min_face in (20.0, 200.0)}
    assert (said[20.0] != said[200.0]).any()
    off = observation(Mask.OFF)
    assert (annotate(replace(off, min_face=200.0)) == annotate(off)).all(), "a decision that was made stays"


def test_a_figure_that_would_be_misread_is_not_written():
    """A mask that has just come off is still "mask", with evidence against it."""
    seen, against = observation(Mask.ON), [Decision(1, Mask.ON, 0.3, 1.0)]
    less = [Decision(1, Mask.ON, 0.2, 1.0)]
    assert (annotate(replace(seen, decisions=against)) == annotate(replace(seen, decisions=less))).all()


def test_in_a_crowd_no_face_is_covered():
    rng = np.random.default_rng(1)
    image = np.full((480, 640, 3), GREY, np.uint8)
    boxes = [Box(x, y, x + 44, y + 52) for x in range(10, 580, 62) for y in (60, 150, 240, 330)]
    tracks = [Track(i, box, 1.0, 5) for i, box in enumerate(boxes)]
    decisions = [Decision(i, rng.choice(list(Mask)), 0.9, 1.0) for i in range(len(boxes))]
    drawn = annotate(Observation(Frame(0, 1.0, image), tracks, decisions))
    for box in boxes:
        assert (drawn[round(box.y0) + 3 : round(box.y1) - 3, round(box.x0) + 3 : round(box.x1) - 3] == GREY).all()


def test_a_face_that_fills_the_picture_is_told_in_the_bar():
    wide = Box(-5, -5, 400, 300)
    assert (annotate(observation(Mask.ON, box=wide))[-12:] != annotate(observation(Mask.OFF, box=wide))[-12:]).any()


@pytest.mark.parametrize(("a", "b"), [("on", "off"), ("on", "unsure"), ("off", "unsure")])
def test_colours_differ_in_lightness(a, b):
    """Relative luminance of WCAG 2: as grey they are told apart by anyone."""

    def luminance(colour):
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    lighter, darker = sorted((luminance(COLOURS[a]), luminance(COLOURS[b])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 1.5


def test_the_bar_says_that_nothing_can_be_judged():
    seen, blind = observation(), replace(observation(), blind="cannot judge, too dark")
    differs = (annotate(seen) != annotate(blind)).any(-1)
    assert differs[220:, 160:].any()
    assert not differs[:200].any()


@pytest.mark.parametrize("size", [(30, 40), (1080, 1920), (480, 360)])
@pytest.mark.parametrize("box", [Box(-50, -60, 20, 20), Box(5, 0, 5000, 4000), Box(300, 20, 420, 500)])
def test_any_picture_and_any_box_can_be_drawn(size, box):
    image = annotate(observation(Mask.OFF, size=size, box=box), alert=True)
    assert image.shape == (*size, 3)
    assert has(image, COLOURS["off"]).any()


def test_a_contact_sheet_is_a_grid_in_reading_order():
    images = [np.full((60, 80, 3), 60 + 40 * i, np.uint8) for i in range(5)]
    sheet = contact_sheet(images, columns=3, width=3 * 80 + 4 * GAP)
    assert sheet.shape == (2 * 60 + 3 * GAP, 3 * 80 + 4 * GAP, 3)
    centres = [sheet[GAP + 30 + r * (60 + GAP), GAP + 40 + c * (80 + GAP), 0] for r in (0, 1) for c in (0, 1, 2)]
    assert centres == [60, 100, 140, 180, 220, 32]
    assert (sheet[:GAP] == 32).all()


def test_a_picture_of_another_shape_is_fitted_not_stretched():
    wide, tall = np.full((60, 80, 3), 255, np.uint8), np.full((120, 60, 3), 200, np.uint8)
    sheet = contact_sheet([wide, tall], columns=2, width=2 * 80 + 3 * GAP)
    y, x = np.nonzero(sheet[..., 0] == 200)
    assert (np.ptp(y) + 1, np.ptp(x) + 1) == (60, 30)


def test_a_contact_sheet_of_nothing():
    with pytest.raises(DataError, match="no pictures"):
        contact_sheet([], 3, 300)


def test_a_thing_is_drawn_grey_and_not_counted():
    seen = observation(Mask.UNSURE, Mask.OFF)
    thing, bare = seen.decisions
    image = annotate(replace(seen, decisions=[replace(thing, not_a_face=True), bare]))
    assert has(image, COLOURS["not_a_face"])[80:150, 95:165].any()
    assert not has(image, COLOURS["unsure"]).any()
    one = annotate(replace(seen, tracks=seen.tracks[:1], decisions=[thing]))
    assert (image[-12:, :100] == one[-12:, :100]).all(), "the bar counts one face"
