#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who made what lived already when a recording began.

The program makes a coroutine, a work item and two contexts while a first recording runs, and
only then a second one begins: of that one's own events none tells who made
them, the tellings do.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import lttng  # noqa: E402
import story  # noqa: E402
import tap  # noqa: E402

LATE = os.path.join(story.BUILD, "tests", "programs", "late")
EVENTS = ("cotrace:*", "lttng_ust_statedump:*")

lttng.enter()


def functions(piece):
    return [frame["function"] for frame in piece]


def check_origin(trace, option, boundary, maker):
    told = story.document("backtrace", trace, option)
    pieces = story.pieces(told["frames"])
    if len(pieces) < 2:
        raise AssertionError(f"{option}: no origin: {told}")
    tap.equal(pieces[1][0]["boundary"], boundary, told)
    names = functions(pieces[1][1])
    if maker not in names or names[-1] not in ("main", "_start"):
        raise AssertionError(f"{option}: made by {names}, not by {maker}: "
                             f"{told}")
    tap.equal(told["complete"], False, told)
    return told, pieces


def check_requests(trace, events):
    """All are named: while it joins each tells its names, also what begins
    before the program has noticed; later their number does."""
    told = re.findall(r"cotrace:(request_begin|request_kind|request_open):",
                      events)
    tap.equal(told[0], "request_begin", "the first")
    for name in ("request_begin", "request_kind", "request_open"):
        if name not in told:
            raise AssertionError(f"no {name}")
    named = {(request["layer"], request["op"], request["node"])
             for request in story.requests(trace, "--all")}
    tap.equal(named, {("test", "turn", "late")}, "requests")


@tap.case("a second recording tells who made a coroutine and a work item")
def _(tmp):
    with lttng.Session(tmp) as session:
        session.start(*EVENTS)
        with subprocess.Popen(
                [LATE], env={**session.env, "COTRACE_RETELL_MS": "50"},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            try:
                made = story.parse(program.stdout.readline())
                session.stop()
                session.trace = os.path.join(tmp, "second")
                session.start(*EVENTS)
                program.communicate(b"\n", timeout=story.TIMEOUT)
                tap.equal(program.returncode, 0, "the program")
            finally:
                program.kill()
        trace = session.stop()
    events = story.run("babeltrace2", trace).out
    check_requests(trace, events)
    for name in ("cotrace:coroutine_create:", "cotrace:thread_pool_submit:"):
        if name in events:
            raise AssertionError(f"the second recording was not late: {name}")
    # Neither was made in it, and each telling has both.
    contexts = re.findall(r'state_context: .*name = "(\w+)", depth = (\d+), '
                          r"scheduled = (\d+)", events)
    tap.equal({each for each in contexts if each[0] == "still"},
              {("still", "0", "1")}, contexts)
    tap.equal({name for name, _, _ in contexts}, {"main", "still"}, contexts)
    _, pieces = check_origin(trace, f"--coroutine={made['coroutine']}",
                             "coroutine", "makes_sleeper")
    if "sleeps" not in functions(pieces[0][1]):
        raise AssertionError(f"its own frames: {pieces[0][1]}")
    check_origin(trace, f"--work={made['work']}", "work-item", "submits_work")


tap.main(sys.argv[1:])
