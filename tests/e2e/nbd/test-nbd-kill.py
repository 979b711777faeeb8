#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace-nbd is killed at any moment of a write load.

Two clients keep writes, zeroes, FUA writes and flushes in flight.  After a
number of answers that chance picks the server gets SIGKILL.  Then `qemu-img
check` finds no corruption (leaked clusters are allowed), and each sector holds
what was last written to it with FUA, or was answered before a flush began that
was answered as well, or what was written later.

Nobody writes where a write is in flight, so a sector's writes have an order.
"""
import os
import random
import select
import shutil
import struct
import sys

import story
import tap
from nbd import Client, Closed, FLUSH, FUA, NO_HOLE, Server, WRITE, ZEROES, aio

KILLS = 4 if story.IS_SAMPLE else 50
SECTOR = 512
SIZE = 4 << 20
DEPTH = 16
IMAGES = [("defaults", []), ("cluster_size=4k", ["-o", "cluster_size=4k"]),
          ("lazy refcounts", ["-o", "lazy_refcounts=on,cluster_size=4k"]),
          ("raw", None)]
WAYS = [[], ["--iothread"], ["--aio", "io_uring"], [*aio("native")],
        ["--cache", "writethrough"]]


class History:
    """What each sector may hold: [(version, value) since it was last safe]"""

    def __init__(self):
        self.may = [[(0, 0)] for _ in range(SIZE // SECTOR)]
        self.acked = [0] * len(self.may)  # versions that have been answered
        self.busy = set()
        self.version = 0

    def begin(self, first, n, value):
        sectors = range(first, first + n)
        if not self.busy.isdisjoint(sectors):
            return False
        self.version += 1
        self.busy.update(sectors)
        for sector in sectors:
            self.may[sector].append((self.version, value))
        return True

    def end(self, first, n, is_safe):
        for sector in range(first, first + n):
            self.busy.discard(sector)
            self.acked[sector] = self.may[sector][-1][0]
            if is_safe:
                self.may[sector] = self.may[sector][-1:]

    def flushed(self, acked):
        """@acked: what had been answered when the flush began."""
        for sector, version in enumerate(acked):
            self.may[sector] = [it for it in self.may[sector]
                                if it[0] >= version]


class Load:
    """One client of the server, with requests in flight."""

    def __init__(self, server, chance, history, number, is_safe):
        self.client = Client(server).go(structured=number % 2 == 0)
        self.chance, self.history, self.is_safe = chance, history, is_safe
        self.in_flight = {}
        self.number = number
        self.asked = 0

    def ask(self):
        chance, history = self.chance, self.history
        self.asked += 1
        value = self.asked * 2 + self.number
        if chance.random() < 0.08:
            self.in_flight[value] = ("flush", list(history.acked))
            self.client.request(FLUSH, cookie=value)
            return
        while True:
            n = chance.choice((1, 8, 8, 8, 127, 128, 300))
            first = chance.randrange(SIZE // SECTOR - n)
            is_zero = chance.random() < 0.15
            if history.begin(first, n, 0 if is_zero else value):
                break
        fua = FUA if chance.random() < 0.1 else 0
        self.in_flight[value] = ("write", first, n, fua)
        if is_zero:
            self.client.request(ZEROES, first * SECTOR, n * SECTOR, b"",
                                fua | chance.choice((0, NO_HOLE)), value)
        else:
            self.client.request(WRITE, first * SECTOR, n * SECTOR,
                                struct.pack(">Q", value) * (n * SECTOR // 8),
                                fua, value)

    def answer(self):
        cookie, error, _ = self.client.answer()
        tap.equal(error, 0, f"answer to {self.in_flight[cookie]}")
        kind, *rest = self.in_flight.pop(cookie)
        if kind == "flush":
            self.history.flushed(rest[0])
        else:
            first, n, fua = rest
            self.history.end(first, n, fua or self.is_safe)

    def fill(self):
        while len(self.in_flight) < DEPTH:
            self.ask()


def drive(loads, answers):
    """Until so many answers have come."""
    by_socket = {load.client.socket: load for load in loads}
    while answers > 0:
        for load in loads:
            load.fill()
        for ready in select.select(list(by_socket), [], [], 60)[0]:
            by_socket[ready].answer()
            answers -= 1


def collect(loads):
    """What the server had answered before it died."""
    for load in loads:
        try:
            while load.in_flight:
                load.answer()
        except Closed:
            pass
        load.client.close()


def check(tmp, image, format, history):
    if format == "qcow2":
        # A dirty image is repaired by who opens it next.
        story.run(story.IO, "-f", format, "-c", "length", image)
        done = story.run("qemu-img", "check", "-f", format, image, status=None)
        tap.equal(done.returncode in (0, 3), True, done.out + done.err)
    plain = os.path.join(tmp, "plain")
    story.run("qemu-img", "convert", "-f", format, "-O", "raw", image, plain)
    with open(plain, "rb") as file:
        for sector, values in enumerate(history.may):
            data = file.read(SECTOR)
            value, = struct.unpack(">Q", data[:8])
            if data != data[:8] * (SECTOR // 8) or \
                    value not in (it[1] for it in values):
                raise AssertionError(f"sector {sector} holds {value}, may "
                                     f"hold {values}")


def one_kill(tmp, seed, options):
    chance = random.Random(seed)
    format = "raw" if options is None else "qcow2"
    image = os.path.join(tmp, "disk")
    story.run("qemu-img", "create", "-q", "-f", format, *(options or []), image,
              SIZE)
    way = WAYS[seed % len(WAYS)]
    server = Server(tmp, image, "-f", format, "-t", "-e", "0", "--discard",
                    "unmap", *way)
    history = History()
    with server:
        loads = [Load(server, chance, history, number,
                      "writethrough" in way) for number in range(2)]
        drive(loads, chance.randrange(1, 400))
        server.kill()
        collect(loads)
    check(tmp, image, format, history)
    with Server(tmp, image, "-f", format) as again:
        with Client(again).go() as client:
            tap.equal(client.call(WRITE, 0, data=b"x" * SECTOR, flags=FUA)[0],
                      0, "a write after that")
        again.wait()


def killed(name, options):
    @tap.case(f"killed {KILLS} times: {name}")
    def _(tmp):
        first = int(os.environ.get("COTRACE_SEED", "0"))
        for seed in range(first, first + KILLS):
            try:
                one_kill(tmp, seed, options)
            except BaseException:
                tap.note(f"seed {seed}")
                raise


for _name, _options in IMAGES:
    killed(_name, _options)

if not shutil.which("qemu-img"):
    print("1..0 # SKIP qemu-img is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
