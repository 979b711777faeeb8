# SPDX-License-Identifier: MIT
"""cotrace-io bench beside qemu-img bench: the block layer without a network.

The same image in memory (linux-aio: in the folder of recordings, past the page
cache), the same engine, 4 KiB requests.  A figure is the CPU time of a request,
of all threads of the program, as the shell that started it tells it (bash: in
milliseconds; other shells count ticks, which are 3 % of a turn)."""
import os
import re
import shutil

import rows_nbd
from measure import Goal, Missing, Row

QEMU = "qemu-img"
TIMES = re.compile(r"(\d+)m([\d.]+)s (\d+)m([\d.]+)s")


class Load:
    def __init__(self, bench, images, format, op, depth, engine):
        self.bench, self.images = bench, images
        self.format, self.op = format, op
        self.depth, self.engine = depth, engine
        self.count = 500 if bench.quick else 100000 if depth > 1 else 40000
        if engine == "native":
            self.count = min(self.count, 20000)  # a disk takes its time

    def image(self):
        path = self.images.get(self.format)
        if self.engine != "native":
            return path
        copy = os.path.join(self.bench.tmp, os.path.basename(path))
        if not os.path.exists(copy):
            shutil.copy(path, copy)
        return copy

    def words(self, program):
        cache = "none" if self.engine == "native" else "writeback"
        return [program, "bench", "-f", self.format, "-c", str(self.count),
                "-d", str(self.depth), "-s", "4k", "-S", "20k", "-t", cache,
                "-i", self.engine, *(["-w"] if self.op == "write" else []),
                self.image()]

    def measure(self, program, *before):
        """Nanoseconds of CPU time a request; @before itself is not pinned"""
        out = self.bench.output([*before, "taskset", "-c", str(self.bench.cpu),
                                 "env", "LC_ALL=C",
                                 "bash", "-c", '"$@" && times', "bash",
                                 *self.words(program)], pinned=False)
        found = TIMES.findall(out)
        if len(found) != 2 or "Run completed" not in out:
            raise RuntimeError(f"bench: {out}")
        minutes, seconds, more, system = map(float, found[1])  # its children's
        total = 60 * (minutes + more) + seconds + system
        return max(total, 0.01) / self.count * 1e9

    def ours(self):
        return self.measure(
            self.bench.program("runtime", "workloads", "cotrace-io"))

    def traced(self):
        cotrace = self.bench.program("viewer", "cotrace")
        trace = os.path.join(self.bench.tmp, "bench.trace")
        shutil.rmtree(trace, ignore_errors=True)
        try:
            return self.measure(
                self.bench.program("runtime", "workloads", "cotrace-io"),
                cotrace, "record", "-o", trace, "--")
        finally:
            shutil.rmtree(trace, ignore_errors=True)

    def qemu(self):
        if not shutil.which(QEMU):
            raise Missing(f"{QEMU} is not installed")
        return self.measure(QEMU)


def row(bench, images, format, op, depth, engine):
    load = Load(bench, images, format, op, depth, engine)
    return Row(f"bench-{format}-{op}-{depth}-{engine}",
               f"bench, {format}, {engine}, {op}, depth {depth}", "ns",
               [("ours", load.ours), (QEMU, load.qemu),
                ("ours, recorded", load.traced)],
               Goal(QEMU, 1 / 1.25), turns=(5, True))


def traced_row(bench, images, format, op, depth, engine):
    load = Load(bench, images, format, op, depth, engine)
    return Row(f"bench-{format}-{op}-{depth}-{engine}-traced",
               f"bench, {format}, {engine}, {op}, depth {depth}, recorded",
               "ns", [("ours", load.traced), (QEMU, load.qemu)],
               Goal(QEMU, 1.0), turns=(9, True))


def rows(bench):
    images = rows_nbd.Images(bench)
    which = [("raw", "read", 1, "threads"), ("raw", "read", 64, "threads"),
             ("raw", "write", 64, "threads"), ("raw", "read", 64, "io_uring"),
             ("raw", "read", 64, "native"), ("qcow2", "read", 64, "threads"),
             ("qcow2", "write", 64, "threads"),
             ("qcow2", "read", 64, "io_uring")]
    if bench.quick:
        which = which[1:2]
    traced = which[:1] if bench.quick else which[1:2] + which[5:6]
    return [row(bench, images, *each) for each in which] + \
        [traced_row(bench, images, *each) for each in traced]
