"""The sinks that only write, with whole histories."""

import io
import json
import logging
import os
import resource
import select
import sys
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from edge.core.errors import SinkError
from edge.core.events import to_json
from edge.core.labels import Mask
from edge.core.records import STATES, Counts, Decision, Event, Visit
from edge.sinks.jsonl import JsonlSink
from edge.sinks.log import GRAVE, LogSink, sentence
from edge.testing.sink import MemorySink

BARE = Decision(track_id=3, mask=Mask.OFF, confidence=0.98123, since=11.5)
WORN = Decision(track_id=3, mask=Mask.ON, confidence=0.9, since=20.0)
DECISION = Event("decision", 12.25, BARE)
ALERT = Event("no_mask", 12.4567, BARE)
CLEAR = Event("all_clear", 21.0)
LOST = Event("state", 9.0, state="camera lost", detail="no frame for 5 s")
STORY = [DECISION, ALERT, ALERT, Event("decision", 20.0, WORN), CLEAR]


def test_memory_remembers():
    sink = MemorySink()
    for event in STORY:
        sink.send(event)
    assert (sink.events, sink.closed) == (STORY, False)
    sink.close()
    assert sink.closed


def test_log_warns_of_alerts_only(caplog):
    sink = LogSink()
    with caplog.at_level(logging.INFO):
        for event in (DECISION, ALERT, CLEAR):
            sink.send(event)
    sink.close()
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "12.2 s  #3 wears no mask (98 %)"),
        ("WARNING", "12.5 s  ALERT: #3 wears no mask (98 %)"),
        ("INFO", "21.0 s  all clear"),
    ]


def test_a_mask_worn_wrongly_is_said():
    wrongly = Event("no_mask", 1.0, Decision(3, Mask.OFF, 0.98, 0.5, incorrectly_worn=True))
    assert to_json(wrongly)["incorrectly_worn"] is to_json(wrongly)["worn_wrongly"] is True
    assert sentence(wrongly) == "1.0 s  ALERT: #3 wears the mask incorrectly (98 %)"


def test_a_track_that_turns_out_to_be_no_face_is_said():
    assert sentence(Event("decision", 1.0, Decision(3, Mask.UNSURE, 1.0, 0.5, not_a_face=True))).endswith(
        "#3 is no face (100 %)"
    )


def test_states_of_the_service(caplog):
    with caplog.at_level(logging.INFO):
        for event in (Event("state", 0.0, state="starting"), LOST):
            LogSink().send(event)
    said = [(r.levelname, r.getMessage()) for r in caplog.records]
    assert said == [("INFO", "0.0 s  starting"), ("WARNING", "9.0 s  camera lost: no frame for 5 s")]


def test_pictures_are_named_and_figures_are_not_for_people(caplog):
    assert sentence(Event("decision", 4.0, BARE, file="door/a.jpg")) == "door/a.jpg  #3 wears no mask (98 %)"
    assert sentence(Event("snooze", 4.0, state="on", seconds=1800.0)) == "4.0 s  no alerts for 30 min"
    assert sentence(Event("snooze", 4.0, state="on", seconds=20.0)) == "4.0 s  no alerts for 20 s"
    assert sentence(Event("snooze", 5.0, state="off")) == "5.0 s  alerts again"
    with caplog.at_level(logging.INFO):
        LogSink().send(Event("counts", 1.0, counts=Counts("2026-11-25")))
        LogSink().send(Event("person", 1.0, visit=Visit(1, 0.0, 1.0, "on")))
        LogSink().send(Event("summary", 1.0, counts=Counts("2026-11-25"), detail="2026-11-25: 1 people"))
    assert caplog.messages == ["1.0 s  summary: 2026-11-25: 1 people"]


def test_grave_states_are_states():
    assert set(GRAVE) <= set(STATES)


def test_journal_appends_whole_lines_at_once(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "before"}\n')
    sink = JsonlSink(path)
    for n, event in enumerate(STORY, start=2):
        sink.send(event)
        lines = path.read_text().splitlines()  # read while the sink is still open
        assert len(lines) == n
        assert json.loads(lines[-1]) == to_json(event)
    sink.close()
    with pytest.raises(SinkError, match="cannot be written"):
        sink.send(CLEAR)


def test_journal_writes_to_standard_output_and_leaves_it_open(capsys):
    sink = JsonlSink("")
    sink.send(CLEAR)
    sink.close()
    assert json.loads(capsys.readouterr().out) == to_json(CLEAR)
    assert not sys.stdout.closed
    stream = io.StringIO()
    JsonlSink(stream=stream).send(ALERT)
    assert json.loads(stream.getvalue()) == to_json(ALERT)


def test_journal_that_cannot_be_opened_or_written(tmp_path):
    with pytest.raises(SinkError, match="cannot be opened for appending"):
        JsonlSink(tmp_path / "nowhere" / "events.jsonl")
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs Linux's /dev/full")
    sink = JsonlSink(full)
    with pytest.raises(SinkError, match="No space left"):
        sink.send(ALERT)
    sink.close()


@pytest.mark.fault(
    "a power cut tears the last line", "half a line in the file", "ended before the next", "at the next start"
)
def test_a_torn_last_line_takes_no_other_with_it(tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_text('{"kind": "state", "t": 1.0}\n{"kind": "no_ma')
    with closing(JsonlSink(path)) as journal:
        journal.send(ALERT)
    _, torn, new = path.read_text().splitlines()
    assert torn == '{"kind": "no_ma'
    assert json.loads(new)["kind"] == ALERT.kind


@pytest.mark.fault(
    "the disk fills while a line is written", "ENOSPC after ten bytes", "no part of it stays", "next event"
)
def test_a_full_disk_leaves_no_part_of_a_line(tmp_path, monkeypatch):
    path = tmp_path / "e.jsonl"
    journal = JsonlSink(path)
    journal.send(ALERT)
    before, write = path.read_text(), journal._file

    class Full:
        def write(self, line):
            write.write(line[:10])
            raise OSError(28, "No space left on device")

        def __getattr__(self, name):
            return getattr(write, name)

    journal._file = Full()
    with pytest.raises(SinkError, match="No space left"):
        journal.send(ALERT)
    assert path.read_text() == before
    journal._file = write
    journal.send(ALERT)
    journal.close()
    assert path.read_text() == before * 2


@contextmanager
def room_for(bytes_of_a_file):
    """Files of this process may grow so far and no farther: then a part of a line is written, and an error follows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_of_a_file, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("before", ["moved", "rotated"])
def test_a_disk_that_is_full_when_a_journal_is_begun_anew_leaves_no_part_of_a_line(tmp_path, before):
    path, kept = tmp_path / "e.jsonl", tmp_path / "e.jsonl.1"
    with closing(JsonlSink(path, max_bytes=300 if before == "rotated" else 0, keep=1)) as journal:
        journal.send(ALERT)
        if before == "moved":
            path.rename(kept)
        with room_for(10), pytest.raises(SinkError, match="File too large"):
            journal.send(CLEAR) if before == "moved" else [journal.send(ALERT) for _ in range(3)]
        assert path.read_bytes() == b""
        journal.send(CLEAR)
    assert [json.loads(p.read_text())["kind"] for p in (kept, path)] == [ALERT.kind, CLEAR.kind]


def test_a_disk_that_cannot_even_be_cut_back_is_told_as_what_it_was_first(tmp_path, monkeypatch):
    def broken(file, size):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "ftruncate", broken)
    journal = JsonlSink(tmp_path / "e.jsonl")
    with closing(journal), room_for(10), pytest.raises(SinkError, match="File too large"):
        journal.send(ALERT)


@pytest.mark.fault("a journal grows for months", "60 events, 1,000 bytes", "rotation by size", "-")
def test_a_journal_becomes_several_by_its_size(tmp_path):
    path = tmp_path / "e.jsonl"
    with closing(JsonlSink(path, max_bytes=1000, keep=2)) as journal:
        for number in range(60):
            journal.send(Event("state", float(number), state="ok"))
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["e.jsonl", "e.jsonl.1", "e.jsonl.2"]
    assert all(p.stat().st_size <= 1000 for p in tmp_path.iterdir())
    times = [json.loads(line)["t"] for name in reversed(names) for line in (tmp_path / name).read_text().splitlines()]
    assert times == sorted(times)
    assert times[-1] == 59.0


def test_a_journal_is_filled_to_its_last_byte_and_begun_anew(tmp_path):
    size, path = len(json.dumps(to_json(ALERT))) + 1, tmp_path / "e.jsonl"

    def lines_after(sends, max_bytes, **options):
        for old in tmp_path.iterdir():
            old.unlink()
        with closing(JsonlSink(path, max_bytes=max_bytes, **options)) as journal:
            for _ in range(sends):
                journal.send(ALERT)
        return {p.name: len(p.read_text().splitlines()) for p in sorted(tmp_path.iterdir())}

    assert lines_after(4, 2 * size, keep=3) == {"e.jsonl": 2, "e.jsonl.1": 2}
    assert lines_after(5, 2 * size, keep=3) == {"e.jsonl": 1, "e.jsonl.1": 2, "e.jsonl.2": 2}
    assert lines_after(4, 2 * size - 1, keep=1) == {"e.jsonl": 1, "e.jsonl.1": 1}
    assert lines_after(3, 1, keep=2) == {
        "e.jsonl": 1,
        "e.jsonl.1": 1,
        "e.jsonl.2": 1,
    }  # a line is never lost to its size
    assert lines_after(3, 2 * size) == {"e.jsonl": 1}
    assert lines_after(9, 0, keep=3) == {"e.jsonl": 9}


def test_what_stood_in_a_streams_buffer_comes_first_and_the_stream_goes_on(tmp_path):
    with (tmp_path / "out").open("w") as stream:
        stream.write("before ")
        journal = JsonlSink(stream=stream)
        journal.send(ALERT)
        journal.close()
        stream.write("after")
    assert (tmp_path / "out").read_text() == f"before {json.dumps(to_json(ALERT))}\nafter"


def test_a_stream_is_written_past_its_lock(tmp_path):
    """Whoever stalls while it holds that lock would keep the program from ending."""

    class Locked(io.TextIOWrapper):
        def write(self, text):
            raise AssertionError("by its lock")

    with Locked((tmp_path / "out").open("wb")) as stream:
        JsonlSink(stream=stream).send(ALERT)
    assert json.loads((tmp_path / "out").read_text()) == to_json(ALERT)


def test_a_journals_troubles_are_one_sentence_each(tmp_path):
    path = tmp_path / "e.jsonl"
    with pytest.raises(SinkError) as caught:
        JsonlSink(tmp_path)
    assert str(caught.value) == f"JSON lines '{tmp_path}': cannot be opened for appending (Is a directory)"
    journal, real = JsonlSink(path), JsonlSink(path)._file
    with real:

        class Broken:
            def close(self):
                raise OSError(5, "Input/output error")

        journal._file.close()
        with pytest.raises(SinkError) as caught:
            journal.send(ALERT)
        assert str(caught.value) == f"JSON lines '{path}': cannot be written (I/O operation on closed file)"
        journal._file = Broken()
        with pytest.raises(SinkError) as caught:
            journal.close()
        assert str(caught.value) == f"JSON lines '{path}': cannot be closed ([Errno 5] Input/output error)"
    stream = io.StringIO()
    journal = JsonlSink(stream=stream)
    stream.close()
    with pytest.raises(SinkError) as caught:
        journal.send(ALERT)
    assert str(caught.value) == "JSON lines 'standard output': cannot be written (I/O operation on closed file)"


def test_a_journal_that_is_a_link_or_a_fifo_stays_one(tmp_path):
    (tmp_path / "link").symlink_to("real")
    with closing(JsonlSink(tmp_path / "link", max_bytes=100, keep=1)) as journal:
        for _ in range(3):
            journal.send(ALERT)
    assert (tmp_path / "link").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real", "real.1"]
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with closing(JsonlSink(tmp_path / "fifo", max_bytes=100)) as journal:
        for _ in range(3):
            journal.send(ALERT)
    assert os.read(reader, 10000).count(b"\n") == 3
    os.close(reader)


@pytest.mark.fault("a journal is moved or removed", "as logrotate does, and rm", "begun anew", "next event")
def test_a_journal_that_was_moved_or_removed_is_begun_anew(tmp_path):
    path, kept = tmp_path / "e.jsonl", tmp_path / "e.jsonl-2026"
    with closing(JsonlSink(path)) as journal:
        journal.send(ALERT)
        path.rename(kept)
        journal.send(CLEAR)
        assert [json.loads(p.read_text())["kind"] for p in (kept, path)] == [ALERT.kind, CLEAR.kind]
        path.unlink()
        journal.send(ALERT)
        assert json.loads(path.read_text())["kind"] == ALERT.kind
        path.rename(kept)
        path.mkdir()
        with pytest.raises(SinkError, match="cannot be written"):
            journal.send(ALERT)


@pytest.mark.fault(
    "standard output does not block", "O_NONBLOCK on a full pipe", "waits, whole lines", "when it is read"
)
def test_a_stream_that_does_not_block_loses_nothing_and_takes_no_processor(tmp_path):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(writing, "w") as stream, open(reading, "rb") as reader:
        journal, many = JsonlSink(stream=stream), 2000  # several times what a pipe holds
        speaker = threading.Thread(target=lambda: [journal.send(ALERT) for _ in range(many)], daemon=True)
        speaker.start()
        assert all(json.loads(reader.readline())["kind"] == ALERT.kind for _ in range(many))
        speaker.join(60)


def test_a_pipe_that_is_full_and_does_not_block_is_waited_for(monkeypatch):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += os.write(writing, bytes(4096))
    waits, wait = threading.Event(), select.select

    def watched(*arguments):
        waits.set()
        return wait(*arguments)

    def speak():
        with open(writing, "w") as stream:
            JsonlSink(stream=stream).send(ALERT)

    monkeypatch.setattr(select, "select", watched)
    speaker = threading.Thread(target=speak)
    speaker.start()
    assert waits.wait(10)
    with open(reading, "rb") as reader:
        assert json.loads(reader.read()[filled:]) == to_json(ALERT)
    speaker.join()
