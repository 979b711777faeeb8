#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fio writes and verifies over NBD: formats, engines, block sizes, depths.

A sample of the matrix that always is the same, which has every value of each
dimension; all of it with COTRACE_SOAK=1.
"""
import itertools
import os
import shutil
import sys

import tap
from nbd import Server, aio
from story import run

SOAK = bool(os.environ.get("COTRACE_SOAK"))
FORMATS = ("raw", "qcow2")
ENGINES = ("threads", "native", "io_uring")
BLOCKS = ("--bs=512", "--bs=4k", "--bs=64k", "--bsrange=512-128k")
DEPTHS = (1, 8, 32, 64)
WAYS = ((), ("--iothread",), ("--cache", "writethrough"),
        ("--iothread", "--cache", "directsync"))

MATRIX = [(*which, WAYS[n % 7 % len(WAYS)]) for n, which in
          enumerate(itertools.product(FORMATS, ENGINES, BLOCKS, DEPTHS))]
# A diagonal through it
SAMPLE = [("raw", "threads", BLOCKS[1], 64, ()),
          ("raw", "native", BLOCKS[3], 8, ("--iothread",)),
          ("raw", "io_uring", BLOCKS[0], 32, ()),
          ("qcow2", "threads", BLOCKS[2], 32, ("--iothread",)),
          ("qcow2", "native", BLOCKS[1], 64, ()),
          ("qcow2", "io_uring", BLOCKS[3], 1, ("--cache", "writethrough"))]


def fio(uri, *options):
    run("fio", "--name=job", "--ioengine=nbd", f"--uri={uri}", "--size=6M",
        "--randrepeat=1", "--verify_state_save=0", *options, timeout=600)


def verified(format, engine, block, depth, way):
    if engine == "native":  # not without O_DIRECT
        way = tuple("directsync" if word == "writethrough" else word
                    for word in way)

    @tap.case(f"{format}, {engine}, {block}, depth {depth} {' '.join(way)}")
    def _(tmp):
        image = os.path.join(tmp, "disk")
        run("qemu-img", "create", "-q", "-f", format, image, "8M")
        with Server(tmp, image, "-f", format, "-t", "-e", "0", *aio(engine, way),
                    "--discard", "unmap", *way) as server:
            fio(server.uri, "--rw=randrw", block, f"--iodepth={depth}",
                "--verify=crc32c", "--verify_fatal=1", "--do_verify=1",
                "--fsync=64")
            if depth == 32:
                fio(server.uri, "--rw=randtrimwrite", block,
                    f"--iodepth={depth}", "--io_size=2M")
                fio(server.uri, "--rw=write", block, f"--iodepth={depth}",
                    "--verify=md5", "--verify_fatal=1", "--do_verify=1",
                    "--numjobs=2", "--offset_increment=1M", "--size=1M")
        if format == "qcow2":
            run("qemu-img", "check", "-q", image)


for each in MATRIX if SOAK else SAMPLE:
    verified(*each)

if not shutil.which("fio"):
    print("1..0 # SKIP fio is not installed")
    sys.exit(77)
if "nbd" not in run("fio", "--enghelp").out.split():
    print("1..0 # SKIP this fio has no nbd engine")
    sys.exit(77)
tap.note(f"{len(MATRIX if SOAK else SAMPLE)} of {len(MATRIX)} combinations")
tap.main(sys.argv[1:])
