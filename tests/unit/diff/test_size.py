# SPDX-License-Identifier: MIT
"""Runs with very many processes, holes and open requests: four times as many do
not take many times the work; and holes in any order."""
import json
import os
import random
import sys

import growth
import story
import tap

ENV = growth.ENV
write = growth.write


def check_growth(tmp, few, make, factor, command=("diff",), sides="ab"):
    growth.check(tmp, few, factor, lambda n: (
        *command, *(write(os.path.join(tmp, f"{side}{n}"), make(n, side))
                    for side in sides), "--json", "-o", "/dev/null"))


def one_each(n, _):
    return [f'@{1000 + i} {i + 1}/{i + 1} bh_run_begin bh=1 ctx=1 name="x" '
            "callback=0x1" for i in range(n)]


def two_each(n, side):
    """Two contexts of each name, in another order in the other run."""
    lines = []
    for i in range(2 * n):
        work = f"{i // 2}-{i % 2 ^ (side == 'b')}"
        lines += [f'@{1000 + i} 7/7 context_create ctx={i + 1} '
                  f'name="c{i // 2}"',
                  f'@{1000 + i} 7/7 bh_run_begin bh={i + 1} ctx={i + 1} '
                  f'name="{work}" callback=0x1',
                  f'@{1000 + i} 7/7 bh_run_end bh={i + 1} ctx={i + 1}']
    return lines


def beside_holes(n, side):
    """Each second callback is of one run only; a hole after each."""
    lines = ['@1000 7/7 context_create ctx=1 name="m"']
    for i in range(n):
        name = f"b{i}" if i % 2 else f"{side}{i}"
        lines += [f'@{2000 + 10 * i} 7/7 bh_run_begin bh={i + 5} ctx=1 '
                  f'name="{name}" callback=0x402000',
                  f"@{2002 + 10 * i} 7/7 bh_run_end bh={i + 5} ctx=1",
                  f"! stream=0 from={2005 + 10 * i} to={2006 + 10 * i} lost=1"]
    return lines


def open_beside_holes(n, _):
    """As many requests that are open as holes while they are."""
    lines = ['@1000 7/7 context_create ctx=1 name="m"']
    for i in range(n):
        lines += [f"@{2000 + i} 7/7 coroutine_create co={i + 5} entry=0x401000",
                  f"@{2000 + i} 7/7 request_begin request={100000 + i} "
                  f'co={i + 5} layer="blk" op="read" node="d" offset={i} '
                  f"bytes=1",
                  f"@{2000 + i} 7/7 aio_coroutine_enter ctx=1 from=0 "
                  f"to={i + 5}",
                  f"@{2000 + i} 7/7 coroutine_yield from={i + 5} to=0 "
                  f"reason=io object=0"]
    for i in range(n):
        at = 3000 + n + 10 * i
        lines += [f"! stream=0 from={at} to={at + 1} lost=1",
                  f"@{at + 5} 7/7 aio_notify ctx=1"]
    return lines


def processes_beside_holes(n, _):
    """As many processes with a thread that did something as holes after it."""
    lines = []
    for i in range(n):
        lines += [f'@{1000 + i} {i + 7}/{i + 7} context_create ctx=1 name="m"',
                  f"@{1000 + i} {i + 7}/{i + 7} bh_run_begin bh=2 ctx=1 "
                  'name="b" callback=0x1',
                  f"@{1000 + i} {i + 7}/{i + 7} bh_run_end bh=2 ctx=1"]
    for i in range(n):
        at = 3000 + n + 10 * i
        lines += [f"! stream=0 from={at} to={at + 1} lost=1",
                  f"@{at + 5} 7/7 aio_notify ctx=1"]
    return lines


@tap.case("many holes beside many processes and threads")
def _(tmp):
    for command, sides in ((("stat",), "a"), (("diff",), "ab")):
        check_growth(tmp, 250, processes_beside_holes, 5, command, sides)


@tap.case("many holes while many requests are open")
def _(tmp):
    for command in (("stat",), ("requests", "--blame")):
        check_growth(tmp, 500, open_beside_holes, 6, command, "a")


@tap.case("many processes")
def _(tmp):
    check_growth(tmp, 250, one_each, 6)


@tap.case("many contexts that are to be told apart")
def _(tmp):
    check_growth(tmp, 500, two_each, 5)


@tap.case("many holes")
def _(tmp):
    check_growth(tmp, 250, beside_holes, 6)


def many_times(n, side):
    """As many callbacks, each 50 times, by far slower in the other run: more
    than chance explains, of each by two figures."""
    lines, at = [], 1000
    draws = random.Random(side)
    for _ in range(50):
        for i in range(n):
            lines += [f'@{at} 7/7 bh_run_begin bh={i + 5} ctx=1 name="f{i}" '
                      f"callback={0x1000 + 16 * i:#x}"]
            at += draws.randrange(1000, 5000) + (side == "b") * 3000
            lines += [f"@{at} 7/7 bh_run_end bh={i + 5} ctx=1"]
            at += 100
    return lines


@tap.case("many times of many callbacks: twice the work of reading, at most")
def _(tmp):
    program = growth.stripped(tmp)
    runs = [write(os.path.join(tmp, side), many_times(100, side))
            for side in "ab"]
    read = sum(growth.instructions(program, "stat", run, "-o", "/dev/null")
               for run in runs)
    told = os.path.join(tmp, "told.json")
    both = growth.instructions(program, "diff", *runs, "--json", "-o", told)
    tap.note("reading both: %.0f M instructions, diff: %.0f" % (read, both))
    with open(told, encoding="utf-8") as file:
        latency = json.load(file)["latency"]
    tap.equal([one["sure_mean"] and one["sure"] and not one["bound"]
               for one in latency], [True] * 100)
    assert both < 2 * read, (read, both)


@tap.case("holes of a baseline may come in any order")
def _(tmp):
    lines = beside_holes(40, "a")
    # three holes, one of them reaches over the next
    holes = [i for i, line in enumerate(lines) if line.startswith("!")]
    kept = {holes[3]: lines[holes[3]], holes[30]: lines[holes[30]],
            holes[5]: f"! stream=0 from={2005 + 50} to={2005 + 120} lost=4"}
    sparse = [kept.get(i, line) for i, line in enumerate(lines)
              if i in kept or not line.startswith("!")]
    a = write(os.path.join(tmp, "a"), sparse)
    other = [line for line in beside_holes(40, "b") if line[0] != "!"]
    b = write(os.path.join(tmp, "b"), other)
    good, shuffled = (os.path.join(tmp, n) for n in ("good", "shuffled"))
    story.run(story.COTRACE, "diff", f"--save-baseline={good}", a, status=0,
              env=ENV)
    with open(good, encoding="utf-8") as file:
        document = json.load(file)
    table = document["holes"] if "holes" in document else \
        document["tables"]["holes"]
    rows = [table[i:i + 2] for i in range(0, len(table), 2)]
    tap.equal(len(rows), 3)

    def told(path):
        done = story.run(story.COTRACE, "diff", f"--against={path}", b,
                         "--json", env=ENV, status=None)
        assert done.returncode in (0, 1), done.err
        return story.parse(done.out)

    want = told(good)
    assert want["unknown"] > 0, want
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        table[:] = [value for row in rows for value in row]
        with open(shuffled, "w", encoding="utf-8") as file:
            json.dump(document, file)
        tap.equal(told(shuffled), want, str(rows))


tap.main(sys.argv[1:])
