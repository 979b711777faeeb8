#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/AIO_CONTEXT.md has a row for every field of AioContext, and what it names
exists: files, tests, pages, headings."""
import os
import re
import sys

ROOT = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".")
DOC = "docs/AIO_CONTEXT.md"


def text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def fields(source):
    """Names of the members of struct AioContext."""
    body = re.search(r"^struct AioContext \{\n(.*?)^\};", source, re.M | re.S)[1]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    names = []
    for statement in body.split(";"):
        name = re.search(r"(\w+)(\[\w+\])?\s*$", statement.strip())
        if name:
            names.append(name[1])
    return names


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def rows(section):
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith(("| field", "| mech")):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def main():
    page = text(DOC)
    first, second = page.split("## Mechanisms")
    known = fields(text("runtime/aio/aio_int.h"))
    told = [name for row in rows(first) for name in re.findall(r"`(\w+)`", row[0])]
    missing = [f"no row: {name}" for name in known if name not in told]
    missing += [f"no such field: {name}" for name in told if name not in known]
    missing += [f"two rows: {name}" for name in set(told) if told.count(name) > 1]

    gone = []
    for row in [*rows(first), *rows(second)]:
        files = re.findall(r"`([^`]+)`", row[-2])
        tests = re.findall(r"`([^`]+)`", row[-1])
        if not files or not tests:
            gone.append(f"a stub: {row[0]}")
        for name in [f"runtime/{file}" for file in files] + \
                [f"tests/{test}" for test in tests]:
            if not os.path.isfile(os.path.join(ROOT, name)):
                gone.append(f"{row[0]}: {name} does not exist")
    for target, place in re.findall(r"\]\((\w+\.md)#([^)]+)\)", page):
        headings = re.findall(r"^#+ (.*)$", text(f"docs/{target}"), re.M)
        if place not in map(anchor, headings):
            gone.append(f"{target} has no #{place}")

    print("1..3")
    works = fields("struct AioContext {\n    int a; /* b; */\n    char *c[N];\n"
                   "};\n") == ["a", "c"]
    for number, (title, faults) in enumerate(
            (("fields are found", [] if works else ["they are not"]),
             ("every field of AioContext has its row", missing),
             ("what the tables name exists", gone)), 1):
        print(f"{'not ok' if faults else 'ok'} {number} - {title}")
        for fault in faults:
            print(f"# {fault}")
    sys.exit(1 if missing or gone or not works else 0)


main()
