#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""QEMU's events from LTTng: the same answers as from its log.

    check_ust.py COTRACE DIR

babeltrace2's text of the same trace is what cotrace is compared with.  The
trace under fio has what the client measured beside it: cotrace's NBD requests
must be the same ones, and none of them longer.
"""
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../lib"))
import tap  # noqa: E402

COTRACE, DIR = (os.path.abspath(arg) for arg in sys.argv[1:3])
EVENT = re.compile(r"\[(\d+)\.(\d{9})\] .*? qemu:(\w+): .*\{ (.*?) ?\}$")


def run(*command):
    done = subprocess.run(command, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, COTRACE_CHECK="1"))
    tap.equal((done.returncode, done.stderr), (0, ""), " ".join(command))
    return done.stdout


def unpack(name, tmp):
    for tool in ("zstd", "babeltrace2"):
        if not shutil.which(tool):
            tap.skip(f"{tool} is not installed")
    run("tar", "--zstd", "-C", tmp, "-xf",
        os.path.join(DIR, name + ".tar.zst"))
    return os.path.join(tmp, name)


def events(trace):
    """(ns since 1970, name, {field: text}) as babeltrace2 prints them."""
    out = run("babeltrace2", "--clock-seconds", trace)
    for line in out.splitlines():
        match = EVENT.match(line)
        if match:
            fields = dict(re.findall(r'(\w+) = (".*?"|[^,]+?)(?:,|$)',
                                     match.group(4)))
            yield (int(match.group(1)) * 10**9 + int(match.group(2)),
                   match.group(3), fields)


def requests_of(trace):
    """blk requests by the rules of README.md, of a trace with one thread."""
    stack, open_, done = [], defaultdict(list), []
    front = set()
    for at, name, field in events(trace):
        top = stack[-1] if stack else None
        if name == "qemu_aio_coroutine_enter":
            stack.append(field["to"])
        elif name == "qemu_coroutine_yield":
            stack.remove(field["from"])
        elif name == "qemu_coroutine_terminate":
            if field["co"] in stack:
                stack.remove(field["co"])
            front.discard(field["co"])
            for request in open_.pop(field["co"], []):
                request[4] = at
        elif name == "nbd_receive_request":
            front.add(top)
        elif name.startswith("nbd_co_send_"):
            for request in open_.pop(top, []):
                request[4] = at
        elif name in ("blk_co_preadv", "blk_co_pwritev"):
            if top not in front:
                for request in open_.pop(top, []):
                    request[4] = at
            request = ["read" if name == "blk_co_preadv" else "write",
                       int(field["offset"]), int(field["bytes"]), at, None]
            open_[top].append(request)
            done.append(request)
    return done


def ours(trace, *options):
    stat = json.loads(run(COTRACE, "stat", trace, "--json"))
    origin = int(stat["origin_ns"])
    rows = [json.loads(line) for line in
            run(COTRACE, "requests", trace, "--json", *options).splitlines()]
    tap.equal(stat["clock"], "exact")
    tap.equal(stat.get("log"), None)
    return origin, rows


def register(name):
    @tap.case(f"{name}: the requests that babeltrace2's text has")
    def _(tmp):
        trace = unpack(name, tmp)
        origin, rows = ours(trace, "--all", "--layer=blk")
        want = requests_of(trace)
        got = [[r["op"].split("-")[0], r["offset"], r["bytes"],
                r["begin_ns"] + origin, r["end_ns"] + origin] for r in rows]
        tap.equal(got, want)
        tap.equal(len(want) > 5, True, "enough of them")
        tap.note(f"{len(want)} requests")


for case in ("io-aio", "convert", "nbd-raw-qd1"):
    register(case)


@tap.case("under fio: the same requests, none longer than the client saw")
def _(tmp):
    trace = unpack("nbd-raw-qd1", tmp)
    _, rows = ours(trace, "--layer=nbd")
    with open(os.path.join(DIR, "nbd-raw-qd1.fio-lat.log"),
              encoding="utf-8") as file:
        fio = [[int(word) for word in line.split(",")] for line in file]
    tap.equal(len(rows), len(fio), "requests")
    differences = []
    for row, (_, latency, write, size, offset, _) in zip(rows, fio):
        tap.equal((row["op"], row["offset"], row["bytes"]),
                  ("write" if write else "read", offset, size), "which")
        tap.equal(row["ret"], 0)
        differences.append(latency - row["latency_ns"])
    tap.equal(min(differences) > 0, True, "none is longer")
    differences.sort()
    tap.note(f"socket and client: {differences[0]} to {differences[-1]} ns, "
             f"median {differences[len(differences) // 2]}")


tap.main([])
