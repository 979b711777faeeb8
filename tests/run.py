#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds every variant that we promise, runs its tests, and adds up.

Called by `./run test` and `./run soak`.  Each meson test speaks TAP; the
counts here are of TAP points, and a test that ended badly without a failing
point (a crash, a time-out, no plan) counts as one failure.  The last line is
`N passed, N failed[, N skipped]`; the exit status is 0 only if nothing failed
and something passed.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time

# name, compiler, meson options, meson suites (None: all).  Only the runtime
# differs with the stack switch and with tracing: those builds run its tests.
# Analyzer and viewer have one thread: ThreadSanitizer sees them in a soak only.
SANE = ["unit", "conds", "golden", "stress"]
THREADED = ["runtime", "threads", "conds", "stress"]
VARIANTS = [
    ("plain", "gcc", [], None),
    ("clang", "clang", [], SANE),
    ("asan", "gcc", ["-Db_sanitize=address,undefined"], SANE),
    ("tsan", "gcc", ["-Db_sanitize=thread"], THREADED),
    ("ucontext", "gcc", ["-Dcoroutine_backend=ucontext"], ["runtime"]),
    ("asan-ucontext", "gcc", ["-Db_sanitize=address,undefined",
                              "-Dcoroutine_backend=ucontext"], ["runtime"]),
    ("tsan-ucontext", "gcc", ["-Db_sanitize=thread",
                              "-Dcoroutine_backend=ucontext"], ["runtime"]),
    ("no-tracing", "gcc", ["-Dtracing=disabled"], ["runtime"]),
]
# A sanitizer's report must fail the test that it is in.
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=0:abort_on_error=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    # It sleeps for a second at each exit, to catch races then: hundreds of the
    # tests' programs end, and a twentieth of that is as good.
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:"
                    "atexit_sleep_ms=50",
}
TAP = re.compile(r"^(not )?ok\b(?:\s+\d+)?\s*-?\s*([^#]*)(?:#\s*(\w+)\s*(.*))?$")


class Totals:
    def __init__(self):
        self.passed = 0
        self.failures = []
        self.skips = []

    def add(self, variant, test):
        failed_before = len(self.failures)
        points = 0
        for line in (test.get("stdout") or "").splitlines():
            match = TAP.match(line)
            if not match:
                continue
            points += 1
            where = f"{variant}: {test['name']}: {match[2].strip()}"
            directive = (match[3] or "").upper()
            if directive.startswith("SKIP"):
                self.skips.append(f"{where}: {match[4].strip()}")
            elif match[1]:
                self.failures.append(where)
            else:
                self.passed += 1
        ok = test["result"] in ("OK", "EXPECTEDFAIL")
        if test["result"] == "SKIP":
            if points == 0:
                reason = (test.get("stdout") or "").strip().splitlines()
                self.skips.append(f"{variant}: {test['name']}: "
                                  f"{reason[-1] if reason else 'no reason given'}")
        elif not ok and len(self.failures) == failed_before:
            self.failures.append(f"{variant}: {test['name']}: {test['result']}")
        elif ok and points == 0:
            self.passed += 1


def targets_of(build, suites):
    """What ninja must build for these suites; nothing: everything."""
    if suites != ["runtime"]:
        return []
    # A build directory of an older tree does not know its newer tests.
    subprocess.run(["ninja", "-C", build, "build.ninja"], check=True,
                   stdout=subprocess.DEVNULL)
    told = subprocess.run(["meson", "introspect", "--tests", build], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    wanted = set()
    for test in json.loads(told):
        if any(suite.endswith(":runtime") for suite in test["suite"]):
            for word in test["cmd"]:
                path = os.path.relpath(
                    os.path.join(os.path.abspath(build), word), build)
                if path.startswith("tests" + os.sep):
                    wanted.add(path)
    return sorted(wanted)


class Variant:
    """One build, and how it went; written by the builder, read once built."""

    def __init__(self, base, soak, name, compiler, options, suites):
        self.name = name
        self.compiler = compiler
        self.options = options
        self.suites = SANE if soak and suites == THREADED else suites
        self.build = base if name == "plain" else f"{base}-{name}"
        self.is_built = threading.Event()
        self.failure = None     # what to say, and what the tools said
        self.seconds = 0.0

    def env(self, soak):
        env = dict(os.environ, CC=self.compiler, COTRACE_CHECK="1",
                   **SANITIZER_ENV)
        return dict(env, COTRACE_SOAK="1") if soak else env

    def tool(self, what, command):
        done = subprocess.run(command, env=self.env(False),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode != 0:
            self.failure = what, done.stdout
        return done.returncode == 0

    def make(self, jobs):
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            lundef = ["-Db_lundef=false"] if self.compiler == "clang" else []
            if not self.tool("configuring failed",
                             ["meson", "setup", self.build, *self.options,
                              *lundef]):
                return
        self.tool("the build failed",
                  ["nice", "-n", "10", "ninja", "-C", self.build, f"-j{jobs}",
                   *targets_of(self.build, self.suites)])


def make_all(variants, jobs):
    """Builds one after the other, while tests of the ones before run."""
    for variant in variants:
        started = time.monotonic()
        try:
            variant.make(jobs)
        except Exception as error:  # must reach whoever waits for the build
            variant.failure = "the build failed", repr(error)
        variant.seconds = time.monotonic() - started
        variant.is_built.set()


def run_variant(variant, args, totals):
    name, build, suites = variant.name, variant.build, variant.suites
    variant.is_built.wait()
    if variant.failure:
        what, said = variant.failure
        print(said)
        totals.failures.append(f"{name}: {what}")
        return
    env = variant.env(args.soak)
    built = time.monotonic()
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    # The end-to-end tests, which only the whole suite has, mostly wait for
    # daemons and disks.
    processes = int(args.jobs) * (1 if suites else 2)
    command = ["meson", "test", "-C", build, "--no-rebuild",
               "--num-processes", str(processes), "--print-errorlogs",
               "-t", "20" if args.soak else ("4" if "san" in name else "2")]
    for suite in suites or []:
        command += ["--suite", suite]
    command += args.tests
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL)
    before = totals.passed, len(totals.failures)
    if os.path.exists(log):
        with open(log, encoding="utf-8") as lines:
            for line in lines:
                totals.add(name, json.loads(line))
    # Nothing may be green because it did not run.
    if done.returncode != 0 and len(totals.failures) == before[1]:
        totals.failures.append(f"{name}: meson test ended with status "
                               f"{done.returncode}")
    elif totals.passed == before[0] and len(totals.failures) == before[1]:
        totals.failures.append(f"{name}: no test ran")
    print(f"== {name}: {totals.passed - before[0]} passed, "
          f"{len(totals.failures) - before[1]} failed; built in "
          f"{variant.seconds:.0f} s, tested in {time.monotonic() - built:.0f} s",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--jobs", default=str(os.cpu_count()))
    parser.add_argument("--soak", action="store_true",
                        help="the full counts of what is sampled otherwise")
    parser.add_argument("--variant", action="append",
                        choices=[variant[0] for variant in VARIANTS])
    parser.add_argument("tests", nargs="*", help="meson test names; all")
    args = parser.parse_args()
    totals = Totals()
    variants = [Variant(args.build, args.soak, *variant) for variant in VARIANTS
                if not args.variant or variant[0] in args.variant]
    threading.Thread(target=make_all, args=(variants, args.jobs),
                     daemon=True).start()
    for variant in variants:
        print(f"== {variant.name}", flush=True)
        run_variant(variant, args, totals)
    for skip in totals.skips:
        print(f"skipped: {skip}")
    for failure in totals.failures:
        print(f"FAILED: {failure}")
    skipped = f", {len(totals.skips)} skipped" if totals.skips else ""
    print(f"{totals.passed} passed, {len(totals.failures)} failed{skipped}")
    sys.exit(0 if totals.passed and not totals.failures else 1)


if __name__ == "__main__":
    main()
