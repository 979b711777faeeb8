# SPDX-License-Identifier: MIT
"""cotrace record --preload of programs that have tracepoints of their own: what
they tell is as it is without, and nobody tells it twice."""
import os
import re
import subprocess
import sys

import story
import tap

PROGRAMS = os.path.join(story.BUILD, "tests", "programs")
READ = ("-r", "-c", "read -q 0 64k", "-c", "read -q 1M 64k")


def image(tmp):
    return story.image(os.path.join(tmp, "image.qcow2"))


def text_of(trace):
    return subprocess.run(["babeltrace2", trace], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def record(tmp, name, *command, preload=False, **more):
    """The trace, and what was said of it."""
    trace = os.path.join(tmp, name)
    done = story.record(trace, *command,
                        options=("--preload",) if preload else (), **more)
    tap.equal("0 lost" in done.err, True, done.err)
    return trace, done.err


def both(tmp, *command, **more):
    plain, _ = record(tmp, "plain", *command, **more)
    beside, said = record(tmp, "beside", *command, preload=True, **more)
    return plain, beside, said


def story_of(trace):
    """Of each request what does not depend on when it ran; each seen whole."""
    found = story.requests(trace)
    for request in found:
        states = {segment["state"] for segment in request["segments"]}
        tap.equal((request["complete"], request["end_ns"] is None,
                   "unknown" in states), (True, False, False), request)
    story.check_sums(found)
    stat = story.run(story.COTRACE, "stat", trace).out
    tap.equal("not seen whole" in stat, False, stat)
    return [(request["layer"], request["op"], request["offset"],
             request["bytes"], request["ret"]) for request in found]


def told_once(trace):
    """Tellings go up in each process, and a thread is made and begins once."""
    tellings, threads = {}, {}
    for line in text_of(trace).splitlines():
        told = re.search(r"cotrace:(\w+): .*vpid = (\d+), vtid = (\d+)", line)
        if not told:
            continue
        event, process, thread = told.groups()
        if event == "state_begin":
            number = int(re.search(r"telling = (\d+)", line)[1])
            tap.equal(number, tellings.get(process, 0) + 1, "telling")
            tellings[process] = number
        elif event == "thread_start":
            tap.equal(threads.setdefault((process, thread), line), line,
                      "thread")
    tap.equal(bool(tellings), True, "tellings")


@tap.case("a program with tracepoints: its requests are as without --preload")
def _(tmp):
    plain, beside, said = both(tmp, story.IO, *READ, image(tmp))
    wanted = story_of(plain)
    tap.equal(len([one for one in wanted if one[0] == "blk"]), 2, "reads")
    tap.equal(story_of(beside), wanted, "requests")
    told_once(beside)
    tap.equal("cotrace:native_" in text_of(beside), False, "native")
    tap.equal(said.splitlines()[0], "cotrace: warning: not recorded: what "
              f"--preload adds: {story.IO} has tracepoints of its own, which "
              "tell alone", said)
    tap.equal(said.splitlines()[-1], f"cotrace: next: cotrace requests {beside}")


@tap.case("... as a child of a program that has none")
def _(tmp):
    plain, beside, said = both(tmp, "sh", "-c", '"$@"; exit 0', "sh", story.IO,
                               *READ, image(tmp))
    if story.document("stat", plain)["requests"] == 0:
        tap.skip("children are not recorded here")
    tap.equal(story_of(beside), story_of(plain), "requests")
    told_once(beside)
    tap.equal("of its own" in said, False, said)


@tap.case("... in a module that a program without opens later")
def _(tmp):
    env = {"IMAGE": image(tmp)}
    plain, beside, _ = both(tmp, os.path.join(PROGRAMS, "hooked"), "later",
                            os.path.join(PROGRAMS, "opened.so"), env=env)
    wanted = story_of(plain)
    tap.equal(len(wanted) > 1, True, "reads")
    tap.equal(story_of(beside), wanted, "requests")
    # up to there the program's coroutine, from there on the module alone
    lines = [line for line in text_of(beside).splitlines()
             if "cotrace:native_" in line or "cotrace:state_begin:" in line]
    begins = [at for at, line in enumerate(lines) if "telling = 1," in line]
    tap.equal((len(begins), begins[0]), (2, 0), lines)
    tap.equal("native_switch" in "".join(lines[:begins[1]]), True, lines)
    tap.equal([line for line in lines[begins[1]:] if "native" in line], [],
              "native")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
