"""What setuptools finds: the library under its own name, once."""

import os
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_library_is_installed_as_maskcam_and_not_twice(monkeypatch):
    setuptools = pytest.importorskip("setuptools", reason="setuptools is not installed")
    from setuptools.config.pyprojecttoml import apply_configuration

    monkeypatch.chdir(ROOT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # setuptools' own, about itself
        found = apply_configuration(setuptools.Distribution(), "pyproject.toml")
    assert {"maskcam", "edge", "edge.core", "train", "convert"} <= set(found.packages)
    assert "edge.maskcam" not in found.packages
    assert found.package_dir["maskcam"].replace(os.sep, "/") == "edge/maskcam"
    assert len(found.packages) == len(set(found.packages))
