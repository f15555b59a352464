"""`pip install maskcam-something` is enough: a sink, a camera and their settings from outside the package."""

import json
import os
import subprocess
import sys

import pytest

MODULE = '''
from edge.cameras.base import Source
from edge.cameras.registry import CameraKind
from edge.core.records import Frame
from edge.core.section import PATH, Section, setting
from edge.sinks.registry import SinkKind


class Bell(Section):
    """A bell. The section turns it on."""

    path: str = setting("", "", "file that is rung", extra=PATH)
    rings: int = setting(2, "", "at each alert", ge=1, le=9)


class BellSink:
    def __init__(self, path, rings):
        self.path, self.rings = path, rings

    def send(self, event):
        if event.kind == "no_mask":
            with open(self.path, "a") as file:
                file.write("ding " * self.rings)

    def close(self):
        pass


def ring(section, live):
    return BellSink(section.path, section.rings)


BELL = SinkKind("bell", ring, Bell, needs=frozenset({"sound"}), in_replays=lambda section: True)


class Wall(Source):
    def __init__(self, number):
        self.number = number

    def __iter__(self):
        import numpy as np

        for index in range(3):
            yield Frame(index, index / 10, np.full((48, 64, 3), 100 + index + self.number, np.uint8))

    def describe(self):
        return f"wall {self.number}"


def wall(settings, source, live):
    return Wall(int(source.partition(":")[2]))


WALL = CameraKind("wall", lambda source: source.startswith("wall:"), wall, needs=frozenset({"network"}))
'''
ENTRIES = "[maskcam.sinks]\nbell = maskcam_bell:BELL\n[maskcam.cameras]\nwall = maskcam_bell:WALL\n"


@pytest.fixture
def python(tmp_path):
    """python(code): what a process prints that has such a package; as another one would, it starts with it."""
    site = tmp_path / "site"
    info = site / "maskcam_bell-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "maskcam_bell.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: maskcam-bell\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)

    def run(*arguments):
        path = os.pathsep.join([str(site), *(p for p in sys.path if p)])
        environ = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_its_section_is_checked_documented_and_required_like_ours(python, tmp_path):
    config = tmp_path / "door.toml"
    config.write_text('[camera]\nsource = "wall:3"\n[sinks.bell]\npath = "bell.txt"\nrings = 3\n')
    assert python("-m", "edge", "config", "check", str(config)) == f"{config}: no mistakes\n"
    reference = python("-m", "edge", "config", "reference")
    assert '# A bell. The section turns it on.\n# [sinks.bell]\n# file that is rung\n# path = ""' in reference
    assert "# at each alert [>= 1, <= 9]\n# rings = 2" in reference
    assert (
        python("-m", "edge", "config", "requires", "--config", str(config)) == "network\npackage:maskcam-bell\nsound\n"
    )
    shown = python("-m", "edge", "config", "show", "--config", str(config))
    assert f'path = "{tmp_path}/bell.txt"' in shown  # a relative path belongs to the file
    code = f"from edge import config; print(config.load({str(config)!r}).camera.source)"
    assert python("-c", code) == "wall:3\n"  # and this is none


def test_the_sink_takes_events_and_the_camera_gives_frames(python, tmp_path):
    code = f"""
import json
from contextlib import closing
from edge import assemble, config
from edge.core.records import Event
settings = config.load(None, ["camera.source=wall:3", "sinks.bell.path={tmp_path}/rung", "sinks.log=false"])
((kind, section),) = assemble.sections(settings)
with closing(assemble.sink(kind.name, section, live=True)) as sink:
    sink.send(Event("no_mask", 1.0))
camera = assemble.camera(settings, live=True)
print(json.dumps([int(frame.image[0, 0, 0]) for frame in camera]))
"""
    assert json.loads(python("-c", code)) == [103, 104, 105]
    assert (tmp_path / "rung").read_text() == "ding ding "


def test_it_can_be_imported_before_maskcam(python):
    """Its own tests do so; the settings must not be read half-way through its module."""
    code = "import maskcam_bell; from edge import config; print(config.load(None, ['sinks.bell={}']).sinks.bell.rings)"
    assert python("-c", code) == "2\n"
