#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The engines of cotrace-io: the same output by each, and what a recording
tells of operations that the kernel does: state io, and batches."""
import os
import re
import shutil
import sys

import story
import tap

ENGINES = ("native", "io_uring")
LOOPS = {"aio_poll": [], "glib": ["--loop=glib"], "iothread": ["--iothread"]}
WRITES = ("write -q -P 1 0 1M", "write -q -P 2 2M 512k")
READS = ["aio_read -q -P 1 %dk 4k" % (64 * i) for i in range(8)]
SCRIPT = [*READS, "aio_flush", "read -q -P 2 2M 512k", "read -q -P 0 15M 1M"]


def words(script):
    return [word for command in script for word in ("-c", command)]


def is_there(engine, image):
    done = story.run(story.IO, "-r", "-t", "none", "-i", engine, "-c", "quit",
                     image, status=None)
    return done.returncode == 0


def events(trace, name):
    out = story.run("babeltrace2", trace).out
    return [dict(re.findall(r"(\w+) = (\"[^\"]*\"|[-\w.]+)", line))
            for line in out.splitlines() if f" cotrace:{name}:" in line]


def recorded(tmp, engine, loop):
    path = story.image(os.path.join(tmp, "disk.qcow2"), "16M", WRITES)
    if not is_there(engine, path):
        tap.skip(f"the kernel refuses {engine}")
    trace = os.path.join(tmp, "trace")
    story.record(trace, story.IO, *LOOPS[loop], "-r", "-t", "none", "-i", engine,
                 "-f", "qcow2",
                 *words(SCRIPT), path)
    return trace


def check_states(trace):
    found = story.requests(trace, "--all")
    story.check_sums(found)
    in_file = [r for r in found if r["node"] == "file:disk.qcow2" and
               r["op"] == "read" and r["bytes"] > 0 and
               r["parent"] is not None]
    tap.equal(len(in_file) > 8, True, "requests of the file")
    for request in in_file:
        states = [s["state"] for s in request["segments"]]
        tap.equal("io" in states, True, f"{states} of {request}")
        tap.equal([s for s in states if s.startswith("work")], [], request)
        tap.equal({s["cause"]["kind"] for s in request["segments"]
                   if s["state"] == "io"}, {"device"}, request)


def check_events(trace, engine):
    submitted = events(trace, "io_submit")
    completed = events(trace, "io_complete")
    batches = events(trace, "io_batch")
    tap.equal(sorted(e["io"] for e in submitted),
              sorted(e["io"] for e in completed), "each is completed, once")
    tap.equal(len({e["io"] for e in submitted}), len(submitted))
    for event in completed:
        tap.equal(event["ret"], "0", event)
    tap.equal(sum(int(e["count"]) for e in batches), len(submitted),
              "operations in batches")
    # what one turn starts goes to the kernel together
    tap.equal(len(batches) < len(submitted), True,
              f"{len(batches)} batches of {len(submitted)}")
    yields = [e for e in events(trace, "coroutine_yield")
              if e["object"] in {s["io"] for s in submitted}]
    tap.equal(len(yields), len(submitted), f"waits for {engine}")


for _engine in ENGINES:
    for _loop in LOOPS:
        @tap.case(f"a recording of {_engine}, {_loop}")
        def _(tmp, engine=_engine, loop=_loop):
            trace = recorded(tmp, engine, loop)
            check_states(trace)
            check_events(trace, engine)


@tap.case("an engine that is none is refused")
def _(tmp):
    path = story.image(os.path.join(tmp, "disk.qcow2"), "1M", ())
    done = story.run(story.IO, "-r", "-i", "uring", "-c", "quit", path, status=None)
    tap.equal(done.returncode, 2)
    tap.equal("--aio uring" in done.err, True, done.err)


for tool in ("qemu-io", "babeltrace2"):
    if not shutil.which(tool):
        print(f"1..0 # SKIP {tool} is not installed")
        sys.exit(77)
tap.main(sys.argv[1:])
