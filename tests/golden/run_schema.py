#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Traces whose events are not those of our list: told once, and skipped; what
is still said is what the trace says whole.  And traces that lack packets.

    run_schema.py COTRACE TRACES

TRACES/small was recorded by LTTng.  Its metadata is changed here, consistently
with its streams: a field that has another name is one that is missing and one
that nobody knows.
"""
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import ctf  # noqa: E402
import tap  # noqa: E402
import twins  # noqa: E402

COTRACE = os.path.abspath(sys.argv[1])
SMALL = os.path.join(os.path.abspath(sys.argv[2]), "small")
SOAK = os.environ.get("COTRACE_SOAK") == "1"
SAMPLE = 200 if SOAK else 8


def run(trace, *command):
    done = subprocess.run([COTRACE, command[0], trace, *command[1:], "--json"],
                          text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          env=dict(os.environ, COTRACE_CHECK="1", LC_ALL="C"))
    tap.equal(done.returncode, 0, f"{command}: {done.stderr}")
    return done.stdout, done.stderr.splitlines()


def read(trace):
    """Rows of requests, stat, and the warnings."""
    out, warnings = run(trace, "requests", "--all", "--blame")
    stat, others = run(trace, "stat")
    tap.equal(others, warnings, "the same warnings from every command")
    return [json.loads(line) for line in out.splitlines()], \
        json.loads(stat), warnings


def changed(tmp, change):
    return read(ctf.copy(SMALL, os.path.join(tmp, "trace"), change))


def once(warnings, pattern):
    told = [line for line in warnings if re.search(pattern, line)]
    tap.equal(len(told), 1, f"{pattern} in {warnings}")


def rename(event, what, by):
    """In the block of one event."""
    def change(text):
        begin = text.index(f'name = "cotrace:{event}"')
        end = text.index("};\n\n", begin)
        block = text[begin:end]
        assert what in block, block
        return text[:begin] + block.replace(what, by) + text[end:]
    return change


@tap.case("as it is: no warning")
def _(tmp):
    _, stat, warnings = changed(tmp, None)
    tap.equal((warnings, stat["unknown_events"]), ([], 0))


@tap.case("a field is missing, another one is new: told once, unknown")
def _(tmp):
    whole, _, _ = read(SMALL)
    rows, stat, warnings = changed(
        tmp, rename("request_begin", "_node;", "_node_of_another_version;"))
    once(warnings, "request_begin has no node")
    tap.equal(len(warnings), 1, warnings)
    tap.equal(stat["unknown_events"], 0)
    tap.equal([dict(row, node=None) for row in whole], rows)


@tap.case("an event without an id says that something happened, no more")
def _(tmp):
    whole, stat, _ = read(SMALL)
    for event, field, least in (("aio_coroutine_enter", "to", 6),
                                ("coroutine_yield", "reason", 30),
                                ("coroutine_yield", "from", 30),
                                ("thread_pool_submit", "req", 15),
                                # what runs it is not known, nothing is
                                ("request_begin", "co", 0),
                                ("work_begin", "req", 35)):
        rows, twin, warnings = changed(os.path.join(tmp, event + field),
                                       rename(event, f"_{field};", "_other;"))
        once(warnings, f"{event} has no {field}")
        assert twin["discarded"] > 0, "and is a loss"
        share = twins.check_share(*twins.check(whole, rows, 0), least,
                                  f"{event} without {field}")
        tap.note(f"{event} without {field}: {share} % of the requests' time "
                 "certain")


@tap.case("an event that nobody knows: told once, left out")
def _(tmp):
    whole, stat, _ = read(SMALL)
    rows, twin, warnings = changed(
        tmp, lambda text: text.replace('"cotrace:aio_notify"',
                                       '"cotrace:never_heard_of"'))
    once(warnings, "first: cotrace:never_heard_of")
    tap.equal(len(warnings), 1, warnings)
    assert twin["unknown_events"] > 0
    tap.equal(twin["events"], stat["events"])
    tap.equal(rows, whole)


BEGIN = re.compile(r'^(@\d+ \S+) request_begin (.*) (layer="[^"]*" op="[^"]*" '
                   r'node="[^"]*") (.*) (flags=\d+)', re.MULTILINE)


def kinds_by_number(text):
    """The same trace, with request_kind and request_open; how many of them."""
    numbers = {}

    def change(begin):
        names = begin[3], begin[5]
        told = ""
        if names not in numbers:
            numbers[names] = len(numbers) + 1
            told = (f"{begin[1]} request_kind kind={numbers[names]} "
                    f"{names[0]} {names[1]}\n")
        return (f"{told}{begin[1]} request_open {begin[2]} "
                f"kind={numbers[names]} {begin[4]}")

    return *BEGIN.subn(change, text), len(numbers)


@tap.case("requests whose names are told by a number are what they are")
def _(tmp):
    changed_ones = 0
    for name in sorted(os.listdir(os.path.join(HERE, "cases"))):
        path = os.path.join(HERE, "cases", name)
        with open(path, encoding="utf-8") as file:
            text, n, kinds = kinds_by_number(file.read())
        twin = os.path.join(tmp, name)
        with open(twin, "w", encoding="utf-8") as file:
            file.write(text)
        rows, stat, warnings = read(twin)
        whole, before, told = read(path)
        tap.equal(rows, whole, name)
        tap.equal([line.replace(twin, path) for line in warnings], told, name)
        tap.equal(stat["events"], before["events"] + kinds, name)
        tap.equal(stat["requests"], before["requests"], name)
        changed_ones += n
    assert changed_ones >= 6, changed_ones


@tap.case("a newer schema: told once, read as far as it is understood")
def _(tmp):
    with open(os.path.join(HERE, "cases", "attached.txt"),
              encoding="utf-8") as file:
        text = file.read()
    paths = [os.path.join(tmp, name) for name in ("whole", "newer")]
    for path, major in zip(paths, ("1", "99")):
        with open(path, "w", encoding="utf-8") as out:
            out.write(re.sub(r"(state_begin major=)1", r"\g<1>" + major, text))
    whole, _, before = read(paths[0])
    rows, _, warnings = read(paths[1])
    once(warnings, r"schema 99\.\d")
    tap.equal(len(warnings), len(before) + 1, warnings)
    tap.equal(rows, whole)


def packet_twins(trace):
    """[(name, [packets that are gone])], by stream file."""
    counts = {name: len(ctf.packets(open(os.path.join(trace, name),
                                         "rb").read()))
              for name in sorted(os.listdir(trace)) if name.startswith("c_")}
    for name, n in counts.items():
        for packet in range(n):
            yield f"{name} without packet {packet}", {name: {packet}}
    for seed in range(SAMPLE):
        chance = random.Random(seed)
        share = chance.randint(1, 30) / 100
        yield f"random {seed}", {
            name: {p for p in range(n) if chance.random() < share}
            for name, n in counts.items()}


@tap.case("without some of its packets nothing is told that was not so")
def _(tmp):
    whole, stat, _ = read(SMALL)
    begin = int(stat["origin_ns"])
    n = certain = of = 0
    for what, gone in packet_twins(SMALL):
        if not any(gone.values()):
            continue
        trace = ctf.copy(SMALL, os.path.join(tmp, str(n)))
        for name, numbers in gone.items():
            ctf.without(os.path.join(trace, name), numbers)
        try:
            rows, stat, _ = read(trace)
            some, all_of_it = twins.check(whole, rows, int(stat["origin_ns"]) - begin)
        except AssertionError as error:
            raise AssertionError(what) from error
        n, certain, of = n + 1, certain + some, of + all_of_it
    share = twins.check_share(certain, of, 70, "packets")
    tap.note(f"{n} twins; {share} % of the requests' time certain")


tap.main()
