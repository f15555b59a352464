"""What is shipped beside the code keeps to it: reference, configs/, the unit's commands."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from edge import cli, config
from edge.config import settings as schema
from edge.config import template
from edge.config.schema import field, keys

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in (ROOT / "configs").glob("*.toml") if path.stem != "convert")
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def leaves(data, prefix=()):
    for key, value in data.items():
        if isinstance(value, dict):
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def test_the_reference_documents_every_setting_and_loads(tmp_path):
    text = template.reference()
    assert loads(tmp_path, text) == schema.Settings()
    switched_on = re.sub(r"^# (\[[a-z_.]+\]|\w+ = .*)$", r"\1", text, flags=re.M)
    every = loads(tmp_path, switched_on)
    assert every.sinks.gpio == schema.Gpio()
    assert set(keys()) == {key for key, _ in leaves(tomllib.loads(switched_on))}
    assert set(keys()) == {key for key, _ in leaves(every.model_dump())}
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if re.match(r"(# )?\w+ = ", line):
            assert len(lines[i - 1]) > 12, f"{line} has no help"
            assert lines[i - 1].startswith("# ")


def loads(folder, text):
    path = folder / "reference.toml"
    path.write_text(text)
    return config.load(path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_configs_load_and_hold_only_what_differs(path):
    loaded = config.read([path])
    for key, value in leaves(tomllib.loads(path.read_text())):
        own = loaded.settings
        for part in key:
            own = getattr(own, part)
        assert own == value != field(key).get_default(), f"{'.'.join(key)} repeats its default"


def test_there_is_a_config_for_every_board():
    assert sorted(path.stem for path in CONFIGS) == ["demo", "jetson", "pi", "pi-coral"]


def commands():
    """Command lines of ours in the units and drop-ins, without systemd's prefixes."""
    for path in sorted(path for path in (ROOT / "systemd").iterdir() if path.is_file()):
        for line in path.read_text().splitlines():
            found = re.match(r"Exec\w+=[-@:+!]*(/opt/maskcam/bin/.*)", line)
            if found:
                yield pytest.param(found[1], id=f"{path.name}: {line}")


def test_the_unit_starts_one_of_ours():
    assert any("ExecStart=" in parameters.id for parameters in commands())


@pytest.mark.parametrize("line", list(commands()))
def test_the_units_commands_are_installed_and_parse(line):
    program, *arguments = shlex.split(line)
    assert SCRIPTS[Path(program).name] == "edge.cli:main"
    assert cli.parser().parse_args(arguments).command
