#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A timeline in several files: each loads, together they are the whole."""
import collections
import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import chrome_checker  # noqa: E402
import cut  # noqa: E402
import story  # noqa: E402
import tap  # noqa: E402

SIZE = 1 << 20


def recorded(tmp, reads=1000):
    image = story.image(os.path.join(tmp, "disk.qcow2"))
    trace = os.path.join(tmp, "trace")
    words = []
    for number in range(reads):
        words += ["-c", f"aio_read -q {number * 16384 % (4 << 20)} 16k"]
        if number % 50 == 49:
            words += ["-c", "aio_flush"]
    story.record(trace, story.IO, "-r", "-f", "qcow2", *words, image)
    return trace


def load(path):
    report = chrome_checker.check_file(path)
    tap.equal(report.faults, [], path)
    with open(path, encoding="utf-8") as file:
        return json.load(file)["traceEvents"]


def lengths(events):
    """How long each thread was in what, and for how many slices' ends."""
    sums = collections.Counter()
    for track, depth, name, begin, end in cut.slices(events):
        sums[track, depth, name] += end - begin
    return +sums


def whole_requests(events):
    return sorted((e["args"]["request"], e["ts"]) for e in events
                  if e.get("cat") == "request" and e["ph"] in "EX")


@tap.case("files of a timeline, none larger than asked for")
def _(tmp):
    trace = recorded(tmp)
    whole = os.path.join(tmp, "whole.json")
    story.run(story.COTRACE, "render", trace, "-o", whole)
    story.run(story.COTRACE, "render", trace, "-o",
              os.path.join(tmp, "part.json"), "--split=1M")
    names = sorted(glob.glob(os.path.join(tmp, "part*.json")),
                   key=lambda name: int(name.rsplit("-", 1)[1][:-5]))
    tap.equal([os.path.basename(name) for name in names],
              [f"part-{i}.json" for i in range(1, len(names) + 1)], "names")
    assert len(names) > 1, f"{os.path.getsize(whole)} bytes in one file"
    together = []
    arrows = []
    borders = []
    sums = collections.Counter()
    for name in names:
        assert os.path.getsize(name) <= SIZE, os.path.getsize(name)
        events = load(name)
        sums += lengths(events)
        together += events
        arrows += cut.arrows(events)
        borders.append(min(s[3] for s in cut.slices(events)))
    events = load(whole)
    tap.equal(sums, lengths(events), "time in slices")
    tap.equal(whole_requests(together), whole_requests(events), "requests")
    points = [s for s in cut.slices(events) if s[3] == s[4]]
    tap.equal(sorted(s for s in cut.slices(together) if s[3] == s[4]),
              sorted(points), "slices without length")
    lost = collections.Counter(cut.arrows(events))
    lost.subtract(arrows)
    tap.note(f"{len(names)} files of {os.path.getsize(whole)} bytes, "
             f"{len(events)} objects; {lost.total()} of "
             f"{len(cut.arrows(events))} arrows lie between files")
    for (name, _, begin, _, end), n in lost.items():
        assert n == 0 or any(begin <= at < end for at in borders), \
            f"{name} from {begin} to {end}: {n}"


@tap.case("what can't be split says so")
def _(tmp):
    trace = recorded(tmp, reads=5)
    done = story.run(story.COTRACE, "render", trace, "-o", "-",
                     "--format=chrome", "--split=2M", status=2)
    tap.equal(done.err, "cotrace: standard output: --split needs a file to "
              "number\n", "standard output")
    for value in ("1K", "0", "x", "-1M", "99999999999G"):
        done = story.run(story.COTRACE, "render", trace, "-o", "a.json",
                         f"--split={value}", status=2, cwd=tmp)
        tap.equal(len(done.err.splitlines()), 1, value)
    tap.equal(glob.glob(os.path.join(tmp, "*.json")), [], "files")


tap.main(sys.argv[1:])
