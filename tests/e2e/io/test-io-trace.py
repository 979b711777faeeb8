#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a recording of cotrace-io tells of its requests, in each way to run it.

The script is known, so the requests of layer blk are known to the byte; below
them everything must nest: a child inside its parent in time, a file's request
inside a format's, and all that a format's request needs from the file adds up
to what the image's tables say.
"""
import os
import shutil
import sys

import story
import tap

WAYS = {"aio_poll": [], "glib": ["--loop=glib"],
        "iothread": ["--iothread"],
        "glib and iothread": ["--loop=glib", "--iothread"]}

# 64 KiB clusters; two runs that don't lie together, then a zero cluster.
WRITES = ("write -q -P 1 0 128k", "write -q -P 2 256k 64k",
          "write -q -P 3 128k 64k", "write -q -z 192k 64k")
SCRIPT = ["aio_read -q -P 1 0 100k", "aio_read -q 100k 200k",
          "aio_read -q 192k 1k", "aio_flush", "read -q -P 3 128k 64k",
          "readv -q 300k 1k 1k", "read -q 15M 2M", "flush"]
# op, offset, bytes, ret
WANTED = [("read", 0, 102400, 0), ("read", 102400, 204800, 0),
          ("read", 196608, 1024, 0), ("read", 131072, 65536, 0),
          ("read", 307200, 2048, 0), ("read", 15728640, 2097152, -5),
          ("flush", 0, 0, 0)]


def recorded(tmp, way):
    path = story.image(os.path.join(tmp, "disk.qcow2"), "16M", WRITES)
    trace = os.path.join(tmp, "trace")
    words = [word for command in SCRIPT for word in ("-c", command)]
    story.record(trace, story.IO, *WAYS[way], "-r", "-f", "qcow2", *words,
                 path, status=1)
    found = story.requests(trace, "--all")
    story.check_sums(found)
    return found


def check_users_requests(found):
    users = [r for r in found if r["layer"] == "blk"]
    tap.equal([(r["op"], r["offset"], r["bytes"], r["ret"]) for r in users],
              WANTED, "requests of layer blk")
    for request in users:
        tap.equal(request["node"], "qcow2:disk.qcow2")
        tap.equal(request["parent"], None)
        tap.equal(request["complete"], True)
        tap.equal(len(request["coroutines"]) >= 1, True, request)


def check_nesting(found):
    by_id = {r["request"]: r for r in found}
    for request in found:
        if request["layer"] != "bdrv":
            continue
        parent = by_id.get(request["parent"])
        if request["node"] == "qcow2:disk.qcow2":
            tap.equal(parent["layer"], "blk")
            for what in ("op", "offset", "bytes", "ret"):
                tap.equal(request[what], parent[what], what)
        else:
            tap.equal(request["node"], "file:disk.qcow2")
            if parent is None:  # opening
                continue
            tap.equal(parent["node"], "qcow2:disk.qcow2")
            tap.equal(bool(request["workers"]), True, "who read the file")
        if not (parent["begin_ns"] <= request["begin_ns"] and
                request["end_ns"] <= parent["end_ns"]):
            raise AssertionError(f"{request} is not inside {parent}")


def check_file_reads(found):
    """Bytes that each user's request took from the file."""
    by_id = {r["request"]: r for r in found}
    taken = {}
    tables = 0
    for request in found:
        if request["node"] != "file:disk.qcow2" or request["parent"] is None:
            continue
        user = by_id[by_id[request["parent"]]["parent"]]
        if request["offset"] == 4 * 65536:  # the L2 table: whoever came first
            tables += 1
            tap.equal(user["offset"], 0, "who needed the table first")
            continue
        taken.setdefault(user["offset"], []).append(request["bytes"])
    tap.equal(tables, 1, "reads of the L2 table")
    tap.equal(taken[0], [102400])
    # the rest of the first run, the second run, and of the third what is left
    tap.equal(sorted(taken[102400]), [28672, 45056, 65536])
    tap.equal(taken[131072], [65536])
    tap.equal(taken[307200], [2048])
    tap.equal(sorted(taken), [0, 102400, 131072, 307200],
              "who read the file: no zeroes, nothing beyond the end")


def check_lock(found):
    """The second request needs the table that the first one reads."""
    second = [r for r in found if r["layer"] == "blk"][1]
    states = {s["state"] for s in second["segments"]}
    tap.equal("lock" in states, True, f"states of the second: {states}")


for _way in WAYS:
    @tap.case(f"requests of a known script: {_way}")
    def _(tmp, way=_way):
        found = recorded(tmp, way)
        check_users_requests(found)
        check_nesting(found)
        check_file_reads(found)
        if way == "aio_poll":
            check_lock(found)


# One write in place, one that copies, zeroes, a discard, a longer disk.
WRITING = ["write -q -P 4 0 4k", "write -q -P 5 1M 5k", "write -q -z 64k 64k",
           "discard -q 128k 64k", "flush", "truncate 17M",
           "aio_write -q -P 6 2M 200k", "aio_flush"]
WRITTEN = [("write", 0, 4096, 0), ("write", 1 << 20, 5120, 0),
           ("write", 65536, 65536, 0), ("discard", 131072, 65536, 0),
           ("flush", 0, 0, 0), ("truncate", 17 << 20, 0, 0),
           ("write", 2 << 20, 204800, 0), ("flush", 0, 0, 0)]
LAYERS = ["raw_co_prw", "bdrv_driver_pwritev",
          "bdrv_aligned_pwritev", "bdrv_co_pwritev_part",
          "qcow2_co_pwritev_task", "qcow2_co_pwritev_task_entry",
          "qcow2_co_pwritev_part", "bdrv_driver_pwritev",
          "bdrv_aligned_pwritev", "bdrv_co_pwritev_part",
          "blk_co_do_pwritev"]


def check_layers(trace, found):
    """A new cluster's write leads back to the user, layer by layer."""
    by_id = {r["request"]: r for r in found}
    write = [r for r in found if r["op"] == "write" and r["bytes"] == 65536 and
             r["node"] == "file:disk.qcow2" and
             by_id[r["parent"]]["offset"] == 1 << 20][0]
    frames = story.document("backtrace", trace,
                            f"--request={write['request']}")["frames"]
    names = [frame.get("function") for frame in frames]
    at = 0
    for layer in LAYERS:
        if layer not in names[at:]:
            raise AssertionError(f"{layer} is not in {names[at:]}")
        at += names[at:].index(layer) + 1


for _way in WAYS:
    @tap.case(f"requests of a script that writes: {_way}")
    def _(tmp, way=_way):
        path = story.image(os.path.join(tmp, "disk.qcow2"), "16M", WRITES)
        trace = os.path.join(tmp, "trace")
        words = [word for command in WRITING for word in ("-c", command)]
        story.record(trace, story.IO, *WAYS[way], "-f", "qcow2", *words, path)
        found = story.requests(trace, "--all")
        story.check_sums(found)
        users = [r for r in found if r["layer"] == "blk"]
        tap.equal([(r["op"], r["offset"], r["bytes"], r["ret"])
                   for r in users], WRITTEN, "requests of layer blk")
        by_id = {r["request"]: r for r in found}
        for request in found:
            parent = by_id.get(request["parent"])
            if parent and not (parent["begin_ns"] <= request["begin_ns"] and
                               request["end_ns"] <= parent["end_ns"]):
                raise AssertionError(f"{request} is not inside {parent}")
        for user in users:
            nodes = [r for r in found if r["parent"] == user["request"]]
            tap.equal([(r["op"], r["node"]) for r in nodes],
                      [(user["op"], "qcow2:disk.qcow2")])
        check_layers(trace, found)


@tap.case("what drains an image, moves it, and writes the graph is recorded")
def _(tmp):
    path = story.image(os.path.join(tmp, "disk.qcow2"), "4M",
                       ("write -q 0 64k",))
    trace = os.path.join(tmp, "trace")
    story.record(trace, story.IO, "--iothread", "-f", "qcow2", "-c", "read 0 4k",
                 "-c", "aio_write -q 64k 64k", "-c", "reopen -c unsafe",
                 "-c", "aio_flush", "-c", "read 64k 4k", path)
    text = story.run("babeltrace2", trace).out
    for name, least in (("graph_drained_begin", 1), ("graph_drained_end", 1),
                        ("graph_move", 2), ("graph_wrlock_entry", 2),
                        ("graph_wrlock_return", 2), ("graph_wrunlock", 2)):
        found = text.count(f" cotrace:{name}:")
        tap.equal(found >= least, True, f"{name}: {found}")
    tap.equal('name = "qcow2:disk.qcow2"' in text, True, "the node's name")
    found = story.requests(trace, "--all")
    story.check_sums(found)
    tap.equal([r for r in found if not r["complete"]], [])



if not shutil.which("qemu-io"):
    print("1..0 # SKIP qemu-io is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
