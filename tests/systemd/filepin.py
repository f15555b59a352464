"""For the container: a pin of gpiozero's whose level stands in a file, and so outlives the process, as on a board.

Every setting is a line: seconds since boot, level, id of the process.
"""

import os
import time

from gpiozero.pins.mock import MockPin


class FilePin(MockPin):
    def _set_state(self, value: float) -> None:
        super()._set_state(value)
        with open(f"/run/pins/{self.info.name}", "a", encoding="ascii") as file:
            file.write(f"{time.monotonic():.3f} {int(value)} {os.getpid()}\n")
