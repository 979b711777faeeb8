#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every request's latency lies between the program's own clock readings.

The program reads CLOCK_MONOTONIC outside and inside both events of every
request: inner <= latency <= outer, without tolerance.  And what is told again
names the instant of the event that it repeats.
"""
import collections
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402

CLOCKS = os.path.join(story.BUILD, "tests", "programs", "clocks")


def check(tmp, format_):
    image = os.path.join(tmp, "disk")
    if format_ == "qcow2":
        story.image(image)
    else:
        with open(image, "wb") as file:
            file.write(os.urandom(4 << 20))
    trace = os.path.join(tmp, "trace")
    out = story.record(trace, CLOCKS, image, format_, "400").out
    clocks = {}
    for line in out.splitlines():
        mark = story.parse(line)
        clocks[mark["id"]] = mark
    found = story.requests(trace, "--all")
    story.check_sums(found)
    checked = 0
    for request in found:
        if not request["complete"]:
            raise AssertionError(f"not complete: {request}")
        mark = clocks[request["id"]]
        if not mark["inner_ns"] <= request["latency_ns"] <= mark["outer_ns"]:
            raise AssertionError(f"{mark} does not hold {request}")
        checked += 1
    tap.equal(checked, len(clocks), "requests in the trace and in the program")
    if checked < 800:
        raise AssertionError(f"only {checked} requests")
    tap.note(f"{format_}: {checked} requests of all layers within their clocks")


@tap.case("raw: inner <= latency <= outer for every request")
def _(tmp):
    check(tmp, "raw")


@tap.case("qcow2: inner <= latency <= outer for every request")
def _(tmp):
    check(tmp, "qcow2")


# of what is told: the event that began it -> (what, id, state)
BEGINS = {
    "request_begin": [("state_request", "request", None)],
    "request_open": [("state_request", "request", None)],
    "coroutine_start": [("state_coroutine", "co", "running")],
    "aio_co_wake_enter": [("state_coroutine", "co", "running")],
    "thread_pool_resume": [("state_coroutine", "co", "running")],
    "request_start": [("state_coroutine", "co", "running")],
    "coroutine_yield": [("state_coroutine", "from", "yielded")],
    "coroutine_next": [("state_coroutine", "to", "running")],
    "aio_coroutine_enter": [("state_coroutine", "to", "running")],
    "thread_pool_submit": [("state_work", "req", "queued")],
    "work_begin": [("state_work", "req", "running")],
    "work_end": [("state_work", "req", "done")],
    "work_next": [("state_work", "req", "done"),
                  ("state_work", "next", "running")],
}
IDS = {"state_request": "request", "state_coroutine": "co",
       "state_work": "req"}
LINE = re.compile(r"^\[0*(\d+)\].* cotrace:(\w+): (.*)$")
FIELD = re.compile(r"(\w+) = (\d+)")
STATE = re.compile(r'state = \( "(\w+)"')


@tap.case("what is told again began at its event, to the nanosecond")
def _(tmp):
    if not shutil.which("babeltrace2"):
        tap.skip("babeltrace2 is not installed")
    image = os.path.join(tmp, "disk")
    with open(image, "wb") as file:
        file.truncate(4 << 20)
    trace = os.path.join(tmp, "trace")
    story.record(trace, os.path.join(story.BUILD, "runtime", "workloads",
                                     "cotrace-io"),
                 "bench", "-f", "raw", "-c", "4000", "-d", "16", "-s", "4k",
                 image, env={"COTRACE_RETELL_MS": "5"})
    begun, checked = {}, dict.fromkeys(IDS, 0)
    text = story.run("babeltrace2", "--clock-cycles", trace).out
    for now, event, fields in (LINE.match(line).groups()
                               for line in text.splitlines()
                               if LINE.match(line)):
        values = dict(FIELD.findall(fields))
        state = STATE.search(fields)
        for told, name, what in BEGINS.get(event, []):
            begun[told, values[name]] = (what, now)
        if event in IDS:
            known = begun.get((event, values[IDS[event]]))
            what = state[1] if state else None
            if known and known[0] == what and values["since"] != "0":
                tap.equal(values["since"], known[1], f"{event} {fields}")
                checked[event] += 1
    if min(checked.values()) < 10:
        raise AssertionError(f"hardly anything was told: {checked}")
    tap.note(f"told: {checked}")


@tap.case("qcow2: events that stand for several, no lock for a table at hand")
def _(tmp):
    if not shutil.which("babeltrace2"):
        tap.skip("babeltrace2 is not installed")
    image = os.path.join(tmp, "disk")
    story.image(image)
    trace = os.path.join(tmp, "trace")
    cpu = min(os.sched_getaffinity(0))  # one: workers go from item to item
    story.record(trace, "taskset", "-c", str(cpu),
                 os.path.join(story.BUILD, "runtime", "workloads",
                              "cotrace-io"),
                 "bench", "-f", "qcow2", "-c", "1000", "-d", "16", "-s", "4k",
                 image)
    text = story.run("babeltrace2", "--clock-cycles", trace).out
    count = collections.Counter(LINE.match(line)[2]
                                for line in text.splitlines()
                                if LINE.match(line))
    reads = count["request_start"]
    tap.equal(reads, 1000, "request_start")
    if not count["request_begin"] < 10 < 3 * reads < count["request_open"]:
        raise AssertionError(f"what is told before it is settled: {count}")
    if not 3 <= count["request_kind"] <= 20 * count["state_begin"]:
        raise AssertionError(f"request_kind: {count}")
    for joined, single in (("work_next", "work_begin"),
                           ("coroutine_next", "coroutine_terminate")):
        if not count[single] < count[joined] <= reads:
            raise AssertionError(f"{joined}: {count}")
    locks = count["co_mutex_lock_uncontended"] + count["co_mutex_lock_entry"]
    if not 0 < locks <= 32:  # who comes while the table is read
        raise AssertionError(f"{locks} locks: {count}")


tap.main(sys.argv[1:])
