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
import time

# name, compiler, meson options, meson suites (None: all).  Only the runtime
# differs with the stack switch and with tracing: those builds run its tests.
SANE = ["unit", "conds", "golden", "stress"]
VARIANTS = [
    ("plain", "gcc", [], None),
    ("clang", "clang", [], SANE),
    ("asan", "gcc", ["-Db_sanitize=address,undefined"], SANE),
    ("tsan", "gcc", ["-Db_sanitize=thread"], SANE),
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
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
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


def run_variant(base, name, compiler, options, suites, args, totals):
    build = base if name == "plain" else f"{base}-{name}"
    env = dict(os.environ, CC=compiler, COTRACE_CHECK="1", **SANITIZER_ENV)
    if args.soak:
        env["COTRACE_SOAK"] = "1"
    started = time.monotonic()
    if not os.path.exists(os.path.join(build, "build.ninja")):
        lundef = ["-Db_lundef=false"] if compiler == "clang" else []
        made = subprocess.run(["meson", "setup", build, *options, *lundef],
                              env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if made.returncode != 0:
            print(made.stdout)
            totals.failures.append(f"{name}: configuring failed")
            return
    made = subprocess.run(["ninja", "-C", build, f"-j{args.jobs}",
                           *targets_of(build, suites)], env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if made.returncode != 0:
        print(made.stdout)
        totals.failures.append(f"{name}: the build failed")
        return
    built = time.monotonic()
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    command = ["meson", "test", "-C", build, "--no-rebuild",
               "--num-processes", str(args.jobs), "--print-errorlogs",
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
          f"{built - started:.0f} s, tested in {time.monotonic() - built:.0f} s",
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
    for variant in VARIANTS:
        if not args.variant or variant[0] in args.variant:
            print(f"== {variant[0]}: building", flush=True)
            run_variant(args.build, *variant, args, totals)
    for skip in totals.skips:
        print(f"skipped: {skip}")
    for failure in totals.failures:
        print(f"FAILED: {failure}")
    skipped = f", {len(totals.skips)} skipped" if totals.skips else ""
    print(f"{totals.passed} passed, {len(totals.failures)} failed{skipped}")
    sys.exit(0 if totals.passed and not totals.failures else 1)


if __name__ == "__main__":
    main()
