#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The demo does what the README says that it shows."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402


@tap.case("./run demo: table, backtrace, timeline, what to try next")
def _(tmp):
    out = os.path.join(tmp, "out")
    for _ in range(2):  # a second call must do as well
        text = story.run("bash", os.path.join(HERE, "..", "..", "demo.sh"),
                         story.BUILD, out).out
    for word in ("qcow2_open_entry", "worker_thread", "main", "Next:",
                 "The runs are the same, decision by decision.",
                 "The bottom half refresh took"):
        if word not in text:
            raise AssertionError(f"no {word} in:\n{text}")
    with open(os.path.join(out, "timeline.json"), encoding="utf-8") as file:
        timeline = story.parse(file.read())
    tap.equal(timeline["displayTimeUnit"], "ns", "displayTimeUnit")
    outer = story.requests(os.path.join(out, "trace"), "--layer=blk")
    story.check_sums(outer)
    reads = [r for r in outer if r["op"] == "read"]
    tap.equal(len(reads), 8, "reads")
    overlap = max(sum(a["begin_ns"] <= b["begin_ns"] < a["end_ns"]
                      for a in reads) for b in reads)
    if overlap < 4:
        raise AssertionError(f"at most {overlap} requests were in flight")


tap.main(sys.argv[1:])
