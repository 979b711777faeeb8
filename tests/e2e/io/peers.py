# SPDX-License-Identifier: MIT
"""Runs qemu-io and cotrace-io with the same words, for comparison.

Figures that are times are replaced before outputs are compared; nothing else
is, but for the program's name and the text of usage lines.
"""
import os
import re

import story
import tap

IO = os.environ.get("COTRACE_IO") or story.IO
WAYS = ([], ["--loop=glib"], ["--iothread"], ["--loop=glib", "--iothread"])

# An aio_write -z of qemu-io's lasts since the machine was started.
REPORT = re.compile(r"; \S+( sec)? \(\S+ \S+ and \S+ ops/sec\)$")
MACHINE = re.compile(r"^(\d+,\d+),\S+$")
USAGE = re.compile(r"^(read|readv|aio_read|write|writev|aio_write|discard|"
                   r"truncate|open|reopen) .*-- .*$")


def normal(text, name):
    lines = []
    for line in text.splitlines():
        if "ops/sec" in line:
            line = REPORT.sub("; TIME", line)
        elif "," in line:
            line = MACHINE.sub(r"\1,TIME", line)
        if " -- " in line:
            line = USAGE.sub(r"usage of \1", line)
        line = line.replace(name + "> ", "PROMPT ")
        lines.append(line.replace(name + ": ", "PROGRAM: "))
    return lines


def reports(lines):
    """The two lines of each report together, in any order of reports."""
    groups = []
    for line in lines:
        if groups and "TIME" in line:
            groups[-1].append(line)
        else:
            groups.append([line])
    return sorted(groups)


def qemu_io(*words, **more):
    """Without io_uring: with it, parts of one block written at once make
    qemu-io 7.2 wait for ever, about once in 40 times.  What it says and writes
    does not depend on the engine."""
    words = ["threads" if word == "io_uring" else word for word in words]
    return story.run("qemu-io", *words, status=None, **more)


def cotrace_io(*words, **more):
    return story.run(IO, *words, status=None, **more)


def script(commands):
    return [word for command in commands for word in ("-c", command)]


def need_direct(folder):
    """Skips the case where files can't be opened with O_DIRECT."""
    path = os.path.join(folder, "direct")
    with open(path, "wb"):
        pass
    try:
        os.close(os.open(path, os.O_RDWR | os.O_DIRECT))
    except OSError:
        tap.skip("no O_DIRECT in the temporary folder")


def make(tmp, options, size, writes, name="image.qcow2"):
    path = os.path.join(tmp, name)
    if os.path.exists(path):
        os.unlink(path)
    words = ["-o", options] if options else []
    story.run("qemu-img", "create", "-q", "-f", "qcow2", *words, path, size)
    if writes:
        story.run("qemu-io", "-f", "qcow2", *script(writes), path)
    return path
