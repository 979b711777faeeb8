# SPDX-License-Identifier: MIT
"""`cotrace diff` on recordings of a program with one planted change: the change
is named, each time; without it there is no real difference.

Where the change is one of time, the trace's clock is one that the program moves
itself, so that the machine takes no part in it; else it is the usual one.

With COTRACE_SOAK=1 each side is recorded 20 times, with the machine kept busy,
and every recording of one side is compared with every one of the other.
COTRACE_PAIRS=DIR keeps the recordings there, and takes those that it finds.
Arguments: words of the cases to run.
"""
import concurrent.futures
import itertools
import os
import shutil
import sys

import diff_checker
import story
import tap

SOAK = os.environ.get("COTRACE_SOAK") == "1"
RUNS = 20 if SOAK else 1
AGAIN_MAX = max(1, RUNS // 10)
KEEP = os.environ.get("COTRACE_PAIRS")
PAIRS = os.path.join(story.BUILD, "tests", "programs", "pairs")


def clock(trace, change):
    """Where times are what is planted: a clock that only the program moves."""
    if change not in ("workers", "slow"):
        return {}
    path = trace + ".clock"
    with open(path, "wb") as file:
        file.write(bytes(8))
    return {"COTRACE_CPU_CLOCK": path, "LTTNG_UST_CLOCK_PLUGIN":
            os.path.join(os.path.dirname(PAIRS), "cpu-clock.so")}


def record_one(trace, change, side):
    """How often it had to be done again since the trace could not be read: a
    machine that gives the daemons no time for seconds ends a recording."""
    for again in range(3):
        if os.path.exists(trace):
            return again
        story.record(trace, PAIRS, change, side, env=clock(trace, change))
        stat = story.run(story.COTRACE, "stat", trace, status=None)
        if stat.returncode == 0:
            return again
        tap.note(f"recorded again: {stat.err}")
        shutil.rmtree(trace)
    raise AssertionError(f"{trace}: no recording of it can be read")


def record(tmp, change):
    """The recordings of both sides; two at a time, which is noise, too."""
    if KEEP:
        tmp = os.path.join(KEEP, change)
        os.makedirs(tmp, exist_ok=True)
    was = [os.path.join(tmp, f"was{i}") for i in range(RUNS)]
    now = [os.path.join(tmp, f"is{i}") for i in range(RUNS)]
    with story.Noise(SOAK), concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = [pool.submit(record_one, trace, change, side)
                for side, traces in (("was", was), ("is", now))
                for trace in traces]
        again = sum(one.result() for one in done)
    if again > AGAIN_MAX:
        raise AssertionError(f"{again} of {2 * RUNS} recordings can't be read")
    return was, now


def diff(a, b, status):
    done = story.run(story.COTRACE, "diff", a, b, "--json", "--edits",
                     status=status)
    tap.equal((done.returncode in (0, 1), done.err), (True, ""))
    document = story.parse(done.out)
    diff_checker.check(document)
    return document


def label(place):
    return place and place["label"]


def lock(document):
    change = document["first_real_divergence"]
    tap.equal(change["reason"], "lock")
    tap.equal(label(change["a"]), "coroutine locks of test read disk "
              "24576+4096, first entered")
    tap.equal(label(change["b"]), "coroutine locks of test read disk "
              "28672+4096, first entered")


def workers(document):
    change = document["first_real_divergence"]
    tap.equal((change["reason"], change["workers_a"], change["workers_b"]),
              ("workers", 4, 1))
    cause = document["cause"] or {"label": None, "state": None}
    tap.equal((cause["label"], cause["state"]),
              ("test read disk", "work-queued"))
    assert cause["b"]["mean_ns"] > cause["a"]["mean_ns"], cause


def overtake(document):
    change = document["first_real_divergence"]
    tap.equal(change["reason"], "overtaken")
    tap.equal(label(change["a"]), "work item device of test read disk "
              "36864+4096")
    assert "of test read disk" in label(change["b"]), change


def slow(document):
    tap.equal(document["first_real_divergence"], None)
    tap.equal(document["cause"] and document["cause"]["label"],
              "bottom half refresh")


def functions(place):
    return [frame.get("function") for frame in place["frames"]]


def wakeup(document):
    change = document["first_real_divergence"]
    tap.equal((change["reason"], change["waits"]), ("wakeup", "b"))
    tap.equal((label(change["a"]), label(change["b"])),
              ("coroutine waits of test read disk 24576+4096, entered again",
               "coroutine waits of test read disk 24576+4096, first entered"))
    for side in "ab":
        waker = change["waker_" + side]
        tap.equal(label(waker), "coroutine wakes of test read disk "
                  "28672+4096, entered after its work")
        for place, name in ((change[side], "waits"), (waker, "wakes")):
            tap.equal(place["complete"], True, f"{name} in {side}")
            assert {name, "main"} <= set(functions(place)), place["frames"]
    assert "co_queue_wait" in functions(change["b"]), change["b"]


def extra(document):
    change = document["first_real_divergence"]
    tap.equal((change["reason"], change["a"], label(change["b"])),
              ("only", None, "begin of test read disk 4096000+4096"))
    tap.equal(functions(change["b"])[:2], ["begin", "reads"])


def check_pair(tmp, change, check, status):
    was, now = record(tmp, change)
    missed, n = [], 0
    for a, b in itertools.product(was, now):
        n += 1
        document = diff(a, b, None)
        try:
            tap.equal(document["identical"], status == 0, "identical")
            check(document)
        except AssertionError as error:
            missed.append(f"{os.path.basename(a)}, {os.path.basename(b)}: "
                          f"{error}")
    found, same = [], 0
    for side in (was, now):
        for a, b in itertools.combinations_with_replacement(side, 2):
            if a == b:
                tap.equal(diff(a, b, 0)["exact"], True, "with itself")
                continue
            same += 1
            real = diff(a, b, None)["first_real_divergence"]
            if real is not None:
                found.append(f"{os.path.basename(a)}, {os.path.basename(b)}: "
                             f"{real['reason']} {label(real['a'])} "
                             f"{label(real['b'])}")
    tap.note(f"{RUNS} recordings of each side; {n} comparisons, "
             f"{len(missed)} without the planted change; {same} of the same "
             f"thing, {len(found)} with a real difference")
    for line in missed[:10] + found[:10]:
        tap.note(line)
    tap.equal(len(missed), 0, "not named")
    if 100 * len(found) > same:
        raise AssertionError(f"{len(found)} of {same} are not the same")


def register(name, what, check, status):
    tap.case(what)(lambda tmp: check_pair(tmp, name, check, status))


register("lock", "a lock order turned round", lock, 1)
register("workers", "a worker limit lowered", workers, 1)
register("overtake", "a request that overtakes", overtake, 1)
register("slow", "a callback that got slow", slow, 0)
register("wakeup", "a lost wake-up", wakeup, 1)
register("extra", "an extra request", extra, 1)
tap.main(sys.argv[1:])
