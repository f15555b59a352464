"""What `make docs` generates from the code: settings, commands, model card, changes; and a nav of what is there."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent


def on_config(config: Any) -> Any:
    """Leaves out of the nav what does not exist, and puts last what it does not list."""
    generated = {name for name, _ in _pages()}
    folder = Path(config.docs_dir)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*.md")} | generated
    listed: set[str] = set()
    config.nav = _existing(config.nav, there, listed)
    if rest := sorted(there - listed):
        config.nav.append({"More": rest})
    return config


def _existing(entries: list[Any], there: set[str], listed: set[str]) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            if below := _existing(target, there, listed):
                kept.append({title: below})
        elif target in there:
            listed.add(target)
            kept.append(entry)
    return kept


def on_files(files: Any, config: Any) -> Any:
    for name, text in _pages():
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, "pictures/limits.jpg", abs_src_path=str(ROOT / "edge/shipped/limits.jpg")))
    return files


def _pages() -> Iterator[tuple[str, str]]:
    yield "reference/settings.md", "\n".join(settings())
    yield "reference/commands.md", "\n".join(commands())
    yield "model-card.md", (ROOT / "edge/shipped/card.md").read_text().replace("(limits.jpg)", "(pictures/limits.jpg)")
    yield "changes.md", (ROOT / "CHANGELOG.md").read_text()


def settings() -> Iterator[str]:
    """A table per section of the settings."""
    from edge.config import template
    from edge.config.schema import section
    from edge.config.settings import Settings

    def table(model: Any, path: str, optional: bool) -> Iterator[str]:
        below = {name: section(found.annotation) for name, found in model.model_fields.items()}
        rows = [(name, found) for name, found in model.model_fields.items() if not below[name]]
        if path:
            switch = " Off unless the section is there." if optional else ""
            yield from (
                f"\n## [{path}]",
                f"\n{(model.__doc__ or '').replace(' The section turns it on.', '')}{switch}\n",
            )
        if rows:
            yield from ("| setting | default | meaning |", "| --- | --- | --- |")
        for name, found in rows:
            default = template.toml(found.get_default(call_default_factory=True))
            meaning = template._help(found).replace("|", "\\|").replace("<", "&lt;")
            yield f"| `{name}` | `{default}` | {meaning} |"
        for name, inner in below.items():
            if inner:
                yield from table(inner, f"{path}.{name}".lstrip("."), model.model_fields[name].default is None)

    yield "# Settings reference\n\nGenerated from the code; `maskcam config reference` prints the same as TOML."
    yield "Units and limits stand in brackets. How files and overrides work together: [Settings](../settings.md)."
    yield from table(Settings, "", False)


def commands() -> Iterator[str]:
    """Every command with its usage and options, from the parsers themselves."""
    import convert.cli
    import edge.cli
    import train.cli

    os.environ["COLUMNS"] = "88"  # the width to which argparse wraps
    yield "# Command reference\n\nGenerated from the code; `--help` prints the same."
    for parser in (edge.cli.parser(), train.cli.parser(), convert.cli.parser()):
        yield f"\n## {parser.prog}\n"
        yield from _command(parser, 2)


def _command(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if parser.description and level > 2:
        said = parser.description.strip().removeprefix(f"{parser.prog.split()[-1]}: ")
        yield f"```text\n{said}\n```\n" if "\n" in said else f"{said[:1].upper()}{said[1:]}\n".replace("<", "&lt;")
    yield f"```text\n{parser.format_usage().strip()}\n```\n"
    shown = [a for a in parser._actions if a not in below and a.help != argparse.SUPPRESS and a.dest != "help"]
    if shown:
        yield from ("| option | meaning |", "| --- | --- |")
    for action in shown:
        names = ", ".join(f"`{name}`" for name in action.option_strings) or f"`{action.metavar or action.dest}`"
        words = (action.help or "") % {**vars(action), "prog": parser.prog} if action.help else ""
        choices = f" One of {', '.join(map(str, action.choices))}." if action.choices else ""
        yield f"| {names} | {(words + choices).replace('|', chr(92) + '|').replace('<', '&lt;')} |"
    for group in below:
        for name, inner in group.choices.items():
            yield f"\n{'#' * min(level + 1, 4)} {parser.prog.split()[0]} {' '.join([*parser.prog.split()[1:], name])}\n"
            yield from _command(inner, level + 1)
