#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A machine that gives nothing: no file descriptors, no threads, no io_uring.

What is asked for then fails with the kernel's reason or goes another way; nothing
crashes or hangs, and what has failed for a while goes on afterwards.
"""
import contextlib
import ctypes
import glob
import os
import resource
import struct
import subprocess
import sys

import story
import tap

IO_URING_SETUP, IO_SETUP = 425, {"x86_64": 206, "aarch64": 0}
DATA = ("write -q -P 7 0 64k", "write -q -P 9 1M 64k")
READS = ["-c", "read -P 7 0 64k", "-c", "aio_read -P 9 1M 64k", "-c", "aio_flush"]


def image(tmp):
    path = story.image(os.path.join(tmp, "disk.qcow2"), "4M", DATA)
    os.chmod(path, 0o644)
    return path


def start(words, limit):
    return subprocess.Popen([story.IO, *words], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, preexec_fn=limit)


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def run(words, limit):
    return finish(start(words, limit))


def good(result):
    status, out, err = result
    return status == 0 and err == "" and out.count("read 65536/65536") == 2


# --- file descriptors ---------------------------------------------------------

def files(number):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
    return limit


@tap.case("out of file descriptors: the reason is told, or it is not needed")
def _(tmp):
    path = image(tmp)
    told = served = 0
    # Not --loop=glib: without two files for itself GLib aborts.
    for more in ([], ["--iothread"], ["-i", "io_uring"],
                 ["-i", "io_uring", "--iothread"]):
        for number in range(4, 16):
            result = run([*more, "-r", *READS, path], files(number))
            if good(result):
                served += 1
                continue
            status, out, err = result
            if status == 127:
                continue  # not even its libraries could be loaded
            tap.equal((status, out), (2, ""), f"{more} {number}: {err}")
            tap.equal(err.startswith("cotrace-io: ") and err.count("\n") == 1 and
                      "Too many open files" in err, True, f"{more} {number}: {err}")
            told += 1
    tap.note(f"{told} times told, {served} times served")
    tap.equal(told > 3 and served > 20, True, f"{told} {served}")


# --- threads ------------------------------------------------------------------

def somebody(uid, threads):
    """A user who may have so many: RLIMIT_NPROC does not hold for root."""
    def limit():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        # LeakSanitizer looks on from a thread, and ends a program without one.
        os.environ["ASAN_OPTIONS"] = \
            os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))
    return limit


def field(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise AssertionError(name)


def reachable(uid, path):
    """May the user run the program and read the image?"""
    return subprocess.run([story.IO, "-r", "-f", "raw", "-c", "length", path],
                          timeout=60, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL,
                          preexec_fn=somebody(uid, 2)).returncode == 0


@contextlib.contextmanager
def nobody_else():
    """The id of a user who runs nothing; what LTTng keeps for him goes."""
    uid = 1_000_000 + os.getpid()
    try:
        yield uid
    finally:
        for page in glob.glob(f"/dev/shm/lttng-ust-wait-*-{uid}"):
            os.unlink(page)


def no_thread(path, uid):
    if not reachable(uid, path):
        tap.skip("another user can't run the program here")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE,
                          preexec_fn=somebody(uid, 2)) as other:
        process = start(["-r", "-f", "raw", "-c", "read 0 512", path],
                        somebody(uid, 2))
        # It tries again and again, and sleeps in between.
        while field(process.pid, "voluntary_ctxt_switches") < 20:
            tap.equal(process.poll(), None, "it lives on")
        tap.equal(field(process.pid, "Threads"), 1)
        other.stdin.close()
    status, out, err = finish(process)
    tap.equal((status, err), (0, ""))
    tap.equal(out.startswith("read 512/512 bytes at offset 0"), True, out)

    status, out, err = run(["--iothread", "-r", "-c", "length", path],
                           somebody(uid, 1))
    tap.equal((status, out), (2, ""))
    tap.equal(err, "cotrace-io: no thread for iothread 'iothread': "
                   "Resource temporarily unavailable\n")


@tap.case("no thread to be had: requests wait until there is one")
def _(tmp):
    if os.getuid() != 0:
        tap.skip("needs a user who runs nothing else")
    with nobody_else() as uid:
        no_thread(image(tmp), uid)


# --- system calls -------------------------------------------------------------

def refuse(number, error):
    """From now on the call fails: a filter as sandboxes have it."""
    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    code = b"".join(struct.pack("=HBBI", *line) for line in (
        (0x20, 0, 0, 0), (0x15, 0, 1, number),
        (0x06, 0, 0, 0x00050000 | error), (0x06, 0, 0, 0x7fff0000)))
    program = Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)

    def limit():
        if libc.prctl(38, 1, 0, 0, 0) or \
                libc.prctl(22, 2, ctypes.byref(program)):
            raise OSError(ctypes.get_errno(), "prctl")
    return limit


@tap.case("a kernel that refuses io_uring or linux-aio: told by name")
def _(tmp):
    path = image(tmp)
    machine = os.uname().machine
    if machine not in IO_SETUP:
        tap.skip(f"numbers of system calls of {machine} are not known here")
    for engine, number, error, more in (
            ("io_uring", IO_URING_SETUP, 1, []), ("io_uring", IO_URING_SETUP, 38, []),
            ("native", IO_SETUP[machine], 11, ["-t", "none"])):
        status, out, err = run(["-i", engine, *more, "-r", *READS, path],
                               refuse(number, error))
        tap.equal((status, out), (2, ""), err)
        tap.equal(err, f"cotrace-io: {path}: unable to use engine '{engine}': "
                       f"{os.strerror(error)}\n")
        tap.equal(good(run(["-r", *READS, path], refuse(number, error))), True)


# --- files that give less than they had ---------------------------------------

@tap.case("short reads: the rest is read, or is zeroes behind the file's end")
def _(tmp):
    path = image(tmp)
    for cut in (1, 4096, 65535):
        for nth in (1, 3):
            result = run(["-r", "--fault", f"read@{nth}+=short:{cut}", *READS,
                          path], None)
            tap.equal(good(result), True, f"{cut} {nth}: {result}")
    plain = os.path.join(tmp, "plain")
    with open(plain, "wb") as file:
        file.write(b"\7" * 5000)
    for engine in ("threads", "io_uring"):
        status, out, err = run(["-r", "-f", "raw", "-i", engine,
                                "-c", "read -P 7 0 5000",
                                "-c", "read -P 0 5000 120", plain], None)
        if "unable to use engine" not in err:
            tap.equal((status, err, "failed" in out), (0, "", False), engine)


tap.main(sys.argv[1:])
