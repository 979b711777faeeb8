#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace record --preload of linux-aio, io_uring and eventfds: each operation
and its end once, by the same thread; names; wakes."""
import os
import re
import subprocess
import sys

import story
import tap

RINGS = os.path.join(story.BUILD, "tests", "programs", "rings")
BATCH, ROUNDS, BYTES = 4, 3, 512


class Recorded:
    """Events in order, as (thread, {field: text})."""

    def __init__(self, place, mode):
        if not os.path.exists(RINGS):
            tap.skip("libaio and liburing were not there to build with")
        trace = os.path.join(place, "trace")
        plain = story.run(RINGS, mode)
        done = story.record(trace, RINGS, mode, options=("--preload",))
        tap.equal(done.out, plain.out, "what it prints")
        if done.out == "not here\n":
            tap.skip("the kernel has no such rings")
        self.out = done.out
        tap.equal("0 lost" in done.err, True, done.err)
        self.text = subprocess.run(["babeltrace2", trace], check=True,
                                   text=True, stdout=subprocess.PIPE).stdout
        self.of = {}
        for line in self.text.splitlines():
            name = re.search(r" cotrace:(\w+):", line)
            if not name:
                continue
            fields = dict(re.findall(r"(\w+) = (\"[^\"]*\"|\( \"\w+\"|[^ ,]+)",
                                     line[line.rindex("{"):]))
            thread = re.search(r"vtid = (\d+)", line).group(1)
            self.of.setdefault(name.group(1), []).append((thread, fields))

    def names(self):
        return [fields["path"] for _, fields in self.of["native_file"]]

    def pairs(self):
        """The results; each was begun by the thread that tells its end."""
        begun, results = {}, []
        for line in self.text.splitlines():
            what = re.search(r"vtid = (\d+).* cotrace:(native_aio(?:_end)?):"
                             r"|cotrace:(native_aio(?:_end)?):.*vtid = (\d+)",
                             line)
            if not what:
                continue
            name = what.group(2) or what.group(3)
            thread = what.group(1) or what.group(4)
            request = re.search(r"request = (\w+)", line).group(1)
            if name == "native_aio":
                tap.equal(request in begun, False, "given twice")
                begun[request] = thread
            else:
                tap.equal(begun.pop(request, None), thread, "whose end")
                results.append(int(re.search(r"ret = (-?\d+)", line).group(1)))
        return results, begun


@tap.case("linux-aio: each operation and its end, however they are taken")
def _(place):
    told = Recorded(place, "aio")
    results, open_ = told.pairs()
    batch = [BYTES] * (BATCH - 1) + [BYTES - 12]
    results, others = results[:-2], results[-2:]
    tap.equal((sorted(results), open_), (sorted(batch * 4 * ROUNDS), {}), "ends")
    tap.equal(told.out, f"{sum(results)} bytes\n", "what it has read")
    tap.equal((1, 0) in (tuple(others), tuple(others[::-1])), True,
              f"a poll that found POLLIN, a flush: {others}")
    ops = [(f["op"].split('"')[1], f["offset"], f["bytes"])
           for _, f in told.of["native_aio"]]
    tap.equal(({op[0] for op in ops[:-2]}, ops[-2:]),
              ({"read"}, [("poll", "0", "0"), ("flush", "0", "0")]), "ops")
    tap.equal(len(told.names()), 3, "two files and the eventfd")
    waits = [f for _, f in told.of["native_wait_begin"] if '"ring"' in f["kind"]]
    tap.equal(len(waits), 5 * ROUNDS + 1, "calls that may sleep")


@tap.case("io_uring: given once whoever looks; files' operations alone; names")
def _(place):
    told = Recorded(place, "uring")
    results, open_ = told.pairs()
    tap.equal((results, open_), ([BYTES] * BATCH * ROUNDS, {}), "ends")
    tap.equal(len(told.of["native_aio"]), BATCH * ROUNDS, "each once")
    names = told.names()
    tap.equal((len(names), len(set(names))), (ROUNDS, ROUNDS), "a file a round")


@tap.case("io_uring: whose the rings are, and that they go")
def _(place):
    told = Recorded(place, "threads")
    results, open_ = told.pairs()
    # Of its own two, both; what another thread takes passes by, and so does
    # what is left by a thread that ended.
    tap.equal((results, len(open_)), ([BYTES] * 2, 2), told.text)


@tap.case("io_uring: what is left on a stack is not read")
def _(place):
    told = Recorded(place, "stale")
    tap.equal(len(told.pairs()[0]), ROUNDS, "ends")


@tap.case("eventfds: what was written to, and what ended a wait")
def _(place):
    told = Recorded(place, "wakes")
    wakes = [fields["fd"] for _, fields in told.of["native_wake"]]
    woken = [fields["fd"] for _, fields in told.of["native_woken"]]
    tap.equal(len(wakes), 2 * ROUNDS, "wakes")
    tap.equal(sorted(woken), sorted(wakes), "each ended one wait")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
