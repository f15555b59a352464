"""The house keeps its layers, and the command starts without its heavy packages."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_command_imports_nothing_heavy():
    """Imports of NumPy, OpenCV or pydantic would cost a board a second before `--help`."""
    code = (
        "import sys, edge.cli; edge.cli.parser(); "
        "print(*sorted({m.partition('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    )
    heavy = ["cv2", "numpy", "pydantic", "tensorflow", "keras", "skimage", "ai_edge_litert"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == []


def test_the_device_never_loads_tensorflow_or_the_workstation():
    code = (
        "import sys, pkgutil, importlib, edge\n"
        "for module in pkgutil.walk_packages(edge.__path__, 'edge.'):\n"
        "    if module.name != 'edge.__main__': importlib.import_module(module.name)\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules} & {'tensorflow', 'keras', 'train', 'convert'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == []


def test_no_layer_is_broken():
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
