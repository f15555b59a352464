"""Any program at an event: a sound, a relay on the network, a script."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence

from edge.core.errors import ConfigError, SinkError
from edge.core.labels import Mask
from edge.core.records import Event


class CommandSink:
    """Runs `argv`, without a shell, and waits for its end: so never more than one at a time.

    The program finds MASKCAM_EVENT (the kind), MASKCAM_STATE, MASKCAM_DETAIL, MASKCAM_MASK (on, off, unsure) and
    MASKCAM_OUTCOME (besides these incorrectly_worn and not_a_face) in its environment.
    After `timeout` seconds it is killed with all that it started. Raises ConfigError for an empty command; `send`
    raises SinkError when the program is not found, fails or takes too long, with the last line it wrote to stderr.
    """

    def __init__(self, argv: Sequence[str], timeout: float = 10.0) -> None:
        if not argv or not argv[0]:
            raise ConfigError("sinks.command.argv = []: expected a program and its arguments")
        self._argv, self._timeout = list(argv), timeout

    def send(self, event: Event) -> None:
        mask = event.decision.mask if event.decision else Mask.UNSURE
        outcome = event.decision.outcome if event.decision else Mask.UNSURE.value
        facts = {
            "EVENT": event.kind,
            "STATE": event.state,
            "DETAIL": event.detail,
            "MASK": mask.value,
            "OUTCOME": outcome,
        }
        environ = os.environ | {f"MASKCAM_{key}": value for key, value in facts.items()}
        try:
            process = subprocess.Popen(
                self._argv,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise SinkError(f"{self._argv[0]} cannot be run ({error}): expected a program for this user") from None
        with process:
            try:
                _, said = process.communicate(timeout=self._timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise SinkError(f"{self._argv[0]} took longer than {self._timeout:g} s and was killed") from None
        if process.returncode:
            last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise SinkError(f"{self._argv[0]} ended with {process.returncode}: {last}")

    def close(self) -> None:
        pass
