"""Progress: one line on a terminal, few lines in a log, and how long it will still take."""

import io

import pytest

from edge.core import progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (150, "2.5 min"), (1500, "25 min"), (7300, "2.0 h")]
)
def test_a_duration_is_readable(seconds, text):
    assert progress.duration(seconds) == text


def run(stream, steps=600, each=1.0):
    clock = Clock()
    with progress.Progress("measuring", steps, "pictures", stream, clock) as reported:
        for done in range(1, steps + 1):
            clock.now += each
            reported.update(done)
    return stream.getvalue()


def test_a_log_gets_a_line_a_minute_with_the_time_that_is_left():
    lines = run(io.StringIO()).splitlines()
    assert len(lines) == 10
    assert lines[0] == "measuring: 60 of 600 pictures, about 9.0 min left"
    assert lines[-1] == "measuring: 600 of 600 pictures"
    assert not any("\r" in line for line in lines)


def test_quick_work_says_nothing_in_a_log():
    assert run(io.StringIO(), each=0.05) == ""


def test_a_terminal_has_one_line_that_vanishes_at_the_end():
    said = run(Terminal(), each=0.01)
    assert "\n" not in said
    assert 5 < said.count("\r") < 40, "at most five a second"
    last = said.split("\r")
    assert last[-1] == ""
    assert last[-2].strip() == "", "wiped"
    assert last[-3].rstrip() == "measuring: 600 of 600 pictures"


def test_a_shorter_line_hides_all_of_a_longer_one():
    clock, stream = Clock(), Terminal()
    reported = progress.Progress("replaying", unit="frames", stream=stream, clock=clock)
    for done, note in ((1, "a very long note"), (2, "")):
        clock.now += 1
        reported.update(done, note=note)
    first, second = stream.getvalue().split("\r")[1:]
    assert len(second) == len(first)
    assert second.rstrip() == "replaying: 2 frames"


def test_items_are_tracked_with_or_without_a_length(capsys):
    assert list(progress.track([1, 2], "reading")) == [1, 2]
    assert list(progress.track(iter("ab"), "reading", total=2)) == ["a", "b"]
    assert capsys.readouterr().err == ""
