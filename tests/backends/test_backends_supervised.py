"""A device that fails and comes back, and the stage that goes on meanwhile; over fakes that remember."""

import logging

import numpy as np
import pytest

from edge.backends.supervised.engine import CHECK_EVERY, FIRST_WAIT, LONGEST_WAIT, Accelerator
from edge.backends.supervised.failover import FailoverEngine, NamedEngine, OnAccelerator
from edge.core.errors import EngineError
from edge.testing.engine import ScriptedEngine
from edge.vision import bundle

PICTURE = np.zeros((32, 32, 3), np.uint8)
RIGHT, OTHER = [np.zeros(2, np.float32)], [np.ones(2, np.float32)]


class Process:
    """A device's process: fails as told, by the number of its inference."""

    def __init__(self, opens=True, answers=(RIGHT,)) -> None:
        self.opens, self.engine, self.alive, self.opened = opens, ScriptedEngine(answers), True, []

    def open(self, network, timeout) -> None:
        if not self.opens:
            self.alive = False
            raise EngineError("coral crashed (SIGSEGV)")
        self.opened.append(network)

    def infer(self, network, image, timeout):
        return self.engine.infer(image)

    def close(self, grace=1.0) -> None:
        self.alive = False


class World:
    """A clock that stands still, background work that is done at once, processes one after the other."""

    def __init__(self, loaded, *processes) -> None:
        self.now, self.started, self._left = 0.0, [], list(processes)
        self.accelerator = Accelerator(
            "coral", loaded, self.start, 0.15, clock=lambda: self.now, background=lambda work: work()
        )

    def start(self) -> Process:
        self.started.append(self._left.pop(0))
        return self.started[-1]


@pytest.fixture
def world(tmp_path, write_bundle):
    loaded = bundle.load(write_bundle(tmp_path / "b"))
    return lambda *processes: World(loaded, *processes)


def lost(after=2):
    """The first two answers are the known one, when it is loaded."""
    return Process(answers=[RIGHT] * after + [EngineError("device lost")])


def test_it_is_loaded_and_asked_twice_before_it_is_trusted(world):
    process = Process()
    here = world(process)
    here.accelerator.add("classifier")
    assert process.opened == ["classifier"]
    assert len(process.engine.seen) == 2
    assert here.accelerator.infer("classifier", PICTURE) is RIGHT
    here.accelerator.close()
    assert not process.alive


def test_a_wrong_answer_is_refused_and_the_process_stays_for_the_other_network(world):
    process = Process(answers=[OTHER])
    here = world(process)
    with pytest.raises(EngineError, match="wrong answer"):
        here.accelerator.add("classifier")
    assert process.alive
    assert here.accelerator.fault == ""


def test_a_crash_while_loading_is_the_fault_of_the_device(world):
    here = world(Process(opens=False))
    for network in ("classifier", "detector"):
        with pytest.raises(EngineError, match="SIGSEGV"):
            here.accelerator.add(network)
    assert len(here.started) == 1


def test_a_network_that_was_not_added_is_loaded_and_checked_with_its_first_picture(world):
    faces = [np.zeros((42, 1), np.float32), np.zeros((42, 4), np.float32)]
    process = Process(answers=[faces, faces, RIGHT])
    here = world(process)
    here.accelerator.add("detector")
    assert here.accelerator.infer("classifier", PICTURE) is RIGHT
    assert here.accelerator.infer("classifier", PICTURE) is RIGHT
    assert process.opened == ["detector", "classifier"]
    assert len(process.engine.seen) == 6, "each was asked twice for its known answer, then came two pictures"


def test_one_that_cannot_be_loaded_later_is_the_devices_fault_and_the_device_is_tried_again(world):
    here = world(Process(answers=[RIGHT, RIGHT, OTHER]), Process())
    here.accelerator.add("classifier")
    with pytest.raises(EngineError, match="wrong answer"):
        here.accelerator.infer("detector", PICTURE)
    assert "wrong answer" in here.accelerator.fault
    here.now += FIRST_WAIT
    with pytest.raises(EngineError, match="is down"):
        here.accelerator.infer("detector", PICTURE)
    assert here.accelerator.fault == ""
    assert here.accelerator.infer("classifier", PICTURE) is RIGHT


def test_a_lost_device_is_tried_again_after_ever_longer_waits_and_comes_back(world):
    back = Process()
    here = world(lost(), Process(opens=False), Process(opens=False), back)
    here.accelerator.add("classifier")

    def answers():
        try:
            return here.accelerator.infer("classifier", PICTURE) is RIGHT
        except EngineError:
            return False

    assert not answers()
    assert not here.started[0].alive
    seen = []
    for _ in range(40):
        here.now += 0.5
        good = answers()
        seen.append((here.now, len(here.started), good))
    starts = [next(now for now, count, _ in seen if count == n) for n in (2, 3, 4)]
    assert starts == [2.0, 6.0, 14.0]  # waits of 2, 4 and 8 s
    assert next(now for now, _, good in seen if good) == 14.5
    assert here.accelerator.fault == ""


def test_waits_are_bounded_and_short_again_after_a_long_time_of_good_work(world):
    here = world(lost(), *[Process(opens=False) for _ in range(12)], lost(5))
    here.accelerator.add("classifier")
    waits, before = [], 0.0
    for _ in range(13):
        count = len(here.started)
        while len(here.started) == count:
            here.now += 1.0
            with pytest.raises(EngineError):
                here.accelerator.infer("classifier", PICTURE)
        waits.append(here.now - before)
        before = here.now
    assert waits[1:5] == [4.0, 8.0, 16.0, 32.0]
    assert max(waits) == LONGEST_WAIT
    here.now += LONGEST_WAIT + 1
    assert here.accelerator.infer("classifier", PICTURE) is RIGHT
    assert here.accelerator.infer("classifier", PICTURE) is RIGHT
    with pytest.raises(EngineError):
        here.accelerator.infer("classifier", PICTURE)
    assert here.accelerator._retry_at == here.now + FIRST_WAIT


def test_a_device_that_comes_back_with_wrong_answers_stays_out(world):
    here = world(lost(), Process(answers=[OTHER]))
    here.accelerator.add("classifier")
    with pytest.raises(EngineError):
        here.accelerator.infer("classifier", PICTURE)
    here.now += FIRST_WAIT
    for _ in range(2):
        with pytest.raises(EngineError, match="down"):
            here.accelerator.infer("classifier", PICTURE)
    assert "wrong answer" in here.accelerator.fault
    assert not here.started[1].alive


def test_a_process_that_cannot_be_started_is_a_failed_attempt_like_any_other(world):
    here = world(lost(), Process())
    here.accelerator.add("classifier")
    with pytest.raises(EngineError):
        here.accelerator.infer("classifier", PICTURE)
    start, here.accelerator._start = here.accelerator._start, lambda: 1 / 0
    here.now += FIRST_WAIT
    here.accelerator._retry()
    assert "division" in here.accelerator.fault
    here.accelerator._start = start
    here.now += 2 * FIRST_WAIT
    here.accelerator._retry()
    assert here.accelerator.fault == ""


def test_a_device_that_begins_to_answer_wrong_is_found_out_within_a_minute(world):
    process = Process(answers=[RIGHT] * 3 + [OTHER])
    here = world(process)
    here.accelerator.add("classifier")
    assert here.accelerator.infer("classifier", PICTURE) is RIGHT
    here.now += CHECK_EVERY - 1
    assert here.accelerator.infer("classifier", PICTURE) is OTHER  # not noticed yet
    here.now += 1
    with pytest.raises(EngineError, match="wrong answer"):
        here.accelerator.infer("classifier", PICTURE)
    assert "wrong answer" in here.accelerator.fault
    assert not process.alive


def test_a_device_that_comes_back_after_the_end_is_closed(world):
    here = world(lost(), Process())
    here.accelerator.add("classifier")
    with pytest.raises(EngineError):
        here.accelerator.infer("classifier", PICTURE)
    here.accelerator.close()
    here.now += FIRST_WAIT
    here.accelerator._retry()
    assert not here.started[1].alive


def test_the_standby_answers_in_the_same_call_and_the_stage_says_so(world, caplog):
    here = world(lost(3), Process())
    here.accelerator.add("classifier")
    standby = ScriptedEngine([OTHER])
    stage = FailoverEngine(
        "classifier",
        "coral",
        NamedEngine("coral", OnAccelerator(here.accelerator, "classifier")),
        NamedEngine("tflite", standby),
    )
    with caplog.at_level(logging.INFO):
        assert stage.infer(PICTURE) is RIGHT
        assert (stage.describe(), stage.running, stage.reason) == ("coral", "coral", "")
        assert stage.infer(PICTURE) is OTHER
        down = "requested coral, running tflite: coral is down: device lost"
        assert (stage.describe(), stage.running) == (down, "tflite")
        here.now += FIRST_WAIT
        assert stage.infer(PICTURE) is OTHER  # this call brings it back
        assert stage.infer(PICTURE) is RIGHT
        assert stage.describe() == "coral"
    assert [record.message for record in caplog.records] == [
        "coral failed: device lost; trying it again in 2 s",
        f"classifier: {down}",
        "classifier: coral",
    ]
    stage.close()
    assert standby.closed


def test_without_a_standby_the_fault_is_raised(world):
    here = world(lost())
    here.accelerator.add("classifier")
    stage = FailoverEngine("classifier", "coral", NamedEngine("coral", OnAccelerator(here.accelerator, "classifier")))
    with pytest.raises(EngineError, match="device lost"):
        stage.infer(PICTURE)


def test_what_was_refused_and_what_was_measured_is_said():
    tflite = NamedEngine("tflite", ScriptedEngine([RIGHT]))
    assert FailoverEngine("detector", "tflite", tflite).describe() == "tflite"
    assert FailoverEngine("detector", "auto", tflite).describe() == "auto: tflite"
    measured = FailoverEngine("detector", "auto", tflite, measured="9.5 ms, fastest of 2")
    assert measured.describe() == "auto: tflite, 9.5 ms, fastest of 2"
    refused = FailoverEngine("detector", "coral", tflite, refused="libedgetpu.so.1 not found: install it")
    assert refused.describe() == "requested coral, running tflite: libedgetpu.so.1 not found: install it"
    assert refused.reason == "libedgetpu.so.1 not found: install it"
