"""Every fact about the package stands in pyproject.toml; here is what a wheel carries beside its modules."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class Build(build_py):
    """With settings, unit, installer, first-boot script and locks, which lie beside the packages in the source."""

    def run(self):
        super().run()
        if not self.editable_mode:
            for folder in ("configs", "systemd"):
                shutil.copytree(folder, Path(self.build_lib, "edge", "share", folder), dirs_exist_ok=True)


setup(cmdclass={"build_py": Build})
