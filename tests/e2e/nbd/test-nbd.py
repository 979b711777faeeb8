#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace-nbd and the clients that people have: qemu-io, qemu-img, nbdinfo,
nbdcopy; its options, and its end."""
import os
import shutil
import signal
import socket
import struct
import sys
import time

import tap
from nbd import (NBD, READ, REQUEST_MAGIC, WRITE, Client, Closed, Server, TcpServer,
                 aio)
from story import run

ENGINES = ("threads", "native", "io_uring")


def disk(tmp, format, size="24M"):
    """An image with data, zeroes and holes; (image, the same as a raw file)"""
    image, plain = os.path.join(tmp, "disk"), os.path.join(tmp, "plain")
    run("qemu-img", "create", "-q", "-f", "raw", plain, size)
    run("qemu-io", "-f", "raw", "-c", "write -q -P 0x11 0 3M",
        "-c", "write -q -P 0x22 4130k 700k", "-c", "write -q -P 0x33 20M 1000k",
        plain)
    run("qemu-img", "convert", "-f", "raw", "-O", format, plain, image)
    return image, plain


def check(image, format):
    if format == "qcow2":
        run("qemu-img", "check", "-q", "-f", format, image)


def compare(image, format, plain):
    run("qemu-img", "compare", "-q", "-f", format, "-F", "raw", image, plain)


WRITES = ("write -q -P 0x41 0 5000", "write -q -P 0x42 2M 3M",
          "write -q -f -P 0x43 65000 2000", "write -q -z 4096 8192",
          "write -q -z -u 4M 512k", "aio_write -q -P 0x44 8M 1M",
          "aio_write -q -P 0x45 10M 64k", "aio_flush", "flush",
          "discard -q 15M 1M", "write -q -P 0x46 24574k 2k")
READS = ("read -P 0x41 0 4096", "read -P 0x42 2560k 1M", "read -P 0x43 65000 2000",
         "read -P 0 4096 8192", "read -P 0x44 8M 1M", "read -P 0 12M 1M",
         "read -P 0x46 24574k 2k", "length")


def qemu_io(uri, commands):
    words = [word for command in commands for word in ("-c", command)]
    done = run("qemu-io", "-f", "raw", *words, uri)
    if "failed" in done.out or "error" in done.err:
        raise AssertionError(done.out + done.err)
    return [line for line in done.out.splitlines() if "ops;" not in line]


def driven_by_qemu(format, engine, *options):
    @tap.case(f"qemu-io and qemu-img: {' '.join((format, engine, *options))}")
    def _(tmp):
        image, plain = disk(tmp, format)
        with Server(tmp, image, "-f", format, *aio(engine, options), "-t",
                    "--discard", "unmap", *options) as server:
            run("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw",
                server.uri, plain)
            got = qemu_io(server.uri, WRITES + READS)
            want = qemu_io(plain, WRITES + READS)
            tap.equal(got, want, "what qemu-io says")
            run("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw",
                server.uri, plain)
        compare(image, format, plain)
        check(image, format)


for each in ("raw", "qcow2"):
    for one in ENGINES:
        driven_by_qemu(each, one)
driven_by_qemu("qcow2", "threads", "--iothread", "-e", "0")
driven_by_qemu("raw", "io_uring", "--iothread", "--cache", "writethrough")
driven_by_qemu("qcow2", "threads", "--cache", "unsafe")
driven_by_qemu("qcow2", "native", "--cache", "directsync")
driven_by_qemu("raw", "io_uring", "-n")


@tap.case("what lies where is told as by qemu-nbd")
def _(tmp):
    for format in ("raw", "qcow2"):
        image, _ = disk(tmp, format)
        maps = []
        for program in (NBD, "qemu-nbd"):
            with Server(tmp, image, "-f", format, "-r", "-t",
                        program=program) as server:
                maps.append(run("nbdinfo", "--map", "--json", server.uri).out)
                maps.append(run("qemu-img", "map", "-f", "raw",
                                "--output=json", server.uri).out)
        tap.equal(maps[:2], maps[2:], format)


@tap.case("nbdcopy there and back, over one connection and over four")
def _(tmp):
    for format in ("raw", "qcow2"):
        image, plain = disk(tmp, format)
        fresh, back = (os.path.join(tmp, name) for name in ("fresh", "back"))
        run("qemu-img", "create", "-q", "-f", format, fresh, "24M")
        for connections in ("1", "4"):
            with Server(tmp, image, "-f", format, "-r", "-t",
                        "-e", "0") as source, \
                 Server(tmp, fresh, "-f", format, "-t", "-e", "0",
                        "--discard", "unmap", name="t") as target:
                run("nbdcopy", f"--connections={connections}", source.uri, back)
                run("cmp", back, plain)
                run("nbdcopy", f"--connections={connections}", "--flush",
                    source.uri, target.uri)
                run("nbdcopy", back, target.uri)
            compare(fresh, format, plain)
            check(fresh, format)


@tap.case("nbdinfo: name, description, size, what can be done")
def _(tmp):
    image, _ = disk(tmp, "qcow2")
    with Server(tmp, image, "-x", "the disk", "-D", "what it is", "-t",
                "-r") as server:
        uri = f"nbd+unix:///the%20disk?socket={server.path}"
        out = run("nbdinfo", "--list", server.uri).out
        for word in ('export="the disk"', "what it is", "base:allocation",
                     "is_read_only: true", "can_multi_conn: false",
                     "can_trim: false", "block_size_minimum: 1",
                     "block_size_preferred: 65536",
                     "block_size_maximum: 33554432",
                     "export-size: 25165824"):
            if word not in out:
                raise AssertionError(f"no {word} in {out}")
        run("nbdinfo", "--size", uri)
        refused = run("nbdinfo", server.uri, status=1).err
        if "replied with error" not in refused:
            raise AssertionError(refused)


# --- options and the end ------------------------------------------------------


def refused(words, text, status=2):
    done = run(NBD, *words, status=status)
    tap.equal(done.err, f"cotrace-nbd: {text}\n", words)
    tap.equal(done.out, "", "standard output")


@tap.case("options that make no sense are refused, in one line")
def _(tmp):
    image, _ = disk(tmp, "raw")
    path = os.path.join(tmp, "s")
    for option in ("snapshot", "fork", "list", "image-opts",
                   "allocation-depth", "verbose", "disconnect"):
        refused([f"--{option}", image], f"--{option} is not supported")
    for option in ("tls-creds", "bitmap", "offset", "object", "connect",
                   "detect-zeroes", "load-snapshot"):
        refused([f"--{option}", "x", image], f"--{option} is not supported")
    for letter, option in (("-s", "snapshot"), ("-L", "list"), ("-v", "verbose")):
        refused([letter, image], f"--{option} is not supported")
    refused(["--cache", "x", image], "--cache x is not supported")
    refused(["--aio", "x", image], "--aio x is not supported")
    refused(["--discard", "x", image], "--discard x is not supported")
    for words in ("-n --cache=none", "--cache=unsafe -n", "-n -n"):
        refused([*words.split(), image],
                "-n and --cache can only be specified once")
    for option, value in (("--aio", "threads"), ("--discard", "unmap")):
        refused([option, value, option, value, image],
                f"{option} can only be specified once")
    refused(["-k", "", image], "--socket: an empty path")
    refused(["-p", "0", image], "--port 0: not a number from 1 to 65535")
    refused(["-e", "x", image], "--shared x: not a number from 0 to 2147483647")
    refused(["-x", "x" * 4097, image], "--export-name: more than 4096 bytes")
    refused([], "no image; try --help")
    refused(["--foo", image], "--foo: no such option; try --help")
    refused(["-z", image], "-z: no such option; try --help")
    refused(["--p", image], "--p: no such option; try --help")
    refused(["-k"], "-k: needs a value; try --help")
    refused(["--port"], "--port: needs a value; try --help")
    refused(["--persistent=1", image],
            "--persistent=1: takes no value; try --help")
    refused([image, image], "more than one image")
    refused(["-k", path, "-p", "10809", image], "--socket or --port, not both")
    refused(["-b", "::1", image], "--bind needs --port")
    refused([image], "where to listen: --socket or --port")
    refused(["-k", path, image + "x"], f"{image}x: No such file or directory")
    refused(["-k", path, "-f", "x", image], f"{image}: unknown format 'x'")
    refused(["-k", "x" * 108, image], "x" * 108 + ": File name too long")
    refused(["-k", os.path.join(tmp, "no", "s"), image],
            f"{tmp}/no/s: No such file or directory")
    for options in ((), ("--iothread",)):
        refused([*options, "-k", path, "-f", "qcow2", image],
                f"{image}: not a qcow2 image")
    tap.equal(run(NBD, "--help").out.split()[0], "usage:", "--help")
    tap.equal(run(NBD, "--version").out.split()[0], "cotrace-nbd", "--version")
    if os.path.exists(path):
        raise AssertionError("a socket is left")


@tap.case("a socket that is in use stays, one that was left behind goes")
def _(tmp):
    image, _ = disk(tmp, "raw")
    with Server(tmp, image, "-t") as server:
        refused(["-k", server.path, image],
                f"{server.path}: Address already in use")
        server.kill()
    with Server(tmp, image, "-t") as server:
        run("nbdinfo", "--size", server.uri)
    with open(server.path, "w", encoding="utf-8") as file:
        file.write("mine")
    refused(["-k", server.path, image],
            f"{server.path}: Address already in use")


@tap.case("TCP, loopback unless told otherwise")
def _(tmp):
    image, plain = disk(tmp, "raw")
    with TcpServer(tmp, image, "-t") as server:
        with open(server.path, encoding="utf-8") as text:
            tap.equal(int(text.read()), server.pid, "pid file")
        run("nbdcopy", server.uri, os.path.join(tmp, "back"))
        run("cmp", os.path.join(tmp, "back"), plain)
        tap.equal(server.listens(), [f"0100007F:{server.port:04X}"],
                  "where it listens")
    tap.equal(os.path.exists(server.path), False, "pid file")


@tap.case("sockets that are inherited, as libnbd's tools hand them over")
def _(tmp):
    image, _ = disk(tmp, "qcow2")
    out = run("nbdinfo", "--size", "--", "[", NBD, "-f", "qcow2",
              image, "]").out
    tap.equal(int(out), 24 << 20, "size")


@tap.case("the last client takes the server with it, unless it is persistent")
def _(tmp):
    image, _ = disk(tmp, "raw")
    with Server(tmp, image, "-e", "2") as server:
        with Client(server).go(), Client(server).go():
            pass
        server.wait()
    tap.equal(os.path.exists(server.path), False, "the socket")
    with Server(tmp, image, "-t") as server:
        for _ in range(3):
            run("nbdinfo", "--size", server.uri)
    with Server(tmp, image) as server:  # who negotiates only is no client
        run("nbdinfo", "--list", server.uri)
        with Client(server).go():
            pass
        server.wait()


@tap.case("no more clients at a time than were allowed")
def _(tmp):
    image, _ = disk(tmp, "raw")
    with Server(tmp, image, "-t", "-e", "2") as server:
        with Client(server).go() as a, Client(server).go() as b:
            with Client(server, flags=None) as waiting:
                waiting.socket.settimeout(0.1)
                try:
                    raise AssertionError(f"served: {waiting.take(1)}")
                except socket.timeout:
                    pass
                a.close()
                waiting.socket.settimeout(60)
                tap.equal(len(waiting.take(18)), 18, "greeting")
            tap.equal(b.call(0, 0, 512)[0], 0, "read")


@tap.case("SIGTERM and SIGINT: what was begun ends, and is on the disk")
def _(tmp):
    for number, options in ((signal.SIGTERM, ()), (signal.SIGINT, ("--iothread",)),
                            (signal.SIGHUP, ("--aio", "io_uring"))):
        image, _ = disk(tmp, "qcow2")
        with Server(tmp, image, "-t", "-e", "0", *options) as server:
            with Client(server).go() as client, Client(server) as idle:
                data = b"\x77" * (1 << 20)
                for n in range(8):
                    client.request(1, n << 20, len(data), data, cookie=n)
                client.request(0, 0, 4096, cookie=99)
                server.process.send_signal(number)
                answered = set()
                try:
                    while len(answered) < 9:
                        error, cookie = struct.unpack(">4xIQ", client.take(16))
                        client.take(4096 if cookie == 99 else 0)
                        tap.equal(error, 0, "error")
                        answered.add(cookie)
                except Closed:
                    pass
                tap.equal(idle.is_closed(), True, "who has not negotiated")
            server.wait()
        # What was answered is there.
        for n in sorted(answered - {99}):
            out = run("qemu-io", "-f", "qcow2", "-r", "-c",
                      f"read -P 0x77 {n}M 1M", image).out
            tap.equal("failed" in out, False, out)
        check(image, "qcow2")
        tap.note(f"{len(answered)} of 9 answered before the end")


@tap.case("the end, in the middle of data that nobody wants: what was answered stays")
def _(tmp):
    image, plain = disk(tmp, "raw")
    with open(plain, "rb") as file:
        want = file.read(256 << 10)
    with TcpServer(tmp, image) as server, Client(server).go() as client:
        client.request(READ, 0, len(want), cookie=1)
        # More than a payload may be; its data would be thrown away.
        client.request(WRITE, 0, 40 << 20, bytes(1000), cookie=2)
        head = client.take(16)
        stopped = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        while server.is_listening():
            time.sleep(0.005)
        client.send(bytes(100000))
        tap.equal(struct.unpack(">4xIQ", head), (0, 1), "read")
        try:
            tap.equal(client.take(len(want)) == want, True, "data")
            tap.equal(struct.unpack(">4xIQ", client.take(16)), (22, 2), "write")
            tap.equal(client.is_closed(), True, "closed")
        except Closed:
            if time.monotonic() - stopped < 1.9:
                raise
            tap.note("too slow to tell")


@tap.case("a client can't make a raw disk an image that names the host's files")
def _(tmp):
    secret, evil = os.path.join(tmp, "secret"), os.path.join(tmp, "evil")
    with open(secret, "w", encoding="utf-8") as file:
        file.write("of the host" * 100)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", secret, "-F",
        "raw", evil, "1M")
    with open(evil, "rb") as file:
        header = file.read()
    image, _ = disk(tmp, "raw", "24M")
    for turn in range(2):
        with Server(tmp, image, "-t") as server, Client(server).go() as client:
            tap.equal(client.size, 24 << 20, f"{turn}: it is raw")
            tap.equal(client.call(WRITE, 0, 0, header)[0], 1, "EPERM")
            # A part that is none of it, then what lacks
            tap.equal(client.call(WRITE, 0, 0, header[:3])[0], 0, "write")
            tap.equal(client.call(WRITE, 3, 0, header[3:])[0], 1, "EPERM")
            tap.equal(client.call(WRITE, 512, 0, header[512:])[0], 0, "write")
        tap.equal("-f raw" in server.err and len(server.err.splitlines()), 1,
                  server.err)
    with Server(tmp, image, "-t", "-f", "raw") as server:
        with Client(server).go() as client:
            tap.equal(client.call(WRITE, 0, 0, header)[0], 0, "as it was said")
    tap.equal(server.err, "", "stderr")


@tap.case("the end, while a client goes on asking: all that was begun is answered")
def _(tmp):
    image, plain = disk(tmp, "raw")
    begun = 24  # of 1 MiB each: more than a socket holds
    with open(plain, "rb") as file:
        bytes_of = [file.read(1 << 20) for _ in range(begun)]
    for kind in (Server, TcpServer):
        with kind(tmp, image) as server, Client(server).go() as client:
            client.send(b"".join(
                struct.pack(">IHHQQI", REQUEST_MAGIC, 0, READ, n, n << 20,
                            1 << 20) for n in range(begun)))
            head = client.take(16)
            stopped = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            while server.is_listening():
                time.sleep(0.005)
            client.request(READ, 0, 512, cookie=99)
            answered = []
            try:
                while True:
                    error, cookie = struct.unpack(">4xIQ", head)
                    tap.equal((error, client.take(1 << 20) == bytes_of[cookie]),
                              (0, True), f"answer {cookie}")
                    answered.append(cookie)
                    head = client.take(16)
            except Closed:
                pass
            # It does not wait for longer than 2 s.
            if time.monotonic() - stopped > 1.9:
                tap.note(f"too slow to tell; {len(answered)} answers")
            else:
                tap.equal(sorted(answered), list(range(begun)), kind.__name__)


if __name__ == "__main__":
    for program in ("qemu-io", "nbdinfo", "nbdcopy", "qemu-nbd"):
        if not shutil.which(program):
            print(f"1..0 # SKIP no {program}")
            sys.exit(77)
    tap.main(sys.argv[1:])
