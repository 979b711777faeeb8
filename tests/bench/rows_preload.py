# SPDX-License-Identifier: MIT
"""What recording a packaged QEMU costs it: beside no tracing, and beside its own
log of the same events.

qemu-img bench, 32 requests in flight, on a qcow2 image in memory; log and trace
lie there, too.  Program and recorder share one CPU.  The figure is the CPU time
of all that runs, daemons included, less that of a hundredth of the requests: so
starting and stopping a recording is not in it.
"""
import os
import resource
import shutil
import tempfile

from measure import Goal, Missing, Row


class Load:
    def __init__(self, bench):
        self.bench = bench
        self.count = 300 if bench.quick else 20000
        self.place = None
        self.events = None

    def image(self):
        """In memory, if there is such a place."""
        if self.place is None:
            if shutil.which("qemu-img") is None:
                raise Missing("qemu-img is not installed")
            memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
            # removed with the object, whatever happens to the bench
            self.place = tempfile.TemporaryDirectory(dir=memory,
                                                     prefix="cotrace-bench-")
            raw, image = self.path("load.raw"), self.path("load.qcow2")
            with open(raw, "wb") as out:
                out.write(os.urandom(1 << 20) * 32)
            self.bench.output(["qemu-img", "convert", "-f", "raw", "-O",
                               "qcow2", raw, image])
            os.unlink(raw)
        return self.path("load.qcow2")

    def path(self, name):
        return os.path.join(self.place.name, name)

    def work(self, count, *options):
        return ["qemu-img", *options, "bench", "-c", str(count), "-d", "32",
                "-s", "4096", "-f", "qcow2", self.image()]

    def run(self, once):
        """CPU time in ms that once(number of requests) takes for them."""
        def spent(count):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            once(count)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return (after.ru_utime + after.ru_stime
                    - before.ru_utime - before.ru_stime)

        few = self.count // 100 + 1
        return max((spent(self.count) - spent(few)) * 1000, 0.001)

    def untraced(self):
        return self.run(lambda n: self.bench.output(self.work(n)))

    def record(self, *options, keep=None):
        self.image()
        return self.run(lambda n: self.record_once(n, options, keep))

    def record_once(self, count, options, keep):
        trace = self.path("trace")  # in memory, as the log is
        cotrace = self.bench.program("viewer", "cotrace")
        self.bench.program("tracepoints", "preload", "libcotrace-preload.so")
        try:
            self.bench.output([cotrace, "record", *options, "-o", trace, "--",
                               *self.work(count)])
        finally:
            if keep and os.path.exists(os.path.join(trace, keep)):
                shutil.copy(os.path.join(trace, keep), self.path(keep))
            shutil.rmtree(trace, ignore_errors=True)

    def recorded(self):
        return self.record("--qemu")

    def workers(self):
        """One event a file that is opened, and what is no line."""
        return self.record("--qemu=bdrv_open_common")

    def switches(self):
        return self.record("--preload")

    def log(self):
        """The same events, written by QEMU to a file in memory."""
        if self.events is None:
            self.record("--qemu", "--no-preload", keep="qemu.events")
            self.events = self.path("qemu.events")
        path = self.path("log")

        def once(count):
            try:
                self.bench.output(self.work(
                    count, "--trace", f"events={self.events},file={path}"))
            finally:
                if os.path.exists(path):
                    os.unlink(path)
        return self.run(once)


def rows(bench):
    load = Load(bench)
    untraced = ("no tracing", load.untraced)
    return [
        Row("qemu-recorded", "qemu-img bench, recorded with stacks", "ms",
            [("ours", load.recorded), ("its plain log", load.log), untraced],
            Goal("its plain log", 1.0), turns=(5, True)),
        Row("qemu-workers", "... without the lines: workers, I/O, waits", "ms",
            [("ours", load.workers), untraced], turns=(3, True)),
        Row("qemu-switches", "... by --preload: switches instead of lines",
            "ms", [("ours", load.switches), untraced], turns=(3, True)),
    ]
