#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace-io and qemu-io: the same scripts, the same images, the same output.

Figures that are times are replaced before outputs are compared; nothing else
is, but for the program's name in the prompt and the text of usage lines.
"""
import os
import random
import re
import shutil
import struct
import subprocess
import sys

import story
import tap
from peers import (IO, WAYS, cotrace_io, make, normal, qemu_io, reports,
                   script)

def same(path, commands, options=(), ways=WAYS, order=list):
    words = ["-r", *options, *script(commands), path]
    theirs = qemu_io(*words)
    for way in ways:
        ours = cotrace_io(*way, *words)
        tap.equal(order(normal(ours.out, "cotrace-io")),
                  order(normal(theirs.out, "qemu-io")), f"{way} {commands}")
        tap.equal(ours.returncode, theirs.returncode, f"{way} {commands}")


MIXED = ["write -q -P 0x11 0 100k", "write -q -P 0x22 300k 5000",
         "write -q -P 0x33 777k 30k", "write -q -P 0x44 2000000 97152",
         "write -q -z 40k 8k"]


# --- data -------------------------------------------------------------------

IMAGES = [
    ("", "4M", MIXED),
    ("compat=0.10", "4M", MIXED),
    ("cluster_size=512", "2100000", MIXED),
    ("cluster_size=512,compat=0.10", "2100000", MIXED),
    ("cluster_size=4k", "2100000", MIXED),
    ("cluster_size=2M", "5M", MIXED),
    ("preallocation=metadata", "3M", MIXED),
    ("preallocation=falloc,cluster_size=8k", "3M", MIXED),
    ("lazy_refcounts=on,refcount_bits=1", "3M", MIXED),
    ("", "3M", []),
]


def dump(done):
    """What was printed before the report."""
    return done.stdout.rsplit(b"\n", 3)[0]


def check_same_data(tmp, options, size, writes):
    path = make(tmp, options, size, writes)
    same(path, ["read -v 0 9000", "read -v 40000 300", "read -v 98k 5000",
                "read -v 303000 9000", "read -v 775k 33k",
                "read -v 1999990 97172", "length", "info"], ["-f", "qcow2"])
    rng = random.Random(len(options) + len(size))
    places = [(rng.randrange(2000000), rng.randrange(1, 3000))
              for _ in range(40)]
    same(path, [f"read -v {offset} {length}" for offset, length in places])
    raw = path + ".raw"
    story.run("qemu-img", "convert", "-O", "raw", path, raw)
    whole = f"read -v 0 {os.path.getsize(raw)}"
    want = dump(cotrace_io("-f", "raw", "-c", whole, raw))
    for way in WAYS[:2]:
        got = dump(cotrace_io(*way, "-f", "qcow2", "-c", whole, path))
        if got != want:
            raise AssertionError(f"{way}: not the same bytes")


for _options, _size, _writes in IMAGES:
    @tap.case(f"same data: {_options or 'defaults'}, {_size}"
              f"{'' if _writes else ', empty'}")
    def _(tmp, options=_options, size=_size, writes=_writes):
        check_same_data(tmp, options, size, writes)


@tap.case("same data: snapshots inside, the disk changed since")
def _(tmp):
    path = make(tmp, "", "1M", ["write -q -P 1 0 1M"])
    story.run("qemu-img", "snapshot", "-c", "before", path)
    story.run("qemu-io", *script(["write -q -P 2 300k 200k"]), path)
    same(path, ["read -P 1 0 300k", "read -P 2 300k 200k",
                "read -P 1 500k 524k"])


@tap.case("same data: a disk of 16 TiB")
def _(tmp):
    path = make(tmp, "", "16T", ["write -q -P 9 17179869180k 4k",
                                 "write -q -P 8 8T 1M"])
    same(path, ["read -P 9 17179869180k 4k", "read -P 8 8T 1M",
                "read -P 0 4T 1M", "read -v 8796093022200 20", "length",
                "info"])


@tap.case("same data: raw, of an odd length")
def _(tmp):
    path = os.path.join(tmp, "raw")
    with open(path, "wb") as file:
        file.write(random.Random(3).randbytes(70001))
    same(path, ["read -v 0 70001", "read -v 69000 1001", "read 69000 1143",
                "read 69000 1144", "read -v 70000 144",
                "length", "info"], ["-f", "raw"])


# --- commands ---------------------------------------------------------------

COMMANDS = [
    "read 0 64k", "read -C 0 64k", "read -q 0 64k", "read -v 0 100",
    "read -v 512 40", "read -Cv 511 1", "read -P 0x11 0 64k",
    "read -P 17 0 64k", "read -P 0x12 0 64k", "read -P 021 0 64k",
    "read -P 0x11 90k 20k", "read -P 0x11 -l 10k 90k 20k",
    "read -P 0x11 -s 5k 90k 20k", "read -P 0 -s 10k 90k 20k",
    "read -P 0x11 -s 5k -l 5k 90k 20k", "read -P 0x11 -s 5k -l 6k 90k 20k",
    "read -P 0x11 -s 500 -l 100 0 512", "read -P 0x11 -s 600 0 512",
    "read -s 5 0 512", "read -l 5 0 512", "read -P 0x11 -s x 0 512",
    "read -P 0x11 -l x 0 512", "read -P 0x11 -s -1 0 512",
    "read -p 0 512", "read", "read 0", "read 0 1 2", "read -x 0 1",
    "read -1 5", "read 0 -5", "read abc 1", "read 0 abc", "read 0 0",
    "read 4M 0", "read 0 4M", "read 4M 1", "read 4194303 2", "read 5M 512",
    "read 0 3G", "read 0 2147483136", "read 0 2147483137", "read 8E 1",
    "read -P zz 0 512", "read -P 256 0 512", "read -P -1 0 512",
    "read -P 0x 0 512", "r 0 512", "  read   0    512  ", "",
    "readv 0 64k 4k 512", "readv -P 0x11 0 512 512", "readv -P 0 0 512",
    "readv -v 1 20 20", "readv -C 0 5 5", "readv -q 0 5", "readv 0 x",
    "readv x 5", "readv 5M 512", "readv 0", "readv 0 2G 2G", "readv 0 0",
    "readv 0 1G 1G", "readv 0 2147483136 1", "rv 0 1k",
    "aio_read 0", "aio_read x 5", "aio_read 0 x", "aio_read 0 -5",
    "aio_read -x 0 5", "aio_read -P zz 0 512", "aio_flush 4",
    "length", "l", "length 3", "flush", "f", "info", "i", "sleep 1",
    "sleep", "sleep x", "sleep -1", "nonsense", "help nonsense", "quit",
    "q", "quit 1", "close", "close x", "c",
]

NUMBERS = [
    "1k", "1K", "1M", "1b", "1B", "1.5k", "0x10", "0X1f", "010", "1e", "1E",
    "1T", "1P", "1KB", "+5", "++5", "1.5", "0.5k", "1e3", "1kk", "8E", "9E",
    "16E", "18446744073709551615", "18446744073709551616", "0x",
    "0x1.8", "1.k", ".5k", "1.0", "1.000", "1.b", "1.5b", "0.0009765625k",
    "1.25M", "3.999k", "7.9999999E", "9223372036854775807",
    "9223372036854775808", "0x7fffffffffffffff", "0x8000000000000000", "-",
    "k", "1 ", "0b1", "inf", "nan", "1.5.5k", "1..5k", "00", "0k",
    "0x1k", "0X1M", "0x1kk", "0x0p", "0x7fffffffffffffffk",
    "0x1ffffffffffffffffk", "99999999999999999999k", "99999999999999999999x",
]


@tap.case("same words, same lines, same exit status: every command alone")
def _(tmp):
    path = make(tmp, "", "4M", MIXED)
    for command in COMMANDS:
        same(path, [command], ways=WAYS[:1])
    rest = [command for command in COMMANDS
            if not command.startswith(("q", "c"))]
    same(path, rest, ways=WAYS[1:], order=reports)


@tap.case("numbers are read as qemu-io reads them")
def _(tmp):
    path = make(tmp, "", "4M", MIXED)
    for number in NUMBERS:
        same(path, [f"read -q {number} 0", f"read 0 {number}"], ways=WAYS[:1])


@tap.case("messages on stderr are qemu-io's")
def _(tmp):
    path = make(tmp, "", "4M", [])
    for command in ("read", "read 0", "read -x 0 1", "aio_read 0 -5",
                    "nonsense", "length 3", "sleep", "help a b",
                    "read 0x1k 0x0k", "read 0x1kk 1", "alloc 0x1k 0x1G",
                    "readv 0 0x1k 512 0X1k", "read -P 0 -s 0x0k 0 512",
                    "aio_read 0x1M 0x1k"):
        theirs = qemu_io("-r", "-c", command, path)
        ours = cotrace_io("-r", "-c", command, path)
        tap.equal(normal(ours.err, "cotrace-io"),
                  normal(theirs.err, "qemu-io"), command)
        if not ours.err:
            raise AssertionError(f"{command}: nothing on stderr")


@tap.case("several commands: all run, the status is the worst")
def _(tmp):
    path = make(tmp, "", "4M", MIXED)
    same(path, ["read 5M 1", "read 0 512", "nonsense", "length"])
    same(path, ["read 0 512", "quit", "read 5M 1"])
    same(path, ["close", "read 0 512", "length", f"open -r {path}", "length",
                f"open -r {path}", "read 1M 1"])


@tap.case("without a file")
def _(tmp):
    for commands in (["read 0 512"], ["length"], ["quit"], ["aio_flush"],
                     ["sleep 1"]):
        theirs = qemu_io(*script(commands))
        for way in WAYS:
            ours = cotrace_io(*way, *script(commands))
            tap.equal(normal(ours.out, ""), normal(theirs.out, ""), commands)
            tap.equal(ours.err, theirs.err, commands)
            tap.equal(ours.returncode, theirs.returncode, commands)


@tap.case("commands from standard input: a pipe and a file")
def _(tmp):
    path = make(tmp, "", "4M", MIXED)
    texts = ["read 0 512\nlength\n\n  read 0 1k\nbad\nquit\nlength\n",
             "read 0 512", "read 0 512\nread 9M 1\n", "", "\n\n",
             "read 0 512\n" * 500,
             "length\0x\nread 0 512\nlen\0gth\n\0\nread\0 0 1\nlength\0",
             "length\n\0" + "\0" * 900 + "\nread 0 1k\n\0",
             "aio_read -q 0 1M\naio_flush\nsleep 1\nread 0 1\n"]
    for text in texts:
        file = os.path.join(tmp, "script")
        with open(file, "w", encoding="ascii") as out:
            out.write(text)
        outputs = []
        for command in ["qemu-io"], *([IO, *way] for way in WAYS):
            piped = subprocess.run([*command, "-r", path], input=text,
                                   text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, check=False,
                                   timeout=story.TIMEOUT)
            with open(file, encoding="ascii") as stdin:
                filed = story.run(*command, "-r", path, status=None,
                                  stdin=stdin)
            name = os.path.basename(command[0])
            outputs.append((normal(piped.stdout, name), piped.returncode))
            outputs.append((normal(filed.out, name), filed.returncode))
        for output in outputs[1:]:
            tap.equal(output, outputs[0], repr(text[:60]))


# --- several at once --------------------------------------------------------

@tap.case("many aio_reads: the same reports, in whatever order")
def _(tmp):
    path = make(tmp, "cluster_size=4k", "4M", MIXED)
    rng = random.Random(11)
    commands = [f"aio_read {rng.randrange(3000000)} {rng.randrange(1, 200000)}"
                for _ in range(100)]
    same(path, commands + ["aio_flush"], order=reports)
    same(path, commands, order=reports)
    same(path, ["aio_read -P 0x11 0 100k", "aio_flush", "aio_read -P 1 0 1",
                "aio_flush", "aio_read -C 5 6 7", "aio_flush",
                "aio_read 5M 1", "aio_flush", "aio_read -v 0 20 20",
                "aio_flush", "aio_read 0 0"], order=reports)


@tap.case("aio_reads beside reads and sleeps")
def _(tmp):
    path = make(tmp, "cluster_size=512", "2100000", MIXED)
    commands = []
    for i in range(40):
        commands += [f"aio_read -q -P 0x11 {i * 1000} 40000",
                     f"read -P 0x22 {300 * 1024 + i} 4000"]
    same(path, [*commands, "sleep 5", "aio_read 0 1", "sleep 5", "length"],
         order=reports)


# --- what is refused --------------------------------------------------------

def refused(path, want, *words, options=("-f", "qcow2"), out=""):
    for way in WAYS:
        done = cotrace_io(*way, "-r", *options, *words, path)
        tap.equal(done.returncode, 2, f"{way}: exit status")
        tap.equal(done.out, out, f"{way}: stdout")
        lines = done.err.splitlines()
        if len(lines) != 1 or \
                not re.fullmatch(f"cotrace-io: {re.escape(path)}: {want}",
                                 lines[0]):
            raise AssertionError(f"{way}: {done.err!r} is not {want!r}")


@tap.case("refused: options that make no sense, in one line")
def _(tmp):
    for words, want in (
            (["--foo"], "--foo: no such option"), (["-z"], "-z: no such option"),
            (["-rz"], "-z: no such option"), (["--format"], "--format: needs a value"),
            (["-c"], "-c: needs a value"),
            (["--read-only=1"], "--read-only=1: takes no value"),
            (["bench", "--foo", "x"], "bench: --foo: no such option"),
            (["bench", "-c"], "bench: -c: needs a value")):
        done = cotrace_io(*words)
        tap.equal((done.returncode, done.out, done.err),
                  (2, "", f"cotrace-io: {want}; try --help\n"), words)


@tap.case("refused: what is not there, not a file, not qcow2")
def _(tmp):
    text = os.path.join(tmp, "text")
    with open(text, "w", encoding="ascii") as file:
        file.write("no image\n" * 100)
    refused(os.path.join(tmp, "none"), "No such file or directory")
    refused(tmp, "Is a directory")
    refused("/dev/null", "neither a regular file nor a block device")
    refused(text, "not a qcow2 image")
    refused(text, "unknown format 'vmdk'", options=("-f", "vmdk"))
    empty = os.path.join(tmp, "empty")
    with open(empty, "wb"):
        pass
    refused(empty, "not a qcow2 image")
    if os.geteuid() != 0:
        secret = os.path.join(tmp, "secret")
        with open(secret, "wb"):
            os.chmod(secret, 0)
        refused(secret, "Permission denied")


@tap.case("refused by name: what is not supported")
def _(tmp):
    path = make(tmp, "extended_l2=on,cluster_size=128k", "1M", [])
    refused(path, "extended L2 entries are not supported")
    path = make(tmp, f"data_file={tmp}/data", "1M", [])
    refused(path, "an external data file is not supported")

    path = os.path.join(tmp, "encrypted")
    story.run("qemu-img", "create", "-q", "-f", "qcow2", "--object",
              "secret,id=s,data=123456", "-o",
              "encrypt.format=aes,encrypt.key-secret=s", path, "1M")
    refused(path, r"encryption \(AES\) is not supported")
    # The header's word for it: to make such an image, qemu-img must time
    # itself, and where the CPU is fast for the kernel's ticks it gives up.
    with open(path, "r+b") as file:
        file.seek(32)
        file.write(struct.pack(">I", 2))
    refused(path, r"encryption \(LUKS\) is not supported")

    path = make(tmp, "", "1M", [])
    with open(path, "r+b") as file:
        file.seek(72)
        file.write(struct.pack(">Q", 1 << 40))
    refused(path, "unknown incompatible feature bit 40 is not supported")
    with open(path, "r+b") as file:
        file.seek(72)
        file.write(struct.pack(">Q", 1 << 4))
    refused(path, "extended L2 entries are not supported")


@tap.case("cut short anywhere: one line, exit status 2, and no wrong byte")
def _(tmp):
    size = 300 * 1024
    path = make(tmp, "cluster_size=4k", str(size),
                [f"write -q -P 7 0 {size}"])
    with open(path, "rb") as file:
        data = file.read()
    cut = os.path.join(tmp, "cut")
    for length in [0, 3, 50, 71, 72, 103, 104, 111, 112, 113,
                   *range(513, len(data), 9973), len(data) - 4096,
                   len(data) - 4095, len(data) - 1]:
        with open(cut, "wb") as file:
            file.write(data[:length])
        done = cotrace_io("-f", "qcow2", "-c", f"read -P 7 0 {size}", cut)
        tap.equal(done.returncode, 2, f"{length} bytes: exit status")
        tap.equal(len(done.err.splitlines()), 1, f"{length} bytes: stderr")
        tap.equal("cut short" in done.err or length < 4, True,
                  f"{length} bytes: {done.err}")
        tap.equal(done.out in ("", "read failed: Input/output error\n"), True,
                  f"{length} bytes: {done.out}")


@tap.case("options: accepted where they change nothing, else refused by name")
def _(tmp):
    path = make(tmp, "", "1M", [])
    for words in (["-U", "-r"], ["-i", "threads"], ["-t", "writeback"],
                  ["-t", "unsafe"], ["-d", "unmap"], ["--read-only"],
                  ["--cache=writethrough"], ["--loop=poll"]):
        done = cotrace_io(*words, "-c", "length", path)
        tap.equal((done.returncode, done.out, done.err), (0, "1 MiB\n", ""),
                  words)
    for words in (["-s"], ["-C"], ["-m"], ["-T", "x"],
                  ["--object", "x"], ["--image-opts"], ["-t", "nothing"],
                  ["-i", "uring"], ["--loop=none"]):
        done = cotrace_io(*words, "-c", "length", path)
        tap.equal((done.returncode, done.out), (2, ""), words)
        tap.equal(bool(re.fullmatch(
            r"cotrace-io: --[a-z-]+( \S+)? is not supported\n", done.err)),
            True, done.err)
    for words in (["-X"], ["-c"], [path, path], ["--cache"]):
        done = cotrace_io(*words)
        tap.equal((done.returncode, done.out), (2, ""), words)
    tap.equal(cotrace_io("--help").returncode, 0)
    tap.equal(cotrace_io("-V").out.startswith("cotrace-io "), True)


@tap.case("-U is refused where the image could be written")
def _(tmp):
    path = make(tmp, "", "1M", [])
    why = "force-share=on can only be used with read-only images"
    for name in (path, "/nowhere/at/all"):
        for words, command in ((["-U"], ["-c", "write 0 512", name]),
                               (["bench", "-U"], ["-w", name])):
            done = cotrace_io(*words, "-f", "qcow2", *command)
            tap.equal((done.returncode, done.out, done.err),
                      (2, "", f"cotrace-io: {name}: {why}\n"))
    theirs = qemu_io("-U", "-f", "qcow2", "-c", "length", path)
    tap.equal((theirs.returncode, theirs.err),
              (1, f"qemu-io: can't open device {path}: {why}\n"))
    done = cotrace_io("bench", "-U", "-q", "-f", "qcow2", "-c", 3, path)
    tap.equal((done.returncode, done.err), (0, ""))


@tap.case("output that can't be written is an error")
def _(tmp):
    path = make(tmp, "", "1M", [])
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([IO, "-c", "length", path], stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False,
                              timeout=story.TIMEOUT)
    tap.equal((done.returncode, done.stderr),
              (2, "cotrace-io: can't write to standard output\n"))


@tap.case("help lists every command, and explains each")
def _(tmp):
    listing = cotrace_io("-c", "help")
    tap.equal(listing.returncode, 0)
    names = re.findall(r"^(\w+) .*-- ", listing.out, re.M)
    tap.equal(names, sorted(names))
    theirs = re.findall(r"^(\w+) .*-- ", qemu_io("-c", "help").out, re.M)
    tap.equal([name for name in names if name not in theirs], [])
    for name in names:
        done = cotrace_io("-c", f"help {name}")
        tap.equal(done.out.startswith(name + " "), True, name)


if not shutil.which("qemu-io"):
    print("1..0 # SKIP qemu-io is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
