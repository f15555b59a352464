"""Settings that are changed on the page: a file of their own, nothing that is wrong, nothing that opens the house."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest


def value(place, key):
    return next(item for item in place.client.get("/api/settings").json()["settings"] if item["key"] == key)


def test_every_setting_says_what_it_is(stand):
    place = stand()
    width = value(place, "camera.width")
    assert (width["value"], width["default"], width["unit"], width["limits"]) == (
        640,
        640,
        "px",
        {"min": 64, "max": 7680},
    )
    assert value(place, "camera.flip")["choices"] == ["none", "horizontal", "vertical"]
    assert value(place, "sinks.gpio.pin")["on"] is False
    assert value(place, "web.port")["editable"] is False


def test_a_change_is_kept_beside_the_files_and_taken_up(stand):
    place = stand()
    place.file.write_text("[camera]\nwidth = 800\nheight = 600\n")
    answer = place.client.patch("/api/settings", json={"camera.width": 1280, "alerts.raise_after": 2})
    assert answer.json() == {"saved": ["camera.width", "alerts.raise_after"], "restart": [], "lasting": True}
    assert place.reloads == 1
    assert (value(place, "camera.width")["value"], value(place, "camera.height")["value"]) == (1280, 600)
    assert value(place, "alerts.raise_after")["value"] == 2.0
    assert place.file.read_text().count("800") == 1, "the user's own file stays as it is"
    assert [value(place, key)["page"] for key in ("camera.width", "camera.height")] == [True, False]
    place.client.patch("/api/settings", json={"camera.width": None})
    assert not value(place, "camera.width")["page"]
    assert value(place, "camera.width")["value"] == 800
    assert value(place, "alerts.raise_after")["value"] == 2.0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"camera.width": 5}, "camera.width = 5"),
        ({"camera.width": "640"}, "camera.width"),
        ({"camera.widht": 640}, "no such setting"),
        ({"camera": {"width": 640}}, "no such setting"),
        ({"camera.region": [0.5, 0, 0.2, 1]}, "region"),
        ({"camera.width": 640, "camera.rotation": 45}, "camera.rotation"),
        ({"alerts.raise_after": True}, "alerts.raise_after"),
        ({"": 1}, "no such setting"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_changed(stand, values, said):
    place = stand()
    answer = place.client.patch("/api/settings", json=values)
    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert "/tmp" not in answer.json()["error"]
    assert not place.editor.path.exists()
    assert place.reloads == 0
    assert [path.name for path in place.editor.path.parent.iterdir()] == ["base.toml"]


@pytest.mark.parametrize(
    ("key", "new"),
    [
        ("sinks.command.argv", ["sh", "-c", "id"]),
        ("update.key", "RWQ"),
        ("sinks.journal.path", "/etc/passwd"),
        ("sinks.jsonl.path", "/etc/passwd"),
        ("web.address", "0.0.0.0"),
        ("web.password", ""),
        ("model.bundle", "/tmp/evil"),
        ("sinks.mqtt.password_file", "/etc/shadow"),
        ("camera.source", "/etc/passwd"),
        ("camera.source", "../../secret.mp4"),
        ("camera.source", "/dev/../etc/passwd"),
        *(
            ("camera.source", f"{scheme}/etc/passwd")
            for scheme in ("file://", "FILE://", "concat:x://", "data://", "://")
        ),
        ("sinks.history.path", "/var/lib/maskcam/page.key"),
    ],
)
def test_a_browser_cannot_run_write_read_or_open_anything(stand, key, new):
    place = stand()
    answer = place.client.patch("/api/settings", json={key: new})
    assert answer.status_code == 422
    assert not place.editor.path.exists()


def test_a_camera_is_chosen_by_its_name(stand):
    place = stand()
    place.overrides.remove("camera.source=synthetic")
    for given, kept in (
        ("0", 0),
        ("/dev/v4l/by-id/usb-x", "/dev/v4l/by-id/usb-x"),
        ("rtsp://10.0.0.9/", "rtsp://10.0.0.9/"),
    ):
        assert place.client.patch("/api/settings", json={"camera.source": given}).status_code == 200
        assert place.read(place.editor.path).settings.camera.source == kept


def test_stars_are_no_password(stand):
    place = stand(overrides=["sinks.webhook.url=https://me:hunter2@example.org/"])
    shown = value(place, "sinks.webhook.url")["value"]
    assert "hunter2" not in shown
    answer = place.client.patch("/api/settings", json={"sinks.webhook.url": shown})
    assert answer.status_code == 422


def test_texts_that_would_break_the_file_do_not(stand):
    place = stand()
    for text in ('a"b\\', "ä🎭", "# not a comment", "''' \"\"\""):
        assert place.client.patch("/api/settings", json={"sinks.webhook.url": "http://" + text}).status_code == 200
        assert place.read(place.editor.path).settings.sinks.webhook.url == "http://" + text
    for text in ("a\n[update]", "a\0b", "\x1b[2J", "x\x7f", "half a character: \ud83c"):
        answer = place.client.patch("/api/settings", content=json.dumps({"sinks.webhook.url": "http://" + text}))
        assert answer.status_code == 422, answer.text


def test_a_folder_that_cannot_be_written_is_said(stand):
    place = stand()
    place.editor.path = place.editor.path.parent / "nowhere" / "page.toml"
    answer = place.client.patch("/api/settings", json={"camera.width": 800})
    assert answer.status_code == 422
    assert "cannot be written" in answer.json()["error"]


ODD = (
    "\ud800",
    "a\0b",
    [[1]],
    {"a": {"b": [{}]}},
    {"a": None},
    10**400,
    -(10**400),
    [float("1e308")] * 4,
    True,
    "x" * 60000,
)


@pytest.mark.parametrize(
    "key", ["device.name", "camera.region", "camera.source", "alerts.cooldown", "web.names", "\ud800"]
)
def test_whatever_stands_in_a_value_is_taken_or_refused_in_words(stand, key):
    place = stand()
    for odd in ODD:
        answer = place.client.patch("/api/settings", content=json.dumps({key: odd}))
        assert answer.status_code in (200, 422), (odd, answer.text)
        assert len(answer.text) < 600, odd
        place.read(place.editor.path)


@pytest.mark.fault("two browsers change settings", "six threads at once", "every change is kept", "-")
def test_what_several_change_at_once_is_all_kept(stand):
    place = stand()
    keys = ["alerts.cooldown", "alerts.clear_after", "alerts.raise_after", "camera.fps", "tracker.smoothing"]

    def change(key):
        for number in range(5):
            place.editor.change({key: 2.0 + number})

    with ThreadPoolExecutor(len(keys)) as threads:
        list(threads.map(change, keys))
    text = place.editor.path.read_text()
    assert all(f"{key.partition('.')[2]} = 6.0" in text for key in keys), text
    assert sorted(path.name for path in place.editor.path.parent.iterdir()) == ["base.toml", "page.toml"]
