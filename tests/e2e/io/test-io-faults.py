#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files that fail: the error reaches the user, and images stay sound.

Every operation that a script needs fails once, at each place where it comes;
whatever happens then, `qemu-img check` finds no corruption, and what had been
flushed before is there.
"""
import os
import shutil
import sys

import story
import tap
from peers import WAYS, cotrace_io, script


STEP = 1 if os.environ.get("COTRACE_SOAK") else 9 if story.IS_SAMPLE else 3


def faulty(path, rules, commands, fmt="qcow2", way=()):
    words = [word for rule in rules for word in ("--fault", rule)]
    return cotrace_io(*way, "-f", fmt, *words, *script(commands), path)


def make(tmp, options="cluster_size=4k"):
    path = os.path.join(tmp, "disk")
    story.run("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path,
              "4M")
    return path


@tap.case("raw: the operation that fails is the one that was meant")
def _(tmp):
    path = os.path.join(tmp, "raw")
    with open(path, "wb") as file:
        file.write(b"a" * 8192)
    for way in WAYS:
        done = faulty(path, ["write@2=ENOSPC", "read@1=EIO", "flush@1=EIO",
                             "discard@1=EPERM", "truncate@1=EINVAL"],
                      ["write -q -P 1 0 512", "write -q 512 512",
                       "write -q -z 1k 512", "read 0 512", "read -q -P 1 0 512",
                       "flush", "discard 0 512", "truncate 4k", "length",
                       "truncate 8k"], "raw", way)
        tap.equal(done.out.splitlines(), [
            "write failed: No space left on device",
            "read failed: Input/output error",
            "flush failed: Input/output error",
            "discard failed: Operation not permitted", "8 KiB"], done.err)
    done = faulty(path, ["write@2+=EIO"], ["write -q 0 1", "write -q 0 1",
                                           "aio_write -q 0 1", "aio_flush",
                                           "write -q 0 1"], "raw")
    tap.equal(done.out.splitlines(), [
        "write failed: Input/output error",
        "aio_write failed: Input/output error",
        "write failed: Input/output error"])


@tap.case("on the way to reading only, what was written is flushed")
def _(tmp):
    path = os.path.join(tmp, "raw")
    with open(path, "wb") as file:
        file.truncate(1 << 20)
    for way in WAYS:
        done = faulty(path, ["flush@1=EIO"],
                      ["write -q -P 1 0 4k", "reopen -r", "write -q -P 2 0 4k",
                       "reopen -r", "write 0 4k", "read -q -P 2 0 4k"], "raw",
                      way)
        # The first time it fails, and writing goes on.
        tap.equal((done.out, done.err.splitlines()),
                  ("", ["cotrace-io: flushing: Input/output error",
                        "cotrace-io: Block node is read-only"]), way)


@tap.case("short reads: all bytes come")
def _(tmp):
    path = os.path.join(tmp, "raw")
    with open(path, "wb") as file:
        file.write(bytes(range(256)) * 100)
    want = cotrace_io("-r", "-f", "raw", "-c", "read -v 3 9000", path)
    for n in (1, 511, 512, 8999, 9000, 100000):
        done = faulty(path, [f"read@1+=short:{n}"], ["read -v 3 9000"], "raw")
        tap.equal(done.out.splitlines()[:-1], want.out.splitlines()[:-1], n)
    path = make(tmp)
    story.run("qemu-io", "-f", "qcow2", "-c", "write -q -P 7 1M 1M", path)
    done = faulty(path, ["read@1+=short:100"], ["read -q -P 7 1M 1M",
                                                "write -q -P 8 5 100k",
                                                "read -q -P 8 5 100k"])
    tap.equal((done.returncode, done.out, done.err), (0, "", ""))
    story.run("qemu-img", "check", "-f", "qcow2", path)


@tap.case("a flush that fails is told, closing too")
def _(tmp):
    path = make(tmp)
    done = faulty(path, ["flush@2+=EIO"], ["write -q 0 64k", "flush",
                                           "write -q 64k 64k", "flush"])
    tap.equal("flush failed: Input/output error" in done.out, True, done.out)
    tap.equal(done.returncode, 2, "closing fails as well, and says so")
    tap.equal("closing: Input/output error" in done.err, True, done.err)


@tap.case("what closing can't write is told")
def _(tmp):
    lazy = "cluster_size=4k,compat=1.1,lazy_refcounts=on"
    commands = ["write -q 0 64k", "flush"]
    writes = next(n for n in range(1, 100)
                  if faulty(make(tmp, lazy), [f"write@{n}=EIO"],
                            commands).returncode == 0)
    # The last of all is the dirty bit that is cleared; before it, refcounts.
    for n in (writes - 1, writes - 2):
        done = faulty(make(tmp, lazy), [f"write@{n}=EIO"], commands)
        tap.equal((done.returncode, done.out), (2, ""), done.err)
        tap.equal("closing: Input/output error" in done.err, True, done.err)


@tap.case("rules that make no sense are refused")
def _(tmp):
    path = make(tmp)
    for rule in ("", "write", "write@", "write@0=EIO", "write@1", "write@1=",
                 "write@1=EWHAT", "write@1=short:5", "read@1=short:0",
                 "read@1=short:x", "tell@1=EIO", "write@x=EIO",
                 "write@-1=EIO", "write@1+EIO", "@1=EIO"):
        done = faulty(path, [rule], ["length"])
        tap.equal((done.returncode, done.out, done.err),
                  (2, "", f"cotrace-io: {path}: no fault (OP@N=ERROR): '{rule}'\n"))


BEFORE = ["write -q -P 1 0 300k", "write -q -P 2 1M 100k", "flush"]
AFTER = ["write -q -P 3 100k 300k", "write -q -z 1M 50k", "discard 1100k 12k",
         "aio_write -q -P 4 2M 500k", "aio_write -q -P 5 3M 3", "aio_flush",
         "flush", "write -q -P 6 0 20k", "truncate 5M", "write -q 4200k 1k"]


def survives(tmp, options, op, n, err):
    path = make(tmp, options)
    story.run(story.IO, "-f", "qcow2", *script(BEFORE), path)
    done = faulty(path, [f"{op}@{n}={err}"], AFTER)
    text = os.strerror({"EIO": 5, "ENOSPC": 28}[err])
    hit = text in done.out + done.err
    check = story.run("qemu-img", "check", "-f", "qcow2", path, status=None)
    if check.returncode not in (0, 3):
        raise AssertionError(f"{options} {op}@{n}={err}: {check.out}"
                             f"{check.err}")
    for pattern in ("read -q -P 1 20k 80k", "read -q -P 2 1074k 26k"):
        story.run("qemu-io", "-r", "-f", "qcow2", "-c", pattern, path)
    return hit


for _op, _err in (("write", "ENOSPC"), ("write", "EIO"), ("flush", "EIO"),
                  ("read", "EIO")):
    @tap.case(f"qcow2: each {_op} fails once with {_err}")
    def _(tmp, op=_op, err=_err):
        for options in ("cluster_size=4k", "cluster_size=512"):
            hits = 0
            n, step = 1, STEP
            while n < 400:
                hit = survives(tmp, options, op, n, err)
                hits += hit
                if not hit and n > 60:
                    break  # the script has no more of them
                n += step if n < 60 else step * 5
            if hits == 0:
                raise AssertionError("nothing failed")


if not shutil.which("qemu-io"):
    print("1..0 # SKIP qemu-io is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
