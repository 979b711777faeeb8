# SPDX-License-Identifier: MIT
"""The commands as a person and a shell use them, on a real recording."""
import json
import os
import signal
import subprocess
import sys
import tempfile

import chrome_checker
import shapes
import story
import tap

COMMANDS = ("stat", "requests", "backtrace", "render")
_made = tempfile.TemporaryDirectory(prefix="cotrace-commands-")
_trace = None


def trace():
    """Some three hundred requests, several in flight; recorded once."""
    global _trace
    if _trace is None:
        image = story.image(os.path.join(_made.name, "img.qcow2"))
        path = os.path.join(_made.name, "trace")
        words = story.reads()
        for i in range(300):
            words += ["-c", f"read -q {i * 8192} 4k"]
        story.record(path, story.IO, "-f", "qcow2", "-r", *words, image)
        _trace = path
    return _trace


def cotrace(*words, status=0, **more):
    return story.run(story.COTRACE, *words, status=status, **more)


def refused(*words, names=(), **more):
    """Exit 2, one line on stderr, nothing on stdout."""
    done = cotrace(*words, status=2, **more)
    tap.equal(done.out, "", str(words))
    if not done.err.startswith("cotrace: ") or done.err.count("\n") != 1 or \
            not done.err.endswith("\n"):
        raise AssertionError(f"{words}: {done.err!r}")
    for name in names:
        if name not in done.err:
            raise AssertionError(f"{words}: {name} not in {done.err!r}")
    return done.err


@tap.case("--help and --version say so on standard output")
def _(tmp):
    general = cotrace("--help")
    tap.equal(general.err, "")
    for command in COMMANDS:
        if f"\n  {command} " not in general.out:
            raise AssertionError(f"{command} is not listed")
        done = cotrace(command, "--help")
        tap.equal(done.err, "")
        if not done.out.startswith(f"usage: cotrace {command} "):
            raise AssertionError(done.out)
        if max(len(line) for line in done.out.splitlines()) > 80:
            raise AssertionError(done.out)
    tap.equal(cotrace("--version").out.split()[0], "cotrace")


@tap.case("--help into a full device is an error")
def _(tmp):
    with open("/dev/full", "w", encoding="utf-8") as full:
        for words in (["--help"], ["stat", "--help"]):
            done = subprocess.run([story.COTRACE, *words], stdout=full,
                                  stderr=subprocess.PIPE, timeout=60)
            tap.equal(done.returncode, 2)


@tap.case("wrong usage: exit 2 and one line")
def _(tmp):
    somewhere = os.path.join(tmp, "x")
    refused()
    refused("frobnicate", names=["frobnicate"])
    refused("--frobnicate", names=["--frobnicate"])
    for command in COMMANDS:
        refused(command, names=["no trace"] if command != "render" else [])
        refused(command, "a", "b")
        refused(command, "a", "--frobnicate", names=["--frobnicate"])
        refused(command, "a", "-Z", names=["-Z"])
    refused("requests", somewhere, "--limit=many", names=["--limit", "many"])
    refused("requests", somewhere, "--limit", names=["--limit"])
    refused("requests", somewhere, "--json=yes")
    refused("requests", somewhere, "--sort=size", names=["size"])
    refused("requests", somewhere, "--worker=1", names=["--worker"])
    refused("backtrace", somewhere, names=["--worker"])
    refused("backtrace", somewhere, "--worker=1", "--work=2")
    refused("backtrace", somewhere, "--worker=1", "--at=-3")
    refused("render", somewhere, names=["-o"])
    refused("render", somewhere, "-o", os.path.join(tmp, "a.xyz"),
            names=["a.xyz"])
    refused("render", somewhere, "-o", "-", names=["--format"])
    refused("render", somewhere, "-o", "-", "--format=xyz", names=["xyz"])
    refused("render", somewhere, "-o", os.path.join(tmp, "a.json"),
            "--request=", names=["--request", "''"])
    refused("render", somewhere, "-o", os.path.join(tmp, "a.json"),
            "--split=1k", names=["1k is less than 1M"])
    refused("record", "--no-preload", "true", names=["--no-preload is for"])
    refused("stat", "", names=["the trace has an empty name"])
    refused("requests", somewhere, "--layer=", names=["--layer", "empty name"])
    refused("diff", "--against=", somewhere, names=["a file has an empty name"])
    refused("stat", somewhere, "-o", "", names=["--output", "empty name"])
    refused("diff", "", somewhere, names=["a trace has an empty name"])
    refused("diff", somewhere, somewhere, "-o", "", names=["empty name"])
    tap.equal(os.listdir(tmp), [])


@tap.case("what getopt refuses is named as it was written")
def _(tmp):
    for command in COMMANDS + ("diff", "record"):
        for words, why in (
                (("--help=x",), "--help=x: takes no value"),
                (("--frobnicate",), "--frobnicate: no such option"),
                (("-xy", "a"), "-x: no such option"),
                (("-o",), "-o: needs a value"),
                (("--output",), "--output: needs a value")):
            tap.equal(refused(command, *words),
                      f"cotrace: {why} (see 'cotrace {command} --help')\n")
    for command in ("stat", "requests", "backtrace", "diff"):
        refused(command, "--json=1", names=["--json=1: takes no value"])


def kept(path, *words):
    """Refused, and what is read is as it was."""
    with open(path, "rb") as file:
        before = file.read()
    refused(*words, names=[path])
    with open(path, "rb") as file:
        tap.equal(file.read() == before, True, f"{words} wrote {path}")


@tap.case("an output never replaces what is read")
def _(tmp):
    log = os.path.join(tmp, "t.json")
    with open(log, "w", encoding="ascii") as file:
        file.write("cotrace-text 1\n@1 1/1 context_create ctx=1\n")
    link = os.path.join(tmp, "link.json")
    os.symlink(log, link)
    for out in (log, link, os.path.join(tmp, ".", "t.json")):
        kept(out, "stat", log, "-o", out)
        kept(out, "render", log, "-o", out)
        kept(out, "diff", log, log, "-o", out)
    kept(log, "diff", link, "--save-baseline=" + log)
    base = os.path.join(tmp, "base")
    cotrace("diff", log, "--save-baseline=" + base)
    kept(base, "diff", "--against=" + base, log, "-o", base)
    files = [os.path.join(folder, name)
             for folder, _, names in os.walk(trace()) for name in names]
    own = [path for path in files if os.path.getsize(path)]
    for path in own:
        kept(path, "stat", trace(), "-o", path)
    beside = os.path.join(trace(), "stat.txt")
    for _ in range(2):
        cotrace("stat", trace(), "-o", beside)
    os.unlink(beside)


@tap.case("what is no trace: exit 2, its name and what is wrong, no output file")
def _(tmp):
    empty = os.path.join(tmp, "empty")
    os.mkdir(empty)
    text = os.path.join(tmp, "text\x1b[31m")
    with open(text, "wb") as file:
        file.write(b"\x00\xff no trace at all\n" * 100)
    out = os.path.join(tmp, "out.json")
    for path in (os.path.join(tmp, "nowhere"), empty, text, "/dev/null"):
        for words in (["stat", path], ["requests", path, "--json"],
                      ["backtrace", path, "--worker=1"],
                      ["render", path, "-o", out]):
            error = refused(*words)
            if path.replace("\x1b", "\\x1b") not in error:
                raise AssertionError(f"{path} not in {error}")
            tap.equal(os.path.exists(out), False)
    tap.equal(sorted(os.listdir(tmp)), ["empty", "text\x1b[31m"])


@tap.case("an output that can't be written: exit 2, nothing left")
def _(tmp):
    there = os.path.join(tmp, "there.json")
    with open(there, "w", encoding="utf-8") as file:
        file.write("old")
    for out in (tmp, os.path.join(tmp, "no", "out.json"),
                os.path.join(there, "out.json")):
        refused("render", trace(), "--format=chrome", "-o", out, names=[out])
    refused("render", trace(), "--format=chrome", "-o", "/dev/full",
            names=["/dev/full", "No space left"])
    refused("stat", trace(), "-o", os.path.join(tmp, "no", "x"))
    tap.equal(os.listdir(tmp), ["there.json"])
    with open(there, encoding="utf-8") as file:
        tap.equal(file.read(), "old")
    with open("/dev/full", "w", encoding="utf-8") as full:
        for command in ("stat", "requests"):
            done = subprocess.run([story.COTRACE, command, trace()],
                                  stdout=full, stderr=subprocess.PIPE,
                                  timeout=60)
            tap.equal(done.returncode, 2)
            tap.equal(done.stderr, b"cotrace: standard output: No space left "
                                   b"on device\n")


@tap.case("what nobody has is refused by name: a process, nothing to unwind")
def _(tmp):
    refused("coroutines", trace(), "--pid=1", names=[trace(), "process 1"])
    refused("backtrace", trace(),
            names=["--coroutine", "(see 'cotrace backtrace --help')"])


@tap.case("lost events are warned of, whatever is asked")
def _(tmp):
    lossy = os.path.join(tmp, "lossy")
    with open(lossy, "w", encoding="utf-8") as file:
        file.write("cotrace-text 1\n"
                   "@100 7/7 context_create ctx=1 name=\"main\"\n"
                   "! stream=0 from=150 to=160 lost=3\n"
                   "@200 7/7 poll_begin ctx=1 blocking=0 depth=1 mode=poll\n")
    for command in ("stat", "requests", "coroutines", "findings"):
        done = cotrace(command, lossy, "--json")
        tap.equal(done.err, f"cotrace: warning: {lossy}: 3 events were lost; "
                            "what may have changed meanwhile is unknown\n")


@tap.case("a reader that goes away ends it quietly")
def _(tmp):
    for words in (["requests", trace(), "--all", "--json"],
                  ["requests", trace()], ["stat", trace()],
                  ["render", trace(), "--format=chrome", "-o", "-"]):
        ours, theirs = os.pipe()
        os.close(ours)
        done = subprocess.run([story.COTRACE, *words], stdout=theirs,
                              stderr=subprocess.PIPE, timeout=60,
                              env={**os.environ, "TMPDIR": tmp})
        os.close(theirs)
        tap.equal((done.returncode, done.stderr), (-signal.SIGPIPE, b""),
                  str(words))
    tap.equal(os.listdir(tmp), [])


@tap.case("a signal ends it as usual, also while nobody reads, and cleans up")
def _(tmp):
    for number in (signal.SIGINT, signal.SIGTERM):
        ours, theirs = os.pipe()
        child = subprocess.Popen(
            [story.COTRACE, "render", trace(), "--format=chrome", "-o", "-"],
            stdout=theirs, stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": tmp})
        os.close(theirs)
        # It writes more than a pipe holds: once there is something to read it
        # is in the middle, or blocked.
        os.read(ours, 1)
        child.send_signal(number)
        _, err = child.communicate(timeout=60)
        os.close(ours)
        tap.equal((child.returncode, err), (-number, b""))
    tap.equal(os.listdir(tmp), [])


@tap.case("stat, requests, backtrace: documented JSON that agrees with itself")
def _(tmp):
    stat = shapes.parse(cotrace("stat", trace(), "--json").out)
    shapes.stat(stat)
    outer = shapes.lines(cotrace("requests", trace(), "--json").out)
    every = shapes.lines(cotrace("requests", trace(), "--all", "--json").out)
    for request in every:
        shapes.request(request)
    story.check_sums(every)
    tap.equal(outer, [r for r in every if r["parent"] is None])
    tap.equal(stat["requests"]["count"], len(outer))
    tap.equal(stat["requests"]["complete"],
              sum(r["complete"] for r in outer))
    for state, ns in stat["states"].items():
        tap.equal(ns, sum(s["end_ns"] - s["begin_ns"] for r in outer
                          for s in r["segments"] if s["state"] == state), state)
    tap.equal(stat["requests"]["latency_ns"]["max"],
              max(r["latency_ns"] for r in outer))
    slowest = shapes.lines(cotrace("requests", trace(), "--sort=latency",
                                   "--limit=5", "--json").out)
    tap.equal([r["latency_ns"] for r in slowest],
              sorted((r["latency_ns"] for r in outer), reverse=True)[:5])
    layer = cotrace("requests", trace(), "--layer=blk", "--json")
    tap.equal(shapes.lines(layer.out), [r for r in outer
                                        if r["layer"] == "blk"])
    for option in (f"--request={outer[0]['request']}",
                   f"--coroutine={outer[0]['coroutines'][0]}",
                   f"--worker={outer[0]['workers'][0]}"):
        shapes.backtrace(shapes.parse(
            cotrace("backtrace", trace(), option, "--json").out))


@tap.case("backtrace of what is not there: exit 2, says what")
def _(tmp):
    for option in ("--request=999999", "--coroutine=999999", "--work=999999",
                   "--worker=1"):
        refused("backtrace", trace(), option, names=[trace()])


@tap.case("render: no fault, and the requests' own numbers")
def _(tmp):
    out = os.path.join(tmp, "t.json")
    tap.equal(cotrace("render", trace(), "-o", out).out, "")
    tap.equal(os.listdir(tmp), ["t.json"])
    report = chrome_checker.check_file(out)
    tap.equal(report.faults[:5], [])
    told = {r["request"]: r for r in shapes.lines(
        cotrace("requests", trace(), "--all", "--json").out)}
    shown = [s for s in report.slices if s.category == "request"]
    tap.equal(len(shown), len(told))
    for slice_ in shown:
        request = told[slice_.args["request"]]
        tap.equal((slice_.begin, slice_.end),
                  (request["begin_ns"], request["end_ns"]))
        tap.equal(sorted((s.begin, s.end, s.name) for s in report.slices
                         if s.parent is slice_),
                  sorted((s["begin_ns"], s["end_ns"], s["state"])
                         for s in request["segments"]))
    arrows = {flow[0] for flow in report.flows}
    for name in ("schedule", "submit", "work done", "resume", "spawn"):
        if name not in arrows:
            raise AssertionError(f"{name} not in {arrows}")
    for slice_ in report.slices:
        if "0x" in slice_.name:
            raise AssertionError(f"no name: {slice_}")
    names = set(report.threads.values())
    if "main" not in names or not any(n.startswith("worker") for n in names):
        raise AssertionError(names)
    again = cotrace("render", trace(), "-o", "-", "--format=chrome")
    with open(out, encoding="utf-8") as file:
        tap.equal(again.out == file.read(), True, "the same again")
    shapes.fields("metadata", json.loads(again.out)["metadata"],
                  origin_ns="text", complete="bool", discarded=("int",))


@tap.case("text goes to a pipe plain, and tells the same")
def _(tmp):
    for command in ("stat", "requests"):
        out = cotrace(command, trace()).out
        if "\x1b" in out:
            raise AssertionError(out)
        path = os.path.join(tmp, command)
        cotrace(command, trace(), "-o", path)
        with open(path, encoding="utf-8") as file:
            tap.equal(file.read(), out)
    rows = cotrace("requests", trace(), "--all").out.splitlines()
    tap.equal(len(rows) - 1, len(cotrace("requests", trace(), "--all",
                                         "--json").out.splitlines()))


try:
    tap.main(sys.argv[1:])
finally:
    _made.cleanup()
