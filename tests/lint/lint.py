#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the compiler does not check: format, arrows, size, licence line.

One TAP point a rule.  Arrows between rooms inside a folder follow from the
includes of private headers; the table below says who may include whom.
"""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".")
LIMIT = 600

# room (a folder) -> rooms whose private headers it may include, itself aside
ARROWS = {
    "tracepoints/events": [],
    "tracepoints/provider": [],
    "tracepoints/preload": ["tracepoints/provider"],
    "tracepoints/ctf": [],
    "tracepoints/session": ["tracepoints/session/keeper",
                            "tracepoints/session/daemon",
                            "tracepoints/session/output"],
    "tracepoints/session/keeper": ["tracepoints/session/daemon",
                                   "tracepoints/session/output"],
    "tracepoints/session/daemon": [],
    "tracepoints/session/output": [],
    "tracepoints/session/qemu": ["tracepoints/session",
                                 "tracepoints/session/output"],
    "runtime/base": [],
    "runtime/coroutine": ["runtime/base"],
    "runtime/coroutine/switch": ["runtime/coroutine"],
    "runtime/aio": ["runtime/base", "runtime/coroutine", "runtime/aio/fdmon"],
    "runtime/aio/fdmon": ["runtime/base", "runtime/aio"],
    "runtime/sync": ["runtime/base", "runtime/aio", "runtime/coroutine"],
    "runtime/pool": ["runtime/base", "runtime/aio", "runtime/coroutine"],
    "runtime/engine": ["runtime/base", "runtime/aio", "runtime/pool"],
    "runtime/request": ["runtime/base", "runtime/aio", "runtime/coroutine"],
    "runtime/block": ["runtime/base", "runtime/aio", "runtime/sync",
                      "runtime/coroutine", "runtime/request"],
    "runtime/block/drivers": ["runtime/base", "runtime/block",
                              "runtime/engine"],
    "runtime/block/drivers/qcow2": ["runtime/base", "runtime/block",
                                    "runtime/block/drivers",
                                    "runtime/request"],
    "runtime/workloads": [],
    "runtime/workloads/io": ["runtime/workloads"],
    "runtime/nbd": ["runtime/base"],
    "runtime/workloads/nbd": ["runtime/workloads", "runtime/nbd"],
    "analyzer/source": ["analyzer",  # pass.h alone lies there
                        "analyzer/source/text"],
    "analyzer/source/text": [],
    "analyzer/source/salvage": ["analyzer/source"],
    "analyzer/decode": ["analyzer/decode/qemu"],
    "analyzer/decode/qemu": ["analyzer/decode"],
    "analyzer/model": ["analyzer/model/state"],
    "analyzer/model/state": [],
    "analyzer/account": ["analyzer/model"],
    "analyzer/symbols": [],
    "analyzer/answer": ["analyzer/symbols"],
    "analyzer/answer/diff": ["analyzer/answer"],
    "analyzer/answer/findings": ["analyzer/answer"],
    "analyzer/answer/stat": ["analyzer/answer"],
    "viewer/in": [],
    "viewer/out": [],
    "viewer/views": ["viewer", "viewer/out"],
    "viewer/render": ["viewer", "viewer/out"],
    "viewer/commands": ["viewer", "viewer/in", "viewer/out", "viewer/views",
                        "viewer/render"],
}
# Folders in which a file and its header are a room of their own: their rooms
# include one another from above to below.
NO_CIRCLES = ("analyzer/model", "analyzer/model/state")
# Public headers that not every folder with their include path may use, and
# the rooms that may; below tests/, all.
DOORS = {
    "ct/ctf.h": ["tracepoints/ctf", "tracepoints/session/output",
                 "analyzer/source/salvage"],
}
# Rooms that put the others together may include all below their folder.
SPINES = {"analyzer", "viewer", "tests"}
BABELTRACE = re.compile(r"^(analyzer/source/.*|analyzer/trace\.c|"
                        r"analyzer/include/ct/sink\.h|"
                        r"viewer/plugin\.c|tests/.*)$")

count = 0
bad = 0


def point(name, faults):
    global count, bad
    count += 1
    bad += bool(faults)
    print(f"{'not ok' if faults else 'ok'} {count} - {name}")
    for fault in faults[:20]:
        print(f"# {fault}")
    if len(faults) > 20:
        print(f"# ... and {len(faults) - 20} more")


def tracked():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"],
                         cwd=ROOT, check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    return [name for name in out.splitlines()
            if os.path.isfile(os.path.join(ROOT, name))]


def text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def wrong_arrows(sources):
    owners = {}
    for name in sources:
        if name.endswith(".h"):
            owners.setdefault(os.path.basename(name), []).append(name)
    faults = []
    for name in sources:
        room = os.path.dirname(name)
        top = room.split("/")[0]
        for include in re.findall(r'^#include "([^"]+)"', text(name), re.M):
            if include.startswith("ct/"):
                if room not in DOORS.get(include, [room]) and top != "tests":
                    faults.append(f"{name} includes {include}")
                continue
            target = None
            for candidate in owners.get(os.path.basename(include), []):
                if candidate.endswith("/" + include) or candidate == include:
                    if target is None or candidate.startswith(top + "/"):
                        target = candidate
                    if os.path.dirname(candidate) == room:
                        break
            if target is None:
                continue
            to = os.path.dirname(target)
            if to == room or room in SPINES or top == "tests":
                continue
            if to not in ARROWS.get(room, []):
                faults.append(f"{name} includes {target}")
    return faults


def circles(sources):
    """Rooms that include one another, however far round."""
    below = {}
    for name in sources:
        if os.path.dirname(name) in NO_CIRCLES:
            room = os.path.splitext(name)[0]
            to = {"analyzer/" + include[:-2] for include in re.findall(
                r'^#include "(model/[^"]+\.h)"', text(name), re.M)}
            below.setdefault(room, set()).update(to - {room})
    while ends := [room for room, to in below.items()
                   if not to & below.keys()
                   or not any(room in others for others in below.values())]:
        for room in ends:
            del below[room]
    return [f"{room} includes {', '.join(sorted(to & below.keys()))}"
            for room, to in sorted(below.items())]


def wrong_format(sources):
    tool = shutil.which("clang-format")
    if not tool:
        return ["clang-format is not installed"]
    out = subprocess.run([tool, "--dry-run", *sources], cwd=ROOT,
                         stderr=subprocess.PIPE, text=True).stderr
    return [line for line in out.splitlines() if "warning:" in line]


def contracts_run_together(sources):
    """The parts of a contract each begin a line; clang-format joins them where
    one has become too long."""
    part = r"(Model|Threads|Memory|Errors|Depends)"
    inside = re.compile(rf"^ \* .*\S +{part}: +\S|^ \* .*\w Return: ")
    return [f"{name}: {line.strip()}" for name in sources
            if name.endswith(".h") for line in text(name).splitlines()
            if inside.match(line)]


def contracts_incomplete(sources):
    """What other folders include says all of it."""
    return [f"{name}: no {part}" for name in sources
            if re.search(r"/include/ct/[^/]*\.h$", name)
            for part in ("Model", "Threads", "Memory", "Errors", "Depends")
            if f"\n * {part}:" not in text(name)]


def main():
    names = tracked()
    sources = [name for name in names if name.endswith((".c", ".h"))]
    code = sources + [name for name in names
                      if name.endswith((".py", ".sh", ".S", ".js"))
                      or name in ("run", ".ci/run")]
    point("clang-format has nothing to change", wrong_format(sources))
    point("no room includes another that it must not know",
          wrong_arrows(sources))
    point("rooms of one folder include one another in no circle",
          circles(sources))
    point("libbabeltrace2 stays behind its door",
          [name for name in sources if "babeltrace2/" in text(name)
           and not BABELTRACE.match(name)])
    point(f"no file has more than {LIMIT} lines",
          [f"{name}: {lines}" for name in code
           if (lines := text(name).count("\n")) > LIMIT])
    point("every source names its licence",
          [name for name in code if name != ".ci/run"
           and "SPDX-License-Identifier: MIT" not in text(name)[:200]])
    point("the parts of a contract stand on lines of their own",
          contracts_run_together(sources))
    point("the contract of a public header has all of its parts",
          contracts_incomplete(sources))
    point("no tabs, no white space at line ends",
          [name for name in code
           if re.search(r"[ \t]+$|\t(?<!\\t)", text(name), re.M)
           and not name.endswith(".S")])
    shells = [name for name in names if name.endswith(".sh")] + ["run", ".ci/run"]
    checked = subprocess.run(["shellcheck", *shells], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    point("shellcheck finds nothing",
          checked.stdout.splitlines() if checked.returncode else [])
    print(f"1..{count}")
    sys.exit(1 if bad else 0)


main()
