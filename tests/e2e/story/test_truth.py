#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gdb and cotrace look at the same frames: every piece must be the same.

gdb runs the recorded program itself and stops it at every stack that it
records, while the frame of the event is live (gdb_truth.py).  Then every
backtrace that cotrace tells (workers, work items, coroutines, requests) is cut
at its boundaries, and each piece compared with what gdb saw for that very
stack, by address, function, inlined chain and source line.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BASES = ("main", "start_thread", "coroutine_trampoline")


def capture(tmp, loop):
    image = story.image(os.path.join(tmp, "disk.qcow2"))
    trace = os.path.join(tmp, "trace")
    seen = os.path.join(tmp, "gdb.json")
    story.record(trace, "gdb", "-q", "-nx", "--batch", "-x",
                 os.path.join(HERE, "gdb_truth.py"), "--args", story.IO,
                 f"--loop={loop}", "-r", "-f", "qcow2",
                 *story.reads(story.READS[:4], "128k"), image,
                 env={"TRUTH_OUT": seen}, timeout=240)
    by_stack = {}
    with open(seen, encoding="utf-8") as lines:
        for line in lines:
            stop = json.loads(line)
            by_stack.setdefault(stop["stack"], stop["frames"])
    return trace, by_stack


def outside_capture(frames):
    """gdb's frames from the first one outside the capture code."""
    for index, frame in enumerate(frames):
        if (frame["function"] or "").startswith("ct_emit_slow_"):
            return frames[index + 1:]
    raise AssertionError(f"no emitter in {frames}")


def to_base(frames):
    for index, frame in enumerate(frames):
        if frame["function"] in BASES:
            return frames[:index + 1]
    return frames


def compare(piece, gdb, where):
    want = to_base(outside_capture(gdb))
    got = to_base(piece)
    for frame in want:
        if frame["tailcall"]:
            raise AssertionError(f"{where}: a tail call in the build: {frame}")
    tap.equal([frame["address"] for frame in got],
              [frame["address"] for frame in want], f"{where}: addresses")
    for ours, theirs in zip(got, want):
        tap.equal(ours["inlined"], theirs["inlined"], f"{where}: {theirs}")
        if theirs["file"]:  # gdb has DWARF for it
            tap.equal(ours["function"], theirs["function"], f"{where}: {theirs}")
            tap.equal(os.path.basename(ours["file"] or ""), theirs["file"],
                      f"{where}: {theirs}")
            tap.equal(ours["line"], theirs["line"], f"{where}: {theirs}")


def entities(trace):
    everything = story.requests(trace, "--all")
    story.check_sums(everything)
    words = set()
    for request in everything:
        words.add(f"--request={request['request']}")
        words.update(f"--coroutine={co}" for co in request["coroutines"])
        words.update(f"--worker={tid}" for tid in request["workers"])
    return sorted(words)


def check(tmp, loop):
    trace, by_stack = capture(tmp, loop)
    if len(by_stack) < 20:
        raise AssertionError(f"gdb saw only {len(by_stack)} stacks")
    compared = set()
    for word in entities(trace):
        told = story.document("backtrace", trace, word)
        stack = told["stack"]
        for boundary, piece in story.pieces(told["frames"]):
            stack = boundary["stack"] if boundary else stack
            if not piece:
                continue
            if stack not in by_stack:
                raise AssertionError(f"{word}: gdb never saw stack {stack}")
            compare(piece, by_stack[stack], f"{loop}: {word}: {stack}")
            compared.add(stack)
    tap.note(f"{loop}: {len(by_stack)} stacks seen by gdb, {len(compared)} "
             "pieces compared")
    if len(compared) < 8:
        raise AssertionError("too few pieces were compared")


@tap.case("aio_poll: every piece is what gdb saw")
def _(tmp):
    check(tmp, "poll")


@tap.case("g_main_loop_run: every piece is what gdb saw")
def _(tmp):
    check(tmp, "glib")


tap.main(sys.argv[1:])
