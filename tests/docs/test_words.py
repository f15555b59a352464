"""Users read the field's standard terms: the old words of the project are in no help, setting, message or page."""

import argparse
import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge import cli
from edge.config import renamed, template

ROOT = Path(__file__).parents[2]
OLD = (
    r"votes cease",
    r"let us in",
    r"not to be had",
    r"is said, not hidden",
    r"must be mended",
    r"worn wrongly",
    r"wrongly_worn",
    r"\bis told; ",
    r"\bheld to be (on|off)",
    r"\basked of the camera",
    r"whose is whose",
    r"\bis not reached",
    r"the bundle's own( choice)?\b",
    r"\bput them out\b",
    r"\[(sight|sinks\.journal)\]",
    r"\bdetector\.overlap\b",
    # names of parts and options, where a user or an engineer could meet them
    r"\boutlets?\b",
    r"\brehears(e|al)\b",
    r"\bballots?\b",
    r"--prove\b",
    r"\bassembly\.fit\b",
    r"\bsteady camera\b",
    r"\b(edge|train|convert)(/\w+)*/(sight|steady|newest|view|outlets|choose|known|order|accelerator|remote)\.py\b",
    r"\b(edge|train|convert)(/\w+)*/(crowd|whole|examination|readings|mistakes|quiet|journal|place|switch)\.py\b",
    r"\bbox_growth\b",
)
"""Phrases and names that were replaced."""


def found(text):
    return [old for old in OLD if re.search(old, text, re.IGNORECASE)]


@pytest.mark.parametrize("command", ["", *cli.COMMANDS])
def test_no_help_has_an_old_word(command):
    argv = [sys.executable, "-m", "edge", *command.split(), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=True)
    assert found(done.stdout) == []


def test_no_setting_is_described_with_an_old_word():
    assert found(template.reference()) == []


def messages(path):
    """The texts of a module that are no docstrings: what it can print, log or raise."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value.removeprefix("--prove")  # between releases, hidden from people


@pytest.mark.parametrize("program", ["train.cli", "convert.cli"])
def test_no_help_of_the_workstation_has_an_old_word(program):
    def helps(parser):
        yield parser.format_help()
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for below in action.choices.values():
                    yield from helps(below)

    assert [old for text in helps(importlib.import_module(program).parser()) for old in found(text)] == []


ROOMS = [path for package in ("edge", "train", "convert") for path in (ROOT / package).iterdir() if path.is_dir()]


@pytest.mark.parametrize("room", sorted(str(path.relative_to(ROOT)) for path in ROOMS))
def test_no_message_has_an_old_word(room):
    modules = [path for path in (ROOT / room).rglob("*.py") if path.name != "renamed.py"]
    assert [(str(path), old) for path in modules for text in messages(path) for old in found(text)] == []


def test_no_page_has_an_old_word():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert [(str(page), old) for page in pages for old in found(page.read_text())] == []


def test_the_search_finds_what_it_looks_for():
    """It would be green for ever if the patterns matched nothing."""
    assert found("the broker does not let us in") == [r"let us in"]
    assert {".".join((*key[:-1], key[-1])) for key in renamed.RENAMED} == {"sight", "detector.overlap", "sinks.journal"}
    assert found("[sight]") == found("[sinks.journal]")
