"""The log of a run whose reader is slow, gone, or was never there."""

import contextlib
import io
import logging
import os
import threading

import pytest

from edge.runtime.lines import Apart, logged_apart

SOON = 60.0


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def record(text):
    return logging.LogRecord("x", logging.INFO, "", 0, text, (), None)


def test_lines_arrive_in_order(pipe):
    handler = Apart(pipe[1])
    for number in range(3):
        handler.emit(record(f"line {number}"))
    handler.close()
    assert os.read(pipe[0], 1000) == b"line 0\nline 1\nline 2\n"


@pytest.mark.fault(
    "standard output is not read", "a pipe that is full", "nobody waits; losses are counted", "when it is read"
)
def test_a_reader_that_stalls_holds_up_nobody_and_hears_what_was_lost(pipe):
    handler = Apart(pipe[1], capacity=5, patience=0.05)
    long = "x" * 70000  # more than a pipe holds
    done = threading.Event()

    def speak():
        for number in range(100):
            handler.emit(record(f"{number} {long}"))
        done.set()

    threading.Thread(target=speak, daemon=True).start()
    assert done.wait(SOON)
    heard = b""
    while not (b"\n99 " in heard and heard.endswith(b"\n")):
        heard += os.read(pipe[0], 1 << 20)
    handler.close()
    assert b"lines lost: nobody reads them" in heard
    assert b"\n99 " in heard


@pytest.mark.fault("standard output is closed", "a pipe without a reader", "nothing ends", "-")
def test_a_reader_that_is_gone_ends_nothing(pipe):
    handler = Apart(pipe[1], patience=SOON)
    os.close(pipe[0])
    for number in range(10):
        handler.emit(record(str(number)))
    handler.close()


def test_closing_waits_for_its_patience_alone(pipe):
    handler = Apart(pipe[1], patience=0.05)
    handler.emit(record("x" * 200000))
    handler.close()  # returns although nobody reads
    os.set_blocking(pipe[0], False)
    while True:
        try:
            os.read(pipe[0], 1 << 20)
        except BlockingIOError:
            break


def test_a_stream_without_a_descriptor_is_written_to_as_it_is():
    stream = io.StringIO()
    with logged_apart(stream):
        logging.getLogger("edge.test").info("hello")
    assert stream.getvalue() == "hello\n"
