"""Which sinks the settings switch on, live and in a replay."""

from contextlib import closing

import pytest

from edge import assemble
from edge.config.settings import Buzzer, Command, Gpio, Jsonl, Mqtt, Settings, Sinks, Webhook
from edge.core.records import Event
from edge.sinks.gpio import GpioSink
from edge.sinks.isolated import Isolated
from edge.sinks.jsonl import JsonlSink
from edge.sinks.log import LogSink
from edge.sinks.patterns import OFF
from edge.sinks.registry import kinds
from edge.testing.sink import MemorySink

EVERY = Sinks(
    memory=True,
    jsonl=Jsonl(),
    gpio=Gpio(driver="mock"),
    buzzer=Buzzer(driver="mock"),
    webhook=Webhook(),
    command=Command(),
    mqtt=Mqtt(),
)


@pytest.fixture
def chosen():
    """The sinks of some settings, closed at the end."""
    opened = []

    def choose(sinks, live):
        opened.append(assemble.Assembly(live))
        return opened[-1].sinks(Settings(sinks=sinks))

    yield choose
    for assembly in opened:
        assembly.close()


def test_every_section_of_the_settings_has_a_sink():
    assert set(Sinks.model_fields) == {"log", "memory", *kinds()}


def test_live_all_that_can_fail_stands_behind_a_thread(chosen):
    log, memory, *rest = chosen(EVERY.model_copy(update={"mqtt": None}), live=True)
    assert (type(log), type(memory)) == (LogSink, MemorySink)
    assert {type(sink) for sink in rest} == {Isolated}
    names = ["sinks.jsonl", "sinks.gpio", "sinks.buzzer", "sinks.webhook", "sinks.command"]
    assert sorted(sink.name for sink in rest) == sorted(names)


def test_a_replay_reaches_nobody(chosen):
    kinds = [type(sink) for sink in chosen(EVERY, live=False)]
    assert sorted(kind.__name__ for kind in kinds) == sorted(
        kind.__name__ for kind in (LogSink, MemorySink, JsonlSink, GpioSink, GpioSink)
    )


def test_a_replay_runs_with_the_settings_of_a_device(chosen):
    assert chosen(Sinks(log=False, gpio=Gpio(driver="gpiozero"), buzzer=Buzzer(driver="gpiod")), live=False) == []


def test_a_pin_that_cannot_be_had_stops_nothing_live(chosen, caplog):
    sinks = chosen(Sinks(log=False, gpio=Gpio(driver="gpiod", pin="no such line")), live=True)
    sinks[0].send(Event("no_mask", 1.0))
    sinks[0].close()
    assert sinks[0].failed == 1
    assert "sinks.gpio: pin 'no such line' cannot be opened by gpiod" in caplog.text


def test_the_settings_of_a_light_arrive():
    settings = Gpio(
        driver="mock", pin="GPIO4", active_high=False, heartbeat=False, lit_when_stopped=True, announce=False
    )
    with closing(assemble.sink("gpio", settings, live=True)) as light:
        assert (light.name, light.pin.active_high) == ("LED GPIO4 (mock, no pin)", False)
        assert light.advance(0.0) == pytest.approx(0.2)  # the self-test
        for now in (0.3, 0.6, 0.9, 1.2):
            light.advance(now)
        light.send(Event("state", 0.0, state="ok"))
        assert light.pattern == OFF
    assert light.pin.levels[-1] is False  # lit
    with closing(assemble.sink("gpio", Gpio(driver="mock"), live=False)) as light:
        assert light.advance(0.0) is None  # no self-test


def test_a_webhook_and_a_program_hear_the_kinds_they_are_for(chosen, monkeypatch):
    heard = {"webhook": [], "command": []}
    for name in heard:

        def open(_name=name, **arguments):
            sink = MemorySink()
            heard[_name] = sink.events
            return sink

        monkeypatch.setattr(f"edge.sinks.{name}.{name.capitalize()}Sink", open)
    sinks = chosen(Sinks(log=False, webhook=Webhook(kinds=["all_clear", "state"]), command=Command()), live=True)
    for event in (
        story := [Event("decision", 0.0), Event("no_mask", 1.0), Event("all_clear", 2.0), Event("state", 3.0)]
    ):
        for sink in sinks:
            sink.send(event)
    for sink in sinks:
        sink.close()
    assert heard == {"webhook": story[2:], "command": [story[1]]}
