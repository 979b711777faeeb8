#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Very many of one thing: the answer stays right.

    run_many.py COTRACE

Each case writes a trace in which there are more of something than is kept, or
so many that work for each pair of them would outlast the test's timeout.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../lib"))
import tap  # noqa: E402

COTRACE = os.path.abspath(sys.argv[1])
MS = 1_000_000


def ask(tmp, lines, *command):
    path = os.path.join(tmp, "trace.txt")
    with open(path, "w", encoding="utf-8") as out:
        out.write("cotrace-text 1\n@1000 7/7 context_create ctx=1 name=\"m\"\n")
        out.writelines(line + "\n" for line in lines)
    done = subprocess.run(
        [COTRACE, command[0], path, *command[1:]], text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(os.environ, COTRACE_CHECK="1", LC_ALL="C"))
    tap.equal(done.returncode, 0, f"{command}: {done.stderr}")
    return done.stdout


def findings(tmp, lines, *options):
    found = json.loads(ask(tmp, lines, "findings", "--json", "--tracing=1000",
                           *options))
    tap.equal(found["complete"], True)
    return found


def begin(at, request, co):
    return (f"@{at} 7/7 request_begin request={request} co={co} "
            f'layer="blk" op="read" node="d" offset=0 bytes=1')


def enter(at, co):
    return f"@{at} 7/7 aio_coroutine_enter ctx=1 from=0 to={co}"


def waits(n, first, wait_ns):
    """n requests, each of which waits for a mutex of its own."""
    at, lines = first, []
    for i in range(n):
        co = 10 + i
        lines += [f"@{at} 7/7 coroutine_create co={co} entry=0x401000",
                  begin(at + 1, co, co), enter(at + 2, co),
                  f"@{at + 3} 7/7 coroutine_yield from={co} to=0 reason=lock "
                  f"object={100000 + i}"]
        at += 3 + wait_ns
        lines += [enter(at, co),
                  f"@{at + 1} 7/7 request_end request={co} ret=0",
                  f"@{at + 2} 7/7 coroutine_terminate self={co} to=0"]
        at += 3
    return lines, at


def bh(at, ns, number, what):
    return [f"@{at} 7/7 bh_run_begin bh={number} ctx=1 {what}",
            f"@{at + ns} 7/7 bh_run_end bh={number} ctx=1"]


@tap.case("a loop that is blocked is found behind 5000 waits for locks")
def _(tmp):
    lines, at = waits(5000, 2000, 2)
    found = findings(tmp, lines + bh(at, 2000 * MS, 5, 'name="slow"'))
    tap.equal([(each["kind"], each["function"], each["cost_ns"])
               for each in found["findings"]],
              [("blocked-loop", "slow", 2000 * MS)])
    tap.equal(found.get("truncated"), None, "nothing else could have been")


@tap.case("of 5000 functions that block a loop, the worst are told")
def _(tmp):
    lines = []
    for i in range(5000):
        lines += bh(2000 + 20 * i, 12 if i == 2500 else 10 if i % 2 else 11, 5,
                    f"callback={0x400000 + i:#x}")
    found = findings(tmp, lines, "--block=10")
    tap.equal(found["truncated"], True)
    tap.equal(found["findings"][0]["cost_ns"], 12)
    tap.equal([each["cost_ns"] for each in found["findings"]].count(11), 2499)
    if "some may be missing" not in ask(tmp, lines, "findings", "--block=10"):
        raise AssertionError("the text does not say so")


@tap.case("what was dropped may have been a convoy: nobody says there is none")
def _(tmp):
    lines, _ = waits(5000, 2000, 10)
    tap.equal(findings(tmp, lines, "--block=1000"),
              {"complete": True, "truncated": True, "findings": []})
    text = ask(tmp, lines, "findings", "--block=1000",
               "--tracing=1000")
    if "Nothing to point at" in text or "some may be missing" not in text:
        raise AssertionError(text)


@tap.case("bottom halves of one name are one cause, and hurt by that name")
def _(tmp):
    lines = ["@1500 7/7 poll_begin ctx=1 blocking=0 depth=1"]
    for i in range(3):
        at = 2000 + i * 100 * MS
        lines += [f'@{at} 7/7 bh_run_begin bh={5 + i} ctx=1 name="slow"',
                  f"@{at + 1} 7/7 coroutine_create co={20 + i} entry=0x401000",
                  begin(at + 2, 30 + i, 20 + i),
                  f"@{at + 3} 7/7 aio_co_schedule ctx=1 co={20 + i}",
                  f"@{at + 50 * MS} 7/7 bh_run_end bh={5 + i} ctx=1",
                  enter(at + 50 * MS + 1, 20 + i),
                  f"@{at + 50 * MS + 2} 7/7 request_end request={30 + i} ret=0",
                  f"@{at + 50 * MS + 3} 7/7 coroutine_terminate self={20 + i} "
                  f"to=0"]
    found = findings(tmp, lines)["findings"]
    tap.equal([(each["kind"], each["count"], each["n_requests"])
               for each in found], [("blocked-loop", 3, 3)])


@tap.case("one without a name and function is the same as itself only")
def _(tmp):
    lines = ["@1500 7/7 poll_begin ctx=1 blocking=0 depth=1",
             "@2000 7/7 bh_run_begin bh=5 ctx=1",
             "@2001 7/7 coroutine_create co=20 entry=0x401000",
             begin(2002, 30, 20),
             "@2003 7/7 aio_co_schedule ctx=1 co=20",
             f"@{50 * MS} 7/7 bh_run_end bh=5 ctx=1",
             enter(50 * MS + 1, 20)]
    lines += bh(60 * MS, 20 * MS, 6, "")
    found = findings(tmp, lines)["findings"]
    tap.equal([(each["object"], each["n_requests"]) for each in found],
              [(5, 1), (6, 0)])


@tap.case("of 5000 holes at once every lost event is told, to the last one's end")
def _(tmp):
    lines = [f"! stream={i % 64} from={2000 + i} "
             f"to={200000 if i == 4999 else 100000} lost=1"
             for i in range(5000)]
    drawn = os.path.join(tmp, "drawn.json")
    ask(tmp, lines + ["@300000 7/7 aio_notify ctx=1"], "render", "-o", drawn)
    with open(drawn, encoding="utf-8") as file:
        lost = [each["args"] for each in json.load(file)["traceEvents"]
                if each.get("cat") == "lost"]
    tap.equal(sum(each["events"] for each in lost), 5000)
    tap.equal(max(each["until_us"] for each in lost), 199.0)


@tap.case("workers of two pools of one process are told apart")
def _(tmp):
    lines = []
    for i, pool in enumerate((2, 3, 2)):
        lines += [f"@{2000 + i} 7/7 worker_create pool={pool} worker={50 + i} "
                  f"nth={1 + i // 2}",
                  f"@{2100 + i} 7/{8 + i} worker_start pool={pool} "
                  f"worker={50 + i}"]
    drawn = os.path.join(tmp, "drawn.json")
    ask(tmp, sorted(lines), "render", "-o", drawn)
    with open(drawn, encoding="utf-8") as file:
        names = {each["tid"]: each["args"]
                 for each in json.load(file)["traceEvents"]
                 if each["name"] == "thread_name"}
    tap.equal([names[tid] for tid in (8, 9, 10)],
              [{"name": "worker 1", "pool": 2},
               {"name": "worker 1 of pool 3", "pool": 3},
               {"name": "worker 2", "pool": 2}])
    tap.equal(names[7].get("pool"), None, "no worker")


@tap.case("tracing's share is told where events come close behind one another")
def _(tmp):
    lines = ["@1500 7/7 poll_begin ctx=1 blocking=0 depth=1"]
    lines += [f"@{2000 + i * 100} 7/7 aio_notify ctx=1" for i in range(3000)]
    lines.append("@400000 7/7 poll_end ctx=1 progress=1 depth=1")
    for percent, kinds in ((25, ["tracing-overhead"]), (90, [])):
        found = json.loads(ask(tmp, lines, "findings", "--json",
                               "--block=1000",
                               f"--tracing={percent}"))["findings"]
        tap.equal([each["kind"] for each in found], kinds)


tap.main()
