"""What Prometheus itself says of the metrics, the alert rules and the dashboard's queries."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from edge.core.labels import Mask
from edge.web.passwords import hashed
from edge.web.server import PageServer
from edge.web.worker import Governor

CONFIGS = Path(__file__).parents[2] / "configs" / "prometheus"

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: apt install prometheus"
)


def run(*arguments, text=""):
    done = subprocess.run(["promtool", *map(str, arguments)], input=text, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def expressions():
    dashboard = json.loads((CONFIGS / "grafana.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = re.findall(r"expr: (.*)", (CONFIGS / "alerts.yml").read_text())
    return [expression.replace("$instance", ".*") for expression in [*found, *rules]]


@promtool
def test_promtool_finds_nothing_in_the_metrics(stand, seen):
    place = stand()
    place.show(seen(Mask.ON), frames=3)
    code, said = run("check", "metrics", text=place.client.get("/metrics").text)
    assert (code, said) == (0, "")


@promtool
def test_promtool_takes_the_rules_and_every_query_of_the_dashboard(tmp_path):
    code, said = run("check", "rules", CONFIGS / "alerts.yml")
    assert code == 0, said
    rules = [{"record": f"r:{i}", "expr": expression} for i, expression in enumerate(expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    code, said = run("check", "rules", path)
    assert code == 0, said


def test_every_metric_that_is_asked_for_is_there(stand, seen):
    place = stand()
    place.show(seen(Mask.ON))
    text = place.client.get("/metrics").text
    there = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    asked = {name for e in expressions() for name in re.findall(r"maskcam_\w+(?=[{\[ )]|$)", e)} - {"maskcam_state"}
    assert asked
    assert {name for name in asked if name not in there and name.removesuffix("_bucket") not in there} == set()


@pytest.fixture
def server(stand, seen, tmp_path):
    """The function that asks a real Prometheus, which scrapes a real page with a token and holds the shipped rules."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed: apt install prometheus")
    place = stand(token=hashed("a token of the test"))
    place.show(seen(Mask.ON), frames=3)
    with (
        closing(PageServer(place.app, Governor(share=1e6), "127.0.0.1", 0)) as page,
        closing(socket.create_server(("127.0.0.1", 0))) as probe,
    ):
        port = probe.getsockname()[1]
        probe.close()
        scrape = {"job_name": "maskcam", "authorization": {"credentials": "a token of the test"}}
        scrape["static_configs"] = [{"targets": [f"127.0.0.1:{page.port}"]}]
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        shutil.copy(CONFIGS / "alerts.yml", tmp_path)
        (tmp_path / "prometheus.yml").write_text(
            json.dumps({"global": every, "rule_files": ["alerts.yml"], "scrape_configs": [scrape]})
        )
        command = [program, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
        running = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

        def ask(path, **query):
            url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
            try:
                with urllib.request.urlopen(url, timeout=60) as answer:
                    return json.load(answer)["data"]
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 503:  # not yet
                        raise AssertionError(error.read().decode()) from None
            except OSError:
                return None

        yield place, ask
        running.terminate()
        running.wait(120)


def until(true):
    end = time.monotonic() + 180
    while not (found := true()):
        assert time.monotonic() < end, "it has not come to pass"
        time.sleep(0.2)  # a real program needs real time
    return found


def test_prometheus_scrapes_a_camera_and_raises_its_alert(server):
    place, ask = server

    def target():
        found = (ask("targets") or {"activeTargets": []})["activeTargets"]
        return found and found[0]["health"] == "up" and found[0]

    assert until(target)["lastError"] == ""
    until(lambda: ask("query", query="maskcam_fps")["result"])
    for expression in expressions():
        assert ask("query", query=expression)["resultType"] == "vector", expression
    assert ask("query", query="maskcam_frames_total")["result"][0]["value"][1] == "3"

    def rules():
        found = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        return all(rule["health"] == "ok" for rule in found) and {rule["name"]: rule["state"] for rule in found}

    states = until(rules)
    assert len(states) == 7
    assert set(states.values()) == {"inactive"}
    place.clock.now += 60  # no verdict for a minute
    until(lambda: rules() and rules()["MaskcamBlind"] == "pending")
