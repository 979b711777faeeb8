# SPDX-License-Identifier: MIT
"""What requests did, recomputed from a text trace's raw events.

    recount.requests(lines) -> {(pid, request id): (begin, end, [(state, ns)])}

Independent of the analyzer: it knows the words of docs/EVENTS.md and the table
of states of docs/MODEL.md, nothing else.  Equal neighbours are one.  For traces
without holes, of processes that are recorded from their start.
"""
import re

_WAITS = {"lock": "lock", "queue": "queue", "timer": "timer", "io": "io",
          "children": "children", "schedule": "runnable"}


class _Coroutine:
    def __init__(self):
        self.phase = "running"  # before its first enter: its maker's
        self.work = None
        self.woken = False


class _Process:
    def __init__(self):
        self.coroutines = {}
        self.works = {}   # request of the pool -> its phase
        self.serves = {}  # request -> coroutine
        self.open = {}    # request -> [begin, [(state, since)]]

    def co(self, number):
        return self.coroutines.setdefault(number, _Coroutine())

    def state(self, request):
        number = self.serves.get(request)
        if number is None:
            return "running"
        co = self.co(number)
        if co.phase == "waits-work":
            return self.works.get(co.work, "work-queued")
        return co.phase


def _fields(text):
    return {key: value.strip('"') for key, value in
            re.findall(r'(\w+)=("[^"]*"|\S+)', text)}


def _wake(process, number):
    co = process.co(number)
    if co.phase in ("running", "completing"):
        co.woken = co.phase == "running"
    else:
        co.phase = "runnable"


def _step(process, event, f):
    if event == "aio_coroutine_enter":
        process.co(f["to"]).phase = "running"
        process.co(f["to"]).woken = False
    elif event == "coroutine_yield":
        co = process.co(f["from"])
        if co.woken:
            co.phase = "runnable"
        elif f["reason"] == "work":
            co.phase, co.work = "waits-work", f["object"]
        else:
            co.phase = _WAITS.get(f["reason"], "unknown")
    elif event in ("aio_co_wake", "aio_co_schedule"):
        _wake(process, f["co"])
    elif event == "thread_pool_submit":
        process.works[f["req"]] = "work-queued"
    elif event == "work_begin":
        process.works[f["req"]] = "work-running"
    elif event == "work_end":
        process.works[f["req"]] = "work-done"
    elif event == "thread_pool_complete":
        process.works[f["req"]] = "runnable"
    elif event == "coroutine_terminate":
        process.co(f["self"]).phase = "completing"
    elif event == "request_coroutine":
        process.serves[f["request"]] = f["co"]


def _parts(event, f):
    """What it stands for: some are told as one."""
    if event == "coroutine_start":
        return [("coroutine_create", f),
                ("aio_coroutine_enter", dict(f, to=f["co"]))]
    entered = [("aio_co_wake", f), ("aio_coroutine_enter",
                                    dict(f, to=f.get("co")))]
    if event == "aio_co_wake_enter":
        return entered
    if event == "thread_pool_resume":
        return [("thread_pool_complete", f)] + entered
    if event == "coroutine_next":
        return [("coroutine_terminate", dict(f, to=f["from"])),
                ("aio_coroutine_enter", f)]
    if event == "work_next":
        return [("work_end", f), ("work_begin", dict(f, req=f["next"]))]
    if event == "request_start":
        return [("coroutine_create", f), ("request_coroutine", f)] + \
            entered[:2 if f["how"] == "entered" else 1]
    return [(event, f)]


def lines_of(pretty):
    """The lines of `babeltrace2 --clock-cycles` as those of a text trace."""
    for line in pretty:
        found = re.match(r"\[(\d+)\].* cotrace:(\w+): .*?vpid = (\d+), "
                         r"vtid = (\d+), (.*) \}$", line.rstrip())
        if found:
            fields = re.sub(r'\( ("[^"]*") : [^)]*\)', r"\1", found[5])
            fields = re.sub(r"(\w+) = ", r"\1=", fields).replace(", ", " ")
            yield (f"@{int(found[1])} {found[3]}/{found[4]} {found[2]} "
                   f"{fields}")


def requests(lines):
    processes, done = {}, {}
    for line in lines:
        found = re.match(r"@(\d+) (\d+)/\d+ (\w+) ?(.*)", line)
        if not found:
            continue
        now, pid, event = int(found[1]), int(found[2]), found[3]
        f = _fields(found[4])
        process = processes.setdefault(pid, _Process())
        if event in ("request_begin", "request_open"):
            process.open[f["request"]] = [now, []]
            if f["co"] != "0":
                process.serves[f["request"]] = f["co"]
        for part, fields in _parts(event, f):
            _step(process, part, fields)
        for request, (_, states) in process.open.items():
            state = process.state(request)
            if not states or states[-1][0] != state:
                if states and states[-1][1] == now:
                    states.pop()
                if not states or states[-1][0] != state:
                    states.append((state, now))
        if event == "request_end" and f["request"] in process.open:
            begin, states = process.open.pop(f["request"])
            ends = [since for _, since in states[1:]] + [now]
            done[pid, int(f["request"])] = (begin, now, [
                (state, end - since)
                for (state, since), end in zip(states, ends) if end > since])
    return done


def _merged(segments):
    states = []
    for part in segments:
        ns = part["end_ns"] - part["begin_ns"]
        if states and states[-1][0] == part["state"]:
            ns += states.pop()[1]
        states.append((part["state"], ns))
    return states


def compare(lines, rows):
    """Each complete row of `requests --all --json` is as recomputed; the
    number of them."""
    ours = requests(lines)
    n = 0
    for row in rows:
        if not row["complete"]:
            continue
        begin, end, states = ours[row["pid"], row["id"]]
        if (end - begin, states) != (row["latency_ns"],
                                     _merged(row["segments"])):
            raise AssertionError(f"recomputed: {end - begin} ns, {states}; "
                                 f"told: {row}")
        n += 1
    return n
