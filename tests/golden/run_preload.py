#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A written trace of a QEMU with what is preloaded into it, word by word.

    run_preload.py COTRACE [--bless]

preload/read.txt is the trace, preload/read.requests what `cotrace requests
--blame --json` says of it, read.stat what `cotrace stat --json` does,
read.arrows the picture's arrows of eventfds.
--bless writes them anew: look at the diff.

Each of its events is also put into a hole: then no request may be served by
another file, nor be in io or with a worker at another file, than in the whole
trace, and the segments' sums hold.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import story  # noqa: E402
import tap  # noqa: E402

COTRACE = os.path.abspath(sys.argv[1])
TRACE = os.path.join(HERE, "preload", "read.txt")


def run(*words):
    return subprocess.run([COTRACE, *words], text=True, check=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def requests(trace):
    return run("requests", trace, "--all", "--blame", "--json")


def arrows(tmp):
    picture = os.path.join(tmp, "picture.json")
    run("render", TRACE, "-o", picture)
    with open(picture, encoding="utf-8") as file:
        found = [event for event in story.parse(file.read())["traceEvents"]
                 if event.get("cat") == "flow" and event["name"] == "eventfd"
                 and event["ph"] in "sf"]
    return "".join(f"{event['ph']} {event['tid']} {event['ts']}\n"
                   for event in found)


def same(name, got):
    path = os.path.join(HERE, "preload", name)
    if "--bless" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            file.write(got)
    with open(path, encoding="utf-8") as file:
        tap.equal(got, file.read(), name)


@tap.case("files of workers' calls and of the kernel's operations")
def _(tmp):
    same("read.requests", requests(TRACE))


@tap.case("the pool: an item counts as queued from its submission to its begin")
def _(tmp):
    same("read.stat", run("stat", TRACE, "--json"))


@tap.case("who ended the loop's wait")
def _(tmp):
    same("read.arrows", arrows(tmp))


def files_of(text):
    found = [story.parse(line) for line in text.splitlines()]
    story.check_sums(found)
    return {(segment["state"], segment["file"]) for request in found
            for segment in request["segments"] if "file" in segment}


@tap.case("a loss takes files away, and makes none")
def _(tmp):
    with open(TRACE, encoding="utf-8") as file:
        lines = file.read().splitlines()
    whole, kept, twins = files_of(requests(TRACE)), 0, 0
    twin = os.path.join(tmp, "twin.txt")
    for at, line in enumerate(lines):
        if not line.startswith("@"):
            continue
        when = int(line.split()[0][1:])
        with open(twin, "w", encoding="utf-8") as file:
            file.write("\n".join(
                [*lines[:at],
                 f"! stream=0 from={when - 5} to={when + 5} lost=1",
                 *lines[at + 1:]]) + "\n")
        found = files_of(requests(twin))
        tap.equal(found - whole, set(), f"without {line}")
        kept += len(found)
        twins += 1
    tap.equal(len(whole) == 2 and 0 < kept < 2 * twins, True, "some are kept")
    tap.note(f"{twins} twins, {kept} of {2 * twins} files kept")


if __name__ == "__main__":
    tap.main()
