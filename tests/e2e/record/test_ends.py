#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How a recording ends: signals to whom ever, kills of whatever takes part.

The samples of kills at full event rate use a fixed seed; COTRACE_SOAK=1 runs
fifty a user.
"""
import os
import pty
import random
import signal
import subprocess
import sys
import time

from recording import (BOUND, PATIENCE, SOAK, count_trace,
                       each_user, line, one_line, story, tap, until)

KILLS = 50 if SOAK else 5
REQUEST_KILLS = 50 if SOAK else 2
DEPTH = 32
SEED = 20261122


def bounded(place, process, since, status):
    done = place.end(process, status)
    took = time.monotonic() - since
    if took > BOUND:
        raise AssertionError(f"record returned after {took:.2f} s")
    return done, took


@each_user("Ctrl-C on the terminal: the program gets it once, record waits")
def _(place):
    # A controlling terminal with record in its foreground group.
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir(place.tmp)
            argv = place.argv(place.busy, "wait", 1)
            os.execvpe(argv[0], argv, place.environment())
        finally:
            os._exit(99)
    seen = b""
    try:
        while b"ready" not in seen:
            seen += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # EIO: everybody has closed it
                break
            if not piece:
                break
            seen += piece
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(terminal)
    tap.equal(os.waitstatus_to_exitcode(status), 4, seen)
    tap.equal(seen.count(b"got 2"), 1, seen)
    place.check_nothing_left()
    tap.equal((place.note()["complete"], len(place.events())), (True, 1),
              "the trace")


@each_user("a signal to record alone goes on to the program")
def _(place):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                   signal.SIGUSR1):
        output = f"trace{int(number)}"
        process = place.start(place.busy, "wait", 1, output=output)
        line(process, "ready")
        recorder = place.pid_of("cotrace")
        os.kill(recorder, number)
        done = place.end(process, status=4)
        tap.equal(done.out, f"got {int(number)}\n", "the program")
        tap.equal((place.note(output)["complete"],
                   len(place.events(output))), (True, 1), "the trace")


@each_user("a signal that the program dies of is told as 128 and its number")
def _(place):
    process = place.start(place.busy, "wait", 1)
    line(process, "ready")
    os.kill(place.pid_of("cotrace"), signal.SIGQUIT)
    place.end(process, status=128 + signal.SIGQUIT)
    tap.equal(place.note()["complete"], True, "the trace")


@each_user("a signal to the whole group ends program and recording")
def _(place):
    process = place.start(place.busy, "forever", 2, start_new_session=True)
    line(process, "ready")
    os.killpg(process.pid, signal.SIGINT)
    done = place.end(process, status=3)
    emitted = int(done.out.split()[1])
    note = place.note()
    tap.equal(note["complete"], True, "complete")
    if not emitted <= note["own_events"] + note["discarded"] < emitted + 1000:
        raise AssertionError(f"{done.out} {note}")
    tap.equal(count_trace(place.path("trace")), note["own_events"], "events")


@each_user("an ignored SIGINT stays ignored, in record and in the program")
def _(place):
    process = place.start(
        "sh", "-c", "echo ready; read x; echo read $x", stdin=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    line(process, "ready")
    os.kill(place.pid_of("cotrace"), signal.SIGINT)
    process.stdin.write(b"on\n")
    process.stdin.flush()
    line(process, "read on")
    process.stdin.close()
    process.stdin = None
    place.end(process)


@each_user("a signal before the program starts: status 2, nothing left")
def _(place):
    # A daemon that never says that it serves.
    with open(place.path("fake"), "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexec sleep 1000\n")
    os.chmod(place.path("fake"), 0o755)
    process = place.start(place.busy, "count", 1, 1,
                          env={"LTTNG_SESSIOND_PATH": place.path("fake")})
    place.pid_of("sleep")
    since = time.monotonic()
    os.kill(place.pid_of("cotrace"), signal.SIGINT)
    done, _ = bounded(place, process, since, 2)
    one_line(done, "signal 2", "before", "started")
    tap.equal(os.path.exists(place.path("trace")), False, "no directory")


@each_user(f"kill -9 of the program at full event rate, {KILLS} times")
def _(place):
    moments = random.Random(SEED)
    incomplete = 0
    longest = 0
    for i in range(KILLS):
        output = f"trace{i}"
        process = place.start(place.busy, "forever", 2, output=output)
        line(process, "ready")
        # Not a wait for anything: the moment of the kill is the sample.
        time.sleep(moments.random() * 0.2)
        since = time.monotonic()
        os.kill(place.pid_of("busy"), signal.SIGKILL)
        done, took = bounded(place, process, since, 128 + signal.SIGKILL)
        note = place.note(output)
        incomplete += not note["complete"]
        longest = max(longest, took)
        tap.equal("not complete" in done.err, not note["complete"], done.err)
        tap.equal(count_trace(place.path(output)), note["own_events"], "events")
        subprocess.run(["rm", "-rf", place.path(output)], check=True)
    tap.note(f"{KILLS} kills, seed {SEED}: {incomplete} traces incomplete, "
             f"record returned after {longest:.2f} s at most")


def recorded_bytes(trace):
    return sum(os.path.getsize(os.path.join(top, name))
               for top, _, names in os.walk(trace) for name in names)


@each_user(f"kill -9 with {DEPTH} requests in flight, {REQUEST_KILLS} times: "
           "they are listed as open")
def _(place):
    sizes = random.Random(SEED)
    image = place.path("disk.raw")
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    os.chmod(image, 0o644)
    program = place.copy(story.IO, "cotrace-io")
    longest = 0
    told = []
    for i in range(REQUEST_KILLS):
        output = f"requests{i}"
        process = place.start(program, "bench", "-f", "raw", "-c", 10 ** 8,
                              "-d", DEPTH, "-s", 4096, image, output=output)
        size = sizes.randrange(1 << 16, 1 << 22)
        until(lambda: recorded_bytes(place.path(output)) > size, "a trace")
        since = time.monotonic()
        os.kill(place.pid_of("cotrace-io"), signal.SIGKILL)
        _, took = bounded(place, process, since, 128 + signal.SIGKILL)
        longest = max(longest, took)
        stat = story.document("stat", place.path(output))
        requests = story.requests(place.path(output), "--layer=blk")
        story.check_sums(requests)
        opened = [r for r in requests if r["end_ns"] is None]
        if any(request["complete"] for request in opened):
            raise AssertionError(f"complete without an end: {opened}")
        # What a full buffer cost is known; else all that were in flight lie
        # in the trace.
        if stat["discarded"] == 0 and place.note(output)["complete"]:
            if not 1 <= len(opened) <= DEPTH:
                raise AssertionError(f"{len(opened)} open of {len(requests)}")
            told.append(len(opened))
        subprocess.run(["rm", "-rf", place.path(output)], check=True)
    tap.note(f"{REQUEST_KILLS} kills, seed {SEED}: record returned after "
             f"{longest:.2f} s at most; open: {told}")


@each_user("kill -9 of record: program and daemons end, the trace is readable")
def _(place):
    process = place.start(place.busy, "forever", 1)
    line(process, "ready")
    os.kill(place.pid_of("cotrace"), signal.SIGKILL)
    out, _ = process.communicate(timeout=PATIENCE)
    until(lambda: not place.processes(), "the end of all processes")
    tap.equal(out.startswith(b"emitted "), True, "the program ended by SIGTERM")
    until(lambda: not os.listdir(place.run_dir), "an empty run directory")
    note = place.note()
    tap.equal((note["complete"], note["exit_status"]), (False, None), "note")
    tap.equal(count_trace(place.path("trace")) > 0, True, "events")


@each_user("kill -9 of a helper or a daemon: the program runs on, said at end")
def _(place):
    for name in ("cotrace-keeper", "cotrace-control", "lttng-sessiond",
                 "lttng-consumerd"):
        output = f"trace-{name}"
        process = place.start(place.busy, "wait", 1, output=output)
        line(process, "ready")
        os.kill(place.pid_of(name), signal.SIGKILL)
        until(lambda: name not in place.processes().values(), name)
        since = time.monotonic()
        os.kill(place.pid_of("busy"), signal.SIGTERM)
        done, _ = bounded(place, process, since, 4)
        tap.equal(done.out, "got 15\n", name)
        tap.equal(place.note(output)["complete"], False, name)
        tap.equal("not complete" in done.err, True, done.err)


@each_user("a daemon that stands still: record does not wait for ever")
def _(place):
    for name in ("lttng-sessiond", "lttng-consumerd"):
        output = f"trace-{name}"
        process = place.start(place.busy, "wait", 1, output=output)
        line(process, "ready")
        os.kill(place.pid_of(name), signal.SIGSTOP)
        since = time.monotonic()
        os.kill(place.pid_of("busy"), signal.SIGTERM)
        bounded(place, process, since, 4)
        tap.equal(place.note(output)["complete"], False, name)


@each_user("a signal while the trace is completed cuts that short")
def _(place):
    process = place.start(place.busy, "wait", 1)
    line(process, "ready")
    os.kill(place.pid_of("lttng-consumerd"), signal.SIGSTOP)
    os.kill(place.pid_of("busy"), signal.SIGTERM)
    line(process, "got 15")
    until(lambda: "busy" not in place.processes().values(), "its end")
    since = time.monotonic()
    os.kill(place.pid_of("cotrace"), signal.SIGINT)
    _, took = bounded(place, process, since, 4)
    tap.note(f"{took:.2f} s")
    tap.equal(place.note()["complete"], False, "complete")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
