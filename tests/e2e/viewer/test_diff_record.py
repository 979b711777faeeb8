# SPDX-License-Identifier: MIT
"""`cotrace diff` on recordings of cotrace-io: the same script is the same run,
one more request is named."""
import itertools
import os
import random
import re
import shutil
import sys

import diff_checker
import story
import tap

RUNS = 5
SOAK = os.environ.get("COTRACE_SOAK") == "1"
PAIRS = os.path.join(story.BUILD, "tests", "programs", "pairs")


def recorded(tmp, name, *more):
    image = os.path.join(tmp, "img.qcow2")
    if not os.path.exists(image):
        story.image(image)
    trace = os.path.join(tmp, name)
    story.record(trace, story.IO, "-f", "qcow2", "-r", *story.reads(),
                 *story.reads(), *more, image)
    return trace


def diff(a, b, status):
    done = story.run(story.COTRACE, "diff", a, b, "--json", "--edits",
                     status=status)
    document = story.parse(done.out)
    diff_checker.check(document)
    return document


@tap.case("recordings of one script have no real difference")
def _(tmp):
    traces = [recorded(tmp, f"trace{i}") for i in range(RUNS)]
    for i, a in enumerate(traces):
        tap.equal(diff(a, a, 0)["exact"], True, "with itself")
        for b in traces[i + 1:]:
            document = diff(a, b, None)
            tap.equal(document["first_real_divergence"], None, f"{a}, {b}")


def scattered(tmp):
    """An image whose clusters lie in another order than the guest's, so that a
    read is made of many."""
    image = os.path.join(tmp, "scattered.qcow2")
    story.image(image, "64M", [f"write -q -P 17 {k * 65536} 64k" for k in
                               [*range(0, 64, 2), *range(1, 64, 2)]])
    return image


WAYS = {"the main loop": (), "an iothread": ("--iothread",),
        "GLib's loop and an iothread": ("--loop=glib", "--iothread")}


@tap.case("reads of many clusters at once, on a loop and on two")
def _(tmp):
    """Which of two threads is quicker is no real difference."""
    image = scattered(tmp)
    words = [*story.reads(("0", "1M", "2M", "3M")), *story.reads(("0", "0"))]
    for name, way in WAYS.items():
        traces = []
        with story.Noise(SOAK):
            for i in range(20 if SOAK else 3):
                traces.append(os.path.join(tmp, f"{len(way)}-{i}"))
                story.record(traces[-1], story.IO, *way, "-f", "qcow2", "-r",
                             *words, image)
        n = 0
        for a, b in itertools.combinations(traces, 2):
            document = diff(a, b, None)
            change = document["first_real_divergence"]
            n += change is not None
            if change is not None:
                tap.note(f"{name}: {change['reason']} {change['a']} "
                         f"{change['b']}"[:1000])
        tap.note(f"{len(traces)} recordings on {name}: {n} false")
        tap.equal(n, 0, name)


@tap.case("one more request is named")
def _(tmp):
    a = recorded(tmp, "a")
    b = recorded(tmp, "b", "-c", "read -q 1536k 4k")
    change = diff(a, b, 1)["first_real_divergence"]
    tap.equal((change["reason"], change["a"]), ("only", None))
    tap.equal(change["b"]["label"],
              "begin of blk read qcow2:img.qcow2 1572864+4096")


@tap.case("another program is told its name, another place is the same")
def _(tmp):
    a = recorded(tmp, "a")
    b = os.path.join(tmp, "b")
    story.record(b, PAIRS, "extra", "was")
    done = story.run(story.COTRACE, "diff", a, b, status=2)
    tap.equal((done.out, done.err.count("\n")), ("", 1))
    assert "'cotrace-io'" in done.err and "'pairs'" in done.err, done.err
    story.run(story.COTRACE, "diff", a, b, "--any-program", "--json",
              status=None)
    copy = os.path.join(tmp, "elsewhere")
    os.mkdir(copy)
    shutil.copy(PAIRS, copy)
    c = os.path.join(tmp, "c")
    story.record(c, os.path.join(copy, "pairs"), "extra", "was")
    tap.equal(diff(b, c, 0)["programs_b"], ["pairs"])


@tap.case("a recording whose streams are cut: what is lost is no difference")
def _(tmp):
    whole, cut = recorded(tmp, "whole"), os.path.join(tmp, "cut")
    rng = random.Random(7)
    n = unknown = 0
    for _ in range(200 if SOAK else 6):
        shutil.copytree(whole, cut)
        streams = [os.path.join(at, name) for at, _, names in os.walk(cut)
                   for name in names if re.search(r"_\d+$", name)
                   and os.path.getsize(os.path.join(at, name))]
        stream = rng.choice(sorted(streams))
        size = os.path.getsize(stream)
        os.truncate(stream, rng.randrange(size))
        done = story.run(story.COTRACE, "diff", whole, cut, "--json", "--edits",
                         status=None)
        shutil.rmtree(cut)
        if done.returncode == 2:
            tap.equal(done.out, "")  # nothing is left that can be compared
            continue
        document = story.parse(done.out)
        diff_checker.check(document)
        tap.equal(document["first_real_divergence"], None, stream)
        n += 1
        unknown += document["unknown"] > 0
    tap.note(f"{n} cut recordings compared, in {unknown} something was not "
             "judged")
    assert n > 0


tap.main(sys.argv[1:])
