"""A sink behind a thread: what it gets, and what happens when it fails or hangs. Events, no sleeps, no real time."""

import logging
import threading

import pytest

from edge.config import sink_sections
from edge.core.errors import SinkError
from edge.core.records import Counts, Event
from edge.sinks import gpio
from edge.sinks.isolated import Isolated
from edge.testing.defaults import with_defaults
from edge.testing.sink import MemorySink

GpioSink = with_defaults(gpio.GpioSink, sink_sections.Gpio())

SOON = 60.0
"""Seconds after which a test that waits for a thread has failed."""
RAISED, CLEAR, OK, LOST = (
    Event("no_mask", 1.0),
    Event("all_clear", 2.0),
    Event("state", 0.0, state="ok"),
    Event("state", 3.0, state="camera lost"),
)


def decision(number: int) -> Event:
    return Event("decision", float(number))


class Time:
    """A clock that `wait` moves. A wait without end waits for real, for the other thread's word."""

    def __init__(self):
        self.now = 0.0
        self.pauses = []
        self.stop_after = None
        self.reached = threading.Event()

    def clock(self) -> float:
        return self.now

    def wait(self, condition, seconds):
        if seconds is None or self.reached.is_set():
            condition.wait(SOON)
            return
        self.now += seconds
        self.pauses.append(round(seconds, 6))
        if len(self.pauses) == self.stop_after:
            self.reached.set()


class Scripted(MemorySink):
    """Fails as often as `failures` says, then works."""

    def __init__(self, failures=0):
        super().__init__()
        self.left = failures
        self.arrived = threading.Condition()

    def send(self, event):
        with self.arrived:
            if self.left:
                self.left -= 1
                raise SinkError("no route")
            super().send(event)
            self.arrived.notify_all()

    def wait_for(self, count):
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.events) >= count, SOON), self.events


@pytest.fixture
def isolated():
    """Makes Isolated sinks on a Time, closed at the end."""
    made = []

    def make(open, time=None, **options):
        time = time or Time()
        made.append(Isolated("sinks.test", open, clock=time.clock, wait=time.wait, patience=SOON, **options))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def test_events_arrive_in_order_and_close_delivers_what_is_left(isolated):
    inner = Scripted()
    sink = isolated(lambda: inner)
    story = [decision(i) for i in range(50)]
    for event in story:
        sink.send(event)
    sink.close()
    assert inner.events == story
    assert inner.closed
    assert (sink.failed, sink.dropped, sink.problem) == (0, 0, "")


def test_only_the_kinds_it_is_for_arrive(isolated):
    inner = Scripted()
    sink = isolated(lambda: inner, kinds=["no_mask"])
    for event in (decision(1), RAISED, CLEAR, OK):
        sink.send(event)
    sink.close()
    assert inner.events == [RAISED]


def test_a_failure_is_reported_once_and_tried_again_after_growing_pauses(isolated, caplog):
    inner, time = Scripted(failures=4), Time()
    with caplog.at_level(logging.INFO):
        sink = isolated(lambda: inner, time, pause=1.0, longest=5.0)
        sink.send(RAISED)
        inner.wait_for(1)
        sink.close()
    assert inner.events == [RAISED]
    assert time.pauses == [1.0, 2.0, 4.0, 5.0]
    assert (sink.failed, sink.dropped, sink.problem) == (4, 0, "")
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", "sinks.test: no route; it is tried again, the camera goes on"),
        ("INFO", "sinks.test: works again"),
    ]


def test_pauses_begin_anew_after_a_success(isolated):
    inner, time = Scripted(failures=2), Time()
    sink = isolated(lambda: inner, time)
    sink.send(RAISED)
    inner.wait_for(1)
    with inner.arrived:
        inner.left = 1
    sink.send(CLEAR)
    inner.wait_for(2)
    assert time.pauses == [1.0, 2.0, 1.0]


def test_an_event_that_always_fails_is_given_up_and_the_next_one_gets_its_turn(isolated):
    inner = Scripted(failures=3)
    sink = isolated(lambda: inner, attempts=3)
    sink.send(RAISED)
    sink.send(CLEAR)
    inner.wait_for(1)
    assert inner.events == [CLEAR]
    assert (sink.failed, sink.dropped) == (3, 1)


def test_what_cannot_be_opened_is_opened_later_and_nothing_is_given_up(isolated):
    inner, left = Scripted(), [1] * 20

    def open():
        if left:
            left.pop()
            raise SinkError("pin in use")
        return inner

    sink = isolated(open, attempts=3)
    sink.send(RAISED)
    inner.wait_for(1)
    assert (inner.events, sink.failed, sink.dropped) == ([RAISED], 20, 0)


def test_an_error_nobody_foresaw_is_a_failure_too(isolated, caplog):
    time = Time()
    time.stop_after = 1
    sink = isolated(lambda: 1 / 0, time)
    assert time.reached.wait(SOON)
    assert sink.problem == "division by zero"


class Opener:
    """Opens a sink for each number of `failures`, which then fails so often."""

    def __init__(self, *failures):
        self.sinks = [Scripted(count) for count in failures]
        self.opened = 0

    def __call__(self):
        self.opened += 1
        return self.sinks[self.opened - 1]


def test_a_light_that_is_opened_again_is_told_what_holds(isolated):
    open = Opener(0, 0)
    first, second = open.sinks
    sink = isolated(open, restate=True)
    for event in (OK, RAISED, decision(1)):
        sink.send(event)
    first.wait_for(3)
    with first.arrived:
        first.left = 1
    sink.send(LOST)
    second.wait_for(3)
    assert first.events == [OK, RAISED, decision(1)]
    assert first.closed
    assert second.events == [OK, RAISED, LOST]


def test_a_light_that_is_opened_again_hears_no_alert_that_is_over_and_the_newest_last(isolated):
    open = Opener(0, 0)
    first, second = open.sinks
    sink = isolated(open, restate=True, kinds=("state", "no_mask", "all_clear"))
    for event in (OK, RAISED, CLEAR, LOST):
        sink.send(event)
    first.wait_for(4)
    with first.arrived:
        first.left = 1
    sink.send(OK)
    second.wait_for(3)
    assert second.events == [CLEAR, LOST, OK]


def test_an_error_without_a_word_is_reported_by_its_kind(isolated, caplog):
    def open():
        raise TimeoutError

    caplog.set_level(logging.INFO)
    sink = isolated(open)
    sink.close()
    assert "TimeoutError; it is tried again" in caplog.text


def test_what_lists_events_is_not_told_twice(isolated):
    open = Opener(0, 0)
    first, second = open.sinks
    sink = isolated(open)
    sink.send(RAISED)
    first.wait_for(1)
    with first.arrived:
        first.left = 1
    sink.send(CLEAR)
    second.wait_for(1)
    sink.close()
    assert second.events == [CLEAR]


def test_a_light_is_told_also_what_was_given_up(isolated):
    open = Opener(1, 1, 0)
    sink = isolated(open, restate=True, attempts=2)
    sink.send(RAISED)
    open.sinks[2].wait_for(1)
    assert open.sinks[2].events == [RAISED]
    assert sink.dropped == 1


class Hanging(MemorySink):
    """Hangs in the first delivery until `go` is set."""

    def __init__(self):
        super().__init__()
        self.inside, self.go = threading.Event(), threading.Event()

    def send(self, event):
        self.inside.set()
        assert self.go.wait(SOON)
        super().send(event)


@pytest.mark.fault(
    "a sink hangs", "a send that does not return", "said, newest kept, the one under way too", "when it returns"
)
def test_one_that_hangs_is_reported_keeps_the_newest_and_goes_on(isolated, caplog):
    inner, time = Hanging(), Time()
    time.now = 100.0
    with caplog.at_level(logging.INFO):
        sink = isolated(lambda: inner, time, capacity=3, hung_after=15.0)
        sink.send(decision(0))
        assert inner.inside.wait(SOON)
        time.now = 114.0
        sink.send(decision(1))
        assert sink.problem == ""
        time.now = 115.0
        for i in range(2, 8):
            sink.send(decision(i))  # returns at once
        assert sink.problem == "has hung for 15 s"
        inner.go.set()
        sink.close()
    assert inner.events == [decision(0), decision(5), decision(6), decision(7)], "what was under way is not given up"
    assert sink.dropped == 4
    assert [r.getMessage() for r in caplog.records] == [
        "sinks.test: has hung for 15 s; it is tried again, the camera goes on",
        "sinks.test: works again",
    ]


def test_close_leaves_one_that_hangs_alone(caplog):
    inner = Hanging()
    sink = Isolated("sinks.test", lambda: inner, patience=0.01)
    sink.send(RAISED)
    assert inner.inside.wait(SOON)
    sink.send(CLEAR)
    sink.close()
    assert caplog.messages == [
        "sinks.test: does not end within 0.01 s, left alone",
        "sinks.test: 2 events were not delivered",
    ]
    (thread,) = (t for t in threading.enumerate() if t.name == "sink sinks.test" and t.is_alive())
    assert thread.daemon, "the end of the program does not wait for it"
    inner.go.set()
    thread.join(SOON)


def test_one_that_hangs_when_it_is_told_again_what_holds_is_reported(isolated):
    """It was opened anew, and the first word to it never returns."""
    first, second, time = Scripted(), Hanging(), Time()
    sinks = [first, second]
    sink = isolated(lambda: sinks.pop(0), time, restate=True)
    sink.send(RAISED)
    first.wait_for(1)
    with first.arrived:
        first.left = 1
    sink.send(OK)
    assert second.inside.wait(SOON)
    sink.problem = ""
    time.now += 15.0
    sink.send(CLEAR)
    assert sink.problem == "has hung for 15 s"
    second.go.set()


def test_close_does_not_wait_for_a_pause_to_end(caplog):
    failing = threading.Event()

    def open():
        failing.set()
        raise SinkError("no route")

    sink = Isolated("sinks.test", open, pause=1000.0, patience=SOON)
    sink.send(RAISED)
    assert failing.wait(SOON)
    sink.close()
    assert not sink._thread.is_alive()
    assert "1 events were not delivered" in caplog.text


def test_a_light_blinks_in_between_at_its_own_times(isolated):
    """starting (0.5 s on, 0.5 s off) for three seconds of the clock's, then the alert."""
    time = Time()
    time.stop_after = 6
    pins = []

    def open():
        light = GpioSink(17, driver="mock")
        pins.append(light.pin)
        return light

    sink = isolated(open, time, restate=True)
    sink.send(Event("state", 0.0, state="starting"))
    assert time.reached.wait(SOON)
    sink.send(RAISED)
    sink.close()
    assert time.pauses == [0.5] * 6
    assert pins[0].levels[:7] == [False, True, False, True, False, True, False]
    assert pins[0].levels[-2:] == [True, False]
    assert pins[0].closed


def test_a_light_that_fails_while_it_blinks_is_opened_again(isolated):
    """No event comes, yet the failure is noticed and the light is told its state."""
    time, opened, again = Time(), [], threading.Event()

    def broken(lit):
        raise OSError("I/O error")

    class Light(gpio.GpioSink):
        def advance(self, now):
            if len(opened) == 1:
                self.pin.set = broken
            elif time.now > 2.0:
                again.set()
            return super().advance(now)

    def open():
        opened.append(Light(17, active_high=True, driver="mock"))
        return opened[-1]

    sink = isolated(open, time, restate=True)
    sink.send(Event("state", 0.0, state="starting"))
    assert again.wait(SOON)
    time.reached.set()
    assert sink.failed == 1
    assert len(opened) == 2
    assert opened[1].pin.levels[:2] == [False, True]


def counted(people: int) -> Event:
    return Event("counts", float(people), counts=Counts("2026-11-25", on=people))


def test_of_counts_that_wait_the_newest_alone_is_delivered(isolated):
    inner, begun, go = Scripted(), threading.Event(), threading.Event()
    deliver = inner.send

    def send(event):
        begun.set()
        assert go.wait(SOON)
        deliver(event)

    inner.send = send
    sink = isolated(lambda: inner, kinds=("no_mask", "counts"), capacity=2)
    sink.send(counted(0))
    assert begun.wait(SOON)  # under way, and stays so
    for event in (RAISED, counted(1), counted(2), counted(3)):
        sink.send(event)
    go.set()
    inner.wait_for(3)
    assert inner.events == [counted(0), RAISED, counted(3)]
    assert sink.dropped == 0


class Showing(Scripted):
    """Shows what holds apart from what happens."""

    def __init__(self, failures=0):
        super().__init__(failures)
        self.restated = []

    def restate(self, event):
        self.restated.append(event)


def test_one_that_can_be_restated_hears_the_last_of_every_kind_and_no_event_twice(isolated):
    inner = Showing()
    person = Event("person", 4.0)
    kinds = ("no_mask", "all_clear", "state", "counts", "decision", "person")
    sink = isolated(lambda: inner, kinds=kinds, restate=True)
    for event in (RAISED, CLEAR, OK, counted(1), decision(1), person):
        sink.send(event)
    inner.wait_for(6)
    inner.left = 1
    sink.send(LOST)
    inner.wait_for(7)
    assert inner.restated == [RAISED, CLEAR, OK, counted(1)]
    assert inner.events == [RAISED, CLEAR, OK, counted(1), decision(1), person, LOST]
