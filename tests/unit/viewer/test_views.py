# SPDX-License-Identifier: MIT
"""The views' text and JSON over a simulated pass."""
import os
import pty
import re
import subprocess
import sys

import shapes
import tap

PASS = os.environ["FAKE_PASS"]


def run(*words, status=0, env=None, **more):
    done = subprocess.run([PASS, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8",
                               **(env or {})}, **more)
    tap.equal(done.returncode, status, f"{words}: {done.stderr!r}")
    done.out = done.stdout.decode("utf-8")
    done.err = done.stderr.decode("utf-8")
    return done


def requests(*words):
    found = shapes.lines(run("requests", "json", *words).out)
    for each in found:
        shapes.request(each)
    return found


def on_terminal(*words, columns=100, env=None):
    """What a person sees: standard output is a terminal."""
    ours, theirs = pty.openpty()
    try:
        import fcntl
        import struct
        import termios
        fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 30, columns, 0, 0))
        child = subprocess.Popen(
            [PASS, *words], stdout=theirs, stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm",
                 "NO_COLOR": "", **(env or {})})
        os.close(theirs)
        theirs = None
        seen = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
        tap.equal(child.wait(timeout=60), 0)
        return seen.decode("utf-8").replace("\r\n", "\n")
    finally:
        os.close(ours)
        if theirs is not None:
            os.close(theirs)


def bare(text):
    return re.sub("\x1b\\[[0-9;]*m", "", text)


def inert(text, may=""):
    """No character that could act on a terminal."""
    for character in text:
        code = ord(character)
        if character not in "\n" + may and (
                code < 32 or 0x7f <= code < 0xa0 or 0x202a <= code <= 0x202e or
                code in (0x2028, 0x2029, 0xfeff)):
            raise AssertionError(f"{character!r} in {text[:2000]!r}")


@tap.case("requests --json: documented shape, outermost ones, by start")
def _(tmp):
    found = requests("turns=50", "seed=3")
    tap.equal(len(found), 50)
    tap.equal([r for r in found if r["parent"] is not None], [])
    begins = [r["begin_ns"] for r in found]
    tap.equal(begins, sorted(begins))
    numbers = [r["request"] for r in found]
    tap.equal(numbers, sorted(numbers))


@tap.case("requests --all: each child after its parent, by start")
def _(tmp):
    found = requests("turns=50", "all")
    tap.equal(len(found), 100)
    tap.equal([r["request"] for r in found], list(range(1, 101)))
    for each in found:
        if each["parent"] is not None and each["parent"] >= each["request"]:
            raise AssertionError(each)


@tap.case("requests --blame names in text what held each up for longest")
def _(tmp):
    plain = run("requests", "turns=50").out
    blamed = run("requests", "turns=50", "blame").out
    tap.equal(len(plain.splitlines()), len(blamed.splitlines()))
    assert "(" in blamed and "(" not in plain, blamed
    inert(run("requests", "turns=50", "blame", "hostile").out, may="\n")


@tap.case("requests --critical-path: whose each piece is, and its whole time")
def _(tmp):
    found = requests("turns=50", "critical_path")
    for each in found:
        for piece in each["segments"]:
            shapes.fields("piece", piece, request=shapes.INT)
    assert found != requests("turns=50"), "it is as without"


@tap.case("requests: one that stays open is listed first, and holds nothing up")
def _(tmp):
    found = requests("turns=300", "stuck", "all")
    tap.equal(len(found), 601)
    tap.equal(found[0]["complete"], False)
    for name in ("end_ns", "latency_ns", "ret"):
        tap.equal(found[0][name], None, name)
    tap.equal([r["request"] for r in found], list(range(1, 602)))


@tap.case("requests: what began before the trace has no begin and no latency")
def _(tmp):
    found = requests("turns=100", "lost")
    unknown = [r for r in found if r["begin_ns"] is None]
    if not unknown or len(unknown) == len(found):
        raise AssertionError(f"{len(unknown)} of {len(found)}")
    for each in unknown:
        tap.equal((each["latency_ns"], each["complete"]), (None, False))


@tap.case("requests --sort=latency: the slowest first, as many as asked for")
def _(tmp):
    everything = requests("turns=200")
    slowest = sorted(everything,
                     key=lambda r: (-r["latency_ns"], r["end_ns"]))
    tap.equal(requests("turns=200", "sort=latency"), slowest)
    tap.equal(requests("turns=200", "sort=latency", "limit=7"), slowest[:7])
    tap.equal(requests("turns=200", "sort=latency", "limit=0"), [])


@tap.case("requests --limit and --layer take the first, and those of a layer")
def _(tmp):
    everything = requests("turns=200")
    tap.equal(requests("turns=200", "limit=7"), everything[:7])
    tap.equal(requests("turns=200", "limit=0"), [])
    wanted = [r for r in everything if r["layer"] == "nbd"]
    tap.equal(requests("turns=200", "layer=nbd"), wanted)
    tap.equal(requests("turns=200", "layer=none"), [])


@tap.case("requests --limit=0 as text: how many there are")
def _(tmp):
    n = len(requests("turns=200"))
    nbd = len(requests("turns=200", "layer=nbd"))
    for sort in ("start", "latency"):
        for words, found in (([], n), (["layer=nbd"], nbd)):
            out = run("requests", "turns=200", "limit=0", f"sort={sort}",
                      *words).out
            tap.equal(out, f"{found} requests, of which 0 are to be shown\n")
    out = run("requests", "turns=200", "limit=0", "layer=none").out
    tap.equal(out.startswith("no request of layer none"), True, out)


@tap.case("requests as text: plain columns when piped, whole lines")
def _(tmp):
    out = run("requests", "turns=5").out
    inert(out)
    rows = out.splitlines()
    tap.equal(len(rows), 6)
    tap.equal(rows[0].split()[:4], ["REQUEST", "LAYER", "OP", "NODE"])
    for row, each in zip(rows[1:], requests("turns=5")):
        cells = row.split()
        tap.equal(cells[0], str(each["request"]))
        latency = each["latency_ns"]
        if f"{latency // 1000}.{latency % 1000:03}" not in cells:
            raise AssertionError(row)


@tap.case("requests as text: open and unknown ones say so")
def _(tmp):
    out = run("requests", "turns=100", "stuck", "lost").out
    first = out.splitlines()[1].split()
    if "open" not in first or not any(c.startswith(">") for c in first):
        raise AssertionError(first)
    if not any("?" in line.split() for line in out.splitlines()):
        raise AssertionError(out)


@tap.case("on a terminal lines fit, states have colours, latency has 20 rows")
def _(tmp):
    for columns in (60, 100, 200):
        seen = on_terminal("requests", "turns=30", columns=columns)
        if "\x1b[" not in seen:
            raise AssertionError("no colour")
        inert(bare(seen))
        for line in bare(seen).splitlines():
            if len(line) > columns:
                raise AssertionError(f"{len(line)} columns: {line}")
    seen = on_terminal("requests", "turns=200", "sort=latency")
    tap.equal(len(seen.splitlines()), 1 + 20 + 1)


@tap.case("a narrow terminal still shows the latency and where it went")
def _(tmp):
    for words in ([], ["all"]):
        lines = bare(on_terminal("requests", "turns=5", *words,
                                 columns=80)).splitlines()
        titles = lines[0].split()
        tap.equal("PARENT" in titles, bool(words))
        for title in ("REQUEST", "LATENCY", "WHERE"):
            tap.equal(title in titles, True, title)
        tap.equal("NODE" in titles or "BEGIN" in titles, False)
        for line in lines[1:-1]:
            if not re.search(r"\d\.\d{3}  [a-z]", line):
                raise AssertionError(line)


@tap.case("NO_COLOR, TERM=dumb: no escape sequence at all")
def _(tmp):
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        for view in ("requests", "stat", "backtrace", "coroutines", "findings"):
            words = [view] + (["worker=1"] if view == "backtrace" else [])
            inert(on_terminal(*words, env=env))


@tap.case("hostile strings are inert, in text and in JSON")
def _(tmp):
    for view in ("requests", "stat", "backtrace", "coroutines", "findings",
                 "chrome"):
        words = [view] + (["worker=1"] if view == "backtrace" else [])
        inert(run(*words, "hostile").out)
        if view != "chrome":
            inert(run(*words, "hostile", "json").out)
            inert(bare(on_terminal(*words, "hostile")))


@tap.case("a locale without UTF-8 gets ASCII of our own")
def _(tmp):
    for view in ("requests", "stat", "backtrace", "coroutines", "findings"):
        words = [view] + (["worker=1"] if view == "backtrace" else [])
        run(*words, env={"LC_ALL": "C"}).out.encode("ascii")


@tap.case("stat, backtrace, coroutines --json: documented shapes")
def _(tmp):
    for words in ([], ["hostile"], ["lost"]):
        shapes.stat(shapes.parse(run("stat", "json", *words).out))
        shapes.backtrace(shapes.parse(
            run("backtrace", "worker=1", "json", *words).out))
        shapes.coroutines(shapes.parse(run("coroutines", "json", *words).out))
    tap.equal(shapes.parse(run("stat", "json", "lost").out)["discarded"], None)


@tap.case("backtrace as text: as a debugger prints it, cuts as lines")
def _(tmp):
    rows = run("backtrace", "worker=1").out.splitlines()
    tap.equal(rows.pop(0), "worker 1 of process 4000, 0.007 us after the "
                           "first event")
    tap.equal(rows[0], "#0   do_spawn_thread () at runtime/pool/worker.c:123")
    tap.equal(rows[1], "── bottom half 12: scheduled 134.2 µs earlier on "
                       "thread 4000, and 2 more times before it ran ──")
    tap.equal(rows[2], "#1   0x00007fffffffffff in ?? () from "
                       "/lib/libc.so.6+0x2724a")


@tap.case("an answer that is empty says so, a person is told where to go on")
def _(tmp):
    tap.equal(run("requests", "layer=zzz").out,
              "no request of layer zzz; there are bdrv, blk, nbd\n")
    tap.equal(run("requests", "layer=zzz", "json").out, "")
    shown = requests()
    slowest = max(shown, key=lambda each: each["latency_ns"] or 0)["request"]
    told = f"next: cotrace backtrace TRACE --request={slowest}"
    tap.equal(bare(on_terminal("requests")).splitlines()[-1], told)
    assert told not in run("requests").out
    # ... as it can be typed, and does nothing to the terminal
    for name, typed in (("a/trace.1", "a/trace.1"), ("my trace", "'my trace'"),
                        ("it's", '"it\'s"'), ("a\x1bb", "'a\\x1bb'")):
        for view in ("requests", "findings"):
            last = bare(on_terminal(view, f"trace={name}")).splitlines()[-1]
            assert re.fullmatch(
                rf"next: cotrace backtrace {re.escape(typed)} --request=\d+",
                last), last
    # A number counts within what is read.
    last = bare(on_terminal("requests", "trace=x", "begin=5",
                            "end=70")).splitlines()[-1]
    tap.equal(re.sub(r"--request=\d+", "--request=N", last),
              "next: cotrace backtrace x --request=N --begin=5 --end=70")


@tap.case("coroutines as text: a group, its members, its frames")
def _(tmp):
    rows = run("coroutines").out.splitlines()
    tap.equal(rows[:4], [
        "11 coroutines alive 20.000 us after the first event", "",
        "10 coroutines: lock, of entry(), process 4000",
        "  coroutine 50, for 20.00 µs, mutex 7 held by coroutine 49 of "
        "request 3"])
    tap.equal(rows[4], "  coroutine 51 of request 1, for 19.00 µs, mutex 7 "
                       "held by coroutine 49 of request 3")
    tap.equal(rows[11], "  and 2 more")
    tap.equal(rows[12], "#0   do_spawn_thread () at runtime/pool/worker.c:123")
    tap.equal(rows[-3:], ["1 coroutine: created, process 4000",
                          "  coroutine 90",
                          "(no stack was recorded)"])


@tap.case("a file is the same as what is printed, and appears whole")
def _(tmp):
    for words in (["requests"], ["requests", "json"], ["stat"], ["chrome"]):
        path = os.path.join(tmp, "out")
        run(*words, f"path={path}")
        with open(path, encoding="utf-8") as file:
            tap.equal(file.read(), run(*words).out)
        tap.equal(os.listdir(tmp), ["out"])


@tap.case("an output that can't be written: refused, nothing left")
def _(tmp):
    for view in ("requests", "stat", "chrome"):
        for path in (tmp, os.path.join(tmp, "no", "x"), "/dev/full"):
            err = run(view, f"path={path}", status=2).err
            if path not in err or err.count("\n") != 1:
                raise AssertionError(err)
    tap.equal(os.listdir(tmp), [])


@tap.case("wrong settings are refused by name")
def _(tmp):
    for words in (["requests", "limit=x"], ["requests", "limit=-1"],
                  ["requests", "limit=99999999999999999999"],
                  ["requests", "limit"], ["requests", "json=1"],
                  ["requests", "sort=size"], ["requests", "worker=1"],
                  ["stat", "all"], ["backtrace"],
                  ["backtrace", "worker=1", "work=2"],
                  ["backtrace", "worker=1", "at=-5"]):
        run(*words, status=2)


@tap.case("the same pass gives the same bytes")
def _(tmp):
    for words in (["requests", "json"], ["chrome"]):
        tap.equal(run(*words, "seed=5").out, run(*words, "seed=5").out)


tap.main(sys.argv[1:])
