#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A request that main begins and the iothread's loop serves.

The iothread is held while main starts the read, and the program says for how
long: all that time the request's coroutine is queued there, so `runnable`.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402

ELSEWHERE = os.path.join(story.BUILD, "tests", "programs", "elsewhere")


@tap.case("running on main, runnable in the other context, running there")
def _(tmp):
    image = os.path.join(tmp, "disk")
    with open(image, "wb") as file:
        file.write(os.urandom(65536))
    trace = os.path.join(tmp, "trace")
    said = story.parse(story.record(trace, ELSEWHERE, image).out)
    found = story.requests(trace)
    story.check_sums(found)
    tap.equal([request["op"] for request in found], ["read"], "requests")
    request = found[0]
    first, queued, entered = request["segments"][:3]
    tap.equal([first["state"], queued["state"], entered["state"]],
              ["running", "runnable", "running"], request)
    tap.equal(first["tid"], request["tid"], "who began it works on it")
    tap.equal(queued["cause"]["kind"], "loop", queued)
    tap.equal(queued["cause"]["id"], said["context"], queued)
    if entered["tid"] == first["tid"]:
        raise AssertionError(f"entered on the thread that began it: {request}")
    length = queued["end_ns"] - queued["begin_ns"]
    if length < said["held_ns"]:
        raise AssertionError(f"runnable for {length} ns, but the loop was held "
                             f"for {said['held_ns']} ns: {request}")


tap.main(sys.argv[1:])
