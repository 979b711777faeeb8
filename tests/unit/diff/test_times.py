# SPDX-License-Identifier: MIT
"""`cotrace diff` on how long things took: what counts, of which requests, and
what --fail-on makes of it."""
import os
import sys

import diff_checker
import story
import tap
from written import Run

ENV = {"COTRACE_CHECK": "1", "LC_ALL": "C"}


def diff(a, b, *options, status=0):
    return story.run(story.COTRACE, "diff", a, b, *options, status=status,
                     env=ENV)


def rows_of(a, b, status=0):
    document = story.parse(diff(a, b, "--json", "--edits", status=status).out)
    diff_checker.check(document)
    return document, {(r["label"], r["state"]): r for r in document["latency"]}


# --- what is lost -------------------------------------------------------------

def waiting(seed, lossy):
    """Requests that wait for the kernel, all as long; in `lossy` ones events
    are missing meanwhile."""
    run = Run(seed)
    run.step = 100
    for i in range(30):
        request = run.begin(4096 * i)
        run.give(request, "io", 9)
        begin = run.now + 1000
        if i in lossy:
            run.lines.append(f"! stream=0 from={begin} to={begin + 50000} "
                             "lost=1")
        run.now += 100000 + i % 7 * 10
        run.enter(request)
        run.end(request)
    return run


@tap.case("time that is not known for lost events explains nothing")
def _(tmp):
    a = waiting(0, ()).write(os.path.join(tmp, "a"))
    for n, lossy in enumerate((range(30), range(0, 30, 2))):
        b = waiting(1, lossy).write(os.path.join(tmp, f"b{n}"))
        for one, two in ((a, b), (b, a)):
            document, rows = rows_of(one, two)
            tap.equal(document["cause"], None)
            tap.equal([k for k, r in rows.items() if r["sure"]], [])
            whole = rows["blk read disk", None]
            tap.equal((whole["a"]["n"], whole["b"]["n"]), (30, 30))
            tap.equal(whole["a"]["mean_ns"], whole["b"]["mean_ns"])
            assert ("blk read disk", "unknown") not in rows, rows
    # of those that are known what they did is compared as ever
    side = "a" if rows["blk read disk", "io"]["a"]["n"] == 15 else "b"
    io = rows["blk read disk", "io"][side]
    tap.equal(io["n"], 15)
    assert 100000 < io["mean_ns"] < 100200, io


# --- QEMU: no result is told --------------------------------------------------

class Qemu:
    """QEMU's log of a program whose requests tell no end: it is that of the
    coroutine, or a bound: what the coroutine begins next."""

    def __init__(self, seed=0):
        self.us, self.seed, self.lines = 1000 * seed, seed, []

    def say(self, event, /, **fields):
        self.us += 3
        words = " ".join(f"{k.rstrip('_')} {v}" for k, v in fields.items())
        self.lines.append(f"{70 + self.seed}@1700000000.{self.us:06d}:{event} "
                          f"{words}")

    def co(self, i):
        return hex(0x7f0000000000 + 0x10000 * self.seed + 0x1000 * i)

    def enter(self, i):
        self.say("qemu_aio_coroutine_enter", ctx="0x55500000",
                 from_="0x55501000", to=self.co(i), opaque="0x1")

    def begin(self, i, offset=None):
        self.say("blk_co_preadv", blk="0x55502000", bs="0x55503000",
                 offset=4096 * i if offset is None else offset, bytes=512,
                 flags="0x0")

    def give(self, i):
        self.say("qemu_coroutine_yield", from_=self.co(i), to="0x55501000")

    def end(self, i):
        self.enter(i)
        self.say("qemu_coroutine_terminate", self=self.co(i))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            out.write("\n".join(self.lines) + "\n")
        return path


def one_by_one(seed, slow_us=0, n=20, several=1):
    """Each coroutine reads `several` times."""
    run = Qemu(seed)
    for i in range(n):
        run.enter(i)
        for k in range(several):
            run.begin(i, 4096 * (several * i + k))
            run.give(i)
            run.us += 100 + i % 5 + slow_us
            if k + 1 < several:
                run.enter(i)
        run.end(i)
    return run


@tap.case("requests whose result is not told have a latency, and an end")
def _(tmp):
    a = one_by_one(0).write(os.path.join(tmp, "a"))
    b = one_by_one(1, slow_us=100).write(os.path.join(tmp, "b"))
    _, rows = rows_of(a, b)
    whole = rows["blk read", None]
    tap.equal((whole["a"]["n"], whole["b"]["n"], whole["sure"]),
              (20, 20, True))
    tap.equal(whole["b"]["mean_ns"] - whole["a"]["mean_ns"], 100000)
    done = diff(a, b, "--fail-on=p99:+10%", status=1)
    assert "p99 of blk read: " in done.err, done.err
    diff(b, a, "--fail-on=p99:+10%")


@tap.case("bounds are compared with bounds")
def _(tmp):
    a = one_by_one(0, several=3).write(os.path.join(tmp, "a"))
    b = one_by_one(1, several=3).write(os.path.join(tmp, "b"))
    c = one_by_one(1, several=3, slow_us=50).write(os.path.join(tmp, "c"))
    document, rows = rows_of(a, b)
    tap.equal(document["exact"], True)
    tap.equal({label: r["a"]["n"] for (label, state), r in rows.items()
               if r["request"] and not state},
              {"blk read": 20, "blk read, at most": 40})
    done = diff(a, c, "--fail-on=mean:+10%", status=1)
    assert "mean of blk read, at most: " in done.err, done.err


@tap.case("requests that waited for one another, and then do not")
def _(tmp):
    a, b = Qemu(0), Qemu(1)
    for run in (a, b):
        for i in (0, 1):
            run.enter(i)
            run.begin(i)
            run.give(i)
            if run is a:
                run.end(i)
        if run is b:
            run.end(0)
            run.end(1)
    document, _ = rows_of(a.write(os.path.join(tmp, "a")),
                          b.write(os.path.join(tmp, "b")), status=1)
    tap.equal(document["first_real_divergence"]["reason"], "after")


# --- each figure has a test of its own ----------------------------------------

def reads(seed, n, times):
    """Reads one by one that wait times(i) * 10 ns."""
    run = Run(seed)
    run.step = 10
    for i in range(n):
        request = run.begin(4096 * i)
        run.give(request, "io", 9)
        run.now += 10 * times(i)
        run.enter(request)
        run.end(request)
    return run


@tap.case("a few that got far slower: no test of ranks sees them")
def _(tmp):
    a = reads(0, 1000, lambda i: 10000 + i * 7919 % 2000)
    b = reads(1, 1000, lambda i: 10000 + i * 6007 % 2000 +
              (100000 if i % 33 == 5 else 0))
    a, b = a.write(os.path.join(tmp, "a")), b.write(os.path.join(tmp, "b"))
    document, rows = rows_of(a, b)
    whole = rows["blk read disk", None]
    tap.equal((whole["sure"], whole["sure_mean"], whole["sure_p99"]),
              (False, True, True))
    assert abs(whole["z_milli"]) < 2000, whole
    tap.equal((document["cause_of"], document["cause"]["state"]),
              ("requests", "io"))
    out = diff(a, b).out
    for words in ("  blk read disk", "p99 of blk read disk",
                  "more than chance explains"):
        assert words in out, out
    for what, status in (("p99:+10%", 1), ("mean:+10%", 1), ("p50:+10%", 0),
                         ("p99:+100000%", 0), ("mean:+50%", 0)):
        done = diff(a, b, f"--fail-on={what}", status=status)
        if status:
            assert what[:-5] + " of blk read disk: " in done.err, done.err
        diff(b, a, f"--fail-on={what}")


@tap.case("what makes the longest longer, where no mean is sure")
def _(tmp):
    def body(i, prime):
        # one that says nothing, and hides what others do to the mean
        return 100000000 if i == 507 else 10000 + i * prime % 2000

    a = reads(0, 1000, lambda i: body(i, 7919))
    b = reads(1, 1000, lambda i: 50000 + i if i % 33 == 5
              else body(i, 6007))
    a, b = a.write(os.path.join(tmp, "a")), b.write(os.path.join(tmp, "b"))
    for one, two, was, by in ((a, b, "a", "b"), (b, a, "b", "a")):
        document, rows = rows_of(one, two)
        whole, cause = rows["blk read disk", None], document["cause"]
        tap.equal((whole["sure"], whole["sure_mean"], whole["sure_p99"]),
                  (False, False, True))
        tap.equal((document["cause_of"], cause["state"]), ("longest", "io"))
        tap.equal((cause["sure"], cause["sure_mean"], cause["sure_p99"]),
                  (False, False, True))
    out = diff(a, b).out
    assert "What explains most of the longest" in out, out
    assert "Requests blk read disk waited for the kernel for 5" in out, out
    assert "at the 99th percentile" in out, out
    same, _ = rows_of(a, a)
    tap.equal((same["cause"], same["cause_of"]), (None, None))


@tap.case("most take a little longer, the longest as long as ever")
def _(tmp):
    def longest(i):
        return 10000000 + i * 1000 if i % 20 == 3 else 0

    a = reads(0, 1000, lambda i: longest(i) or 1000 + i * 7919 % 500)
    b = reads(1, 1000, lambda i: longest(i) * 11 // 10 if i > 780
              else longest(i) or 1300 + i * 6007 % 500)
    a, b = a.write(os.path.join(tmp, "a")), b.write(os.path.join(tmp, "b"))
    _, rows = rows_of(a, b)
    whole = rows["blk read disk", None]
    tap.equal((whole["sure"], whole["sure_p99"]), (True, False))
    diff(a, b, "--fail-on=p50:+10%", status=1)
    assert whole["b"]["p99_ns"] > 1.09 * whole["a"]["p99_ns"], whole
    diff(a, b, "--fail-on=p99:+5%", status=0)
    assert "p50 of blk read disk" in diff(a, b).out


@tap.case("where the test says that B is faster, a figure of B fails no gate")
def _(tmp):
    # of the longest 20 of both 19 are of A, but B has the very longest
    a = reads(0, 99, lambda i: 2000000 if i % 5 == 1 and i < 95 else 1000000)
    b = reads(1, 99, lambda i: 5000000 if i == 50 else 1000000)
    a, b = a.write(os.path.join(tmp, "a")), b.write(os.path.join(tmp, "b"))
    _, rows = rows_of(a, b)
    whole = rows["blk read disk", None]
    assert whole["b"]["p99_ns"] > 2 * whole["a"]["p99_ns"], whole
    diff(a, b, "--fail-on=p99:+10%", status=0)
    assert "p99 of" not in diff(a, b).out
    # B has most of the shortest, and its middle one is a little longer
    a = reads(0, 100, lambda i: 10000 if i % 5 < 3 else 100000)
    b = reads(1, 100, lambda i: 1000 if i % 20 < 9 else 11000)
    a, b = a.write(os.path.join(tmp, "c")), b.write(os.path.join(tmp, "d"))
    _, rows = rows_of(a, b)
    whole = rows["blk read disk", None]
    assert whole["b"]["p50_ns"] > 1.05 * whole["a"]["p50_ns"], whole
    tap.equal((whole["sure"], whole["z_milli"] < 0), (True, True), whole)
    diff(a, b, "--fail-on=p50:+5%", status=0)


tap.main(sys.argv[1:])
