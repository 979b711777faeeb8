#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""QEMU's logs and their lossy twins.

    check_twins.py COTRACE LOGS

Two kinds of twins, of the first LINES lines of each log:

- Lines are damaged so that the reader sees that something stood there
  (overwritten behind the event's name, or cut there): each is a hole.  What a
  twin still says one was doing at an instant, and who held it up, is what the
  whole log says; the latencies that are told fit the whole's.
- Lines are gone.  A log has no sign of that, so nothing can be unknown for it;
  what is asked is that the answer agrees with itself: segments contiguous,
  sums exact, no negative duration, no request out of nothing, every line
  counted.

The lines are a single one, or 1 to 30 % of all, by fixed seeds.  With
COTRACE_SOAK=1 there are many more twins.
"""
import json
import lzma
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../lib"))
import tap  # noqa: E402
import twins  # noqa: E402

COTRACE, DIR = (os.path.abspath(arg) for arg in sys.argv[1:3])
SOAK = os.environ.get("COTRACE_SOAK") == "1"
LINES = 1500
SEEDS = 300 if SOAK else 3  # twins of each kind a log
MALFORMED = b"#"


def ask(path, *command):
    done = subprocess.run([COTRACE, command[0], path, *command[1:], "--json"],
                          check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120,
                          env=dict(os.environ, COTRACE_CHECK="1"))
    tap.equal(done.returncode, 0,
              f"{command}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def in_order(row):
    """Without times the order stands for them."""
    if row.get("seq") is not None and row["begin_ns"] is None:
        row["begin_ns"], row["end_ns"] = row["seq"], row["end_seq"]
        for segment in row["segments"]:
            segment["begin_ns"] = segment["seq"]
            segment["end_ns"] = segment["end_seq"]
            (segment["cause"] or {}).pop("ran", None)
    return row


def requests(path):
    return [in_order(json.loads(line)) for line in
            ask(path, "requests", "--all", "--blame").splitlines()]


def key(row):
    return (*twins.identity(row), row["begin_ns"])


class Rows:
    """Requests by what they are, and whose causes they can be."""

    def __init__(self, rows):
        self.rows = rows
        self.by_key = {}
        by_number = {row["request"]: row for row in rows}
        for row in rows:
            self.by_key.setdefault(key(row), []).append(row)
        self.keys = {number: key(row) for number, row in by_number.items()}
        self.roots = {}
        for row in rows:
            root = row
            while root["parent"] in by_number:
                root = by_number[root["parent"]]
            self.roots[key(row)] = key(root)

    def one(self, row):
        """The only one that is this one; None: there are several."""
        found = self.by_key.get(key(row))
        assert found, f"a request out of nothing: {row}"
        return found[0] if len(found) == 1 else None


def blamed(request, rows, whole):
    """A coroutine's number is the reader's own, its inner requests may be
    among what is missing: the outermost request counts."""
    return [(part["begin_ns"], part["end_ns"], part["cause"]["kind"],
             whole.roots.get(rows.keys.get(part["cause"].get("request"))))
            for part in request["segments"]
            if part["cause"] and part["cause"]["kind"] != "unknown"]


def check_latency(real, row):
    """Both are intervals, and one of them is true."""
    least, most = row["latency_min_ns"], row["latency_max_ns"]
    if least is None or real["latency_min_ns"] is None:
        return
    assert real["latency_max_ns"] is None or least <= real["latency_max_ns"], \
        f"took at least {least}: {real}"
    # Of one inside another no event tells the end: open, it may be over.
    assert most is None or not real["complete"] or \
        most >= real["latency_min_ns"], \
        f"took at most {most}: {real}"


def check_damaged(whole, rows):
    """Return: what is certain, of what."""
    certain = of = 0
    for row in rows.rows:
        states = twins.states_of(row, 0)
        certain += sum(end - begin for begin, end, state in states
                       if state != "unknown")
        of += sum(end - begin for begin, end, _ in states)
        real = whole.one(row)
        if real is None:
            continue
        wrong = twins.said_otherwise(twins.states_of(real, 0), states)
        assert not wrong, f"{wrong} of {row}"
        wrong = twins.blamed_otherwise(blamed(real, whole, whole),
                                       blamed(row, rows, whole))
        assert not wrong, f"blamed otherwise: {wrong} of {row}"
        check_latency(real, row)
    return certain, of


def log_lines(name):
    with lzma.open(os.path.join(DIR, name)) as file:
        return file.read().split(b"\n")[:-1][:LINES]


def write(tmp, lines):
    path = os.path.join(tmp, "twin.log")
    with open(path, "wb") as out:
        out.write(b"\n".join(lines) + b"\n")
    return path


def losses(lines):
    """[(seed, indices)], never the first line: times count from there."""
    for seed in range(SEEDS):
        chance = random.Random(seed)
        if seed % 2:
            yield seed, {chance.randrange(1, len(lines))}
        else:
            share = chance.randint(1, 30) / 100
            yield seed, {i for i in range(1, len(lines))
                         if chance.random() < share}


def damaged(line, is_cut):
    """What is left of it begins as an event and is none."""
    head, colon, rest = line.rpartition(b"@")[2].partition(b":")
    start = line[:len(line) - len(rest)] if colon and b"." in head else b""
    name, space, _ = line[len(start):].partition(b" ")
    if not space:
        return line
    return start + name + b" " + (MALFORMED if is_cut else
                                  MALFORMED * (len(line) - len(start) -
                                               len(name) - 1))


def check_self(tmp, lines):
    """What any log's answers must be."""
    path = write(tmp, lines)
    stat = json.loads(ask(path, "stat"))
    log = stat["log"]
    tap.equal(log["lines"], len(lines), "lines")
    tap.equal(stat["events"] + log["foreign"] + log["malformed"],
              len(lines) + log["pieces"], "what became of them")
    for what in ("coroutines", "findings"):
        json.loads(ask(path, what))
    return log


def register(name):
    @tap.case(f"{name}: what can't be read makes unknown what it may have told")
    def _(tmp):
        lines = log_lines(name)
        whole = Rows(requests(write(tmp, lines)))
        certain = of = n = 0
        for seed, gone in losses(lines):
            twin = [damaged(line, seed & 2) if i in gone else line
                    for i, line in enumerate(lines)]
            changed = sum(one != other for one, other in zip(lines, twin))
            if seed < 2:
                log = check_self(tmp, twin)
                tap.equal(log["malformed"] >= changed, True,
                          f"{changed} damaged lines, {log}")
            try:
                sure, all_of_it = check_damaged(
                    whole, Rows(requests(write(tmp, twin))))
            except AssertionError as error:
                raise AssertionError(f"seed {seed}") from error
            certain, of, n = certain + sure, of + all_of_it, n + 1
        tap.note(f"{n} twins of {len(lines)} lines; "
                 f"{certain * 100 // max(of, 1)} % of the requests' time "
                 f"certain")

    @tap.case(f"{name}: lines that are gone leave an answer that is sound")
    def _(tmp):
        lines = log_lines(name)
        known = {twins.identity(row) for row in requests(write(tmp, lines))}
        n = rows = 0
        for seed, gone in losses(lines):
            twin = [line for i, line in enumerate(lines) if i not in gone]
            if seed < 2:
                check_self(tmp, twin)
            for row in requests(write(tmp, twin)):
                twins.states_of(row, 0)
                assert twins.identity(row) in known, f"seed {seed}: {row}"
                latency = row["latency_ns"]
                assert latency is None or \
                    row["latency_min_ns"] <= latency <= row["latency_max_ns"]
                rows += 1
            n += 1
        tap.note(f"{n} twins of {len(lines)} lines; {rows} requests")


for file_name in sorted(os.listdir(DIR)):
    if file_name.endswith(".log.xz"):
        register(file_name)
tap.main()
