#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the commands say of written traces, word by word.

    run-golden.py COTRACE [--bless]

Each cases/NAME.txt is a text trace; expected/NAME.COMMAND has the output of
`cotrace COMMAND NAME.txt --json`.  --bless writes them anew: look at the diff.
A line "# coroutines --at=NS" in a case asks for that command, too; one
"# findings ..." has its thresholds.

Every case has lossy twins: the same trace with a hole in the place of some
events: of each single one, of each few in a row, of as many as a packet has,
of 1 to 30 % of them at random.  A twin's answers may only lose certainty.

- requests: what it still says one was doing at an instant, and who held it up,
  is what the whole trace says; segments stay contiguous; the latency lies in
  the interval that is told; no request is new.
- stat: no state, context or pool has more than in the whole trace.
- coroutines: those that are sure are there in the whole trace, and do the same.
- findings: none is new, none costs more.

Requests are asked of every twin, the others of a sample (COTRACE_SOAK=1: of
all).  How much of the requests' time is still certain is told; of twins that
lack few events it must be as much as LEAST says.
"""
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import recount  # noqa: E402
import tap  # noqa: E402
from twins import (blamed, blamed_otherwise, check_latency,  # noqa: E402
                   check_share, identity, said_otherwise, states_of)

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
LOST = (1, 3, 6)
SOAK = os.environ.get("COTRACE_SOAK") == "1"
# percent of the requests' time
LEAST = {"alike": 50, "attached": 28, "lock-hand-over": 60,
         "one-after-another": 60, "read-in-pool": 45, "woken-for-nothing": 65,
         "workers-again": 70}
RANDOM = 60 if SOAK else 4  # twins with events lost at random
SAMPLE = 1 if SOAK else 12  # of so many twins, one is asked everything


LOSS = r"cotrace: warning: .*: \d+ events? w(as|ere) lost; .*\n"


def run(command, trace, lossy=False):
    done = subprocess.run(
        [COTRACE, command[0], trace, *command[1:]], text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(os.environ, COTRACE_CHECK="1", LC_ALL="C"))
    tap.equal(done.returncode, 0, f"{command}: {done.stderr}")
    # Reading may end before the first loss.
    if not re.fullmatch(f"({LOSS})?" if lossy else "", done.stderr):
        raise AssertionError(f"{command}: {done.stderr!r}")
    return done.stdout


def commands_of(name):
    commands = dict(COMMANDS)
    with open(os.path.join(CASES, name + ".txt"), encoding="utf-8") as file:
        for line in file:
            asked = re.match(r"# (coroutines|backtrace|findings)((?: --\S+)+)$",
                             line)
            if asked:
                commands[asked[1]] = [asked[1], *asked[2].split(), "--json"]
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


def at_of(line):
    return int(re.match(r"@(\d+)", line)[1])


def without(lines, gone):
    """The trace without these events, holes in their place."""
    kept = []
    begin, n = None, 0

    def close():
        nonlocal n
        if n:
            kept.append(f"! stream=0 from={begin} to={end} lost={n}\n")
        n = 0

    for i, line in enumerate(lines):
        if i in gone:
            begin = begin if n else at_of(line)
            end = at_of(line)
            n += 1
            continue
        if line.startswith("@"):
            close()
        kept.append(line)
    close()
    origin = at_of(next(line for line in kept if line.startswith("@")))
    return "".join(kept), origin


def losses(events):
    """Which events a twin lacks: [(name, indices)].  One is always left."""
    for n in LOST:
        for first in range(len(events) - n + 1):
            yield f"{n} from {first}", set(events[first:first + n])
    for seed in range(RANDOM):
        chance = random.Random(seed)
        share = chance.randint(1, 30) / 100
        gone = {i for i in events[1:] if chance.random() < share}
        if gone:
            yield f"random {seed}", gone


class Whole:
    """What the trace says without a loss."""

    def __init__(self, name):
        self.path = os.path.join(CASES, name + ".txt")
        with open(self.path, encoding="utf-8") as file:
            self.lines = file.readlines()
        self.events = [i for i, line in enumerate(self.lines)
                       if line.startswith("@")]
        self.origin = at_of(self.lines[self.events[0]])
        self.end = at_of(self.lines[self.events[-1]])
        self.requests = {identity(r): r for r in read_requests(self.path)}
        self.states = {key: states_of(r, self.origin)
                       for key, r in self.requests.items()}
        self.stat = json.loads(run(COMMANDS["stat"], self.path))
        self.ask_findings = commands_of(name)["findings"]
        self.findings = {kind_of(f): f for f in json.loads(
            run(self.ask_findings, self.path))["findings"]}
        self.alive = {}

    def alive_at(self, at):
        if at not in self.alive:
            self.alive[at] = coroutines_at(self.path, at - self.origin)
        return self.alive[at]


def kind_of(finding):
    return (finding["kind"], finding["pid"], finding["function"],
            finding["object"] if finding["kind"] not in
            ("blocked-loop", "nested-poll") else None)


def coroutines_at(trace, at, lossy=False):
    found = json.loads(run(["coroutines", f"--at={at}", "--json"], trace,
                           lossy))
    return {(group["pid"], each["id"]): (group["state"], group["sure"])
            for group in found["groups"] for each in group["coroutines"]}


def check_requests(whole, twin, origin):
    """Return: ns that are certain, of ns."""
    certain = of = 0
    for request in read_requests(twin, True):
        states = states_of(request, origin)
        key = identity(request)
        if key not in whole.requests:
            assert None in key, f"a request out of nothing: {request}"
            continue
        wrong = said_otherwise(whole.states[key], states)
        assert not wrong, f"{wrong}"
        wrong = blamed_otherwise(blamed(whole.requests[key], whole.origin),
                                 blamed(request, origin))
        assert not wrong, f"blamed otherwise: {wrong}"
        check_latency(whole.requests[key], request)
        certain += sum(end - begin for begin, end, state in states
                       if state != "unknown")
        of += sum(end - begin for begin, end, _ in states)
    return certain, of


def check_stat(whole, twin):
    stat = json.loads(run(COMMANDS["stat"], twin, True))
    for key in ("count", "complete"):
        if stat["requests"][key] > whole.stat["requests"]["count"]:
            raise AssertionError(f"stat: {key}: {stat['requests']}")
    for state, ns in stat["states"].items():
        if state != "unknown" and ns > whole.stat["states"][state]:
            raise AssertionError(f"stat: {state} for {ns} ns")
    for what, name in (("workers", "spawned"), ("workers", "exited"),
                       ("workers", "peak"), ("coroutines", "created"),
                       ("coroutines", "peak")):
        if stat[what][name] > whole.stat[what][name]:
            raise AssertionError(f"stat: {what} {name}: {stat[what]}")
    for what, names in (("contexts", ("polls", "bh_runs", "busy_ns")),
                        ("pools", ("items", "queued_ns", "busy_ns",
                                   "queued_peak", "busy_peak"))):
        had = {(each["pid"], each["id"]): each for each in whole.stat[what]}
        for each in stat[what]:
            for name in names:
                at_most = had[each["pid"], each["id"]][name]
                if each[name] is not None and each[name] > at_most:
                    raise AssertionError(f"stat: {name} of {each}")
    certain = stat["certain"]
    if certain["ns"] > certain["of_ns"]:
        raise AssertionError(f"stat: {certain}")


def check_coroutines(whole, twin, origin, end):
    for part in (1, 2, 3):
        at = origin + (end - origin) * part // 4
        there = whole.alive_at(at)
        for key, (state, sure) in coroutines_at(twin, at - origin,
                                                True).items():
            if sure and state != "unknown" and \
                    there.get(key, (None,))[0] != state:
                raise AssertionError(f"coroutine {key} is {state} at {at}, "
                                     f"not {there.get(key)}")


def check_findings(whole, twin):
    for finding in json.loads(run(whole.ask_findings, twin,
                                  True))["findings"]:
        real = whole.findings.get(kind_of(finding))
        if real is None or finding["cost_ns"] > real["cost_ns"]:
            raise AssertionError(f"a finding that is none: {finding}, {real}")


def check_twins(name, tmp):
    whole = Whole(name)
    twins = asked = 0
    shares = {True: [0, 0], False: [0, 0]}  # of random twins, of the others
    twin = os.path.join(tmp, "twin.txt")
    for lost, gone in losses(whole.events):
        if len(gone) == len(whole.events):
            continue
        text, origin = without(whole.lines, gone)
        with open(twin, "w", encoding="utf-8") as out:
            out.write(text)
        try:
            sure, all_of_it = check_requests(whole, twin, origin)
            if twins % SAMPLE == 0:
                check_stat(whole, twin)
                check_findings(whole, twin)
                end = max(at_of(line) for line in text.splitlines()
                          if line.startswith("@"))
                check_coroutines(whole, twin, origin, end)
                asked += 1
        except AssertionError as error:
            raise AssertionError(f"without {lost}:\n{text}") from error
        share = shares[lost.startswith("random")]
        share[:] = share[0] + sure, share[1] + all_of_it
        twins += 1
    assert twins > 0 and asked > 0
    few = check_share(*shares[False], LEAST[name], name)
    many = check_share(*shares[True], 0, name)
    tap.note(f"{name}: {twins} twins, {asked} of them asked everything; "
             f"{few} % of the requests' time certain, {many} % of those that "
             "lack events at random")


def register(name):
    @tap.case(f"{name}: as expected")
    def _(tmp):
        compare(name)

    @tap.case(f"{name}: latencies and states, recomputed from its events")
    def _(tmp):
        path = os.path.join(CASES, name + ".txt")
        with open(path, encoding="utf-8") as file:
            n = recount.compare(file, read_requests(path))
        tap.note(f"{name}: {n} requests agree to the nanosecond")

    @tap.case(f"{name}: a loss only takes certainty away")
    def _(tmp):
        check_twins(name, tmp)


for file_name in sorted(os.listdir(CASES)):
    if file_name.endswith(".txt"):
        register(file_name[:-len(".txt")])
tap.main()
