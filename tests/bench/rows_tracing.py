# SPDX-License-Identifier: MIT
"""What an event costs the traced program, in time and in bytes.

bench-emit measures all of its cases in one process, in turns and with a warm-up
of its own; here they only become rows.  It is pinned, the daemon that takes the
events over is not: they are two machines' worth of work.
"""
import json
import os
import shutil

from measure import Goal, Missing, Row

OFF = "event off"
STACKS = (4, 16, 32)
IMAGE_MIB = 64


class Emit:
    """One run of bench-emit without a recording, and one inside one."""

    def __init__(self, bench):
        self.bench = bench
        self.figures = None

    def read(self, text):
        for line in text.splitlines():
            case = json.loads(line)
            self.figures[case["name"]] = case["ns"]

    def run(self):
        bench = self.bench
        program = bench.program("tests", "bench", "bench-emit")
        cotrace = bench.program("viewer", "cotrace")
        quick = ["quick"] if bench.quick else []
        trace = os.path.join(bench.tmp, "emit")
        self.figures = {}
        self.read(bench.output([program, *quick]))
        self.read(bench.output(
            [cotrace, "record", "-o", trace, "--events=*,bench_peer:*", "--",
             "taskset", "-c", str(bench.cpu), program, *quick], pinned=False))
        shutil.rmtree(trace, ignore_errors=True)

    def case(self, name):
        def figure():
            if self.figures is None:
                self.run()
            if name not in self.figures:
                raise Missing(f"bench-emit has no case '{name}'")
            return self.figures[name]
        return figure


class Load:
    """A recording of cotrace-io at work; the analysis rows read it too.

    `stride` is the way through the image: with another one the same requests
    come in another order; `reads` says how much there is of it."""

    def __init__(self, bench, name="load", stride=7919, reads=60000):
        self.bench = bench
        self.name = name
        self.stride = stride
        self.reads = 200 if bench.quick else reads
        self.trace = None
        self.note = None

    def record(self):
        if self.trace is not None:
            return
        bench = self.bench
        if shutil.which("qemu-img") is None:
            raise Missing("qemu-img is not installed")
        program = bench.program("runtime", "workloads", "cotrace-io")
        cotrace = bench.program("viewer", "cotrace")
        image = self.make_image()
        trace = os.path.join(bench.tmp, self.name)
        with self.make_script() as script:
            bench.output([cotrace, "record", "-o", trace, "--",
                          "taskset", "-c", str(bench.cpu), program,
                          "-f", "qcow2", "-r", image],
                         pinned=False, stdin=script)
        with open(os.path.join(trace, "cotrace.json"),
                  encoding="utf-8") as note:
            self.note = json.load(note)
        self.trace = trace

    def remove(self):
        if self.trace is not None:
            shutil.rmtree(self.trace)
            self.trace = None

    def make_image(self):
        raw = os.path.join(self.bench.tmp, "load.raw")
        image = os.path.join(self.bench.tmp, "load.qcow2")
        if os.path.exists(image):
            return image
        with open(raw, "wb") as out:
            for _ in range(IMAGE_MIB):
                out.write(os.urandom(1 << 20))
        self.bench.output(["qemu-img", "convert", "-f", "raw", "-O", "qcow2",
                           raw, image])
        os.unlink(raw)
        return image

    def make_script(self):
        """Reads all over the image, 32 in flight."""
        script = open(os.path.join(self.bench.tmp, "script"), "w+",
                      encoding="utf-8")
        for i in range(self.reads):
            at = i * self.stride * 4096 % (IMAGE_MIB << 20)
            script.write(f"aio_read -q {at} 4k\n")
            if i % 32 == 31:
                script.write("aio_flush\n")
        script.seek(0)
        return script

    def events(self):
        self.record()
        return self.note["events"]

    def bytes_per_event(self):
        self.record()
        total = 0
        for where, _, names in os.walk(self.trace):
            if os.path.basename(where) == "index":
                continue
            total += sum(os.path.getsize(os.path.join(where, name))
                         for name in names
                         if name not in ("metadata", "cotrace.json"))
        return total / self.note["events"]

    def lost(self):
        self.record()
        return self.note["discarded"]


def rows(bench, load):
    emit = Emit(bench)
    once = (1, False)
    out = [
        Row("event-off", "event, nobody records", "ns",
            [("ours", emit.case(OFF)), ("empty loop", emit.case("empty loop"))],
            Goal(limit=0.5), turns=once),
        Row("event", "event, 2 fields", "ns",
            [("ours", emit.case("event, 2 fields")),
             ("LTTng", emit.case("LTTng, 2 fields"))], turns=once),
    ]
    for depth in STACKS:
        contenders = [
            ("ours", emit.case(f"event, 2 fields and stack of {depth}")),
            ("LTTng", emit.case("LTTng, 2 fields"))]
        if depth > 4:
            contenders.append(("LTTng, frames inline",
                               emit.case(f"LTTng, 2 fields and {depth} "
                                         "frames")))
        out.append(Row(f"event-stack-{depth}",
                       f"event, 2 fields, stack of {depth}", "ns", contenders,
                       Goal("LTTng", 1.25), turns=once))
    out.append(Row("event-bytes", "bytes an event, cotrace-io reading", "B",
                   [("ours", load.bytes_per_event)], Goal(limit=48),
                   turns=once))
    out.append(Row("event-lost", "events lost, cotrace-io reading", "",
                   [("ours", load.lost)], Goal(limit=0), turns=once))
    return out
