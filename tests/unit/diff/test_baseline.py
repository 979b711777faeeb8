# SPDX-License-Identifier: MIT
"""`cotrace diff --save-baseline` and `--against`: a run that was kept compares
as the run itself; what is damaged is refused.  And what --fail-on says."""
import json
import os
import random
import sys

import story
import tap
from written import Run

ENV = {"COTRACE_CHECK": "1", "LC_ALL": "C"}
DAMAGED = 3000 if os.environ.get("COTRACE_SOAK") == "1" else 60


def requests(seed=0, order=(0, 1, 2, 3), extra=(), clock=True, hole=False,
             slow_ns=0, stop_ns=0):
    """One worker takes them in that order; a bottom half beside each."""
    run = Run(seed, clock)
    run.poll()
    made = []
    for i in (*range(4), *extra):
        made.append(run.begin(4096 * i))
        run.submit(made[-1])
    if hole:
        run.hole()
    for i in (*order, *range(4, len(made))):
        bh = run.id()
        fields = {"bh": bh, "ctx": run.ctx, "name": "refresh",
                  "callback": hex(run.code + 0x300)}
        run.say("bh_schedule", **fields, flags=1)
        run.say("bh_run_begin", **fields)
        run.now += slow_ns + (stop_ns if i == 1 else 0)
        run.say("bh_run_end", bh=bh, ctx=run.ctx)
        run.work(made[i])
        run.complete(made[i])
    run.polled()
    return run


def diff(*words, status=None):
    done = story.run(story.COTRACE, "diff", *words, status=status, env=ENV)
    return done


def without_backtraces(document):
    for key in ("first_divergence", "first_real_divergence"):
        if document[key]:
            if document[key]["a"]:
                for name in ("frames", "pid", "tid", "complete"):
                    document[key]["a"].pop(name)
            for name in ("common", "common_frames"):
                document[key].pop(name)
    return document


@tap.case("a run that was kept compares as the run itself")
def _(tmp):
    runs = {"plain": requests(), "order": requests(1, (0, 2, 1, 3)),
            "extra": requests(2, extra=(7,)), "hole": requests(3, hole=True),
            "order only": requests(4, clock=False)}
    paths = {name: run.write(os.path.join(tmp, name.replace(" ", "-")))
             for name, run in runs.items()}
    for a, path in paths.items():
        kept = path + ".json"
        tap.equal(diff("--save-baseline", kept, path, status=0).out, "")
        for b, other in paths.items():
            both = diff(path, other, "--json", "--edits")
            one = diff("--against=" + kept, other, "--json", "--edits")
            tap.equal(one.returncode, both.returncode, f"{a}, {b}")
            tap.equal(without_backtraces(story.parse(one.out)),
                      without_backtraces(story.parse(both.out)), f"{a}, {b}")
        again = kept + "2"
        diff("--save-baseline=" + again, path, status=0)
        tap.equal(open(again).read(), open(kept).read(), "kept twice")


@tap.case("--fail-on: the reason in one line")
def _(tmp):
    a = requests().write(os.path.join(tmp, "a"))
    kept = os.path.join(tmp, "a.json")
    diff("--save-baseline", kept, a, status=0)
    cases = (
        (requests(1), "order,missing,findings,p50:+0%", None),
        (requests(1, (0, 2, 1, 3)), "order", "order: 1 turned round, "
         "overtaken: work item ? of blk read disk and "),
        (requests(1, (0, 2, 1, 3)), "missing,findings", None),
        (requests(1, extra=(7,)), "missing",
         "missing: 6 in one run only, first begin of blk read disk 28672+512"),
        (requests(1, extra=(7,)), "order,findings", None),
        (requests(1, stop_ns=20000000), "order,missing,p99:+10%", None),
        (requests(1, stop_ns=20000000), "findings,order",
         "findings: new pool-saturated, blocked-loop refresh"),
    )
    for i, (run, words, reason) in enumerate(cases):
        b = run.write(os.path.join(tmp, f"b{i}"))
        for first in (a, "--against=" + kept):
            done = diff(first, b, "--fail-on=" + words,
                        status=1 if reason else 0)
            if reason is None:
                tap.equal(done.err, "", words)
                continue
            tap.equal(done.err.count("\n"), 1, done.err)
            assert done.err.startswith(f"cotrace: {b}: {reason}"), done.err
    stopped = os.path.join(tmp, "b6")
    diff(stopped, stopped, "--fail-on=findings", status=0)


@tap.case("--fail-on: times that grew, and by how much")
def _(tmp):
    runs = [Run(seed) for seed in range(2)]
    for run, slow_ns in zip(runs, (1000, 50000)):
        run.poll()
        for i in range(20):
            request = run.begin(4096 * i)
            run.submit(request)
            run.now += slow_ns + 7 * i
            run.work(request)
            run.complete(request)
        run.polled()
    a, b = (run.write(os.path.join(tmp, name))
            for run, name in zip(runs, "ab"))
    for word in ("p50", "p99", "mean"):
        done = diff(a, b, f"--fail-on={word}:+10%", status=1)
        assert f": {word} of blk read disk: 0.0" in done.err, done.err
        assert "% is more than +10%" in done.err, done.err
        diff(a, b, f"--fail-on={word}:+900000%", status=0)
        diff(b, a, f"--fail-on={word}:+0%", status=0)


def refused(*words, names=()):
    done = diff(*words, status=2)
    tap.equal(done.out, "", str(words))
    if not done.err.startswith("cotrace: ") or done.err.count("\n") != 1:
        raise AssertionError(f"{words}: {done.err!r}")
    for name in names:
        if name not in done.err:
            raise AssertionError(f"{words}: {name} not in {done.err!r}")


@tap.case("what is no baseline is refused in one line")
def _(tmp):
    a = requests().write(os.path.join(tmp, "a"))
    kept = os.path.join(tmp, "kept")
    diff("--save-baseline", kept, a, status=0)
    refused("--against=" + os.path.join(tmp, "none"), a, names=["none: No"])
    refused("--against=" + a, a, names=["no baseline"])
    refused("--against=" + tmp, a, names=[tmp])
    refused("--against=" + kept, a, a, names=["only one"])
    refused("--against=" + kept, names=["a trace is needed"])
    refused("--save-baseline=" + kept, a, "--json", names=["compares nothing"])
    refused("--save-baseline=" + kept, a, a, names=["only one"])
    refused("--save-baseline=" + os.path.join(tmp, "no", "where"), a,
            names=["where"])
    refused("--save-baseline=" + kept, kept, names=["kept"])
    good = json.load(open(kept, encoding="utf-8"))
    wrong = os.path.join(tmp, "wrong")
    for key, value, what in (
            ("cotrace_baseline", 1, "another version"),
            ("cotrace_baseline", "1", "number"), ("clock", 1, "true or false"),
            ("words", {}, "list"), ("words", ["\u0007", 7], "string"),
            ("labels", [1] * 8, "damaged"), ("labels", [10 ** 19], "large"),
            ("links", [0, 10 ** 6, 0], "damaged"), ("weather", [], "key"),
            ("decisions", [1.5] * 4, ""), ("taken", [3, 1, 1, 1] * 2, "dam"),
            ("times", [10 ** 6, 1], "damaged"), ("words", [], "damaged"),
            ("sequences", [], "damaged"), ("decisions", [0, 0, 9, 0], "dam")):
        with open(wrong, "w", encoding="utf-8") as out:
            json.dump({**good, key: value}, out)
        refused("--against=" + wrong, a, names=["wrong: ", what])
    with open(kept, encoding="utf-8") as text, \
            open(wrong, "w", encoding="utf-8") as out:
        out.write(text.read() + "{}")
    refused("--against=" + wrong, a, names=["behind its end"])


@tap.case("a damaged baseline is refused, or compared as what it says")
def _(tmp):
    a = requests().write(os.path.join(tmp, "a"))
    kept = os.path.join(tmp, "kept")
    diff("--save-baseline", kept, a, status=0)
    good = open(kept, "rb").read()
    rng = random.Random(6)
    n_refused = 0
    for _ in range(DAMAGED):
        text = bytearray(good)
        if rng.randrange(3) == 0:
            del text[rng.randrange(len(text)):]
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(text) or 1)
            text[at:at + rng.randrange(3)] = rng.choice(
                (b"", b"9", b"-", b",", b"]", b"}", b'"', b"\\u", b"\0",
                 b"99999", b"18446744073709551616", b"\xff", b"1,1"))
        with open(kept, "wb") as out:
            out.write(text)
        done = diff("--against=" + kept, a, "--json", "--edits")
        if done.returncode == 2:
            n_refused += 1
            tap.equal((done.out, done.err.count("\n")), ("", 1), done.err)
        else:
            tap.equal(done.returncode in (0, 1), True, done.err)
            story.parse(done.out)
    tap.note(f"{DAMAGED} damaged ones, {n_refused} refused")


tap.main(sys.argv[1:])
