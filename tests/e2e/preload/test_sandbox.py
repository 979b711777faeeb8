#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace record --preload of programs that are killed for each system call
that is not their own."""
import os
import re
import shutil
import subprocess
import sys

import story
import tap

SANDBOXED = os.path.join(story.BUILD, "tests", "programs", "sandboxed")
READS = 1000
SOAK = os.environ.get("COTRACE_SOAK") == "1"


class Recorded:
    """What is told after the program gave up its calls; it runs as it does."""

    def __init__(self, place, mode):
        trace = os.path.join(place, "trace")
        plain = story.run(SANDBOXED, mode)
        # small parts: LTTng wakes its reader under the filter, too
        done = story.record(trace, SANDBOXED, mode,
                            options=("--preload", "--subbuf-size=64K"))
        tap.equal(done.out, plain.out, "what it prints")
        tap.equal("0 lost" in done.err, True, done.err)
        text = subprocess.run(["babeltrace2", trace], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        lines = text.splitlines()
        at = [i for i, line in enumerate(lines)
              if "cotrace:native_sandbox:" in line]
        tap.equal(len(at), 1, "it gives up once")
        self.lost = re.search(r'lost = \( "(\w+)"', lines[at[0]]).group(1)
        self.warned = story.run(story.COTRACE, "stat", trace).err
        self.before, self.after = lines[:at[0]], lines[at[0]:]

    def count(self, name):
        return sum(f"cotrace:{name}:" in line for line in self.after)

    def names(self):
        """[(fd, path)] of what is read, in order"""
        told = [re.search(r'cotrace:(native_file|native_io_begin):.*'
                          r'fd = (\d+), (?:path = "(.*?)")?', line)
                for line in self.before + self.after]
        told = [match.groups() for match in told if match]
        read = {fd for name, fd, _ in told if name == "native_io_begin"}
        return [path for name, fd, path in told
                if name == "native_file" and fd in read]


@tap.case("files that are opened later have the names they were opened by")
def _(place):
    found = Recorded(place, "files")
    tap.equal(found.lost, "threads", "what it can't do")
    tap.equal((found.count("native_io_begin"), found.count("native_io_end")),
              (4 * READS, 4 * READS), "reads")
    tap.equal(found.names(), ["/dev/zero", "/dev/full", "/dev/zero"], "names")


for name, mode in (("a filter that has hardly a call", "tight"),
                   ("one for all of its threads", "together")):
    def run(place, mode=mode):
        found = Recorded(place, mode)
        tap.equal(found.lost, "all", "what is lost")
        tap.equal(len(found.after), 1, "the last event")
        tap.equal("from there on nothing of it is recorded" in found.warned,
                  True, found.warned)
    tap.case(f"{name}: the recording ends, and the program does not")(run)


@tap.case("one for all threads at once, while LTTng's own have hardly begun")
def _(place):
    runs = 100 if SOAK else 3
    for i in range(runs):
        done = story.record(os.path.join(place, f"trace-{i}"), SANDBOXED,
                            "together", options=("--preload",))
        tap.equal("0 lost" in done.err, True, done.err)
        shutil.rmtree(os.path.join(place, f"trace-{i}"))
    tap.note(f"{runs} runs")


@tap.case("threads that can't be asked who they are begin and end unrecorded")
def _(place):
    found = Recorded(place, "threads")
    tap.equal(found.lost, "threads", "what is lost")
    tap.equal((found.count("thread_create"), found.count("thread_start")),
              (0, 0), "threads")
    tap.equal(found.count("native_io_begin"), READS, "the first one's")
    tap.equal("new threads of it and its children are not" in found.warned,
              True, found.warned)


@tap.case("a child that LTTng can't begin in is not recorded")
def _(place):
    found = Recorded(place, "forks")
    tap.equal(found.count("native_io_begin"), READS, "the parent's")
    pids = {re.search(r"vpid = (\d+)", line).group(1)
            for line in found.after}
    tap.equal(len(pids), 1, "processes")


@tap.case("QEMU's own: all of it, or all but children")
def _(place):
    if not shutil.which("qemu-system-x86_64"):
        tap.skip("no qemu-system-x86_64 here")
    qmp = os.path.join(place, "qmp")
    with open(qmp, "w", encoding="utf-8") as file:
        file.write('{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n')
    for sandbox, lost in (("on", []), ("on,spawn=deny", ["forks"])):
        trace = os.path.join(place, f"trace-{len(lost)}")
        with open(qmp, "rb") as stdin:
            done = story.record(
                trace, "qemu-system-x86_64", "-M", "none", "-display", "none",
                "-serial", "none", "-sandbox", sandbox, "-qmp", "stdio",
                stdin=stdin, options=("--preload",))
        tap.equal("0 lost" in done.err, True, done.err)
        text = subprocess.run(["babeltrace2", trace], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        tap.equal(re.findall(r'native_sandbox:.*lost = \( "(\w+)"', text), lost,
                  f"what is lost by -sandbox {sandbox}")
        tap.equal("cotrace:thread_start:" in text, True, "threads")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
