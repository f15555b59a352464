"""An emulated machine with the card in it, and its serial console."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pi3

KINDS = {
    "amd64": (["qemu-system-x86_64", "-cpu", "max"], "console=ttyS0"),
    "arm64": (["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72"], "console=ttyAMA0"),
    "rpi3": (
        ["qemu-system-aarch64", "-machine", "raspi3b"],
        "console=ttyAMA0,115200 deferred_probe_timeout=5 module_blacklist=vc4",
    ),
}
"""The board -> the emulator, and what its kernel must be told; a Pi 3's would wait for a screen that is not there."""
APPEND = "root=LABEL=rootfs rw rootwait panic=-1"
"""With panic=-1 a kernel that fails ends the machine at once."""


class Console:
    """The serial line, on which root is logged in. What it shows is also in `log`."""

    def __init__(self, path: Path, log: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.settimeout(0.5)
        self.log = log

    def wait_for(self, pattern: str, timeout: float) -> str:
        """The line of the log that matches. Raises TimeoutError with the end of the log."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ended = self._receive() is None
            text = self.log.read_text(errors="replace") if self.log.exists() else ""
            if found := re.search(f"^.*{pattern}.*$", text, flags=re.MULTILINE):
                return found[0]
            assert not ended, f"the machine has ended:\n{text[-2000:]}"
        raise TimeoutError(f"{pattern!r} did not appear in {timeout:.0f} s:\n{text[-2000:]}")

    def run(self, command: str, timeout: float = 60.0) -> str:
        """What a shell command prints. The tag comes in two parts, for the console echoes what is typed."""
        tag = uuid.uuid4().hex[:8]
        self._socket.sendall(f"stty -echo; echo A'{tag}'; {command}; echo B'{tag}'\n".encode())
        seen, deadline = b"", time.monotonic() + timeout
        while time.monotonic() < deadline:
            received = self._receive()
            assert received is not None, f"the machine has ended:\n{seen.decode(errors='replace')[-2000:]}"
            seen += received
            text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode(errors="replace")).replace("\r", "")
            if found := re.search(f"A{tag}\n(.*?)B{tag}", text, flags=re.DOTALL):
                return found[1].strip()
        raise TimeoutError(f"{command!r} took more than {timeout:.0f} s")

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes | None:
        """What has come within half a second; None when the machine has ended."""
        try:
            return self._socket.recv(65536) or None
        except TimeoutError:
            return b""
        except ConnectionError:
            return None


@contextlib.contextmanager
def boot(
    rootfs: Path, card: Path, folder: Path, instance: str, memory: int = 2048, arch: str = "amd64"
) -> Iterator[Console]:
    """Starts the machine with the kernel of `rootfs`; kills it when the block ends, as a power cut does.

    `instance`: what the card's command line says of cloud-init, which no firmware reads here. `memory`: MiB; a Pi 3
    has its own.
    """
    kernel = max((rootfs / "boot").glob("vmlinuz-*"))
    initrd = kernel.with_name(kernel.name.replace("vmlinuz", "initrd.img"))
    emulator, words = KINDS[arch]
    command = [*emulator, "-net", "none", "-kernel", str(kernel), "-initrd", str(initrd)]
    command += ["-append", f"{words} {APPEND} {instance}"]
    # cache=unsafe: only the power of the board is cut, what it has flushed lies with this machine.
    drive = f"file={card},format=raw,cache=unsafe"
    if arch == "rpi3":
        tree = pi3.device_tree(rootfs, folder / "tree.dtb")
        command += ["-dtb", str(tree), "-drive", f"{drive},if=sd"]
    else:
        command += ["-smp", "2", "-m", str(memory), "-drive", f"{drive},if=virtio", "-device", "virtio-rng-pci"]
    with running(command, folder) as line:
        yield line


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Iterator[Console]:
    """An emulator with its serial line and its monitor (a socket) in `folder`; it is killed when the block ends."""
    serial, monitor, log = folder / "serial", folder / "monitor", folder / "serial.log"
    for path in (serial, monitor, log):
        path.unlink(missing_ok=True)
    # No KVM: what a nested machine offers as one often hangs. -no-reboot: a reboot ends the process.
    command = [*command, "-accel", "tcg,thread=multi", "-display", "none", "-no-reboot"]
    command += ["-chardev", f"socket,id=s0,path={serial},server=on,wait=off,logfile={log}", "-serial", "chardev:s0"]
    command += ["-monitor", f"unix:{monitor},server=on,wait=off"]
    with (folder / "qemu.log").open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        for _ in range(100):
            if (serial.exists() and monitor.exists()) or process.poll() is not None:
                break
            time.sleep(0.1)
        with contextlib.closing(Console(serial, log)) as console:
            yield console
    finally:
        process.kill()
        process.wait()
