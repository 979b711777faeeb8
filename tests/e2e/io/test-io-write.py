#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace-io and qemu-io write: the same lines, and the same bytes after them.

Each command runs on a fresh copy of the same image, once by each program.
"""
import itertools
import os
import random
import shutil
import subprocess
import sys

import story
import tap
from peers import (WAYS, cotrace_io, make, need_direct, normal, qemu_io, reports,
                   script)

SIZE = 1 << 20


def both(fresh, commands, options=("-f", "raw"), ways=WAYS[:1], order=list):
    """fresh() makes the image and returns its path; the images' bytes after
    each program's run are returned."""
    after = []
    words = [*options, *script(commands)]
    path = fresh()
    theirs = qemu_io(*words, path)
    with open(path, "rb") as file:
        after.append(file.read())
    for way in ways:
        ours = cotrace_io(*way, *words, fresh())
        what = f"{way} {options} {commands}"
        tap.equal(order(normal(ours.out, "cotrace-io")),
                  order(normal(theirs.out, "qemu-io")), what)
        tap.equal(normal(ours.err, "cotrace-io"),
                  normal(theirs.err, "qemu-io"), what)
        tap.equal(ours.returncode, theirs.returncode, what)
        with open(path, "rb") as file:
            after.append(file.read())
    return after


def same_bytes(after, what):
    for content in after[1:]:
        if content != after[0]:
            raise AssertionError(f"{what}: not the same bytes")


def raw(tmp, size=SIZE):
    path = os.path.join(tmp, "raw")

    def fresh():
        with open(path, "wb") as file:
            file.write((b"abcdefg" * (size // 7 + 1))[:size])
        return path
    return fresh


COMMANDS = [
    # write
    "write 0 512", "w 0 512", "write 5 100", "write 0 0", "write -p 0 512",
    "write -P 7 0 4k", "write -P x 0 1", "write -P 256 0 1", "write -q 0 512",
    "write -C 0 512", "write -f 0 512", "write -fq 512 1", "write 1048575 1",
    "write 1048575 2", "write 3M 1", "write 0 3G", "write -1 5", "write",
    "write 0", "write 0 1 2", "write x 1", "write 0 x", "write -x 0 1",
    "write -z 0 512", "write -z 1k 512k", "write -zu 1 512k", "write -zu 0 1M",
    "write -zf 0 1k", "write -zn 0 512", "write -z 0 3G", "write -u 0 1k",
    "write -n 0 1k", "write -nu 0 1k", "write -uzn 0 1", "write -uzf 0 1",
    "write -z -P 1 0 512", "write -zs x 0 1", "write -s /dev/null 0 512",
    "write -s /nowhere/at/all 0 512", "write -s /nowhere -P 1 0 5",
    "write -s /nowhere/at/all 0 0", "write -c 0 64k", "write -b 0 512",
    "write -bz 0 1", "write -bf 0 5", "write -bc 0 5", "write -cf 0 5",
    "write -cz 0 5", "write -cfb 0 1", "write -znb 0 1", "write -b 1 512",
    "write -bs x 0 1",
    # writev
    "writev 0 512 512", "writev -f 0 5", "writev 0", "writev -C 0 5 5",
    "writev 3M 5", "writev -z 0 5", "writev 0 2G 2G", "writev 0 x",
    "writev x 5", "writev -P x 0 5", "writev -P 3 0 100 0 5", "wv 0 1",
    # aio_write
    "aio_write 0 512", "aio_write -z 0 512", "aio_write -z 0 512 512",
    "aio_write -zu 0 512", "aio_write -u 0 512", "aio_write -z -P 1 0 512",
    "aio_write -f 0 1k", "aio_write -C 0 1k", "aio_write -i 0 1k",
    "aio_write -ix", "aio_write -x 0 1", "aio_write 3M 5", "aio_write -z 3M 5",
    "aio_write 0", "aio_write -z 0 x", "aio_write -z x 1",
    "aio_write -z 0 3G", "aio_write 0 3G", "aio_write -q 0 1k 2k 3",
    "aio_write -P 0xff 0 5 6 7", "aio_write -zf 0 1k", "aio_write -fC 0 1",
    # reads that have to do with it
    "aio_read -i 0 1k", "read -b 0 512", "read -b 1 512", "read -b 0 5",
    "read -P 1 -b 0 512", "readv -b 0 512",
    # discard
    "discard 0 512", "d 0 512", "discard -C 0 1k", "discard -q 0 512",
    "discard", "discard 0", "discard -x 0 1", "discard 3M 1", "discard 0 3G",
    "discard 1 1", "discard -1 5", "discard 0 -5", "discard x 1",
    "discard 0 x", "discard 0 0", "discard 4k 512k", "discard 0 1M",
    # truncate
    "truncate 1000", "truncate 1000000", "truncate 2M", "truncate 0",
    "truncate 1M", "t 1M", "truncate -1", "truncate x", "truncate",
    "truncate -m off 2M", "truncate -m metadata 2M", "truncate -m xx 3M",
    "truncate 7E", "truncate 8E", "truncate 1 2", "truncate 1 2 3",
    # what there is
    "map", "map 3", "alloc 0", "alloc 0 1M", "alloc 5 512", "alloc x",
    "alloc 0 x", "alloc 3M", "alloc 0 3M", "alloc 0 5", "alloc 0 0",
    "alloc -1", "alloc", "alloc 8E 1", "alloc 0 1 2", "length", "flush",
    # the rest
    "sigraise", "sigraise x", "sigraise 99", "abort 3", "open",
    "open -t xx a", "open -d xx a",
]


@tap.case("raw: every command alone: lines, errors, exit status, bytes")
def _(tmp):
    for command in COMMANDS:
        same_bytes(both(raw(tmp), [command]), command)
    for command in COMMANDS[::3]:
        same_bytes(both(raw(tmp), [command], ways=WAYS[1:]), command)


@tap.case("raw, opened for reading: what writes is refused in qemu-io's words")
def _(tmp):
    for command in COMMANDS:
        same_bytes(both(raw(tmp), [command], ["-r", "-f", "raw"]), command)


@tap.case("commands one after another see what those before them did")
def _(tmp):
    data = os.path.join(tmp, "data")
    with open(data, "wb") as file:
        file.write(bytes(range(200)))
    for commands in (
            ["write -P 1 0 4k", "read -P 1 0 4k", "read -v 4090 20"],
            ["write -z 1000 5000", "read -P 0 1000 5000", "read -v 990 20"],
            ["truncate 2M", "read -P 0 1M 1M", "write 2097151 1", "map",
             "truncate 1000", "length", "read 0 1k", "write 1000 24",
             "read -v 990 34"],
            ["discard 0 64k", "read -P 0 0 64k", "map", "alloc 0 64k"],
            [f"write -s {data} 100 1000", "read -v 90 1100"],
            ["write -P 9 5M 1", "write 0 1", "nonsense", "length"],
            ["close", "write 0 1", "map", "alloc 0"],
    ):
        same_bytes(both(raw(tmp), commands, ways=WAYS), commands)


def rounds(rng, size, number, longest):
    """Writes of all kinds, each pattern once, so that a wrong order shows."""
    commands = []
    for i in range(number):
        offset = rng.randrange(size)
        length = min(rng.randrange(1, longest), size - offset)
        kind = rng.randrange(10)
        if kind == 0:
            commands.append(f"write -z {offset} {length}")
        elif kind == 1:
            commands.append(f"write -zu {offset} {length}")
        elif kind == 2:
            half = length // 2
            commands.append(f"writev -P {1 + i % 255} {offset} {half} 0 "
                            f"{length - half}")
        elif kind == 3:
            commands.append(f"write -f -P {1 + i % 255} {offset} {length}")
        elif kind == 4:
            commands.append("flush")
        elif kind == 5:
            commands.append(f"read -v {offset} {min(length, 64)}")
        else:
            commands.append(f"write -P {1 + i % 255} {offset} {length}")
    return commands


@tap.case("raw: random scripts, the same bytes in each way to run")
def _(tmp):
    for seed in range(3):
        commands = rounds(random.Random(seed), SIZE, 100, 60000)
        same_bytes(both(raw(tmp), commands, ways=WAYS), seed)
        same_bytes(both(raw(tmp, 70001), rounds(random.Random(seed), 70144, 60,
                                                9000)), seed)


@tap.case("many aio_writes at once, next to one another")
def _(tmp):
    rng = random.Random(5)
    places = list(range(0, SIZE, 4096))
    rng.shuffle(places)
    commands = [f"aio_write -P {1 + i % 255} {offset} 4096"
                for i, offset in enumerate(places)]
    for more in (["aio_flush"], []):
        same_bytes(both(raw(tmp), commands + more, ways=WAYS, order=reports),
                   "next to one another")


@tap.case("cache modes and discard modes")
def _(tmp):
    for mode in ("writeback", "writethrough", "unsafe"):
        commands = ["write -P 3 0 100k", "write -f 5 6", "flush",
                    "discard 0 64k", "read -v 65530 20"]
        same_bytes(both(raw(tmp), commands, ["-f", "raw", "-t", mode]), mode)
    tap.equal(cotrace_io("-f", "raw", "-i", "native", "-c", "quit",
                         raw(tmp)()).err,
              f"cotrace-io: {tmp}/raw: aio=native was specified, but it "
              "requires cache.direct=on, which was not specified.\n", "native")
    for mode in ("unmap", "on", "ignore", "off"):
        same_bytes(both(raw(tmp), ["discard 0 128k", "read -v 0 16"],
                        ["-f", "raw", "-d", mode]), mode)


# Past the page cache: whole blocks only, so parts of them are read before.
@tap.case("without the host's cache: every command, and random scripts")
def _(tmp):
    need_direct(tmp)
    for mode, engine in (("none", "threads"), ("off", "native"),
                         ("directsync", "io_uring")):
        options = ["-f", "raw", "-t", mode, "-i", engine]
        ours = [*options, "-c", "quit", raw(tmp)()]
        if cotrace_io(*ours).returncode != qemu_io(*ours).returncode:
            tap.note(f"the kernel refuses {engine} here")
            continue
        for command in COMMANDS[::7]:
            same_bytes(both(raw(tmp), [command], options), command)
        for seed in range(2):
            for size in (SIZE, 70001):
                sectors = (size + 511) // 512 * 512
                commands = rounds(random.Random(seed), sectors, 40, 30000)
                same_bytes(both(raw(tmp, size), commands, options,
                                ways=WAYS[seed::2]), (mode, seed, size))
        commands = ["read -v 69990 40", "truncate 1000", "read -v 990 34",
                    "write -P 8 1001 22", "truncate 5000", "aio_write 4000 1000",
                    "aio_write -P 1 3000 1000", "aio_flush", "read -v 3990 20",
                    "length", "map", "discard 100 1000", "write -z 7 4000"]
        same_bytes(both(raw(tmp, 70001), commands, options), mode)


@tap.case("without the host's cache: parts of one block, all at once")
def _(tmp):
    need_direct(tmp)
    commands = [f"aio_write -P {1 + i % 255} {i * 40} 40" for i in range(300)]
    commands += ["aio_flush"]
    for engine in ("threads", "native"):
        after = both(raw(tmp), commands, ["-f", "raw", "-t", "none", "-i", engine],
                     order=reports)
        same_bytes(after, engine)


@tap.case("truncate -m: space for what is new, or the same refusal")
def _(tmp):
    image = os.path.join(tmp, "image.qcow2")

    def fresh(words=""):
        return make(tmp, words, "1M", ["write -P 1 0 300k", "discard 64k 64k"])
    for mode in ("off", "metadata", "falloc", "full", "xx"):
        commands = [f"truncate -m {mode} 3M", "length", "map", "read -P 0 1M 2M",
                    "write -P 5 2000k 100k", "read -P 5 2000k 100k",
                    f"truncate -m {mode} 3M", f"truncate -m {mode} 2M",
                    f"truncate -m {mode} 2000001", f"truncate -m {mode} 4M",
                    "map", "length"]
        same_bytes(both(raw(tmp), commands, ways=WAYS[::3]), mode)
        # what is allocated is told by the host's file system
        for options in ("", "cluster_size=512"):
            both(lambda: fresh(options), commands, ["-f", "qcow2"],
                 ways=WAYS[:1])
            tap.equal(subprocess.run(["qemu-img", "check", "-q", image],
                                     check=False).returncode, 0, mode)
    # The cluster that holds the end, also where the length stays
    for mode, new, data in itertools.product(
            ("metadata", "falloc", "full"), ("1000448", "1001k", "2000k"),
            ([], ["write -P 1 1000000 100"])):
        both(lambda: make(tmp, "cluster_size=4k", "1000448", data),
             [f"truncate -m {mode} {new}", "map", "read -v 999900 548"],
             ["-f", "qcow2"], ways=WAYS[:1])
        tap.equal(subprocess.run(["qemu-img", "check", "-q", image],
                                 check=False).returncode, 0, mode)
    for mode in ("falloc", "full"):
        sizes = []
        for program in (qemu_io, cotrace_io):
            path = raw(tmp, 4096)()
            program("-f", "raw", "-c", f"truncate -m {mode} 1M", path)
            sizes.append(os.stat(path).st_blocks)
        tap.equal(sizes[0], sizes[1], mode)


@tap.case("truncate: lengths that a version 2 image can't have")
def _(tmp):
    base = os.path.join(tmp, "base")
    with open(base, "wb") as file:
        file.write(b"base" * (1 << 20))

    def snapshots(words=""):
        path = make(tmp, "compat=0.10" + words, "1M", [])
        story.run("qemu-img", "snapshot", "-c", "before", path)
        return path

    behind = f",backing_file={base},backing_fmt=raw"
    commands = ["truncate 2M", "truncate 512k", "truncate 1M", "truncate 1048577",
                "truncate -m metadata 2M", "length", "read -v 1048560 16"]
    for fresh in (snapshots, lambda: snapshots(behind),
                  lambda: make(tmp, "compat=0.10" + behind, "1M", [])):
        both(fresh, commands, ["-f", "qcow2"], ways=WAYS[:1])
        story.run("qemu-img", "check", "-q", os.path.join(tmp, "image.qcow2"))


REOPEN = [
    ["reopen", "write 0 512"],
    ["reopen -r", "write 0 512", "reopen -w", "write -P 1 0 1k", "read -v 0 16"],
    ["reopen -r", "read -v 0 16", "flush", "close", "write 0 1"],
    ["write -P 5 100k 70k", "reopen -r", "read -P 5 100k 70k", "map",
     "reopen -w", "write -P 6 150k 70k", "discard 0 64k", "read -P 5 100k 50k"],
    ["reopen -c none", "write -P 3 5 1000", "reopen -c unsafe", "flush",
     "write -P 4 7 10", "reopen -c writethrough", "write 9 9", "read -v 0 32"],
    ["aio_write -P 9 0 64k", "aio_write -P 8 64k 64k", "reopen -c none",
     "aio_flush", "read -P 9 0 64k"],
    ["reopen -c xx", "reopen -r -w", "reopen -r -r", "reopen x", "reopen -x",
     "reopen -o foo=bar", "reopen -o driver=raw", "reopen -r -o read-only=on",
     "reopen -c none -o cache.direct=off", "reopen -o cache.writeback=off"],
    ["reopen -o cache.direct=on", "write 1 1", "reopen -o cache.no-flush=on"],
    ["close", "reopen", "reopen -r"],
]


@tap.case("reopen: for reading, for writing, another cache mode")
def _(tmp):
    need_direct(tmp)
    image = os.path.join(tmp, "image.qcow2")

    def fresh():
        return make(tmp, "", "1M", [])
    for commands in REOPEN:
        same_bytes(both(raw(tmp), commands, ways=WAYS, order=reports), commands)
        both(fresh, commands, ["-f", "qcow2"], ways=WAYS[::3], order=reports)
        qemu_io("-r", "-f", "qcow2", "-c", "map", image)
        tap.equal(subprocess.run(["qemu-img", "check", "-q", image],
                                 check=False).returncode, 0, commands)
        both(fresh, commands, ["-r", "-f", "qcow2"])


@tap.case("abort and sigraise end the program by their signal")
def _(tmp):
    path = raw(tmp)()
    for command in ("abort", "sigraise 9", "sigraise 15"):
        for way in WAYS[:2]:
            tap.equal(cotrace_io(*way, "-f", "raw", "-c", command,
                                 path).returncode,
                      qemu_io("-f", "raw", "-c", command, path).returncode,
                      command)


@tap.case("a disk that is raw for all one knows does not become another format's")
def _(tmp):
    headers = {}
    for kind in ("qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "vhdx",
                 "parallels"):
        headers[kind] = os.path.join(tmp, kind)
        subprocess.run(["qemu-img", "create", "-q", "-f", kind, headers[kind],
                        "1M"], check=True)
        with open(headers[kind], "ab") as file:
            file.truncate(64 << 10)
    for kind, header in headers.items():
        after = both(raw(tmp), [
            f"write -s {header} 0 64k", f"write -s {header} 0 512",
            f"aio_write -q -s {header} 0 4k", "aio_flush",
            f"write -s {header} 512 4k", f"write -s {header} 0 3",
            f"write -s {header} 0 70", "write -z 0 512", "write -P 81 0 1",
            "write -P 70 1 1", "write -P 73 2 1", "write -P 0xfb 3 1",
            "write -P 3 7 1", "discard 0 64k", "write -P 9 0 1M",
            "read -P 9 0 1M"], options=())
        same_bytes(after, kind)
    # Named, it is what was said.
    same_bytes(both(raw(tmp), [f"write -s {headers['qcow2']} 0 64k"]), "raw")


if not shutil.which("qemu-io"):
    print("1..0 # SKIP qemu-io is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
