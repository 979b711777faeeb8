#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every stack that the preloaded library takes is what gdb sees at that
instant, address by address, in programs that were not built for it; and so is
every piece of a worker's logical backtrace."""
import collections
import os
import shutil
import sys

import gdb
import lttng
import story
import tap
from preloaded import check_items, check_workers

PRELOAD = os.path.join(story.BUILD, "tracepoints", "preload",
                       "libcotrace-preload.so")
PROVIDER = os.path.join(story.BUILD, "tracepoints", "provider",
                        "libcotrace-provider.so")
PROGRAMS = os.path.join(story.BUILD, "tests", "programs")


def compare(tmp, *command, lines="", stdin=None):
    """All of its stacks; what gdb saw, {stack: addresses}, too."""
    held = gdb.Held(tmp, command, {"COTRACE_PROVIDER": PROVIDER,
                                   "COTRACE_LINES": lines},
                    preload=PRELOAD, stdin=stdin)
    missed = collections.Counter(held.recorded())
    missed.subtract(held.stopped())
    tap.equal({key: -n for key, n in missed.items() if n < 0}, {},
              "stops of which nothing was recorded")
    # gdb goes past one when two threads come to it at once
    tap.equal(sum(missed.values()) <= len(held.stops) // 20, True,
              f"gdb missed {+missed}")
    truth = {}
    for stop in held.stops:
        frames, limit = gdb.frames_of(held.pieces, int(stop["stack"], 16))
        seen = gdb.seen(stop)
        # our own frames in front of the hook are left out
        seen = seen[seen.index(frames[0]):]
        tap.equal(gdb.hexed(frames), gdb.hexed(seen), f"frames of {stop}")
        tap.equal(limit, 0, "whole")
        truth[stop["stack"]] = gdb.hexed(seen)
    tap.note(f"{len(held.stops)} stacks, {len(held.pieces)} pieces")
    return held, truth


@tap.case("gdb's backtrace of every stack: swapcontext")
def _(tmp):
    held, _ = compare(tmp, os.path.join(PROGRAMS, "contexts"), "swap")
    held.has("swapcontext", "generate", "ct_switch_begin", "main")


@tap.case("gdb's backtrace of every stack: siglongjmp")
def _(tmp):
    held, _ = compare(tmp, os.path.join(PROGRAMS, "contexts"), "jump")
    held.has("siglongjmp", "generate", "ct_switch_begin", "main")


# --- QEMU's programs as packaged ----------------------------------------------

PATTERNS = ("qemu_co*", "qemu_aio*", "aio_co*", "thread_pool*", "blk_co*",
            "bdrv_co*")


def events(option):
    words = []
    for pattern in PATTERNS:
        words += [option, f"enable={pattern}"]
    return words


def qemu_io(disk):
    return ["qemu-io", *events("-T"), "-f", "qcow2",
            *story.reads(("0", "1M")), disk]


def nodes(disk):
    return [f"driver=file,node-name=f,filename={disk}",
            "driver=qcow2,node-name=q,file=f"]


def storage_daemon(disk):
    return ["qemu-storage-daemon", *events("--trace"),
            "--blockdev", nodes(disk)[0], "--blockdev", nodes(disk)[1],
            "--chardev", "stdio,id=c", "--monitor", "chardev=c"]


def system(disk):
    return ["qemu-system-x86_64", *events("-trace"), "-M", "none", "-display",
            "none", "-serial", "none", "-qmp", "stdio",
            "-blockdev", nodes(disk)[0], "-blockdev", nodes(disk)[1]]


for make in (qemu_io, storage_daemon, system):
    def worker(tmp, make=make):
        disk = story.image(os.path.join(tmp, "disk.qcow2"))
        program, *words = make(disk)
        if not shutil.which(program):
            tap.skip(f"no {program} here")
        qmp = os.path.join(tmp, "qmp")
        with open(qmp, "w", encoding="utf-8") as file:
            file.write('{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n')
        held, truth = compare(tmp, shutil.which(program), *words, lines="only",
                              stdin=qmp)
        held.has("pthread_create", "qemu_thread_create", "aio_bh_poll",
                 "aio_poll", "thread_pool_submit_aio", "thread_pool_submit_co",
                 "bdrv_co_preadv_part", "main")
        found, workers, _ = check_items(held.trace)
        check_workers(held.trace, workers)
        compared = 0
        for tid in workers:
            told = story.document("backtrace", held.trace, f"--worker={tid}")
            stack = told["stack"]
            for boundary, piece in story.pieces(told["frames"]):
                stack = boundary["stack"] if boundary else stack
                if piece:
                    tap.equal([frame["address"] for frame in piece
                               if not frame["inlined"]],
                              truth[stack], f"{boundary} of worker {tid}")
                    compared += 1
        tap.equal(compared >= 3 * len(workers) > 0, True,
                  f"{compared} pieces of {len(workers)} workers")
        tap.note(f"{len(found)} items, {len(workers)} workers, {compared} "
                 "pieces of their backtraces as gdb saw them")
    tap.case("gdb's backtrace of every stack, and of every piece of a worker's: "
             f"Debian's {make.__name__}")(worker)


lttng.enter()
tap.main(sys.argv[1:])
