"""What the page costs the loop, in one run: python tests/web/load.py [--seconds 4] [--rounds 5] [--paced 15]

The loop runs the shipped networks on the synthetic camera, as fast as it can or, with --paced, at a camera's rate; with
--memory MB (root, control groups) it has no more than that, as on a small board. The cases take turns, so that whatever
else the machine does hits all of them; the medians of the rounds are compared.
"""

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path

from edge import assemble, config
from edge.runtime.controls import Controls
from edge.web.assembly import opened
from edge.web.hub import Hub

ALL = os.sched_getaffinity(0)
HIERARCHIES = ("/sys/fs/cgroup/memory", "/sys/fs/cgroup")
GROUP = None
"""Where the clients are put when this process is in a group of its own."""

FLOOD = """
import http.client, sys, threading
def work():
    while True:
        try:
            link = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
            for _ in range(100):
                link.request("GET", "/api/status"); link.getresponse().read()
        except OSError: pass
for _ in range(16): threading.Thread(target=work, daemon=True).start()
threading.Event().wait()
"""


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def run(runtime, seconds, hub=None, paced=0.0):
    """Frames a second, and milliseconds of this process's processor time a frame."""
    frames, start, used = 0, time.perf_counter(), time.process_time()
    for observation in runtime.pipeline.run(runtime.camera):
        runtime.policy.events(observation)
        frames += 1
        if hub:
            report = {"state": "ok", "fps": 1.0, "frames": frames}
            hub.publish(observation, runtime.policy.active, report, {}, runtime.timers)
            hub.requests()
        if paced:
            time.sleep(max(start + frames / paced - time.perf_counter(), 0))
        if time.perf_counter() - start >= seconds:
            break
    return frames / (time.perf_counter() - start), 1000 * (time.process_time() - used) / frames


@contextmanager
def limited(megabytes):
    """This process in a control group of its own, of version 1 or 2, for the block."""
    global GROUP
    GROUP = next(path for path in map(Path, HIERARCHIES) if (path / "cgroup.procs").exists())
    own = GROUP / f"maskcam{os.getpid()}"
    own.mkdir()
    try:
        name = "memory.limit_in_bytes" if (own / "memory.limit_in_bytes").exists() else "memory.max"
        (own / name).write_text(str(megabytes << 20))
        (own / "cgroup.procs").write_text("0")
        yield
    finally:
        (GROUP / "cgroup.procs").write_text("0")
        own.rmdir()


@contextmanager
def page(hub, port):
    def loaded(path):
        return config.read([], ["camera.source=synthetic", f"web.port={port}"])

    path = Path(tempfile.gettempdir()) / "maskcam-no-such-page.toml"
    with opened(hub, loaded, path, False, None, lambda: None, Controls()) as address:
        assert address, "the page did not open"
        yield


@contextmanager
def viewer(port):
    """A browser that shows the live picture and the state."""
    code = (
        "import http.client, sys, time\n"
        "link = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))\n"
        "while True:\n"
        "    for path in ('/api/frame.jpg', '/api/status', '/api/frame.jpg', '/api/frame.jpg', '/api/aim'):\n"
        "        link.request('GET', path); link.getresponse().read(); time.sleep(0.2)\n"
    )
    with process(code, port):
        yield


@contextmanager
def process(code, port):
    others = sorted(os.sched_getaffinity(0) ^ ALL) or sorted(ALL)
    pin = f"import os; os.sched_setaffinity(0, {others})\n"
    leave = (lambda: (GROUP / "cgroup.procs").write_text("0")) if GROUP else None  # clients are another machine's
    child = subprocess.Popen([sys.executable, "-c", pin + code, str(port)], stderr=subprocess.DEVNULL, preexec_fn=leave)
    try:
        time.sleep(0.5)
        yield
    finally:
        child.kill()
        child.wait()


@contextmanager
def idle(port, count=1000):
    """Connections that say nothing, opened again when they are closed."""
    code = (
        "import socket, sys, time\n"
        f"links = [None] * {count}\n"
        "while True:\n"
        "    for i, link in enumerate(links):\n"
        "        try:\n"
        "            if link: link.recv(1); link.close()\n"
        "            links[i] = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)\n"
        "            links[i].setblocking(False)\n"
        "        except BlockingIOError: pass\n"
        "        except OSError: links[i] = None\n"
        "    time.sleep(15)\n"
    )
    with process(code, port):
        yield


def answers(port):
    """Whether the page still answers, and in how many seconds."""
    start = time.perf_counter()
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as link:
            link.request("GET", "/healthz")
            link.getresponse().read()
        return time.perf_counter() - start
    except OSError:
        return float("inf")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--paced", type=float, default=0.0, metavar="FPS")
    parser.add_argument("--memory", type=int, default=0, metavar="MB")
    args = parser.parse_args()
    with limited(args.memory) if args.memory else nullcontext():
        measure(args)


def measure(args):
    os.sched_setaffinity(
        0, {min(ALL)}
    )  # the camera and its page on one core, as on the smallest board; clients elsewhere
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    settings = config.load(None, ["camera.source=synthetic", "backend.detector=tflite", "backend.classifier=tflite"])
    cases = {"no page": None, "page, nobody looks": (), "one viewer": (viewer,)}
    cases |= {"1,000 idle connections": (idle,), "flood, 16 clients": (lambda p: process(FLOOD, p),)}
    found = {name: [] for name in cases}
    waits = {name: [] for name in cases}
    with assemble.runtime(settings, live=False) as runtime:
        run(runtime, 2, paced=args.paced)
        before = resident()
        hub = Hub()
        with page(hub, port):
            run(runtime, 2, hub, args.paced)
            http.client.HTTPConnection("127.0.0.1", port).request("GET", "/metrics")
            run(runtime, 1, hub, args.paced)
            more = resident() - before
        for _ in range(args.rounds):
            for name, load in cases.items():
                with ExitStack() as stack:
                    if load is not None:
                        stack.enter_context(page(hub, port))
                        for each in load:
                            stack.enter_context(each(port))
                    run(
                        runtime, args.seconds, hub if load is not None else None, args.paced
                    )  # what was saved up is spent
                    found[name].append(run(runtime, args.seconds, hub if load is not None else None, args.paced))
                    if load is not None:
                        waits[name].append(answers(port))
    print(f"memory: {more:.1f} MB more with the page (of {before:.0f} MB)")
    base = [statistics.median(column) for column in zip(*found["no page"], strict=True)]
    print(f"{'':<24}{'FPS':>7}{'of it':>8}{'CPU ms/frame':>14}{'of it':>8}{'answers in s':>14}")
    for name, rows in found.items():
        ratios = [statistics.median(r[i] / b[i] for r, b in zip(rows, found["no page"], strict=True)) for i in (0, 1)]
        fps, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        wait = f"{statistics.median(waits[name]):.3f}" if waits[name] else ""
        print(f"{name:<24}{fps:>7.1f}{ratios[0]:>8.1%}{cpu:>14.2f}{ratios[1]:>8.1%}{wait:>14}")
    assert base


if __name__ == "__main__":
    main()
