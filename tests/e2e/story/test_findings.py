#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs with one planted cause each: findings names it first.

What is planted lasts PLANTED_NS, by construction.  The programs without
anything in the way of their requests have no findings at all.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402

PLANTED = os.path.join(story.BUILD, "tests", "programs", "planted")
PLANTED_NS = 60_000_000
REQUESTS = 4
# What a machine that others load may hold the clean programs up for.
CALM = f"--block={20 * PLANTED_NS}"

# cause -> function, requests that it hurts, cost at least
CAUSES = {
    "blocked-loop": ("blocks_the_loop", REQUESTS, PLANTED_NS),
    "nested-poll": ("polls_by_itself", None, PLANTED_NS // 2),
    "pool-saturated": (None, REQUESTS - 2, PLANTED_NS),
    "lock-convoy": (None, REQUESTS - 1, 6 * PLANTED_NS),
    "stuck-coroutine": ("waits_for_ever", 1, PLANTED_NS),
    "starved-context": (None, REQUESTS, REQUESTS * PLANTED_NS),
}


def find(trace, *options):
    return story.document("findings", trace, *options)


def check(first, cause):
    function, hurt, cost = CAUSES[cause]
    tap.equal(first["kind"], cause, first)
    if function is not None:
        tap.equal(first["function"], function, first)
    if hurt is not None and first["n_requests"] < hurt:
        raise AssertionError(f"hurts {first['n_requests']}, not {hurt}: "
                             f"{first}")
    if first["cost_ns"] < cost:
        raise AssertionError(f"costs {first['cost_ns']} ns: {first}")
    if not first["begin_ns"] < first["end_ns"]:
        raise AssertionError(f"no time to jump to: {first}")
    names = [frame.get("function") for frame in first["frames"]]
    if "main" not in names:
        raise AssertionError(f"its backtrace does not reach main: {names}")


def register(cause):
    @tap.case(f"{cause} is named first")
    def _(tmp):
        trace = os.path.join(tmp, "trace")
        story.record(trace, PLANTED, cause)
        story.check_sums(story.requests(trace, "--blame"))
        found = find(trace)["findings"]
        check(found[0], cause)
        costs = [finding["cost_ns"] for finding in found]
        tap.equal(costs, sorted(costs, reverse=True), "worst first")
        text = story.run(story.COTRACE, "findings", trace).out
        if f"\n{cause}: " not in text:
            raise AssertionError(text)


for each in CAUSES:
    register(each)


@tap.case("a program without one has none, and says so")
def _(tmp):
    trace = os.path.join(tmp, "trace")
    story.record(trace, PLANTED, "none")
    said = find(trace, CALM)
    tap.equal(said, {"complete": True, "findings": []})
    tap.equal(story.run(story.COTRACE, "findings", trace, CALM).out,
              "Nothing to point at\n")


@tap.case("nor has a qcow2 image that is read one request at a time")
def _(tmp):
    image = story.image(os.path.join(tmp, "image"))
    trace = os.path.join(tmp, "trace")
    story.record(trace, story.IO, "-f", "qcow2", "-c", "read -q 0 1M", image)
    tap.equal(find(trace, CALM)["findings"], [])


@tap.case("thresholds are options")
def _(tmp):
    trace = os.path.join(tmp, "trace")
    story.record(trace, PLANTED, "blocked-loop")
    for options, least in (([], 1), ([CALM], 0)):
        n = sum(finding["kind"] == "blocked-loop"
                for finding in find(trace, *options)["findings"])
        if n < least or (least == 0 and n):
            raise AssertionError(f"{options}: {n}")


tap.main(sys.argv[1:])
