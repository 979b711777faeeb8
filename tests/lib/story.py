# SPDX-License-Identifier: MIT
"""Recordings of real programs, and the commands that read them, for e2e tests.

The build directory comes from the environment (MESON_BUILD_ROOT as meson sets
it, or COTRACE_BUILD).
"""
import json
import os
import subprocess

BUILD = os.path.abspath(os.environ.get("MESON_BUILD_ROOT")
                        or os.environ.get("COTRACE_BUILD") or "build")
COTRACE = os.path.join(BUILD, "viewer", "cotrace")
IO = os.path.join(BUILD, "runtime", "workloads", "cotrace-io")
TIMEOUT = 120
# Where a sanitizer watches: a part of the counts.
IS_SAMPLE = ("COTRACE_SAMPLE" in os.environ and
             "COTRACE_SOAK" not in os.environ)
# Its shadow and the freed memory that it keeps are no memory of the program's.
HAS_SANITIZER = os.environ.get("SANITIZED") == "1"


def run(*command, status=0, env=None, cwd=None, stdin=subprocess.DEVNULL,
        timeout=TIMEOUT):
    """Run to the end; the exit status must be `status` (None: any)."""
    done = subprocess.run([str(word) for word in command], stdin=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout, cwd=cwd,
                          env={**os.environ, **(env or {})})
    done.out = done.stdout.decode("utf-8", "replace")
    done.err = done.stderr.decode("utf-8", "replace")
    if status is not None and done.returncode != status:
        raise AssertionError(f"{command}: exit status {done.returncode}, not "
                             f"{status}\n{done.out[-2000:]}\n{done.err[-4000:]}")
    return done


def image(path, size="64M", commands=("write -q -P 0x11 0 4M",
                                      "write -q -P 0x22 8M 1M",
                                      "write -q -z 16M 1M")):
    run("qemu-img", "create", "-q", "-f", "qcow2", path, size)
    words = []
    for command in commands:
        words += ["-c", command]
    run("qemu-io", "-f", "qcow2", *words, path)
    return path


READS = ("0", "1M", "2M", "3M", "8M", "12M", "16M", "40M")


def reads(offsets=READS, length="256k"):
    words = []
    for offset in offsets:
        words += ["-c", f"aio_read -q {offset} {length}"]
    return words + ["-c", "aio_flush"]


def record(trace, *command, options=(), **more):
    return run(COTRACE, "record", "-o", trace, *options, "--", *command, **more)


class Noise:
    """Keeps the processors busy beside a test, if it is to be hard."""

    def __init__(self, is_hard):
        self.count = os.cpu_count() if is_hard else 0

    def __enter__(self):
        self.children = [
            subprocess.Popen(["sh", "-c", "while :; do :; done"])
            for _ in range(self.count)]

    def __exit__(self, *_):
        for child in self.children:
            child.kill()
            child.wait()


def _pairs(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise AssertionError(f"a key twice in one object: {keys}")
    return dict(pairs)


def parse(text):
    return json.loads(text, object_pairs_hook=_pairs)


def document(*command, **more):
    return parse(run(COTRACE, *command, "--json", **more).out)


def requests(trace, *options):
    out = run(COTRACE, "requests", trace, *options, "--json").out
    return [parse(line) for line in out.splitlines()]


def check_sums(found):
    """Contiguous segments from begin to end, for every request."""
    for request in found:
        at = request["begin_ns"]
        if at is None:
            at = request["segments"][0]["begin_ns"]
        for segment in request["segments"]:
            if segment["begin_ns"] != at or segment["end_ns"] < at:
                raise AssertionError(f"hole before {segment} in {request}")
            at = segment["end_ns"]
        if request["end_ns"] is not None and at != request["end_ns"]:
            raise AssertionError(f"segments end at {at}: {request}")
        if request["complete"] and \
                request["latency_ns"] != request["end_ns"] - request["begin_ns"]:
            raise AssertionError(f"latency is not end - begin: {request}")


WAITS = ("runnable", "work-queued", "work-done", "lock", "queue", "children",
         "io")


def check_causes(found):
    """Every waiting segment names its cause; nothing is lost here."""
    for request in found:
        for segment in request["segments"]:
            if segment["state"] not in WAITS:
                continue
            cause = segment["cause"]
            if cause is None or (cause["kind"] == "unknown" and
                                 segment["state"] not in ("queue", "children")):
                raise AssertionError(f"no cause: {segment} in {request}")


def pieces(frames):
    """A logical backtrace's frames, cut at the boundaries:
    [(boundary or None, [frame ...]) ...], innermost first."""
    cut = [(None, [])]
    for frame in frames:
        if "boundary" in frame:
            cut.append((frame, []))
        else:
            cut[-1][1].append(frame)
    return cut
