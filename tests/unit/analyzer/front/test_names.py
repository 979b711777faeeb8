#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Names, lines and inlined frames of every address equal gdb's.

    test_names.py NAMES-DUMP FIXTURE FILE...

FIXTURE and each FILE is a program with debugging information; every
instruction in it is looked up by us and by gdb.
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__),
                                "../../../lib"))
import tap  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
DUMP, FIXTURE, *FILES = map(os.path.abspath, sys.argv[1:])


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          text=True, **options).stdout


def instructions(file):
    """The addresses of all instructions, as lower-case hex."""
    listing = output("objdump", "-d", "--no-show-raw-insn", file)
    return re.findall(r"^ +([0-9a-f]+):", listing, re.M)


def ours(file, addresses):
    text = output(DUMP, file, input="\n".join(addresses))
    return text.splitlines()


def gdbs(file, addresses, tmp):
    listing = os.path.join(tmp, "addresses")
    result = os.path.join(tmp, "gdb")
    with open(listing, "w", encoding="utf-8") as out:
        out.write("".join(f"{a}\n" for a in addresses))
    subprocess.run(
        ["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off",
         "-x", os.path.join(HERE, "names_gdb.py"), file],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=dict(os.environ, ADDRESSES=listing, OUT=result))
    with open(result, encoding="utf-8") as lines:
        return lines.read().splitlines()


def agree(mine, theirs):
    """The same; where gdb names no function, what it does tell."""
    if mine == theirs or theirs.endswith("|?:?:0"):
        # gdb's blocks know no names without debugging information
        return True
    # A sanitizer's constructors: a function in DWARF, but not in gdb's blocks.
    made = re.fullmatch(r"([0-9a-f]+)\|\?:(.*)", theirs)
    return made is not None and re.fullmatch(
        f"{made[1]}\\|_sub_[^|:]*:{re.escape(made[2])}", mine) is not None


def compare(file, tmp):
    addresses = instructions(file)
    mine = ours(file, addresses)
    theirs = gdbs(file, addresses, tmp)
    assert len(mine) == len(theirs) == len(addresses)
    different = [(a, b) for a, b in zip(mine, theirs) if not agree(a, b)]
    for a, b in different[:10]:
        tap.note(f"ours {a}, gdb's {b}")
    tap.equal(len(different), 0, f"{os.path.basename(file)}, differences")
    tap.note(f"{os.path.basename(file)}: {len(addresses)} addresses, "
             f"{sum(line.count('|') > 1 for line in mine)} in inlined code")
    return mine


@tap.case("every address of a program made for it")
def _(tmp):
    mine = compare(FIXTURE, tmp)
    text = "\n".join(mine)
    for name in ("innermost", "between", "outer", "entry_point", "cloned",
                 "give_up", "with_macro", "unknown", "main"):
        assert f"|{name}:" in text, name
    assert any(line.count("|") == 4 for line in mine), "inlining got lost"
    assert not re.search(r"\.(isra|part|constprop|cold)", text), text


@tap.case("every address of programs with real code")
def _(tmp):
    for file in FILES:
        compare(file, tmp)


def build_id(file):
    return re.search(r"Build ID: ([0-9a-f]+)",
                     output("readelf", "-n", file))[1]


@tap.case("a file with another build id gives no names")
def _(tmp):
    right = build_id(FIXTURE)
    wrong = ("0" if right[0] != "0" else "1") + right[1:]
    assert subprocess.run([DUMP, FIXTURE, right], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL,
                          check=False).returncode == 0
    for bad in (wrong, right[:-2], right + "00", ""):
        done = subprocess.run([DUMP, FIXTURE, bad], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, check=False)
        tap.equal((done.returncode, done.stdout), (1, "other\n"), bad)


@tap.case("without debugging information: names of the symbol table alone")
def _(tmp):
    stripped = os.path.join(tmp, "stripped")
    output("objcopy", "--strip-debug", FIXTURE, stripped)
    addresses = instructions(FIXTURE)
    full = dict(line.split("|", 1) for line in ours(FIXTURE, addresses))
    for line in ours(stripped, addresses):
        address, place = line.split("|", 1)
        tap.equal(line.count("|"), 1, "inlined frames")
        name, file, number = place.split(":")
        tap.equal((file, number), ("?", "0"), address)
        real = full[address].split("|")[-1].split(":")[0]
        assert name in (real, "?") or real == "?", (address, name, real)
    text = "\n".join(ours(stripped, addresses))
    assert "|entry_point:" in text and "|cloned:" in text


@tap.case("debugging information in a file of its own, by its link")
def _(tmp):
    stripped = os.path.join(tmp, "stripped")
    os.mkdir(os.path.join(tmp, ".debug"))
    debug = os.path.join(tmp, ".debug", "fixture.debug")
    output("objcopy", "--only-keep-debug", FIXTURE, debug)
    output("objcopy", "--strip-debug", f"--add-gnu-debuglink={debug}",
           FIXTURE, stripped)
    addresses = instructions(FIXTURE)
    tap.equal(ours(stripped, addresses), ours(FIXTURE, addresses))
    # one that belongs to another program is not believed
    with open(debug, "r+b") as file:
        content = file.read()
        file.seek(content.index(bytes.fromhex(build_id(FIXTURE))))
        file.write(b"\xff" * 4)
    assert ours(stripped, addresses) != ours(FIXTURE, addresses)


@tap.case("what is no file of code is unreadable, and is not waited for")
def _(tmp):
    fifo = os.path.join(tmp, "fifo")
    text = os.path.join(tmp, "text")
    os.mkfifo(fifo)
    with open(text, "w", encoding="utf-8") as file:
        file.write("\x7fELF, but not really\n")
    os.mkdir(os.path.join(tmp, "directory"))
    for path in (fifo, text, os.path.join(tmp, "directory"), "/dev/zero",
                 os.path.join(tmp, "none"), "relative"):
        done = subprocess.run([DUMP, path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, check=False,
                              cwd=tmp, timeout=20)
        tap.equal((done.returncode, done.stdout), (1, "unreadable\n"), path)


for tool in ("gdb", "objdump", "objcopy", "readelf"):
    if not shutil.which(tool):
        sys.exit(f"{tool} is not installed")
tap.main()
