#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A timeline in several files, or of some requests.

Files of a split load each, and together they are the whole.  A timeline of some
requests has all that the whole one has on their threads, while they last.
"""
import collections
import glob
import json
import lzma
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import chrome_checker  # noqa: E402
import cut  # noqa: E402
import story  # noqa: E402
import tap  # noqa: E402

SIZE = 1 << 20
LOG = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                   "../../golden/qemu/logs/qemuio_mixed.log.xz")


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
    check_split(tmp, recorded(tmp))


@tap.case("likewise of a log without times, by its order")
def _(tmp):
    log = os.path.join(tmp, "log")
    with lzma.open(LOG) as file, open(log, "wb") as out:
        shutil.copyfileobj(file, out)
    check_split(tmp, log)


def check_split(tmp, trace):
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


def check_narrowed(trace, tmp, whole, option, chosen):
    """All on the threads that served them is there as it was."""
    part = os.path.join(tmp, "narrow.json")
    story.run(story.COTRACE, "render", trace, "-o", part, option)
    assert os.path.getsize(part) < os.path.getsize(whole) / 2
    everything, events = load(whole), load(part)
    shown = {number for number, _ in whole_requests(events)}
    assert {r["request"] for r in chosen} <= shown, f"{shown}"
    there = collections.Counter(s[:1] + s[2:] for s in cut.slices(events))
    n = 0
    for request in chosen:
        threads = {s["tid"] for s in request["segments"] if s.get("tid")}
        threads |= {request["tid"], *request["workers"]}
        for (pid, tid), _, name, begin, end in cut.slices(everything):
            if tid in threads and begin <= request["end_ns"] and \
                    end >= request["begin_ns"]:
                assert there[(pid, tid), name, begin, end], \
                    f"{name} on {tid} from {begin} to {end} of {request}"
                n += 1
    known = collections.Counter(s[:1] + s[2:4] for s in cut.slices(everything))
    ends = collections.Counter((s[0], s[2], s[4])
                               for s in cut.slices(everything))
    for track, _, name, begin, end in cut.slices(events):
        assert known[track, name, begin] or ends[track, name, end], \
            f"{name} from {begin} to {end} is in no trace"
    inside = [r for r in story.requests(trace, "--all")
              if r["parent"] in {c["request"] for c in chosen}]
    assert {r["request"] for r in inside} <= shown, "requests inside"
    tap.note(f"{len(chosen)} requests: {len(shown)} shown, {n} slices checked, "
             f"{len(events)} of {len(everything)} objects")


@tap.case("a timeline of some requests has what touched them")
def _(tmp):
    trace = recorded(tmp)
    whole = os.path.join(tmp, "whole.json")
    story.run(story.COTRACE, "render", trace, "-o", whole)
    rows = story.requests(trace, "--sort=latency", "--limit=3")
    check_narrowed(trace, tmp, whole, "--slowest=3", rows)
    rows = [r for r in story.requests(trace, "--all") if r["complete"]]
    rows = [rows[7], rows[len(rows) // 2]]
    numbers = ",".join(str(r["request"]) for r in rows)
    check_narrowed(trace, tmp, whole, f"--request={numbers}", rows)
    done = story.run(story.COTRACE, "render", trace, "-o", whole,
                     "--request=1,99999999", status=2)
    tap.equal(done.err, f"cotrace: {trace}: request 99999999 is not in this "
              "trace\n", "no such request")


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
