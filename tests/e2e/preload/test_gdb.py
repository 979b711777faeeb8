#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every stack that the preloaded library takes is what gdb sees at that
instant, address by address, in programs that were not built for it."""
import json
import os
import shutil
import subprocess
import sys

import lttng
import story
import tap

TRUTH = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "../story/gdb_truth.py")
PRELOAD = os.path.join(story.BUILD, "tracepoints", "preload",
                       "libcotrace-preload.so")
PROVIDER = os.path.join(story.BUILD, "tracepoints", "provider",
                        "libcotrace-provider.so")
PROGRAMS = os.path.join(story.BUILD, "tests", "programs")


def frames_of(pieces, stack):
    frames, limit = [], 0
    while stack:
        piece = pieces[stack]
        frames += piece["frames"]
        limit |= piece["limit"]
        stack = piece["outer"]
    return frames, limit


def compare(tmp, *command, lines=""):
    """The number of stacks, and all names that gdb knew."""
    if not shutil.which("gdb"):
        tap.skip("gdb is not installed")
    truth = os.path.join(tmp, "truth.json")
    with lttng.Session(tmp) as session:
        session.start("cotrace:*")
        done = subprocess.run(
            ["gdb", "-q", "-nx", "-batch", "-ex",
             f"set exec-wrapper env LD_PRELOAD={PRELOAD}", "-x", TRUTH,
             "--args", *command], text=True,
            env={**session.env, "COTRACE_PROVIDER": PROVIDER,
                 "TRUTH_OUT": truth, "COTRACE_LINES": lines}, timeout=200,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        trace = session.stop()
    tap.equal(done.returncode, 0, done.stdout)
    events = lttng.events(trace)
    pieces = {e.fields["id"]: e.fields for e in events
              if e.name == "stack_frames"}
    stops = [json.loads(line) for line in open(truth, encoding="utf-8")]
    recorded = sorted((e.tid, e.fields["stack"]) for e in events
                      if "stack" in e.fields)
    tap.equal(sorted((s["lwp"], int(s["stack"], 16)) for s in stops), recorded,
              "threads and stacks")
    for stop in stops:
        frames, limit = frames_of(pieces, int(stop["stack"], 16))
        seen = [int(f["address"], 16) for f in stop["frames"]
                if not f["inlined"] and not f["tailcall"]]
        # our own frames in front of the hook are left out
        seen = seen[seen.index(frames[0]):]
        tap.equal([hex(f) for f in frames], [hex(f) for f in seen],
                  f"frames of {stop}")
        tap.equal(limit, 0, "whole")
    tap.note(f"{len(stops)} stacks, {len(pieces)} pieces")
    return {f["function"] for s in stops for f in s["frames"]}


def has(names, *wanted):
    for name in wanted:
        if name not in names:
            raise AssertionError(f"{name} is in no stack")


@tap.case("gdb's backtrace of every stack: swapcontext")
def _(tmp):
    names = compare(tmp, os.path.join(PROGRAMS, "contexts"), "swap")
    has(names, "swapcontext", "generate", "ct_switch_begin", "main")


@tap.case("gdb's backtrace of every stack: siglongjmp")
def _(tmp):
    names = compare(tmp, os.path.join(PROGRAMS, "contexts"), "jump")
    has(names, "siglongjmp", "generate", "ct_switch_begin", "main")


@tap.case("gdb's backtrace of every stack: Debian's qemu-io, its lines, workers")
def _(tmp):
    if not shutil.which("qemu-io"):
        tap.skip("no qemu-io here")
    disk = story.image(os.path.join(tmp, "disk.qcow2"))
    events = []
    for pattern in ("qemu_co*", "qemu_aio*", "thread_pool*", "blk_co*",
                    "bdrv_co*"):
        events += ["-T", f"enable={pattern}"]
    names = compare(tmp, shutil.which("qemu-io"), *events, "-f", "qcow2",
                    *story.reads(("0", "1M")), disk, lines="only")
    has(names, "pthread_create", "qemu_thread_create", "aio_bh_poll",
        "thread_pool_submit_aio", "bdrv_co_preadv_part", "main")


lttng.enter()
tap.main(sys.argv[1:])
