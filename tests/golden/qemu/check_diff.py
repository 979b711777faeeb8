#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two runs of QEMU beside one another: one of them is a real recording, the
other the same with one planted change.

    check_diff.py COTRACE DIR

What is planted is made of the recording's lines alone: other addresses,
threads and times (no difference), two stretches of the loop that changed places
(harmless), a request that is missing or slow, and an end that is cut off (not
known, so no difference).  Every comparison's JSON is checked by
tests/lib/diff_checker.py.  COTRACE_SOAK=1 does more of each.
"""
import json
import lzma
import os
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../lib"))
import diff_checker  # noqa: E402
import tap  # noqa: E402

COTRACE, DIR = (os.path.abspath(arg) for arg in sys.argv[1:3])
SOAK = os.environ.get("COTRACE_SOAK") == "1"
LOGS = ("blkdebug_break", "commit_nbd", "convert_inorder_m16", "nbd_qd16",
        "nbd_iothread2_qd16", "qemuio_mixed", "qemuio_tiny")
HEX = re.compile(rb"0x[0-9a-f]{9,}")
STAMP = re.compile(rb"(\d+)@(\d+)\.(\d{6}):")


def lines_of(name):
    with lzma.open(os.path.join(DIR, "logs", name + ".log.xz")) as file:
        return file.read().split(b"\n")[:-1]


def write(tmp, name, lines):
    path = os.path.join(tmp, name)
    with open(path, "wb") as out:
        out.write(b"".join(line + b"\n" for line in lines))
    return path


def run(*words, status=None):
    done = subprocess.run([COTRACE, "diff", *words], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=300, env=dict(os.environ, COTRACE_CHECK="1"))
    if status is not None:
        tap.equal(done.returncode, status, done.stderr)
    return done


def diff(a, b, status=None):
    done = run(a, b, "--json", "--edits", status=status)
    assert done.returncode in (0, 1), done.stderr
    document = json.loads(done.stdout)
    diff_checker.check(document)
    tap.equal(done.returncode, 0 if document["identical"] else 1, "status")
    return document


def elsewhere(lines, seed):
    """The same run with other addresses, threads and times."""
    rng = random.Random(seed)
    moved = {}

    def address(match):
        # the order of addresses is another one, too
        return moved.setdefault(match[0], b"0x%x" % rng.getrandbits(46))

    def stamp(match):
        us = int(match[2]) * 1000000 + int(match[3]) + 777777777
        return b"%d@%d.%06d:" % (int(match[1]) + 1000, *divmod(us, 1000000))

    return [STAMP.sub(stamp, HEX.sub(address, line), 1) for line in lines]


@tap.case("addresses, threads and times make no difference")
def _(tmp):
    total = 0
    for name in LOGS:
        lines = lines_of(name)
        a = write(tmp, name, lines)
        b = write(tmp, name + ".b", elsewhere(lines, 1))
        document = diff(a, b, 0)
        tap.equal((document["exact"], document["unknown"]), (True, 0), name)
        total += document["decisions_a"]
        tap.equal(document["compared"], document["decisions_b"], name)
    tap.note(f"{len(LOGS)} logs, {total} decisions")


# --- stretches of a loop ------------------------------------------------------

class Stretch:
    """What a thread does between two moments in which no coroutine runs."""

    def __init__(self):
        self.lines = []
        self.touched = set()  # coroutines, and work items' addresses
        self.is_alone = True  # it wakes nobody, and waits for nobody


def stretches_of(lines):
    """Of a log with one thread: depth 0 is its loop."""
    made, stack = [Stretch()], []
    for line in lines:
        words = line.split()
        fields = dict(zip(words[1::2], words[2::2]))
        event = words[0]
        before = made[-1].lines[-1] if made[-1].lines else b""
        if not stack and before and event in (
                b"thread_pool_complete", b"qemu_aio_coroutine_enter") and \
                not before.startswith(b"thread_pool_complete"):
            made.append(Stretch())  # a completion enters its coroutine
        made[-1].lines.append(line)
        if event == b"qemu_aio_coroutine_enter":
            stack.append(fields[b"to"])
            made[-1].touched.add(fields[b"to"])
        elif event in (b"qemu_coroutine_yield", b"qemu_coroutine_terminate"):
            stack.pop()
        elif event in (b"aio_co_schedule", b"aio_co_schedule_bh_cb",
                       b"qemu_co_mutex_lock_entry",
                       b"qemu_co_mutex_lock_return"):
            made[-1].is_alone = False
        if b"req" in fields:
            made[-1].touched.add(fields[b"req"])
        if event == b"qemu_coroutine_terminate":
            # its address is used again: that would be another coroutine
            made[-1].is_alone = False
    return made


@tap.case("two stretches of the loop that changed places: harmless")
def _(tmp):
    made = stretches_of(lines_of("qemuio_mixed"))
    a = write(tmp, "a", [line for s in made for line in s.lines])
    able = [i for i in range(len(made) - 1)
            if made[i].is_alone and made[i + 1].is_alone
            and made[i].touched and made[i + 1].touched
            and not made[i].touched & made[i + 1].touched]
    n = len(able) if SOAK else 12
    changed = 0
    for i in random.Random(3).sample(able, n):
        order = made[:i] + [made[i + 1], made[i]] + made[i + 2:]
        b = write(tmp, "b", [line for s in order for line in s.lines])
        document = diff(a, b)
        tap.equal(document["first_real_divergence"], None, f"stretch {i}")
        tap.equal(len(document["only_in_a"]), 0, f"stretch {i}")
        changed += not document["exact"]
    tap.note(f"{n} of {len(able)} pairs, {changed} of them seen as a change of "
             "order")
    assert changed > n // 2, changed


# --- requests -----------------------------------------------------------------

def coroutines_of(lines):
    """[(first line, coroutine, [lines])] of coroutines that were born, ran and
    ended and had to do with no other one."""
    stack, alive, done, spoiled = [], {}, [], set()
    for at, line in enumerate(lines):
        words = line.split()
        fields = dict(zip(words[1::2], words[2::2]))
        event = words[0]
        if event == b"qemu_aio_coroutine_enter":
            spoiled.update(stack)
            alive.setdefault(fields[b"to"], []).append(at)
            stack.append(fields[b"to"])
            continue
        if event == b"thread_pool_complete" and not stack:
            # it belongs to whom is entered next
            alive.setdefault(
                lines[at + 1].split()[6], []).append(at)
            continue
        if not stack:
            continue
        top = stack[-1]
        alive[top].append(at)
        if b"co_mutex_lock_entry" in event or b"aio_co_" in event:
            spoiled.add(top)
            spoiled.update(fields.values())
        if event == b"qemu_coroutine_yield":
            stack.pop()
        elif event == b"qemu_coroutine_terminate":
            stack.pop()
            mine = alive.pop(top)
            if top not in spoiled:
                done.append(mine)
            spoiled.discard(top)
    return done


@tap.case("a request that one run has not is named, and no other one")
def _(tmp):
    lines = lines_of("qemuio_mixed")
    a = write(tmp, "a", lines)
    wanted = []
    for mine in coroutines_of(lines):
        blk = [lines[at] for at in mine if lines[at].startswith(b"blk_co_p")]
        if len(blk) == 1:
            wanted.append((mine, blk[0]))
    n = len(wanted) if SOAK else min(8, len(wanted))
    assert n >= 5, n
    for mine, blk in random.Random(4).sample(wanted, n):
        gone = set(mine)
        b = write(tmp, "b", [line for at, line in enumerate(lines)
                             if at not in gone])
        words = blk.split()
        place = f"{int(words[6])}+{int(words[8])}"
        verb = "read" if b"preadv" in blk else "write"
        for one, two, only in ((a, b, "only_in_a"), (b, a, "only_in_b")):
            document = diff(one, two, 1)
            change = document["first_real_divergence"]
            side = only[-1]
            other = "ab"["ba".index(side)]
            tap.equal((change["reason"], change[other]), ("only", None), place)
            label = change[side]["label"]
            assert label.startswith(f"begin of blk {verb}"), label
            assert label.endswith(" " + place) or f" {place} #" in label, label
            # metadata that both wrote is one time less in one of them, so of
            # the other run there may be the how-manieth of it
            begun = [k for s in "ab" for k in document["only_in_" + s]
                     if k["label"].startswith("begin")]
            tap.equal([(k["count"], k["context"]) for k in begun],
                      [(1, change[side]["context"])], place)
    tap.note(f"{n} of {len(wanted)} requests")


def slower(lines, factor):
    """Time passes that many times as slowly, all else is the same."""
    first = None
    for line in lines:
        match = STAMP.match(line)
        if match:
            us = int(match[2]) * 1000000 + int(match[3])
            first = first if first is not None else us
            us = first + factor * (us - first)
            line = STAMP.sub(b"%s@%d.%06d:" % (match[1], *divmod(us, 1000000)),
                             line, 1)
        yield line


@tap.case("requests that got slow: in the same order, and surely slower")
def _(tmp):
    lines = lines_of("nbd_qd16")
    a, b = write(tmp, "a", lines), write(tmp, "b", slower(lines, 2))
    document = diff(a, b, 0)
    tap.equal(document["exact"], True)
    rows = {(r["label"], r["state"]): r for r in document["latency"]}
    whole = [r for (_, state), r in rows.items() if state is None
             and r["request"] and r["a"]["n"] > 100]
    assert whole, rows
    for row in whole:
        tap.equal(row["sure"], True, row["label"])
        ratio = row["b"]["mean_ns"] / row["a"]["mean_ns"]
        assert 1.99 < ratio < 2.01, row
    assert document["cause"], rows
    done = run(a, b, "--fail-on=p99:+10%", status=1)
    assert "is more than +10%" in done.stderr, done.stderr
    run(b, a, "--fail-on=p99:+10%", status=0)


# --- damage -------------------------------------------------------------------

def unpack(tmp, name, to):
    subprocess.run(["tar", "-C", tmp, "-xf",
                    os.path.join(DIR, "records", name + ".tar.xz")],
                   check=True)
    os.rename(os.path.join(tmp, name), os.path.join(tmp, to))
    return os.path.join(tmp, to)


@tap.case("a recording that was cut off: its lost end is no difference")
def _(tmp):
    whole, cut = unpack(tmp, "io-a", "whole"), unpack(tmp, "io-a", "cut")
    note = os.path.join(cut, "cotrace.json")
    with open(note, encoding="utf-8") as file:
        told = json.load(file)
    with open(note, "w", encoding="utf-8") as file:
        json.dump({**told, "complete": False}, file)
    log = os.path.join(cut, "qemu.log")
    with open(log, "rb") as file:
        content = file.read()
    places = range(1, len(content), 37 if SOAK else 701)
    n = unknown = 0
    for at in places:
        with open(log, "wb") as file:
            file.write(content[:at])
        for one, two in ((whole, cut), (cut, whole)):
            done = run(one, two, "--json", "--edits")
            if done.returncode == 2:  # so little is left of it
                assert "nothing to compare" in done.stderr or \
                    "nothing was recorded" in done.stderr, done.stderr
                continue
            document = json.loads(done.stdout)
            diff_checker.check(document)
            tap.equal(document["first_real_divergence"], None, f"at {at}")
            n += 1
            unknown += document["unknown"] > 0
    tap.note(f"{n} comparisons, in {unknown} something was not judged")
    assert unknown > n // 2 > 5, (n, unknown)


@tap.case("LTTng's streams of QEMU, cut anywhere: no difference")
def _(tmp):
    for tool in ("zstd", "babeltrace2"):
        if not shutil.which(tool):
            tap.skip(f"{tool} is not installed")
    subprocess.run(["tar", "--zstd", "-C", tmp, "-xf",
                    os.path.join(DIR, "ust", "convert.tar.zst")], check=True)
    whole, cut = os.path.join(tmp, "convert"), os.path.join(tmp, "cut")
    tap.equal(diff(whole, whole, 0)["exact"], True)
    rng = random.Random(5)
    n = unknown = 0
    for _ in range(60 if SOAK else 8):
        shutil.copytree(whole, cut)
        streams = [os.path.join(at, file) for at, _, files in os.walk(cut)
                   for file in files if "_" in file and "metadata" not in file
                   and not file.endswith(".idx")]
        stream = rng.choice([s for s in streams if os.path.getsize(s)])
        os.truncate(stream, rng.randrange(os.path.getsize(stream)))
        done = run(whole, cut, "--json", "--edits")
        shutil.rmtree(cut)
        if done.returncode == 2:
            continue
        document = json.loads(done.stdout)
        diff_checker.check(document)
        tap.equal(document["first_real_divergence"], None, stream)
        n += 1
        unknown += document["unknown"] > 0
    tap.note(f"{n} cut traces compared, in {unknown} something was not judged")
    assert n > 2, n


tap.main(sys.argv[3:])
