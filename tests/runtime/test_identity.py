"""Who speaks, and when: names, ids and the clock."""

import socket

import pytest

from edge import __version__
from edge.core.records import Event, Origin
from edge.runtime.identity import Stamper, device_id, mqtt_topic, origin

HOST = socket.gethostname()


def test_every_event_gets_the_next_number_and_the_time():
    now = [100.0]
    stamp = Stamper(Origin("door"), lambda: now[0], lambda: True)
    first = stamp(Event("all_clear", 1.0)).stamp
    now[0] = 105.0
    stamp.origin = Origin("gate")
    second = stamp(Event("all_clear", 6.0)).stamp
    run = first.id.partition("-")[0]
    assert (first.id, second.id) == (f"{run}-1", f"{run}-2")
    assert (first.time, second.time, second.clock_set) == (100.0, 105.0, True)
    assert (first.origin.device, second.origin.device) == ("door", "gate")
    assert Stamper(Origin("door"))(Event("all_clear", 1.0)).stamp.id.partition("-")[0] != run


def test_a_recording_has_no_time():
    stamp = Stamper(Origin("door"), None)(Event("all_clear", 1.0)).stamp
    assert (stamp.time, stamp.clock_set) == (None, None)


def test_without_a_name_it_is_the_host():
    assert origin() == Origin(HOST, "", __version__)
    assert origin("door", "left", "b").device == "door"


@pytest.mark.parametrize(
    ("wanted", "device", "camera", "topic"),
    [
        ("", "", "", "maskcam"),
        ("", "Shop 3", "", "maskcam/Shop-3"),
        ("", "", "Tür/2", "maskcam/Tür-2"),
        ("", "shop", "left+", "maskcam/shop/left-"),
        ("", "Tür 🚪", "a\uffffb\ufdd0\x01\U0001fffec", "maskcam/Tür-🚪/a-b-c"),
        ("door", "shop", "left", "door"),
        ("a/{device}/{camera}", "shop", "left", "a/shop/left"),
        ("a/{device}/{camera}", "", "", f"a/{HOST}/camera"),
    ],
)
def test_topics(wanted, device, camera, topic):
    assert mqtt_topic(wanted, device, camera) == topic


def test_the_id_of_a_board_stays_and_tells_nothing(tmp_path):
    def board(name, **files):
        for path, text in files.items():
            target = tmp_path / name / path.replace("__", "/").replace("_", "-")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return device_id(tmp_path / name)

    machine, serial = {"etc__machine_id": "abc\n"}, {"proc__device_tree__serial_number": "10000000deadbeef\0"}
    ids = [board("a", **machine), board("b", **serial, **machine), board("c", **serial, etc__machine_id="other")]
    assert ids[0] != ids[1] == ids[2]
    assert len(ids[0]) == 16
    assert "abc" not in ids[0]
    assert board("d", etc__machine_id="uninitialized\n", proc__device_tree__serial_number="00000000\0") == device_id(
        tmp_path / "nothing"
    )
