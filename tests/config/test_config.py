"""Settings: what loads, and the one line each mistake gets."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from edge import config
from edge.backends.registry import backends
from edge.config import settings as schema
from edge.config import template
from edge.core.errors import ConfigError
from edge.core.secrets import HIDDEN

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


A_TEXT, A_NUMBER, A_LIST = (f"({kind}, {HIDDEN})" for kind in ("a text", "a number", "a list"))


def written(folder: Path, text: str) -> Path:
    path = folder / "door.toml"
    path.write_text(text)
    return path


def mistakes(path: Path | None, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(path, overrides)
    return str(caught.value).splitlines()


def leaves(data, prefix=()):
    for key, value in data.items():
        if isinstance(value, dict):
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def test_no_file_gives_the_defaults():
    assert config.load() == schema.Settings()


def test_a_file_and_overrides(tmp_path):
    path = written(tmp_path, "[camera]\nsource = '/dev/video2'\nwidth = 1280\n[sinks.gpio]\npin = 4\n")
    settings = config.load(path, ["camera.width=320", "sinks.gpio.active_high=false", "tracker.max_gap=2"])
    assert (settings.camera.source, settings.camera.width, settings.camera.height) == ("/dev/video2", 320, 480)
    assert (settings.sinks.gpio.pin, settings.sinks.gpio.active_high) == (4, False)
    assert settings.sinks.jsonl is None
    assert settings.tracker.max_gap == 2.0


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("camera.source=0", 0),
        ("camera.source=synthetic", "synthetic"),
        ("camera.source=rtsp://door/1?a=b", "rtsp://door/1?a=b"),
        ('camera.source="quoted"', "quoted"),
        ("camera.source=a\nb=1", "a\nb=1"),
    ],
)
def test_override_values_are_toml_or_else_text(override, value):
    assert config.load(None, [override]).camera.source == value


def test_relative_paths_belong_to_the_file_that_says_them(tmp_path):
    path = written(tmp_path, "[camera]\nsource='clip.mp4'\n[model]\nbundle='b'\n[sinks.jsonl]\npath='log/e.jsonl'\n")
    settings = config.load(path)
    assert settings.camera.source == str(tmp_path / "clip.mp4")
    assert settings.model.bundle == str(tmp_path / "b")
    assert settings.sinks.jsonl.path == str(tmp_path / "log/e.jsonl")
    assert config.load(path, ["model.bundle=b"]).model.bundle == "b"


@pytest.mark.parametrize("source", ["synthetic", "0", "rtsp://door/1", "/dev/video0", "pi", "pi:1", "csi"])
def test_what_is_no_relative_path_stays(tmp_path, source):
    assert config.load(written(tmp_path, f"camera.source = '{source}'")).camera.source == source


def test_all_mistakes_come_at_once_one_line_each(tmp_path):
    text = """
    [camera]
    widht = 640
    height = "480"
    fps = -1
    source = 1.5
    [backend]
    threads = 0
    fps = 3
    [sinks]
    log = 1
    [sinks.gpio]
    pin = 1.5
    [decision]
    threshold = 5.0
    [camra]
    width = 1
    """
    path = written(tmp_path, text)
    assert mistakes(path) == [
        f"{path}:3: unknown key 'camera.widht': did you mean 'camera.width'?",
        f'{path}:4: camera.height = "480": expected a whole number',
        f"{path}:5: camera.fps = -1: expected greater than 0",
        f"{path}:6: camera.source = {A_NUMBER}: expected a whole number or a text",
        f"{path}:8: backend.threads = 0: expected greater than or equal to 1",
        f"{path}:9: unknown key 'backend.fps': did you mean 'camera.fps'?",
        f"{path}:11: sinks.log = 1: expected true or false",
        f"{path}:13: sinks.gpio.pin = 1.5: expected a whole number or a text",
        f"{path}:15: [decision] threshold = 5.0 must not exceed limit = 4.0",
        f"{path}:16: unknown key 'camra': did you mean 'camera'?",
    ]


def test_an_unknown_key_like_no_other_lists_the_known(tmp_path):
    (line,) = mistakes(written(tmp_path, "[model]\nzzz = 1"))
    assert line.endswith("unknown key 'model.zzz': expected one of bundle")


def test_a_value_where_a_section_belongs(tmp_path):
    path = written(tmp_path, "camera = 3")
    assert mistakes(path) == [f"{path}:1: camera = {A_NUMBER}: expected a section [camera]"]
    path = written(tmp_path, "[sinks]\ngpio = true")
    assert mistakes(path) == [f"{path}:2: sinks.gpio = true: expected a section [sinks.gpio]"]
    assert mistakes(path, "sinks.gpio.pin=4") == ["--set: sinks.gpio.pin: 'gpio' is a value, not a section"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("camera.width=big", '--set: camera.width = "big": expected a whole number'),
        ("camera.widht=3", "--set: unknown key 'camera.widht': did you mean 'camera.width'?"),
        ("width=3", "--set width: expected section.key=value, such as camera.width=320"),
        (
            "sinks.webhook.url=door",
            f"--set: sinks.webhook.url = {A_TEXT}: expected pattern '^https?://.'",
        ),
        (
            "backend.device=usb3",
            "--set: backend.device names no Edge TPU: expected 'usb', 'usb:0', 'pci:1' or, for any, an empty text",
        ),
        (
            "sinks.command.argv=[]",
            f"--set: sinks.command.argv = {A_LIST}: expected at least 1 item, not 0",
        ),
        ("camera.width", "--set ...: expected section.key=value, such as camera.width=320"),
        ("camera.fps=nan", "--set: camera.fps = NaN: expected a finite number"),
        ("camera.width=true", "--set: camera.width = true: expected a whole number"),
    ],
)
def test_a_wrong_override_names_itself(override, line):
    assert mistakes(None, override) == [line]


@pytest.mark.parametrize("host", ["mqtt://broker", "broker:1883", "ada:s3cret@broker", "broker/door", "[::1]:1883"])
def test_the_host_of_a_broker_is_a_name_alone(host):
    (line,) = mistakes(None, f"sinks.mqtt.host={host}")
    assert line == (
        "--set: sinks.mqtt.host is an address: expected a name alone, such as broker.local, the port as sinks.mqtt.port"
    )


@pytest.mark.parametrize("host", ["broker.local", "192.168.0.2", "::1", "fe80::1%eth0"])
def test_names_and_addresses_of_a_broker(host):
    assert config.load(None, [f"sinks.mqtt.host={host}"]).sinks.mqtt.host == host


def test_files_that_cannot_be_read(tmp_path):
    (line,) = mistakes(tmp_path / "none.toml")
    assert line == f"{tmp_path}/none.toml: cannot be read (No such file or directory): expected a TOML file"
    assert "Is a directory" in mistakes(tmp_path)[0]
    (line,) = mistakes(written(tmp_path, "[camera]\nwidth = 640x"))
    assert line.startswith(f"{tmp_path}/door.toml:2: not TOML: ")
    (line,) = mistakes(written(tmp_path, "[camera]\n\nsource = [1,\n"))
    assert line.startswith(f"{tmp_path}/door.toml:3: not TOML: ")
    (tmp_path / "door.toml").write_bytes(b"\xff\xfe")
    (line,) = mistakes(tmp_path / "door.toml")
    assert "not TOML" in line


def test_the_backends_are_those_that_can_be_assembled():
    for name in backends():
        assert config.load(None, [f"backend.detector={name}"]).backend.detector == name
    expected = mistakes(None, "backend.detector=none")[0]
    assert re.findall(r"'([\w-]+)'", expected) == ["auto", *backends()]


settings = st.builds(
    schema.Settings,
    camera=st.builds(schema.Camera, source=st.text(max_size=20) | st.integers(0, 9), fps=st.floats(0.1, 240)),
    detector=st.builds(schema.Detector, min_face=st.floats(1, 4320)),
    sinks=st.builds(
        schema.Sinks,
        log=st.booleans(),
        jsonl=st.none() | st.builds(schema.Jsonl, path=st.just("/tmp/e.jsonl")),
        gpio=st.none() | st.builds(schema.Gpio, pin=st.integers(0, 40)),
    ),
)


@given(settings)
def test_what_show_prints_loads_to_the_same(tmp_path_factory, settings):
    text = template.show(settings)
    data = tomllib.loads(text)
    assert schema.Settings.model_validate(data) == settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"a\\nERROR: all is lost" = 1', "unknown key '\"a\\nERROR: all is lost\"'"),
        ('[camera]\n"\\u001b[31mwidth" = 3', "unknown key 'camera.\"\\u001b[31mwidth\"'"),
        ("a" * 5000 + " = 1", "... (5000 characters)'"),
        ("[sinks.webhook]\nurl = 'http://h/'\nkinds = [" + "'a'," * 2000 + "]", "or 'person'"),
    ],
)
def test_a_mistake_is_one_short_line_without_control_characters(tmp_path, text, said):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "a.toml")
    (line,) = str(caught.value).splitlines()
    assert said in line
    assert line.isprintable()
    assert len(line) < 500


def numbers(model, above=""):
    """(key, type, constraints) of every setting that may be a number, in all sections."""
    for name, field in model.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from numbers(kind, f"{above}{name}.")
            elif get_origin(kind) is Annotated:
                yield from ((f"{above}{name}", kind.__origin__, kind.__metadata__[0].metadata),)
            elif kind in (int, float) and get_origin(field.annotation) is not list:
                yield f"{above}{name}", kind, field.metadata


def test_every_number_has_a_largest_and_a_smallest_value():
    """tracker.max_gap = 1e9 kept everybody for ever: whatever a setting may be, it can be worked with."""
    found = [one for one in numbers(schema.Settings) if one[1] in (int, float)]
    assert len(found) > 50
    for key, _, constraints in found:
        limits = {type(one) for one in constraints}
        assert limits & {Le, Lt}, f"{key} has no largest value"
        assert limits & {Ge, Gt}, f"{key} has no smallest value"
    with pytest.raises(ConfigError, match=r"tracker.max_gap = 1000000000.0: expected less than or equal to 60"):
        config.load(None, ["tracker.max_gap=1e9"])


@pytest.mark.fault("a pipe in a file's place", "mkfifo, and nobody writes", "refused", "-")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path):
    """Settings, texts, a bundle, annotations of all kinds, the labels of a recording."""
    from edge.config import toml_model
    from edge.core.errors import BundleError, DataError
    from edge.evaluation import formats
    from edge.vision import bundle
    from edge.web import texts

    for name in ("a.toml", "bundle.json", "coco.json", "crops.csv", "data.yaml"):
        os.mkfifo(tmp_path / name)
    for load in (config.load, texts.load, toml_model.read):
        with pytest.raises(ConfigError, match=r"a\.toml: .*is a pipe, not a file"):
            load(tmp_path / "a.toml")
    with pytest.raises(BundleError, match="is a pipe, not a file"):
        bundle.load(tmp_path)
    for name in ("coco.json", "crops.csv", "data.yaml"):
        with pytest.raises(DataError, match="is a pipe, not a file"):
            formats.read(tmp_path / name)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "a.xml")
    with pytest.raises(DataError, match="expected a COCO"):
        formats.read(tmp_path / "folder")
