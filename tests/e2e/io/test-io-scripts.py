#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Scripts of any lines, by a seed: qemu-io and cotrace-io print the same.

Every line is made of a command, options and numbers as people write them: at
and around the borders of clusters, of what an L2 table covers, of the disk and
of a shorter backing file; many make no sense, and then what is said of them on
stdout and stderr is compared too.  Images are compared after each script and
checked.  A failing script is printed whole, with its seed.

COTRACE_SEED chooses another seed, COTRACE_SOAK=1 makes fifty times as many.
"""
import os
import random
import shutil
import sys

import story
import tap
from peers import WAYS, cotrace_io, normal, qemu_io, script

SEED = int(os.environ.get("COTRACE_SEED", "1"))
SOAK = bool(os.environ.get("COTRACE_SOAK"))
SCRIPTS = 200 if SOAK else 4  # of each kind of image
LINES = 40

WORDS = ("read", "readv", "aio_read", "write", "writev", "aio_write", "discard",
         "alloc", "map", "length", "flush", "aio_flush", "truncate", "close",
         "sigraise", "open", "reopen", "abort", "help", "info")
# Each command's own letters, and some that it does not have.
LETTERS = {"read": "bCPqvsl", "readv": "CPqv", "aio_read": "CPqvi",
           "write": "bCfnPquzs", "writev": "CfPq", "aio_write": "CfiPquz",
           "discard": "Cq", "truncate": "m", "reopen": "rwc", "open": "rnU"}
WITH_ARGUMENT = "Pslmct"


class Maker:
    """Lines for one image."""

    def __init__(self, seed, size, cluster, backing):
        self.rng = random.Random(seed)
        self.size, self.cluster, self.backing = size, cluster, backing
        self.is_long = False  # it may have grown, so its end is elsewhere

    def chance(self, of):
        return self.rng.randrange(of) == 0

    def place(self):
        rng = self.rng
        table = self.cluster * self.cluster // 8
        base = rng.choice([0, self.size, self.backing,
                           rng.randrange(0, self.size // self.cluster + 1)
                           * self.cluster,
                           rng.randrange(0, self.size // table + 1) * table,
                           rng.randrange(self.size)])
        return base + rng.choice([0, 0, 0, 0, 1, -1, 511, 512, -512, 513,
                                  rng.randrange(-4096, 4096)])

    def length(self):
        rng = self.rng
        return rng.choice([0, 1, 2, 511, 512, 513, 4096, self.cluster - 1,
                           self.cluster, self.cluster + 1, 2 * self.cluster,
                           3 * self.cluster + 17,
                           rng.randrange(1, 4 * self.cluster)])

    def form(self, number):
        """A number as it may be written."""
        rng = self.rng
        if number < 0 or self.chance(2):
            return str(number)
        if number and number % 1024 == 0 and self.chance(2):
            return rng.choice([f"{number // 1024}k", f"{number // 1024}K",
                               f"{number / 1048576:.10f}".rstrip("0")
                               .rstrip(".") + "M"])
        if number % 512 == 0 and self.chance(3):
            return f"{number / 1024:.1f}k"
        return rng.choice([hex(number), f"+{number}", f"{number}b", f"0{number}"
                           if self.chance(9) else str(number)])

    def nonsense(self):
        return self.rng.choice(["-1", "x", "1x", "", "k", "0x", "9E", "8E", "1.5",
                                "99999999999999999999", "3G", "-", "--", "1e3",
                                "0xg", "-5k", "1..5k", "2147483136",
                                "2147483648", "9223372036854775807"])

    def number(self, number):
        return self.nonsense() if self.chance(40) else self.form(number)

    def pattern(self):
        return self.rng.choice(["0", "1", "0xff", "255", "017", "0xcd",
                                str(self.rng.randrange(256))] +
                               (["256", "-1", "x", "0x"] if self.chance(6)
                                else []))

    def options(self, word, likely):
        """Of those letters, with their arguments; sometimes of any."""
        rng = self.rng
        letters = rng.sample(likely, rng.randrange(0, min(3, len(likely)) + 1))
        if self.chance(20):
            letters.append(rng.choice("abcCfilnpPqrsuvwxz"))
        said = []
        for letter in letters:
            if letter == "c" and word in ("write", "open"):
                continue  # what is written may be compressed there only
            if letter == "s" and word == "write":
                said.append("-s " + rng.choice(["/dev/null", "/nowhere"]))
            elif letter == "m":
                said.append("-m " + rng.choice(["off", "off", "full", "x"]))
            elif letter in "ct" and word in ("reopen", "open"):
                said.append("-c " + rng.choice(["writeback", "unsafe", "x"]))
            elif letter == "P":
                said.append("-P " + self.pattern())
            elif letter in "sl" and word in ("read",):
                said.append(f"-{letter} {self.number(rng.randrange(2000))}")
            else:
                said.append("-" + letter)
        return said

    def line(self):
        rng = self.rng
        word = rng.choice(["read"] * 4 + ["write"] * 5 +
                          ["readv", "aio_read", "writev", "aio_write", "discard",
                           "discard", "alloc", "flush", "length", "map",
                           "truncate", "other"])
        if word == "other":
            return self.other()
        at, length = self.place(), self.length()
        words = [word]
        if word in ("flush", "length", "map"):
            return word
        if word == "truncate":
            # Without a number qemu-io crashes, and it names -m in place of a
            # wrong one.
            number = max(self.size // 2, at) // 512 * 512
            said = self.options(word, ["m"] if self.chance(3) else [])
            return " ".join([word, *said, self.form(number) if said or
                             self.chance(2) else self.rng.choice(["x", "-1"])])
        likely = {"read": "PPPqCvsl", "readv": "PqC", "aio_read": "PqC",
                  "write": "PPPPPzuuqfCn", "writev": "PPfqC",
                  "aio_write": "PPPzuqfC", "discard": "qC",
                  "alloc": ""}[word]
        said = self.options(word, likely)
        if "-v" in said:
            length = min(length, 100)
        if "-u" in said and "-z" not in said and not self.chance(5):
            said.append("-z")
        if "-z" in said and not self.chance(6):
            said = [each for each in said if not each.startswith("-P")]
        words += said
        words.append(self.number(at))
        if word in ("readv", "writev", "aio_read", "aio_write") and \
                "-z" not in said:
            parts = rng.randrange(1, 5)
            words += [self.number(length // parts) for _ in range(parts)]
        else:
            words.append(self.number(length))
        if self.chance(40):
            words.pop()
        if self.chance(40):
            words.append(self.form(length))
        line = " ".join(words)
        if word.startswith("aio_"):
            line += "\naio_flush"
        return line

    def other(self):
        """No request; whatever ends the program is not among them."""
        rng = self.rng
        return rng.choice([
            "reopen", "reopen -r\nwrite 0 512\ndiscard 0 512\ntruncate 0\n"
            "reopen -w", "reopen -r -w", "reopen x", "reopen -c nothing",
            "break write_aio t", "break x", "resume t", "resume",
            "remove_break t", "remove_break", "wait_break", "break a b c",
            "nonsense", "nonsense 1 2", "help nonsense", "help a b", "?x",
            "sleep 0", "sleep", "sleep 1 2", "sleep x", "sigraise", "sigraise x",
            "sigraise 99999", "abort 1", "flush 1", "f", "l", "c 1", "map 1",
            "info 1", "length x", "aio_flush", "aio_flush 1", "close 1",
            "open", "open a b", "open -t nothing a", "open -x a",
            rng.choice(WORDS) + " " + " ".join(
                self.nonsense() for _ in range(rng.randrange(1, 5)))
            if self.chance(2) else "read  0   512 ",
        ]).replace("open 1 2", "open")

    def script(self):
        lines = []
        while len(lines) < LINES:
            lines += self.line().split("\n")
        return [line for line in lines
                if line.split(" ")[0] not in ("abort", "sigraise", "open",
                                              "close", "q") or
                len(line.split()) != 2] + ["map", "length", "read 0 1k"]


IMAGES = [
    # format, options, size, cluster, backing file's size
    ("qcow2", "", 3 << 20, 65536, 0),
    ("qcow2", "", 3 << 20, 65536, (1 << 20) + 512),
    ("qcow2", "cluster_size=512", 200 << 10, 512, 70144),
    ("qcow2", "compat=0.10,cluster_size=1k", 500 << 10, 1024, 100 << 10),
    ("qcow2", "compat=0.10,cluster_size=4k", 1 << 20, 4096, 0),
    ("qcow2", "cluster_size=4k,refcount_bits=1", 2 << 20, 4096, 0),
    ("qcow2", "lazy_refcounts=on,cluster_size=2k", 700 << 10, 2048, 1024),
    ("qcow2", "cluster_size=4k", 1000448, 4096, 512),
    ("raw", "", 1 << 20, 4096, 0),
    ("raw", "", 70144, 512, 0),
]


def make(tmp, form, options, size, backing):
    path = os.path.join(tmp, "new")
    words = []
    if backing:
        base = os.path.join(tmp, "base")
        with open(base, "wb") as file:
            file.write(bytes(range(1, 252)) * (backing // 251) +
                       bytes(backing % 251))
        words = ["-b", base, "-F", "raw"]
    if options:
        words += ["-o", options]
    story.run("qemu-img", "create", "-q", "-f", form, *words, path, str(size))
    return path


def run(program, path, form, commands, way=()):
    """On standard input, where each line is echoed by no one."""
    text = "".join(command + "\n" for command in commands)
    with open(path + ".script", "w+", encoding="ascii") as script:
        script.write(text)
        script.seek(0)
        return program(*way, "-f", form, "-t", "unsafe", "-d", "unmap", path,
                       stdin=script)


def shown(done, name, program):
    """What was printed, without prompts: requests end before or after one."""
    return getattr(done, name).replace(program + "> ", "")


def differ(ours, theirs):
    for name in ("out", "err"):
        got = normal(shown(ours, name, "cotrace-io"), "cotrace-io")
        want = normal(shown(theirs, name, "qemu-io"), "qemu-io")
        for i, (one, other) in enumerate(zip(got + [""], want + [""])):
            if one != other:
                return f"std{name}, line {i}: {one!r}, not {other!r}"
        if len(got) != len(want):
            return f"std{name}: {len(got)} lines, not {len(want)}"
    if ours.returncode != theirs.returncode:
        return f"exit status {ours.returncode}, not {theirs.returncode}"
    return None


def register(number, form, options, size, cluster, backing):
    @tap.case(f"{form} {options or 'defaults'}, {size} bytes"
              f"{f', {backing} behind it' if backing else ''}")
    def _(tmp):
        new = make(tmp, form, options, size, backing)
        for n in range(SCRIPTS):
            seed = f"{SEED}.{number}.{n}"
            commands = Maker(seed, size, cluster, backing).script()
            a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")
            shutil.copy(new, a)
            shutil.copy(new, b)
            theirs = run(qemu_io, a, form, commands)
            ours = run(cotrace_io, b, form, commands, WAYS[n % len(WAYS)])
            what = differ(ours, theirs)
            if what:
                tap.note("\n# ".join(commands))
                raise AssertionError(f"seed {seed}: {what}")
            story.run("qemu-img", "compare", "-q", "-f", form, "-F", form, a, b)
            if form == "qcow2":
                story.run("qemu-img", "check", "-q", "-f", form, b)
        tap.note(f"{SCRIPTS} scripts of {LINES} lines and more")


OPENS = [
    "-o driver=raw a.qcow2", "-o driver=qcow2,read-only=on a.qcow2",
    "-r -o driver=qcow2,read-only=on a.qcow2",
    "-o driver=qcow2,read-only=off a.qcow2", "-r -o driver=raw a.qcow2",
    "-o driver=raw,cache.direct=off,cache.no-flush=on a.raw",
    "-o driver=raw,discard=unmap a.raw", "-o driver=raw,discard=maybe a.raw",
    "-o driver=raw,read-only a.raw", "-o driver=raw,read-only=maybe a.raw",
    "-o driver=raw,file.filename=a.raw", "-o file.filename=a.qcow2",
    "-o driver=raw,file.filename=a.raw a.qcow2", "-o driver=qcow2 a.raw",
    "-o driver=raw,foo=1 a.raw", "-o driver=raw,foo=1 none", "-o foo=1 a.qcow2",
    "-o driver=nope a.raw", "-o driver=qcow2", "-o read-only=on", "-o",
    "-o driver=raw a.raw b", "none", ".", "-r .", "a.qcow2/none", "",
    "-o driver=qcow2,file.filename=a.raw", "-o driver=raw,file.filename=none",
    "-o driver=qcow2,read-only=on,file.filename=a.qcow2",
    "-o driver=qcow2,foo=1,file.filename=a.qcow2",
    "-o driver=raw,read-only=maybe,discard=bad,file.filename=a.raw",
    "-o driver=raw,noread-only a.raw", "-o driver=raw,nodiscard,nofoo a.raw",
    "-U a.qcow2", "-U -r a.qcow2", "-U none", "-r -U none",
    "-U -o driver=qcow2,read-only=on a.qcow2",
    "-r -U -o driver=qcow2,read-only=off a.qcow2", "-U -o driver=nope a.qcow2",
    "-U -o driver=qcow2,foo=1 a.qcow2", "-U -o driver=qcow2,discard=bad a.qcow2",
    "-U -o driver=qcow2,read-only=maybe a.qcow2", "-U -o driver=qcow2",
    "-U -o driver=nope", "-U -o read-only=on",
    "-U -o driver=qcow2,file.filename=a.raw",
    "-U -o driver=raw,file.filename=a.raw a.qcow2", "-i bad a.qcow2",
    "-i bad -t bad a.qcow2", "-t bad -i bad a.qcow2", "-i threads a.qcow2",
    "-k a.qcow2", "-i native -t writethrough a.qcow2", "-d bad a.qcow2"]

REOPENS = [
    "-o discard=bad", "-o discard", "-o nodiscard", "-o discard=off",
    "-o discard=bad,foo=1", "-o foo=1,discard=bad", "-o foo", "-o =", "-o",
    "-o read-only=maybe", "-o cache.direct=maybe,read-only=maybe",
    "-o cache.no-flush=maybe,discard=bad", "-o cache.no-flush,discard=bad",
    "-o driver=raw", "-o driver=qcow2", "-o driver=nope,foo=1", "-o driver",
    "-o file.filename=a.qcow2", "-o file.filename=b", "-o noread-only",
    "-o file.filename=b,discard=bad", "-o cache.nothing=on",
    "-r -o read-only=maybe", "-w -o discard=bad,read-only", "-r -w -o foo",
    "-c unsafe -o discard=bad,cache.direct=off", "-c unsafe -o foo,cache.direct",
    "-r -c unsafe -o cache.direct,read-only", "-c unsafe -o cache.nothing=on"]


@tap.case("open: with options, and what can't be opened")
def _(tmp):
    for form in ("raw", "qcow2"):
        story.run("qemu-img", "create", "-q", "-f", form,
                  os.path.join(tmp, f"new.{form}"), "1M")
    for n, words in enumerate(OPENS):
        found = []
        for program in (qemu_io, cotrace_io):
            for form in ("raw", "qcow2"):
                shutil.copy(os.path.join(tmp, f"new.{form}"),
                            os.path.join(tmp, f"a.{form}"))
            path = os.path.join(tmp, "script")
            with open(path, "w+", encoding="ascii") as script:
                script.write(f"open {words}\nlength\nwrite -q 4k 512\n"
                             "read -q -P 0xcd 4k 512\nread -q 0 1k\nclose\n")
                script.seek(0)
                way = WAYS[n % len(WAYS)] if program is cotrace_io else ()
                found.append(program(*way, stdin=script, cwd=tmp))
        theirs, ours = found
        what = differ(ours, theirs)
        if what:
            raise AssertionError(f"open {words}: {what}")


@tap.case("reopen: with options")
def _(tmp):
    path = os.path.join(tmp, "a.qcow2")
    for words in REOPENS:
        commands = [f"reopen {words}", "length", "write -q 0 512"]
        found = []
        for program in (qemu_io, cotrace_io):
            story.run("qemu-img", "create", "-q", "-f", "qcow2", path, "1M")
            found.append(program("-f", "qcow2", *script(commands), "a.qcow2",
                                 cwd=tmp))
        theirs, ours = found
        what = differ(ours, theirs)
        if what:
            raise AssertionError(f"reopen {words}: {what}")


@tap.case("open: of the program's options none stays")
def _(tmp):
    for form in ("raw", "qcow2"):
        story.run("qemu-img", "create", "-q", "-f", form,
                  os.path.join(tmp, f"a.{form}"), "1M")
    for words in ("-f raw", "-f qcow2", "-f nope", "-f raw -r", "-r -U",
                  "-d ignore", "-t writethrough"):
        for name in ("a.raw", "a.qcow2"):
            commands = [f"open {name}", "length", "write -q 4k 512",
                        "discard -q 64k 64k", "close", f"open -r {name}",
                        "write 0 512", "read -P 0xcd 4k 512"]
            theirs, ours = [program(*words.split(), *script(commands), cwd=tmp)
                            for program in (qemu_io, cotrace_io)]
            what = differ(ours, theirs)
            if what:
                raise AssertionError(f"{words}, open {name}: {what}")


def refused(tmp):
    """Images that can't be opened, or only for reading; their names."""
    def create(name, *words):
        story.run("qemu-img", "create", "-q", "-f", "qcow2", *words,
                  os.path.join(tmp, name), "1M")

    def patch(name, offset, data):
        create(name)
        with open(os.path.join(tmp, name), "r+b") as file:
            file.seek(offset)
            file.write(data)

    os.mkdir(os.path.join(tmp, "sub"))
    with open(os.path.join(tmp, "text"), "w", encoding="ascii") as file:
        file.write("no image\n")
    patch("corrupt", 79, b"\2")
    patch("version", 7, b"\5")
    create("missing", "-u", "-b", "none", "-F", "raw")
    create("sub/missing", "-u", "-b", "none", "-F", "raw")
    create("sub/absolute", "-u", "-b", "/none", "-F", "raw")
    create("sub/folder", "-u", "-b", ".", "-F", "raw")
    create("chain", "-u", "-b", "sub/missing", "-F", "qcow2")
    create("wrong", "-u", "-b", "text", "-F", "qcow2")
    create("above", "-u", "-b", "corrupt", "-F", "qcow2")
    return ["text", "corrupt", "version", "missing", "sub/missing",
            "sub/absolute", "sub/folder", "chain", "wrong", "above"]


@tap.case("open: what is refused, in qemu-io's words")
def _(tmp):
    for name in refused(tmp):
        for words in ("-o driver=qcow2", "-r -o driver=qcow2",
                      "-o driver=qcow2,file.filename=" + name):
            path = "" if "filename" in words else name
            theirs, ours = [program("-c", f"open {words} {path}", cwd=tmp)
                            for program in (qemu_io, cotrace_io)]
            what = differ(ours, theirs)
            if what:
                raise AssertionError(f"open {words} {path}: {what}")


for _number, _image in enumerate(IMAGES):
    register(_number, *_image)
if not shutil.which("qemu-io"):
    print("1..0 # SKIP qemu-io is not installed (package qemu-utils)")
    sys.exit(77)
tap.main(sys.argv[1:])
