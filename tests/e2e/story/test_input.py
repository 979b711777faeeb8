#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bad input: one clear line, exit status 2, nothing left behind."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402

READERS = (["stat"], ["stat", "--json"], ["requests"], ["requests", "--json"],
           ["backtrace", "--worker=1"], ["render", "-o", "out.json"])


def refused(words, tmp, who="cotrace", named=None, env=None):
    before = sorted(os.listdir(tmp))
    done = story.run(*words, status=2, cwd=tmp, env=env)
    lines = done.err.splitlines()
    if len(lines) != 1 or not lines[0].startswith(who + ": "):
        raise AssertionError(f"{words}: {done.err!r}")
    if named and named not in lines[0]:
        raise AssertionError(f"{words}: {named} is not named: {lines[0]}")
    tap.equal(sorted(os.listdir(tmp)), before, f"{words}: left behind")
    tap.equal(done.out, "", f"{words}: stdout")
    return lines[0]


@tap.case("what is no trace is refused by every reader")
def _(tmp):
    os.mkdir(os.path.join(tmp, "empty"))
    with open(os.path.join(tmp, "text"), "w", encoding="utf-8") as file:
        file.write("hello\n")
    with open(os.path.join(tmp, "zeros"), "wb") as file:
        file.write(bytes(65536))
    os.mkdir(os.path.join(tmp, "garbage"))
    with open(os.path.join(tmp, "garbage", "metadata"), "wb") as file:
        file.write(os.urandom(5000))
    for reader in READERS:
        for name in ("empty", "text", "zeros", "garbage", "nowhere"):
            refused([story.COTRACE, reader[0], name, *reader[1:]], tmp,
                    named=name)


@tap.case("a trace without cotrace events is refused by name")
def _(tmp):
    trace = os.path.join(tmp, "true")
    story.record(trace, "true")
    for reader in READERS:
        line = refused([story.COTRACE, reader[0], "true", *reader[1:]], tmp,
                       named="true")
        if "no cotrace events" not in line:
            raise AssertionError(line)


@tap.case("wrong usage is told in one line")
def _(tmp):
    for words in ([], ["frobnicate"], ["stat"], ["requests"], ["backtrace"],
                  ["render"], ["record"], ["record", "--"], ["record", "-o"],
                  ["stat", "--frobnicate", "x"], ["requests", "x", "y"],
                  ["requests", "--limit=many", "x"],
                  ["requests", "--sort=colour", "x"],
                  ["backtrace", "x"], ["backtrace", "x", "--worker=none"],
                  ["backtrace", "x", "--worker=1", "--request=1"],
                  ["render", "x"], ["render", "x", "-o", "y.unknown"]):
        refused([story.COTRACE, *words], tmp)


@tap.case("an entity that the trace does not have")
def _(tmp):
    image = story.image(os.path.join(tmp, "disk.qcow2"))
    trace = os.path.join(tmp, "trace")
    story.record(trace, story.IO, "-r", "-f", "qcow2", "-c", "read -q 0 4k",
                 image)
    for word in ("--worker=1", "--request=999999", "--coroutine=999999999",
                 "--work=999999999"):
        refused([story.COTRACE, "backtrace", "trace", word], tmp)
    # and output that can't be written
    for target in ("nowhere/out.json", "/proc/out.json", "/dev/full", tmp):
        refused([story.COTRACE, "render", "trace", "-o", target], tmp) \
            if target != tmp else \
            refused([story.COTRACE, "render", "trace", "-o", target,
                     "--format=chrome"], tmp)


@tap.case("programs that can't be started, folders that can't be made")
def _(tmp):
    with open(os.path.join(tmp, "text"), "w", encoding="utf-8") as file:
        file.write("hello\n")
    os.mkdir(os.path.join(tmp, "full"))
    with open(os.path.join(tmp, "full", "x"), "w", encoding="utf-8") as file:
        file.write("mine\n")
    for program in ("nowhere", "./nowhere", "./text", "/", "./full"):
        refused([story.COTRACE, "record", "-o", "out", "--", program], tmp)
    for out in ("full", "text", "nowhere/out", "/proc/out"):
        refused([story.COTRACE, "record", "-o", out, "--", "true"], tmp)


@tap.case("images that are not what they should be")
def _(tmp):
    good = story.image(os.path.join(tmp, "good"))
    with open(good, "rb") as file:
        data = file.read()

    def made(name, content):
        with open(os.path.join(tmp, name), "wb") as file:
            file.write(content)
        return name

    cases = [made("raw", b"\0" * 65536), made("short", data[:60]),
             made("empty", b""), made("cut", data[:70000]),
             "nowhere"]
    features = bytearray(data)
    features[72:80] = (1 << 40).to_bytes(8, "big")
    cases.append(made("features", bytes(features)))
    crypt = bytearray(data)
    crypt[32:36] = (1).to_bytes(4, "big")
    cases.append(made("encrypted", bytes(crypt)))
    story.run("qemu-img", "create", "-q", "-f", "qcow2", "-o",
              "data_file=" + os.path.join(tmp, "data"),
              os.path.join(tmp, "external"), "1M")
    cases.append("external")
    for name in cases:
        refused([story.IO, "-r", "-f", "qcow2", "-c", "read -q 0 4k", name],
                tmp, who="cotrace-io", named=name)


@tap.case("images that look unusual are read all the same")
def _(tmp):
    good = story.image(os.path.join(tmp, "good"))
    story.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", good, "-F",
              "qcow2", os.path.join(tmp, "backed"))
    story.run("qemu-img", "convert", "-q", "-c", "-O", "qcow2", good,
              os.path.join(tmp, "compressed"))
    wanted = story.run(story.IO, "-r", "-f", "qcow2", "-c", "read -v 0 64k",
                       good).out.splitlines()[:4096]
    for name in ("backed", "compressed"):
        tap.equal(story.run(story.IO, "-r", "-f", "qcow2", "-c",
                            "read -v 0 64k", name,
                            cwd=tmp).out.splitlines()[:4096], wanted, name)


tap.main(sys.argv[1:])
