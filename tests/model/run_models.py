#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has spin check each Promela model, and find the fault in each wrong variant.

A variant is a BUG_ name that the head of the model lists.  The right model must
have no error in all of its states; a wrong one must have at least one.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def models():
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".pml"):
            path = os.path.join(HERE, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            head = text[:text.index("*/", text.index("To be found wrong"))]
            bugs = re.findall(r"^ \*   (BUG_\w+)", head, re.M)
            used = set(re.findall(r"\bBUG_\w+", text[len(head):]))
            yield name[:-len(".pml")], path, bugs, used


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def check(path, bug):
    """Return: what spin says, as (errors, states), or a text: what failed."""
    with tempfile.TemporaryDirectory() as work:
        defines = [f"-D{bug}"] if bug else []
        status, text = run("spin", "-a", *defines, path, cwd=work)
        if status != 0 or not os.path.exists(os.path.join(work, "pan.c")):
            return text
        compiler = os.environ.get("CC", "cc").split()
        # One error is enough; states are stored whole.  Compiling takes longer
        # than checking: not optimised.
        status, text = run(*compiler, "-O0", "-w", "-DSAFETY", "-DNOCLAIM",
                           "-DVECTORSZ=2048", "-o", "pan", "pan.c", cwd=work)
        if status != 0:
            return text
        _, text = run("./pan", "-m1000000", "-c1", cwd=work)
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"(\d+) states, stored", text)
    if not errors or not states or "max search depth too small" in text:
        return text
    return int(errors[1]), int(states[1])


def main():
    points = []
    if not shutil.which("spin"):
        print("1..0 # SKIP spin is not installed")
        return 77
    for name, path, bugs, used in models():
        points.append((f"{name}: its head lists the wrong variants",
                       bugs and set(bugs) == used, f"{bugs} {used}"))
        for bug in [None, *bugs]:
            result = check(path, bug)
            if isinstance(result, str):
                points.append((f"{name} {bug or 'right'}", False, result))
                continue
            errors, states = result
            if bug:
                points.append((f"{name}: {bug} is found", errors > 0,
                               f"no error in {states} states"))
            else:
                points.append((f"{name}: no error in {states} states",
                               errors == 0 and states > 100, f"{result}"))
    for number, (title, good, why) in enumerate(points, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {title}")
        if not good:
            print("".join(f"# {line}\n" for line in why.splitlines()), end="")
    print(f"1..{len(points)}")
    return 0 if all(good for _, good, _ in points) else 1


sys.exit(main())
