#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Windows of recordings show what the whole analysis shows there."""
import functools
import glob
import os
import random
import struct
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


def packets(path):
    """[(offset, bytes of content, begin, end)] of a stream, by its index."""
    index = os.path.join(os.path.dirname(path), "index",
                         os.path.basename(path) + ".idx")
    with open(index, "rb") as file:
        head = struct.unpack(">4I", file.read(16))
        rows = iter(lambda: file.read(head[3]), b"")
        return [(at, bits // 8, begin, end) for at, _, bits, begin, end in
                (struct.unpack(">5Q", row[:40]) for row in rows)]


@tap.case("packets behind the end are not read")
def _(tmp):
    trace = recorded(tmp, ("--subbuf-size=4k", "--subbufs=256"))
    streams = [path[:-4].replace("/index/", "/") for path in
               glob.glob(os.path.join(trace, "**", "*.idx"), recursive=True)]
    victim = max(streams, key=lambda path: len(packets(path)))
    rows = packets(victim)
    # The first event is known to lie in one of the first packets, no better.
    first = min(packets(path)[0][3] for path in streams if packets(path))
    stop = rows[len(rows) * 3 // 4][2] - first - 1
    assert len(rows) >= 16 and stop > 0, rows
    at, size, _, _ = rows[-1]
    options = ("--all", f"--end={stop}")
    want = story.run(story.COTRACE, "requests", trace, "--json", *options)
    with open(victim, "r+b") as file:
        file.seek(at + size // 2)
        file.write(b"\xff" * 256)
    got = story.run(story.COTRACE, "requests", trace, "--json", *options)
    tap.equal(got.err, want.err, "warnings")
    tap.equal(got.out, want.out, "with damage behind the end")
    whole = story.run(story.COTRACE, "stat", trace)
    assert victim in whole.err, f"the damage was not noticed: {whole.err}"
    tap.note(f"{len(rows)} packets, up to {stop} ns")


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
