#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Under load: qemu-storage-daemon serves with the preloaded library as it does
without it: every engine, an end in the middle, a long time.

Where an iothread serves, Debian's 7.2 asserts when its client goes, recorded or
not: such a server gets one client, whose work has to be the same.  A sample with
a fixed seed; all of it with COTRACE_SOAK=1.
"""
import filecmp
import os
import random
import re
import signal
import subprocess
import sys

import story
import tap
from preloaded import check_items
from qemu import Monitor, child_of, connect, need, until

SOAK = os.environ.get("COTRACE_SOAK") == "1"
ENGINES = ("threads", "native", "io_uring")
SIZE = "64M" if SOAK else "8M"
ROUNDS = 400 if SOAK else 6
SERVERS = 2
NAME = "qemu-storage-da"  # as the kernel cuts it
GOES = "nbd_blockdev_client_closed: Assertion"  # a client, in an iothread


class Server:
    """Two exports; with and without cotrace.  With @iothread each is served by
    one of its own, and the first client is the last."""

    def __init__(self, place, engine, trace=None, iothread=False):
        os.makedirs(place, exist_ok=True)
        self.place, self.trace = place, trace
        self.socket = os.path.join(place, "s")
        self.images = []
        self.iothread = iothread
        words = ["qemu-storage-daemon", "--nbd-server",
                 f"addr.type=unix,addr.path={self.socket}",
                 "--chardev", f"socket,id=c,path={place}/q,server=on,wait=off",
                 "--monitor", "chardev=c"]
        cache = ",cache.direct=on" if engine == "native" else ""
        for i in range(SERVERS):
            image = os.path.join(place, f"{i}.raw")
            story.run("qemu-img", "create", "-q", "-f", "raw", image, SIZE)
            self.images.append(image)
            if iothread:
                words += ["--object", f"iothread,id=t{i}"]
            words += ["--blockdev",
                      f"driver=file,node-name=n{i},filename={image},"
                      f"aio={engine}{cache}",
                      "--export", f"nbd,id=e{i},node-name=n{i},writable=on" +
                      (f",iothread=t{i}" if iothread else "")]
        if trace:
            words = [story.COTRACE, "record", "--qemu", "-o", trace, "--",
                     *words]
        # A line a client that goes: more in the end than a pipe holds.
        self.said = os.path.join(place, "said")
        with open(self.said, "w", encoding="utf-8") as said:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE,
                                            stderr=said, text=True)

    def __enter__(self):
        try:
            if self.iothread:
                until(lambda: os.path.exists(self.socket) or not self.alive(),
                      "it listens")
            else:
                connect(self.socket, self.alive).close()
        except BaseException:
            self.__exit__()
            raise
        self.pid = self.process.pid if not self.trace else \
            child_of(self.process.pid, NAME)
        return self

    def alive(self):
        return self.process.poll() is None

    def __exit__(self, *_):
        if self.alive():
            self.process.terminate()
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise

    def fio(self, *words):
        """A job an export, side by side."""
        command = ["fio", "--ioengine=nbd", "--bs=4k", "--iodepth=16",
                   "--randseed=7", "--thread", f"--size={SIZE}", *words]
        for i in range(SERVERS):
            command += [f"--name=j{i}",
                        f"--uri=nbd+unix:///n{i}?socket={self.socket}"]
        return subprocess.Popen(command, cwd=self.place,
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def end(self):
        """The exit status as a shell has it, what it said and what we did."""
        out = self.process.communicate(timeout=story.TIMEOUT)[0]
        code = self.process.returncode
        with open(self.said, encoding="utf-8") as said:
            lines = said.read().splitlines()
        return (128 - code if code < 0 else code, out,
                [line for line in lines if not line.startswith("cotrace: ")]), \
            [line for line in lines if line.startswith("cotrace: ")]


def has_engine(tmp, engine):
    """This machine may not allow it, or not on this file system."""
    server = Server(os.path.join(tmp, "try"), engine)
    try:
        with server:
            server.process.terminate()
            return server.end()[0][0] == 0
    except AssertionError:
        return False


for engine in ENGINES:
    def serves(tmp, engine=engine):
        need("qemu-storage-daemon", "fio")
        if not has_engine(tmp, engine):
            tap.skip(f"no {engine} here")
        ends, servers = [], []
        for way in ("plain", "recorded"):
            trace = os.path.join(tmp, "trace") if way == "recorded" else None
            with Server(os.path.join(tmp, way), engine, trace) as server:
                client = server.fio("--rw=randwrite", "--verify=pattern",
                                    "--verify_pattern=%o", "--do_verify=1",
                                    "--verify_fatal=1")
                out = client.communicate(timeout=story.TIMEOUT)[0]
                tap.equal(client.returncode, 0, out)
                server.process.send_signal(signal.SIGTERM)
                end, said = server.end()
            # What it says of clients that go is a matter of time.
            ends.append((*end[:2], [line for line in end[2]
                                    if " socket: " not in line]))
            servers.append(server)
        tap.equal(ends[1], ends[0], "status and output")
        for ours, theirs in zip(servers[1].images, servers[0].images):
            tap.equal(filecmp.cmp(ours, theirs, shallow=False), True, ours)
        nbd = [r for r in story.requests(trace) if r["layer"] == "nbd"]
        if any(" 0 lost" in line for line in said):
            # Nobody tells that a write waits for its client's data, nor, of
            # linux-aio, that a request waits to be submitted.
            found = check_items(trace, unknown=lambda r: engine == "native" or
                                (r["layer"], r["op"]) == ("nbd", "write"))[0]
            done = sum(os.path.getsize(i) for i in servers[1].images) // 4096
            tap.equal(len([r for r in nbd if r["op"] in ("read", "write")]) >=
                      2 * done, True, "every request is there")
            tap.note(f"{engine}: {len(nbd)} requests, {len(found)} items")
        else:
            tap.note(f"{engine}: {said}")
    tap.case(f"fio on two exports, aio={engine}: the same "
             "answers, images and status")(serves)


# --- iothreads ----------------------------------------------------------------

def copied(place, engine, trace):
    """What the client says, whether the image is what it wrote, and how the
    server ended."""
    with Server(place, engine, trace, iothread=True) as server:
        source = os.path.join(place, "source")
        with open(source, "wb") as file:
            file.write(random.Random(7).randbytes(
                os.path.getsize(server.images[0])))
        client = subprocess.run(
            ["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source,
             f"nbd+unix:///n0?socket={server.socket}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=story.TIMEOUT)
        if server.alive():
            server.process.send_signal(signal.SIGTERM)
        (status, _, lines), said = server.end()
    asserted = any(GOES in line for line in lines)
    tap.equal(status, 134 if asserted else 0, f"{lines}; {said}")
    return (client.returncode, client.stdout,
            filecmp.cmp(source, server.images[0], shallow=False)), asserted


for engine in ENGINES:
    def in_iothread(tmp, engine=engine):
        need("qemu-storage-daemon", "qemu-img")
        if not has_engine(tmp, engine):
            tap.skip(f"no {engine} here")
        asserts = {"plain": 0, "recorded": 0}
        for turn in range(20 if SOAK else 1):
            for way in asserts:
                trace = os.path.join(tmp, f"trace{turn}")
                did, asserted = copied(os.path.join(tmp, f"{way}{turn}"),
                                       engine,
                                       trace if way == "recorded" else None)
                tap.equal(did, (0, "", True), f"{way}: the client")
                asserts[way] += asserted
            found = story.requests(trace)
            story.check_sums(found)
            tap.equal(any(r["layer"] == "nbd" and r["op"] == "write"
                          for r in found), True, "its requests are there")
        tap.note(f"{engine}: asserted at the client's end: {asserts}")
    tap.case(f"an export in an iothread, aio={engine}: its client's work is "
             "the same")(in_iothread)


# --- an end in the middle -----------------------------------------------------

def ended_by(tmp, way, engine, trace):
    with Server(tmp, engine, trace) as server:
        client = server.fio("--rw=randwrite", "--time_based", "--runtime=60")
        try:
            until(lambda: os.stat(server.images[0]).st_blocks > 512,
                  "fio is at it")
            if way == "quit":
                monitor = Monitor(os.path.join(server.place, "q"))
                monitor.send("quit")
            else:
                os.kill(server.pid, way)
            # what it says of its clients' ends is a matter of time
            (status, out, _), said = server.end()
        finally:
            client.kill()
            client.communicate()
        if os.path.exists(f"/proc/{server.pid}"):
            raise AssertionError("it is still there")
    return (status, out), said


WAYS = [(signal.SIGTERM, "threads"), (signal.SIGINT, "native"),
        (signal.SIGKILL, "io_uring"), ("quit", "threads")]
for way, engine in (WAYS if not SOAK else
                    [(w, e) for w, _ in WAYS for e in ENGINES] * 10):
    def ends(tmp, way=way, engine=engine):
        need("qemu-storage-daemon", "fio")
        if not has_engine(tmp, engine):
            engine = "threads"
        plain, _ = ended_by(os.path.join(tmp, "plain"), way, engine, None)
        trace = os.path.join(tmp, "trace")
        recorded, said = ended_by(os.path.join(tmp, "recorded"), way, engine,
                                  trace)
        tap.equal(recorded, plain, f"status and output; {said}")
        tap.equal(any("recorded" in line for line in said), True, said)
        found = story.requests(trace)
        story.check_sums(found)
        # Killed while it writes an event, a buffer is not passed on any more;
        # that is said.
        is_torn = way == signal.SIGKILL and any(
            "the trace is not complete" in line for line in said)
        # So many were in the image when it was ended.
        tap.equal(is_torn or
                  len([r for r in found if r["layer"] == "nbd"]) > 50, True,
                  "what was recorded until then can be read")
        tap.note(f"status {plain[0]}, {len(found)} requests, {said[0]}")
    tap.case(f"ended by {getattr(way, 'name', way)} in the middle of its work, "
             f"aio={engine}: the same status")(ends)


# --- a long time --------------------------------------------------------------

def used(pid):
    """Anonymous memory in KiB, open files, threads, mappings."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        text = file.read()
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        maps = len(file.readlines())
    return (int(re.search(r"RssAnon:\s+(\d+)", text)[1]),
            len(os.listdir(f"/proc/{pid}/fd")),
            int(re.search(r"Threads:\s+(\d+)", text)[1]), maps)


def long_run(place, trace):
    """What it used after the first third of the rounds, and at the end."""
    with Server(place, "threads", trace) as server:
        for number in range(ROUNDS):
            client = server.fio("--rw=randrw", "--io_size=512k")
            out = client.communicate(timeout=story.TIMEOUT)[0]
            tap.equal(client.returncode, 0, out)
            # clients that come and go, and one that is gone in the middle
            for _ in range(4):
                connect(server.socket).close()
            if number == ROUNDS // 3:
                first = used(server.pid)
        settled = None

        def is_settled():  # the last client's connection is closed
            nonlocal settled
            before, settled = settled, used(server.pid)
            return before and before[1] == settled[1] == first[1]
        until(is_settled, "the last client is gone")
        last = used(server.pid)
        server.process.send_signal(signal.SIGTERM)
        server.end()
    return first, last


@tap.case("a long time: no memory, no file, no thread and no mapping more than "
          "without")
def _(tmp):
    need("qemu-storage-daemon", "fio")
    grown = []
    for way in ("plain", "recorded"):
        trace = os.path.join(tmp, "trace") if way == "recorded" else None
        first, last = long_run(os.path.join(tmp, way), trace)
        tap.note(f"{way}, {ROUNDS} rounds: KiB, fds, threads, mappings: "
                 f"{first} after a third, {last} at the end")
        tap.equal(last[1], first[1], "fds")
        grown.append(last[0] - first[0])
    tap.equal(grown[1] <= grown[0] + 2048, True, f"grown by KiB: {grown}")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
