"""Programs run at events: real ones, by the Python that runs the tests."""

import os
import sys
import threading
import time
import tracemalloc

import pytest

from edge.config import sink_sections
from edge.core.errors import ConfigError, SinkError
from edge.core.labels import Mask
from edge.core.records import Decision, Event
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
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)"
    )
    before = time.monotonic()
    with pytest.raises(SinkError, match=r"took longer than 5 s and was killed"):
        CommandSink(python(code), timeout=5.0).send(RAISED)
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
    CommandSink(["sh", "-c", f"setsid sh -c 'echo $$ > {pid}; exec sleep 300' 2>/dev/null & sleep 1"]).send(RAISED)
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
        assert time.monotonic() - before < 30
    sink.close()
    thread.join(30)
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
