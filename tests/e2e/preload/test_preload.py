#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace record --preload: programs without tracepoints, and that they run as
they do without it."""
import os
import shutil
import subprocess
import sys

import story
import tap

PROGRAMS = os.path.join(story.BUILD, "tests", "programs")
CONTEXTS = os.path.join(PROGRAMS, "contexts")
HOOKED = os.path.join(PROGRAMS, "hooked")
STATIC = os.path.join(PROGRAMS, "static")


def events(trace):
    """[(name, {field: text})] in order."""
    out = subprocess.run(["babeltrace2", trace], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    found = []
    for line in out.splitlines():
        name = next(w for w in line.split() if ":" in w and w.endswith(":")
                    and not w.startswith("["))[:-1]
        fields = {}
        for part in line[line.rindex("{") + 1:line.rindex("}")].split(","):
            key, equals, value = part.partition(" = ")
            if equals:
                fields[key.strip()] = value.strip()
        found.append((name, fields))
    return found


def record(place, *command, status=0, **more):
    """The trace, and that the program did what it does without."""
    trace = os.path.join(place, "trace")
    shutil.rmtree(trace, ignore_errors=True)
    plain = story.run(*command, status=status, **more)
    done = story.record(trace, *command, options=("--preload",), status=status,
                        **more)
    tap.equal(done.out, plain.out, "stdout")
    tap.equal([line for line in done.err.splitlines()
               if not line.startswith("cotrace: ")], plain.err.splitlines(),
              "stderr")
    return trace, done


def names(piece):
    return [frame.get("function") for frame in piece]


@tap.case("coroutines that swap contexts: made, entered, ended; back to main")
def _(place):
    trace, _ = record(place, CONTEXTS, "swap")
    found = events(trace)
    of = [name for name, _ in found]
    tap.equal(of.count("cotrace:native_stack"), 3, "made")
    tap.equal(of.count("cotrace:native_stack_end"), 3, "ended")
    # 4 values of each, the last enter, and the values' ways back
    switches = [f["how"].split('"')[1] for n, f in found
                if n == "cotrace:native_switch"]
    tap.equal(switches.count("swap"), 3 * (4 + 1 + 4), "swaps")
    tap.equal(story.document("coroutines", trace)["groups"], [], "none is left")
    for number in (1, 2, 3):
        told = story.document("backtrace", trace, f"--coroutine={number}")
        tap.equal(told["complete"], True, "complete")
        (_, own), (boundary, outer) = story.pieces(told["frames"])
        tap.equal(names(own), ["swapcontext", "leave_here", "waits_here",
                               "generate", "ct_switch_begin"], "its own")
        tap.equal(boundary["boundary"], "coroutine", "boundary")
        shown = names(outer)
        tap.equal((shown[:2], "main" in shown, shown[-1]),
                  (["swapcontext", "enter_here"], True, "_start"), "outside")


@tap.case("coroutines that siglongjmp(): they wait for ever")
def _(place):
    trace, _ = record(place, CONTEXTS, "jump")
    switches = [f["how"].split('"')[1] for n, f in events(trace)
                if n == "cotrace:native_switch"]
    tap.equal((switches.count("swap"), switches.count("jump"),
               switches.count("seen")), (3, 3 + 3 * 2 * 5, 0), "switches")
    groups = story.document("coroutines", trace)["groups"]
    waiting = [co["id"] for group in groups for co in group["coroutines"]]
    tap.equal(sorted(waiting), [1, 2, 3], "waiting")
    for group in groups:
        (_, own), (_, outer) = story.pieces(group["frames"])
        tap.equal(names(own), ["siglongjmp", "leave_here", "waits_here",
                               "generate", "ct_switch_begin"], "its own")
        tap.equal(names(outer)[:2], ["swapcontext", "make_here"], "made by")


@tap.case("many switches: none is lost, and they pair")
def _(place):
    trace, done = record(place, CONTEXTS, "swap", 2000)
    tap.equal("0 lost" in done.err, True, done.err)
    at = "0x0"
    for name, fields in events(trace):
        if name == "cotrace:native_switch":
            tap.equal(fields["from"], at, "where the thread was")
            at = fields["to"]


for mode, status in (("signals", 0), ("fork", 0), ("threads", 0),
                     ("early", 7), ("arguments", 0), ("errors", 0)):
    def run(place, mode=mode, status=status):
        trace, done = record(place, HOOKED, mode, status=status)
        tap.equal("0 lost" in done.err, True, done.err)
        of = [name for name, _ in events(trace)]
        tap.equal("cotrace:native_switch" in of or mode in ("errors",), True,
                  "something was recorded")
        if mode == "threads":
            count = {n: of.count(f"cotrace:thread_{n}")
                     for n in ("create", "start", "exit")}
            tap.equal((count["create"], count["exit"] <= count["start"]),
                      (201, True), "threads, the early one included")
        if mode == "errors":
            ends = [fields["ret"] for name, fields in events(trace)
                    if name in ("cotrace:native_io_end",
                                "cotrace:native_wait_end")]
            tap.equal(ends, ["-9", "-9", "-9", "0", "-110", "-110"], "results")
            tap.equal(of.count("cotrace:native_wake"), 1, "eventfd, open once")
    tap.case(f"a program is not disturbed: {mode}")(run)


@tap.case("LD_PRELOAD that is there already comes first and stays")
def _(place):
    first = os.path.join(place, "first.so")
    source = os.path.join(place, "first.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <stdio.h>\n"
                   "__attribute__((constructor)) static void hello(void)\n"
                   '{ fputs("first\\n", stderr); }\n')
    story.run("cc", "-shared", "-fPIC", "-o", first, source)
    trace = os.path.join(place, "trace")
    done = story.record(trace, "sh", "-c", "echo $LD_PRELOAD",
                        options=("--preload",), env={"LD_PRELOAD": first})
    tap.equal(done.out.strip().split(":"), [
        first, os.path.join(story.BUILD, "tracepoints", "preload",
                            "libcotrace-preload.so")], "LD_PRELOAD")
    tap.equal("first" in done.err.splitlines(), True, "it was loaded")


@tap.case("what can't be preloaded into is said, and runs")
def _(place):
    _, done = record(place, STATIC, "swap")
    tap.equal("statically linked, so nothing can be preloaded" in done.err,
              True, done.err)


@tap.case("a program that was not made for this: Debian's qemu-io")
def _(place):
    if not shutil.which("qemu-io"):
        tap.skip("no qemu-io here")
    disk = story.image(os.path.join(place, "disk.qcow2"))
    trace, _ = record(place, "qemu-io", "-f", "qcow2", *story.reads(), disk)
    whole = 0
    for group in story.document("coroutines", trace)["groups"]:
        for frames in [group["frames"]]:
            pieces = story.pieces(frames)
            tap.equal(names(pieces[0][1])[:2],
                      ["siglongjmp", "qemu_coroutine_switch"], "its own")
            whole += len(pieces) > 1 and "main" in names(pieces[-1][1])
    tap.equal(whole > 0, True, "back to main")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
