# SPDX-License-Identifier: MIT
"""QEMU's programs under test: their monitor, a guest to boot, and waiting."""
import json
import os
import shutil
import socket

import story
import tap
from wait import until

HERE = os.path.dirname(os.path.abspath(__file__))


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            tap.skip(f"{program} is not installed")


def connect(path, alive=lambda: True):
    """Once somebody listens: the path is there a little earlier."""
    def tried():
        assert alive(), f"who was to listen at {path} has ended"
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(path)
        except OSError:
            made.close()
            return None
        return made
    return until(tried, f"somebody listens at {path}")


class Monitor:
    """QMP, as much of it as is needed."""

    def __init__(self, path, alive=lambda: True):
        self.socket = connect(path, alive)
        self.socket.settimeout(story.TIMEOUT)
        self.lines = self.socket.makefile("rw", encoding="utf-8")
        json.loads(self.lines.readline())
        self("qmp_capabilities")

    def __call__(self, what, **arguments):
        self.send(what, **arguments)
        return self.until(lambda answer: "return" in answer)

    def send(self, what, **arguments):
        self.lines.write(json.dumps({"execute": what,
                                     "arguments": arguments}) + "\n")
        self.lines.flush()

    def until(self, wanted):
        while True:
            answer = json.loads(self.lines.readline())
            assert "error" not in answer, answer
            if wanted(answer):
                return answer


def children_of(pid):
    """{pid: name} of those that are no zombies."""
    found = {}
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                text = file.read()
        except (OSError, NotADirectoryError):
            continue
        words = text[text.rindex(")") + 2:].split()
        if words[1] == str(pid) and words[0] != "Z":
            found[int(entry)] = text[text.index("(") + 1:text.rindex(")")]
    return found


def child_of(pid, name):
    for child, its_name in children_of(pid).items():
        if its_name == name:
            return child
    return None


def boot_sector(tmp, **symbols):
    """guest.S, with its symbols."""
    need("as", "ld", "qemu-system-x86_64")
    part, whole = (os.path.join(tmp, name) for name in ("guest.o", "guest.bin"))
    words = [word for name, value in symbols.items()
             for word in ("--defsym", f"{name}={value}")]
    story.run("as", "--32", *words, "-o", part, os.path.join(HERE, "guest.S"))
    story.run("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat",
              "binary", "-o", whole, part)
    with open(whole, "rb") as file:
        return file.read()
