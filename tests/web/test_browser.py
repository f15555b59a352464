"""The page and the door sign in a real browser: make test-web. Needs Chromium, chromedriver, selenium; or it skips."""

import os
import shutil
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from edge.core.labels import Mask
from edge.core.records import Decision, Event, Frame, Observation, Track
from edge.history.store import Row, Store
from edge.web import passwords, texts
from edge.web.server import PageServer
from edge.web.worker import Governor

if not os.environ.get("TEST_WEB"):
    pytest.skip("a browser takes a minute: make test-web", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
if not shutil.which("chromium") or not shutil.which("chromedriver"):
    pytest.skip("needs Debian's chromium and chromium-driver", allow_module_level=True)
pytest.importorskip("skimage", reason="the portrait comes with scikit-image")

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402

FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
AXE = Path(os.environ.get("AXE", ""))
SHOTS = Path(os.environ["SHOTS"]) if os.environ.get("SHOTS") else None
"""A folder for screenshots."""
SECRET = "correct horse battery"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pictures():
    from edge.cameras.synthetic import SyntheticCamera

    camera = SyntheticCamera(realtime=False)
    return [(camera.image_at(t), camera.face_at(t), camera.mask_on_at(t)) for t in (1.0, 2.0, 5.0, 6.0)]


@pytest.fixture
def serve(stand, pictures, chrome):
    """serve(...) -> a Stand with `url`, whose loop shows the portrait in the state `stand.mask`."""
    with ExitStack() as stack:

        def start(port=0, place=None, **options):
            place = place or stand(**options)
            place.mask, place.alert, place.report, place.stop = (
                Mask.ON,
                False,
                {"camera": "synthetic"},
                threading.Event(),
            )
            place.server = stack.enter_context(closing(PageServer(place.app, Governor(share=1e6), "127.0.0.1", port)))
            place.url = f"http://127.0.0.1:{place.server.port}"
            loop = threading.Thread(target=_loop, args=(place, pictures), daemon=True)
            loop.start()
            stack.callback(loop.join, 5)
            stack.callback(place.stop.set)
            return place

        chrome.get("about:blank")
        chrome.delete_all_cookies()
        chrome.get_log("browser")
        yield start


def _loop(place, pictures):
    index = 0
    while not place.stop.wait(0.1):
        index += 1
        place.clock.now += 0.1
        image, box, _ = next(p for p in pictures if p[2] is (place.mask is Mask.ON))
        tracks = [Track(1, box, 1.0, 9)] if place.mask else []
        decisions = [Decision(1, place.mask, 0.97, 0.0)] if place.mask else []
        seen = Observation(Frame(index, index / 10, image), tracks, decisions, min_face=20.0)
        place.show(seen, place.alert, **place.report)


def wait(what, seconds=20):
    """Until `what` is true; a browser says when it has drawn, a test does not know."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except Exception as error:
            last = error
            if time.monotonic() > end - 0.2:
                raise last from None
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def size(chrome, width, height):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def scheme(chrome, name):
    chrome.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]}
    )


def at(chrome, id):
    return chrome.find_element("id", id)


def type_into(chrome, id, text):
    """As a hand would, in one step: the editor is drawn anew after each change."""
    script = (
        "const e = document.getElementById(arguments[0]); if (!e || !e.offsetParent) return false;"
        "e.value = arguments[1]; e.dispatchEvent(new Event('change')); return true;"
    )
    wait(lambda: chrome.execute_script(script, id, text))


def shot(chrome, name):
    if SHOTS:
        chrome.save_screenshot(str(SHOTS / f"{name}.png"))


def findings(chrome):
    """What axe-core finds serious; the page's own policy lets no script in, so it comes by the debugger."""
    if not AXE.is_file():
        pytest.skip("AXE names no axe.min.js: make test-web fetches it from npm")
    chrome.execute_script(AXE.read_text(encoding="utf-8"))
    found = chrome.execute_async_script("axe.run().then(arguments[0])")
    return [
        (v["id"], [n["html"][:120] for n in v["nodes"]])
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]


def complaints(chrome):
    return [line["message"] for line in chrome.get_log("browser") if line["level"] == "SEVERE"]


@contextmanager
def nothing_foreign(chrome, place):
    """No request leaves for another site, and the console has no complaint."""
    yield
    names = chrome.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert [name for name in names if not name.startswith((place.url, "blob:" + place.url))] == []
    assert complaints(chrome) == []


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1920])
def test_the_page_fits_says_what_is_and_can_be_read_by_all(serve, chrome, width, colours):
    place = serve(lasting=False)
    place.hub.send(Event("decision", 1.0, Decision(1, Mask.ON, 0.9, 1.0)))
    size(chrome, width, 1000)
    scheme(chrome, colours)
    with nothing_foreign(chrome, place):
        chrome.get(place.url)
        wait(lambda: chrome.execute_script("return document.getElementById('preview').naturalWidth") == 640)
        wait(lambda: at(chrome, "state").text == "ok")
        wait(lambda: "mask #1, 97 %" in at(chrome, "people").text)
        wait(lambda: "#1 mask" in at(chrome, "events").text)
        assert "synthetic, 640" in at(chrome, "facts").text
        assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
        at(chrome, "aim").click()
        wait(lambda: "pixels" in at(chrome, "faces").text)
        shot(chrome, f"page-{colours}-{width}")
    assert findings(chrome) == []


def test_an_alert_and_a_lost_camera_are_seen_at_once(serve, chrome):
    place = serve(lasting=False)
    size(chrome, 1280, 800)
    chrome.get(place.url)
    place.mask, place.alert = Mask.OFF, True
    wait(lambda: at(chrome, "state").text == "no mask: alert")
    place.mask, place.alert, place.report = None, True, {"state": "camera lost", "detail": "no frame for 5 s"}
    wait(lambda: at(chrome, "state").text == "camera lost")
    assert "no frame for 5 s" in at(chrome, "notice").text
    assert at(chrome, "people").text == "unknown"
    wait(lambda: at(chrome, "nothing").is_displayed() and not at(chrome, "preview").is_displayed())
    place.alert, place.report = False, {}
    wait(lambda: at(chrome, "people").text == "nobody" and at(chrome, "preview").is_displayed())


def test_a_page_that_was_open_over_a_restart_begins_anew(serve, chrome):
    place = serve(lasting=False)
    chrome.get(place.url)
    for _ in range(3):
        place.hub.send(Event("decision", 1.0, Decision(7, Mask.ON, 0.9, 1.0)))
    wait(lambda: "#7 mask" in at(chrome, "events").text)
    place.hub.run, place.hub._count = "another", 0
    place.hub._told.clear()
    place.hub.send(Event("decision", 1.0, Decision(1, Mask.OFF, 0.9, 1.0)))
    wait(lambda: "#1 no mask" in at(chrome, "events").text)
    assert "#7" not in at(chrome, "events").text


def test_counts_are_drawn_over_the_hours_of_the_camera(serve, chrome, tmp_path):
    now = time.time() // 3600 * 3600
    store = Store(tmp_path / "h.db", 1000)
    outcomes = ["on", "on", "off", "incorrectly_worn", "unsure"]
    store.write(Row(i, now - 7200, now - 7190, outcome, None) for i, outcome in enumerate(outcomes))
    store.close()
    place = serve(lasting=False, overrides=[f"sinks.history.path={tmp_path / 'h.db'}"])
    size(chrome, 1280, 900)
    with nothing_foreign(chrome, place):
        chrome.get(place.url)
        wait(lambda: len(chrome.find_elements("css selector", "#chart rect")) == 4)
        hour = datetime.fromtimestamp(now - 7200)
        labels = [text.text for text in chrome.find_elements("css selector", "#chart text")]
        assert {"0", "2", "5"} <= set(labels)
        assert {f"{(hour.hour + i) % 24:02}:00" for i in range(3)} & set(labels)
        bars = chrome.find_elements("css selector", "#chart rect")
        left = chrome.execute_script("return document.getElementById('chart').getBoundingClientRect()")
        assert (bars[0].rect["x"] - left["x"] - 34) / (left["width"] - 34) == pytest.approx(22 / 25, abs=0.01)
        assert f"{hour:%Y-%m-%d %H}:00" in at(chrome, "counts").text
        shot(chrome, "history")


def test_what_others_write_is_text_and_nothing_else(serve, chrome):
    place, evil = serve(lasting=False), "<img src=x onerror=\"document.title='owned'\">"
    place.report = {"camera": evil, "state": "camera lost", "detail": evil}
    place.hub.send(Event("state", 1.0, state="camera lost", detail=evil))
    chrome.get(place.url)
    wait(lambda: evil in at(chrome, "events").text)
    wait(lambda: evil in at(chrome, "notice").text)
    assert chrome.title != "owned"


def test_login_refuses_the_wrong_password_and_takes_the_right_one(serve, chrome):
    place = serve(password=passwords.hashed(SECRET), lasting=False)
    size(chrome, 400, 800)
    chrome.get(place.url)
    assert chrome.current_url.endswith("/login")
    at(chrome, "password").send_keys("wrong password\n")
    wait(lambda: at(chrome, "problem").text == "wrong password")
    shot(chrome, "login")
    assert findings(chrome) == []
    at(chrome, "password").clear()
    at(chrome, "password").send_keys(SECRET + "\n")
    wait(lambda: at(chrome, "state").text == "ok")
    at(chrome, "logout").click()
    wait(lambda: chrome.current_url.endswith("/login"))
    chrome.get(place.url)
    assert chrome.current_url.endswith("/login")


def test_the_first_visit_sets_name_password_camera_and_tries_the_light(serve, chrome):
    place = serve(overrides=["sinks.gpio.driver=mock"])
    size(chrome, 400, 900)
    chrome.get(place.url)
    wait(lambda: at(chrome, "wizard").get_attribute("open") is not None)
    wait(lambda: at(chrome, "w-name").is_displayed())
    shot(chrome, "wizard")
    assert findings(chrome) == []
    at(chrome, "w-name").send_keys("front door")
    at(chrome, "w-next").click()
    wait(lambda: at(chrome, "w-password").is_displayed())
    at(chrome, "w-password").send_keys("short")
    at(chrome, "w-next").click()
    wait(lambda: "too short" in at(chrome, "w-problem").text)
    at(chrome, "w-password").clear()
    at(chrome, "w-password").send_keys(SECRET)
    at(chrome, "w-next").click()
    wait(lambda: "synthetic" in at(chrome, "w-cameras").text)
    at(chrome, "w-next").click()
    wait(lambda: at(chrome, "w-test").is_displayed())
    at(chrome, "w-test").click()
    wait(lambda: "gpio" in at(chrome, "w-tested").text)
    at(chrome, "w-next").click()
    wait(lambda: at(chrome, "wizard").get_attribute("open") is None)
    kept = place.editor.path.read_text()
    assert 'name = "front door"' in kept
    assert "scrypt:" in kept
    assert place.access.admits_password(SECRET)
    chrome.get(place.url)
    wait(lambda: at(chrome, "state").text == "ok")
    assert at(chrome, "wizard").get_attribute("open") is None


def test_a_setting_is_found_changed_and_refused(serve, chrome):
    place = serve(lasting=False)
    size(chrome, 1280, 1000)
    chrome.get(place.url)
    wait(lambda: len(chrome.find_elements("css selector", ".setting")) > 40)
    at(chrome, "find").send_keys("raise_after")
    type_into(chrome, "s-alerts.raise_after", "2.5")
    wait(lambda: "alerts.raise_after is saved" in at(chrome, "saved").text)
    assert place.read(place.editor.path).settings.alerts.raise_after == 2.5
    type_into(chrome, "s-alerts.raise_after", "-1")
    wait(lambda: "alerts.raise_after = -1" in at(chrome, "saved").text)
    assert place.read(place.editor.path).settings.alerts.raise_after == 2.5
    shot(chrome, "settings")
    assert findings(chrome) == []
    wait(lambda: at(chrome, "u-alerts.raise_after").click() or True)
    wait(lambda: "alerts.raise_after is as before" in at(chrome, "saved").text)
    wait(lambda: not chrome.find_elements("id", "u-alerts.raise_after"))
    assert at(chrome, "s-alerts.raise_after").get_attribute("value") == "1"


def aiming(serve, chrome):
    """The page with its aiming help open; the live picture, its width and height on the screen."""
    place = serve(lasting=False)
    size(chrome, 1280, 1000)
    chrome.get(place.url)
    wait(lambda: chrome.execute_script("return document.getElementById('preview').naturalWidth") == 640)
    at(chrome, "aim").click()
    wait(lambda: at(chrome, "r2").get_attribute("value") == "100")
    picture = at(chrome, "preview")
    return place, picture, picture.size["width"], picture.size["height"]


def test_the_part_that_counts_is_drawn_with_the_mouse(serve, chrome):
    place, picture, w, h = aiming(serve, chrome)
    drag = ActionChains(chrome).move_to_element_with_offset(picture, -w // 4, -h // 4).click_and_hold()
    drag.move_by_offset(w // 2, h // 2).release().perform()
    wait(lambda: at(chrome, "r0").get_attribute("value") == "25")
    shot(chrome, "region")
    at(chrome, "region-save").click()
    wait(lambda: "saved" in at(chrome, "done").text)
    saved = place.read(place.editor.path).settings.camera.region
    assert saved == pytest.approx([0.25, 0.25, 0.75, 0.75], abs=0.02)


def test_a_poster_is_covered_with_the_mouse_and_uncovered(serve, chrome):
    place, picture, w, h = aiming(serve, chrome)
    for number, across in enumerate((-w // 4, w // 8), 1):
        drag = ActionChains(chrome).move_to_element_with_offset(picture, across, -h // 4).click_and_hold()
        drag.move_by_offset(w // 8, h // 4).release().perform()
        wait(lambda: at(chrome, "r2").get_attribute("value") != "100")
        at(chrome, "cover").click()
        wait(lambda: at(chrome, "r2").get_attribute("value") == "100")
        wait(lambda n=number: len(place.read(place.editor.path).settings.camera.covered) == n)
        wait(lambda n=number: chrome.execute_async_script(COVERED) == n)
    first = place.read(place.editor.path).settings.camera.covered[0]
    assert first == pytest.approx([0.25, 0.25, 0.375, 0.5], abs=0.02)
    wait(lambda: at(chrome, "uncover").is_displayed())
    shot(chrome, "covered")
    at(chrome, "uncover").click()
    wait(lambda: place.read(place.editor.path).settings.camera.covered == [])
    assert findings(chrome) == []


COVERED = "fetch('/api/aim').then((answer) => answer.json()).then((said) => arguments[0](said.covered.length));"
"""The number of covered parts that the page is told."""


@pytest.mark.parametrize(("width", "height"), [(1024, 600), (600, 1024)])
def test_the_sign_says_what_is_in_every_language_and_all_of_it_fits(serve, chrome, width, height):
    place = serve(lasting=False)
    size(chrome, width, height)
    cases = {"thanks": (Mask.ON, False, {}), "please": (Mask.OFF, True, {}), "idle": (None, False, {})}
    cases["unavailable"] = (Mask.ON, False, {"state": "camera lost", "detail": "unplugged"})
    for language in texts.load():
        chrome.get(f"{place.url}/sign?lang={language}")
        for show, (place.mask, place.alert, place.report) in (
            cases.items() if language == "en" else [("please", cases["please"])]
        ):
            wait(lambda show=show: chrome.execute_script("return document.body.dataset.show") == show)
            said = texts.load()[language][show]
            wait(lambda said=said: at(chrome, "text").text.replace("\n", " ") == said)
            box = chrome.execute_script(
                "const t = document.getElementById('text');"
                "return [t.scrollWidth - t.clientWidth, t.scrollHeight - t.clientHeight,"
                " parseFloat(getComputedStyle(t).fontSize) / Math.min(innerWidth, innerHeight)]"
            )
            assert box[0] <= 1, (language, show)
            assert box[1] <= 1, (language, show)
            assert box[2] >= 0.08, f"{language}: letters of {box[2]:.0%} of the short side"
            if language == "en":
                shot(chrome, f"sign-{show}-{width}")
                assert findings(chrome) == []
    assert complaints(chrome) == []


def test_the_sign_says_that_the_connection_is_gone_and_comes_back_alone(serve, chrome):
    place = serve(lasting=False)
    size(chrome, 1024, 600)
    chrome.get(f"{place.url}/sign")
    wait(lambda: chrome.execute_script("return document.body.dataset.show") == "thanks")
    port = place.server.port
    place.server.close()
    wait(lambda: at(chrome, "text").text.replace("\n", " ") == "No connection to the camera")
    shot(chrome, "sign-disconnected")
    serve(port, place)
    wait(lambda: chrome.execute_script("return document.body.dataset.show") == "thanks")
