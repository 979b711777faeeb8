#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every condition that ct_pre() checks is broken by a test, which names it; or
stands below, with the reason why no test can."""
import os
import re
import sys

ROOT = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".")
FOLDERS = ("tracepoints", "runtime", "analyzer", "viewer")
CHECK = re.compile(r'\bct_pre(?:_msg)?\("([^"]+)"')
NAMED = re.compile(r'["*\[]([\w-]+/[\w-]+)["*\]]')

# What no caller can break: a room's own sums, or libc's calls.
UNBROKEN = {
    "account-end/sum-is-the-latency": "the accounting's own sum",
    "account-take/open": "the model tells only of requests that are open",
    "coroutine-jump/swapcontext": "fails with a null pointer only",
    "coroutine-pool/memory": "takes a machine that has no memory left",
    "coroutine-start/getcontext": "fails with a null pointer only",
    "meanwhile-ended/began": "slices nest, as the model tells them",
    "origin-also/not-shared": "the model's own count of references",
    "process-end/all": "the model's own tables, just emptied",
    "thread-find-co/open": "the model's own stack of slices",
    "wait-open/in-order": "the pass sorts changes by time",
}


def sources(folders, ends=(".c", ".h")):
    for folder in folders:
        for place, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                if name.endswith(ends):
                    with open(os.path.join(place, name),
                              encoding="utf-8") as file:
                        yield file.read()


def main():
    checked = {name for text in sources(FOLDERS) for name in CHECK.findall(text)}
    tests = "".join(sources(["tests"]))
    broken = checked & set(NAMED.findall(tests))
    found = [f"no test breaks {name}" for name in
             sorted(checked - broken - set(UNBROKEN))]
    found += [f"there is no {name}" for name in sorted(set(UNBROKEN) - checked)]
    found += [f"a test breaks {name}, after all"
              for name in sorted(set(UNBROKEN) & broken)]
    print("1..1")
    print(f"{'not ok' if found or not broken else 'ok'} 1 - {len(checked)} "
          f"conditions, each broken by a test")
    for fault in found:
        print(f"# {fault}")
    sys.exit(1 if found or not broken else 0)


main()
