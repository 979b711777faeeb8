# SPDX-License-Identifier: MIT
"""A cotrace-nbd that runs while a test talks to it, and a client by the book.

The client says exactly the bytes that it is told to, so that it can also be a
bad one; everybody else's clients are the tests' other peers.
"""
import os
import re
import signal
import socket
import struct
import subprocess
import time

import story

NBD = os.path.join(story.BUILD, "runtime", "workloads", "cotrace-nbd")
PATIENCE = 60  # seconds, for what should take milliseconds

MAGIC = 0x4e42444d41474943
OPTS_MAGIC = 0x49484156454f5054
REP_MAGIC = 0x3e889045565a9
REQUEST_MAGIC = 0x25609513
SIMPLE_MAGIC = 0x67446698
CHUNK_MAGIC = 0x668e33ef

FIXED, NO_ZEROES = 1, 2
(EXPORT_NAME, ABORT, LIST, STARTTLS, INFO, GO, STRUCTURED, LIST_META,
 SET_META) = 1, 2, 3, 5, 6, 7, 8, 9, 10
ACK, SERVER, REP_INFO, META = 1, 2, 3, 4
UNSUP, INVALID, UNKNOWN, TOO_BIG = (2**31 + n for n in (1, 3, 6, 9))
READ, WRITE, DISC, FLUSH, TRIM, CACHE, ZEROES, STATUS = range(8)
FUA, NO_HOLE, DF, REQ_ONE, FAST_ZERO = 1, 2, 4, 8, 16
EPERM, EIO, EINVAL, ENOSPC, ENOTSUP = 1, 5, 22, 28, 95


def aio(engine, others=()):
    """Options for an engine; linux-aio needs O_DIRECT, which the others may
    ask for already: a cache mode is given once."""
    is_lacking = engine == "native" and "--cache" not in others
    return ("--aio", engine) + (("--cache", "none") if is_lacking else ())


class Closed(Exception):
    """The server has closed the connection."""


def connect(path):
    stream = socket.socket(socket.AF_UNIX)
    # Without a time limit: with one, a full backlog is an error.
    stream.connect(path)
    return stream


class Server:
    """with Server(tmp, IMAGE, option ...) as server: server.uri"""

    def __init__(self, tmp, image, *options, program=NBD, wrapper=(), env=None,
                 name="s"):
        self.path = os.path.join(tmp, name)
        self.uri = f"nbd+unix:///?socket={self.path}"
        self.command = [*wrapper, program, "-k", self.path, *options, image]
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.err = None

    def start(self):
        self.process = subprocess.Popen(
            [str(word) for word in self.command], env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        deadline = time.monotonic() + PATIENCE
        while not self.is_listening():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.command}: status "
                                     f"{self.process.returncode}: "
                                     f"{self.process.stderr.read()}")
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"{self.command}: does not listen")
            time.sleep(0.005)
        return self

    def connect(self):
        return connect(self.path)

    def is_listening(self):
        """By the kernel's table, since a connection would be a client."""
        with open("/proc/net/unix", encoding="utf-8") as lines:
            return any(words[-1] == self.path and words[3] == "00010000"
                       for words in (line.split() for line in lines))

    @property
    def pid(self):
        return self.process.pid

    def wait(self, status=0):
        """To its end; what it said on stderr."""
        self.err = self.process.communicate(timeout=PATIENCE)[1].decode()
        if self.process.returncode != status:
            raise AssertionError(f"{self.command}: status "
                                 f"{self.process.returncode}, not {status}\n"
                                 f"{self.err[-4000:]}")
        return self.err

    def stop(self, status=0):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(status)

    def kill(self):
        self.process.kill()
        self.wait(-signal.SIGKILL)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.process.kill()
            if self.err is None:
                self.err = self.process.communicate()[1].decode()
            print("# the server said: " +
                  self.err[-3000:].replace("\n", "\n# "))
        elif self.err is None and self.process.poll() is None:
            self.stop()
        elif self.err is None:
            self.wait()

    def fds(self):
        """How many; with many its loop takes an epoll, and keeps it."""
        place = f"/proc/{self.pid}/fd"
        names = []
        for fd in os.listdir(place):
            try:
                names.append(os.readlink(os.path.join(place, fd)))
            except FileNotFoundError:  # closed meanwhile
                pass
        return len([n for n in names if n != "anon_inode:[eventpoll]"])

    def memory(self):
        """What it has to itself, bytes."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as text:
            return int(re.search(r"RssAnon:\s+(\d+) kB", text.read())[1]) * 1024

    def settle(self, fds):
        """Wait until it has so many file descriptors."""
        deadline = time.monotonic() + PATIENCE
        while self.fds() != fds:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.fds()} fds, not {fds}")
            time.sleep(0.005)


class TcpServer(Server):
    """The same on a port of the loopback's: server.port"""

    def __init__(self, tmp, image, *options):
        super().__init__(tmp, image, *options, name="pid")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.uri = f"nbd://127.0.0.1:{self.port}"
        self.command[1:3] = ["-p", str(self.port), "--pid-file", self.path]

    def listens(self):
        """Addresses, by the kernel's table"""
        with open("/proc/net/tcp", encoding="utf-8") as lines:
            return [words[1] for words in (line.split() for line in lines)
                    if words[1].endswith(f":{self.port:04X}") and
                    words[3] == "0A"]

    def is_listening(self):
        return self.listens() != [] and os.path.exists(self.path)

    def connect(self):
        stream = socket.socket(socket.AF_INET)
        # Not more room for answers that nobody reads than a unix socket has
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
        stream.connect(("127.0.0.1", self.port))
        return stream


class Client:
    """One connection; every call does what it says, whether allowed or not."""

    def __init__(self, server, flags=FIXED | NO_ZEROES):
        self.socket = (connect(server) if isinstance(server, str)
                       else server.connect())
        self.socket.settimeout(PATIENCE)
        self.is_structured = False
        self.size = self.flags = None
        if flags is not None:
            magic, opts, self.server_flags = struct.unpack(
                ">QQH", self.take(18))
            assert (magic, opts) == (MAGIC, OPTS_MAGIC)
            self.send(struct.pack(">I", flags))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error

    def take(self, n):
        data = b""
        while len(data) < n:
            try:
                some = self.socket.recv(n - len(data))
            except ConnectionResetError as error:
                raise Closed from error
            if not some:
                raise Closed
            data += some
        return data

    def is_closed(self):
        """It says nothing more and closes."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    # --- options ---

    def option(self, option, data=b"", length=None):
        self.send(struct.pack(">QII", OPTS_MAGIC, option,
                              len(data) if length is None else length) + data)

    def reply(self, option):
        """(type, data) of one reply."""
        magic, told, kind, length = struct.unpack(">QIII", self.take(20))
        assert magic == REP_MAGIC and told == option, (hex(magic), told)
        return kind, self.take(length)

    def ask(self, option, data=b""):
        """[(type, data) ...] up to the acknowledgement or an error"""
        self.option(option, data)
        replies = [self.reply(option)]
        while replies[-1][0] not in (ACK,) and replies[-1][0] < 2**31:
            replies.append(self.reply(option))
        return replies

    @staticmethod
    def named(name=b"", *infos):
        return struct.pack(f">I{len(name)}sH{len(infos)}H", len(name), name,
                           len(infos), *infos)

    @staticmethod
    def queries(*queries, name=b""):
        data = struct.pack(">I", len(name)) + name
        data += struct.pack(">I", len(queries))
        return data + b"".join(struct.pack(">I", len(q)) + q for q in queries)

    def go(self, name=b"", structured=False, allocation=False):
        """To the transmission phase."""
        if structured or allocation:
            assert self.ask(STRUCTURED)[-1][0] == ACK
            self.is_structured = True
        if allocation:
            replies = self.ask(SET_META, self.queries(b"base:allocation",
                                                      name=name))
            assert [kind for kind, _ in replies] == [META, ACK], replies
        replies = self.ask(GO, self.named(name))
        assert replies[-1][0] == ACK, replies
        self.size, self.flags = struct.unpack(">QH", replies[0][1][2:12])
        return self

    # --- requests ---

    def request(self, kind, offset=0, length=0, data=b"", flags=0, cookie=1,
                magic=REQUEST_MAGIC):
        self.send(struct.pack(">IHHQQI", magic, flags, kind, cookie, offset,
                              length) + data)

    def answer(self, length=0):
        """(cookie, error, data); of a status data is [(length, flags) ...]"""
        magic, = struct.unpack(">I", self.take(4))
        if magic == SIMPLE_MAGIC:
            error, cookie = struct.unpack(">IQ", self.take(12))
            return cookie, error, self.take(0 if error else length)
        assert magic == CHUNK_MAGIC and self.is_structured, hex(magic)
        flags, kind, cookie, n = struct.unpack(">HHQI", self.take(16))
        data = self.take(n)
        assert flags == 1, "each of our answers is one chunk"
        if kind >= 0x8000:
            return cookie, struct.unpack(">I", data[:4])[0], b""
        if kind == 1:
            return cookie, 0, data[8:]
        if kind == 5:
            return cookie, 0, list(struct.iter_unpack(">II", data[4:]))
        assert kind == 0 and n == 0, kind
        return cookie, 0, b""

    def call(self, kind, offset=0, length=0, data=b"", flags=0):
        """Asked and answered: (error, data)"""
        self.request(kind, offset, length or len(data), data, flags)
        _, error, got = self.answer(length if kind == READ else 0)
        return error, got
