"""The languages of the door sign: sign.toml of this package, and a user's file that adds to it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from edge.config.toml_text import loads
from edge.core.errors import ConfigError
from edge.core.files import readable

KEYS = ("name", "please", "incorrectly", "thanks", "idle", "unavailable", "disconnected")
"""Texts that a language must have."""


def load(path: str = "") -> dict[str, dict[str, str]]:
    """Texts by language. Raises ConfigError if a file cannot be read or lacks a text."""
    shipped = (resources.files("edge.web") / "static" / "sign.toml").read_text(encoding="utf-8")
    texts: dict[str, dict[str, str]] = loads(shipped)
    if not path:
        return texts
    try:
        own = loads(readable(Path(path)).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"web.sign_texts: {path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # ValueError: TOML's, UTF-8's, an integer of 5,000 digits
        raise ConfigError(f"web.sign_texts: {path}: not TOML: {error}") from None
    for language, said in own.items():
        texts[language] = _checked(path, language, said, texts.get(language, {}))
    return texts


def _checked(path: str, language: str, said: Any, known: dict[str, str]) -> dict[str, str]:
    if not isinstance(said, dict) or not all(isinstance(text, str) for text in said.values()):
        raise ConfigError(f'web.sign_texts: {path}: [{language}]: expected texts such as please = "..."')
    full = {**known, **said}
    if missing := [key for key in KEYS if not full.get(key)]:
        raise ConfigError(f"web.sign_texts: {path}: [{language}]: missing: {', '.join(missing)}")
    return full


def chosen(languages: list[str], texts: dict[str, dict[str, str]]) -> None:
    """Raises ConfigError for a language without texts."""
    if unknown := [language for language in languages if language not in texts]:
        raise ConfigError(
            f"web.sign_languages: no texts for {', '.join(unknown)}: there are {', '.join(texts)}; "
            "web.sign_texts names a file with more"
        )
