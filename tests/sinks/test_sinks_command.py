"""Programs run at events: real ones, by the Python that runs the tests."""

import os
import sys
import time

import pytest

from edge.core.errors import ConfigError, SinkError
from edge.core.labels import Mask
from edge.core.records import Decision, Event
from edge.sinks.command import CommandSink

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
    with pytest.raises(SinkError, match=r" ended with 3: it said nothing$"):
        CommandSink(python("raise SystemExit(3)")).send(RAISED)


def test_what_it_writes_to_standard_output_goes_nowhere(capfd):
    CommandSink(python("print('noise')")).send(RAISED)
    assert capfd.readouterr() == ("", "")


def test_a_program_that_is_not_there():
    with pytest.raises(SinkError, match=r"no-such-program cannot be run \(.*No such file.*\): expected a program"):
        CommandSink(["/no-such-program"]).send(RAISED)
    with pytest.raises(ConfigError, match="expected a program and its arguments"):
        CommandSink([])


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
    with pytest.raises(SinkError, match=r"took longer than 1 s and was killed"):
        CommandSink(python(code), timeout=1.0).send(RAISED)
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
