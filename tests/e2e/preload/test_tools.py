#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Under load: qemu-io and qemu-img do with the preloaded library what they do
without it, byte for byte, over thousands of operations.

A sample with a fixed seed; all of it with COTRACE_SOAK=1.
"""
import filecmp
import os
import random
import re
import sys

import story
import tap
from preloaded import check_items
from qemu import need

SOAK = os.environ.get("COTRACE_SOAK") == "1"
OPERATIONS = 40000 if SOAK else 1200
TURNS = 40 if SOAK else 1
PATIENCE = 1200 if SOAK else story.TIMEOUT  # of 40 times 30 processes, say
KIB = 1024
BLOCK = 64 * KIB
BLOCKS = 256
TIMES = re.compile(r"^.* ops; .*sec\)$", re.M)


def both(tmp, name, *command, script=None, option="--qemu", more=()):
    """Without and with, each in a directory of its own: the same output and
    status.  Return: both directories, and the trace."""
    outs, places = [], []
    trace = os.path.join(tmp, name + ".trace")
    for way in ("plain", "recorded"):
        place = os.path.join(tmp, f"{name}.{way}")
        os.makedirs(place, exist_ok=True)
        words = [] if way == "plain" else [
            story.COTRACE, "record", option, "-o", trace, *more, "--"]
        with open(script or os.devnull, "rb") as stdin:
            done = story.run(*words, *command, cwd=place, stdin=stdin,
                             status=None, timeout=PATIENCE)
        outs.append((done.returncode, TIMES.sub("", done.out),
                     [line for line in done.err.splitlines()
                      if not line.startswith("cotrace: ")]))
        places.append(place)
    tap.equal(outs[1], outs[0], f"status, stdout and stderr of {name}")
    return *places, trace, done.err


def sync_operations(seed, count):
    """On one block at a time; each block has one pattern."""
    chance = random.Random(seed)
    known = [0] * BLOCKS
    for number in range(count):
        block = chance.randrange(BLOCKS)
        at, pattern = block * BLOCK, chance.randrange(1, 256)
        what = chance.random()
        if what < 0.4:
            yield f"write -q -P {pattern} {at} {BLOCK}"
            known[block] = pattern
        elif what < 0.75:
            yield f"read -q -P {known[block]} {at} {BLOCK}"
        elif what < 0.85:
            yield f"write -q -z {at} {BLOCK}"
            known[block] = 0
        elif what < 0.9:
            yield f"writev -q -P {pattern} {at} 4096 {BLOCK - 8192} 4096"
            known[block] = pattern
        elif what < 0.95:
            yield f"read -v {at + 512 * (number % 8)} 512"
        elif what < 0.98:
            yield "flush"
        else:
            yield f"read -q {BLOCKS * BLOCK} 512"  # behind the end


def aio_operations(seed, count):
    """Some at a time, no two of which concern the same block."""
    chance = random.Random(seed)
    known = [0] * BLOCKS
    for _ in range(count // 16):
        for block in chance.sample(range(BLOCKS), 16):
            at, pattern = block * BLOCK, chance.randrange(1, 256)
            if chance.random() < 0.5:
                yield f"aio_write -q -P {pattern} {at} {BLOCK}"
                known[block] = pattern
            elif chance.random() < 0.2:
                yield f"aio_write -q -z {at} {BLOCK}"
                known[block] = 0
            else:
                yield f"aio_read -q -P {known[block]} {at} {BLOCK}"
        yield "aio_flush"


def script_of(tmp, operations):
    path = os.path.join(tmp, "script")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(operations) + "\n")
    return path


def same_file(places, name):
    paths = [os.path.join(place, name) for place in places]
    tap.equal(filecmp.cmp(*paths, shallow=False), True, f"{name} is the same")


for image_format, operations, is_exact in (
        ("qcow2", sync_operations, True), ("raw", aio_operations, True),
        ("qcow2", aio_operations, False)):
    def tools(tmp, image_format=image_format, operations=operations,
              is_exact=is_exact):
        need("qemu-io")
        script = script_of(tmp, operations(7, OPERATIONS))
        for way in ("plain", "recorded"):
            os.makedirs(os.path.join(tmp, f"io.{way}"))
            story.run("qemu-img", "create", "-q", "-f", image_format, "disk",
                      str(BLOCKS * BLOCK), cwd=os.path.join(tmp, f"io.{way}"))
        *places, trace, err = both(tmp, "io", "qemu-io", "-f", image_format,
                                   "disk", script=script)
        if is_exact:
            same_file(places, "disk")
        else:
            story.run("qemu-img", "compare", "-f", image_format, "-F",
                      image_format, *[os.path.join(place, "disk")
                                      for place in places])
            story.run("qemu-img", "check", "-q", "-f", image_format,
                      os.path.join(places[1], "disk"))
        if SOAK and " 0 lost" not in err:
            tap.note(err)  # the machine did not keep up: no check of items
            return
        tap.equal(" 0 lost" in err, True, err)
        found, workers, requests = check_items(trace)
        tap.note(f"{OPERATIONS} operations, {len(found)} items, "
                 f"{len(workers)} workers, {len(requests)} requests")
    tap.case(f"qemu-io, {operations.__name__} on {image_format}: the same "
             "output and image")(tools)


# In a row, failures included; what they print has no times in it.
IMAGES = r"""
set -u
i=0
while [ $i -lt $1 ]; do
    rm -f *.raw *.qcow2
    qemu-img create -q -f raw a.raw 8M; echo $?
    qemu-io -f raw -c 'write -q -P 1 0 3M' -c 'write -q -P 2 5M 1M' a.raw
    qemu-img convert -m 1 -f raw -O qcow2 a.raw b.qcow2; echo $?
    qemu-img convert -m 1 -c -f raw -O qcow2 a.raw c.qcow2; echo $?
    qemu-img convert -m 16 -W -f raw -O raw a.raw d.raw; echo $?
    qemu-img convert -m 1 -f qcow2 -O raw c.qcow2 e.raw; echo $?
    qemu-img create -q -f qcow2 -F qcow2 -b b.qcow2 f.qcow2; echo $?
    qemu-io -f qcow2 -c 'write -q -P 3 1M 1M' f.qcow2
    qemu-img snapshot -c one f.qcow2; echo $?
    qemu-io -f qcow2 -c 'write -q -P 4 2M 2M' f.qcow2
    qemu-img snapshot -a one f.qcow2; echo $?
    qemu-img snapshot -d one f.qcow2; echo $?
    qemu-img snapshot -a none f.qcow2; echo $?
    qemu-img rebase -f qcow2 -F raw -b a.raw f.qcow2; echo $?
    qemu-img map --output=json f.qcow2; echo $?
    qemu-img check -f qcow2 f.qcow2; echo $?
    qemu-img resize -q -f qcow2 f.qcow2 12M; echo $?
    qemu-img bitmap --add f.qcow2 bits; echo $?
    qemu-img info --output=json f.qcow2 | grep -v -e actual-size; echo $?
    qemu-img commit -q -f qcow2 f.qcow2; echo $?
    qemu-img dd -f raw -O raw bs=64k count=40 if=a.raw of=g.raw; echo $?
    qemu-img measure -f raw -O qcow2 a.raw; echo $?
    qemu-img compare -f raw -F raw a.raw d.raw; echo $?
    qemu-img compare -f raw -F raw a.raw e.raw; echo $?
    qemu-img convert -f raw -O qcow2 none.raw x.qcow2; echo $?
    qemu-img convert -f qcow2 -O raw a.raw x.raw; echo $?
    qemu-img check -f qcow2 a.raw; echo $?
    i=$((i + 1))
done
"""


@tap.case("qemu-img, every command in a row: the same output and images")
def _(tmp):
    need("qemu-img", "qemu-io")
    script = os.path.join(tmp, "images.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write(IMAGES)
    *places, _, err = both(tmp, "img", "sh", script, str(TURNS),
                           option="--preload")
    names = sorted(os.listdir(places[0]))
    tap.equal(sorted(os.listdir(places[1])), names, "files")
    for name in names:
        same_file(places, name)
    tap.note(f"{30 * TURNS} processes, {len(names)} images; {err.strip()}")


@tap.case("qemu-img convert and bench, a thousand requests at a time")
def _(tmp):
    need("qemu-img")
    for way in ("plain", "recorded"):
        for name in ("bench", "convert"):
            place = os.path.join(tmp, f"{name}.{way}")
            os.makedirs(place)
            story.run("qemu-img", "create", "-q", "-f", "raw", "a.raw", "32M",
                      cwd=place)
            story.run("qemu-io", "-f", "raw", "-c", "write -q -P 5 0 20M",
                      "a.raw", cwd=place)
    *places, trace, err = both(tmp, "convert", "qemu-img", "convert", "-m", "8",
                               "-f", "raw", "-O", "raw", "a.raw", "b.raw")
    same_file(places, "b.raw")
    if " 0 lost" in err or not SOAK:
        check_items(trace)
    plain, recorded = [
        os.path.join(tmp, f"bench.{way}") for way in ("plain", "recorded")]
    words = ["qemu-img", "bench", "-w", "-c", str(OPERATIONS), "-d", "32",
             "-s", "4096", "--pattern=17", "-f", "raw", "a.raw"]
    trace = os.path.join(tmp, "bench.trace")
    story.run(*words, cwd=plain)
    done = story.run(story.COTRACE, "record", "--qemu", "-o", trace, "--",
                     *words, cwd=recorded)
    same_file((plain, recorded), "a.raw")
    if " 0 lost" in done.err or not SOAK:
        found = check_items(trace)[0]
        tap.equal(len(found) >= OPERATIONS, True, "items")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
