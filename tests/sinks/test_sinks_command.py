"""Programs run at events: real ones, by the Python that runs the tests."""

import os
import subprocess
import sys
import threading
import time
import tracemalloc
import types
import uuid
from pathlib import Path

import pytest

from edge.config import sink_sections
from edge.core.errors import ConfigError, SinkError
from edge.core.labels import Mask
from edge.core.records import Decision, Event
from edge.sinks import command
from edge.sinks.command import CommandSink
from edge.testing.defaults import with_defaults

CommandSink = with_defaults(CommandSink, sink_sections.Command())

RAISED = Event("no_mask", 1.0, Decision(1, Mask.OFF, 0.9, 0.0))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_program_learns_what_happened(tmp_path):
    out = tmp_path / "out"
    code = "import os, sys; open(sys.argv[1], 'a').write(str([os.environ['MASKCAM_' + k] for k in sys.argv[2:]]))"
    sink = CommandSink([*python(code), str(out), "EVENT", "STATE", "DETAIL", "MASK", "OUTCOME"])
    sink.send(Event("no_mask", 1.0, Decision(1, Mask.OFF, 0.9, 0.0, incorrectly_worn=True)))
    sink.send(Event("state", 1.0, state="camera lost", detail="no frame; $(rm -rf /)"))
    sink.close()
    assert out.read_text() == (
        "['no_mask', '', '', 'off', 'incorrectly_worn']"
        "['state', 'camera lost', 'no frame; $(rm -rf /)', 'unsure', 'unsure']"
    )


def test_a_failure_is_told_with_the_last_thing_it_said():
    sink = CommandSink(python("import sys; sys.exit('first\\nno such device')"))
    with pytest.raises(SinkError, match=r" ended with 1: no such device$"):
        sink.send(RAISED)
    with pytest.raises(SinkError, match=r" ended with 3: no output$"):
        CommandSink(python("raise SystemExit(3)")).send(RAISED)


def test_what_it_writes_to_standard_output_goes_nowhere(capfd):
    CommandSink(python("print('noise')")).send(RAISED)
    assert capfd.readouterr() == ("", "")


def test_a_program_that_is_not_there():
    with pytest.raises(SinkError, match=r"no-such-program cannot be run \(.*No such file.*\): expected a program"):
        CommandSink(["/no-such-program"]).send(RAISED)
    with pytest.raises(ConfigError, match="expected a program and its arguments"):
        CommandSink([])


@pytest.mark.fault("a command never ends", "sleeps with a child", "killed at its timeout", "next event")
def test_one_that_takes_too_long_is_killed_with_its_children(tmp_path):
    """The child would hold the error pipe open: without its death the sink would wait for it."""
    pids = tmp_path / "pids"
    code = f"sleep 60 & echo $$ $! > {pids}; wait"
    before = time.monotonic()
    with pytest.raises(SinkError, match=r"took longer than 2 s and was killed"):
        CommandSink(["sh", "-c", code], timeout=2.0).send(RAISED)
    assert time.monotonic() - before < 30
    for pid in map(int, pids.read_text().split()):
        while running(pid):  # the kernel closes the pipe of a killed process a moment before it is gone
            assert time.monotonic() - before < 30


def running(pid: int) -> bool:
    """Whether it still does anything: a child of a dead parent may stay as a zombie until someone asks for it."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_running_tells_the_living():
    assert running(os.getpid())


@pytest.mark.fault("a command leaves children behind", "setsid, parent gone", "killed", "at once")
def test_what_leaves_its_session_dies_with_it(tmp_path):
    """`setsid` leaves group and session, and its parent is gone at once."""
    pid = tmp_path / "pid"
    left = f"setsid sh -c 'echo $$ > {pid}; exec sleep 300' 2>/dev/null &"
    CommandSink(["sh", "-c", f"{left} until [ -s {pid} ]; do sleep 0.05; done"], 60).send(RAISED)
    before = time.monotonic()
    while running(int(pid.read_text())):
        assert time.monotonic() - before < 30


def test_one_that_runs_when_the_sink_is_closed_dies(tmp_path):
    pid, sink = (
        tmp_path / "pid",
        CommandSink(["sh", "-c", "echo $$ > " + str(tmp_path / "pid") + "; exec sleep 300"], 60),
    )
    failed = []

    def send():
        try:
            sink.send(RAISED)
        except SinkError as error:
            failed.append(str(error))

    thread = threading.Thread(target=send)
    thread.start()
    before = time.monotonic()
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() - before < 60
    sink.close()
    thread.join(60)
    assert failed == ["sh ended with -9: no output"]


@pytest.mark.fault("a command floods standard error", "190 MB", "less than 2 MB held", "at once")
def test_a_flood_of_errors_takes_no_memory():
    flood = "import sys; [sys.stderr.write('x' * 65536) for _ in range(3000)]; sys.exit('no\\n' + 'y' * 5000)"
    tracemalloc.start()
    try:
        with pytest.raises(SinkError, match=r"ended with 1: y{200}$"):
            CommandSink(python(flood), timeout=60.0).send(RAISED)
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_nothing_of_the_arguments_is_said():
    for argv in (["/no-such-program -u me:S3CRET"], ["sh", "-c", "echo me:S3CRET refused >&2; exit 3", "me:S3CRET"]):
        with pytest.raises(SinkError) as caught:
            CommandSink(argv).send(RAISED)
        assert "S3CRET" not in str(caught.value)


def said_of(argv, timeout=10.0, event=RAISED):
    """What is said about a failure."""
    with pytest.raises(SinkError) as caught:
        CommandSink(argv, timeout).send(event)
    return str(caught.value)


def test_each_trouble_is_one_sentence(tmp_path):
    for argv in ([], [""]):
        with pytest.raises(ConfigError) as caught:
            CommandSink(argv)
        assert str(caught.value) == "sinks.command.argv = []: expected a program and its arguments"
    assert said_of(["/no/such program"]) == (
        "/no/such cannot be run (No such file or directory): expected a program for this user"
    )
    assert said_of(["sh", "a\0b"]) == (
        "sh cannot be run (its arguments cannot be passed on): expected a program for this user"
    )
    assert said_of(["sleep", "60"], 0.05) == "sleep took longer than 0.05 s and was killed"
    assert said_of(["sh", "-c", "exec 2>&-; exec sleep 60"], 0.3) == "sh took longer than 0.3 s and was killed"
    assert said_of(["sh", "-c", "printf 'a\\n\\377b \\n\\n' >&2; exit 4"]) == "sh ended with 4: \ufffdb"
    assert said_of(["sh", "-c", "kill -TERM $$"]) == "sh ended with -15: no output"


def test_of_a_long_line_two_hundred_characters_and_of_many_lines_the_last():
    code = "import sys; sys.stderr.write('first\\n' * 999 + 'z' * 300); sys.exit(1)"
    assert said_of(python(code)).endswith(" ended with 1: " + "z" * 200)
    code = "import sys; sys.stderr.write('x' * 4000 + '\\n' + 'y' * 199); sys.exit(1)"
    assert said_of(python(code)).endswith(" ended with 1: " + "y" * 199)


def test_what_it_says_in_the_last_second_is_heard(monkeypatch):
    monkeypatch.setattr("edge.sinks.command.time", types.SimpleNamespace(monotonic=lambda: 100.0))  # it stands still
    assert said_of(["sh", "-c", "echo why >&2; exit 4"], 0.5) == "sh ended with 4: why"


@pytest.mark.parametrize(("now", "left"), [(103.0, 2.0), (109.0, 0.0)])
def test_what_is_left_of_the_time_is_waited_for_the_end(monkeypatch, now, left):
    asked, times = [], iter([100.0, 101.0, now])
    monkeypatch.setattr("edge.sinks.command.time", types.SimpleNamespace(monotonic=lambda: next(times)))
    reading, writing = os.pipe()
    os.close(writing)

    def wait(timeout):
        asked.append(timeout)
        raise subprocess.TimeoutExpired("x", timeout)

    with open(reading, "rb") as stderr:
        process = types.SimpleNamespace(stderr=stderr, wait=wait)
        assert CommandSink(["x"], 5.0)._follow(process) == (b"", False)
    assert asked == [left]


def test_the_program_has_no_input_a_session_of_its_own_and_no_decision_is_unsure(tmp_path):
    out = tmp_path / "out"
    code = (
        "import os, sys\n"
        "facts = sys.stdin.read(), os.getsid(0) == os.getpid(), len(os.environ['MASKCAM_RUN'])\n"
        f"open({str(out)!r}, 'w').write(repr((*facts, os.environ['MASKCAM_MASK'], os.environ['MASKCAM_OUTCOME'])))"
    )
    CommandSink(python(code)).send(Event("snooze", 1.0))
    assert out.read_text() == repr(("", True, 32, "unsure", "unsure"))


def test_what_runs_on_in_the_background_is_killed_when_the_program_ends(tmp_path):
    """It would still sound when the next event comes."""
    pid = tmp_path / "pid"
    CommandSink(["sh", "-c", f"sleep 300 2>/dev/null & echo $! > {pid}"]).send(RAISED)
    before = time.monotonic()
    while running(int(pid.read_text())):
        assert time.monotonic() - before < 30


def test_what_starts_another_one_while_it_is_killed_is_killed_with_it(monkeypatch):
    rounds = iter([2, 1, 0, 7])
    marks = []
    monkeypatch.setattr("edge.sinks.command._kill_all", lambda mark: marks.append(mark) or next(rounds))
    sink = CommandSink(["true"])
    sink.send(RAISED)
    assert len(marks) == 3  # until none is left
    assert len(set(marks)) == 1
    assert marks[0].startswith(b"MASKCAM_RUN=")
    assert len(marks[0]) == len(b"MASKCAM_RUN=") + 32
    sink.close()
    assert len(marks) == 3  # nothing runs any more


def test_what_cannot_be_killed_keeps_nobody_for_ever(monkeypatch):
    marks = []
    monkeypatch.setattr("edge.sinks.command._kill_all", lambda mark: marks.append(mark) or 1)
    CommandSink(["true"]).send(RAISED)
    assert len(marks) == 10


def test_one_that_another_user_runs_by_then_is_waited_for():
    """Such as sudo: it cannot be killed."""
    done = []

    def kill():
        raise PermissionError(1, "Operation not permitted")

    stderr = types.SimpleNamespace(close=lambda: done.append("closed"))
    CommandSink(["x"])._kill(types.SimpleNamespace(kill=kill, wait=lambda: done.append("waited"), stderr=stderr))
    assert done == ["waited", "closed"]


def test_at_the_programs_end_nothing_is_left_to_do_for_a_closed_sink(monkeypatch):
    at_the_end = []
    exits = types.SimpleNamespace(register=at_the_end.append, unregister=at_the_end.remove)
    monkeypatch.setattr("edge.sinks.command.atexit", exits)
    sink = CommandSink(["true"])
    assert len(at_the_end) == 1
    sink.close()
    assert at_the_end == []


def test_only_marked_processes_are_killed():
    mine, other = uuid.uuid4().hex, uuid.uuid4().hex
    stranger = subprocess.Popen(["sleep", "300"], env=os.environ | {"MARK": other})
    ours = [subprocess.Popen(["sleep", "300"], env=os.environ | {"MARK": mine}) for _ in range(2)]
    try:
        wait_for_environments(stranger, *ours)
        assert command._kill_all(f"MARK={mine}".encode()) == 2
        assert [each.wait(30) for each in ours] == [-9, -9]
        assert stranger.poll() is None
        assert command._kill_all(f"MARK={mine}".encode()) == 0
    finally:
        stranger.kill()
        stranger.wait()


def wait_for_environments(*processes):
    """Popen returns when the program is in place; this makes sure of it."""
    before = time.monotonic()
    while not all(b"MARK=" in Path(f"/proc/{each.pid}/environ").read_bytes() for each in processes):
        assert time.monotonic() - before < 30


def test_the_first_argument_is_not_said_either(tmp_path):
    script = tmp_path / "S3CRET"
    script.write_text("echo $0 is wrong >&2; exit 3")
    assert said_of(["sh", str(script)]) == "sh ended with 3: *** is wrong"


def test_a_program_cannot_read_what_somebody_types(monkeypatch):
    asked, start = {}, subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **options: asked.update(options) or start(argv, **options))
    CommandSink(["true"]).send(RAISED)
    assert asked["stdin"] == subprocess.DEVNULL
