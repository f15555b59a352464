"""An engine that breaks while it runs: it goes on answering, and is found out."""

import numpy as np
import pytest

from edge.backends.supervised.failover import FailoverEngine, NamedEngine
from edge.backends.watched import AT_ONCE, CHECK_EVERY, SAME, WatchedEngine
from edge.core.errors import EngineError

RIGHT = [np.array([0.25, 0.75], np.float32)]


class Engine:
    """Answers what `answer` makes of a picture; `broken`: constant zeros, to the known picture too."""

    def __init__(self, answer=lambda image: [RIGHT[0] + image.mean() / 1e4]):
        self.answer, self.closed, self.asked = answer, False, 0

    def infer(self, image):
        self.asked += 1
        return self.answer(image)

    def close(self):
        self.closed = True


def picture(number):
    return np.full((16, 16, 3), number % 256, np.uint8)


def watched(engine, now):
    def check():
        if not engine.infer(picture(7))[0].any():
            raise EngineError("wrong answer: scores differ")

    return WatchedEngine(engine, check, clock=lambda: now[0])


@pytest.mark.fault("the engine says NaN", "NaN and infinity", "a fault", "the spare, same frame")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_a_fault_at_once_and_stays_one(value):
    engine = Engine(lambda image: [np.array([0.5, value], np.float32)])
    wrapped = watched(engine, [0.0])
    for _ in range(2):
        with pytest.raises(EngineError, match="not a number"):
            wrapped.infer(picture(0))
    assert engine.asked == 1


def test_the_known_answer_is_asked_again_now_and_then():
    engine, now = Engine(), [0.0]
    wrapped = watched(engine, now)
    for number in range(100):
        now[0] = number * CHECK_EVERY / 20
        wrapped.infer(picture(number))
    assert engine.asked == 100 + 4
    engine.answer = lambda image: [RIGHT[0] * 0 + (image.mean() != 7) * image.mean()]
    now[0] += CHECK_EVERY
    with pytest.raises(EngineError, match="wrong answer"):
        wrapped.infer(picture(3))
    assert wrapped.fault


@pytest.mark.fault(
    "the engine says the same of everything", "zeros", "a fault after 3 pictures", "the spare, same frame"
)
def test_one_that_says_the_same_of_everything_is_asked_soon():
    engine, now = Engine(lambda image: [RIGHT[0] * 0]), [AT_ONCE]
    wrapped = watched(engine, now)
    wrapped._checked = 0.0
    for number in range(SAME):
        wrapped.infer(picture(number))
    with pytest.raises(EngineError):
        wrapped.infer(picture(SAME))


def test_the_same_of_the_same_picture_is_no_reason():
    engine, now = Engine(), [AT_ONCE]
    wrapped = watched(engine, now)
    for _ in range(10 * SAME):
        wrapped.infer(picture(1))
    assert engine.asked == 10 * SAME


def test_a_spare_takes_over_and_it_is_said(caplog):
    broken, spare, opened = Engine(lambda image: [RIGHT[0] * np.nan]), Engine(), []

    def open_spare():
        opened.append(1)
        return NamedEngine("opencv", spare)

    engine = FailoverEngine("detector", "tflite", NamedEngine("tflite", watched(broken, [0.0])), spare=open_spare)
    for number in range(3):
        assert np.isfinite(engine.infer(picture(number))[0]).all()
    assert (engine.running, len(opened)) == ("opencv", 1)
    said = "detector: requested tflite, running opencv: tflite is down: wrong answer: not a number"
    assert caplog.messages == [said]
    engine.close()
    assert broken.closed
    assert spare.closed


def test_without_a_spare_the_fault_is_raised():
    engine = FailoverEngine(
        "detector", "tflite", NamedEngine("tflite", watched(Engine(lambda i: [RIGHT[0] * np.nan]), [0]))
    )
    with pytest.raises(EngineError, match="not a number"):
        engine.infer(picture(0))
