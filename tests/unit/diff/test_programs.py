# SPDX-License-Identifier: MIT
"""`cotrace diff` of runs that have nothing to compare: it is told so in one
line, with what differs; and what is the same program under all names."""
import os
import re
import sys

import story
import tap
from written import Run

PRELOADED = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                         "../../golden/preload/read.txt")


def run_of(seed, *names, offsets=(0, 4096), node="disk", clock=True):
    """A run of processes with these names; all that happens is in the first."""
    run = Run(seed, clock)
    for tid, name in enumerate(names):
        at = f"@{run.now}" if clock else "@-"
        pid = run.pid + 100 * tid
        run.lines.append(f"{at} {pid}/{pid} lttng_ust_statedump:procname "
                         f'procname="{name}"')
    run.poll()
    for offset in offsets:
        request = run.begin(offset, node=node)
        run.submit(request)
        run.work(request)
        run.complete(request)
    run.polled()
    return run


def diff(*words, status=None):
    return story.run(story.COTRACE, "diff", *words, status=status,
                     env={"COTRACE_CHECK": "1", "LC_ALL": "C"})


def refused(*words, names=()):
    done = diff(*words, status=2)
    tap.equal((done.out, done.err.count("\n")), ("", 1), str(words))
    assert done.err.startswith("cotrace: "), done.err
    for name in ("nothing to compare", *names):
        assert name in done.err, (name, done.err)
    return done.err


def written(tmp, **runs):
    return [run.write(os.path.join(tmp, name)) for name, run in runs.items()]


@tap.case("two programs are told their names, whatever they did")
def _(tmp):
    a, b = written(tmp, a=run_of(0, "cotrace-io"), b=run_of(1, "pairs"))
    refused(a, b, names=["'cotrace-io'", "'pairs'", "--any-program"])
    refused(b, a, "--json", names=["first run is of the program 'pairs'"])
    refused(a, b, "--html", "-o", os.path.join(tmp, "page"))
    tap.equal(os.path.exists(os.path.join(tmp, "page")), False, "a page")
    same = story.parse(diff(a, b, "--any-program", "--json", status=0).out)
    tap.equal((same["exact"], same["programs_a"], same["programs_b"]),
              (True, ["cotrace-io"], ["pairs"]))


@tap.case("two formats are refused, in any order; one may be said twice")
def _(tmp):
    a, b = written(tmp, a=run_of(0, "pairs"), b=run_of(1, "pairs"))
    for words in (("--html", "--json"), ("--json", "--html"),
                  ("--format=html", "--json"), ("--html", "--format=text"),
                  ("--format=json", "--format=chrome")):
        done = diff(a, b, *words, status=2)
        tap.equal((done.out, done.err.count("\n")), ("", 1))
        tap.equal("two formats: choose one of --json" in done.err, True,
                  done.err)
    story.parse(diff(a, b, "--json", "--format=json", status=0).out)


@tap.case("a program's name is what the kernel keeps of it")
def _(tmp):
    a, b, c = written(tmp, a=run_of(0, "qemu-system-x86"),
                      b=run_of(1, "qemu-system-x86_64"),
                      c=run_of(2, "qemu-system-aarch64"))
    diff(a, b, status=0)
    refused(b, c, names=["'qemu-system-x86_64'", "'qemu-system-aarch64'"])


@tap.case("one process in common is enough; all names are told")
def _(tmp):
    a, b, c = written(tmp, a=run_of(0, "server", "helper"),
                      b=run_of(1, "helper"),
                      c=run_of(2, "p1", "p2", "p3", "p4", "p5", "p6"))
    diff(a, b, status=0)
    refused(a, c, names=["'server', 'helper'", "'p1', 'p2', 'p3', 'p4' and 2 "
                         "more"])


@tap.case("a name that is not known may be any")
def _(tmp):
    a, b = written(tmp, a=run_of(0, "pairs"), b=run_of(1))
    diff(a, b, status=0)
    diff(b, a, status=0)
    told = story.parse(diff(a, b, "--json", status=0).out)
    tap.equal((told["programs_a"], told["programs_b"]), (["pairs"], []))


@tap.case("of two runs of a QEMU one tells its workers, the other can't")
def _(tmp):
    with open(PRELOADED, encoding="utf-8") as file:
        lines = re.findall(r'^@(\d+) 7/7 native_line text="(.*)" stack',
                           file.read(), re.MULTILINE)
    log = os.path.join(tmp, "log")
    with open(log, "w", encoding="utf-8") as out:
        out.writelines(f"7@1.{int(at):06}:{line}\n" for at, line in lines)
    kept = os.path.join(tmp, "kept.json")
    diff("--save-baseline", kept, PRELOADED, status=0)
    for a, b in ((PRELOADED, log), (log, PRELOADED), ("--against=" + kept, log)):
        refused(a, b, names=["with its workers", "without its workers",
                             "--any-program"])
    diff(log, log, status=0)
    diff("--against=" + kept, PRELOADED, status=0)
    # a baseline of before it was told apart
    document = story.parse(open(kept, encoding="utf-8").read())
    tap.equal(document["programs"][1], 3)
    document["programs"][1] = 1
    with open(kept, "w", encoding="utf-8") as out:
        out.write(story.json.dumps(document))
    diff("--against=" + kept, PRELOADED, status=0)


@tap.case("a baseline keeps the program")
def _(tmp):
    a, b, c = written(tmp, a=run_of(0, "pairs"), b=run_of(1, "pairs"),
                      c=run_of(2, "cotrace-io"))
    kept = os.path.join(tmp, "kept.json")
    diff("--save-baseline", kept, a, status=0)
    diff("--against=" + kept, b, status=0)
    refused("--against=" + kept, c, names=["'pairs'", "'cotrace-io'"])
    diff("--against=" + kept, c, "--any-program", status=0)
    document = story.parse(open(kept, encoding="utf-8").read())
    del document["programs"]
    with open(kept, "w", encoding="utf-8") as out:
        out.write(story.json.dumps(document))
    diff("--against=" + kept, c, status=0)


@tap.case("one program that did other things: what each did")
def _(tmp):
    a, b, c = written(tmp, a=run_of(0, "pairs"),
                      b=run_of(1, "pairs", node="tape"),
                      c=run_of(2, node="tape"))
    refused(a, b, names=["blk read disk", "blk read tape", "asked to do"])
    refused(a, c, names=["blk read disk", "blk read tape", "same program?"])
    err = refused(a, b, "--any-program", names=["asked to do"])
    assert "--any" not in err.split("nothing")[1], err


@tap.case("a name from a trace can't play with a terminal")
def _(tmp):
    a, b = written(tmp, a=run_of(0, "\\u001b[31mred\\n\\u202e"),
                   b=run_of(1, "pairs"))
    err = refused(a, b, names=["'\\x1b[31mred\\n"])
    assert "\x1b" not in err and "\u202e" not in err, repr(err)
    out = diff(a, b, "--any-program", status=0).out
    assert "\x1b" not in out and "\u202e" not in out, repr(out)


tap.main(sys.argv[1:])
