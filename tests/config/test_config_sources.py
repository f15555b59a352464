"""Where settings come from: order, origins, lines of files, variables."""

import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from edge import cli, config
from edge.config import settings as schema
from edge.config import sources, template
from edge.core.errors import ConfigError
from edge.sinks.command import VARIABLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def system(monkeypatch, tmp_path):
    """Two system files in a folder of the test's own."""
    paths = (tmp_path / "etc.toml", tmp_path / "boot.toml")
    monkeypatch.setattr(config, "SYSTEM_FILES", paths)
    return paths


def refusal(*args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        config.read(*args, **kwargs)
    return str(caught.value).splitlines()


def test_each_source_yields_to_the_next(system):
    etc, boot = system
    etc.write_text("[camera]\nwidth = 100\nheight = 100\nfps = 1\nseed = 1\n")
    boot.write_text("[camera]\nheight = 200\nfps = 2.0\nseed = 2\n")
    environ = {"MASKCAM_CAMERA__FPS": "3", "MASKCAM_CAMERA__SEED": "3", "HOME": "/"}
    loaded = config.read(config.files(None), ["camera.seed=4"], environ)
    camera = loaded.settings.camera
    assert (camera.width, camera.height, camera.fps, camera.seed) == (100, 200, 3, 4)
    assert camera.timeout == schema.Camera().timeout
    origins = {key[1]: origin for key, origin in loaded.origins.items() if key[1:]}
    assert origins == {"width": f"{etc}:2", "height": f"{boot}:2", "fps": "MASKCAM_CAMERA__FPS", "seed": "--set"}


def test_a_named_file_takes_the_place_of_the_systems(system, tmp_path):
    assert config.files(None) == []
    system[1].write_text("")
    assert config.files(None) == [system[1]]
    assert config.files(tmp_path / "door.toml") == [tmp_path / "door.toml"]


def test_a_later_file_adds_to_a_section_of_an_earlier_one(system):
    etc, boot = system
    etc.write_text("[sinks.gpio]\npin = 4\n[sinks.jsonl]\npath='a'")
    boot.write_text("sinks = {gpio = {active_high = false}, jsonl = {}}\n")
    sinks = config.read([etc, boot]).settings.sinks
    assert sinks.gpio == schema.Gpio(pin=4, active_high=False)
    assert sinks.jsonl.path == str(etc.parent / "a")


def test_a_section_can_be_switched_on_without_a_file():
    assert config.read([], ["sinks.gpio={}"]).settings.sinks.gpio == schema.Gpio()
    assert config.read([], environ={"MASKCAM_SINKS__GPIO": "{pin = 4}"}).settings.sinks.gpio == schema.Gpio(pin=4)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("alerts.face_score=.5", 0.5),
        ("alerts.cooldown=5.", 5.0),
        ("alerts.incorrectly_worn=False", False),
        ("camera.region=[.1, 0., .9, 1]", (0.1, 0.0, 0.9, 1.0)),
        ("device.name=.5", ".5"),
        ("device.name=True", "True"),
        ("camera.source=00", "00"),
    ],
)
def test_a_number_and_a_switch_as_a_shell_writes_them(text, value):
    """A text stays as it is written."""
    key, _, written = text.partition("=")
    section, name = key.split(".")
    variable = {f"MASKCAM_{section}__{name}".upper(): written}
    for loaded in (config.read([], [text]), config.read([], environ=variable)):
        found = getattr(getattr(loaded.settings, section), name)
        assert (tuple(found) if isinstance(found, list) else found) == value


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MASKCAM_CAMERA__WIDHT", "no such setting: did you mean MASKCAM_CAMERA__WIDTH?"),
        ("MASKCAM_CAMERA_WIDTH", "no such setting: did you mean MASKCAM_CAMERA__WIDTH?"),
        ("MASKCAM_SINKS__GPIO__PINN", "no such setting: did you mean MASKCAM_SINKS__GPIO__PIN?"),
        ("MASKCAM_" + "Z" * 30, "no such setting: expected MASKCAM_SECTION__KEY, such as MASKCAM_DEVICE__NAME"),
    ],
)
def test_an_unknown_variable_is_an_error(name, said):
    assert refusal([], environ={name: "3"}) == [f"{name}: {said}"]


def test_mistakes_of_all_sources_come_at_once(system, tmp_path):
    etc, boot = system
    etc.write_text("[camera]\nwidth = 'x'\n")
    boot.write_text("[camera\n")
    said = refusal([etc, boot, tmp_path / "none"], ["fps", "camera.seed=-1"], {"MASKCAM_SINKS__LOG": "2"})
    assert [line.partition(": ")[0] for line in said] == [
        f"{boot}:1", f"{tmp_path}/none", "--set ...", f"{etc}:2", "MASKCAM_SINKS__LOG", "--set"
    ]  # fmt: skip


def test_a_mistake_that_is_set_anew_further_on_is_none(system):
    system[0].write_text("[camera]\nwidth = 'x'\n")
    assert config.read([system[0]], ["camera.width=320"]).settings.camera.width == 320


def test_a_byte_order_mark_and_windows_line_ends(system):
    system[0].write_bytes(b"\xef\xbb\xbf[camera]\r\n\r\nwidth = 320\r\n")
    loaded = config.read([system[0]])
    assert (loaded.settings.camera.width, loaded.origins["camera", "width"]) == (320, f"{system[0]}:3")


def test_the_line_of_every_statement():
    text = '''# width = 1
[camera] # [sinks]
width = 1
"height" = [
  # [tracker]
  1, 2,
]
source = """
[model]
bundle = 'x'
"""
a.b = 2

[ sinks . "gpio" ]
pin = 3
[[list]]
x = 1
[[list]]
x = 2'''
    assert sources.lines(text) == {
        ("camera",): 2,
        ("camera", "width"): 3,
        ("camera", "height"): 4,
        ("camera", "source"): 8,
        ("camera", "a"): 12,
        ("camera", "a", "b"): 12,
        ("sinks",): 14,
        ("sinks", "gpio"): 14,
        ("sinks", "gpio", "pin"): 15,
        ("list",): 16,
        ("list", "x"): 17,
    }


def spread(value):
    """TOML, lists over several lines."""
    return "[\n" + ",\n".join(map(str, value)) + "\n]" if isinstance(value, list) else template.toml(value)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
values = st.integers(-9, 9) | text | st.booleans() | st.lists(st.integers(0, 9), max_size=3)


@given(st.dictionaries(text, values | st.dictionaries(text, values, max_size=3), max_size=3), st.data())
def test_the_lines_found_are_those_written(document, data):
    """Sections and keys written with comments and blank lines between, and arrays over several lines."""
    written, expected = [], {}

    def say(key, line):
        written.extend(["", "# [x]"][: data.draw(st.integers(0, 2))])
        expected[key] = len(written) + 1
        written.extend(line.split("\n"))

    for name, value in sorted(document.items(), key=lambda item: isinstance(item[1], dict)):
        if isinstance(value, dict):
            say((name,), f"[{template.toml(name)}]")
            for inner, below in value.items():
                say((name, inner), f"{template.toml(inner)} = {spread(below)}")
        else:
            say((name,), f"{template.toml(name)} = {spread(value)}")
    joined = "\n".join(written)
    assert tomllib.loads(joined) == document
    assert sources.lines(joined) == expected


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "camera.width": st.integers(64, 7680),
            "camera.source": text.map("/{}".format),
            "tracker.max_gap": st.floats(0.01, 60),
            "sinks.log": st.booleans(),
            "sinks.gpio.pin": st.integers(0, 40),
        },
    ),
    st.data(),
)
def test_what_show_prints_loads_to_the_same_and_names_every_origin(tmp_path_factory, chosen, data):
    folder = tmp_path_factory.mktemp("show")
    path, file, environ, overrides, expected = folder / "a.toml", [], {}, [], {}
    for key, value in chosen.items():
        where = data.draw(st.sampled_from(["file", "variable", "set"]))
        if where == "file":
            file.append(f"{key} = {template.toml(value)}")
            expected[key] = f"{path}:{len(file)}"
        elif where == "variable":
            expected[key] = "MASKCAM_" + key.replace(".", "__").upper()
            environ[expected[key]] = template.toml(value)
        else:
            overrides.append(f"{key}={template.toml(value)}")
            expected[key] = "--set"
    path.write_text("\n".join(file), encoding="utf-8")
    loaded = config.read([path], overrides, environ)
    printed = template.show(loaded.settings, loaded.origins)
    (folder / "again.toml").write_text(printed, encoding="utf-8")
    assert config.load(folder / "again.toml") == loaded.settings
    numbers = sources.lines(printed)
    comments = {key: printed.split("\n")[number - 1].rpartition("  # ")[2] for key, number in numbers.items()}
    for key in schema_keys(loaded.settings):
        assert comments[key] == expected.get(".".join(key), "default")


def schema_keys(model, path=()):
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from schema_keys(value, (*path, name))
        elif value is not None:
            yield (*path, name)


def test_the_command_shows_who_set_what(system, monkeypatch, capsys):
    system[1].write_text("[camera]\nwidth = 320\n")
    monkeypatch.setenv("MASKCAM_CAMERA__FPS", "5")
    assert cli.main(["config", "show", "--set", "sinks.gpio={}"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert f"width = 320  # {system[1]}:2" in shown
    assert "fps = 5.0  # MASKCAM_CAMERA__FPS" in shown
    assert "height = 480  # default" in shown
    assert "pin = 17  # default" in shown


@pytest.mark.fault("settings of gigabytes", "300 MB of zeros", "refused after a few kB", "next good file")
def test_a_file_of_any_size_costs_nothing(system):
    with open(system[0], "wb") as file:
        file.truncate(300 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="not TOML: more than 200000 characters"):
            config.read([system[0]])
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("before", "line", "after"),
    [("x = [", '"a",', "]"), ("x = [", "[1],", "]"), ('x = """', "a", '"""'), ("x = [", '"[",', "]")],
)
def test_a_long_statement_takes_no_long_time(before, line, after, monkeypatch):
    """The parser of TOML is asked a bounded number of times, whatever stands between the brackets."""
    calls, loads = [], sources.tomllib.loads
    monkeypatch.setattr(sources.tomllib, "loads", lambda text: (calls.append(text), loads(text))[1])
    found = sources.lines("\n".join([before, *[line] * 3000, after, "y = 1"]))
    assert len(calls) <= 3 * sources.LONG
    assert found in ({("x",): 1, ("y",): 3003}, {}), "known, or said to be unknown; never a wrong one"


def test_a_key_whose_line_is_not_known_bears_the_files_name(system):
    texts = '"[",\n' * 60
    system[0].write_text(f"[web]\nnames = [\n{texts}]\nport = 0\n")
    with pytest.raises(ConfigError, match=rf"^{system[0]}: web.port = 0: expected"):
        config.read([system[0]])


def test_what_a_program_finds_in_its_environment_is_no_setting():
    """It is one of [sinks.command], and may call maskcam."""
    given = dict.fromkeys(VARIABLES, "no_mask")
    assert config.read([], [], given).settings == config.read([]).settings
