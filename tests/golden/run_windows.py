#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A window of a trace shows what the whole analysis shows there.

    run_windows.py COTRACE

For each written trace, windows between its events and on them: what the
commands say of each is compared with their words on the whole trace, cut by
tests/lib/cut.py.  COTRACE_SOAK=1 takes every window; else a sample.
"""
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import cut  # noqa: E402
import tap  # noqa: E402

COTRACE = os.path.abspath(sys.argv[1])
CASES = os.path.join(HERE, "cases")
SAMPLE = 15  # windows a trace
ENV = dict(os.environ, COTRACE_CHECK="1", LC_ALL="C")


def run(*command, status=0):
    done = subprocess.run([COTRACE, *command], text=True, check=False, env=ENV,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tap.equal(done.returncode, status, f"{command}: {done.stderr}")
    return done.stdout if status == 0 else done.stderr


def rows(trace, *options):
    return [json.loads(line) for line in
            run("requests", trace, "--all", "--json", *options).splitlines()]


def timeline(trace, *options):
    return json.loads(run("render", trace, "-o", "-", "--format=chrome",
                          *options))["traceEvents"]


def instants(path):
    with open(path, encoding="utf-8") as file:
        times = [int(found[1]) for found in
                 re.finditer(r"^@(\d+)", file.read(), re.M)]
    return [time - times[0] for time in times]


def windows(times):
    """On events and between them, a sample of fixed seed."""
    ends = sorted({t for time in times for t in (time, time + 5)
                   if t <= times[-1]})
    found = [(a, b) for a in ends for b in ends if a < b]
    if os.environ.get("COTRACE_SOAK") != "1":
        found = random.Random(1).sample(found, min(SAMPLE, len(found)))
    return found


def check(trace, begin, end, whole):
    span = [f"--begin={begin}", f"--end={end}"]
    if begin >= whole["end"]:
        run("requests", trace, *span, status=2)
        return
    for view, options in (("rows", ["--blame"]), ("path", ["--critical-path"])):
        want = cut.requests(whole[view], begin, end, whole["end"])
        wrong = cut.differences(want, rows(trace, *options, *span), end)
        assert not wrong, f"{view} of {begin}..{end}: {wrong[:3]}"
    events = timeline(trace, *span)
    for name, take, part in (("slices", cut.slices, cut.cut_slices),
                             ("arrows", cut.arrows, cut.cut_arrows)):
        tap.equal(part(take(events), begin, end),
                  part(whole[name], begin, end), f"{name} of {begin}..{end}")
    stat = json.loads(run("stat", trace, "--json", *span))
    tap.equal(stat["events"], sum((begin or -1) < t <= end for t in whole["times"]),
              f"events of {begin}..{end}")
    tap.equal(stat["duration_ns"], min(end, whole["end"]) - begin, "duration")


def register(name):
    @tap.case(f"{name}: windows of it are its analysis, cut")
    def _(_tmp):
        trace = os.path.join(CASES, name + ".txt")
        times = instants(trace)
        events = timeline(trace)
        whole = {"rows": rows(trace, "--blame"), "times": times,
                 "path": rows(trace, "--critical-path"), "end": times[-1],
                 "slices": cut.slices(events), "arrows": cut.arrows(events)}
        tried = windows(times)
        for begin, end in tried:
            check(trace, begin, end, whole)
        tap.note(f"{name}: {len(tried)} windows")


for file_name in sorted(os.listdir(CASES)):
    if file_name.endswith(".txt"):
        register(file_name[:-len(".txt")])


@tap.case("a trace without times has no windows, and says so")
def _(tmp):
    trace = os.path.join(tmp, "order.txt")
    with open(trace, "w", encoding="utf-8") as out:
        out.write("cotrace-text 1\nclock none\n"
                  "@- 1/1 context_create ctx=1 name=\"main\"\n")
    for command in (["stat"], ["requests"], ["coroutines"], ["findings"],
                    ["backtrace", "--worker=1"]):
        for option in ("--begin", "--end"):
            said = run(*command[:1], trace, *command[1:], f"{option}=5",
                       status=2)
            tap.equal(said, f"cotrace: {trace}: {option} needs a trace with "
                      "times; this one has only an order\n", command[0])


tap.main()
