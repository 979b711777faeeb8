#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Windows of recordings show what the whole analysis shows there."""
import functools
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import cut  # noqa: E402
import story  # noqa: E402
import tap  # noqa: E402

SAMPLE = 100 if os.environ.get("COTRACE_SOAK") == "1" else 8
LOSSY = ("--subbuf-size=4k", "--subbufs=2")


def recorded(tmp, options=(), reads=400):
    image = story.image(os.path.join(tmp, "disk.qcow2"))
    trace = os.path.join(tmp, "trace")
    words = []
    for number in range(reads):
        words += ["-c", f"aio_read -q {number * 16384 % (4 << 20)} 16k"]
        if number % 50 == 49:
            words += ["-c", "aio_flush", "-c", "write -q 1M 4k"]
    story.record(trace, story.IO, "-f", "qcow2", *words, image,
                 options=options)
    return trace


KEPT = tempfile.TemporaryDirectory(prefix="cotrace-test-")


@functools.cache
def shared():
    """One recording for all who only look at it."""
    return recorded(KEPT.name)


def timeline(trace, *options):
    done = story.run(story.COTRACE, "render", trace, "-o", "-",
                     "--format=chrome", *options)
    return story.parse(done.out)["traceEvents"]


def windows(end, n):
    chosen = random.Random(1)
    for _ in range(n):
        a, b = sorted(chosen.sample(range(end), 2))
        yield a, b


def compare(trace, options, n):
    """Each row of a window is the whole analysis' row, cut."""
    end = story.document("stat", trace)["duration_ns"]
    whole = story.requests(trace, "--all", *options)
    rows = 0
    for a, b in windows(end, n):
        span = [f"--begin={a}", f"--end={b}"]
        got = story.requests(trace, "--all", *options, *span)
        want = cut.requests(whole, a, b, end)
        wrong = cut.differences(want, got, b)
        assert not wrong, f"{a}..{b}: {wrong[:3]}"
        rows += len(got)
        stat = story.document("stat", trace, *span)
        tap.equal(stat["requests"]["count"],
                  len(story.requests(trace, *span)), f"{a}..{b}")
        tap.equal(stat["duration_ns"], b - a, f"{a}..{b}")
    tap.note(f"{n} windows, {rows} requests compared")


@tap.case("a recording's requests, with who held them up")
def _(_):
    compare(shared(), ["--blame"], SAMPLE)


@tap.case("a recording's requests, events of it lost")
def _(tmp):
    trace = recorded(tmp, LOSSY)
    assert story.document("stat", trace)["discarded"], "nothing is lost"
    compare(trace, [], SAMPLE)


@tap.case("a recording's timeline")
def _(_):
    trace = shared()
    end = story.document("stat", trace)["duration_ns"]
    whole = timeline(trace)
    slices, arrows = cut.slices(whole), cut.arrows(whole)
    for a, b in windows(end, SAMPLE):
        part = timeline(trace, f"--begin={a}", f"--end={b}")
        tap.equal(cut.cut_slices(cut.slices(part), a, b),
                  cut.cut_slices(slices, a, b), f"slices of {a}..{b}")
        tap.equal(cut.cut_arrows(cut.arrows(part), a, b),
                  cut.cut_arrows(arrows, a, b), f"arrows of {a}..{b}")
    tap.note(f"{SAMPLE} windows of {len(slices)} slices")


@tap.case("a backtrace from before the window is there in it")
def _(_):
    trace = shared()
    request = max((r for r in story.requests(trace) if r["complete"]),
                  key=lambda r: r["latency_ns"])
    at = (request["begin_ns"] + request["end_ns"]) // 2
    worker = request["workers"][0]
    whole = story.document("backtrace", trace, f"--worker={worker}")
    part = story.document("backtrace", trace, f"--worker={worker}",
                          f"--begin={at}")
    tap.equal(part, whole, "worker")
    for coroutine in request["coroutines"]:
        tap.equal(story.document("backtrace", trace, f"--begin={at}",
                                 f"--at={at}", f"--coroutine={coroutine}"),
                  story.document("backtrace", trace, f"--at={at}",
                                 f"--coroutine={coroutine}"), "coroutine")
    tap.equal(story.document("coroutines", trace, f"--end={at}")["groups"],
              story.document("coroutines", trace, f"--at={at}")["groups"],
              "coroutines")


tap.main(sys.argv[1:])
