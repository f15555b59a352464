"""What README and documents show is true: commands parse, settings load, links lead somewhere, examples run."""

import contextlib
import importlib
import io
import json
import re
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, commands

PROGRAMS = {"maskcam": "edge.cli", "maskcam-train": "train.cli", "maskcam-convert": "convert.cli"}
SHELL = ("", "bash", "sh", "shell", "console")


def parser(program):
    return importlib.import_module(PROGRAMS[program]).parser()


def program(words):
    """The words of a command of ours, its program first; None for another's."""
    if re.fullmatch(r"python3?", words[0]) and words[1:3] == ["-m", "maskcam"]:
        words = ["maskcam", *words[3:]]
    name = Path(words[0]).name
    return [name, *words[1:]] if name in PROGRAMS else None


SHOWN = [(block, words) for block in blocks(*SHELL) for words in commands(block.text)]


def parses(words):
    """ "" or what the parser says."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            parser(words[0]).parse_args(words[1:])
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    except Exception as error:
        return str(error)
    return ""


def test_every_command_shown_parses():
    ours = [(block, found) for block, words in SHOWN if (found := program(words))]
    assert len(ours) > 20, "the documents show hardly a command: are the blocks still found?"
    wrong = [f"{block}: {' '.join(words)}\n  {said}" for block, words in ours if (said := parses(words))]
    assert not wrong, "\n".join(wrong)


def test_a_wrong_command_would_be_noticed():
    assert "unrecognized" in parses(["maskcam", "run", "--sauce", "0"])
    assert parses(["maskcam-convert", "publish"])


def test_commands_named_in_the_text_exist():
    """`maskcam backends` in a sentence may lack its arguments; its name must be one."""
    known = {name: set(next(a for a in parser(name)._actions if a.choices).choices) for name in PROGRAMS}
    wrong = []
    for page in PAGES:
        outside = re.sub(r"^\s*```.*?^\s*```", "", page.read_text(), flags=re.M | re.S)
        for name, command in re.findall(r"`(?:sudo )?(?:\S*/)?(maskcam(?:-train|-convert)?) ([a-z]\S*?)[ `]", outside):
            if command not in known[name]:
                wrong.append(f"{page.name}: {name} {command}")
    assert not wrong, "\n".join(wrong)


def test_make_targets_and_files_of_the_project_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, flags=re.M))
    wrong = []
    for block, words in SHOWN:
        if words[:2] == ["make", "-f"]:
            wrong += [] if (ROOT / words[2]).exists() else [f"{block}: {words[2]} does not exist"]
        elif words[0] == "make":
            wrong += [f"{block}: make {w}" for w in words[1:] if "=" not in w and w not in targets]
        if program(words) or words[0].startswith("systemd/"):
            paths = [w for w in words if re.match(r"(configs|systemd|edge|tests)/", w)]
            wrong += [f"{block}: {path} does not exist" for path in paths if not (ROOT / path).exists()]
    for page in PAGES:
        for target in re.findall(r"`make (\w[\w-]*)", page.read_text()):
            if target not in targets:
                wrong.append(f"{page.name}: make {target}")
    assert not wrong, "\n".join(wrong)


def test_extras_shown_exist():
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    known = set(toml.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    wrong = []
    for page in PAGES:
        for extras in re.findall(r"pip install [^\n`]*?\[([a-z,]+)\]", page.read_text()):
            wrong += [f"{page.name}: [{extra}]" for extra in extras.split(",") if extra not in known]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_settings_shown_are_settings(block, tmp_path):
    """A block below `<!-- configuration: CLASS -->` configures a training ("train.config:NAME"), one with
    [project...] is of somebody's pyproject.toml."""
    from edge.config import load

    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    values = toml.loads(block.text)
    file = tmp_path / "shown.toml"
    file.write_text(block.text)
    other = re.fullmatch(r"<!-- configuration: (\S+):(\w+) -->", block.before)
    if other:
        getattr(importlib.import_module(other[1]), other[2]).model_validate(values)
    elif "project" not in values:
        load(file)


@pytest.mark.parametrize("block", blocks("json", "jsonl"), ids=str)
def test_json_shown_is_json_and_events_are_events(block):
    lines = block.text.split("\n") if block.language == "jsonl" else [block.text]
    values = [json.loads(line) for line in lines if line.strip()]
    events = [v for v in values if isinstance(v, dict) and "kind" in v]
    if events:
        jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
        schema = importlib.import_module("edge.core.events").schema()
        for event in events:
            jsonschema.validate(event, schema)


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent == ROOT], ids=lambda p: p.name)
def test_links_of_the_project_s_pages_lead_somewhere(page):
    """`make docs` checks those of docs/."""
    text = page.read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    gone = [link for link in links if "://" not in link and not (ROOT / link.partition("#")[0]).exists()]
    assert gone == []


def test_the_readme_is_short_and_starts_with_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    block = next(b for b in blocks("") if b.page.name == "README.md")
    assert [words for words in commands(block.text) if words[0] == "make"] == [["make", "demo"], ["make", "test"]]
