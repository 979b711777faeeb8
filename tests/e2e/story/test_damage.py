#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Damaged, cut and lossy traces: read as far as they go, nothing invented."""
import glob
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402

COMMANDS = (["stat"], ["requests", "--all"])


def recorded(tmp, options=(), reads=200):
    image = story.image(os.path.join(tmp, "disk.qcow2"))
    trace = os.path.join(tmp, "trace")
    words = []
    for number in range(reads):
        words += ["-c", f"aio_read -q {number * 16384 % (4 << 20)} 16k"]
    done = story.record(trace, story.IO, "-r", "-f", "qcow2", *words,
                        "-c", "aio_flush", image, options=options)
    return trace, done


def streams(trace):
    found = [path for path in glob.glob(os.path.join(trace, "**", "*"),
                                        recursive=True)
             if os.path.isfile(path) and os.sep + "index" + os.sep not in path
             and os.path.basename(path) not in ("metadata", "cotrace.json")
             and os.path.getsize(path)]
    return sorted(found, key=os.path.getsize)


def read_all(trace):
    """stat and requests, which must succeed; the stat and its warnings."""
    stat = story.run(story.COTRACE, "stat", trace, "--json")
    requests = story.requests(trace, "--all")
    story.check_sums(requests)
    return story.parse(stat.out), requests, stat.err


@tap.case("a whole trace is complete and has no warning")
def _(tmp):
    trace, _ = recorded(tmp)
    stat, requests, warnings = read_all(trace)
    tap.equal(warnings, "", "warnings")
    tap.equal((stat["complete"], stat["discarded"]), (True, 0), "complete")
    tap.equal([r for r in requests if not r["complete"]], [], "open requests")
    if stat["requests"]["count"] < 200:
        raise AssertionError(stat["requests"])


@tap.case("a stream cut anywhere is read to its last whole packet")
def _(tmp):
    trace, _ = recorded(tmp)
    whole, _, _ = read_all(trace)
    victim = streams(trace)[-1]
    size = os.path.getsize(victim)
    fewer = []
    for cut in (size - 1, size * 3 // 4, size // 2, size // 7, 4096, 100, 1):
        copy = os.path.join(tmp, f"cut-{cut}")
        shutil.copytree(trace, copy)
        os.truncate(os.path.join(copy, os.path.relpath(victim, trace)), cut)
        stat, _, warnings = read_all(copy)
        tap.equal(stat["complete"], False, f"cut at {cut}")
        tap.equal(len(warnings.splitlines()), 1, f"warnings: {warnings}")
        fewer.append(stat["events"])
        shutil.rmtree(copy)
    tap.equal(sorted(fewer, reverse=True), fewer, "events, by what is left")
    if not fewer[0] < whole["events"]:
        raise AssertionError("a cut lost nothing")


def shapes(requests):
    """States and durations: times count from the first event that is left."""
    return [(r["request"], [(s["state"], s["end_ns"] - s["begin_ns"])
                            for s in r["segments"]]) for r in requests]


@tap.case("what is lost of loaded files makes no request unknown")
def _(tmp):
    trace, _ = recorded(tmp, reads=20)
    _, whole, _ = read_all(trace)
    for name, left in (("begin", 500), ("most", None)):
        copy = os.path.join(tmp, name)
        shutil.copytree(trace, copy)
        names = [path for path in streams(copy)
                 if os.path.basename(path).startswith("files_")]
        tap.equal(bool(names), True, "streams of loaded files")
        for path in names:
            os.truncate(path, left or os.path.getsize(path) - 1)
        stat, requests, warnings = read_all(copy)
        tap.equal(len(warnings.splitlines()) >= len(names), True, warnings)
        tap.equal(stat["complete"], False, "complete")
        tap.equal(shapes(requests), shapes(whole), name)
        for path in streams(copy):
            if os.path.basename(path).startswith("cotrace_"):
                os.truncate(path, os.path.getsize(path) - 1)
        _, requests, _ = read_all(copy)
        tap.equal(any(segment["state"] == "unknown" for r in requests
                      for segment in r["segments"]) or
                  len(requests) < len(whole), True, "scheduling events lost")


@tap.case("padding, garbage, an empty stream, a broken index: read, warned")
def _(tmp):
    trace, _ = recorded(tmp)
    whole, _, _ = read_all(trace)

    def damaged(name, change, complete=False):
        copy = os.path.join(tmp, name)
        shutil.copytree(trace, copy)
        change(copy, os.path.join(copy, os.path.relpath(streams(trace)[-1],
                                                        trace)))
        stat, _, warnings = read_all(copy)
        if complete is not None:
            tap.equal(stat["complete"], complete, name)
        if complete is False and "warning" not in warnings:
            raise AssertionError(f"{name}: no warning")
        return stat

    def append(data):
        def change(_, stream):
            with open(stream, "ab") as file:
                file.write(data)
        return change

    stat = damaged("padded", append(bytes(8192)))
    tap.equal(stat["events"], whole["events"], "padding holds no events")
    stat = damaged("garbage", append(b"\xa5" * 5000))
    tap.equal(stat["events"], whole["events"], "garbage holds no events")
    small = os.path.relpath(streams(trace)[0], trace)
    if len(streams(trace)) > 1:  # one a CPU that the program ran on
        damaged("empty", lambda copy, _: os.truncate(
            os.path.join(copy, small), 0))

    def no_index(copy, _):
        for path in glob.glob(os.path.join(copy, "**", "index", "*"),
                              recursive=True):
            with open(path, "wb") as file:
                file.write(b"not an index")
    stat = damaged("index", no_index, complete=None)
    tap.equal(stat["events"], whole["events"], "a bad index loses no events")


@tap.case("a recording copied while it is made is read as far as it goes")
def _(tmp):
    image = story.image(os.path.join(tmp, "disk.qcow2"))
    trace = os.path.join(tmp, "trace")
    words = []
    for number in range(4000):
        words += ["-c", f"aio_read -q {number * 16384 % (4 << 20)} 16k"]
        if number % 32 == 31:
            words += ["-c", "aio_flush"]
    recording = subprocess.Popen(
        [story.COTRACE, "record", "-o", trace, "--subbuf-size=16k", "--",
         story.IO, "-r", "-f", "qcow2", *words, image],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    copies = []
    while recording.poll() is None:
        copy = os.path.join(tmp, f"copy-{len(copies)}")
        if os.path.isdir(trace):
            subprocess.run(["cp", "-r", trace, copy], check=False,
                           stderr=subprocess.DEVNULL)
            copies.append(copy)
    tap.equal(recording.returncode, 0, "record")
    seen = []
    for copy in copies[::max(1, len(copies) // 10)]:
        done = story.run(story.COTRACE, "stat", copy, "--json", status=None)
        if done.returncode:  # nothing of it was on disk yet
            tap.equal(len(done.err.splitlines()), 1, done.err)
            seen.append((copy, 0, done.err.split(": ", 2)[2]))
            continue
        stat = story.parse(done.out)
        told = [line.split(": ")[2] for line in done.err.splitlines()]
        assert len(set(told)) == len(told), f"more than one a file: {told}"
        story.check_sums(story.requests(copy, "--all"))
        seen.append((copy, stat["events"], done.err))
    counts = [events for _, events, _ in seen]
    whole = story.document("stat", trace)["events"]
    assert max(counts + [0]) <= whole, f"{counts} of {whole}"
    tap.note(f"{len(seen)} copies of up to {max(counts + [0])} events, of "
             f"{whole}; refused: {sorted({e for _, n, e in seen if not n})}")
    assert any(counts), "no copy has an event"


@tap.case("tiny buffers: the losses are counted, nothing is invented")
def _(tmp):
    trace, done = recorded(tmp, options=("--subbuf-size=4k", "--subbufs=2"),
                           reads=600)
    stat, requests, _ = read_all(trace)
    if not stat["discarded"]:
        raise AssertionError(f"no event was lost: {done.err}")
    if str(stat["discarded"]) not in done.err.replace(",", ""):
        raise AssertionError(f"{stat['discarded']} lost: {done.err}")
    unknown = sum(segment["state"] == "unknown" for request in requests
                  for segment in request["segments"])
    broken = [r for r in requests if not r["complete"]]
    if not unknown and not broken:
        raise AssertionError("events are lost and nothing is unknown")
    for request in requests:
        if request["ret"] not in (None, 0, 16384) and request["ret"] < 0:
            raise AssertionError(f"a result that never was: {request}")
        if request["bytes"] is not None and request["layer"] == "blk" \
                and request["op"] == "read" and request["bytes"] != 16384:
            raise AssertionError(f"a request that never was: {request}")
    tap.note(f"{stat['events']} events, {stat['discarded']} lost, "
             f"{len(broken)} of {len(requests)} requests incomplete, "
             f"{unknown} unknown segments")


@tap.case("a closed pipe is the reader's business")
def _(tmp):
    trace, _ = recorded(tmp)
    with subprocess.Popen([story.COTRACE, "requests", trace, "--all"],
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as reader:
        reader.stdout.readline()
        reader.stdout.close()
        err = reader.stderr.read()
        reader.wait(timeout=60)
    tap.equal(err, b"", "stderr")


tap.main(sys.argv[1:])
