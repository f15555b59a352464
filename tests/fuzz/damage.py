"""Random damage: python -m tests.fuzz.damage INPUTS [TARGET ...], to the seeds and what guided runs kept in build/fuzz.

Prints for each target how many inputs were tried; what failed lies in build/fuzz as random-TARGET-*. SEED=2: others.
LIMIT=300: no more than so many seconds each.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from tests.fuzz import targets
from tests.fuzz.seeds import NASTY, damaged, seeds

KEPT = Path("build/fuzz")


def run(name: str, inputs: int, rng: random.Random) -> int:
    """Number of inputs that failed."""
    made = [*seeds(name), *NASTY, *(path.read_bytes() for path in sorted((KEPT / name).glob("*")))]
    right, failed, tried = made[0], 0, 0
    start, end = time.process_time(), time.monotonic() + float(os.environ.get("LIMIT", "inf"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "only"
        folder.mkdir()
        while tried < inputs and time.monotonic() < end:
            tried += 1
            changes = [(rng.random(), rng.randrange(4), rng.choice(NASTY), rng.randrange(256)) for _ in range(4)]
            data = damaged(rng.choice((right, rng.choice(made))), changes[: rng.randrange(5)])
            try:
                targets.attempt(name, folder, data)
            except Exception:
                failed += 1
                (KEPT / f"random-{name}-{failed}").write_bytes(data)
                traceback.print_exc()
    each = tried / (time.process_time() - start)
    print(f"| {name} | {tried:,} | {each:.0f} per second of processor | {failed or 'nothing'} found |", flush=True)
    return failed


def main() -> int:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    KEPT.mkdir(parents=True, exist_ok=True)
    rng = random.Random(int(os.environ.get("SEED", "1")))
    return 1 if sum(run(name, int(sys.argv[1]), rng) for name in sys.argv[2:] or targets.TARGETS) else 0


if __name__ == "__main__":
    sys.exit(main())
