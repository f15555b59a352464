"""What Prometheus itself says of the metrics, the alert rules and the dashboard's queries."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.core.labels import Mask

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
