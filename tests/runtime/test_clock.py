"""Whether the clock is set, by each of those who may know; time and threads are the test's."""

import shutil

import pytest

from edge.runtime.clock import AGAIN, ClockState, timedated


class Machine:
    """The kernel's answer, timedated's answers in turn, and the work that a thread would do."""

    def __init__(self, root, kernel, *answers):
        self.now, self.asked, self.work = 0.0, 0, []
        answers = iter(answers)

        def ask():
            self.asked += 1
            return next(answers)

        self.state = ClockState(root, lambda: kernel, ask, lambda: self.now, self.work.append)

    def threads_run(self):
        while self.work:
            self.work.pop()()


def test_the_file_of_timesyncd_is_enough(tmp_path):
    marker = tmp_path / "run/systemd/timesync/synchronized"
    marker.parent.mkdir(parents=True)
    marker.touch()
    machine = Machine(tmp_path, False)
    assert machine.state() is True
    assert machine.work == []


@pytest.mark.parametrize("known", [True, False])
def test_a_kernel_that_may_be_asked_is_believed(tmp_path, known):
    machine = Machine(tmp_path, known)
    assert machine.state() is known
    assert machine.work == []


def test_in_the_sandbox_timedated_is_asked_without_waiting_for_it(tmp_path):
    machine = Machine(tmp_path, None, False, True, None)
    assert machine.state() is None
    machine.threads_run()
    assert machine.state() is False
    assert (machine.asked, machine.work) == (1, []), "not at every event"
    machine.now = AGAIN
    assert machine.state() is False
    machine.threads_run()
    assert machine.state() is True
    machine.now = 2 * AGAIN
    machine.state()
    machine.threads_run()
    assert machine.state() is None, "timedated is gone"


def test_an_earlier_year_is_wrong_whoever_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.runtime.clock.YEAR", 9999)
    assert Machine(tmp_path, True).state() is False


def test_what_timedatectl_says_is_understood(monkeypatch):
    for said, state in (("yes", True), ("no", False), (None, None), ("", None)):
        monkeypatch.setattr("edge.runtime.clock.run", lambda *command, said=said, **options: said)
        assert timedated() is state


@pytest.mark.skipif(not shutil.which("timedatectl"), reason="needs systemd")
def test_this_machine_answers_or_does_not_but_raises_nothing():
    assert timedated() in (True, False, None)
