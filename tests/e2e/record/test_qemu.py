#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`cotrace record --qemu` with QEMU's programs as Debian packs them."""
import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402
from qemu import (Monitor, boot_sector, child_of, connect,  # noqa: E402
                  need, until)

KIB = 1024
TIMED = ("nbd", "virtio-blk", "nvme")


def raw(path, size="4M"):
    story.run("qemu-img", "create", "-q", "-f", "raw", path, size)
    return path


def command(trace, *program):
    return [story.COTRACE, "record", "--qemu", "--no-preload", "-o", trace,
            "--", *program]


def start(trace, *program, **more):
    return subprocess.Popen(command(trace, *program), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **more)


def end(process, status=0):
    try:
        out, err = process.communicate(timeout=story.TIMEOUT)
    finally:
        process.kill()
    tap.equal(process.returncode, status, err)
    return out, err


def note(trace):
    with open(os.path.join(trace, "cotrace.json"), encoding="utf-8") as file:
        return json.load(file)


def blk(found):
    return [r for r in found if r["layer"] == "blk"]


def check_reader(trace, found):
    """Its clock is told, and each duration has a bound."""
    stat = story.document("stat", trace)
    tap.equal(stat["clock"], "reader")
    tap.equal(stat["complete"], True)
    tap.equal(stat["log"]["malformed"] + stat["log"]["foreign"], 0)
    story.check_sums(found)
    for request in found:
        for part in [request] + request["segments"]:
            if part["end_ns"] is not None:
                assert 0 <= part["error_ns"] <= stat["clock_error_ns"]["max"]
    return stat


def every_view(trace, tmp):
    """None of the commands that read it fails, and what they say is whole."""
    found = story.requests(trace, "--all")
    story.check_sums(found)
    story.document("findings", trace)
    story.document("coroutines", trace)
    slowest = max((r for r in found if r["latency_ns"] is not None),
                  key=lambda r: r["latency_ns"])
    back = story.document("backtrace", trace, f"--request={slowest['request']}")
    assert back["frames"], slowest
    path = os.path.join(tmp, "timeline.json")
    story.run(story.COTRACE, "render", trace, "-o", path)
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["traceEvents"]
    same = story.document("diff", trace, trace)
    tap.equal((same["identical"], same["exact"]), (True, True))
    return found


# --- the tools ----------------------------------------------------------------

@tap.case("qemu-io: what it did, in order; its output and status stay")
def _(tmp):
    image = raw(os.path.join(tmp, "a.raw"))
    words = ["qemu-io", "-f", "raw", "-c", "write -q 0 64k",
             "-c", "read -q 0 4k", "-c", "read -v 64k 512",
             "-c", "aio_read -q 1M 64k", "-c", "aio_flush", image]
    trace = os.path.join(tmp, "trace")
    plain = story.run(*words)
    recorded = story.run(*command(trace, *words))

    def dump(out):
        return [line for line in out.splitlines() if line.startswith("0001")]
    tap.equal(dump(recorded.out), dump(plain.out))
    assert dump(plain.out) and "recorded" in recorded.err
    found = story.requests(trace)
    tap.equal([(r["op"], r["offset"], r["bytes"]) for r in blk(found)
               if r["bytes"] and r["offset"] + r["bytes"] > 4096 or
               r["op"] == "write" or r["bytes"] == 4096],
              [("write", 0, 64 * KIB), ("read", 0, 4 * KIB),
               ("read", 64 * KIB, 512), ("read", KIB * KIB, 64 * KIB)])
    check_reader(trace, found)
    every_view(trace, tmp)
    tap.equal(note(trace)["qemu"]["clock"], "reader")
    # as a log without the looks at it: the same in its order, and no times
    plain = story.requests(os.path.join(trace, "qemu.log"))
    tap.equal([(r["op"], r["offset"]) for r in plain],
              [(r["op"], r["offset"]) for r in found])
    assert all(r["latency_ns"] is None for r in plain)

    failed = os.path.join(tmp, "failed")
    story.run(*command(failed, "qemu-io", "-f", "raw", "-c", "read 8M 4k",
                       image), status=1)
    tap.equal(note(failed)["exit_status"], 1)


@tap.case("qemu-img convert: the target is right, each read has its bound")
def _(tmp):
    source = raw(os.path.join(tmp, "a.raw"))
    story.run("qemu-io", "-f", "raw", "-c", "write -q -P 7 0 4M", source)
    trace, target = (os.path.join(tmp, name) for name in ("trace", "b.qcow2"))
    story.run(*command(trace, "qemu-img", "convert", "-f", "raw", "-O", "qcow2",
                       source, target))
    story.run("qemu-img", "compare", source, target)
    found = story.requests(trace)
    check_reader(trace, found)
    writes = [r for r in blk(found) if r["op"] == "write" and
              (r["node"] or "").startswith("qcow2:")]
    reads = [r for r in blk(found) if r["op"] == "read" and
             "a.raw" in (r["node"] or "") and r["bytes"] > 4 * KIB]
    for which in (reads, writes):
        tap.equal(sum(r["bytes"] for r in which), 4 * KIB * KIB)
    every_view(trace, tmp)


def fio_log(path):
    """By offset and direction, the latencies in the order of their ends."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            _, ns, way, size, offset = [int(x) for x in line.split(",")[:5]]
            key = ("write" if way else "read", offset, size)
            found.setdefault(key, []).append(ns)
    return found


@tap.case("qemu-storage-daemon: an NBD export under fio, request by request")
def _(tmp):
    need("qemu-storage-daemon", "fio")
    image = raw(os.path.join(tmp, "a.raw"))
    place = os.path.join(tmp, "s")
    trace = os.path.join(tmp, "trace")
    served = start(trace, "qemu-storage-daemon",
                   "--blockdev", f"driver=file,node-name=f,filename={image}",
                   "--nbd-server", f"addr.type=unix,addr.path={place}",
                   "--export", "nbd,id=e,node-name=f,writable=on")
    try:
        connect(place).close()
        story.run("fio", "--name=a", "--ioengine=nbd", "--rw=randrw",
                  f"--uri=nbd+unix:///f?socket={place}", "--bs=4k",
                  "--size=1M", "--io_size=400k", "--iodepth=4", "--randseed=7",
                  "--write_lat_log=a", "--log_offset=1", cwd=tmp)
        served.send_signal(signal.SIGTERM)  # passed on; it ends by it
        _, err = end(served)
    finally:
        served.kill()
    found = [r for r in story.requests(trace) if r["layer"] == "nbd"]
    check_reader(trace, found)
    theirs = fio_log(os.path.join(tmp, "a_lat.1.log"))
    ours = {}
    for r in found:
        if r["op"] in ("read", "write"):
            key = (r["op"], r["offset"], r["bytes"])
            ours.setdefault(key, []).append(r)
    tap.equal({key: len(value) for key, value in ours.items()},
              {key: len(value) for key, value in theirs.items()}, err)
    outside = []
    for key, requests in ours.items():
        for request, fio_ns in zip(requests, theirs[key]):
            assert request["latency_ns"] - request["error_ns"] <= fio_ns, (
                key, request, fio_ns)
            outside.append(fio_ns - request["latency_ns"])
    outside.sort()
    tap.note(f"{len(outside)} requests; socket and client: median "
             f"{outside[len(outside) // 2] / 1000:.0f} us")
    every_view(trace, tmp)


# --- a guest ------------------------------------------------------------------

@tap.case("qemu-system-x86_64: a guest on virtio-blk and NVMe, a throttled "
          "drive, an error, a block job meanwhile")
def _(tmp):
    sector = boot_sector(tmp)
    disks = [raw(os.path.join(tmp, f"d{i}.raw")) for i in range(4)]
    with open(disks[0], "r+b") as file:
        file.write(sector)
    place, trace = os.path.join(tmp, "q"), os.path.join(tmp, "trace")
    copy = raw(os.path.join(tmp, "copy.raw"))
    inject = (f"file.driver=blkdebug,file.image.driver=file,"
              f"file.image.filename={disks[2]},"
              f"file.inject-error.0.event=read_aio,"
              f"file.inject-error.0.sector=96")
    machine = start(
        trace, "qemu-system-x86_64", "-accel", "tcg", "-m", "16", "-S",
        "-display", "none", "-vga", "none", "-nic", "none", "-monitor", "none",
        "-serial", "stdio", "-qmp", f"unix:{place},server=on,wait=off",
        "-blockdev", f"driver=file,node-name=copy,filename={copy}",
        "-drive", f"if=none,id=d0,format=raw,file={disks[0]}",
        "-device", "virtio-blk-pci,drive=d0,bootindex=0",
        "-drive", f"if=none,id=d1,format=raw,file={disks[1]}",
        "-device", "nvme,serial=n,drive=d1,bootindex=1",
        "-drive", f"if=none,id=d2,format=raw,{inject}",
        "-device", "virtio-blk-pci,drive=d2,bootindex=2",
        "-drive", f"if=none,id=d3,format=raw,file={disks[3]},"
                  f"throttling.iops-total=20",
        "-device", "virtio-blk-pci,drive=d3,bootindex=3",
        stdin=subprocess.DEVNULL)
    try:
        monitor = Monitor(place)
        monitor("blockdev-backup", **{"job-id": "copies", "device": "d0",
                                      "target": "copy", "sync": "full"})
        monitor("cont")
        # the boot sector prints a line a disk, and then D
        out = [machine.stdout.readline() for _ in range(5)]
        until(lambda: not monitor("query-jobs")["return"], "the job has ended")
        monitor("quit")
        more, err = end(machine)
    finally:
        machine.kill()
    tap.equal("".join(out) + more,
              "........\n........\n..E.....\n........\nD\n", err)

    stat = story.document("stat", trace)
    tap.equal((stat["clock"], stat["complete"]), ("program", True))
    tap.equal(stat["log"]["malformed"], 0)
    found = every_view(trace, tmp)
    by_layer = {}
    for r in found:
        if not r["parent"]:
            by_layer.setdefault(r["layer"], []).append(r)
    # 8 reads a disk, 4 KiB each, from 32 KiB on; and the boot sector
    reads = [(32 + 8 * i) * KIB for i in range(8)]
    nvme = [r for r in by_layer["nvme"] if r["bytes"] == 4 * KIB]
    tap.equal([r["offset"] for r in nvme], reads)
    virtio = [r for r in by_layer["virtio-blk"] if r["bytes"] == 4 * KIB]
    tap.equal([r["offset"] for r in virtio], 3 * reads)
    tap.equal([r["offset"] for r in by_layer["virtio-blk"]
               if r["bytes"] == 512], [0])
    tap.equal([r["ret"] for r in virtio],
              8 * [0] + [0, 0, -5, 0, 0, 0, 0, 0] + 8 * [0])
    assert all(r["complete"] for r in nvme + virtio)
    throttled = virtio[16:]
    queued = [sum(s["end_ns"] - s["begin_ns"] for s in r["segments"]
                  if s["state"] == "queue") for r in throttled]
    assert max(queued) > 1000000, queued  # else the guest was slower itself
    assert not any(s["state"] == "queue" for r in virtio[:16] + nvme
                   for s in r["segments"])
    job = by_layer["job"]
    tap.equal(len(job), 1)
    tap.equal(job[0]["complete"], True)
    tap.note(f"{stat['events']} events; throttled for "
             f"{sum(queued) / 1e6:.1f} ms")


# --- LTTng-UST ----------------------------------------------------------------

@tap.case("a QEMU with LTTng-UST is recorded by that, as it was given")
def _(tmp):
    fake = os.path.join(story.BUILD, "tests", "e2e", "record", "fake-qemu")
    trace = os.path.join(tmp, "trace")
    done = story.run(*command(trace, fake, "30"), status=7)
    tap.equal(done.out, "read\n", done.err)
    tap.equal(story.document("stat", trace)["clock"], "exact")
    tap.equal([(r["layer"], r["op"], r["offset"], r["bytes"])
               for r in story.requests(trace)],
              [("blk", "read", 512 * i, 512) for i in range(30)])
    assert not os.path.exists(os.path.join(trace, "qemu.log"))
    # events that were not asked for are not recorded
    part = os.path.join(tmp, "part")
    story.run(story.COTRACE, "record", "--qemu=blk_*", "-o", part, "--", fake,
              "5", status=7)
    tap.equal(note(part)["own_events"], 5)
    noted(part, "exact", "blk_*")


def noted(trace, clock, patterns):
    """What is noted of a QEMU, however it was recorded."""
    said = note(trace)
    tap.equal((said["qemu"]["clock"], said["patterns"]), (clock, patterns))
    assert re.fullmatch(r"\d+\.\d+.*", said["qemu"]["version"]), said
    with open(os.path.join(trace, "qemu.events"), encoding="ascii") as file:
        events = file.read().splitlines()
    assert events and all(name.startswith(patterns.strip("*"))
                          for name in events), events
    return said


@tap.case("what was asked of QEMU is noted; why its log alone was recorded, too")
def _(tmp):
    need("qemu-io")
    image = raw(os.path.join(tmp, "disk"))

    def recorded(name, *options, **env):
        trace = os.path.join(tmp, name)
        done = story.run(story.COTRACE, "record", "--qemu=blk_*", *options,
                         "-o", trace, "--", "qemu-io", "-f", "raw", "-c",
                         "read -q 0 4k", image, env={**os.environ, **env})
        return noted(trace, "exact" if name == "lines" else "reader",
                     "blk_*"), done.err

    said, _ = recorded("lines")
    tap.equal(said["not_recorded"], None)
    said, _ = recorded("log", "--no-preload")
    tap.equal(said["not_recorded"], None)
    said, err = recorded("fallback",
                         LTTNG_SESSIOND_PATH="/bin/false")
    why = said["not_recorded"]
    assert why.startswith("stacks and worker threads: ") and \
        why.endswith("; its log was recorded"), why
    assert f"cotrace: warning: not recorded: {why}\n" in err, err


# --- what must not happen -----------------------------------------------------

def idle_server(tmp, trace):
    need("qemu-storage-daemon")
    place = os.path.join(tmp, "s")
    process = start(trace, "qemu-storage-daemon", "--nbd-server",
                    f"addr.type=unix,addr.path={place}", "--blockdev",
                    "driver=null-co,node-name=n,size=1048576,read-zeroes=on",
                    "--export", "nbd,id=e,node-name=n,name=n")
    connect(place).close()
    return process, f"nbd+unix:///n?socket={place}"


def uses(uri):
    story.run("qemu-io", "-r", "-f", "raw", "-c", "read -q 0 64k",
              "-c", "read -q 64k 64k", uri)


@tap.case("a reader that dies neither stops nor ends QEMU")
def _(tmp):
    trace = os.path.join(tmp, "trace")
    process, uri = idle_server(tmp, trace)
    try:
        uses(uri)
        reader = child_of(process.pid, "cotrace-reader")
        os.kill(reader, signal.SIGKILL)
        uses(uri)
        process.send_signal(signal.SIGTERM)
        _, err = end(process)
    finally:
        process.kill()
    assert "the reader was killed" in err, err
    tap.equal(note(trace)["complete"], False)
    with_times = [r for r in story.requests(trace) if r["layer"] == "nbd"]
    all_of_them = story.requests(os.path.join(trace, "qemu.log"))
    assert len([r for r in all_of_them if r["layer"] == "nbd"]) >= \
        len(with_times)
    reads = [r for r in all_of_them if r["bytes"] == 64 * KIB and
             r["layer"] == "nbd"]
    tap.equal(len(reads), 4)


@tap.case("a reader that is stopped holds up nobody for long")
def _(tmp):
    trace = os.path.join(tmp, "trace")
    process, uri = idle_server(tmp, trace)
    try:
        os.kill(child_of(process.pid, "cotrace-reader"), signal.SIGSTOP)
        uses(uri)
        process.send_signal(signal.SIGTERM)
        _, err = end(process)
    finally:
        process.kill()
    assert "the reader was killed" in err, err
    tap.equal(note(trace)["complete"], False)


@tap.case("a QEMU with the backend simple alone leaves its binary file")
def _(tmp):
    """A stand-in that writes the head of one where it is told to."""
    fake = os.path.join(tmp, "fake-qemu")
    with open(fake, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n"
                   "case \"$*\" in\n"
                   "--version) echo qemu-img version 6.1.0 ;;\n"
                   "'--trace help') echo blk_co_preadv ;;\n"
                   "*) printf '\\377\\377\\377\\377\\377\\377\\377\\377"
                   "\\n\\n\\n' >\"${2##*file=}\" ;;\n"
                   "esac\n")
    os.chmod(fake, 0o755)
    trace = os.path.join(tmp, "trace")
    done = story.run(*command(trace, fake, "info"))
    assert "unknown number of events" in done.err, done.err
    tap.equal((note(trace)["complete"], note(trace)["qemu"]["clock"],
               note(trace)["events"]), (True, "exact", None))


@tap.case("a recorder that dies neither stops nor ends QEMU")
def _(tmp):
    trace = os.path.join(tmp, "trace")
    process, uri = idle_server(tmp, trace)
    server = child_of(process.pid, "qemu-storage-da")
    try:
        process.kill()
        process.wait()
        uses(uri)
    finally:
        os.kill(server, signal.SIGTERM)
    process.communicate(timeout=story.TIMEOUT)  # its streams are closed
    tap.equal(note(trace)["complete"], False)


@tap.case("what can't be recorded is refused, and leaves nothing")
def _(tmp):
    trace = os.path.join(tmp, "trace")
    for words, why in (
            (["qemu-io", "-T", "enable=*,file=x"], "trace log"),
            (["qemu-nbd", "--fork", "x"], "foreground"),
            (["ls"], "none of the QEMU programs"),
            (["does-not-exist"], "no such program")):
        refused = story.run(*command(trace, *words), status=2)
        tap.equal(refused.out, "")
        assert why in refused.err and refused.err.count("\n") == 1, refused.err
        assert not os.path.exists(trace), words
    refused = story.run(story.COTRACE, "record", "--qemu=no_such*", "-o", trace,
                        "--", "qemu-img", "--help", status=2)
    assert "no such trace event" in refused.err, refused.err


tap.main(sys.argv[1:])
