#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace-io is killed while it writes a qcow2 image, at any moment.

`qemu-img check` then finds no corruption (leaked clusters are allowed), and
every sector holds what it held at the last flush that was seen to end, or
what a later command wrote there.

The moment is drawn by lines of output: the program runs on while they are
read, so the signal finds it anywhere in the commands that follow.
"""
import os
import random
import shutil
import signal
import subprocess
import sys

import story
import tap

KILLS = 50 if os.environ.get("COTRACE_SOAK") else 10
SECTOR = 512
SIZE = 2 << 20
PROMPT = b"cotrace-io> "

IMAGES = ["", "cluster_size=4k", "cluster_size=512", "compat=0.10",
          "lazy_refcounts=on,cluster_size=4k", "cluster_size=4k,backing",
          "cluster_size=1k,refcount_bits=1", "cluster_size=4k,snapshot"]
WAYS = [["--iothread"], [], ["--loop=glib"]]


def make(tmp, options):
    path = os.path.join(tmp, "disk")
    words = [w for w in options.split(",") if "=" in w]
    command = ["qemu-img", "create", "-q", "-f", "qcow2"]
    start = 0
    if words:
        command += ["-o", ",".join(words)]
    if "backing" in options:
        base = os.path.join(tmp, "base")
        with open(base, "wb") as file:
            file.write(b"\xee" * SIZE)
        command += ["-b", base, "-F", "raw"]
        start = 0xee
    story.run(*command, path, SIZE)
    if "snapshot" in options:
        story.run("qemu-io", "-f", "qcow2", "-c", f"write -q -P 221 0 {SIZE}",
                  path)
        story.run("qemu-img", "snapshot", "-c", "before", path)
        start = 221
    return path, start


def commands(rng, number):
    """(line, first sector, sectors, value, kind); kind: sync, aio, or none"""
    made = []
    for i in range(number):
        first = rng.randrange(SIZE // SECTOR)
        n = min(rng.choice([1, 3, 8, 128, 129, 300]), SIZE // SECTOR - first)
        place = f"{first * SECTOR} {n * SECTOR}"
        value = 1 + i % 220
        kind = rng.randrange(12)
        if kind == 0:
            made.append(("aio_flush", 0, 0, 0, "wait"))
            made.append(("flush", 0, 0, 0, "flush"))
        elif kind == 1:
            made.append((f"write -q -z {place}", first, n, 0, "sync"))
        elif kind == 2:
            made.append((f"write -q -zu {place}", first, n, 0, "sync"))
        elif kind == 3:  # whole clusters may become zeroes, others stay
            made.append((f"discard -q {place}", first, n, 0, "maybe"))
        elif kind < 8:
            made.append((f"aio_write -q -P {value} {place}", first, n, value,
                         "aio"))
        else:
            made.append((f"write -q -P {value} {place}", first, n, value,
                         "sync"))
    return made


def kill_it(way, path, made, after):
    """Return: how many commands are known to have ended."""
    child = subprocess.Popen([story.IO, *way, "-f", "qcow2", path],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
    text = "".join(command[0] + "\n" for command in made)
    feeder = os.fork()
    if feeder == 0:  # so that nobody waits for a full pipe
        try:
            child.stdin.write(text.encode())
            child.stdin.flush()
            signal.pause()
        except BrokenPipeError:
            pass
        finally:
            os._exit(0)
    child.stdin.close()
    try:
        seen = b""
        while seen.count(PROMPT) <= after:
            got = os.read(child.stdout.fileno(), 4096)
            if not got:
                break
            seen += got
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=story.TIMEOUT)
        seen += child.stdout.read()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        os.kill(feeder, signal.SIGKILL)
        os.waitpid(feeder, 0)
    return max(0, seen.count(PROMPT) - 1)


def settle(values, pending):
    """What a sector may hold when all that was `pending` has ended."""
    if any(kind == "aio" for _, kind in pending):  # in any order
        return {value for value, _ in pending}
    for value, kind in pending:
        values = values | {value} if kind == "maybe" else {value}
    return values


def allowed(made, ended, start):
    """What each sector may hold after the signal."""
    sectors = SIZE // SECTOR
    now = [{start}] * sectors
    pending = [[] for _ in range(sectors)]
    held, late = now, [set() for _ in range(sectors)]
    for i, (_, first, n, value, kind) in enumerate(made):
        for sector in range(first, first + n):
            pending[sector].append((value, kind))
            late[sector].add(value)
        if kind == "wait":
            now = [settle(*both) for both in zip(now, pending)]
            pending = [[] for _ in range(sectors)]
        if kind == "flush" and i < ended:
            held, late = now, [set() for _ in range(sectors)]
    return [a | b for a, b in zip(held, late)]


def check_image(tmp, path, options):
    if "lazy" in options:  # repaired by who opens it next
        story.run(story.IO, "-f", "qcow2", "-c", "length", path)
    done = story.run("qemu-img", "check", "-f", "qcow2", path, status=None)
    if done.returncode not in (0, 3):
        raise AssertionError(f"corrupt: {done.out}\n{done.err}")
    raw = os.path.join(tmp, "raw")
    story.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw)
    with open(raw, "rb") as file:
        return done.returncode == 3, file.read()


def one_kill(tmp, seed, options):
    rng = random.Random(seed)
    path, start = make(tmp, options)
    made = commands(rng, 400)
    ended = kill_it(WAYS[seed % len(WAYS)], path, made, rng.randrange(1, 380))
    leaks, data = check_image(tmp, path, options)
    may = allowed(made, ended, start)
    for sector, values in enumerate(may):
        got = data[sector * SECTOR:(sector + 1) * SECTOR]
        if got != got[:1] * SECTOR or got[0] not in values:
            raise AssertionError(
                f"seed {seed}, {options}: sector {sector} holds "
                f"{sorted(set(got))}, may hold {sorted(values)}; {ended} "
                "commands had ended")
    # and it can be used
    story.run(story.IO, "-f", "qcow2", "-c", f"write -q -P 9 0 {SIZE}", "-c",
              f"read -q -P 9 0 {SIZE}", path)
    done = story.run("qemu-img", "check", "-f", "qcow2", path, status=None)
    tap.equal(done.returncode in (0, 3), True, done.out)
    return leaks


for _options in IMAGES:
    @tap.case(f"killed {KILLS} times: {_options or 'defaults'}")
    def _(tmp, options=_options):
        leaks = 0
        for seed in range(KILLS):
            leaks += one_kill(tmp, seed, options)
        tap.note(f"{leaks} of {KILLS} images with leaked clusters")


if not shutil.which("qemu-io"):
    print("1..0 # SKIP qemu-io is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
