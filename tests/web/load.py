"""What the page costs the loop: python tests/web/load.py [--seconds 2] [--rounds 15] [--paced 15] [--memory MB]

The loop runs the shipped networks on the synthetic camera, as fast as it can or, with --paced, at a camera's rate; with
--memory (root, control groups) it has no more than that, as on a small board. Everything runs on one core, the clients
on the others. Each load is switched on and off by turns, its clients stopped and continued, and a time with it is
compared with the times before and after, so that whatever else the machine does hits both; medians of the rounds.
--idle measures only the page that nobody looks at, by the processor time of its own threads and of the loop's calls to
it: other work on the machine changes that share little.
"""

import argparse
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
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


VIEWER = """
import http.client, sys, time
link = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
while True:
    for path in ("/api/frame.jpg", "/api/status", "/api/frame.jpg", "/api/frame.jpg", "/api/aim"):
        link.request("GET", path); link.getresponse().read(); time.sleep(0.2)
"""
"""A browser that shows the live picture and the state."""
IDLE = """
import socket, sys, time
links = [None] * 1000
while True:
    for i, link in enumerate(links):
        try:
            if link: link.recv(1); link.close()
            links[i] = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)
            links[i].setblocking(False)
        except BlockingIOError: pass
        except OSError: links[i] = None
    time.sleep(5)
"""
"""Connections that say nothing, opened again when they are closed."""


@contextmanager
def clients(code, port):
    others = sorted(os.sched_getaffinity(0) ^ ALL) or sorted(ALL)
    pin = f"import os; os.sched_setaffinity(0, {others})\n"
    leave = (lambda: (GROUP / "cgroup.procs").write_text("0")) if GROUP else None  # clients are another machine's
    child = subprocess.Popen([sys.executable, "-c", pin + code, str(port)], stderr=subprocess.DEVNULL, preexec_fn=leave)
    try:
        time.sleep(0.5)
        yield child
    finally:
        child.kill()
        child.wait()


@contextmanager
def switched(code, port):
    """`on(True)` continues the clients, `on(False)` stops them."""
    with clients(code, port) as child:
        yield lambda on: child.send_signal(signal.SIGCONT if on else signal.SIGSTOP)


def answers(port):
    """Seconds until somebody else at another address is answered, at most 10."""
    start = time.perf_counter()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=("127.0.0.2", 0))) as link:
        try:
            link.request("GET", "/healthz")
            link.getresponse().read()
        except OSError:
            return 10.0
    return time.perf_counter() - start


def compare(turn, on, rounds):
    """FPS and processor time a frame with a load, of those without: the median of the rounds, and the quartiles."""
    on(False)
    before, found, rates = turn(1), [], []
    for _ in range(rounds):
        on(True)
        turn(1)  # what was saved up meanwhile is spent
        loaded = turn(2)
        on(False)
        after = turn(1)
        found.append([loaded[i] / ((before[i] + after[i]) / 2) for i in (0, 1)])
        rates.append(loaded[0])
        before = after
    fps, cpu = zip(*found, strict=True)
    low, middle, high = statistics.quantiles(fps, n=4)
    return statistics.median(rates), low, middle, high, statistics.median(cpu)


def ran(thread):
    """Seconds of processor time of a thread."""
    return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[0]) / 1e9


class Timed(Hub):
    """Counts the processor time that the loop spends in it."""

    spent = 0.0

    def publish(self, *what):
        start = time.thread_time()
        super().publish(*what)
        self.spent += time.thread_time() - start

    def requests(self):
        start = time.thread_time()
        found = super().requests()
        self.spent += time.thread_time() - start
        return found


def idle(args):
    os.sched_setaffinity(0, {min(ALL)})
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    settings = config.load(None, ["camera.source=synthetic", "backend.detector=tflite", "backend.classifier=tflite"])
    with assemble.runtime(settings, live=False) as runtime:
        run(runtime, 2, paced=args.paced)
        hub, before, others = Timed(), resident(), {thread.native_id for thread in threading.enumerate()}
        with page(hub, port):
            http.client.HTTPConnection("127.0.0.1", port).request("GET", "/metrics")
            run(runtime, 2, hub, args.paced)  # what only the start takes
            own = {thread.native_id for thread in threading.enumerate()} - others
            hub.spent, of_page, all_of_it = 0.0, sum(map(ran, own)), time.process_time()
            rate, _ = run(runtime, args.idle, hub, args.paced)
            of_page, all_of_it = sum(map(ran, own)) - of_page, time.process_time() - all_of_it
            rest = all_of_it - of_page - hub.spent
            print(f"{args.idle:g} s at {rate:.1f} FPS, processor time of everything else: {rest:.2f} s")
            print(f"threads of the page ({len(own)}): {of_page:.4f} s, {of_page / rest:.2%}")
            print(f"the loop's calls to it: {hub.spent:.4f} s, {hub.spent / rest:.2%}")
            print(f"memory: {resident() - before:.1f} MB more with the page (of {before:.0f} MB)")


def measure(args):
    # The camera and its page on one core, as on the smallest board.
    os.sched_setaffinity(0, {min(ALL)})
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    settings = config.load(None, ["camera.source=synthetic", "backend.detector=tflite", "backend.classifier=tflite"])
    with assemble.runtime(settings, live=False) as runtime, ExitStack() as stack:
        run(runtime, 2, paced=args.paced)
        before, hub = resident(), Hub()
        print(f"{'':<26}{'FPS':>6}{'of it':>8}{'quartiles':>18}{'CPU of it':>11}{'answers in s':>14}")

        def turn(times):
            return run(runtime, times * args.seconds, hub, args.paced)

        def opened(on):
            stack.enter_context(page(hub, port)) if on else stack.close()

        found = {"page, nobody looks": (*compare(turn, opened, args.rounds), 0.0)}
        opened(True)
        http.client.HTTPConnection("127.0.0.1", port).request("GET", "/metrics")
        turn(1)
        more = resident() - before
        for name, code in (("one viewer", VIEWER), ("1,000 idle connections", IDLE), ("flood, 16 clients", FLOOD)):
            with switched(code, port) as on:
                on(True)
                turn(2)
                row = compare(turn, on, args.rounds)
                on(True)
                found[name] = (*row, max(answers(port) for _ in range(3)))
        for name, (fps, low, middle, high, cpu, wait) in found.items():
            print(f"{name:<26}{fps:>6.1f}{middle:>8.1%}{low:>9.1%}{high:>9.1%}{cpu:>11.1%}{wait:>14.2f}")
    print(f"memory: {more:.1f} MB more with the page (of {before:.0f} MB)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--paced", type=float, default=0.0, metavar="FPS")
    parser.add_argument("--memory", type=int, default=0, metavar="MB")
    parser.add_argument("--idle", type=float, default=0.0, metavar="S")
    args = parser.parse_args()
    with limited(args.memory) if args.memory else nullcontext():
        (idle if args.idle else measure)(args)


if __name__ == "__main__":
    main()
