"""Checks of the service: its unit, and its status file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from edge.core import json_text
from edge.core.findings import Finding, absent, bad, ok, warn
from edge.core.probes import Run, assignments, text

UNIT = "maskcam.service"
STATUS = "run/maskcam/status.json"
PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,Result,NRestarts,User,SupplementaryGroups"
LOG = "journalctl -u maskcam -b -n 50"


def show(run: Run) -> dict[str, str]:
    """Properties of the unit; empty if systemd is not running."""
    return assignments(run("systemctl", "show", UNIT, f"--property={PROPERTIES}") or "")


def unit(properties: Mapping[str, str]) -> Iterator[Finding]:
    active, sub = properties.get("ActiveState"), properties.get("SubState")
    restarts = properties.get("NRestarts", "0")
    if not properties:
        yield absent("service", "no systemd answers")
    elif properties.get("LoadState") == "not-found":
        yield absent("service", "not installed", "sudo systemd/install.sh")
    elif properties.get("LoadState") != "loaded":
        yield bad("service", f"the unit is {properties.get('LoadState')}", f"systemctl status {UNIT}")
    elif active == "failed":
        result = properties.get("Result")
        yield bad(
            "service", f"failed ({result})", f"{LOG}; sudo systemctl reset-failed maskcam; sudo systemctl start maskcam"
        )
    elif sub == "auto-restart":
        yield bad("service", f"does not stay up, {restarts} restarts", LOG)
    elif active != "active":
        yield warn("service", f"{active} ({sub})", "sudo systemctl start maskcam")
    elif properties.get("UnitFileState") != "enabled":
        yield warn("service", f"runs, but is {properties.get('UnitFileState')}", "sudo systemctl enable maskcam")
    elif restarts != "0":
        yield warn("service", f"runs, after {restarts} restarts", LOG)
    else:
        yield ok("service", f"{active} ({sub}), {properties.get('UnitFileState')}")


def status(root: Path) -> Iterator[Finding]:
    """The status of a running service: state, camera, frame rate, settings."""
    try:
        said = json_text.parse(text(root / STATUS))
    except ValueError:
        return
    detail = f" ({said['detail']})" if said.get("detail") else ""
    found = f"{said['state']}{detail}, camera {said['camera']}, {said['fps']:.1f} FPS, {said['frames']} frames"
    yield ok("running", found) if said["state"] == "ok" else warn("running", found, LOG)
    if bundle := said.get("bundle"):
        yield ok("at this door", bundle["said"])
    if kept := said.get("collecting"):
        found = f"{kept['pictures']} pictures of people are kept in {kept['folder']} for training"
        found += f", {kept['button']} says what was wrong" if kept.get("button") else ""
        remedy = "take the section [collect] out of the settings, then sudo systemctl reload maskcam"
        yield warn("collecting", f"{found}; {kept['problem']}" if kept.get("problem") else found, remedy)
    if said.get("configuration"):
        reason = " ".join(str(said["configuration"]).split())
        yield bad(
            "running", f"not on the settings asked for: {reason}", "maskcam config show; sudo systemctl reload maskcam"
        )
