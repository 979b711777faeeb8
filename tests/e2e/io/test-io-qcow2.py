#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qcow2 images that cotrace-io writes: beside qemu-io, checked by qemu-img.

Both programs run the same script on a copy each of the same image.  Their
output is the same line for line (what `map` says included), the images hold
the same bytes, and `qemu-img check` finds nothing, not even a leak.  Then each
goes on with what the other left.
"""
import os
import random
import shutil
import struct
import sys

import story
import tap
from peers import (WAYS, cotrace_io, need_direct, normal, qemu_io, reports,
                   script)

SOAK = bool(os.environ.get("COTRACE_SOAK"))
FAST = ["-t", "unsafe"]  # no waits for the disk


def create(path, options="", size="4M", backing=None, fmt="qcow2"):
    words = ["-o", options] if options else []
    if backing:
        words += ["-b", backing, "-F", fmt]
    story.run("qemu-img", "create", "-q", "-f", "qcow2", *words, path,
              *([size] if size else []))
    return path


def check(path):
    done = story.run("qemu-img", "check", "-f", "qcow2", path, status=None)
    if done.returncode != 0:
        raise AssertionError(f"qemu-img check: {done.returncode}\n{done.out}"
                             f"\n{done.err}")


def compare(a, b):
    story.run("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", a, b)


def same(a, b, commands, way=(), options=FAST, order=list, status=None):
    """qemu-io on image a, cotrace-io on image b."""
    words = ["-f", "qcow2", *options, *script(commands)]
    theirs = qemu_io(*words, a)
    ours = cotrace_io(*way, *words, b)
    got = order(normal(ours.out, "cotrace-io"))
    want = order(normal(theirs.out, "qemu-io"))
    if got != want:
        for i, (one, other) in enumerate(zip(got, want)):
            if one != other:
                tap.note(f"line {i}: got {one!r}, want {other!r}")
                break
        raise AssertionError(f"not the same lines: {commands}\n{ours.err}")
    tap.equal(normal(ours.err, "cotrace-io"), normal(theirs.err, "qemu-io"),
              str(commands))
    tap.equal(ours.returncode, theirs.returncode, str(commands))
    if status is not None:
        tap.equal(ours.returncode, status, str(commands))


def offsets(rng, size, cluster):
    """Around borders of clusters and of what an L2 table covers, and anywhere."""
    table = cluster * cluster // 8
    unit = rng.choice([cluster, cluster, table, 1])
    near = rng.choice([0, 0, -512, 512, -1, 1, 4096, rng.randrange(cluster)])
    at = rng.randrange(0, size // unit + 1) * unit + near
    return max(0, min(at, size - 1))


def rounds(rng, size, cluster, number):
    commands = []
    for i in range(number):
        at = offsets(rng, size, cluster)
        length = rng.choice([1, 512, cluster, 3 * cluster, cluster + 1,
                             rng.randrange(1, 4 * cluster + 2)])
        length = min(length, size - at, 1 << 20)
        pattern = 1 + i % 255
        commands.append(rng.choice([
            f"write -P {pattern} {at} {length}",
            f"write -P {pattern} {at} {length}",
            f"write -P {pattern} {at} {length}",
            f"writev -P {pattern} {at} {length // 2} {length - length // 2}",
            f"write -f -P {pattern} {at} {length}",
            f"write -z {at} {length}", f"write -zu {at} {length}",
            f"discard {at} {length}",
            f"discard {at // cluster * cluster} {min(cluster * 2, size)}",
            f"read -v {at} {min(length, 48)}", "flush",
            f"alloc {at} {length}",
        ]))
    return commands + ["map"]


IMAGES = [
    # options, size, cluster
    ("", 4 << 20, 65536),
    ("compat=0.10", 4 << 20, 65536),
    ("cluster_size=512", 300 << 10, 512),
    ("cluster_size=512,compat=0.10", 300 << 10, 512),
    ("cluster_size=4k", 3 << 20, 4096),
    ("cluster_size=4k,refcount_bits=1", 3 << 20, 4096),
    ("cluster_size=1k,refcount_bits=64", 1 << 20, 1024),
    ("cluster_size=2k,refcount_bits=2", 1 << 20, 2048),
    ("cluster_size=2M", 9 << 20, 2 << 20),
    ("lazy_refcounts=on,cluster_size=8k", 2 << 20, 8192),
    ("preallocation=metadata,cluster_size=16k", 2 << 20, 16384),
    ("", 1000448, 65536),
]


def both(tmp, path, size, cluster, seed, number=60, way=(), options=FAST):
    a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")
    shutil.copy(path, a)
    shutil.copy(path, b)
    rng = random.Random(seed)
    same(a, b, rounds(rng, size, cluster, number), way, options)
    check(b)
    compare(a, b)
    # each goes on with the other's
    same(b, a, rounds(rng, size, cluster, number // 2), way, options)
    check(a)
    check(b)
    compare(a, b)
    return a, b


for _options, _size, _cluster in IMAGES:
    @tap.case(f"the same as qemu-io: {_options or 'defaults'}, {_size}")
    def _(tmp, options=_options, size=_size, cluster=_cluster):
        path = create(os.path.join(tmp, "new"), options, size)
        for seed in range(20 if SOAK else 2):
            both(tmp, path, size, cluster, seed, way=WAYS[seed % 4])


@tap.case("the same as qemu-io without the host's cache, by each engine")
def _(tmp):
    need_direct(tmp)
    for number, engine in enumerate(("threads", "native", "io_uring")):
        options = ["-t", "none", "-i", engine]
        for words, size, cluster in (("", 4 << 20, 65536),
                                     ("cluster_size=512", 1 << 20, 512)):
            path = create(os.path.join(tmp, "new"), words, str(size))
            if cotrace_io(*options, "-c", "quit", path).returncode:
                tap.note(f"the kernel refuses {engine} here")
                continue
            both(tmp, path, size, cluster, number, 40, WAYS[number], options)


@tap.case("backing files: raw and qcow2, shorter and longer, two of them")
def _(tmp):
    size, cluster = 1 << 20, 4096
    raw = os.path.join(tmp, "base.raw")
    for i, (length, compat) in enumerate([(size, "1.1"), (333333 // 512 * 512,
                                                          "1.1"),
                                          (size * 2, "1.1"),
                                          (333 * 512, "0.10")]):
        with open(raw, "wb") as file:
            file.write(random.Random(length).randbytes(length))
        path = create(os.path.join(tmp, "over"),
                      f"cluster_size=4k,compat={compat}", size, raw, "raw")
        both(tmp, path, size, cluster, 10 + i)
        middle = create(os.path.join(tmp, "middle"), "", 700 * 1024,
                        "base.raw", "raw")
        story.run("qemu-io", "-f", "qcow2", "-c", "write -P 99 100k 200k",
                  "-c", "write -z 350k 100k", middle)
        path = create(os.path.join(tmp, "over"),
                      f"cluster_size=4k,compat={compat}", size, "middle")
        both(tmp, path, size, cluster, 20 + i, way=WAYS[i])


@tap.case("images with snapshots: what they share is copied")
def _(tmp):
    size, cluster = 1 << 20, 4096
    path = create(os.path.join(tmp, "new"), "cluster_size=4k", size)
    story.run("qemu-io", "-f", "qcow2", "-c", "write -P 5 0 600k", path)
    story.run("qemu-img", "snapshot", "-c", "one", path)
    story.run("qemu-io", "-f", "qcow2", "-c", "write -P 6 100k 100k", "-c",
              "write -z 300k 50k", path)
    story.run("qemu-img", "snapshot", "-c", "two", path)
    for seed in range(3):
        a, b = both(tmp, path, size, cluster, seed)
        for name in ("one", "two"):
            for image in (a, b):
                story.run("qemu-img", "snapshot", "-a", name, image)
                check(image)
            compare(a, b)


@tap.case("compressed images: read, and written over")
def _(tmp):
    raw = os.path.join(tmp, "raw")
    rng = random.Random(4)
    with open(raw, "wb") as file:
        for i in range(64):
            file.write(rng.randbytes(7000) + bytes([i]) * 9384)
    size = os.path.getsize(raw)
    for cluster, how in ((512, "zlib"), (4096, "zstd"), (65536, "zlib"),
                         (65536, "zstd"), (2 << 20, "zlib"), (2 << 20, "zstd")):
        path = os.path.join(tmp, "new")
        story.run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2",
                  "-o", f"cluster_size={cluster},compression_type={how}", raw,
                  path)
        same(path, path, ["read -v 6990 40", f"read 0 {size}",
                          "read -v 65500 9000", "map"], ["--loop=glib"])
        for way in WAYS:
            done = cotrace_io(*way, "-r", "-f", "qcow2", "-c",
                              f"read -v 0 {size}", path)
            want = cotrace_io("-r", "-f", "raw", "-c", f"read -v 0 {size}",
                              raw)
            tap.equal(done.out.splitlines()[:-1], want.out.splitlines()[:-1])
        both(tmp, path, size, cluster, cluster, 40)


@tap.case("many at once: aio_writes that meet in clusters and tables")
def _(tmp):
    for options, cluster in (("", 65536), ("cluster_size=512", 512),
                             ("cluster_size=4k", 4096)):
        path = create(os.path.join(tmp, "new"), options, 2 << 20)
        rng = random.Random(cluster)
        places = list(range(0, 1 << 20, 2048))
        rng.shuffle(places)
        commands = [f"aio_write -P {1 + i % 255} {at} 2048"
                    for i, at in enumerate(places)]
        commands[100:100] = [f"aio_write -z {(1 << 20) + 4096 * i} 4096"
                             for i in range(20)]
        for way in WAYS:
            a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")
            shutil.copy(path, a)
            shutil.copy(path, b)
            same(a, b, [*commands, "aio_flush", "read -v 1000 40"], way,
                 order=reports)
            check(b)
            compare(a, b)


@tap.case("tables grow: refcount blocks, the refcount table, the L1 table")
def _(tmp):
    # 512-byte clusters: a refcount table of one cluster is for 8 MiB
    path = create(os.path.join(tmp, "new"), "cluster_size=512", "40M")
    a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")
    shutil.copy(path, a)
    shutil.copy(path, b)
    same(a, b, [f"write -P {1 + i % 255} {i * 131072 * 3} 393216"
                for i in range(60)])
    check(b)
    compare(a, b)
    for options in ("cluster_size=512,refcount_bits=64", "cluster_size=1k",
                    "cluster_size=512,lazy_refcounts=on"):
        path = create(path, options, "20M")
        shutil.copy(path, b)
        done = cotrace_io("-f", "qcow2", *FAST, "-c", "write -q -P 7 0 20M",
                          "-c", "read -q -P 7 0 20M", b)
        tap.equal((done.returncode, done.out, done.err), (0, "", ""))
        check(b)
    path = create(path, "cluster_size=512", "1M")
    shutil.copy(path, a)
    shutil.copy(path, b)
    same(a, b, ["write -P 1 0 1M", "truncate 30M", "write -P 2 29M 1M",
                "read -P 0 1M 28M", "length", "map", "truncate 500k",
                "length", "map", "truncate 2M", "read -P 0 500k 1548k",
                "read -P 1 0 500k", "truncate 1000", "truncate 7E",
                "write -P 3 1536k 512k"])
    check(b)
    compare(a, b)


@tap.case("lengths: growing over a longer backing file shows zeroes")
def _(tmp):
    raw = os.path.join(tmp, "base.raw")
    with open(raw, "wb") as file:
        file.write(b"B" * (1 << 20))
    a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")
    path = create(os.path.join(tmp, "new"), "", 300 * 1024, raw, "raw")
    for size in ("301k", "512k", "1M", "2M"):
        shutil.copy(path, a)
        shutil.copy(path, b)
        same(a, b, [f"truncate {size}", "read -P 0x42 0 300k",
                    f"read -P 0 300k 1k", "length"])
        check(b)
        compare(a, b)


@tap.case("the state of a machine lies behind the disk")
def _(tmp):
    for options in ("", "compat=0.10,cluster_size=512", "cluster_size=4k"):
        path = create(os.path.join(tmp, "new"), options, 1 << 20)
        a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")
        shutil.copy(path, a)
        shutil.copy(path, b)
        same(a, b, ["write -P 1 0 1M", "write -b -P 3 0 512",
                    "write -b -P 4 1k 100k", "read -b -P 3 0 512",
                    "read -b -P 0 512 512", "read -b -P 4 1k 100k",
                    "read -P 1 0 1M", "read -b -v 1000k 512", "length"])
        check(b)
        same(b, a, ["read -b -P 4 1k 100k", "read -P 1 0 1M"], status=0)


# --- what must not happen ---------------------------------------------------

def field(path, at, fmt):
    with open(path, "rb") as file:
        file.seek(at)
        return struct.unpack(fmt, file.read(struct.calcsize(fmt)))[0]


def put(path, at, fmt, *values):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(struct.pack(fmt, *values))


def refused(path, want, *commands):
    done = cotrace_io("-f", "qcow2", *script(commands), path)
    lines = done.err.splitlines()
    if done.returncode != 2 or want not in done.err or len(lines) != 1:
        raise AssertionError(f"{done.returncode} {done.out!r} {done.err!r}, "
                             f"want {want!r}")
    return done.out


@tap.case("a write that would hit metadata marks the image, and does no harm")
def _(tmp):
    path = os.path.join(tmp, "new")
    # which cluster's refcount is lost -> what would be hit
    for cluster, name in ((0, "metadata"), (1, "metadata"), (2, "metadata"),
                          (3, "metadata")):
        create(path, "", 1 << 20)
        refcounts = field(path, field(path, 48, ">Q"), ">Q")
        put(path, refcounts + 2 * cluster, ">H", 0)
        with open(path, "rb") as file:
            before = file.read()
        out = refused(path, name, "write 0 64k", "write 0 64k")
        tap.equal(out, "write failed: Input/output error\n" * 2)
        with open(path, "rb") as file:
            after = file.read()
        tap.equal(field(path, 72, ">Q"), 2, "the corrupt bit")
        tap.equal(after[80:len(before)], before[80:], "everything else")
        tap.equal(after[:72], before[:72], "everything else")
        refused(path, "corrupt", "length")
        done = cotrace_io("-r", "-f", "qcow2", "-c", "length", path)
        tap.equal((done.returncode, done.out), (0, "1 MiB\n"))
        done = cotrace_io("-r", "-f", "qcow2", "-c", "reopen -w", path)
        tap.equal((done.returncode, len(done.err.splitlines())), (1, 1))
    # an L2 entry that leads into a table
    create(path, "", 1 << 20)
    story.run("qemu-io", "-f", "qcow2", "-c", "write -q 0 64k", path)
    table = field(path, field(path, 40, ">Q"), ">Q") & ((1 << 63) - 1)
    for target, name in ((field(path, 40, ">Q"), "active L1 table"),
                         (table, "active L2 table"), (0x10000,
                                                      "refcount table")):
        put(path, table, ">Q", target | 1 << 63)
        put(path, 72, ">Q", 0)
        out = refused(path, f"overlap with the {name}", "write 0 512",
                      "read -q 0 512", "read -q -P 0 512k 512", "write 512k 512",
                      "flush")
        tap.equal(out, "write failed: Input/output error\n" * 2 +
                  "flush failed: Input/output error\n")
        tap.equal(field(path, 72, ">Q"), 2, "the corrupt bit")


OFFSET = (1 << 56) - 512


@tap.case("an L2 entry into the middle of a cluster frees nobody's")
def _(tmp):
    for commands in (["discard 64k 64k"], ["write -z -u 64k 64k"],
                     ["truncate 64k"]):
        path = create(os.path.join(tmp, "new"), "", 1 << 20)
        story.run("qemu-io", "-f", "qcow2", "-c", "write -q -P 1 0 64k", path)
        table = field(path, field(path, 40, ">Q"), ">Q") & OFFSET
        put(path, table + 8, ">Q", (field(path, table, ">Q") & OFFSET) + 512)
        done = cotrace_io("-f", "qcow2", *script(
            [*commands, "write 128k 64k", "read -q -P 1 0 64k"]), path)
        tap.equal(done.returncode, 2, done.err)
        if "inside another cluster" not in done.err or \
                "write failed: Input/output error" not in done.out or \
                "Pattern" in done.out:
            raise AssertionError(f"{commands}: {done.out!r} {done.err!r}")
        tap.equal(field(path, 72, ">Q"), 2, "the corrupt bit")


@tap.case("an L1 entry that calls no table its own is none")
def _(tmp):
    path = create(os.path.join(tmp, "new"), "", 2 << 30)
    put(path, field(path, 40, ">Q") + 8, ">Q", 1 << 63)
    done = cotrace_io("-f", "qcow2", *script(
        ["read -P 0 520M 64k", "write -q -P 3 520M 64k", "flush"]), path)
    tap.equal((done.returncode, done.err), (0, ""), done.out)
    done = cotrace_io("-f", "qcow2", "-c", "read -P 3 520M 64k", path)
    tap.equal(done.returncode, 0, done.out)
    check(path)


@tap.case("snapshots that say more than any has")
def _(tmp):
    path = create(os.path.join(tmp, "new"), "", 1 << 20)
    story.run("qemu-img", "snapshot", "-c", "one", path)
    os.truncate(path, 1 << 36)
    table = field(path, 64, ">Q")
    for at, value in ((8, 0xfffffff8), (36, 1025)):
        was = field(path, table + at, ">I")
        put(path, table + at, ">I", value)
        refused(path, "snapshot table: Invalid argument", "length")
        put(path, table + at, ">I", was)
    done = cotrace_io("-f", "qcow2", "-c", "length", path)
    tap.equal(done.out, "1 MiB\n", done.err)


@tap.case("counting anew: as many references as there are")
def _(tmp):
    for bits, tables in ((32, 10), (16, 7), (16, 10)):
        path = create(os.path.join(tmp, "new"),
                      f"refcount_bits={bits},lazy_refcounts=on", 8 << 30)
        story.run("qemu-io", "-f", "qcow2", *script(
            [f"write -q {i * 512}M 64k" for i in range(tables)]), path)
        l1, references = field(path, 40, ">Q"), 8192 * tables
        host = field(path, field(path, l1, ">Q") & OFFSET, ">Q") & OFFSET
        for i in range(tables):
            put(path, field(path, l1 + 8 * i, ">Q") & OFFSET, ">8192Q",
                *[host] * 8192)
        at = field(path, field(path, 48, ">Q"), ">Q") + \
            bits // 8 * (host >> 16)
        put(path, 72, ">Q", 1)
        if references >> bits:
            refused(path, "counting references anew: Invalid argument",
                    "length")
            continue
        done = cotrace_io("-f", "qcow2", "-c", "read 0 512", path)
        tap.equal(done.returncode, 0, done.err)
        tap.equal(field(path, at, f">{'I' if bits == 32 else 'H'}"),
                  references)
        check(path)


@tap.case("an image that is marked dirty is counted anew before it is written")
def _(tmp):
    path = create(os.path.join(tmp, "new"), "lazy_refcounts=on", 2 << 20)
    done = cotrace_io("-f", "qcow2", "-c", "write -q -P 1 0 1M", "-c", "flush",
                      "-c", "sigraise 9", path)
    tap.equal(done.returncode, -9)
    tap.equal(field(path, 72, ">Q"), 1, "the dirty bit")
    other = os.path.join(tmp, "other")
    shutil.copy(path, other)
    done = cotrace_io("-r", "-f", "qcow2", "-c", "read -P 1 0 1M", path)
    tap.equal(done.returncode, 0)
    tap.equal(field(path, 72, ">Q"), 1, "reading repairs nothing")
    for image, program in ((path, cotrace_io), (other, qemu_io)):
        done = program("-f", "qcow2", "-c", "write -q -P 2 1M 64k", "-c",
                       "read -q -P 1 0 1M", image)
        tap.equal((done.returncode, done.out), (0, ""), done.err)
        tap.equal(field(image, 72, ">Q"), 0, "closed: clean")
        check(image)
    compare(path, other)


@tap.case("features that are kept up to date by who knows them are cleared")
def _(tmp):
    path = create(os.path.join(tmp, "new"), "", 1 << 20)
    put(path, 88, ">Q", 1 << 40)
    done = cotrace_io("-r", "-f", "qcow2", "-c", "length", path)
    tap.equal((done.returncode, field(path, 88, ">Q")), (0, 1 << 40))
    done = cotrace_io("-f", "qcow2", "-c", "length", path)
    tap.equal((done.returncode, field(path, 88, ">Q")), (0, 0))


@tap.case("refused by name: backing files that can't be")
def _(tmp):
    base = create(os.path.join(tmp, "base"), "", 1 << 20)
    path = create(os.path.join(tmp, "over"), "", None, base)
    os.unlink(base)
    refused(path, f"backing file '{base}': No such file or directory")
    create(base, "", 1 << 20)
    story.run("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", path, "-F",
              "qcow2", path)
    refused(path, "more than 200 in a chain")
    story.run("qemu-img", "rebase", "-u", "-f", "qcow2", "-b",
              "nbd://localhost/x", "-F", "raw", path)
    refused(path, "only files are supported")
    story.run("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", base, "-F",
              "raw", path)
    put(path, field(path, 8, ">Q"), ">B", ord("/"))
    tap.equal(cotrace_io("-f", "qcow2", "-c", "read 0 4k", path).returncode, 0)


if not shutil.which("qemu-io"):
    print("1..0 # SKIP qemu-io is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
