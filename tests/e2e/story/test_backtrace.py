#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The three cut backtraces of a qcow2 open are one, under both loops."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402

# Innermost first; None stands for any number of frames in between.
WORKER = ["worker_thread", None]
SPAWN = ["do_spawn_thread", "spawn_thread_bh_fn", None, "aio_bh_poll", None]
SUBMIT = ["spawn_thread", "thread_pool_submit_aio", "thread_pool_submit_co",
          "raw_thread_pool_submit", "raw_co_prw", None, "bdrv_driver_preadv",
          "bdrv_aligned_preadv", "bdrv_co_preadv_part", "bdrv_co_preadv", None,
          "bdrv_pread", None, "qcow2_do_open", "qcow2_open_entry",
          "coroutine_trampoline"]
OPEN = [None, "qcow2_open", None, "bdrv_open", None, "main", None]


def matches(names, pattern):
    if not pattern:
        return not names
    if pattern[0] is None:
        return any(matches(names[skip:], pattern[1:])
                   for skip in range(len(names) + 1))
    return bool(names) and names[0] == pattern[0] \
        and matches(names[1:], pattern[1:])


def expect(piece, pattern, what):
    names = [frame["function"] for frame in piece]
    if not matches(names, pattern):
        raise AssertionError(f"{what}: {names} is not {pattern}")


def sourced(piece):
    """Frames of our own code have a file and a line."""
    for frame in piece:
        if frame["function"] and frame["file"] is None \
                and frame["function"] in SPAWN + SUBMIT + OPEN + WORKER:
            raise AssertionError(f"no source line: {frame}")


def opening_worker(tmp, loop):
    image = story.image(os.path.join(tmp, "disk.qcow2"))
    trace = os.path.join(tmp, "trace")
    story.record(trace, story.IO, f"--loop={loop}", "-r", "-f", "qcow2",
                 "-c", "read -q 0 64k", image)
    everything = story.requests(trace, "--all")
    story.check_sums(everything)
    first = next(r for r in everything if r["workers"])
    told = story.document("backtrace", trace,
                          f"--worker={first['workers'][0]}")
    text = story.run(story.COTRACE, "backtrace", trace,
                     f"--worker={first['workers'][0]}").out
    return story.pieces(told["frames"]), text


def check(tmp, loop, turn):
    cut, text = opening_worker(tmp, loop)
    tap.equal([boundary["boundary"] for boundary, _ in cut[1:]][:3],
              ["worker-spawn", "bottom-half", "coroutine"], "boundaries")
    expect(cut[0][1], WORKER, "the worker's own frames")
    expect(cut[1][1], SPAWN + turn, "who created the thread")
    expect(cut[2][1], SUBMIT, "who asked for it")
    expect(cut[3][1], OPEN, "who opened the image")
    for _, piece in cut:
        sourced(piece)
    names = [frame["function"] for _, piece in cut for frame in piece]
    tap.equal([name for name in names
               if name and any(mark in name for mark in
                               (".isra", ".part", ".constprop", ".cold"))],
              [], "names of the compiler's clones")
    for word in ("worker_thread", "spawn_thread_bh_fn", "qcow2_open_entry",
                 "main"):
        if word not in text:
            raise AssertionError(f"{word} is not in the text:\n{text}")


@tap.case("a context run by aio_poll: from the worker back to main")
def _(tmp):
    check(tmp, "poll", ["aio_poll", None, "main", None])


@tap.case("a context run by g_main_loop_run: from the worker back to main")
def _(tmp):
    check(tmp, "glib", [None, "g_main_loop_run", None, "main", None])


tap.main(sys.argv[1:])
