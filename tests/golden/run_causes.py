#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every wait of every golden trace says who held it up, or plainly that this
can't be said.

    run_causes.py COTRACE CASES QEMU

Each segment of every request that waits names what its state promises (NAMES
below).  Those whose cause is `unknown` are counted: UNCAUSED has how many there
are, by trace and state, and REASONS why there is no cause to be told.  So one
more is a regression, and one less has to be looked at, too.
"""
import collections
import glob
import json
import lzma
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import tap  # noqa: E402

COTRACE, CASES, QEMU = (os.path.abspath(arg) for arg in sys.argv[1:])

# state -> {kind of cause: what it must name, one of them at least}
NAMES = {
    "runnable": {"loop": ("id", "coroutine")},  # in whose list it stands
    "work-queued": {"worker": ("id",), "wakeup": ("id",), "spawn": ("id",)},
    "work-done": {"loop": ("id",)},
    "work": {"pool": ("id",)},
    "io": {"device": ()},
    "lock": {"holder": ("coroutine",)},
    "queue": {"waker": ("coroutine",)},
    "timer": {"timer": ()},
    "children": {"child": ("coroutine",)},
    "unknown": {},
}
REASONS = {
    "unknown": "a yield about which nothing is told before it, or what came "
               "before the trace or a recording's begin",
    "queue": "whoever let it go on is not traced, or several may have",
}
UNCAUSED = {
    "attached.txt": {"unknown": 1},
    "blkdebug_break.log": {"unknown": 5},
    "commit_nbd.log": {"unknown": 2},
    "convert_inorder_m16.log": {"queue": 18, "unknown": 46},
    "nbd_qd16.log": {"unknown": 3},
    "qemuio_mixed.log": {"queue": 62, "unknown": 3},
    "guest": {"unknown": 1},
    "woken-for-nothing.txt": {"queue": 4},
    "io-aio": {"queue": 2},
}


def requests(trace):
    done = subprocess.run([COTRACE, "requests", trace, "--all", "--json"],
                          text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    tap.equal((done.returncode, done.stderr), (0, ""), trace)
    return [json.loads(line) for line in done.stdout.splitlines()]


def look(trace):
    """Segments by state; of them, those without a cause."""
    waits, uncaused = collections.Counter(), collections.Counter()
    for request in requests(trace):
        for segment in request["segments"]:
            state, cause = segment["state"], segment["cause"]
            if state not in NAMES:
                assert cause is None, f"no wait, and a cause: {segment}"
                continue
            waits[state] += 1
            assert cause is not None, f"says nothing: {segment} of {request}"
            if cause["kind"] == "unknown":
                uncaused[state] += 1
                continue
            names = NAMES[state].get(cause["kind"])
            assert names is not None, f"{cause} of {state}"
            assert not names or any(cause[name] for name in names), segment
    return waits, uncaused


def traces(tmp):
    yield from sorted(glob.glob(os.path.join(CASES, "*.txt")))
    for path in sorted(glob.glob(os.path.join(QEMU, "logs", "*.xz"))):
        log = os.path.join(tmp, os.path.basename(path)[:-len(".xz")])
        with open(log, "wb") as out:
            out.write(lzma.open(path).read())
        yield log
    for path in sorted(glob.glob(os.path.join(QEMU, "records", "*.tar.xz"))):
        subprocess.run(["tar", "-C", tmp, "-x"], check=True,
                       input=lzma.open(path).read())
        yield os.path.join(tmp, os.path.basename(path)[:-len(".tar.xz")])
    for path in sorted(glob.glob(os.path.join(QEMU, "ust", "*.tar.zst"))):
        subprocess.run(["tar", "-C", tmp, "--zstd", "-xf", path], check=True)
        yield os.path.join(tmp, os.path.basename(path)[:-len(".tar.zst")])


@tap.case("every wait has its cause, or says that there is none to be told")
def _(tmp):
    waits, found = collections.Counter(), {}
    for trace in traces(tmp):
        name = os.path.basename(trace)
        some, uncaused = look(trace)
        waits.update(some)
        if uncaused:
            found[name] = dict(sorted(uncaused.items()))
    of = collections.Counter()
    for name, states in found.items():
        for state, n in states.items():
            of[state] += n
            tap.note(f"{name}: {n} x {state}: {REASONS[state]}")
    tap.note("; ".join(f"{state}: {of[state]} of {n} without a cause"
                       for state, n in sorted(waits.items())))
    tap.equal(found, UNCAUSED)


tap.main()
