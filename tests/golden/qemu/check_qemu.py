#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What cotrace reads in QEMU's logs is what another reader reads in them.

    check_qemu.py COTRACE STEPS DIR [NAME...]
    check_qemu.py COTRACE STEPS --live

DIR has NAME.log and expected/NAME.json, the figures of a reader that is not
here (README.md says what they mean).  Our own reader, qemu_reader.py, must find
the very same ones, to the hash over all its rows; then cotrace is compared with
it, request by request and event by event.

--live: logs that the installed qemu-io and qemu-img write now, and our reader.
"""
import bisect
import glob
import hashlib
import json
import lzma
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, HERE)
import chrome_checker  # noqa: E402
import tap  # noqa: E402
from qemu_reader import Log, Reader  # noqa: E402

COTRACE, STEPS, DIR = (os.path.abspath(arg) for arg in sys.argv[1:4])
LIVE = sys.argv[3] == "--live"
PATTERNS = ("qemu_*coroutine*", "aio_co_*", "thread_pool_*", "blk_co_*",
            "bdrv_*", "qemu_co_*", "qcow2_*", "luring_*", "blk_root_*")
ROOM = tempfile.TemporaryDirectory(prefix="cotrace-qemu-")
OWNERS = {"enter", "yield", "terminate", "schedule", "dequeue"}
LOCKS = {"take", "wait", "taken", "release", "hand-over"}


def run(*command):
    done = subprocess.run(command, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, COTRACE_CHECK="1"))
    tap.equal((done.returncode, done.stderr), (0, ""), " ".join(command))
    return done.stdout


def unpack(source, path):
    """A log, or the same packed by xz."""
    if os.path.exists(source):
        shutil.copy(source, path)
        return
    with lzma.open(source + ".xz") as packed, open(path, "wb") as out:
        shutil.copyfileobj(packed, out)


# --- logs of now --------------------------------------------------------------


def qemu_io(tmp, image, trace):
    chance = random.Random(7)
    commands = []
    for i in range(150):
        offset = chance.randrange(1000) * 32768
        size = chance.choice((512, 4096, 65536, 131072))
        what = chance.choice(("aio_write -P 7", "aio_write -z", "aio_read",
                              "aio_read", "read", "write -P 9"))
        commands += ["-c", f"{what} {offset} {size}"]
        if i % 40 == 39:
            commands += ["-c", "aio_flush"]
    return ["qemu-io", *trace, *commands, image]


def qemu_img(options):
    def command(tmp, image, trace):
        raw = os.path.join(tmp, "live.raw")
        chance = random.Random(8)
        with open(raw, "wb") as out:
            for i in range(200):
                out.write(chance.randbytes(65536) if i % 3 else b"\0" * 65536)
        return ["qemu-img", *trace, "convert", *options, "-f", "raw", "-O",
                "qcow2", raw, image]
    return command


COMMANDS = {
    "qemu-io": qemu_io,
    "qemu-img-in-order": qemu_img(["-m", "8"]),
    "qemu-img-out-of-order": qemu_img(["-m", "8", "-W"]),
    "qemu-img-compressed": qemu_img(["-m", "4", "-c"]),
}


def record(name, tmp, path):
    image = os.path.join(tmp, "live.qcow2")
    if not shutil.which("qemu-img") or not shutil.which("qemu-io"):
        tap.skip("QEMU's tools are not installed")
    if os.path.exists(image):
        os.remove(image)
    run("qemu-img", "create", "-q", "-f", "qcow2", image, "64M")
    trace = [word for pattern in PATTERNS
             for word in ("-T", f"enable={pattern}")]
    trace[-1] += f",file={path}"
    run(*COMMANDS[name](tmp, image, trace))


class Case:
    """A log, read by all three."""

    def __init__(self, name, tmp):
        self.path = os.path.join(tmp, name + ".log")
        if LIVE:
            record(name, tmp, self.path)
            with open(self.path, encoding="utf-8") as file:
                known = {line.split(" ")[0] for line in file}
        else:
            unpack(os.path.join(DIR, name + ".log"), self.path)
            with open(os.path.join(DIR, "expected", name + ".json"),
                      encoding="utf-8") as file:
                self.want = json.load(file)
            known = set(self.want["counts"])
        self.log = Log(self.path, known)
        self.reader = Reader(self.log)
        self.rows = self.reader.rows()
        self.steps = None

    def read_steps(self):
        if self.steps is None:
            self.steps = []
            for line in run(STEPS, self.path).splitlines():
                words = line.split()
                self.steps.append((int(words[0]), words[1],
                                   *map(int, words[2:10]), words[10]))
        return self.steps


# --- our reader and the expected figures -------------------------------------


def check_reader(case):
    want, reader, rows = case.want, case.reader, case.rows
    for key in ("lines", "events", "foreign", "malformed", "merged"):
        tap.equal(case.log.n[key], want[key], key)
    tap.equal(dict(Counter(e.name for e in case.log.events)), want["counts"],
              "counts")
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n"
                   for row in rows)
    tap.equal(hashlib.sha1(text.encode()).hexdigest(), want["request_sha1"],
              "all rows")
    columns = want["request_cols"]
    for column, total in want["request_sums"].items():
        tap.equal(sum(row[columns.index(column)] for row in rows), total,
                  column)
    for key in ("submit", "complete", "paired", "err", "max_open", "t_sum",
                "t_max"):
        tap.equal(reader.pool[key], want["pool"][key], "pool " + key)
    for key in ("uncontended", "contended", "wait_sum", "wait_max",
                "max_waiters", "inv", "hold_sum", "queue_waits"):
        tap.equal(reader.locks[key], want["locks"][key], "locks " + key)
    for ctx, figures in want["sched"].items():
        for key in ("n", "bh", "inv", "unmatched", "lat_sum", "lat_max"):
            tap.equal(reader.sched[ctx][key], figures[key], f"{ctx} {key}")
        tap.equal(reader.order(ctx), figures["order"], f"{ctx} order")
    tap.equal(reader.n["generations"], want["generations"], "generations")


# --- cotrace and our reader ---------------------------------------------------


def check_requests(case):
    """Requests of layer blk: what, in which order, from when to when."""
    ours = [json.loads(line) for line in
            run(COTRACE, "requests", case.path, "--json", "--all",
                "--layer=blk").splitlines()]
    stat = json.loads(run(COTRACE, "stat", case.path, "--json"))
    origin = int(stat["origin_ns"]) - case.log.t0 * 1000 \
        if case.log.clock else 0
    tap.equal(len(ours), len(case.rows), "requests")
    for row, got in zip(case.rows, ours):
        if case.log.clock:
            begin, end = got["begin_ns"] + origin, got["end_ns"]
            end = None if end is None else end + origin
            times = (row[6] * 1000, row[7] * 1000)
        else:
            tap.equal([got[key] for key in
                       ("begin_ns", "end_ns", "latency_ns")], [None] * 3,
                      "times of a log without them")
            begin, end = got["seq"], got["end_seq"]
            times = (row[6] - 1, row[7] - 1)
        if row[8] == "open":
            times = (times[0], None)
        what = "R" if got["op"] == "read" else "W"
        tap.equal((what, got["offset"], got["bytes"], begin, end),
                  (row[1], row[3], row[4], *times), f"request of line {row[0]}")
        tap.equal(got.get("end_bound", False), row[8] == "next",
                  f"line {row[0]}: an end that is a bound")
        check_sums(got, case.log.clock)


def check_sums(request, clock):
    names = ("begin_ns", "end_ns") if clock else ("seq", "end_seq")
    at = request[names[0]]
    for segment in request["segments"]:
        tap.equal(segment[names[0]], at, "contiguous")
        at = segment[names[1]]
    if request[names[1]] is not None:
        tap.equal(at, request[names[1]], "the last segment's end")


def check_lives(case):
    """One id a life: who enters, yields, ends, is scheduled, takes locks."""
    ids, lives = {}, {}
    told = {(line, what): life for line, what, life in case.reader.told}
    n = 0
    for line, what, subject, other, *_ in case.read_steps():
        if what not in OWNERS | LOCKS:
            continue
        if what == "hand-over" and (line, what) not in told:
            raise AssertionError(f"line {line}: nobody had the lock")
        life = told.pop((line, what))
        co = other if what in LOCKS else subject
        tap.equal(ids.setdefault(life.name, co), co, f"line {line}: {what}")
        tap.equal(lives.setdefault(co, life.name), life.name,
                  f"line {line}: {what}")
        n += 1
    tap.equal(sorted(told), [], "what only the other reader saw")
    tap.note(f"{n} events of {len(ids)} coroutines")


def windows(case):
    """Steps of each blk request: (row, coroutine, those inside)."""
    steps = case.read_steps()
    begins = {}
    for i, step in enumerate(steps):
        if step[1] == "begin" and step[10] == "blk":
            begins[step[2]] = (i, step)
    rows = iter(case.rows)
    for number in sorted(begins, key=lambda n: begins[n][0]):
        i, step = begins[number]
        end = next((k for k in range(i, len(steps))
                    if steps[k][1] == "end" and steps[k][2] == number),
                   len(steps))
        yield next(rows), step[6], steps[i + 1:end]


def check_windows(case):
    """Yields, enters, work items and lock waits of each request."""
    time = {e.line: e.t for e in case.log.events}
    done = {s[2]: s[0] for s in case.read_steps() if s[1] == "complete"}
    n = 0
    for row, co, inside in windows(case):
        where = f"request of line {row[0]}"
        entered = sum(s[1] == "enter" and s[2] == co for s in inside)
        yielded = sum(s[1] == "yield" and s[2] == co for s in inside)
        tap.equal((yielded, entered), (row[9], row[10]),
                  where + ": yields, enters")
        items = [s for s in inside if s[1] == "submit" and s[3] == co]
        tap.equal(len(items), row[15], where + ": work items")
        tap.equal(sum(time[done[s[2]]] - time[s[0]] for s in items
                      if s[2] in done), row[16], where + ": their time")
        waits, waited = {}, 0
        for s in inside:
            if s[1] == "wait" and s[3] == co:
                waits[s[2]] = time[s[0]]
            elif s[1] == "taken" and s[3] == co and s[2] in waits:
                waited += time[s[0]] - waits.pop(s[2])
        tap.equal(waited, row[14], where + ": lock waits")
        n += 1
    tap.note(f"{n} requests")


def check_work(case):
    """Every work item: who submitted it, where it was completed."""
    submits = {s[0]: s for s in case.read_steps() if s[1] == "submit"}
    completes = {s[2]: s for s in case.read_steps() if s[1] == "complete"}
    lives = {}
    told = {(line, what): life for line, what, life in case.reader.told}
    for line, what, subject, *_ in case.read_steps():
        if what == "enter":
            lives[told[(line, what)].name] = subject
    tap.equal(len(submits), len(case.reader.jobs), "work items")
    for job in case.reader.jobs:
        line = case.log.events[job["at"]].line
        step = submits[line]
        tap.equal(step[3], lives[job["life"].name] if job["life"] else 0,
                  f"line {line}: whose")
        got = completes.get(step[2])
        want = None if job["done"] is None \
            else case.log.events[job["done"]].line
        tap.equal(got[0] if got else None, want, f"line {line}: completed")


def check_locks(case):
    """A lock is handed to who gets it next."""
    taken = [(s[0], s[2], s[3]) for s in case.read_steps()
             if s[1] == "taken"]
    n = 0
    for line, what, mutex, *rest in case.read_steps():
        if what == "hand-over":
            at = bisect.bisect(taken, (line, 0, 0))
            following = next((t for t in taken[at:] if t[1] == mutex), None)
            if following:
                tap.equal(rest[2], following[2], f"line {line}")
            n += 1
    tap.equal(n, sum(e.name == "qemu_co_mutex_unlock_return"
                     for e in case.log.events), "hand-overs")


def check_order(case):
    """Who is scheduled in each context, in which order."""
    lives = {}
    told = {(line, what): life for line, what, life in case.reader.told}
    order = {}
    for line, what, subject, _, context, *_ in case.read_steps():
        if what == "schedule":
            lives[subject] = told[(line, what)].name
            order.setdefault(context, []).append(lives[subject])
    want = {int(ctx, 16): sched["order"]
            for ctx, sched in case.reader.sched.items() if sched["order"]}
    tap.equal(order, want, "order")


def check_views(case):
    """A timeline without fault, and a backtrace that has the layers."""
    report = chrome_checker.check_text(
        run(COTRACE, "render", case.path, "-o", "-", "--format=chrome"))
    tap.equal(report.faults[:5], [], "timeline")
    rows = [json.loads(line) for line in
            run(COTRACE, "requests", case.path, "--json", "--all",
                "--layer=blk").splitlines()]
    row = max(rows, key=lambda r: len(r["segments"]))
    trace = json.loads(run(COTRACE, "backtrace", case.path, "--json",
                           f"--request={row['request']}"))
    functions = [frame.get("function") for frame in trace["frames"]]
    wanted = "blk_co_preadv" if row["op"] == "read" else "blk_co_pwritev"
    tap.equal(wanted in functions, True, f"{wanted} in {functions}")
    tap.equal(trace["complete"], False, "what is outside is not known")


CHECKS = {
    "our reader finds what was expected": check_reader,
    "requests: what, order, begin and end": check_requests,
    "one id a life": check_lives,
    "yields, enters, work items, lock waits of each request": check_windows,
    "work items": check_work,
    "locks are handed to who gets them": check_locks,
    "schedule order": check_order,
    "timeline and backtrace": check_views,
}


def register(name):
    cache = []

    def case_of():
        if not cache:
            cache.append(Case(name, ROOM.name))
        return cache[0]

    for what, check in CHECKS.items():
        if LIVE and check is check_reader:
            continue

        @tap.case(f"{name}: {what}")
        def _(tmp, check=check):
            check(case_of())


for case_name in COMMANDS if LIVE else ():
    register(case_name)
for path in sorted(glob.glob(os.path.join(DIR, "expected", "*.json"))):
    case_name = os.path.basename(path)[:-len(".json")]
    if len(sys.argv) < 5 or case_name in sys.argv[4:]:
        register(case_name)
tap.main([])
