"""The command line's own behaviour: help, versions, mistakes, settings."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge import __version__, cli, config
from edge.config import template
from edge.core.errors import CameraError


def commands() -> list[argparse.ArgumentParser]:
    (action,) = [a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return list(action.choices.values())


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.prog.split()[1])
def test_every_command_teaches_with_an_example_that_parses(command):
    text = command.format_help()
    example = text.split("example:\n")[1].strip().removeprefix("sudo ").split()
    assert example[0] == "maskcam"
    cli.parser().parse_args(example[1:])
    for action in command._actions:
        assert action.help or action.dest == "action", f"{action.dest} has no help"


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"maskcam {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: command: see maskcam --help"),
        (["fly"], "invalid choice: 'fly'"),
        (["run", "--durtion", "3"], "unrecognized arguments: --durtion 3: see maskcam --help"),
        (["run", "--duration", "-3"], "argument --duration: invalid positive number value: '-3'"),
        (["run", "--duration", "inf"], "argument --duration: inf: expected 100000000 at most"),
        (["update", "x", "--health", "1e300"], "argument --health: 1e300: expected 100000000 at most"),
        (["accuracy", "x", "--threads", "100000"], "argument --threads: 100000: expected 64 at most"),
        (["benchmark", "--frames", "0"], "argument --frames: invalid positive number value: '0'"),
        (["replay"], "required: source: see maskcam replay --help"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line_and_code_2(capsys, argv, message):
    assert cli.main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("maskcam: error: ")
    assert message in line


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CameraError("one\ntwo"), 2, "maskcam: error: one\nmaskcam: error: two\n"),
        (PermissionError(13, "Permission denied", "out.mp4"), 2, None),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_the_boundary(monkeypatch, capsys, error, code, said):
    def fail(args):
        raise error

    monkeypatch.setattr("edge.cli.config.run", fail)
    assert cli.main(["config", "reference"]) == code
    errors = capsys.readouterr().err
    assert errors == said if said is not None else errors.startswith("maskcam: error: [Errno 13] Permission denied")


def test_a_mistake_of_the_program_itself_is_not_hidden(monkeypatch):
    def fail(args):
        raise ZeroDivisionError

    monkeypatch.setattr("edge.cli.config.run", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["config", "reference"])


def test_config_reference_and_show(capsys, tmp_path):
    assert cli.main(["config", "reference"]) == 0
    assert capsys.readouterr().out.strip() == template.reference().strip()
    path = tmp_path / "door.toml"
    path.write_text("[camera]\nwidth = 320\n")
    assert cli.main(["config", "show", "--config", str(path), "--set", "camera.fps=5"]) == 0
    path.write_text(capsys.readouterr().out)
    assert config.load(path) == config.load(None, ["camera.width=320", "camera.fps=5"])


def test_config_check(capsys, tmp_path):
    path = tmp_path / "door.toml"
    path.write_text("[camera]\nwidth = 320\n")
    assert cli.main(["config", "check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: no mistakes\n"
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[camera]\nwidht = 320\nfps = 0\n")
    assert cli.main(["config", "check", str(wrong), str(path), str(tmp_path / "none.toml")]) == 2
    said = capsys.readouterr()
    assert said.out == f"{path}: no mistakes\n"
    places = [line.removeprefix(f"maskcam: error: {tmp_path}/").partition(": ")[0] for line in said.err.splitlines()]
    assert places == ["wrong.toml:2", "wrong.toml:3", "none.toml"]


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("edge.cli", "config reference"),
        ("edge.cli", "doctor"),
        ("edge.cli", "run --source synthetic --duration 0.1 --set backend.strict=false"),
        ("edge.cli", "replay nothing.mp4"),
        ("train.cli", "classifier --help"),
        ("convert.cli", "--help"),
    ],
)
@pytest.mark.parametrize("closed", ["0<&- >&-", "0<&- >&- 2>&-"])
@pytest.mark.fault("the standard streams are closed from the start", "0<&- >&- 2>&-", "nothing", "-")
def test_standard_streams_that_were_closed_before_the_start(tmp_path, program, command, closed):
    """As a program's own child may find them. Nothing else is opened in their place, and nothing fails of it."""
    script = f"import sys; from {program} import main; sys.exit(main())"
    line = f'exec "$0" -c "$1" {command} {closed}'
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, script], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    expected = {"doctor": {0, 1}, "replay nothing.mp4": {2}}  # 1: it found something to mend
    assert done.returncode in expected.get(command, {0}), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_python_m_edge_and_a_closed_pipe():
    """A reader that goes away early, like `head`, gets no traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "edge", "config", "reference"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    version = subprocess.run([sys.executable, "-m", "edge", "--version"], capture_output=True, text=True)
    assert version.stdout == f"maskcam {__version__}\n"


def actions(parser, path=()):
    for action in parser._actions:
        yield path, action
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from actions(below, (*path, name))


def test_help_states_defaults_that_are_the_defaults():
    """After "default:", or alone in brackets at the end; a default of None is worked out by the command."""
    checked = 0
    for path, action in actions(cli.parser()):
        stated = re.search(r"default: ([^();]*)", action.help or "") or re.search(r"\(([\d.]+)\)$", action.help or "")
        if not stated or action.default is None:
            continue
        value = re.split(", ", stated[1])[0].strip()
        numbers = ",".join(map(str, action.default)) if isinstance(action.default, tuple) else str(action.default)
        short = f"{action.default:g}" if isinstance(action.default, float) else numbers
        assert value in (numbers, short), (path, action)
        checked += 1
    assert checked >= 3
