#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace-io bench beside qemu-img bench: the same words, and what they write.
"""
import os
import re
import shutil
import sys

import story
import tap

SIZE = 1 << 20


def bench(program, *words):
    done = story.run(*program, "bench", *words, status=None)
    out = re.sub(r"[0-9.]+ seconds", "TIME", done.out)
    return out.splitlines(), done.returncode


def image(tmp, name, fmt):
    path = os.path.join(tmp, name)
    story.run("qemu-img", "create", "-q", "-f", fmt, path, SIZE)
    return path


RUNS = ["-c 10", "-c 100 -w", "-c 0", "-c 3 -d 9", "-c 1000 -d 1 -w",
        "-c 100 -d 2 -s 512 -S 1024 -o 512 -w --flush-interval 5",
        "-c 100 -d 2 -w --flush-interval 5 --no-drain",
        "-c 7 -w --flush-interval 70", "-c 4 --pattern 5", "-c 4 -S 0",
        "-c 600 -s 4k -S 64k -w -t writethrough", "-c 50 -t unsafe -w",
        "-c 5 -w --pattern=0x10 --flush-interval=10 -d 3",
        "-c 5 -d 1 -o 1023k -s 512 -S 512 -w --pattern 9", "-c 0 -o 9M",
        "-c 600 -o 1020k -w --pattern 3", "-c 9 -S 3k -o 1020k -s 1k -w",
        "-c 5 -s 0", "-c 5 -s 0 -o 1M", "-c 0 -s 2M", "-s 0x1k -c 3"]
# Beyond the end of the disk, with the first request or the second.
BEYOND = ["-w --pattern=7 -o 100M -c 1 -d 1", "-o 1M -c 5 -s 512",
          "-w -o 960k -c 1000 -s 5000 -d 1", "-c 9 -s 2M", "-c 9 -S 2147483647",
          "-c 5 -d 1 -o 1023k -s 512 -S 768 -w --pattern 9",
          "-c 1 -o 9223372036854775807", "-c 2 -d 1 -o 8191P -S 64k"]
LONG = ("--count=5 --depth=2 --buffer-size=1k --step-size=2k --offset=4k "
        "--write --cache=writeback --pattern=0x10 --format=raw")
SHORT = "-c 5 -d 2 -s 1k -S 2k -o 4k -w -t writeback --pattern 16 -f raw"
WRONG = ["-c x", "-c 1k", "-d x", "-s x", "-s 3G", "-S x", "-o x", "-o -1",
         "-S 3G -c 1", "-S 2147483648 -c 1", "-o 8E -c 1",
         "-t xx -c 1", "-i xx -c 1", "--pattern 256 -w", "--pattern x",
         "--flush-interval x", "--flush-interval -1 -w",
         "-c 1 --flush-interval 5", "-c 1 -w --flush-interval 5 -d 8", "-X"]


@tap.case("the lines of qemu-img bench")
def _(tmp):
    for fmt in ("raw", "qcow2"):
        for words in RUNS:
            theirs = bench(["qemu-img"], "-f", fmt, *words.split(),
                           image(tmp, "a", fmt))
            ours = bench([story.IO], "-f", fmt, *words.split(),
                         image(tmp, "b", fmt))
            tap.equal(ours, theirs, words)
            story.run("qemu-img", "compare", "-f", fmt, "-F", fmt,
                      os.path.join(tmp, "a"), os.path.join(tmp, "b"))
            if fmt == "qcow2":
                story.run("qemu-img", "check", os.path.join(tmp, "b"))


@tap.case("a request beyond the end fails, and is written nowhere")
def _(tmp):
    for fmt in ("raw", "qcow2"):
        for words in BEYOND:
            theirs = bench(["qemu-img"], "-f", fmt, *words.split(),
                           image(tmp, "a", fmt))
            done = story.run(story.IO, "bench", "-f", fmt, *words.split(),
                             image(tmp, "b", fmt), status=1)
            tap.equal((done.out.splitlines(), 1), theirs, words)
            tap.equal(done.err,
                      "cotrace-io: Failed request: Input/output error\n", words)
            if fmt == "raw":  # of qcow2 qemu-img leaves the tables unwritten
                story.run("qemu-img", "compare", "-f", fmt, "-F", fmt,
                          os.path.join(tmp, "a"), os.path.join(tmp, "b"))
            else:
                story.run("qemu-img", "check", os.path.join(tmp, "b"))
    empty = os.path.join(tmp, "empty")
    with open(empty, "wb"):
        pass
    story.run(story.IO, "bench", "-f", "raw", "-c", 5, empty, status=1)


@tap.case("a size that is too large is told with the limit")
def _(tmp):
    path = image(tmp, "a", "raw")
    for words in ("-S 3G", "-S 2147483648", "-o 8E", "-o 9223372036854775808"):
        words = ["-f", "raw", "-c", "1", *words.split(), path]
        theirs = story.run("qemu-img", "bench", *words, status=1)
        ours = story.run(story.IO, "bench", *words, status=2)
        tap.equal(ours.err.replace("cotrace-io: bench", "qemu-img"), theirs.err)


@tap.case("long options are the short ones")
def _(tmp):
    path = image(tmp, "a", "raw")
    tap.equal(bench([story.IO], *LONG.split(), path),
              bench([story.IO], *SHORT.split(), path))


@tap.case("what makes no sense is refused in one line")
def _(tmp):
    path = image(tmp, "a", "raw")
    for words in WRONG:
        tap.equal(bench(["qemu-img"], "-f", "raw", *words.split(), path)[1], 1,
                  words)
        done = story.run(story.IO, "bench", "-f", "raw", *words.split(), path,
                         status=2)
        lines = [line for line in done.err.splitlines()
                 if not line.endswith("invalid option -- 'X'")]
        tap.equal((done.out, len(lines)), ("", 1), f"{words}: {done.err}")
    for words in ([], [path, path], ["/nowhere/at/all"]):
        done = story.run(story.IO, "bench", *words, status=2)
        tap.equal(len(done.err.splitlines()), 1, words)


@tap.case("every request is written, once")
def _(tmp):
    for fmt in ("raw", "qcow2"):
        path = image(tmp, "disk", fmt)
        story.run(story.IO, "bench", "-q", "-f", fmt, "-c", 128, "-s", "4k",
                  "-S", "8k", "-d", 16, "-w", "--pattern", "0x5a", path)
        want = (b"\x5a" * 4096 + bytes(4096)) * 128
        raw = os.path.join(tmp, "out")
        story.run("qemu-img", "convert", "-f", fmt, "-O", "raw", path, raw)
        with open(raw, "rb") as file:
            tap.equal(file.read() == want, True, fmt)


@tap.case("a request that fails ends it")
def _(tmp):
    path = image(tmp, "disk", "qcow2")
    story.run("qemu-io", "-f", "qcow2", "-c", "write -q 0 1M", path)
    os.truncate(path, 10 * 65536)  # data is cut off
    done = story.run(story.IO, "bench", "-q", "-f", "qcow2", "-c", 1000, path,
                     status=1)
    tap.equal((done.out, done.err),
              ("", "cotrace-io: Failed request: Input/output error\n"))


if not shutil.which("qemu-img"):
    print("1..0 # SKIP qemu-img is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
