#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs with one planted cause each: findings names it first.

What is planted lasts PLANTED_NS, by construction.  The programs without
anything in the way of their requests have no findings at all, at the default
thresholds.  So that this does not depend on what else the machine does, the
traces' clock is the CPU time of the traced program (programs/cpu-clock.c).
COTRACE_SOAK=1 records each of them 20 times.
"""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import recount  # noqa: E402
import story  # noqa: E402
import tap  # noqa: E402

PROGRAMS = os.path.join(story.BUILD, "tests", "programs")
PLANTED = os.path.join(PROGRAMS, "planted")
PLANTED_NS = 60_000_000
REQUESTS = 4
MANY = 200
TIMES = 20 if os.environ.get("COTRACE_SOAK") == "1" else 1

# cause -> kind if it is another word, function, requests that it hurts, cost
# at least, how often at least
CAUSES = {
    "blocked-loop": (None, "blocks_the_loop", REQUESTS, PLANTED_NS, 1),
    "nested-poll": (None, "polls_by_itself", None, PLANTED_NS, 1),
    "nested-wait": ("nested-poll", "waits_for_another", REQUESTS, PLANTED_NS,
                    1),
    "pool-saturated": (None, None, REQUESTS - 2, PLANTED_NS, 1),
    "lock-convoy": (None, None, REQUESTS - 1, 6 * PLANTED_NS, 1),
    "serialised": (None, None, REQUESTS - 1, 6 * PLANTED_NS, REQUESTS - 1),
    "stuck-coroutine": (None, "waits_for_ever", 1, 3 * PLANTED_NS, 1),
    "starved-context": (None, None, REQUESTS, REQUESTS * PLANTED_NS, REQUESTS),
    "spawn-storm": (None, None, MANY // 2, 1, MANY - 1),
    "idle-wakeup": (None, None, None, 1, MANY // 2),
    "idle-queue": ("idle-wakeup", None, REQUESTS, 1, REQUESTS * (MANY - 1)),
    "tracing-overhead": (None, None, REQUESTS, PLANTED_NS // 6, 160_000),
}


def record(tmp, *command):
    """A trace whose clock is the program's CPU time."""
    trace = os.path.join(tmp, "trace")
    clock = os.path.join(tmp, "clock")
    with open(clock, "wb") as file:
        file.write(bytes(8))
    story.record(trace, *command, env={
        "COTRACE_CPU_CLOCK": clock,
        "LTTNG_UST_CLOCK_PLUGIN": os.path.join(PROGRAMS, "cpu-clock.so")})
    return trace


def check_states(trace, rows):
    """As recomputed from the raw events by something else."""
    if shutil.which("babeltrace2") is None:
        tap.note("no babeltrace2: states are not recomputed")
        return
    raw = story.run("babeltrace2", "--clock-cycles", trace).out.splitlines()
    n = recount.compare(recount.lines_of(raw), rows)
    tap.note(f"{n} requests agree with what was recomputed")


def find(trace, *options):
    return story.document("findings", trace, *options)


def check(first, cause):
    kind, function, hurt, cost, count = CAUSES[cause]
    tap.equal(first["kind"], kind or cause, first)
    if function is not None:
        tap.equal(first["function"], function, first)
    if hurt is not None and first["n_requests"] < hurt:
        raise AssertionError(f"hurts {first['n_requests']}, not {hurt}: "
                             f"{first}")
    if first["cost_ns"] < cost or first["count"] < count:
        raise AssertionError(f"costs {first['cost_ns']} ns: {first}")
    if not first["begin_ns"] < first["end_ns"]:
        raise AssertionError(f"no time to jump to: {first}")
    names = [frame.get("function") for frame in first["frames"]]
    if cause == "lock-convoy":  # of the wait, and each wait is one
        tap.equal(first["count"], REQUESTS - 1, first)
        tap.equal({"co_mutex_lock", "locks"} - set(names), set(), names)
    if "main" not in names and cause != "tracing-overhead":
        raise AssertionError(f"its backtrace does not reach main: {names}")


def again(tmp, once):
    """once(), as often as it is wanted; a trace is there for one of them."""
    for turn in range(TIMES):
        try:
            once(tmp)
        except AssertionError as error:
            raise AssertionError(f"recording {turn + 1} of {TIMES}") from error
        shutil.rmtree(os.path.join(tmp, "trace"), ignore_errors=True)
    tap.note(f"{TIMES} recordings, load {os.getloadavg()[0]:.1f} on "
             f"{os.cpu_count()} CPUs")


def is_named(tmp, cause):
    trace = record(tmp, PLANTED, cause)
    if cause != "tracing-overhead":  # of 200 000 requests
        rows = story.requests(trace, "--all", "--blame")
        story.check_sums(rows)
        story.check_causes(rows)
        check_states(trace, rows)
    found = find(trace)["findings"]
    if not found:
        raise AssertionError("nothing is named")
    check(found[0], cause)
    costs = [finding["cost_ns"] for finding in found]
    tap.equal(costs, sorted(costs, reverse=True), "worst first")
    text = story.run(story.COTRACE, "findings", trace).out
    if f"\n{found[0]['kind']}: " not in text:
        raise AssertionError(text)


def register(cause):
    @tap.case(f"{cause} is named first")
    def _(tmp):
        again(tmp, lambda tmp: is_named(tmp, cause))


for each in CAUSES:
    register(each)


@tap.case("a program without one has none, and says so")
def _(tmp):
    def clean(tmp):
        trace = record(tmp, PLANTED, "none")
        tap.equal(find(trace), {"complete": True, "findings": []})
        tap.equal(story.run(story.COTRACE, "findings", trace).out,
                  "Nothing to point at\n")

    again(tmp, clean)


@tap.case("nor has a qcow2 image that is read, one by one or all at once")
def _(tmp):
    image = story.image(os.path.join(tmp, "image"))

    def clean(tmp):
        for words in (["-c", "read -q 0 1M"] * 20, story.reads(length="4k")):
            trace = record(tmp, story.IO, "-f", "qcow2", *words, image)
            tap.equal(find(trace)["findings"], [])
            story.run("rm", "-r", trace)

    again(tmp, clean)


@tap.case("thresholds are options")
def _(tmp):
    trace = record(tmp, PLANTED, "blocked-loop")
    for options, least in (([], 1), ([f"--block={20 * PLANTED_NS}"], 0)):
        tap.equal(len(find(trace, *options)["findings"]), least, options)
    story.run("rm", "-r", trace)
    trace = record(tmp, PLANTED, "none")
    kinds = {finding["kind"] for finding in
             find(trace, "--block=0", "--stuck=0", "--spawns=0", "--idles=0",
                  "--tracing=0")["findings"]}
    if not {"blocked-loop", "lock-convoy"} & kinds:
        raise AssertionError(f"nothing at thresholds of 0: {kinds}")


tap.main(sys.argv[1:])
