"""The labelling page in a real browser: make test-web. Needs Chromium, chromedriver, selenium; or it skips."""

import json
import os
import shutil
import threading
import time

import cv2
import numpy as np
import pytest

if not os.environ.get("TEST_WEB"):
    pytest.skip("a browser takes a minute: make test-web", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
if not shutil.which("chromium") or not shutil.which("chromedriver"):
    pytest.skip("needs Debian's chromium and chromium-driver", allow_module_level=True)

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402

from edge.vision import bundle  # noqa: E402
from tests.train import doors  # noqa: E402
from train.labelling import page  # noqa: E402


@pytest.fixture
def opened(tmp_path):
    """A browser at the page of three drawn people, one per picture; and the folder."""
    for k in range(3):
        image, _ = doors.person(np.random.default_rng([9, k]), False)
        cv2.imwrite(str(tmp_path / f"{k}.png"), image[..., ::-1])
    address = []
    arguments = tmp_path, bundle.shipped(), 0, address.append
    threading.Thread(target=page.run, args=arguments, daemon=True).start()
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(60)
    driver.get(address[0])
    until(driver, lambda: driver.find_elements("css selector", "#faces button"))
    yield driver, tmp_path
    driver.quit()


def until(driver, holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, driver.get_log("browser")
        time.sleep(0.1)


def said(driver, element):
    return driver.find_element("id", element).text


def press(driver, keys, count):
    ActionChains(driver).send_keys(keys).perform()
    until(driver, lambda: said(driver, "count") == f"{count} of 3 labelled")


def test_keys_label_a_drawn_box_counts_and_undo_goes_back(opened):
    driver, folder = opened
    press(driver, "2", 1)
    until(driver, lambda: driver.find_elements("css selector", "#faces button"))
    press(driver, "1", 2)
    press(driver, "u", 1)
    canvas = driver.find_element("id", "canvas")
    corner = -canvas.size["width"] // 2 + 30, -canvas.size["height"] // 2 + 30
    drag = ActionChains(driver).move_to_element_with_offset(canvas, *corner).click_and_hold()
    drag.move_by_offset(60, 80).release().perform()
    until(driver, lambda: len(driver.find_elements("css selector", "#faces button")) == 2)
    ActionChains(driver).send_keys("4").perform()
    press(driver, "2", 2)
    until(driver, lambda: driver.find_elements("css selector", "#faces button"))
    press(driver, "3", 3)
    until(driver, lambda: "tune" in said(driver, "about"))
    content = json.loads((folder / "coco.json").read_text())
    assert sorted(a["category_id"] for a in content["annotations"]) == [2, 2, 3, 5]
    (drawn,) = [a for a in content["annotations"] if a["category_id"] == 5]
    assert drawn["bbox"] == pytest.approx([30, 30, 60, 80], abs=3)
    assert [line for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []
