#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the commands say of written traces, word by word.

    run-golden.py COTRACE [--bless]

Each cases/NAME.txt is a text trace; expected/NAME.COMMAND has the output of
`cotrace COMMAND NAME.txt --json`.  --bless writes them anew: look at the diff.
A line "# coroutines --at=NS" in a case asks for that command, too.

Every case has lossy twins: for each stretch of LOST events in a row, the same
trace without them and with a hole in their place.  A twin's result may only
lose certainty: what it still says a request was doing at an instant is what
the whole trace says, its segments stay contiguous, and no request is new.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import tap  # noqa: E402

COTRACE = os.path.abspath(sys.argv[1])
BLESS = "--bless" in sys.argv
CASES = os.path.join(HERE, "cases")
EXPECTED = os.path.join(HERE, "expected")
COMMANDS = {"stat": ["stat", "--json"],
            "coroutines": ["coroutines", "--json"],
            "findings": ["findings", "--block=100", "--stuck=100", "--json"],
            "requests": ["requests", "--all", "--json"],
            "blame": ["requests", "--all", "--blame", "--json"],
            "path": ["requests", "--all", "--critical-path", "--json"]}
LOST = (1, 3)


LOSS = r"cotrace: warning: .*: 1?\d+ events? w(as|ere) lost; .*\n"


def run(command, trace, lossy=False):
    done = subprocess.run(
        [COTRACE, command[0], trace, *command[1:]], text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(os.environ, COTRACE_CHECK="1", LC_ALL="C"))
    tap.equal(done.returncode, 0, f"{command}: {done.stderr}")
    if not re.fullmatch(LOSS if lossy else "", done.stderr):
        raise AssertionError(f"{command}: {done.stderr!r}")
    return done.stdout


def commands_of(name):
    commands = dict(COMMANDS)
    with open(os.path.join(CASES, name + ".txt"), encoding="utf-8") as file:
        for line in file:
            asked = re.match(r"# (coroutines|backtrace) (--\S+)$", line)
            if asked:
                commands[asked[1]] = [asked[1], asked[2], "--json"]
    return commands


def compare(name):
    for kind, command in commands_of(name).items():
        path = os.path.join(EXPECTED, f"{name}.{kind}")
        got = run(command, os.path.join(CASES, name + ".txt"))
        if BLESS:
            os.makedirs(EXPECTED, exist_ok=True)
            with open(path, "w", encoding="utf-8") as out:
                out.write(got)
        with open(path, encoding="utf-8") as file:
            tap.equal(got, file.read(), f"{name}.{kind}")


def read_requests(trace, lossy=False):
    return [json.loads(line)
            for line in run(COMMANDS["blame"], trace, lossy).splitlines()]


def identity(request):
    return (request["pid"], request["layer"], request["op"], request["node"],
            request["offset"], request["bytes"])


def states_of(request, shift):
    """[begin, end, state] on the trace's own clock, checked for the sum."""
    segments = request["segments"]
    begin, end = request["begin_ns"], request["end_ns"]
    if begin is None and segments:
        begin = segments[0]["begin_ns"]  # it was open before the first event
    at = begin
    states = []
    for segment in segments:
        tap.equal(segment["begin_ns"], at, "segments are contiguous")
        at = segment["end_ns"]
        ran = (segment["cause"] or {}).get("ran")
        if ran and segment["state"] != "work-queued":
            tap.equal(sum(piece["ns"] for piece in ran),
                      at - segment["begin_ns"], "what ran fills the wait")
        states.append((segment["begin_ns"] + shift, at + shift,
                       segment["state"]))
    if end is not None:
        tap.equal(at, end, "segments end with the request")
        tap.equal(request["complete"], request["begin_seen"], "complete")
    return states


def said_otherwise(whole, twin):
    """Instants of which a twin is sure, and the whole trace says otherwise."""
    wrong = []
    for begin, end, state in twin:
        if state == "unknown":
            continue
        for other_begin, other_end, other in whole:
            if max(begin, other_begin) < min(end, other_end) and \
                    state != other:
                wrong.append((begin, end, state, other))
    return wrong


def without(lines, first, n):
    """The trace without n events from the first on, a hole in their place."""
    events = [i for i, line in enumerate(lines) if line.startswith("@")]
    gone = events[first:first + n]
    begin, end = (int(re.match(r"@(\d+)", lines[i])[1])
                  for i in (gone[0], gone[-1]))
    hole = f"! stream=0 from={begin} to={end} lost={n}\n"
    kept = [line for i, line in enumerate(lines) if i not in gone[1:]]
    kept[kept.index(lines[gone[0]])] = hole
    origin = int(re.match(r"@(\d+)", next(
        line for line in kept if line.startswith("@")))[1])
    return "".join(kept), origin


def check_twins(name, tmp):
    path = os.path.join(CASES, name + ".txt")
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    events = [line for line in lines if line.startswith("@")]
    origin = int(re.match(r"@(\d+)", events[0])[1])
    whole = {identity(r): states_of(r, origin) for r in read_requests(path)}
    checked = 0
    for n in LOST:
        for first in range(len(events) - n):
            text, twin_origin = without(lines, first, n)
            twin = os.path.join(tmp, f"{name}-{first}-{n}.txt")
            with open(twin, "w", encoding="utf-8") as out:
                out.write(text)
            for request in read_requests(twin, True):
                states = states_of(request, twin_origin)
                if identity(request) not in whole:
                    assert None in identity(request), \
                        f"{twin}: a request out of nothing: {request}"
                    continue
                wrong = said_otherwise(whole[identity(request)], states)
                assert not wrong, f"without {n} from {first}: {wrong}"
                checked += 1
    assert checked > 0
    tap.note(f"{name}: {checked} requests of twins compared")


def register(name):
    @tap.case(f"{name}: as expected")
    def _(tmp):
        compare(name)

    @tap.case(f"{name}: a loss only takes certainty away")
    def _(tmp):
        check_twins(name, tmp)


for file_name in sorted(os.listdir(CASES)):
    if file_name.endswith(".txt"):
        register(file_name[:-len(".txt")])
tap.main()
