# SPDX-License-Identifier: MIT
"""Rows of a benchmark: contenders in turns, medians, a goal.

A row has contenders, ours first.  Each is a function that does the work once
and returns its figure, or None when its program is not here.  They run in turns
(A B C A B C ...), the first turn is a warm-up and dropped, and the verdict is
the ratio of the medians.
"""
import os
import statistics
import subprocess


class Missing(Exception):
    """The contender can't run here; the text says why."""


class Goal:
    """ours <= factor x peer (>= where more is better), or ours <= limit."""

    def __init__(self, peer=None, factor=None, limit=None):
        self.peer = peer      # a label; several; "best": the best of them all
        self.factor = factor
        self.limit = limit

    def text(self, more):
        sign = ">=" if more else "<="
        if self.limit is not None:
            return f"{sign} {self.limit:g}"
        peer = self.peer if isinstance(self.peer, str) else \
            "best of " + ", ".join(self.peer)
        return f"{sign} {self.factor:g} x {peer}"

    def judge(self, ours, peers, more):
        """(ratio or None, reached or None: the peer is missing)"""
        if self.limit is not None:
            reached = ours >= self.limit if more else ours <= self.limit
            return None, reached
        known = {k: v for k, v in peers.items() if v is not None}
        if not isinstance(self.peer, str):
            known = {k: v for k, v in known.items() if k in self.peer}
        if self.peer == "best" or not isinstance(self.peer, str):
            peer = (max if more else min)(known.values(), default=None)
        else:
            peer = known.get(self.peer)
        if not peer:
            return None, None
        ratio = ours / peer
        return ratio, ratio >= self.factor if more else ratio <= self.factor


class Row:
    def __init__(self, name, title, unit, contenders, goal=None, more=False,
                 turns=None, also=None):
        self.name = name
        self.title = title
        self.unit = unit
        self.contenders = contenders  # [(label, function)], ours first
        self.goal = goal
        self.also = also              # one more goal
        self.more = more              # more is better
        self.turns = turns            # None: as the runner says
        self.samples = {}
        self.missing = {}

    def run(self, turns, warm_up=True):
        if self.turns is not None and not (turns == 1 and not warm_up):
            turns, warm_up = self.turns
        for turn in range(turns + (1 if warm_up else 0)):
            for label, function in self.contenders:
                if label in self.missing:
                    continue
                try:
                    value = function()
                except Missing as reason:
                    self.missing[label] = str(reason)
                    continue
                if turn > 0 or not warm_up:
                    self.samples.setdefault(label, []).append(value)

    def median(self, label):
        samples = self.samples.get(label)
        return statistics.median(samples) if samples else None

    def result(self):
        ours, *peers = [label for label, _ in self.contenders]
        value = self.median(ours)
        medians = {label: self.median(label) for label in peers}
        out = {
            "name": self.name, "title": self.title, "unit": self.unit,
            "more_is_better": self.more,
            "ours": value, "samples": self.samples.get(ours, []),
            "peers": [{"name": label, "value": medians[label],
                       "ratio": value / medians[label]
                       if value is not None and medians[label] else None,
                       "samples": self.samples.get(label, []),
                       "missing": self.missing.get(label)}
                      for label in peers],
            "missing": self.missing.get(ours),
            "goal": None, "also": None,
        }
        for key, goal in (("goal", self.goal), ("also", self.also)):
            if goal is not None:
                ratio, reached = (goal.judge(value, medians, self.more)
                                  if value is not None else (None, None))
                out[key] = {"text": goal.text(self.more), "ratio": ratio,
                            "reached": reached}
        return out


EVENTS = 10_000_000 if os.environ.get("COTRACE_SOAK") == "1" else 2_000_000


class Bench:
    """Where programs are, on which CPU they run, how much they do."""

    def __init__(self, build, quick):
        self.build = os.path.abspath(build)
        self.quick = quick
        self.events = EVENTS  # of the recordings that show how size matters
        self.cpu = max(os.sched_getaffinity(0))
        self.tmp = None  # a directory for what is recorded

    def pin(self):
        os.sched_setaffinity(0, {self.cpu})

    def program(self, *parts):
        path = os.path.join(self.build, *parts)
        if not os.access(path, os.X_OK):
            raise Missing(f"{parts[-1]} was not built")
        return path

    def output(self, command, pinned=True, stdin=subprocess.DEVNULL):
        done = subprocess.run(command, text=True,
                              preexec_fn=self.pin if pinned else None,
                              stdin=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: status "
                               f"{done.returncode}\n{done.stderr}")
        return done.stdout

    def contender(self, program, row, count):
        """A program of bench.h, as a function for Row."""
        count = max(64, count // 200) if self.quick else count

        def once():
            return float(self.output([self.program("tests", "bench", program),
                                      row, str(count)]))
        return once
