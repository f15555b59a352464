"""`python -m edge` is `maskcam`."""

import sys

from edge.cli import main

sys.exit(main())
