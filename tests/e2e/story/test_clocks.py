#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every request's latency lies between the program's own clock readings.

The program reads CLOCK_MONOTONIC outside and inside both events of every
request: inner <= latency <= outer, without tolerance.
"""
import os
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


tap.main(sys.argv[1:])
