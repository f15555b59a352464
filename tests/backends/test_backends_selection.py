"""Which engine a stage gets, and what is said of those that it did not get."""

from contextlib import ExitStack

import numpy as np
import pytest

from edge.backends.registry import Backend
from edge.backends.selection import opener as selection
from edge.backends.selection.opener import Opener
from edge.backends.selection.probe import ProbeResult
from edge.config import settings as defaults
from edge.core.errors import EngineError, MissingPackage
from edge.testing.defaults import with_defaults
from edge.testing.engine import ScriptedEngine
from edge.vision import bundle

Opener = with_defaults(Opener, defaults.Backend())


@pytest.fixture
def loaded(tmp_path, write_bundle):
    return bundle.load(write_bundle(tmp_path / "b"))


class Engines:
    """Engines by target; what is not there cannot be opened."""

    def __init__(self, **answers) -> None:
        self.answers, self.opened = answers, []

    def resolve(self, target):
        def open(loaded, network, threads, device):
            answer = self.answers[target]
            if isinstance(answer, Exception):
                raise answer
            with np.load(loaded.known_answer(network)) as known:
                engine = ScriptedEngine([[known[name] + answer for name in loaded.networks[network].outputs]])
            self.opened.append((target, network, engine))
            return engine

        return open


@pytest.fixture
def opener(loaded):
    """opener(engines, **options): candidates "fast", "slow" and "fake"; "apart" needs a process of its own."""
    candidates = {
        name: Backend(name, name, isolated=name == "apart", auto=name != "fake")
        for name in ("fast", "apart", "slow", "fake")
    }
    with ExitStack() as stack:
        yield lambda engines, **options: Opener(candidates, loaded, engines.resolve, stack, **options)


ZERO = np.float32(0)


def test_a_name_gets_that_engine(opener):
    engines = Engines(fast=ZERO, slow=ZERO, fake=ZERO)
    assert opener(engines).open("detector", "slow").describe() == "slow"
    assert opener(engines).open("detector", "fake").describe() == "fake"


def test_a_shape_that_begins_to_answer_wrong_is_found_out_by_its_own_known_answer(
    tmp_path, write_bundle, bundle_shape, monkeypatch
):
    """And not by that of the first shape, which may go on being right."""
    loaded = bundle.load(write_bundle(tmp_path / "b", detector={"shapes": [bundle_shape(32, 64)]}))
    monkeypatch.setattr("edge.backends.watched.CHECK_EVERY", 0.0)
    engines = Engines(fast=ZERO)
    with ExitStack() as stack:
        opener = Opener({"fast": Backend("fast", "fast")}, loaded, engines.resolve, stack, strict=True)
        stage = opener.open("detector", "fast")
        tall = np.zeros((64, 32, 3), np.uint8)
        stage.infer(tall)
        assert [name for _, name, _ in engines.opened] == ["detector", "detector-32x64"]
        right = engines.opened[1][2]
        right._answers = [[values + 1 for values in right._answers[0]]]
        with pytest.raises(EngineError, match=r"wrong answer: detector-32x64\."):
            stage.infer(tall)
        assert "detector-32x64" in stage.reason


def test_auto_without_a_probe_takes_the_first_that_opens(opener):
    engines = Engines(fast=MissingPackage("cv2", "cpu"), slow=ZERO)
    stage = opener(engines).open("detector", "auto")
    assert stage.describe().startswith("requested auto, running slow: package 'cv2' is not installed")
    assert opener(Engines(fast=ZERO, slow=ZERO)).open("detector", "auto").describe() == "auto: fast"


def test_auto_takes_the_fastest_of_each_stage(opener):
    rows = [
        ProbeResult("detector", "fast", 9.0, ""),
        ProbeResult("detector", "slow", 3.0, ""),
        ProbeResult("classifier", "fast", 1.0, ""),
        ProbeResult("classifier", "slow", None, "wrong answer: ..."),
    ]
    opening = opener(Engines(fast=ZERO, slow=ZERO), rows=rows)
    assert opening.open("detector", "auto").describe() == "auto: slow, 3.0 ms, fastest of 2"
    assert opening.open("classifier", "auto").describe() == "auto: fast, 1.0 ms, fastest of 1"


def test_an_engine_that_is_not_to_be_had_is_replaced_and_the_reason_said(opener):
    engines = Engines(slow=EngineError("no such library"), fast=ZERO)
    stage = opener(engines).open("classifier", "slow")
    assert stage.describe() == "requested slow, running fast: no such library"


def test_a_wrong_answer_is_as_bad_as_none_and_its_engine_is_closed(opener):
    engines = Engines(slow=np.float32(1), fast=ZERO)
    stage = opener(engines).open("classifier", "slow")
    assert stage.describe().startswith("requested slow, running fast: wrong answer: classifier.probabilities differs")
    assert [engine.closed for target, _, engine in engines.opened] == [True, False]


def test_strict_refuses_the_replacement(opener):
    engines = Engines(slow=EngineError("no such library"), fast=ZERO)
    with pytest.raises(EngineError, match="no such library"):
        opener(engines, strict=True).open("classifier", "slow")


def test_when_nothing_opens_the_reason_of_the_first_is_raised(opener):
    engines = Engines(slow=EngineError("first"), fast=EngineError("second"))
    with pytest.raises(EngineError, match="first"):
        opener(engines).open("classifier", "slow")


def test_the_fake_is_never_a_replacement(opener):
    engines = Engines(slow=EngineError("slow"), fast=EngineError("fast"), fake=ZERO)
    with pytest.raises(EngineError):
        opener(engines).open("classifier", "slow")


class Process:
    """In the place of `ProcessEngine`: the bundle's known answer, once, then the device is lost."""

    started: list["Process"]

    def __init__(self, name, target, loaded, threads, device) -> None:
        self.loaded, self.alive, self.left = loaded, True, 2
        self.networks: list[str] = []
        self.started.append(self)

    def open(self, network, timeout):
        self.networks.append(network)

    def infer(self, network, image, timeout):
        self.left -= 1
        if len(self.networks) == 2 and self.left < -2:
            raise EngineError("device lost")
        with np.load(self.loaded.known_answer(network)) as known:
            return [known[name] for name in getattr(self.loaded, network).outputs]

    def close(self, grace=1.0):
        self.alive = False


@pytest.fixture
def processes(monkeypatch):
    monkeypatch.setattr(Process, "started", [], raising=False)
    monkeypatch.setattr(selection, "ProcessEngine", Process)
    return Process.started


def test_both_stages_share_the_process_of_a_device_and_lose_it_together(opener, processes, loaded):
    opening = opener(Engines(fast=ZERO, slow=ZERO))
    stages = {network: opening.open(network, "apart") for network in ("detector", "classifier")}
    assert [stage.describe() for stage in stages.values()] == ["apart", "apart"]
    (process,) = processes
    assert process.networks == ["detector", "classifier"]
    stages["detector"].infer(np.zeros((32, 64, 3), np.uint8))
    assert not process.alive
    for stage in stages.values():
        assert stage.describe() == "requested apart, running fast: apart is down: device lost"
    stages["classifier"].infer(np.zeros((32, 32, 3), np.uint8))


def test_a_strict_device_has_no_standby(opener, processes):
    engines = Engines(fast=ZERO, slow=ZERO)
    opening = opener(engines, strict=True)
    stages = {network: opening.open(network, "apart") for network in ("detector", "classifier")}
    with pytest.raises(EngineError, match="device lost"):
        stages["detector"].infer(np.zeros((32, 64, 3), np.uint8))
    assert engines.opened == []


def test_strict_leaves_auto_its_standby_for_nothing_else_was_asked_for(opener, processes):
    rows = [ProbeResult("detector", "apart", 1.0, ""), ProbeResult("detector", "fast", 9.0, "")]
    stage = opener(Engines(fast=ZERO), rows=rows, strict=True).open("detector", "auto")
    assert stage.running == "apart"
    processes[0].alive, processes[0].networks = False, ["", ""]
    processes[0].left = -2
    stage.infer(np.zeros((32, 64, 3), np.uint8))
    assert stage.describe() == "requested auto, running fast: apart is down: device lost"
