#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that make mistakes, mean harm, or just go: cotrace-nbd answers with
the right error or closes the connection, serves the others, and has no more
memory and file descriptors afterwards than before."""
import contextlib
import os
import random
import signal
import struct
import subprocess
import sys

import tap
from nbd import (ABORT, ACK, Client, Closed, DF,
                 EINVAL, EIO, ENOSPC, ENOTSUP, EPERM, EXPORT_NAME, FAST_ZERO,
                 FLUSH, FUA, GO, INFO, INVALID, LIST, LIST_META, NO_HOLE,
                 READ, REQ_ONE, SET_META, STARTTLS, STATUS, STRUCTURED, Server,
                 NBD, TOO_BIG, TRIM, UNKNOWN, UNSUP, WRITE, ZEROES, aio)
from story import BUILD, HAS_SANITIZER, IS_SAMPLE, run

SIZE = 1 << 20


def disk(tmp, format="raw", size=SIZE):
    image = os.path.join(tmp, "disk")
    run("qemu-img", "create", "-q", "-f", format, image, str(size))
    run("qemu-io", "-f", format, "-c", f"write -q -P 0x5a 0 {size}", image)
    return image


def serve(tmp, *options, **more):
    return Server(tmp, disk(tmp), "-f", "raw", "-t", "-e", "0", *options,
                  **more)


class Watch:
    """Another client is served all the time, and nothing is left over."""

    def __init__(self, server):
        self.server = server
        self.client = Client(server).go()
        self.look()  # an engine may open something of its own
        self.fds = server.fds()

    def look(self):
        tap.equal(self.client.call(READ, 512, 512), (0, b"\x5a" * 512),
                  "another client's read")

    def end(self):
        self.look()
        self.server.settle(self.fds)


@tap.case("a client that goes before its GO is answered was never served")
def _(tmp):
    with Server(tmp, disk(tmp), "-f", "raw", "-e", "0") as server:
        client = Client(server)
        os.kill(server.pid, signal.SIGSTOP)
        os.waitpid(server.pid, os.WUNTRACED)
        client.option(GO, client.named())
        client.request(WRITE, 0, 512, b"x" * 512)
        client.close()
        os.kill(server.pid, signal.SIGCONT)
        # Without -t the server ends with its last served client: not with it.
        other = Client(server).go()
        tap.equal(other.call(READ, 0, 512), (0, b"\x5a" * 512), "its write")
        other.close()
        server.wait()


@tap.case("options: the right error for each mistake")
def _(tmp):
    with serve(tmp, "-x", "disk") as server, Client(server) as client:
        def kind(option, data=b""):
            return [reply[0] for reply in client.ask(option, data)]

        for option in (0, 4, STARTTLS, 11, 12, 99, 0xffffffff):
            tap.equal(kind(option), [UNSUP], f"option {option}")
            tap.equal(kind(option, b"x" * 100), [UNSUP], f"option {option}")
        for option in (LIST, STRUCTURED):
            tap.equal(kind(option, b"x"), [INVALID], f"option {option}")
        for option in (INFO, GO):
            tap.equal(kind(option, client.named(b"")), [UNKNOWN], "name")
            tap.equal(kind(option, client.named(b"x" * 4097)), [INVALID], "long")
            for data in (b"", b"\0" * 5, struct.pack(">IH", 9, 0),
                         struct.pack(">IH", 0xffffffff, 0),
                         client.named(b"disk") + b"x",
                         client.named(b"disk")[:-2] + b"\0\1"):
                tap.equal(kind(option, data), [INVALID], data)
            tap.equal(kind(option, b"\0" * 16385), [TOO_BIG], "16385 bytes")
        for option in (LIST_META, SET_META):
            data = client.queries(b"base:allocation", name=b"disk")
            tap.equal(kind(option, data), [INVALID], "not structured")
        tap.equal(kind(STRUCTURED), [ACK], "structured")
        for option in (LIST_META, SET_META):
            tap.equal(kind(option, client.queries()), [UNKNOWN], "name")
            for n in range(4, len(data)):
                tap.equal(kind(option, data[:n]), [INVALID], f"{n} bytes")
        tap.equal(kind(INFO, client.named(b"disk"))[-1], ACK, "after all that")
        client.option(ABORT)
        tap.equal(client.reply(ABORT), (ACK, b""), "abort")
        tap.equal(client.is_closed(), True, "after abort")


@tap.case("what can't be answered closes the connection")
def _(tmp):
    with serve(tmp) as server:
        watch = Watch(server)

        def closed(what, *said, flags=3):
            with Client(server, flags=flags) as client:
                for data in said:
                    try:
                        client.send(data)
                    except Closed:
                        break
                tap.equal(client.is_closed(), True, what)
            watch.look()

        head = struct.Struct(">QII")
        closed("unknown flags", flags=4)
        closed("all flags", flags=0xffffffff)
        closed("option magic", head.pack(0x49484156454f5055, LIST, 0))
        closed("not fixed, yet an option", head.pack(0x49484156454f5054, LIST, 0),
               flags=0)
        closed("another name",
               head.pack(0x49484156454f5054, EXPORT_NAME, 1) + b"x")
        closed("a name without end",
               head.pack(0x49484156454f5054, EXPORT_NAME, 0xffffffff))
        with Client(server) as client:
            client.option(GO, length=0xffffffff)
            tap.equal(client.reply(GO)[0], TOO_BIG, "4 GiB of option")
            tap.equal(client.is_closed(), True, "4 GiB of option")
        for magic in (0, 0x12560953, 0x67446698, 0x21e41c71):
            with Client(server).go() as client:
                client.request(READ, 0, 512, magic=magic)
                tap.equal(client.is_closed(), True, f"magic {magic:#x}")
        watch.end()


@tap.case("requests: the right error for each mistake")
def _(tmp):
    for structured in (False, True):
        with serve(tmp) as server, \
             Client(server).go(structured=structured) as client:
            def error(*words, **more):
                return client.call(*words, **more)[0]

            far = 1 << 63
            for kind in (5, 8, 9, 255, 0xffff):
                tap.equal(error(kind, 0, 512), EINVAL, f"command {kind}")
            for kind, beyond in ((READ, EINVAL), (TRIM, EINVAL),
                                 (ZEROES, ENOSPC)):
                for offset, length in ((SIZE, 1), (SIZE - 1, 2), (0, SIZE + 1),
                                       (far, 512), (2**64 - 1, 2),
                                       (2**64 - 512, 512)):
                    tap.equal(error(kind, offset, length), beyond,
                              f"{kind} {offset} {length}")
            for offset in (SIZE - 511, SIZE, far, 2**64 - 256):
                tap.equal(error(WRITE, offset, data=b"x" * 512), ENOSPC,
                          f"write at {offset}")
            for length in ((32 << 20) + 1, 2**32 - 1):
                tap.equal(error(READ, 0, length), EINVAL, f"read {length}")
            tap.equal(error(STATUS, 0, 512), EINVAL, "status not agreed on")
            tap.equal(error(READ, 0, 512, flags=DF), 0 if structured else EINVAL,
                      "DF")
            for flags in (NO_HOLE, REQ_ONE, FAST_ZERO, 32, 0x8000):
                tap.equal(error(READ, 0, 512, flags=flags), EINVAL, flags)
                tap.equal(error(WRITE, 0, data=b"x" * 512, flags=flags), EINVAL,
                          flags)
            tap.equal(error(FLUSH, 0, 0, flags=REQ_ONE), EINVAL, "flags")
            # A write that is refused is followed by the next request.
            client.request(WRITE, 0, 40 << 20, b"y" * (40 << 20), cookie=7)
            client.request(READ, 0, 512, cookie=8)
            tap.equal(client.answer(), (7, EINVAL, b""), "write of 40 MiB")
            tap.equal(client.answer(512), (8, 0, b"\x5a" * 512), "next read")
            tap.equal(error(READ, 0, 0), 0, "read of nothing")
            tap.equal(error(WRITE, 0, data=b""), 0, "write of nothing")
            tap.equal(error(TRIM, 0, 0), 0, "trim of nothing")


@tap.case("read-only: writes are refused, and nothing else")
def _(tmp):
    with serve(tmp, "-r") as server, Client(server).go() as client:
        for kind, data in ((WRITE, b"x" * 512), (TRIM, b""), (ZEROES, b"")):
            tap.equal(client.call(kind, 0, 512, data)[0], EPERM, kind)
        tap.equal(client.call(FLUSH), (0, b""), "flush")
        tap.equal(client.call(READ, 0, 512), (0, b"\x5a" * 512), "read")


@tap.case("zeroes, trims and status do what they say")
def _(tmp):
    image = disk(tmp, "qcow2")
    with Server(tmp, image, "-t", "-e", "0", "--discard", "unmap") as server, \
         Client(server).go(allocation=True) as client:
        tap.equal(client.call(STATUS, 0, SIZE), (0, [(SIZE, 0)]), "all data")
        tap.equal(client.call(ZEROES, 0, 128 << 10), (0, b""), "zeroes")
        tap.equal(client.call(ZEROES, 256 << 10, 64 << 10,
                              flags=NO_HOLE | FUA), (0, b""), "no hole")
        tap.equal(client.call(READ, 0, 4096), (0, bytes(4096)), "zeroes")
        error, extents = client.call(STATUS, 0, SIZE)
        tap.equal((error, extents[0][0], extents[0][1] & 2),
                  (0, 128 << 10, 2), "zeroes")
        tap.equal(sum(n for n, _ in extents), SIZE, "all of it")
        one = client.call(STATUS, 0, SIZE, flags=REQ_ONE)
        tap.equal(one, (0, extents[:1]), "one extent")
        tap.equal(client.call(ZEROES, 1000, 100, flags=FAST_ZERO)[0] in
                  (0, ENOTSUP), True, "fast")
        tap.equal(client.call(TRIM, 512 << 10, 128 << 10, flags=FUA), (0, b""),
                  "trim")
        tap.equal(client.call(READ, 512 << 10, 4096), (0, bytes(4096)), "trim")
    run("qemu-img", "check", "-q", image)


@tap.case("a fast zero that would be slow is refused, and writes nothing")
def _(tmp):
    image = disk(tmp, "qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "-b",
        image, "-F", "qcow2", image + "2")
    with Server(tmp, image + "2", "-t") as server, \
         Client(server).go() as client:
        tap.equal(client.call(ZEROES, 0, 4096, flags=FAST_ZERO), (ENOTSUP, b""),
                  "fast")
        tap.equal(client.call(READ, 0, 4096), (0, b"\x5a" * 4096), "read")
        tap.equal(client.call(ZEROES, 0, 4096), (0, b""), "slow")
        tap.equal(client.call(READ, 0, 4096), (0, bytes(4096)), "read")
    # The first cluster alone would be fast.
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=0.10",
        image + "3", "1M")
    data = b"\x5a" * 100000
    with Server(tmp, image + "3", "-t") as server, \
         Client(server).go() as client:
        tap.equal(client.call(WRITE, 0, 0, data), (0, b""), "write")
        tap.equal(client.call(ZEROES, 0, len(data), flags=FAST_ZERO),
                  (ENOTSUP, b""), "fast")
        tap.equal(client.call(READ, 0, len(data)), (0, data), "read")


@tap.case("a client that goes at any byte of what it says")
def _(tmp):
    step = 7 if IS_SAMPLE else 1
    head = struct.Struct(">QII")

    def option(number, data=b""):
        return head.pack(0x49484156454f5054, number, len(data)) + data

    said = (struct.pack(">I", 3) + option(STRUCTURED) +
            option(SET_META, Client.queries(b"base:allocation")) +
            option(INFO, Client.named(b"", 1, 2, 3)) +
            option(GO, Client.named(b"")))
    begin = len(said)
    for kind in (READ, WRITE, ZEROES, STATUS, FLUSH):
        said += struct.pack(">IHHQQI", 0x25609513, 0, kind, 1, 0,
                            0 if kind == FLUSH else 512)
        said += b"\x5a" * 512 if kind == WRITE else b""
    with serve(tmp, "--iothread") as server:
        watch = Watch(server)
        cuts = range(0, len(said) + 1, step)
        for cut in cuts:
            with Client(server, flags=None) as client:
                client.send(said[:cut])
                if cut % 2:  # half of them read what was answered before
                    client.socket.setblocking(False)
                    try:
                        client.socket.recv(1 << 16)
                    except BlockingIOError:
                        pass
        watch.end()
        tap.note(f"{len(cuts)} of {len(said) + 1} bytes, requests from {begin}")


@tap.case("many connections, some of which negotiate or ask before they go")
def _(tmp):
    count = 200 if IS_SAMPLE else 1000
    with serve(tmp) as server:
        watch = Watch(server)
        memory = []
        for _ in range(5):
            clients = []
            for n in range(count):
                client = Client(server, flags=None)
                clients.append(client)
                client.send(struct.pack(">I", 3))
                if n % 3 == 0:
                    client.take(18)
                    client.go()
                    client.request(READ, 0, 65536)
                if n % 50 == 0:
                    watch.look()
            server.settle(watch.fds + count)
            for client in clients:
                client.close()
            watch.end()
            memory.append(server.memory())
        # What is kept for later is bounded, and there after a few turns.
        if not HAS_SANITIZER and memory[-1] > memory[2] + (1 << 20):
            raise AssertionError(f"{memory} bytes")
        tap.note(f"5 x {count} connections; {memory} bytes")


@tap.case("more connections than file descriptors: the others wait")
def _(tmp):
    # prlimit runs the program: the limit is there from its start.
    with serve(tmp, wrapper=("prlimit", "--nofile=48")) as server:
        watch = Watch(server)
        clients = [Client(server, flags=None) for _ in range(60)]
        watch.look()
        clients[0].take(18)
        for client in clients[:30]:
            client.close()
        for client in clients[30:]:
            tap.equal(len(client.take(18)), 18, "greeting")
            client.close()
        watch.end()


@tap.case("a client that asks and never reads: bounded memory, others served")
def _(tmp):
    for options in ((), ("--aio", "io_uring", "--iothread")):
        with serve(tmp, *options) as server:
            watch = Watch(server)
            before = server.memory()
            clients = [Client(server).go() for _ in range(4)]
            for client in clients:
                client.socket.setblocking(False)
                request = struct.pack(">IHHQQI", 0x25609513, 0, READ, 1, 0,
                                      256 << 10)
                try:
                    for _ in range(100000):
                        if client.socket.send(request) < len(request):
                            break
                except BlockingIOError:
                    pass
                watch.look()
            grown = server.memory() - before
            # 32 MiB of data each, and what else a client has
            if not HAS_SANITIZER and \
                    grown > len(clients) * (33 << 20) + (8 << 20):
                raise AssertionError(f"{grown} bytes more")
            for client in clients:
                client.close()
            watch.end()
            tap.note(f"4 clients hold {grown >> 20} MiB")


@tap.case("SIGTERM does not wait for ever for a client that never reads")
def _(tmp):
    with serve(tmp) as server:
        client = Client(server).go()
        client.socket.setblocking(False)
        try:
            while True:
                client.request(READ, 0, SIZE)
        except BlockingIOError:
            pass
        server.stop()
        client.close()


@tap.case("noise")
def _(tmp):
    seed = int(os.environ.get("COTRACE_SEED", "4711"))
    chance = random.Random(seed)
    turns = 150 if IS_SAMPLE else 2000
    with serve(tmp) as server:
        watch = Watch(server)
        for _ in range(turns):
            with Client(server, flags=None) as client:
                try:
                    if chance.random() < 0.5:
                        client.take(18)
                        client.send(struct.pack(">I", 3))
                        client.go(structured=chance.random() < 0.5)
                    for _ in range(chance.randrange(1, 20)):
                        client.request(
                            chance.choice((0, 1, 3, 4, 6, 7, 9)),
                            chance.choice((0, 512, SIZE - 512, 2**63)),
                            chance.choice((0, 1, 512, 65536, 2**31)),
                            chance.randbytes(chance.choice((0, 1, 512, 65536))),
                            chance.choice((0, 0, 0, 1, 2, 31)))
                except Closed:
                    pass
        # Noise may have written; that the server answers is what counts.
        tap.equal(watch.client.call(READ, 512, 512)[0], 0, "another's read")
        server.settle(watch.fds)
        tap.note(f"{turns} connections, seed {seed}")


# --- faults -------------------------------------------------------------------


@tap.case("faults of the disk reach the client, and the server lives on")
def _(tmp):
    image = disk(tmp)
    for structured in (False, True):
        with Server(tmp, image, "-f", "raw", "-t", "--fault", "read@2=EIO",
                    "--fault", "write@2=ENOSPC", "--fault", "flush@2=EIO",
                    "--fault", "read@4=EPERM", "--fault", "read@6=short:512",
                    "--discard", "unmap",
                    "--fault", "discard@1=EINVAL") as server, \
             Client(server).go(structured=structured) as client:
            good = (0, b"\x5a" * 4096)
            tap.equal(client.call(READ, 0, 4096), good, "first read")
            tap.equal(client.call(READ, 0, 4096)[0], EIO, "second read")
            tap.equal(client.call(READ, 0, 4096), good, "third read")
            tap.equal(client.call(READ, 0, 4096)[0], EPERM, "fourth read")
            tap.equal(client.call(READ, 0, 4096), good, "fifth read")
            tap.equal(client.call(READ, 0, 4096), good, "a short read")
            write = (WRITE, 0, 0, b"\x5a" * 4096)
            tap.equal(client.call(*write)[0], 0, "first write")
            tap.equal(client.call(*write)[0], ENOSPC, "second write")
            tap.equal(client.call(*write, flags=FUA)[0], 0, "first FUA")
            tap.equal(client.call(*write, flags=FUA)[0], EIO, "second FUA")
            tap.equal(client.call(TRIM, 0, 4096)[0], EINVAL, "trim")
            tap.equal(client.call(READ, 0, 4096), good, "after all that")


@tap.case("an image that is found damaged: EIO, and the exit status says so")
def _(tmp):
    image = disk(tmp, "qcow2")
    with open(image, "r+b") as file:
        file.seek(40)
        l1, = struct.unpack(">Q", file.read(8))
        file.seek(l1)
        l2 = struct.unpack(">Q", file.read(8))[0] & ((1 << 56) - 1)
        file.seek(l2)
        file.write(struct.pack(">Q", (1 << 63) | 0x7ff0000))
    with Server(tmp, image, "-t", "-r") as server, \
         Client(server).go() as client:
        tap.equal(client.call(READ, 0, 512)[0], EIO, "damaged")
        tap.equal(client.call(READ, 65536, 512), (0, b"\x5a" * 512), "whole")
        err = server.stop(2)
        tap.equal(err.startswith(f"cotrace-nbd: {image}: "), True, err)


REFUSED = os.path.join(BUILD, "tests", "programs", "refused")


@tap.case("a kernel that refuses io_uring or linux-aio: told, or others do it")
def _(tmp):
    image = disk(tmp)
    good = (0, b"\x5a" * 4096)
    for engine, call in (("io_uring", "io_uring_setup"), ("native", "io_setup")):
        done = run(REFUSED, call, NBD, "-k", os.path.join(tmp, "s"),
                   *aio(engine), image, status=2)
        tap.equal(done.err, f"cotrace-nbd: {image}: unable to use engine "
                  f"'{engine}': Operation not permitted\n", call)
    for engine, call in (("io_uring", "io_uring_enter"), ("native", "io_submit"),
                         ("threads", "epoll_create1")):
        with Server(tmp, image, "-f", "raw", "-t", "-e", "0", *aio(engine),
                    wrapper=(REFUSED, call)) as server:
            with contextlib.ExitStack() as stack:
                for _ in range(12):  # more than poll() is used for
                    client = stack.enter_context(Client(server).go())
                    tap.equal(client.call(READ, 0, 4096), good, call)
                    tap.equal(client.call(WRITE, 0, 0, b"\x5a" * 512, FUA)[0],
                              0, call)


@tap.case("no thread to be had: requests wait until there is one")
def _(tmp):
    nobody = 65534
    image = disk(tmp)
    # The tracer's own threads can't be had either: it would wait for them.
    os.environ["LTTNG_UST_REGISTER_TIMEOUT"] = "0"
    # Nor LeakSanitizer's, and without it the exit status is that of a failure.
    os.environ["ASAN_OPTIONS"] = \
        os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    become = []
    if os.geteuid() == 0:  # whom no such limit holds
        become = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}",
                  "--clear-groups"]
        for path in (tmp, image):
            os.chown(path, nobody, nobody)
    wrapper = [*become, "prlimit", "--nproc=0:"]
    can = subprocess.run([*wrapper, NBD, "--version"], check=False,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if can.returncode != 0:
        tap.skip("another user can't run the program")
    err = run(*wrapper, NBD, "-k", os.path.join(tmp, "s"), "--iothread", image,
              status=2).err
    tap.equal(err.startswith("cotrace-nbd: no thread for iothread"), True, err)
    with Server(tmp, image, "-f", "raw", "-t", "-e", "2",
                wrapper=wrapper) as server:
        with Client(server).go() as client, Client(server).go() as other:
            for one in (client, other):
                one.request(READ, 0, 4096)
            tap.equal(other.call(READ, SIZE, 1)[0], EINVAL, "no thread needed")
            run(*become, "prlimit", f"--pid={server.pid}", "--nproc=9999:")
            for one in (client, other):
                tap.equal(one.answer(4096), (1, 0, b"\x5a" * 4096), "read")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
