# SPDX-License-Identifier: MIT
"""`cotrace diff` on written traces: each pair has one planted change."""
import os
import sys

import chrome_checker
import story
import tap
from compared import compare, diff
from written import Run

OFFSETS = (0, 4096, 8192, 12288)


def plain(seed=0, offsets=OFFSETS, extra=None, order=None, at_once=None,
          clock=True):
    """All submitted, then one worker takes one after the other (`order`:
    otherwise), each completed on its own (`at_once`: the first that many
    together)."""
    run = Run(seed, clock)
    run.poll()
    requests = []
    for offset in offsets:
        requests.append(run.begin(offset))
        run.submit(requests[-1])
    if extra is not None:
        requests.append(run.begin(extra))
        run.submit(requests[-1])
    order = order or range(len(requests))
    together = []
    for i in order:
        run.work(requests[i])
        together.append(requests[i])
        if at_once and len(together) < at_once:
            continue
        run.complete(*together)
        together = []
        at_once = None
    run.polled()
    return run


@tap.case("a run compared with itself is the same")
def _(tmp):
    path = plain().write(os.path.join(tmp, "a"))
    document, _ = diff(path, path, 0)
    tap.equal((document["identical"], document["exact"]), (True, True))
    tap.equal(document["compared"], document["decisions_a"])
    out = story.run(story.COTRACE, "diff", path, path).out
    assert "the same, decision by decision" in out, out


@tap.case("ids, times and addresses make no difference")
def _(tmp):
    document = compare(tmp, plain(), plain(seed=3), 0)
    tap.equal((document["identical"], document["exact"]), (True, True))


@tap.case("a trace without times is compared, too")
def _(tmp):
    document = compare(tmp, plain(clock=False), plain(seed=3), 0)
    tap.equal(document["exact"], True)


@tap.case("unrelated requests that are swapped: no real difference")
def _(tmp):
    document = compare(tmp, plain(), plain(1, (4096, 0, 8192, 12288)), 0)
    tap.equal((document["identical"], document["exact"]), (True, False))
    tap.equal(document["only_in_a"], [])
    assert document["moved"] > 0 and document["reordered"], document
    tap.equal([p["real"] for p in document["reordered"]],
              [False] * len(document["reordered"]))
    change = document["first_divergence"]
    tap.equal((change["a"]["label"], change["b"]["label"]),
              ("begin of blk read disk 0+512",
               "begin of blk read disk 4096+512"))


@tap.case("one bottom half for two completions is no difference")
def _(tmp):
    document = compare(tmp, plain(), plain(1, at_once=2), 0)
    tap.equal((document["identical"], document["exact"]), (True, False))
    tap.equal([o["real"] for o in document["only_in_a"]], [False])
    tap.equal(document["only_in_a"][0]["label"],
              "bottom half thread_pool_completion_bh")


@tap.case("an extra request is named first")
def _(tmp):
    document = compare(tmp, plain(), plain(1, extra=65536), 1)
    change = document["first_real_divergence"]
    tap.equal((change["reason"], change["a"]), ("only", None))
    tap.equal(change["b"]["label"], "begin of blk read disk 65536+512")
    tap.equal({o["label"].split(" of ")[0] for o in document["only_in_b"]
               if o["real"]},
              {"begin", "coroutine ?", "work item ?", "completion ?", "end"})


@tap.case("one more request of the same kind is counted")
def _(tmp):
    document = compare(tmp, plain(), plain(1, extra=4096), 1)
    tap.equal(document["first_real_divergence"]["b"]["label"],
              "begin of blk read disk 4096+512 #2")


@tap.case("a callback that only one run has is named; it may be timing")
def _(tmp):
    b = plain(1)
    b.bottom_half("new_bh")
    document = compare(tmp, plain(), b, 0)
    tap.equal([(one["label"], one["real"]) for one in document["only_in_b"]],
              [("bottom half new_bh", False)])


@tap.case("a request that overtakes in the pool's queue")
def _(tmp):
    document = compare(tmp, plain(), plain(1, order=(0, 2, 1, 3)), 1)
    change = document["first_real_divergence"]
    tap.equal(change["reason"], "overtaken")
    tap.equal((change["a"]["label"], change["b"]["label"]),
              ("work item ? of blk read disk 4096+512",
               "work item ? of blk read disk 8192+512"))
    tap.equal(change["a_then"]["label"], change["b"]["label"])
    real = [p for p in document["reordered"] if p["real"]]
    tap.equal([p["reason"] for p in real], ["overtaken"])


def in_parallel(seed, ends):
    """Two workers; the items end in the order `ends`."""
    run = Run(seed)
    run.poll()
    requests = []
    for offset in (0, 4096):
        requests.append(run.begin(offset))
        run.submit(requests[-1])
    run.work_begin(requests[0], 1)
    run.work_begin(requests[1], 2)
    for i in ends:
        run.work_end(requests[i], i + 1)
    for i in ends:
        run.complete(requests[i])
    run.polled()
    return run


@tap.case("a race of two workers is no real difference")
def _(tmp):
    document = compare(tmp, in_parallel(0, (0, 1)), in_parallel(1, (1, 0)), 0)
    tap.equal((document["identical"], document["exact"]), (True, False))


def with_workers(seed, n, late=False, most=0):
    """Four requests and n workers, all of them always busy (`late`: the pool
    has asked for one more, which does not start; `most`: that it may have, told
    with the requests for them)."""
    run = Run(seed)
    run.poll()
    requests = []
    for offset in OFFSETS:
        requests.append(run.begin(offset))
        run.submit(requests[-1])
    for tid in range(1, n + 1):
        if most:
            run.ask_for_worker(tid, most)
            run.answer_request(tid, tid)
        else:
            run.spawn(tid)
    if late:
        run.ask_for_worker(n + 1)
    for i in range(0, 4, n):
        for k in range(n):
            run.work_begin(requests[i + k], k + 1)
        for k in range(n):
            run.work_end(requests[i + k], k + 1)
        for k in range(n):
            run.complete(requests[i + k])
    run.polled()
    return run


@tap.case("fewer workers")
def _(tmp):
    document = compare(tmp, with_workers(0, 2), with_workers(1, 1), 1)
    change = document["first_real_divergence"]
    tap.equal((change["reason"], change["workers_a"], change["workers_b"]),
              ("workers", 2, 1))
    tap.equal(change["a"]["label"], "work item ? of blk read disk 4096+512")
    tap.equal(change["b"]["label"], change["a"]["label"])


@tap.case("a worker that was asked for and is late is no lower limit")
def _(tmp):
    document = compare(tmp, with_workers(0, 2), with_workers(1, 1, late=True), 0)
    tap.equal(document["first_real_divergence"], None)


@tap.case("a pool that might have had more workers had no lower limit")
def _(tmp):
    """What waits while a worker is on its way back from its item, which no
    event tells, looks like what waits for want of workers."""
    wide = with_workers(0, 2, most=2)
    document = compare(tmp, wide, with_workers(1, 1, most=2), 0)
    tap.equal(document["first_real_divergence"], None)
    document = compare(tmp, wide, with_workers(1, 1, most=1), 1)
    change = document["first_real_divergence"]
    tap.equal((change["reason"], change["workers_a"], change["workers_b"]),
              ("workers", 2, 1))


def with_lock(seed, first, contended=True):
    """Two requests want one lock; `first` gets it."""
    run = Run(seed)
    run.poll()
    names = [(0, 4096), (4096, 0)][first]
    one = run.begin(names[0])
    run.take(one)
    run.submit(one)
    two = run.begin(names[1])
    if contended:
        run.want(two, one)
    else:
        run.submit(two)
    run.work(one)
    run.say("bh_run_begin", bh=run.bh, ctx=run.ctx, name="completion",
            callback=1)
    run.say("thread_pool_complete", pool=run.pool, req=one["work"], ret=0)
    run.enter(one)
    if contended:
        run.hand_over(one, two)
        run.end(one)
        run.enter(two)
        run.got(two)
        run.submit(two)
    else:
        run.release(one)
        run.end(one)
    run.say("bh_run_end", bh=run.bh, ctx=run.ctx)
    run.work(two)
    run.complete(two)
    run.polled()
    return run


@tap.case("a lock that another one won")
def _(tmp):
    document = compare(tmp, with_lock(0, 0), with_lock(1, 1), 1)
    change = document["first_real_divergence"]
    tap.equal(change["reason"], "lock")
    tap.equal((change["a"]["label"], change["b"]["label"]),
              ("coroutine ? of blk read disk 0+512, first entered",
               "coroutine ? of blk read disk 4096+512, first entered"))
    done = story.run(story.COTRACE, "diff", os.path.join(tmp, "a"),
                     os.path.join(tmp, "b"), status=1)
    assert "another one got it first" in done.out, done.out


def one_after_the_other(seed, waits):
    run = Run(seed)
    one = run.begin(0)
    run.submit(one)
    two = None
    if not waits:
        two = run.begin(4096)
        run.submit(two)
    run.poll()
    run.work(one)
    run.complete(one)
    run.polled()
    if waits:
        two = run.begin(4096)
        run.submit(two)
    run.poll()
    run.work(two)
    run.complete(two)
    run.polled()
    return run


@tap.case("a wait that is not waited any more")
def _(tmp):
    document = compare(tmp, one_after_the_other(0, True),
                       one_after_the_other(1, False), 1)
    change = document["first_real_divergence"]
    tap.equal(change["reason"], "after")
    tap.equal((change["a"]["label"], change["b"]["label"]),
              ("end of blk read disk 0+512",
               "begin of blk read disk 4096+512"))


def without(lines, first, n):
    """The trace without n events from the first on, a hole in their place."""
    events = [i for i, line in enumerate(lines) if line.startswith("@")]
    gone = events[first:first + n]
    begin, end = (lines[i].split()[0][1:] for i in (gone[0], gone[-1]))
    kept = [line for i, line in enumerate(lines) if i not in gone[1:]]
    kept[gone[0]] = f"! stream=0 from={begin} to={end} lost={n}"
    return kept


@tap.case("what was lost is not a difference")
def _(tmp):
    whole = with_lock(1, 0).write(os.path.join(tmp, "whole"))
    lines = with_lock(2, 0).lines
    again = plain(1, (0, 4096, 0, 4096)).write(os.path.join(tmp, "again"))
    twice = plain(2, (0, 4096, 0, 4096)).lines
    lossy = Run()
    checked = 0
    for path, source in ((whole, lines), (again, twice)):
        for n in (1, 2, 5):
            for first in range(1, len(source) - 1 - n):
                lossy.lines = without(source, first, n)
                twin = lossy.write(os.path.join(tmp, "twin"))
                document, _ = diff(path, twin, None)
                tap.equal(document["identical"], True,
                          f"without {n} from {first} on")
                checked += document["unknown"] > 0
    assert checked > 50, checked


@tap.case("--fail-on chooses what counts")
def _(tmp):
    a = plain().write(os.path.join(tmp, "a"))
    order = plain(1, order=(0, 2, 1, 3)).write(os.path.join(tmp, "order"))
    extra = plain(1, extra=65536).write(os.path.join(tmp, "extra"))
    for other, what, status in ((order, "order", 1), (order, "missing", 0),
                                (extra, "missing", 1), (extra, "order", 0),
                                (extra, "order,missing", 1),
                                (a, "order,missing", 0)):
        diff(a, other, status, f"--fail-on={what}")


def timed(seed, slow):
    """Requests one by one; the bottom half beside each takes 1000 times as
    long if it is slow, while the request waits for its worker."""
    run = Run(seed)
    run.poll()
    for i in range(30):
        request = run.begin(4096 * i)
        run.submit(request)
        bh = run.id()
        fields = {"bh": bh, "ctx": run.ctx, "name": "flush_cache",
                  "callback": hex(run.code + 0x300)}
        run.say("bh_schedule", **fields, flags=1)
        run.say("bh_run_begin", **fields)
        run.now += (i % 7) * 10 + (100000 if slow else 100)
        run.say("bh_run_end", bh=bh, ctx=run.ctx)
        run.work(request)
        run.complete(request)
    run.polled()
    return run


@tap.case("a callback that got slow is the one that moved most")
def _(tmp):
    document = compare(tmp, timed(0, False), timed(0, True), 0)
    tap.equal(document["exact"], True)
    rows = [(r["label"], r["state"]) for r in document["latency"] if r["sure"]]
    tap.equal(set(rows), {("bottom half flush_cache", None),
                          ("blk read disk", None),
                          ("blk read disk", "work-queued")})
    callback = next(r for r in document["latency"]
                    if r["label"].startswith("bottom half flush"))
    tap.equal((callback["a"]["n"], callback["b"]["n"]), (30, 30))
    tap.equal(callback["b"]["mean_ns"] - callback["a"]["mean_ns"], 99900)
    out = story.run(story.COTRACE, "diff", os.path.join(tmp, "a"),
                    os.path.join(tmp, "b")).out
    assert "more than chance explains" in out, out
    tap.equal(document["cause"]["label"], "bottom half flush_cache")
    a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")
    for fail_on, one, two, status in (("p99:+10%", a, b, 1),
                                      ("p99:+100000%", a, b, 0),
                                      ("p99:+0%", b, a, 0),
                                      ("order,missing", a, b, 0)):
        diff(one, two, status, f"--fail-on={fail_on}")
    none = compare(tmp, timed(0, False), timed(0, False), 0)
    tap.equal(none["cause"], None)
    tap.equal([r for r in none["latency"] if r["sure"]], [])


def refused(*words, names=()):
    done = story.run(story.COTRACE, "diff", *words, status=2)
    tap.equal(done.out, "", str(words))
    if not done.err.startswith("cotrace: ") or done.err.count("\n") != 1:
        raise AssertionError(f"{words}: {done.err!r}")
    for name in names:
        if name not in done.err:
            raise AssertionError(f"{words}: {name} not in {done.err!r}")


@tap.case("bad input: exit 2 and one line")
def _(tmp):
    a = plain().write(os.path.join(tmp, "a"))
    none = os.path.join(tmp, "none")
    refused(names=["two traces"])
    refused(a, names=["two traces"])
    refused(a, a, a, names=["only two"])
    refused(a, none, names=[none])
    refused(none, a, names=[none])
    refused(a, tmp, names=[tmp])
    refused(a, a, "--fail-on=weather", names=["weather"])
    refused(a, a, "--fail-on")
    refused(a, a, "--fail-on=p99:+x%", names=["p99:+x%"])
    refused(a, a, "--edits", names=["--json"])
    refused(a, a, "--frobnicate", names=["--frobnicate"])
    refused(a, a, "-x", names=["-x"])
    refused(a, a, "-o", os.path.join(tmp, "no", "where"), names=["where"])
    other = Run(5)
    other.bottom_half("something_else")
    refused(a, other.write(os.path.join(tmp, "other")),
            names=["nothing to compare", "a and "])
    idle = Run(5)
    refused(a, idle.write(os.path.join(tmp, "idle")),
            names=["second run made no"])


@tap.case("Chrome JSON: both runs as processes of one timeline")
def _(tmp):
    a = with_workers(0, 2).write(os.path.join(tmp, "a"))
    b = with_workers(0, 1).write(os.path.join(tmp, "b"))
    alone, both = os.path.join(tmp, "a.json"), os.path.join(tmp, "both.json")
    story.run(story.COTRACE, "render", a, "-o", alone)
    story.run(story.COTRACE, "diff", a, b, "-o", both, status=1)
    reports = [chrome_checker.check_file(path) for path in (alone, both)]
    tap.equal([report.faults for report in reports], [[], []])
    with open(both, encoding="utf-8") as text:
        events = story.parse(text.read())["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events
             if e["ph"] == "M" and e["name"] == "process_name"}
    tap.equal(sorted(name[:3] for name in names.values()), ["A: ", "B: "])
    of_a = [s for s in reports[1].slices if names[s.pid].startswith("A")]
    tap.equal(sorted((s.name, s.begin, s.end) for s in of_a),
              sorted((s.name, s.begin, s.end) for s in reports[0].slices))
    one = story.run(story.COTRACE, "diff", a, b, "--format=chrome", status=1)
    with open(both, encoding="utf-8") as text:
        tap.equal(one.out, text.read())
    refused("--against=" + a, b, "--format=chrome", names=["no timeline"])
    refused(a, b, "--format=pdf", names=["pdf"])


@tap.case("strings of a trace can't play with a terminal")
def _(tmp):
    a, b = Run(0), Run(1)
    for run, offsets in ((a, (0,)), (b, (0, 512))):
        run.poll()
        for offset in offsets:
            request = run.begin(offset, node="\\u001b[31mred\\n\\u202e")
            run.end(request)
        run.polled()
    a, b = a.write(os.path.join(tmp, "a")), b.write(os.path.join(tmp, "b"))
    out = story.run(story.COTRACE, "diff", a, b, status=1).out
    for bad in ("\x1b", "\u202e"):
        assert bad not in out, repr(out)
    assert "\\x1b[31mred\\n" in out, repr(out)
    diff(a, b, 1)


@tap.case("what --format says goes before what the file is called")
def _(tmp):
    a = plain().write(os.path.join(tmp, "a"))
    b = plain(1, order=(0, 2, 1, 3)).write(os.path.join(tmp, "b"))
    kept = os.path.join(tmp, "kept")
    story.run(story.COTRACE, "diff", f"--save-baseline={kept}", a)
    text = story.run(story.COTRACE, "diff", a, b, status=1).out
    for name in ("x.json", "x.html"):
        for runs in ([a], [f"--against={kept}"]):
            path = os.path.join(tmp, name)
            story.run(story.COTRACE, "diff", *runs, b, "--format=text", "-o",
                      path, status=1)
            with open(path, encoding="utf-8") as file:
                out = file.read()
            tap.equal(out.splitlines()[1:4], text.splitlines()[1:4], name)
    refused(f"--save-baseline={kept}", a, "--format=text", names=["compares nothing"])


@tap.case("the page goes to a file, too")
def _(tmp):
    a = plain().write(os.path.join(tmp, "a"))
    b = plain(1, order=(0, 2, 1, 3)).write(os.path.join(tmp, "b"))
    page = os.path.join(tmp, "page")
    story.run(story.COTRACE, "diff", a, b, "-o", page, status=1)
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert "overtook" in text and "First real difference" in text, text


@tap.case("the text fits 80 columns, whatever is told")
def _(tmp):
    pairs = {
        "same": (plain(), plain(1)),
        "harmless": (plain(), plain(1, (4096, 0, 8192, 12288))),
        "extra": (plain(), plain(1, extra=65536)),
        "overtaken": (plain(), plain(1, order=(0, 2, 1, 3))),
        "lock": (with_lock(0, 0), with_lock(1, 1)),
        "after": (one_after_the_other(0, True),
                  one_after_the_other(1, False)),
        "workers": (with_workers(0, 2), with_workers(1, 1)),
        "slow": (timed(0, False), timed(0, True)),
    }
    for name, (a, b) in pairs.items():
        at = [run.write(os.path.join(tmp, f"{name}-{side}"))
              for side, run in (("a", a), ("b", b))]
        out = story.run(story.COTRACE, "diff", *at, status=None).out
        wide = [line for line in out.splitlines() if len(line) > 80
                and not line.startswith(tuple("AB"))]  # a path has no blanks
        tap.equal(wide, [], name)


tap.main(sys.argv[1:])
