#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""QEMU's backend `simple`: the same answers as from the log of the same run.

    check_simple.py COTRACE DIR QEMU.EVENTS

A QEMU with both backends wrote both at once.  The list of events that belongs
to the file is made from ours.  Then the file is cut, and bytes of it changed:
whatever comes of it, nothing crashes.
"""
import json
import lzma
import os
import random
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../lib"))
import tap  # noqa: E402

COTRACE, DIR, EVENTS = (os.path.abspath(arg) for arg in sys.argv[1:4])
NAME = "qemuio_simple"
BROKEN = 400 if os.environ.get("COTRACE_SOAK") == "1" else 8
TYPES = {"hex": "void *", "u32": "unsigned ", "i32": "int ", "u64": "uint64_t ",
         "i64": "int64_t ", "string": "const char *"}


def run(*command):
    return subprocess.run([COTRACE, *command], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, COTRACE_CHECK="1"))


def good(*command):
    done = run(*command)
    tap.equal((done.returncode, done.stderr), (0, ""), " ".join(command))
    return done.stdout


def declarations():
    """Ours as QEMU writes its own, under each name that an event has had."""
    with open(EVENTS, encoding="utf-8") as file:
        text = file.read()
    for block in re.findall(r"^event (.*?)^end", text, re.M | re.S):
        lines = block.splitlines()
        names, fields = [lines[0].strip()], []
        for line in lines[1:]:
            words = line.split()
            if words[:1] == ["was"]:
                names.append(words[1])
            elif words and words[0] in TYPES:
                fields.append(TYPES[words[0]] + words[1])
        for name in names:
            yield f"{name}({', '.join(fields) or 'void'}) \"\"\n"


def place(tmp):
    """The file, the list beside it, and the log."""
    for suffix in (".bin", ".log"):
        with lzma.open(os.path.join(DIR, NAME + suffix + ".xz")) as packed, \
                open(os.path.join(tmp, NAME + suffix), "wb") as file:
            file.write(packed.read())
    with open(os.path.join(tmp, "trace-events-all"), "w",
              encoding="utf-8") as file:
        file.write("# a remark\nno_such_event(int a) \"\"\n")
        file.writelines(declarations())
    return [os.path.join(tmp, NAME + suffix) for suffix in (".bin", ".log")]


def requests(trace):
    return [json.loads(line) for line in
            good("requests", trace, "--all", "--json").splitlines()]


@tap.case("the same requests as in the log, with times and the process")
def _(tmp):
    binary, log = place(tmp)
    stat = json.loads(good("stat", binary, "--json"))
    order = json.loads(good("stat", log, "--json"))
    tap.equal(stat["events"], order["events"])
    tap.equal((stat["clock"], stat["complete"], stat["unknown_events"]),
              ("exact", True, 0))
    tap.equal(stat["coroutines"], order["coroutines"])
    keys = ("request", "parent", "layer", "op", "node", "offset", "bytes",
            "ret", "complete", "coroutines")
    found = requests(binary)
    tap.equal([[r[key] for key in keys] for r in found],
              [[r[key] for key in keys] for r in requests(log)])
    assert len({r["pid"] for r in found}) == 1 and found[0]["pid"]
    tap.note(f"{stat['events']} events, {len(found)} requests")


@tap.case("another version of the format is refused by name")
def _(tmp):
    binary, _ = place(tmp)
    with open(binary, "r+b") as file:
        file.seek(16)
        file.write(struct.pack("=Q", 3))
    refused = run("stat", binary)
    tap.equal((refused.returncode, refused.stderr.count("\n")), (2, 1))
    assert "version" in refused.stderr, refused.stderr


@tap.case("dropped events are a hole")
def _(tmp):
    binary, _ = place(tmp)
    with open(binary, "rb") as file:
        data = file.read()
    # behind the last record: 5 events were dropped
    data += struct.pack("=QQQIIQ", 1, 2**64 - 2, 1 << 61, 32, 7, 5)
    with open(binary, "wb") as file:
        file.write(data)
    done = run("stat", binary, "--json")
    tap.equal((done.returncode, json.loads(done.stdout)["discarded"]), (0, 5))
    assert "5 events were lost" in done.stderr, done.stderr


@tap.case("cut or changed anywhere: read as far as it goes")
def _(tmp):
    binary, _ = place(tmp)
    whole = json.loads(good("stat", binary, "--json"))["events"]
    with open(binary, "rb") as file:
        data = file.read()
    chance = random.Random(4)
    for i in range(2 * BROKEN):
        broken = bytearray(data)
        if i % 2:
            del broken[chance.randrange(24, len(data)):]
        else:
            for _ in range(4):
                broken[chance.randrange(24, len(data))] = chance.randrange(256)
        with open(binary, "wb") as file:
            file.write(broken)
        done = run("stat", binary, "--json")
        assert done.returncode in (0, 2), (i, done)
        if done.returncode == 0:
            assert json.loads(done.stdout)["events"] <= whole, i
        assert run("requests", binary, "--all").returncode in (0, 2), i
    tap.note(f"{2 * BROKEN} broken files")


tap.main()
