"""What the addresses answer."""

import asyncio
import io
import json
import logging
import zipfile
from dataclasses import replace
from datetime import date, datetime, timedelta

import cv2
import numpy as np
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from edge.core.labels import Mask
from edge.core.records import Decision, Event, Frame, Observation
from edge.web import api, openapi, stream
from edge.web.guard import ADMITTED
from tests.web.conftest import ADDRESS


def test_health_needs_a_fresh_verdict(stand, seen, masks):
    place = stand(overrides=["web.healthy_within=15"])
    assert place.client.get("/healthz").status_code == 503
    place.show(seen(masks.ON))
    assert place.client.get("/healthz").json() == {"healthy": True, "why": ""}
    place.clock.now += 14
    place.show(state="camera lost", detail="unplugged")
    assert place.client.get("/healthz").status_code == 200
    place.clock.now += 2
    answer = place.client.get("/healthz")
    assert answer.status_code == 503
    assert "unplugged" in answer.json()["why"]


def test_a_covered_lens_is_not_healthy(stand, seen):
    place = stand()
    place.show(seen())
    place.clock.now += 20
    place.show(seen(blind="cannot judge, too dark"), state="blind", detail="cannot judge, too dark")
    assert "too dark" in place.client.get("/healthz").json()["why"]


def test_status_tells_people_and_machine(stand, seen, masks):
    place = stand()
    place.show(seen(masks.OFF, None), alert=True, camera="synthetic", fps=12.5)
    said = place.client.get("/api/status").json()
    assert (said["state"], said["camera"], said["fps"], said["alert"]) == ("ok", "synthetic", 12.5, True)
    assert [(p["mask"], p["too_small"]) for p in said["people"]] == [("off", False), ("unsure", False)]
    assert said["people"][0]["box"] == [20, 80, 80, 140]
    assert said["board"]["disk_free"] > 0
    place.show(seen(masks.UNSURE, size=30, min_face=50))
    assert place.client.get("/api/status").json()["people"][0]["too_small"]


def test_while_the_camera_is_lost_nobody_is_said_to_be_there(stand, seen, masks):
    place = stand(overrides=["sinks.gpio.driver=mock"])
    place.show(seen(masks.OFF))
    assert place.client.get("/api/frame.jpg").status_code == 200
    assert place.client.post("/api/alert-test").status_code == 200
    place.show(state="camera lost", detail="stream 'rtsp://10.0.0.9/...' is silent")
    assert place.client.get("/api/status").json()["people"] == []
    assert "maskcam_people 0.0" in place.client.get("/metrics").text
    assert place.client.get("/api/aim").json()["blind"] == "stream 'rtsp://10.0.0.9/...' is silent"
    assert place.client.get("/api/frame.jpg").status_code == 204
    assert place.client.get("/api/sign").json() == {"show": "unavailable", "why": "camera lost"}, "for all to read"
    assert "'camera lost': the light shows that" in place.client.post("/api/alert-test").json()["error"]
    place.show(seen(masks.ON))
    assert len(place.client.get("/api/status").json()["people"]) == 1
    place.clock.now += 6
    assert "stands still" in place.client.post("/api/alert-test").json()["error"]


def test_what_is_no_face_is_nobody(stand, seen, masks):
    place, shown = stand(), seen(masks.ON, masks.UNSURE)
    thing = replace(shown.decisions[1], not_a_face=True)
    place.show(replace(shown, decisions=[shown.decisions[0], thing]))
    assert [person["track"] for person in place.client.get("/api/status").json()["people"]] == [0]
    assert [face["track"] for face in place.client.get("/api/aim").json()["faces"]] == [0]
    assert "maskcam_people 1.0" in place.client.get("/metrics").text
    assert place.client.get("/api/sign").json() == {"show": "thanks"}
    place.show(replace(shown, decisions=[thing]))
    assert place.client.get("/api/sign").json() == {"show": "idle"}


def test_the_camera_in_use_is_among_those_to_choose_from(stand):
    for source, shown in (("synthetic", "synthetic"), ("rtsp://me:hunter2@10.0.0.9/x?pw=1", "rtsp://10.0.0.9/***")):
        found = stand(overrides=[f"camera.source={source}"]).client.get("/api/cameras").json()["cameras"]
        assert [item["source"] for item in found if item["now"]] == [shown]
        assert found[-1]["source"] == "synthetic"


def test_a_first_visit_that_changed_nothing_is_over_too(stand):
    place = stand()
    assert place.client.get("/api/status").json()["setup"]
    assert place.client.patch("/api/settings", json={}).status_code == 200
    assert not place.client.get("/api/status").json()["setup"]
    assert place.reloads == 0


def test_before_the_first_frame_every_address_answers(stand):
    place = stand()
    for path in ("/api/status", "/api/aim", "/api/events", "/api/sign", "/metrics"):
        assert place.client.get(path).status_code == 200, path
    assert place.client.get("/api/frame.jpg").status_code == 204


def test_the_frame_is_drawn_once_for_all_who_look(stand, seen, masks, monkeypatch):
    place, drawn = stand(), []
    from edge.web import preview

    real = preview.annotate
    monkeypatch.setattr(preview, "annotate", lambda *what: drawn.append(1) or real(*what))
    place.show(seen(masks.ON, index=7))
    assert drawn == [], "nothing is drawn while nobody looks"
    first = place.client.get("/api/frame.jpg")
    image = cv2.imdecode(np.frombuffer(first.content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (240, 320, 3)
    assert place.client.get("/api/frame.jpg", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert len(drawn) == 1
    place.clock.now += 0.05
    place.show(seen(index=8))
    assert place.client.get("/api/frame.jpg").content == first.content, "faster than the limit"
    place.clock.now += 0.2
    place.show(seen(index=9))
    assert place.client.get("/api/frame.jpg").headers["etag"] == '"9"'
    assert len(drawn) == 2


def test_a_wide_picture_is_made_smaller(stand, seen):
    place = stand(overrides=["web.preview_width=200"])
    place.show(seen())
    image = cv2.imdecode(np.frombuffer(place.client.get("/api/frame.jpg?plain").content, np.uint8), 1)
    assert image.shape == (150, 200, 3)


def event(kind="decision", mask=Mask.OFF, t=2.0):
    return Event(kind, t, Decision(3, mask, 0.9, 1.0) if mask else None)


def test_events_come_with_number_and_time_of_the_clock(stand):
    place = stand()
    place.hub.send(event())
    place.hub.send(event("no_mask"))
    told = place.client.get("/api/events").json()["events"]
    assert [(e["number"], e["kind"], e["track"]) for e in told] == [(1, "decision", 3), (2, "no_mask", 3)]
    assert told[0]["time"].startswith("2026-05-28T")
    assert [e["number"] for e in place.client.get("/api/events?after=1").json()["events"]] == [2]
    assert place.client.get("/api/events?after=x").status_code == 422
    assert place.client.get("/api/events?after=" + "9" * 5000).status_code == 422


def listened(place, headers=(), count=2):
    """What a listener hears before it goes away: `count` chunks with something in them."""

    async def listen():
        raw = [(b"accept", b"text/event-stream"), *((k.encode(), v.encode()) for k, v in headers)]
        scope = {"type": "http", "method": "GET", "path": "/api/events", "query_string": b"", "headers": raw}
        scope[ADMITTED] = lambda: True
        answer = await stream.events(place.page, Request(scope))
        chunks = []
        async for chunk in answer.body_iterator:
            chunks.append(chunk.decode())
            if len(chunks) > count:
                await answer.body_iterator.aclose()
                return chunks[1:]

    return asyncio.run(listen())


def test_a_listener_hears_what_it_missed(stand):
    place = stand()
    for _ in range(3):
        place.hub.send(event())
    heard = listened(place, [("last-event-id", "1")])
    ids = [f"id: {place.hub.run}-{number}" for number in (2, 3)]
    assert [chunk.splitlines()[:2] for chunk in heard] == [[id, "event: decision"] for id in ids]
    assert listened(place, [("last-event-id", ids[0].removeprefix("id: "))], count=1)[0].startswith(ids[1])
    assert json.loads(heard[0].splitlines()[2].removeprefix("data: "))["track"] == 3
    assert stream._open["listeners"] == 0, "who has gone is not counted"


def test_numbers_of_an_earlier_run_do_not_make_a_listener_deaf(stand):
    place = stand()
    place.hub.send(event())
    for known in ("900", "0a1b2c3d-900", "0a1b2c3d-1"):
        assert listened(place, [("last-event-id", known)], count=1)[0].startswith(f"id: {place.hub.run}-1\n"), known


def test_a_program_notices_that_numbers_begin_anew(stand):
    first, second = stand(), stand()
    runs = [place.client.get(path).json()["run"] for place in (first, second) for path in ("/api/events", "/api/log")]
    assert runs[0] == runs[1] != runs[2] == runs[3]


def test_too_many_listeners_are_sent_away(stand, monkeypatch):
    monkeypatch.setitem(stream._open, "listeners", stream.LISTENERS)
    answer = stand().client.get("/api/events", headers={"accept": "text/event-stream"})
    assert answer.status_code == 503


def test_only_the_newest_events_are_kept(stand):
    place = stand()
    for _ in range(1000):
        place.hub.send(event())
    told = place.client.get("/api/events").json()["events"]
    assert (len(told), told[-1]["number"]) == (200, 1000)


def test_the_log_is_what_was_logged(stand):
    place = stand()
    logger = logging.getLogger("test of the page")
    logger.addHandler(place.log)
    try:
        logger.warning("the %s is lost", "camera")
        logger.warning("x" * 9000)
    finally:
        logger.removeHandler(place.log)
    lines = place.client.get("/api/log").json()["lines"]
    assert (lines[0]["text"], lines[0]["level"]) == ("the camera is lost", "warning")
    assert len(lines[1]["text"]) == 2000


@pytest.mark.parametrize(
    ("states", "alert", "report", "show"),
    [
        ((), False, {}, "idle"),
        ((), True, {}, "please"),
        ((Mask.ON,), False, {}, "thanks"),
        ((Mask.ON, Mask.ON), True, {}, "thanks"),
        ((Mask.ON, Mask.OFF), False, {}, "please"),
        ((Mask.UNSURE,), False, {}, "idle"),
        ((Mask.ON, Mask.UNSURE), False, {}, "idle"),
        ((Mask.ON,), False, {"state": "camera lost", "detail": "unplugged"}, "unavailable"),
        ((Mask.ON,), False, {"state": "blind"}, "unavailable"),
        ((Mask.ON,), False, {"state": "configuration error"}, "thanks"),
    ],
)
def test_the_sign_says_one_thing(stand, seen, states, alert, report, show):
    place = stand()
    place.show(seen(*states), alert, **report)
    assert place.client.get("/api/sign").json()["show"] == show


def test_the_sign_tells_a_mask_worn_incorrectly_from_none(stand, seen):
    place, bare = stand(), seen(Mask.OFF)
    wrong = [Decision(0, Mask.OFF, 0.9, 1.0, True)]
    place.show(Observation(bare.frame, bare.tracks, wrong))
    assert place.client.get("/api/sign").json()["show"] == "incorrectly"


def test_the_sign_believes_no_loop_that_has_stopped(stand, seen):
    place = stand()
    place.show(seen(Mask.ON))
    place.clock.now += 6
    assert place.client.get("/api/sign").json()["show"] == "unavailable"


def test_metrics_count_what_happened(stand, seen, masks):
    parser = pytest.importorskip("prometheus_client.parser")
    from edge.core.metrics import Timers

    ticks = iter([0.0, 0.004, 1.0, 1.3])
    timers = Timers(clock=lambda: next(ticks))
    for _ in range(2):
        with timers("detect"):
            pass
    place = stand()
    place.hub.send(event())
    place.hub.send(Event("decision", 1.0, Decision(1, Mask.OFF, 0.9, 1.0, True)))
    backends = {"detector": {"requested": "auto", "running": "tflite", "reason": ""}}
    report = {"state": "ok", "fps": 9.5, "frames": 12, "alerts": 1, "reopens": 2, "dropped": 3}
    place.hub.publish(seen(masks.OFF), True, report, backends, timers)
    text = place.client.get("/metrics").text
    found = {
        (s.name, *sorted(s.labels.items())): s.value
        for family in parser.text_string_to_metric_families(text)
        for s in family.samples
    }
    assert found["maskcam_fps",] == 9.5
    assert found["maskcam_frames_total",] == 12
    assert found["maskcam_reopens_total",] == 2
    assert found["maskcam_alert",] == 1
    assert found["maskcam_people",] == 1
    assert found["maskcam_decisions_total", ("outcome", "off")] == 1
    assert found["maskcam_decisions_total", ("outcome", "incorrectly_worn")] == 1
    assert found["maskcam_backend", ("network", "detector"), ("requested", "auto"), ("running", "tflite")] == 1
    buckets = {k[1][1]: v for k, v in found.items() if k[0] == "maskcam_stage_seconds_bucket"}
    assert (buckets["0.002"], buckets["0.005"], buckets["0.2"], buckets["+Inf"]) == (0, 1, 1, 2)
    assert found["maskcam_stage_seconds_sum", ("stage", "detect")] == pytest.approx(0.304)


def test_the_alert_test_reaches_lights_and_nobody_else(stand):
    class Sink:
        def __init__(self, name):
            self.name, self.heard = name, []

        def send(self, event):
            self.heard.append(event.kind)

    class Turn:
        class runtime:  # noqa: N801
            sinks = (Sink("sinks.gpio"), Sink("sinks.buzzer"), Sink("sinks.webhook"))

            class policy:  # noqa: N801
                active = False

    def step():
        for request in place.hub.requests():
            request(Turn)

    place = stand(overrides=["sinks.gpio.pin=4"])
    assert place.client.post("/api/alert-test").status_code == 200
    heard = [sink.heard for sink in Turn.runtime.sinks]
    step()
    assert heard == [["no_mask"], ["no_mask"], []]
    place.clock.now += 2.9
    step()
    assert heard[0] == ["no_mask"]
    place.clock.now += 0.2
    step()
    assert heard == [["no_mask", "all_clear"], ["no_mask", "all_clear"], []]
    Turn.runtime.policy.active = True
    place.client.post("/api/alert-test")
    step()
    place.clock.now += 3.1
    step()
    assert heard[0][2:] == ["no_mask"], "an alert that stands meanwhile stays"


def test_a_snooze_is_handed_to_the_loop(stand):
    place = stand()
    for given in ({}, {"seconds": 60}, {"seconds": 0}):
        assert place.client.post("/api/snooze", json=given).status_code == 202
    assert place.controls.snoozes() == [0.0], "the newest alone holds"
    for wrong in (-1, "x", True, 1e9, []):
        assert place.client.post("/api/snooze", json={"seconds": wrong}).status_code == 422
    assert place.controls.snoozes() == []


def test_that_was_wrong_is_handed_to_the_loop_where_pictures_are_collected(stand):
    place = stand()
    place.show(collecting=None)
    assert place.client.post("/api/wrong", json={}).status_code == 422
    assert not place.controls.said_wrong()
    place.show(collecting={"folder": "/media/stick", "pictures": 3, "problem": ""})
    assert place.client.get("/api/status").json()["collecting"]["pictures"] == 3
    assert place.client.post("/api/wrong", json={}).status_code == 202
    assert (place.controls.said_wrong(), place.controls.said_wrong()) == (True, False)


def test_history_is_what_the_history_keeps(stand, tmp_path):
    assert stand().client.get("/api/history").json() == {"kept": False, "by": "hour", "counts": []}
    place = stand(overrides=[f"sinks.history.path={tmp_path}/h.db"])
    said = place.client.get("/api/history?since=7d").json()
    assert (said["kept"], said["by"], said["counts"]) == (True, "day", [])
    assert date.fromisoformat(said["end"]) - date.fromisoformat(said["begin"]) == timedelta(days=7)
    said = place.client.get("/api/history?since=24h").json()
    assert datetime.fromisoformat(said["end"]) - datetime.fromisoformat(said["begin"]) == timedelta(days=1)
    (tmp_path / "h.db").write_bytes(b"no database" * 500)
    answer = place.client.get("/api/history")
    assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (422, True), "not: nobody came"
    for wrong in ("since=x", "since=99999h", "by=year"):
        assert place.client.get(f"/api/history?{wrong}").status_code == 422


def test_figures_that_come_all_the_time_push_no_event_out(stand):
    place = stand()
    place.hub.send(event())
    for _ in range(500):
        place.hub.send(Event("counts", 1.0))
    assert [told["kind"] for told in place.client.get("/api/events").json()["events"]] == ["decision"]


def test_without_a_light_there_is_nothing_to_test(stand):
    assert "sinks.gpio" in stand().client.post("/api/alert-test").json()["error"]


def test_the_support_file_has_no_secret_and_no_picture(stand, seen):
    overrides = [
        "camera.source=rtsp://admin:hunter2@10.0.0.9/live?pw=hunter2",
        "sinks.webhook.url=https://u:hunter2@x/",
    ]
    place = stand(overrides=overrides, examine=lambda: [{"name": "disk", "state": "ok", "found": "much", "remedy": ""}])
    place.show(seen())
    answer = place.client.get("/api/support")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        names, texts = found.namelist(), [found.read(name).decode() for name in found.namelist()]
    assert names == ["versions.txt", "doctor.json", "settings.txt", "log.txt", "status.json"]
    assert not any("hunter2" in text for text in texts)
    assert any("camera.source" in text for text in texts)
    assert "much" in texts[1]


def test_bodies_that_are_not_what_they_should_be(stand):
    client = stand().client
    for body in ("", "{", "[1]", "null", "[" * 100_000, '{"a": NaN}', "\xff", '{"camera.width": 1e999}'):
        answer = client.patch("/api/settings", content=body.encode("latin1"))
        assert answer.status_code in (200, 400, 422), body[:20]
    assert client.patch("/api/settings", content=b" " * (api.LARGEST + 1)).status_code == 422
    assert client.request("PUT", "/api/settings").status_code == 405
    assert client.get("/api/nothing").json()["error"].startswith("nothing here")


def test_the_document_describes_every_address_and_is_valid(stand):
    validate = pytest.importorskip("openapi_spec_validator").validate
    place = stand()
    document = place.client.get("/api/openapi.json").json()
    validate(document)
    described = {(path, method.upper()) for path, found in document["paths"].items() for method in found}
    answered = {(path, method) for path, method, _ in [*api.ROUTES, *stream.ROUTES]}
    assert described == answered | {("/api/openapi.json", "GET")}
    assert openapi.document(place.access.cookie) == document


def test_aiming_tells_what_is_wrong(stand, seen):
    place = stand()
    dark = np.full((240, 320, 3), 10, np.uint8)
    place.show(seen(Mask.UNSURE, size=12, image=dark))
    (face,) = place.client.get("/api/aim").json()["faces"]
    assert (face["width"], face["height"], face["brightness"]) == (12, 12, 10)
    assert [problem.split(":")[0] for problem in face["problems"]] == ["too far", "too dark"]
    place.show(seen(Mask.ON, size=60))
    assert place.client.get("/api/aim").json()["faces"][0]["problems"] == []


@pytest.mark.parametrize("turn", [-30, 30])
def test_a_face_that_is_tilted_is_called_so(turn):
    pytest.importorskip("skimage", reason="the portrait comes with scikit-image")
    from edge.cameras.synthetic import SyntheticCamera
    from edge.web import aim

    camera = SyntheticCamera(realtime=False)
    image, box = camera.image_at(1.0), camera.face_at(1.0)
    matrix = cv2.getRotationMatrix2D(box.centre, -turn, 1.0)
    turned = cv2.warpAffine(image, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)
    assert aim.tilt(image, box) == pytest.approx(0, abs=10)
    assert aim.tilt(turned, box) == pytest.approx(turn, abs=10)
    assert any("tilted" in p for p in aim.advice(Observation(Frame(0, 0.0, turned), [_track(box)], []))[0]["problems"])


def _track(box):
    from edge.core.records import Track

    return Track(1, box, 1.0, 5)


def test_a_mistake_of_ours_is_said_to_the_caller_and_in_the_log(stand, monkeypatch, caplog):
    place = stand()
    monkeypatch.setattr(place.hub, "told", lambda after: 1 / 0)
    quiet = TestClient(place.app, ADDRESS, raise_server_exceptions=False)
    answer = quiet.get("/api/events")
    assert (answer.status_code, answer.json()["error"]) == (500, "an error in maskcam; the log has the details")
    assert "the page: GET /api/events: ZeroDivisionError: division by zero" in caplog.text
