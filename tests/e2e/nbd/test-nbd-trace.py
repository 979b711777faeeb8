#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a recording tells of cotrace-nbd: each client's request is one of layer
nbd, with the block layer's below it, and all of its time accounted for."""
import os
import signal
import sys

import tap
from nbd import (Client, EIO, FLUSH, FUA, READ, STATUS, Server, TRIM, WRITE,
                 ZEROES, aio)
from story import COTRACE, check_sums, document, image, requests, run

KIB = 1024
SCRIPT = [(READ, 0, 64 * KIB, b"", 0), (WRITE, 20 << 20, 0, b"w" * 4096, 0),
          (WRITE, 21 << 20, 0, b"w" * 512, FUA), (FLUSH, 0, 0, b"", 0),
          (TRIM, 20 << 20, 64 * KIB, b"", 0),
          (ZEROES, 8 << 20, 64 * KIB, b"", 0),
          (STATUS, 0, 4 << 20, b"", 0)]
WORDS = {READ: "read", WRITE: "write", FLUSH: "flush", TRIM: "discard",
         ZEROES: "write", STATUS: "status"}


def child_of(pid, name):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as text:
        for child in text.read().split():
            with open(f"/proc/{child}/comm", encoding="utf-8") as comm:
                if comm.read().strip() == name:
                    yield int(child)


class Recorded(Server):
    """SIGTERM goes to the program: `record` ends with it, by its status."""

    def __init__(self, tmp, *words, **more):
        self.trace = os.path.join(tmp, "trace")
        super().__init__(tmp, *words, wrapper=(COTRACE, "record", "-o",
                                               self.trace, "--"), **more)

    def stop(self, status=0):
        program, = child_of(self.pid, "cotrace-nbd")
        os.kill(program, signal.SIGTERM)
        return self.wait(status)


def descendants(found, request):
    children = [r for r in found if r["parent"] == request["request"]]
    return children + [d for c in children for d in descendants(found, c)]


def recorded(engine, *options):
    @tap.case(f"requests of two clients, {' '.join((engine, *options))}")
    def _(tmp):
        disk = image(os.path.join(tmp, "disk.qcow2"))
        with Recorded(tmp, disk, "-f", "qcow2", "-t", "-e", "0",
                      *aio(engine), "--discard", "unmap", *options) as server:
            with Client(server).go(allocation=True) as one, \
                 Client(server).go() as two:
                for step in SCRIPT:
                    tap.equal(one.call(*step)[0], 0, step)
                # In flight together, answered in any order
                for n in range(40):
                    two.request(READ, n * 100 * KIB, 100 * KIB, cookie=n)
                got = {two.answer(100 * KIB)[0] for _ in range(40)}
                tap.equal(got, set(range(40)), "answers")
        found = requests(server.trace, "--all")
        check_sums(found)
        ours = [r for r in found if r["layer"] == "nbd"]
        tap.equal(all(r["complete"] and r["ret"] == 0 for r in ours), True, ours)
        tap.equal({r["parent"] for r in ours}, {None}, "they are outermost")
        tap.equal({r["node"] for r in ours}, {"qcow2:disk.qcow2"}, "node")
        tap.equal([(r["op"], r["offset"], r["bytes"])
                   for r in sorted(ours, key=lambda r: r["begin_ns"])[:7]],
                  [(WORDS[kind], offset, length or len(data))
                   for kind, offset, length, data, _ in SCRIPT], "one by one")
        tap.equal(len(ours), len(SCRIPT) + 40, "requests")
        for request in ours:
            if request["op"] == "status":
                continue
            below = descendants(found, request)
            tap.equal(below[0]["layer"], "blk", request)
            tap.equal((below[0]["op"], below[0]["offset"], below[0]["bytes"]),
                      tuple(request[k] for k in ("op", "offset", "bytes")),
                      "what the block layer is asked")
            tap.equal({r["layer"] for r in below}, {"blk", "bdrv"}, "layers")
            for inner in below:
                if not request["begin_ns"] <= inner["begin_ns"] <= \
                        inner["end_ns"] <= request["end_ns"]:
                    raise AssertionError(f"{inner} is not inside {request}")
        stat = document("stat", server.trace)
        tap.equal((stat["discarded"], stat["complete"]), (0, True), "stat")


recorded("threads")
recorded("io_uring", "--iothread")
recorded("native")


@tap.case("a backtrace leads from the image's file to the client's request")
def _(tmp):
    disk = image(os.path.join(tmp, "disk.qcow2"))
    with Recorded(tmp, disk, "-t") as server:
        with Client(server).go() as client:
            client.call(READ, 0, 512 * KIB)
    request, = [r for r in requests(server.trace) if r["layer"] == "nbd"]
    frames = document("backtrace", server.trace,
                      f"--request={request['request']}")["frames"]
    names = [frame.get("function") or f"[{frame['boundary']}]"
             for frame in frames]
    want = ["raw_co_prw", "bdrv_co_preadv_part", "blk_co_preadv",
            "nbd_request_entry", "coroutine_trampoline", "[coroutine]",
            "nbd_client_receive", "aio_poll", "main"]
    at = [names.index(name) for name in want]
    tap.equal(at, sorted(at), f"their order in {names}")


@tap.case("a fault is the result of the request, on every layer")
def _(tmp):
    disk = image(os.path.join(tmp, "disk"), commands=())
    run("qemu-img", "convert", "-O", "raw", disk, disk + ".raw")
    with Recorded(tmp, disk + ".raw", "-f", "raw", "-t", "--fault",
                  "read@2=EIO") as server:
        with Client(server).go() as client:
            errors = [client.call(READ, n * KIB, KIB)[0] for n in range(3)]
    tap.equal(errors, [0, EIO, 0], "the client's")
    found = requests(server.trace, "--all")
    check_sums(found)
    failed = [r for r in found if r["ret"] and r["ret"] < 0]
    tap.equal({(r["layer"], r["offset"], r["ret"]) for r in failed},
              {("nbd", KIB, -EIO), ("blk", KIB, -EIO), ("bdrv", KIB, -EIO)},
              "the trace's")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
