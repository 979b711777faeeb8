#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The generator: refuses what is wrong and says where, and is what the
committed documentation was made with."""
import json
import os
import re
import subprocess
import sys

import tap

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
EVENTS = os.path.join(ROOT, "tracepoints", "events")
LISTS = [os.path.join(EVENTS, name) for name in
         ("cotrace.events", "ust.events", "qemu.events")]
LEDGER = os.path.join(EVENTS, "released.json")

GOOD = """provider cotrace
schema 1.0
enum why
    other=0 "not told"
    work=1  "work"
end
event one
    doc  "Something."
    id   a   "an id"
    u64  b bytes
    enum c why
    stack
end
"""


def generate(kind, *lists, ledger=None):
    command = [sys.executable, os.path.join(EVENTS, "generate.py"), kind]
    if ledger:
        command += ["--ledger", ledger]
    return subprocess.run([*command, *lists], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


def write(tmp, text, name="x.events"):
    path = os.path.join(tmp, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def refused(tmp, text, line, words, ledger=None):
    """`text` is refused at `line` with an error that has all `words`."""
    path = write(tmp, text)
    done = generate("check", path, ledger=ledger)
    tap.equal(done.returncode, 1, f"status for {words}")
    tap.equal(done.stdout, "", "output")
    lines = done.stderr.splitlines()
    tap.equal(len(lines), 1, f"lines of {done.stderr!r}")
    if not lines[0].startswith(f"{path}:{line}: "):
        raise AssertionError(f"not at line {line}: {lines[0]}")
    for word in words:
        if word not in lines[0]:
            raise AssertionError(f"no {word!r} in {lines[0]}")


@tap.case("the committed lists are good, every output is made")
def _(tmp):
    for kind in ("check", "events.h", "emit.h", "emit.c", "probes.h",
                 "table.h", "doc", "ledger"):
        done = generate(kind, *LISTS, ledger=LEDGER)
        tap.equal((done.returncode, done.stderr), (0, ""), kind)


@tap.case("docs/EVENTS.md is what the lists say")
def _(tmp):
    with open(os.path.join(ROOT, "docs", "EVENTS.md"), encoding="utf-8") as doc:
        committed = doc.read()
    if generate("doc", *LISTS).stdout != committed:
        raise AssertionError(
            "run: cd tracepoints/events && ./generate.py doc "
            "-o ../../docs/EVENTS.md cotrace.events ust.events qemu.events")


@tap.case("a good list")
def _(tmp):
    path = write(tmp, GOOD)
    done = generate("emit.h", path)
    tap.equal(done.returncode, 0, done.stderr)
    if not re.search(r"void ct_emit_slow_one\(uint64_t a, uint64_t b, "
                     r"enum ct_why c\);", done.stdout):
        raise AssertionError("the stack is no argument, the others are")


@tap.case("mistakes in the notation, each with its place")
def _(tmp):
    for old, new, line, words in [
            ("provider cotrace\n", "", 6, ["`provider`"]),
            ("schema 1.0\n", "", 6, ["`schema`"]),
            ("    id   a ", "    uuid a ", 9, ["unknown kind", "uuid"]),
            ("b bytes", "b parsecs", 10, ["unknown unit", "parsecs"]),
            ("enum c why", "enum c because", 11, ["`c`", "enum"]),
            ("u64  b", "u64  a", 10, ["`a`", "twice"]),
            ("id   a ", "id   A ", 9, ["`A`"]),
            ("    stack\n", "    stack\n    u64 d\n", 13, ["`stack`", "last"]),
            ("work=1", "work=2", 5, ["1 is next"]),
            ("work=1", "other=1", 5, ["`other`", "twice"]),
            ('"an id"', '"an id', 9, ["not closed"]),
            ("event one", "event one two", 7, ["event NAME"]),
            ("event one", "event one since 1.1", 7, ["younger"]),
            ("schema 1.0", "schema one", 2, ["MAJOR.MINOR"]),
            ("id   a ", "bytes a ", 9, ["decode only"]),
            ("    stack\nend\n", "    stack\n", 12, ["`end`"])]:
        if old not in GOOD:
            raise AssertionError(old)
        refused(tmp, GOOD.replace(old, new, 1), line, words)
    refused(tmp, GOOD + "record one\n", 14, ["unknown statement", "record"])
    refused(tmp, GOOD + "event one\nend\n", 14, ["`one`", ":7"])
    refused(tmp, GOOD + "enum why\nend\n", 14, ["`why`", ":3"])
    refused(tmp, GOOD + "provider other\n", 14, ["second provider"])


OTHERS = """provider other as other decode only
event two
    was  old_two
    hex  co was self
    i32  ret
    text "co {co} ret {ret}"
    text "\\"{co}\\" {ret}"
end
"""


@tap.case("names and forms of events that are not ours")
def _(tmp):
    done = generate("table.h", write(tmp, GOOD + OTHERS))
    tap.equal(done.returncode, 0, done.stderr)
    for words in ('"co", CT_FIELD_HEX, CT_UNIT_NONE, NULL, "self"',
                  '"old_two"', '"co {co} ret {ret}"'):
        if words not in done.stdout:
            raise AssertionError(f"no {words} in the table")
    for old, new, line, words in [
            ("ret {ret}", "ret {bet}", 19, ["`bet`"]),
            ("co {co} ret", "co {co}", 19, ["read back"]),
            ("{co} ret {ret}", "{co} ret {co}", 19, ["read back"]),
            ("was  old_two", "was  old_two x", 16, ["was NAME"]),
            ("provider other as other decode only", "", 16, ["`was`"])]:
        if old not in OTHERS:
            raise AssertionError(old)
        text = OTHERS.replace(old, new, 1)
        if "co {co} ret" in old:
            text = text.replace("co {co} {ret}", "co {co}{ret}")
        refused(tmp, GOOD + text, line, words)


@tap.case("more arguments than LTTng-UST takes")
def _(tmp):
    fields = "".join(f"    u32 f{i}\n" for i in range(9))
    event = "event big\n" + fields + "    stack\nend\n"
    done = generate("check", write(tmp, GOOD + event))
    tap.equal(done.returncode, 0, done.stderr)
    event = "event big\n" + fields + "    u32 f9\n    stack\nend\n"
    refused(tmp, GOOD + event, 14, ["`big`", "11 arguments"])
    event = "event big\n" + fields + "    hexes f9\nend\n"
    refused(tmp, GOOD + event, 14, ["`big`", "11 arguments"])


def released(tmp, text=GOOD):
    return write(tmp, generate("ledger", write(tmp, text)).stdout,
                 "released.json")


@tap.case("a released name does not change its meaning")
def _(tmp):
    ledger = released(tmp)
    tap.equal(json.load(open(ledger, encoding="utf-8"))["schema"], [1, 0])
    tap.equal(generate("check", write(tmp, GOOD), ledger=ledger).returncode, 0)
    newer = GOOD.replace("schema 1.0", "schema 1.1")
    for old, new, line, words in [
            ("u64  b bytes", "u32  b bytes", 10, ["`b`", "u64 bytes"]),
            ("u64  b bytes", "u64  b count", 10, ["`b`", "u64 bytes"]),
            ("id   a ", "u64  a ", 9, ["`a`", "`one`"]),
            ('    other=0 "not told"\n    work=1', '    work=0 ""\n    other=1',
             3, ["`why`", "other=0"]),
            ("    work=1  \"work\"\n", "", 3, ["`why`", "work=1"])]:
        if old not in newer:
            raise AssertionError(old)
        refused(tmp, newer.replace(old, new, 1), line, words, ledger)


@tap.case("what is new raises the schema; what is left out may come back")
def _(tmp):
    ledger = released(tmp)
    grown = GOOD.replace("    u64  b bytes\n", "    u64  b bytes\n    u32  d\n")
    refused(tmp, grown, 11, ["schema 1.0"], ledger)
    refused(tmp, GOOD + "event two\nend\n", 14, ["schema 1.0"], ledger)
    for text in (grown, GOOD + "event two since 1.1\nend\n"):
        path = write(tmp, text.replace("schema 1.0", "schema 1.1"))
        done = generate("check", path, ledger=ledger)
        tap.equal(done.returncode, 0, done.stderr)
    without = GOOD.replace("    u64  b bytes\n", "")
    done = generate("check", write(tmp, without), ledger=ledger)
    tap.equal(done.returncode, 0, done.stderr)


@tap.case("an older schema than the released one")
def _(tmp):
    ledger = released(tmp, GOOD.replace("schema 1.0", "schema 1.1"))
    refused(tmp, GOOD, 1, ["older"], ledger)


@tap.case("nothing is written when something is wrong")
def _(tmp):
    out = os.path.join(tmp, "out.h")
    done = subprocess.run(
        [sys.executable, os.path.join(EVENTS, "generate.py"), "emit.h", "-o",
         out, write(tmp, GOOD + "nonsense\n")], stderr=subprocess.PIPE)
    tap.equal(done.returncode, 1)
    tap.equal(os.path.exists(out), False)
    done = generate("check", os.path.join(tmp, "absent.events"))
    tap.equal(done.returncode, 1)
    tap.equal(len(done.stderr.splitlines()), 1, done.stderr)


tap.main(sys.argv[1:])
