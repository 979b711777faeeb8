#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which rows run.py takes, by its words; nothing is measured."""
import os
import sys

import story
import tap

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")


def bench(*words, status=0):
    done = story.run(sys.executable, RUN, "--build", story.BUILD, *words,
                     status=status)
    return done.out.splitlines(), done.err


@tap.case("--list: each row's name once, or of those that --only takes")
def _(tmp):
    names, _ = bench("--list")
    tap.equal(len(names), len(set(names)), names)
    some, _ = bench("--list", "--only", "coroutine", "--only", "event-off")
    tap.equal(some, [name for name in names
                     if "coroutine" in name or "event-off" in name])
    tap.equal("event-off" in some and len(some) < len(names), True, some)


@tap.case("a word that is in no row's name: one line, status 2, no file")
def _(tmp):
    path = os.path.join(tmp, "bench.json")
    for words in (("--only", "nosuchrow"),
                  ("--only", "event-off", "--only", "nosuchrow"),
                  ("--only", "nosuchrow", "--list")):
        tap.equal(bench("--json", path, *words, status=2),
                  ([], "run.py: no row has 'nosuchrow' in its name; --list "
                       "prints the names\n"), words)
    tap.equal(os.path.exists(path), False)


tap.main(sys.argv[1:])
