#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Benchmarks beside their peers, all measured in the same run.

    run.py --build DIR [--json FILE] [--only WORD] [--turns N] [--quick] [--list]

Prints a table, and with --json writes the same with every sample.  A goal that
is missed is said, never an error: machines differ.  --quick does a little of
everything once and prints TAP: whether each row gives its figures.

Everything runs on one CPU, where results repeat within a few per cent: with two
a wake-up costs what it takes to wake a halted CPU, which says nothing about us.
"""
import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import rows_analysis
import rows_bench
import rows_nbd
import rows_preload
import rows_runtime
import rows_tracing
from measure import Bench


def figure(value, unit):
    if value is None:
        return "-"
    if unit == "ns" and value >= 1000:
        return f"{value / 1000:.2f} us"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def verdict(goal):
    if goal is None:
        return ""
    if goal["reached"] is None:
        return f"goal {goal['text']}: peer missing"
    ratio = f"{goal['ratio']:.2f}, " if goal["ratio"] is not None else ""
    return f"{ratio}goal {goal['text']}: " + \
        ("reached" if goal["reached"] else "MISSED")


def print_row(result):
    print(f"{result['title']:<34} {figure(result['ours'], result['unit']):>12}"
          f"   {verdict(result['goal'])}")
    if result["also"]:
        print(f"{'':<49}{verdict(result['also'])}")
    if result["missing"]:
        print(f"    not measured: {result['missing']}")
    for peer in result["peers"]:
        if peer["missing"]:
            print(f"    {peer['name']:<30} {'-':>12}   {peer['missing']}")
        else:
            ratio = (f"ours / it = {peer['ratio']:.2f}"
                     if peer["ratio"] is not None else "")
            print(f"    {peer['name']:<30} "
                  f"{figure(peer['value'], result['unit']):>12}   {ratio}")
    sys.stdout.flush()


def machine(bench):
    model = "unknown"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((line.split(":", 1)[1].strip() for line in lines
                          if line.startswith("model name")), model)
    except OSError:
        pass
    return {"cpu": model, "pinned_to": bench.cpu, "cpus": os.cpu_count(),
            "kernel": platform.release(), "time": time.strftime("%F %T %z")}


def quick_case(number, result):
    """One TAP point: every contender that is built gave a figure."""
    problems = []
    skips = [f"{peer['name']}: {peer['missing']}"
             for peer in result["peers"] if peer["missing"]]
    if result["missing"]:
        skips.insert(0, result["missing"])
    elif result["ours"] is None or result["ours"] < 0:
        problems.append("no figure of ours")
    for peer in result["peers"]:
        if not peer["missing"] and (not peer["value"] or peer["value"] <= 0):
            problems.append(f"no figure of {peer['name']}")
    if result["goal"] and not skips and result["goal"]["reached"] is None:
        problems.append("no verdict")
    skip = f" # SKIP {'; '.join(skips)}" if skips and not problems else ""
    print(f"{'not ' if problems else ''}ok {number} - {result['name']}{skip}")
    for problem in problems:
        print(f"# {problem}")
    sys.stdout.flush()
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--only", metavar="WORD", action="append", default=[],
                        help="rows whose name contains WORD")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--events", type=int, metavar="N",
                        help="length of the trace in the rows size-*: 2 "
                        "million, with COTRACE_SOAK=1 ten")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true",
                        help="print the names of the rows, measure nothing")
    args = parser.parse_args()

    bench = Bench(args.build, args.quick)
    bench.events = args.events or bench.events
    bench.tmp = tempfile.mkdtemp(prefix="cotrace-bench-")
    try:
        return run(bench, args)
    finally:
        shutil.rmtree(bench.tmp, ignore_errors=True)


def run(bench, args):
    load = rows_tracing.Load(bench)
    rows = (rows_runtime.rows(bench) + rows_tracing.rows(bench, load) +
            rows_analysis.rows(bench, load) + rows_nbd.rows(bench) +
            rows_preload.rows(bench) + rows_bench.rows(bench))
    for word in args.only:
        if not any(word in row.name for row in rows):
            print(f"run.py: no row has '{word}' in its name; --list prints the "
                  "names", file=sys.stderr)
            return 2
    if args.only:
        rows = [row for row in rows
                if any(word in row.name for word in args.only)]
    if args.list:
        for row in rows:
            print(row.name)
        return 0
    results = []
    good = True
    if args.quick:
        print(f"1..{len(rows)}")
    for number, row in enumerate(rows, 1):
        try:
            row.run(1 if args.quick else args.turns, warm_up=not args.quick)
        except RuntimeError as error:
            good = False
            if args.quick:
                print(f"not ok {number} - {row.name}")
                print("# " + str(error).replace("\n", "\n# "))
            else:
                print(f"{row.title:<34} {'FAILED':>12}   {error}")
            continue
        results.append(row.result())
        if args.quick:
            good = quick_case(number, results[-1]) and good
        else:
            print_row(results[-1])
    if not args.quick:
        goals = [r[key] for r in results for key in ("goal", "also") if r[key]]
        print(f"\n{sum(g['reached'] is True for g in goals)} of {len(goals)} "
              "goals reached")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"machine": machine(bench), "rows": results}, out,
                      indent=1)
            out.write("\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
