#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What people are shown of recorded QEMUs, word by word.

    check_views.py COTRACE DIR [--bless]

DIR/NAME.tar.xz is a directory as `record --qemu` left it (README.md says what
of); DIR/expected/NAME.VIEW is what the command printed when somebody looked at
it and found it right.  --bless writes them anew: look at the diff.  A timeline
is checked by the rules of its format, and against the requests.
"""
import json
import lzma
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
import chrome_checker  # noqa: E402
import tap  # noqa: E402

COTRACE, DIR = (os.path.abspath(arg) for arg in sys.argv[1:3])
BLESS = "--bless" in sys.argv
EXPECTED = os.path.join(DIR, "expected")

VIEWS = {
    "guest": {
        "stat": ["stat"],
        "requests": ["requests"],
        "slowest": ["requests", "--all", "--sort=latency", "--limit=12"],
        "findings": ["findings"],
        "findings-json": ["findings", "--json"],
        "stat-json": ["stat", "--json"],
        "coroutines": ["coroutines", "--at=350000000"],
    },
    "aio": {
        "stat": ["stat"],
        "requests": ["requests"],
    },
    "nbd": {
        "stat": ["stat"],
        "requests": ["requests", "--limit=20"],
        "blame": ["requests", "--blame", "--sort=latency", "--limit=5"],
        "json": ["requests", "--limit=3", "--json"],
        "findings": ["findings"],
    },
    "convert": {
        "stat": ["stat"],
        "requests": ["requests"],
        "findings": ["findings"],
    },
    "io-a": {
        "stat": ["stat"],
        "requests": ["requests", "--all"],
        "path": ["requests", "--critical-path", "--limit=4"],
        "findings": ["findings"],
    },
}
# Whose longest wait is shown: the slowest of each.
BACKTRACES = {"guest": ("virtio-blk", "nvme"), "nbd": ("nbd",),
              "aio": ("virtio-blk",),
              "io-a": ("blk",), "convert": ("blk",)}


def run(*command, status=0):
    done = subprocess.run([COTRACE, *command], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, COTRACE_CHECK="1", LC_ALL="C"))
    tap.equal((done.returncode, done.stderr), (status, ""), " ".join(command))
    return done.stdout


def unpack(name, tmp):
    subprocess.run(["tar", "-C", tmp, "-x"], check=True, input=lzma.open(
        os.path.join(DIR, name + ".tar.xz")).read())
    return os.path.join(tmp, name)


def compare(name, view, got):
    path = os.path.join(EXPECTED, f"{name}.{view}")
    if BLESS:
        os.makedirs(EXPECTED, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(got)
    with open(path, encoding="utf-8") as file:
        tap.equal(got.splitlines(), file.read().splitlines(), f"{name}.{view}")


def requests(trace, *options):
    return [json.loads(line)
            for line in run("requests", trace, *options, "--json").splitlines()]


def check_render(trace, tmp):
    """Right as a file, and with every request in it."""
    path = os.path.join(tmp, "timeline.json")
    run("render", trace, "-o", path)
    tap.equal(chrome_checker.check_file(path).faults, [])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for request in requests(trace):
        if request["begin_ns"] is not None:
            assert f'"request":{request["request"]}' in text, request


def views_of(name):
    def case(tmp):
        trace = unpack(name, tmp)
        for view, command in VIEWS[name].items():
            compare(name, view, run(command[0], trace, *command[1:]))
        for layer in BACKTRACES[name]:
            slowest, = requests(trace, "--sort=latency", "--limit=1",
                                f"--layer={layer}")
            compare(name, f"backtrace-{layer}",
                    run("backtrace", trace, f"--request={slowest['request']}"))
        check_render(trace, tmp)
    tap.case(f"{name}: every view")(case)


for each in VIEWS:
    views_of(each)


@tap.case("two orders of two writes: diff")
def _(tmp):
    paths = [unpack(name, tmp) for name in ("io-a", "io-b")]
    got = run("diff", *paths, status=1).replace(tmp + "/", "")
    compare("io", "diff", got)
    for path in paths:
        same = json.loads(run("diff", path, path, "--json"))
        tap.equal((same["identical"], same["exact"]), (True, True))


@tap.case("nbd: fio's requests, none of them shorter than ours")
def _(tmp):
    ours, theirs = {}, {}
    for request in requests(unpack("nbd", tmp), "--layer=nbd"):
        if request["op"] in ("read", "write"):
            key = (request["op"], request["offset"], request["bytes"])
            ours.setdefault(key, []).append(request)
    with open(os.path.join(DIR, "nbd.fio-lat.log"), encoding="utf-8") as file:
        for line in file:
            _, ns, way, size, offset = [int(x) for x in line.split(",")]
            key = ("write" if way else "read", offset, size)
            theirs.setdefault(key, []).append(ns)
    tap.equal({key: len(value) for key, value in ours.items()},
              {key: len(value) for key, value in theirs.items()})
    outside = []
    for key, found in ours.items():
        for request, ns in zip(found, theirs[key]):
            assert request["latency_ns"] - request["error_ns"] <= ns, key
            outside.append(ns - request["latency_ns"])
    outside.sort()
    tap.note(f"{len(outside)} requests; socket and client: median "
             f"{outside[len(outside) // 2]} ns")


tap.main()
