"""Unpacks the wheels of the CPU engine for aarch64 and Python 3.11 into a folder: `unpack.py FOLDER`."""

import sys
from pathlib import Path

from wheels import install, requirements

wanted = [str(one) for one in requirements("cpu", "aarch64", "3.11")]
raise SystemExit(install(wanted, "aarch64", "3.11", Path(sys.argv[1])) or 0)
