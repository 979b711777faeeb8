#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every recorded stack is what gdb sees at that instant, address by address,
from the function that records to the thread's base."""
import json
import os
import shutil
import subprocess
import sys

import lttng
import tap

CALLERS = os.environ["CALLERS"]
PROVIDER = os.environ["PROVIDER"]
TRUTH = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "../story/gdb_truth.py")
TIMEOUT = 200


def frames_of(pieces, stack):
    frames, limit = [], 0
    while stack:
        piece = pieces[stack]
        frames += piece["frames"]
        limit |= piece["limit"]
        stack = piece["outer"]
    return frames, limit


def truth_of(stop):
    """gdb's addresses from the first frame outside the capture code."""
    frames = [f for f in stop["frames"] if not f["inlined"]]
    if any(f["tailcall"] and f["file"] == "callers.c" for f in frames):
        raise AssertionError(f"a tail call took a frame of ours: {frames}")
    # libc's own (qsort() to qsort_r()) gdb infers; no unwinder can see them
    frames = [f for f in frames if not f["tailcall"]]
    outside = next(i for i, f in enumerate(frames)
                   if f["function"].startswith("ct_emit_slow_")) + 1
    return [int(f["address"], 16) for f in frames[outside:]]


@tap.case("gdb's backtrace of every stack")
def _(tmp):
    if not shutil.which("gdb"):
        tap.skip("gdb is not installed")
    truth = os.path.join(tmp, "truth.json")
    with lttng.Session(tmp) as session:
        session.start("cotrace:*")
        done = subprocess.run(
            ["gdb", "-q", "-nx", "-batch", "-x", TRUTH, CALLERS], text=True,
            env={**session.env, "COTRACE_PROVIDER": PROVIDER,
                 "TRUTH_OUT": truth}, timeout=TIMEOUT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        trace = session.stop()
    tap.equal(done.returncode, 0, done.stdout)
    events = lttng.events(trace)
    pieces = {e.fields["id"]: e.fields for e in events
              if e.name == "stack_frames"}
    stops = [json.loads(line) for line in open(truth, encoding="utf-8")]
    recorded = [(e.tid, e.fields["stack"]) for e in events
                if "stack" in e.fields]
    tap.equal([(s["lwp"], int(s["stack"], 16)) for s in stops], recorded,
              "threads and stacks in order")
    for stop in stops:
        frames, limit = frames_of(pieces, int(stop["stack"], 16))
        tap.equal([hex(f) for f in frames],
                  [hex(f) for f in truth_of(stop)], "frames")
        tap.equal(limit, 0)
    names = {f["function"] for s in stops for f in s["frames"]}
    for name in ("main", "g_main_loop_run", "emit_inlined", "compare",
                 "thread_main", "gthread_main", "nested"):
        if name not in names:
            raise AssertionError(f"{name} is in no stack")
    tap.note(f"{len(stops)} stacks, {len(pieces)} pieces")


lttng.enter()
tap.main(sys.argv[1:])
