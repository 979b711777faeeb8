# SPDX-License-Identifier: MIT
"""The timeline over a simulated pass, with the checker and against it."""
import json
import os
import subprocess
import sys

import chrome_checker
import shapes
import tap

PASS = os.environ["FAKE_PASS"]
LANES = 1 << 30 # threads have numbers below


def text(*words, view="chrome"):
    done = subprocess.run([PASS, view, *words], stdout=subprocess.PIPE,
                          timeout=60, check=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.stdout.decode("utf-8")


def timeline(*words):
    report = chrome_checker.check_text(text(*words))
    tap.equal(report.faults[:5], [], str(words))
    return report


def ended(report, **more):
    return [s for s in report.slices if s.phase in "BX" and
            all(getattr(s, name) == value for name, value in more.items())]


def size(number):
    for unit in ("", "K", "M", "G"):
        if number % 1024 or not number:
            return f"{number}{unit}"
        number //= 1024
    return f"{number}T"


@tap.case("no fault, whatever the trace is like")
def _(tmp):
    for seed in range(1, 13):
        for words in ([], ["coarse"], ["hostile"], ["stuck", "lost"],
                      ["coarse", "stuck", "lost", "loops=4", "workers=9"]):
            timeline(f"seed={seed}", *words)
    timeline("turns=0")
    timeline("turns=0", "loops=1", "workers=0")


@tap.case("each kind of slice, where it belongs, with its function's name")
def _(tmp):
    report = timeline("turns=200")
    kinds = {s.category for s in ended(report)}
    tap.equal(kinds, {"thread", "poll", "bh", "coroutine", "work", "request",
                      "state"})
    inside = {"poll": {"thread", "poll"}, "bh": {"poll"}, "coroutine": {"bh"},
              "work": {"thread"}, "state": {"request"}, "thread": {None},
              "request": {None}}
    for slice_ in ended(report):
        parent = slice_.parent and slice_.parent.category
        if parent not in inside[slice_.category]:
            raise AssertionError(f"{slice_} in {slice_.parent}")
    names = {s.name for s in ended(report)}
    for name in ("BH fn_4010c0", "BH co_schedule_bh", "work fn_401140",
                 "coroutine fn_401040", "poll main", "kernel wait"):
        if name not in names:
            raise AssertionError(f"{name} not in {sorted(names)}")
    for name in names:
        if "0x7f" in name and not name.startswith(("coroutine 0x7f",
                                                   "BH 0x7f")):
            raise AssertionError(name)


@tap.case("requests: one lane for those that do not overlap; exact; segments")
def _(tmp):
    words = ("turns=100", "seed=4", "stuck")
    report = timeline(*words)
    told = shapes.lines(text(*words, "all", "json", view="requests"))
    shown = {s.args["request"]: s for s in ended(report, category="request")}
    tap.equal(len(shown), len(told))
    for request in told:
        slice_ = shown[request["request"]]
        if slice_.tid < LANES:
            raise AssertionError(f"{slice_} is on a thread")
        tap.equal(slice_.begin, request["begin_ns"])
        if request["end_ns"] is not None:
            tap.equal(slice_.end, request["end_ns"])
        tap.equal(slice_.name, f"{request['layer']} {request['op']} "
                               f"{size(request['offset'])}+"
                               f"{size(request['bytes'])}")
        tap.equal((slice_.args["offset"], slice_.args["bytes"]),
                  (request["offset"], request["bytes"]))
        parts = [(s.name, s.begin, s.end) for s in ended(report)
                 if s.parent is slice_]
        tap.equal(sorted(parts, key=lambda p: p[1:]),
                  sorted(((s["state"], s["begin_ns"], s["end_ns"])
                          for s in request["segments"]), key=lambda p: p[1:]))
    # no two at once here but the one that is stuck
    lanes = {s.tid for s in shown.values() if "parent" not in s.args}
    tap.equal(len(lanes), 2)
    names = {report.threads[4000, tid] for tid in lanes}
    tap.equal(names, {"requests 1", "requests 2"})
    order = [report.sort_indexes[4000, tid] for tid in sorted(lanes)]
    tap.equal(order, sorted(order))


@tap.case("arrows start where the cause was and end in what it caused")
def _(tmp):
    for words in (["seed=2"], ["seed=3", "coarse"]):
        report = timeline("turns=100", *words)
        ends = {"schedule": "bh", "wake": "coroutine", "submit": "work",
                "resume": "coroutine"}
        tap.equal({flow[0] for flow in report.flows},
                  set(ends) | {"work done", "spawn"})
        for name, source, begin, target, end in report.flows:
            tap.equal((source.phase, source.begin), ("i", begin), name)
            tap.equal(target.begin, end, f"{name} to {target}")
            if name in ends and "coarse" not in words:
                tap.equal(target.category, ends[name], f"{name} to {target}")


@tap.case("counters have the last value that was told")
def _(tmp):
    report = timeline("turns=50")
    tap.equal({key[1:] for key in report.counters},
              {("requests", "in flight"), ("queued", "work items"),
               ("workers", "busy"), ("workers", "idle")})
    for values in report.counters.values():
        times = [at for at, _ in values]
        tap.equal(times, sorted(times))
    flight = [v for _, v in report.counters[4000, "requests", "in flight"]]
    tap.equal(flight, [1, 0] * 50)
    tap.equal({v for _, v in report.counters[4000, "workers", "busy"]}, {0, 1})


@tap.case("processes and threads are named, hostile names included")
def _(tmp):
    report = timeline()
    tap.equal(report.processes, {4000: "cotrace-io"})
    threads = {name for (_, tid), name in report.threads.items()
               if tid < LANES}
    tap.equal(threads, {"main", "thread 4001", "worker 1", "worker 2",
                        "worker 3"})
    report = timeline("hostile")
    tap.equal(report.processes, {4000: "<script>\u2028"})


@tap.case("the document says what it is")
def _(tmp):
    document = json.loads(text("lost"))
    tap.equal(document["displayTimeUnit"], "ns")
    about = document["metadata"]
    tap.equal(about["origin_ns"], "1700000000123456789")
    tap.equal((about["complete"], about["discarded"]), (False, None))
    lost = [e for e in document["traceEvents"] if e["name"] == "events lost"]
    tap.equal(len(lost), 1)


@tap.case("the tape in a file gives the same as in memory; memory is constant")
def _(tmp):
    peaks = []
    for turns in (2000, 20000):
        path = os.path.join(tmp, "big.json")
        done = subprocess.run([PASS, "chrome", f"turns={turns}",
                               f"path={path}"], stderr=subprocess.PIPE,
                              timeout=60, check=True,
                              env={**os.environ, "FAKE_PASS_MEASURE": "1"})
        peaks.append(json.loads(done.stderr)["peak_kib"])
        tap.equal(os.listdir(tmp), ["big.json"])
        if turns == 2000:
            tap.equal(chrome_checker.check_file(path).faults[:5], [])
        with open(path, encoding="utf-8") as file:
            tap.equal(file.read(), text(f"turns={turns}"))
    tap.note(f"peak {peaks} KiB")
    # Sanitizers keep what was freed for a while.
    if "asan" not in os.environ.get("FAKE_PASS", "") and \
            peaks[1] > peaks[0] + 4096:
        raise AssertionError(f"{peaks} KiB")


tap.main(sys.argv[1:])
