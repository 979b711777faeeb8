#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every recorded stack is what gdb sees at that instant, address by address,
from the function that records to the thread's base."""
import os
import sys

import gdb
import lttng
import tap

CALLERS = os.environ["CALLERS"]
PROVIDER = os.environ["PROVIDER"]


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
    held = gdb.Held(tmp, [CALLERS], {"COTRACE_PROVIDER": PROVIDER})
    tap.equal(held.stopped(), held.recorded(), "threads and stacks in order")
    for stop in held.stops:
        frames, limit = gdb.frames_of(held.pieces, int(stop["stack"], 16))
        tap.equal(gdb.hexed(frames), gdb.hexed(truth_of(stop)), "frames")
        tap.equal(limit, 0)
    held.has("main", "g_main_loop_run", "emit_inlined", "compare",
             "thread_main", "gthread_main", "nested")
    tap.note(f"{len(held.stops)} stacks, {len(held.pieces)} pieces")


lttng.enter()
tap.main(sys.argv[1:])
