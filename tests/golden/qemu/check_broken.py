#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""QEMU's logs, broken in every way that was thought of.

    check_broken.py COTRACE DIR

Whatever is wrong with a log: cotrace ends as always, what it passes over is
counted, and what it still says of a request was so in the whole log.
"""
import heapq
import json
import lzma
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap  # noqa: E402
from qemu_reader import Log  # noqa: E402

COTRACE, DIR = (os.path.abspath(arg) for arg in sys.argv[1:3])
NOISE_MIB = 100 if os.environ.get("COTRACE_SOAK") else 4
NOISE = [b"qemu-system-x86_64: warning: host doesn't support something",
         b"wrote 65536/65536 bytes at offset 0", b"", b"    (12.00/100%)",
         b"\xff\xfe\x00binary\x01", b"@@@@", b"12@", b"1@2.3:", b"\x1b[31mred",
         b"path/to/user@host.example:file name"]


def log_lines(name):
    with lzma.open(os.path.join(DIR, name + ".log.xz")) as file:
        return file.read().split(b"\n")[:-1]


def write(tmp, lines, end=b"\n", name="x.log"):
    path = os.path.join(tmp, name)
    with open(path, "wb") as out:
        out.write(b"\n".join(lines) + end)
    return path


def run(path, *command, status=0):
    done = subprocess.run([COTRACE, command[0], path, *command[1:]],
                          check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120,
                          env=dict(os.environ, COTRACE_CHECK="1"))
    tap.equal(done.returncode, status,
              f"{command}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def stat(path):
    return json.loads(run(path, "stat", "--json"))


def requests(path):
    rows = [json.loads(line) for line in
            run(path, "requests", "--json", "--all").splitlines()]
    for row in rows:
        names = ("seq", "end_seq") if "seq" in row else ("begin_ns", "end_ns")
        at = row[names[0]]
        for segment in row["segments"]:
            tap.equal(segment[names[0]], at, "contiguous")
            at = segment[names[1]]
            assert at > segment[names[0]], segment
        if row[names[1]] is not None:
            tap.equal(at, row[names[1]], "the sum")
    return rows


def identity(row):
    return (row["layer"], row["op"], row["offset"], row["bytes"])


def invented(path, whole):
    """Requests that the whole log does not have."""
    known = {identity(row) for row in whole}
    return [row for row in requests(path) if identity(row) not in known]


def sums_up(counts, lines):
    """Every line was counted once."""
    log = counts["log"]
    tap.equal(log["lines"], lines, "lines")
    tap.equal(counts["events"] + log["foreign"] + log["malformed"],
              lines + log["pieces"], "what became of them")


@tap.case("noise between the lines changes nothing")
def _(tmp):
    for name in ("blkdebug_break", "qemuio_tiny"):
        lines = log_lines(name)
        noisy = []
        n = 0
        for i, line in enumerate(lines):
            noisy.append(line)
            for k in range(i % 3):
                noisy.append(NOISE[(i + k) % len(NOISE)])
                n += 1
        path = write(tmp, noisy)
        counts = stat(path)
        sums_up(counts, len(noisy))
        tap.equal(counts["events"], len(lines), "events")
        tap.equal(counts["log"]["foreign"], n, "foreign")
        whole = requests(write(tmp, lines, name="whole.log"))
        got = requests(path)
        tap.equal([identity(r) for r in got], [identity(r) for r in whole])
        for row, other in zip(got, whole):
            tap.equal(row["latency_ns"], other["latency_ns"], "latency")
            tap.equal(row["complete"], other["complete"])


@tap.case(f"{NOISE_MIB} MiB of noise in a log: the same requests, all counted")
def _(tmp):
    moments = random.Random(20261122)
    lines = log_lines("nbd_qd16")
    share = (NOISE_MIB << 20) // len(lines) + 1
    path = os.path.join(tmp, "x.log")
    total = 0
    with open(path, "wb") as out:
        for line in lines:
            out.write(line + b"\n")
            total += 1
            left = share
            while left > 0:
                size = moments.randrange(1, 400)
                noise = moments.randbytes(size) if size % 2 else \
                    bytes(moments.choices(b"abcxyz 0123456789@:._-", k=size))
                out.write(noise.replace(b"\n", b" ") + b"\n")
                total += 1
                left -= size + 1
    counts = stat(path)
    sums_up(counts, total)
    whole = stat(write(tmp, lines, name="whole.log"))
    # Noise may happen to look like an event, but of a kind that nobody knows.
    tap.equal(counts["events"] - counts["unknown_events"],
              whole["events"] - whole["unknown_events"], "events")
    tap.equal(requests(path), requests(os.path.join(tmp, "whole.log")))


@tap.case("a log cut anywhere in its last line")
def _(tmp):
    lines = log_lines("blkdebug_break")[:60]
    for length in range(len(lines[-1]) + 1):
        cut = lines[:-1] + [lines[-1][:length]]
        path = write(tmp, cut, end=b"")
        log = stat(path)["log"]
        tap.equal(log["malformed"] + log["foreign"], length > 0,
                  f"after {length} bytes")
        tap.equal(log["lines"], 59 + (length > 0), "lines")


@tap.case("lines cut anywhere, the next one behind them")
def _(tmp):
    chance = random.Random(1)
    lines = log_lines("nbd_iothread2_qd16")[:2500]
    whole = requests(write(tmp, lines, name="whole.log"))
    text, cuts = [], 0
    for i, line in enumerate(lines):
        if i and chance.random() < 0.05:
            previous = text.pop()
            text.append(previous[:chance.randrange(len(previous))] + line)
            cuts += 1
        else:
            text.append(line)
    path = write(tmp, text)
    counts = stat(path)
    sums_up(counts, len(text))
    # The other reader splits no line that does not begin with a stamp.
    other = Log(path, {line.partition(b":")[2].split(b" ")[0].decode()
                       for line in lines})
    assert 0 < other.n["merged"] <= counts["log"]["pieces"] <= cuts, \
        (other.n, counts["log"])
    assert counts["events"] >= other.n["events"] >= len(lines) - 2 * cuts, \
        (other.n, counts)
    tap.equal(invented(path, whole), [], "invented")
    tap.note(f"{cuts} cuts, {counts['log']}")


@tap.case("lines of two threads mixed at every byte")
def _(tmp):
    chance = random.Random(2)
    lines = log_lines("nbd_iothread2_qd16")[2000:4000]
    whole = requests(write(tmp, lines, name="whole.log"))
    mixed = list(lines)
    for i in range(0, len(mixed) - 1, 20):
        one, other = mixed[i], mixed[i + 1]
        at = chance.randrange(1, len(one))
        mixed[i], mixed[i + 1] = one[:at] + other, one[at:]
    path = write(tmp, mixed)
    sums_up(stat(path), len(mixed))
    tap.equal(invented(path, whole), [], "invented")


@tap.case("a log that starts and ends in the middle")
def _(tmp):
    for name in ("commit_nbd", "convert_inorder_m16"):
        lines = log_lines(name)
        whole = requests(write(tmp, lines, name="whole.log"))
        for first, last in ((100, 900), (777, 1500), (1501, 2600)):
            path = write(tmp, lines[first:last])
            counts = stat(path)
            sums_up(counts, last - first)
            tap.equal(counts["events"], last - first, "events")
            tap.equal(invented(path, whole), [], "invented")


@tap.case("lines lost anywhere")
def _(tmp):
    chance = random.Random(3)
    for name in ("nbd_qd16", "qemuio_mixed", "linux_virtio_iothread"):
        lines = log_lines(name)
        whole = requests(write(tmp, lines, name="whole.log"))
        kept = [line for line in lines if chance.random() > 0.03]
        path = write(tmp, kept)
        sums_up(stat(path), len(kept))
        tap.equal(invented(path, whole), [], "invented")


@tap.case("the clock is set back: times go on, durations stay")
def _(tmp):
    lines = log_lines("blkdebug_break")
    whole = requests(write(tmp, lines, name="whole.log"))
    moved = []
    for i, line in enumerate(lines):
        head, _, rest = line.partition(b":")
        tid, stamp = head.split(b"@")
        second, usec = stamp.split(b".")
        if i >= 400:
            second = b"%d" % (int(second) - 3600)
        moved.append(tid + b"@" + second + b"." + usec + b":" + rest)
    path = write(tmp, moved)
    counts = stat(path)
    tap.equal(counts["log"]["clock_set"], 1, "times that it was set back")
    tap.equal(counts["events"], len(lines), "events")
    # The step itself takes no time: what lies over it is shorter by so much.
    origin, before, after = (
        int(lines[i].split(b"@")[1][:17].replace(b".", b"")) * 1000
        for i in (0, 399, 400))
    spans = 0
    for row, other in zip(requests(path), whole):
        tap.equal(identity(row), identity(other))
        over = other["begin_ns"] <= before - origin and \
            other["end_ns"] >= after - origin
        spans += over
        tap.equal(other["latency_ns"] - row["latency_ns"],
                  over * (after - before), str(row))
    assert spans > 5, spans


@tap.case("a damaged stamp does not move the clock")
def _(tmp):
    lines = log_lines("blkdebug_break")
    head, _, rest = lines[300].partition(b"@")
    for stamp in (b"9100000000", b"17", b"0"):
        broken = list(lines)
        broken[300] = head + b"@" + stamp + rest[10:]
        counts = stat(write(tmp, broken))
        tap.equal(counts["log"]["malformed"], 1, "malformed")
        tap.equal(counts["log"]["clock_set"], 0, "clock")
        tap.equal(counts["duration_ns"],
                  stat(write(tmp, lines, name="whole.log"))["duration_ns"])


@tap.case("two processes in one log")
def _(tmp):
    for names in (("nbd_qd16", "commit_nbd"), ("qemuio_tiny", "qemuio_mixed")):
        one, other = (log_lines(name)[:3000] for name in names)
        rows = sorted(identity(r) for lines in (one, other)
                      for r in requests(write(tmp, lines)))
        behind = write(tmp, one + other)
        sums_up(stat(behind), len(one) + len(other))
        tap.equal(sorted(identity(r) for r in requests(behind)), rows,
                  "one behind the other")
    mixed = []
    one, other = (log_lines(n)[:3000] for n in ("nbd_qd16", "commit_nbd"))
    for pair in zip(one, other):
        mixed.extend(pair)
    known = {identity(r) for lines in (one, other)
             for r in requests(write(tmp, lines))}
    path = write(tmp, mixed)
    assert all(identity(r) in known for r in requests(path))
    sums_up(stat(path), len(mixed))


@tap.case("what is no log is refused in a line")
def _(tmp):
    for text in (b"hello\n" * 1000, b"\0" * 70000, b"12@34\n",
                 b"aio_co_schedulex ctx 0x1 co 0x2\n",
                 b"aio_co_schedule\n"):
        path = os.path.join(tmp, "x")
        with open(path, "wb") as out:
            out.write(text)
        done = subprocess.run([COTRACE, "stat", path], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        tap.equal(done.returncode, 2, text[:20])
        tap.equal(len(done.stderr.splitlines()), 1, done.stderr)


@tap.case("a line without end, a megabyte long")
def _(tmp):
    lines = log_lines("qemuio_tiny")
    long = lines[:100] + [b"x" * 1000000, b"@" * 1000000,
                          b"1@1.000000:" * 90000] + lines[100:]
    counts = stat(write(tmp, long))
    tap.equal(counts["events"], len(lines), "events")
    path = write(tmp, lines + [b"y" * 3000000], end=b"")
    tap.equal(stat(path)["events"], len(lines), "events")


@tap.case("a log without times has no durations, and no --at")
def _(tmp):
    path = write(tmp, log_lines("qemuio_tiny"))
    counts = stat(path)
    tap.equal(counts["clock"], "none")
    tap.equal([counts["origin_ns"], counts["duration_ns"],
               counts["requests"]["latency_ns"]["p50"],
               counts["states"]["running"]], [None] * 4)
    for row in requests(path):
        tap.equal([row[key] for key in ("begin_ns", "end_ns", "latency_ns",
                                        "tid", "pid")], [None] * 5)
        for segment in row["segments"]:
            tap.equal(segment["begin_ns"], None)
    done = subprocess.run([COTRACE, "backtrace", path, "--request=1",
                           "--at=5"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    tap.equal(done.returncode, 2, "status")
    assert b"--at" in done.stderr, done.stderr


def shifted(lines, by_us):
    """Stamps moved, as if the other process had run at the same time."""
    for line in lines:
        tid, _, rest = line.partition(b"@")
        stamp, _, text = rest.partition(b":")
        second, _, micro = stamp.partition(b".")
        at = int(second) * 10**6 + int(micro) + by_us
        yield b"%s@%d.%06d:%s" % (tid, at // 10**6, at % 10**6, text)


def stamp_us(line):
    second, micro = line.split(b"@")[1].split(b":")[0].split(b".")
    return int(second) * 10**6 + int(micro)


def in_order(log, which):
    """(when it was written, which, number, line)"""
    at = 0
    for number, line in enumerate(log):
        at = max(at, stamp_us(line))
        yield at, which, number, line


@tap.case("two processes at once in one log, with threads: all of both")
def _(tmp):
    logs = [log_lines(name) for name in ("nbd_qd16", "blkdebug_break")]
    logs[1] = list(shifted(logs[1],
                           stamp_us(logs[0][0]) - stamp_us(logs[1][0])))
    both = [line for *_, line in heapq.merge(*map(in_order, logs, (0, 1)))]
    want = sorted(identity(row) for log in logs
                  for row in requests(write(tmp, log, name="one.log")))
    path = write(tmp, both)
    tap.equal(sorted(identity(row) for row in requests(path)), want)
    sums_up(stat(path), len(both))


tap.main([])
