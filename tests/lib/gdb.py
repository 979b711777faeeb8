# SPDX-License-Identifier: MIT
"""A program that is recorded while gdb holds it at every stack that it takes:
what gdb saw there, and what was recorded."""
import json
import os
import shutil
import subprocess

import lttng
import tap

TRUTH = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "../e2e/story/gdb_truth.py")
TIMEOUT = 200


def frames_of(pieces, stack):
    """The return addresses of a stack, and whether some are missing."""
    frames, limit = [], 0
    while stack:
        piece = pieces[stack]
        frames += piece["frames"]
        limit |= piece["limit"]
        stack = piece["outer"]
    return frames, limit


def seen(stop):
    """gdb's addresses, without frames that no unwinder can see."""
    return [int(frame["address"], 16) for frame in stop["frames"]
            if not frame["inlined"] and not frame["tailcall"]]


def hexed(addresses):
    return [hex(address) for address in addresses]


class Held:
    """The program's recording: `stops` as gdb saw them, `events`, `pieces`."""

    def __init__(self, tmp, command, env, preload=None, stdin=None):
        if not shutil.which("gdb"):
            tap.skip("gdb is not installed")
        truth = os.path.join(tmp, "truth.json")
        wrapper = ["-ex", f"set exec-wrapper env LD_PRELOAD={preload}"] \
            if preload else []
        with lttng.Session(tmp) as session, \
                open(stdin or os.devnull, "rb") as file:
            session.start("cotrace:*", "lttng_ust_statedump:*",
                          "lttng_ust_lib:*")
            done = subprocess.run(
                ["gdb", "-q", "-nx", "-batch", *wrapper, "-x", TRUTH, "--args",
                 *command], text=True, timeout=TIMEOUT, stdin=file,
                env={**session.env, **env, "TRUTH_OUT": truth},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.trace = session.stop()
        tap.equal(done.returncode, 0, done.stdout)
        self.events = lttng.events(self.trace, "cotrace")
        self.pieces = {e.fields["id"]: e.fields for e in self.events
                       if e.name == "stack_frames"}
        with open(truth, encoding="utf-8") as lines:
            self.stops = [json.loads(line) for line in lines]

    def recorded(self):
        """[(tid, stack)] in order."""
        return [(e.tid, e.fields["stack"]) for e in self.events
                if "stack" in e.fields]

    def stopped(self):
        return [(s["lwp"], int(s["stack"], 16)) for s in self.stops]

    def names(self):
        return {f["function"] for s in self.stops for f in s["frames"]}

    def has(self, *wanted):
        names = self.names()
        for name in wanted:
            if name not in names:
                raise AssertionError(f"{name} is in no stack")
