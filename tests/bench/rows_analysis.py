# SPDX-License-Identifier: MIT
"""How fast a trace is read, beside babeltrace2 that reads it for nothing."""
import lzma
import os
import re
import shutil
import subprocess
import time

from measure import Goal, Missing, Row
from rows_tracing import Load


class Reader:
    """A command that reads the load's trace; its speed and its memory."""

    def __init__(self, bench, load, command, statuses=(0,)):
        self.bench = bench
        self.load = load
        self.command = command
        self.statuses = statuses

    def speed(self):
        """Millions of events a second of CPU time."""
        events = self.load.events()
        command = self.command(self.load.trace)
        child = subprocess.Popen(command, preexec_fn=self.bench.pin,
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        errors = child.stderr.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in self.statuses:
            raise RuntimeError(f"{' '.join(command)}: status "
                               f"{child.returncode}\n{errors}")
        return events / (usage.ru_utime + usage.ru_stime) / 1e6

    def peak(self, of="VmHWM"):
        """MiB; not of getrusage(), which counts what forked it, too.

        "RssAnon": without the pages of files, of which the trace's are mapped
        and stay as long as the kernel has room for them."""
        self.load.events()
        child = subprocess.Popen(self.command(self.load.trace),
                                 preexec_fn=self.bench.pin,
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        peak_kib = 0
        while child.poll() is None:
            with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
                found = re.search(of + r":\s*(\d+)", status.read())
            peak_kib = max(peak_kib, int(found[1]) if found else 0)
            time.sleep(0.005)
        return peak_kib / 1024


class Two:
    """Two recordings, as one load."""

    def __init__(self, one, other):
        self.one = one
        self.other = other

    def events(self):
        return self.one.events() + self.other.events()

    @property
    def trace(self):
        return self.one.trace, self.other.trace


class Renderer(Reader):
    """The same, counted in objects of the timeline; each is a line."""

    def __init__(self, bench, load, command):
        super().__init__(bench, load, command)
        self.objects = None

    def speed(self):
        """Millions of objects a second, reading the trace included."""
        events_speed = super().speed()
        if self.objects is None:
            command = self.command(self.load.trace)
            command[command.index("/dev/null")] = "-"
            with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
                self.objects = sum(chunk.count(b"\n") for chunk in iter(
                    lambda: child.stdout.read(1 << 20), b""))
        return events_speed * self.objects / self.load.events()


EVENTS_A_READ = 14  # of the load, about


def size_rows(bench, commands):
    """One trace and a tenth of it: the same speed and the same memory."""
    large = Load(bench, "large", reads=bench.events // EVENTS_A_READ)
    tenth = Load(bench, "tenth", reads=bench.events // EVENTS_A_READ // 10)
    rows = []
    readers = []

    def peak(reader, of):
        def figure():
            value = reader.peak(of)
            # hundreds of MB that nobody needs now
            if reader is readers[-1] and of == "RssAnon":
                large.remove()
                tenth.remove()
            return value
        return figure

    for name in ("stat", "requests", "chrome"):
        readers += [Reader(bench, large, commands[name]),
                    Reader(bench, tenth, commands[name])]
    dummy = Reader(bench, large, commands["dummy"])
    few = (3, True)
    for i, name in enumerate(("stat", "requests")):
        rows.append(Row(f"size-{name}",
                        f"cotrace {name}, {bench.events / 1e6:g} M events",
                        "M events/s", [("ours", readers[2 * i].speed),
                                       ("dummy", dummy.speed)],
                        Goal("dummy", 0.7), more=True, turns=few))
    for i, name in enumerate(("stat", "requests", "render")):
        pair = readers[2 * i:2 * i + 2]
        rows.append(Row(f"size-{name}-peak", f"cotrace {name}, peak memory",
                        "MiB", [("ours", peak(pair[0], "VmHWM")),
                                ("of a tenth", peak(pair[1], "VmHWM"))],
                        Goal(limit=64), turns=(1, False)))
        rows.append(Row(f"size-{name}-peak-own",
                        f"cotrace {name}, peak without mapped files", "MiB",
                        [("ours", peak(pair[0], "RssAnon")),
                         ("of a tenth", peak(pair[1], "RssAnon"))],
                        Goal("of a tenth", 1.1), turns=(1, False)))
    return rows


class Log:
    """A real log of QEMU's, again and again, each time a second later."""

    SOURCE = os.path.join(os.path.dirname(__file__),
                          "../golden/qemu/logs/nbd_qd16.log.xz")

    def __init__(self, bench):
        self.bench = bench
        self.lines = 0

    @property
    def trace(self):
        path = os.path.join(self.bench.tmp, "qemu.log")
        if not os.path.exists(path):
            with lzma.open(self.SOURCE, "rt") as file:
                text = file.read()
            parts = re.split(r"(?m)(?<=@)(\d+)(?=\.)", text)
            turns = 1 if self.bench.quick else 70
            with open(path, "w", encoding="utf-8") as out:
                for turn in range(turns):
                    for i in range(1, len(parts), 2):
                        parts[i] = str(int(parts[i]) + (turn > 0))
                    out.write("".join(parts))
            self.lines = turns * text.count("\n")
        return path

    def events(self):
        return self.trace and self.lines


def rows(bench, load):
    def cotrace(*arguments):
        return lambda trace: [bench.program("viewer", "cotrace"),
                              *arguments[:1], trace, *arguments[1:]]

    def dummy(trace):
        if shutil.which("babeltrace2") is None:
            raise Missing("babeltrace2 is not installed")
        return ["babeltrace2", trace, "--output-format=dummy"]

    def diff(traces):
        return [bench.program("viewer", "cotrace"), "diff", *traces]

    def dummy_of_both(traces):
        return [*dummy(traces[0]), traces[1]]

    again = Two(load, Load(bench, "again"))
    turned = Two(load, Load(bench, "turned", stride=-7919))
    same = Reader(bench, again, diff, statuses=(0, 1))
    worst = Reader(bench, turned, diff, statuses=(0, 1))
    both = Reader(bench, again, dummy_of_both)
    both_turned = Reader(bench, turned, dummy_of_both)
    stat = Reader(bench, load, cotrace("stat", "--json"))
    requests = Reader(bench, load, cotrace("requests", "--json"))
    chrome = Reader(bench, load, cotrace("render", "-o", "/dev/null",
                                         "--format=chrome"))
    objects = Renderer(bench, load, chrome.command)
    peer = Reader(bench, load, dummy)
    log = Log(bench)
    log_stat = Reader(bench, log, cotrace("stat", "--json"))
    log_requests = Reader(bench, log, cotrace("requests", "--json"))
    few = (5, True)
    return [
        Row("read-stat", "cotrace stat", "M events/s",
            [("ours", stat.speed), ("dummy", peer.speed)],
            Goal("dummy", 0.7), more=True, turns=few),
        Row("read-requests", "cotrace requests --json", "M events/s",
            [("ours", requests.speed), ("dummy", peer.speed)],
            Goal("dummy", 0.7), more=True, turns=few),
        Row("read-render", "cotrace render, Chrome JSON", "M events/s",
            [("ours", chrome.speed), ("dummy", peer.speed)], more=True,
            turns=few),
        Row("render-objects", "cotrace render, with reading", "M objects/s",
            [("ours", objects.speed)], Goal(limit=2.0), more=True, turns=few),
        Row("read-peak", "cotrace stat, peak memory", "MiB",
            [("ours", stat.peak), ("dummy", peer.peak)], Goal(limit=64),
            turns=(1, False)),
        Row("read-diff", "cotrace diff, one script twice", "M events/s",
            [("ours", same.speed), ("dummy of both", both.speed)],
            Goal("dummy of both", 0.5), more=True, turns=few),
        Row("read-diff-worst", "cotrace diff, nothing in order", "M events/s",
            [("ours", worst.speed), ("dummy of both", both_turned.speed)],
            more=True, turns=few),
        Row("read-diff-peak", "cotrace diff, peak memory", "MiB",
            [("ours", same.peak)], Goal(limit=1024), turns=(1, False)),
        Row("read-log", "cotrace requests --json, QEMU's log", "M lines/s",
            [("ours", log_requests.speed)], Goal(limit=1.0), more=True,
            turns=few),
        Row("read-log-stat", "cotrace stat, QEMU's log", "M lines/s",
            [("ours", log_stat.speed)], more=True, turns=few),
        Row("read-log-peak", "cotrace stat, QEMU's log, peak memory", "MiB",
            [("ours", log_stat.peak)], Goal(limit=64), turns=(1, False)),
    ] + size_rows(bench, {
        "stat": stat.command, "requests": requests.command,
        "chrome": chrome.command, "dummy": dummy})
