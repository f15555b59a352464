"""The blocks of README and documents, with the place where each stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [p for p in ROOT.glob("*.md") if p.name != "CHANGELOG.md"] + [*(ROOT / "docs").rglob("*.md")],
)


@dataclass(frozen=True)
class Block:
    """A fenced block: `language` "" where none is named; `before` is the line above it, which may be a comment."""

    page: Path
    line: int
    language: str
    text: str
    before: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """All blocks in one of the languages, in the order of the pages."""
    return [block for page in PAGES for block in _of(page) if block.language in languages]


def _of(page: Path) -> list[Block]:
    found, lines = [], page.read_text().split("\n")
    number = 0
    while number < len(lines):
        fence = re.match(r"(\s*)(`{3,})\s*(\w*)", lines[number])
        if not fence:
            number += 1
            continue
        indent, ticks, language = fence.groups()
        start = number + 1
        end = next((i for i in range(start, len(lines)) if lines[i].strip() == ticks), None)
        assert end is not None, f"{page}:{start}: the block is never closed"
        text = "\n".join(line.removeprefix(indent) for line in lines[start:end]) + "\n"
        before = next((line.strip() for line in reversed(lines[:number]) if line.strip()), "")
        found.append(Block(page, start + 1, language, text, before))
        number = end + 1
    return found


def commands(text: str) -> list[list[str]]:
    """The commands of a block of shell as words, without `sudo`, prompts, variables before them and what follows a
    pipe, a redirection or `&&` (which starts another one)."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = []
    for line in joined.split("\n"):
        line = re.sub(r"(^|\s)#.*$", "", line).strip().removeprefix("$ ")
        for part in re.split(r"\s(?:\||&&|;|>|>>|2>&1|&)(?:\s|$)", line):
            words = _words(part)
            while words and (words[0] == "sudo" or re.fullmatch(r"[A-Z_]+=\S*", words[0])):
                words = words[1:]
            if words:
                found.append(words)
    return found


def _words(line: str) -> list[str]:
    """Like shlex, but a line that is no shell (a quoted message of a program) gives its plain words."""
    import shlex

    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
