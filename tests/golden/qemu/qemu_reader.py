# SPDX-License-Identifier: MIT
"""
qemu_reader.py - reads QEMU's trace log, sharing nothing with cotrace

What its figures mean is written down in README.md beside it.  It holds the
whole log in memory and goes through it once; the tests compare it with the
expected files, which somebody else's reader made, and cotrace with both.
"""
import hashlib
import re
from collections import Counter, defaultdict, deque

HEAD = re.compile(r"(\d+)@(\d+)\.(\d{6}):")
INNER = re.compile(r"(\d+)@(\d+)\.(\d{6}):(?=\w+ )")
P = r"(0x[0-9a-f]+|\(nil\))"
FORMS = {
    "qemu_aio_coroutine_enter":
        ("ctx from to opaque", rf"ctx {P} from {P} to {P} opaque {P}$"),
    "qemu_coroutine_yield": ("from to", rf"from {P} to {P}$"),
    "qemu_coroutine_terminate": ("co", rf"self {P}$"),
    "aio_co_schedule": ("ctx co", rf"ctx {P} co {P}$"),
    "aio_co_schedule_bh_cb": ("ctx co", rf"ctx {P} co {P}$"),
    "thread_pool_submit":
        ("pool req opaque", rf"pool {P} req {P} opaque {P}$"),
    "thread_pool_complete":
        ("pool req opaque ret", rf"pool {P} req {P} opaque {P} ret (-?\d+)$"),
    "blk_co_preadv": ("blk bs offset bytes flags",
                      rf"blk {P} bs {P} offset (\d+) bytes (\d+) flags {P}$"),
    "nbd_receive_request": ("from len", r"Got request: .* from = (\d+), "
                                        r"len = (\d+) }$"),
}
FORMS["blk_co_pwritev"] = FORMS["blk_co_preadv"]
for _lock in ("lock_uncontended", "lock_entry", "lock_return", "unlock_entry",
              "unlock_return"):
    FORMS["qemu_co_mutex_" + _lock] = ("mutex co", rf"mutex {P} self {P}$")
FORMS = {n: (f.split(), re.compile(r)) for n, (f, r) in FORMS.items()}


LOCK_WORDS = {"lock_uncontended": "take", "lock_entry": "wait",
              "lock_return": "taken", "unlock_entry": "release",
              "unlock_return": "hand-over"}


class Event:
    __slots__ = ("line", "tid", "t", "name", "a")

    def __init__(self, line, tid, t, name, a):
        self.line, self.tid, self.t, self.name, self.a = line, tid, t, name, a


class Log:
    """Lines, and what became of them."""

    def __init__(self, path, known):
        self.events, self.known = [], known
        self.n = Counter()
        with open(path, "rb") as file:
            data = file.read().decode("latin-1")
        lines = data.split("\n")
        cut = lines.pop()
        self.tids = {int(m.group(1)) for m in map(HEAD.match, lines) if m}
        self.clock = any(HEAD.match(line) for line in lines)
        self.n["lines"] = len(lines) + bool(cut)
        self.tid, self.t = 0, None
        for number, line in enumerate(lines, 1):
            self.take(number, line)
        if cut:
            self.n["malformed"] += 1
        stamps = [e.t for e in self.events if e.t is not None]
        self.t0 = min(stamps) if stamps else 0
        for event in self.events:
            event.t = event.t - self.t0 if self.clock else event.line
        self.end = max((e.t for e in self.events), default=0)

    def take(self, number, line):
        head = HEAD.match(line)
        inner = INNER.search(line, head.end() if head else 0) if head else None
        if inner:
            digits = inner.group(1)
            tid = next((digits[i:] for i in range(len(digits))
                        if int(digits[i:]) in self.tids
                        and digits[i] != "0"), digits)
            at = inner.end(1) - len(tid)
            self.piece(number, line[:at], head)
            self.n["merged"] += 1
            self.take(number, line[at:])
        else:
            self.piece(number, line, head)

    def piece(self, number, line, head):
        if head:
            self.tid = int(head.group(1))
            self.t = int(head.group(2)) * 1000000 + int(head.group(3))
            line = line[head.end():]
        name, _, rest = line.partition(" ")
        if not head and name not in self.known:
            self.n["foreign"] += 1
            return
        args = {}
        if name in FORMS:
            fields, form = FORMS[name]
            match = form.match(rest)
            if not match:
                self.n["malformed"] += 1
                return
            args = dict(zip(fields, match.groups()))
        elif not re.fullmatch(r"\w+", name):
            self.n["malformed"] += 1
            return
        self.n["events"] += 1
        self.events.append(Event(number, self.tid, self.t, name, args))


class Life:
    """One generation of a coroutine's address."""

    def __init__(self, address, k):
        self.name, self.address = f"{address}#{k}", address
        self.intervals = []  # (begin t, end t) in which it runs
        self.tops = []       # likewise, on top
        self.since = self.top_since = None
        self.parent = self.sched_parent = self.entered = None
        self.nbd = False
        self.requests, self.open = [], []
        self.locks = []      # [entry t, return t, mutex]
        self.waits = {}      # mutex -> its entry in locks
        self.lane = None
        self.children = []


class Request:
    def __init__(self, event, at, life, inner):
        self.event, self.begin, self.life = event, at, life
        self.inner = inner
        self.end = self.end_t = self.how = None


class Reader:
    """Goes through a log once."""

    def __init__(self, log):
        self.log = log
        self.lives, self.count = {}, Counter()
        self.stacks = defaultdict(list)
        self.all, self.requests = [], []
        self.n, self.ends = Counter(), Counter()
        self.jobs, self.open_jobs = [], defaultdict(list)
        self.pool = Counter()
        self.deltas = Counter()
        self.sched = {}
        self.locks = Counter()
        self.acquired, self.waiting = {}, defaultdict(deque)
        self.yields, self.enters = defaultdict(list), defaultdict(list)
        self.bdrv = defaultdict(list)
        self.told = []  # (line, what, life): who an event is of
        self.leaders = self.find_leaders()
        self.current = 0
        for at, event in enumerate(log.events):
            self.at, self.event = at, event
            self.handle(event)
        for life in self.lives.values():
            self.close(life, "open", len(log.events), log.end)
            self.set_off(life, log.end)

    def find_leaders(self):
        seen, never = set(), set()
        for e in self.log.events:
            if e.name == "qemu_aio_coroutine_enter":
                seen.add(e.a["from"])
                never.add(e.a["to"])
            elif e.name == "qemu_coroutine_yield":
                seen.add(e.a["to"])
                never.add(e.a["from"])
            elif "co" in e.a:
                never.add(e.a["co"])
        return seen - never

    # --- lanes: by thread, or by leader

    def lane(self, event):
        if event.tid:
            return event.tid
        a = event.a
        for key in ("from", "co", "to"):
            life = self.lives.get(a.get(key))
            if key != "to" and life and life.lane is not None:
                self.current = life.lane
                return life.lane
            if a.get(key) in self.leaders:
                self.current = a[key]
                return a[key]
        return self.current

    def set_on(self, life, lane, t):
        stack = self.stacks[lane]
        if stack:
            self.off_top(stack[-1], t)
        stack.append(life)
        life.lane, life.since, life.top_since = lane, t, t

    @staticmethod
    def off_top(life, t):
        if life.top_since is not None:
            life.tops.append((life.top_since, t))
            life.top_since = None

    def set_off(self, life, t):
        if life.lane is None:
            return
        stack = self.stacks[life.lane]
        while stack:
            top = stack.pop()
            self.off_top(top, t)
            top.intervals.append((top.since, t))
            top.lane = None
            if top is life:
                break
        if stack:
            stack[-1].top_since = t

    def born(self, address, pre=False):
        self.count[address] += 1
        life = self.lives[address] = Life(address, self.count[address])
        life.pre = pre
        self.n["generations"] += 1
        self.n["pre"] += pre
        self.n["max_alive"] = max(self.n["max_alive"], len(self.lives))
        self.all.append(life)
        return life

    def life(self, address):
        return self.lives.get(address) or self.born(address, True)

    def top(self, lane):
        stack = self.stacks[lane]
        return stack[-1] if stack else None

    # --- requests

    def close(self, life, how, at, t, keep=0):
        while len(life.open) > keep:
            request = life.open.pop()
            request.end, request.end_t, request.how = at, t, how

    def blk(self, event, lane):
        life = self.top(lane)
        if not life:
            self.n["requests_no_co"] += 1
            return
        inner = bool(life.nbd and life.open)
        self.close(life, "next", self.at, event.t, 1 if life.nbd else 0)
        request = Request(event, self.at, life, inner)
        life.open.append(request)
        life.requests.append(request)
        self.requests.append(request)

    # --- one event

    def handle(self, event):
        a, t, lane = event.a, event.t, self.lane(event)
        name = event.name
        if name == "qemu_aio_coroutine_enter":
            stack = self.stacks[lane]
            life = self.lives.get(a["to"])
            if a["from"] in self.leaders and stack:
                self.n["stack_reset"] += 1
                self.set_off(stack[0], t)
            if life and life.lane is not None:
                self.n["reenter_running"] += 1
                self.close(life, "lost", self.at, t)
                self.set_off(life, t)
                life = None
            life = life or self.born(a["to"])
            if life.entered is None:
                life.entered = self.at
                top = self.top(lane)
                if top and top.address == a["from"]:
                    life.parent = top
                    top.children.append(life)
            self.set_on(life, lane, t)
            self.enters[life].append(self.at)
            self.told.append((event.line, "enter", life))
        elif name == "qemu_coroutine_yield":
            life = self.life(a["from"])
            self.set_off(life, t)
            self.yields[life].append(self.at)
            self.told.append((event.line, "yield", life))
        elif name == "qemu_coroutine_terminate":
            life = self.life(a["co"])
            self.set_off(life, t)
            self.close(life, "terminate", self.at, t)
            del self.lives[a["co"]]
            self.told.append((event.line, "terminate", life))
        elif name == "aio_co_schedule":
            self.schedule(event, lane)
        elif name == "aio_co_schedule_bh_cb":
            self.dequeue(event)
        elif name.startswith("thread_pool_"):
            self.work(event, lane)
        elif name.startswith("qemu_co_mutex_"):
            self.lock(event, lane)
        elif name in ("blk_co_preadv", "blk_co_pwritev"):
            self.blk(event, lane)
        elif name == "nbd_receive_request":
            if self.top(lane):
                self.top(lane).nbd = True
        elif name.startswith("nbd_co_send_"):
            if self.top(lane):
                self.close(self.top(lane), "reply", self.at, t)
        elif name.startswith("bdrv_co_"):
            if self.top(lane):
                self.bdrv[self.top(lane)].append(self.at)

    def schedule(self, event, lane):
        a = event.a
        life = self.lives.get(a["co"])
        if not life:
            life = self.born(a["co"])
        self.told.append((event.line, "schedule", life))
        if life.entered is None:
            life.sched_parent = self.top(lane)
        ctx = self.sched.setdefault(a["ctx"], {
            "n": 0, "bh": 0, "inv": 0, "unmatched": 0, "pending": {},
            "order": [], "newest": -1, "lat_sum": 0, "lat_max": 0})
        ctx["n"] += 1
        ctx["pending"][a["co"]] = (self.at, event.t)
        ctx["order"].append(life.name)

    def dequeue(self, event):
        a = event.a
        self.told.append((event.line, "dequeue", self.life(a["co"])))
        ctx = self.sched.setdefault(a["ctx"], {
            "n": 0, "bh": 0, "inv": 0, "unmatched": 0, "pending": {},
            "order": [], "newest": -1, "lat_sum": 0, "lat_max": 0})
        ctx["bh"] += 1
        at = ctx["pending"].pop(a["co"], None)
        if at is None:
            ctx["unmatched"] += 1
            return
        ctx["inv"] += at[0] < ctx["newest"]
        ctx["newest"] = max(ctx["newest"], at[0])
        ctx["lat_sum"] += event.t - at[1]
        ctx["lat_max"] = max(ctx["lat_max"], event.t - at[1])

    def work(self, event, lane):
        a, t = event.a, event.t
        key = (a["pool"], a["req"])
        if event.name == "thread_pool_submit":
            self.pool["submit"] += 1
            job = {"at": self.at, "t": t, "life": self.top(lane), "end": None,
                   "opaque": int(a["opaque"], 16), "done": None}
            self.jobs.append(job)
            self.open_jobs[key].append(job)
            n = sum(map(len, self.open_jobs.values()))
            self.pool["max_open"] = max(self.pool["max_open"], n)
            return
        self.pool["complete"] += 1
        self.pool["err"] += int(a["ret"]) < 0
        if self.open_jobs[key]:
            job = self.open_jobs[key].pop()
            job["end"], job["done"] = t, self.at
            self.pool["paired"] += 1
            self.pool["t_sum"] += t - job["t"]
            self.pool["t_max"] = max(self.pool["t_max"], t - job["t"])
            self.deltas[str(job["opaque"] - int(a["opaque"], 16))] += 1

    def lock(self, event, lane):
        a, t = event.a, event.t
        kind = event.name[len("qemu_co_mutex_"):]
        life, mutex = self.life(a["co"]), a["mutex"]
        self.told.append((event.line, LOCK_WORDS[kind], life))
        if kind == "lock_uncontended":
            self.locks["uncontended"] += 1
            self.acquired[(mutex, life)] = t
        elif kind == "lock_entry":
            self.locks["contended"] += 1
            wait = [t, None, mutex, self.at, None]
            life.locks.append(wait)
            life.waits[mutex] = wait
            self.waiting[mutex].append(life)
            self.locks["max_waiters"] = max(self.locks["max_waiters"],
                                            len(self.waiting[mutex]))
        elif kind == "lock_return":
            wait = life.waits.pop(mutex, None)
            self.acquired[(mutex, life)] = t
            if wait:
                wait[1], wait[4] = t, self.at
                self.locks["wait_sum"] += t - wait[0]
                self.locks["wait_max"] = max(self.locks["wait_max"],
                                             t - wait[0])
                self.locks["inv"] += self.waiting[mutex][0] is not life
                self.waiting[mutex].remove(life)
        elif kind == "unlock_entry":
            since = self.acquired.pop((mutex, life), None)
            if since is not None:
                self.locks["hold_sum"] += t - since
            following = next((e for e in self.log.events[self.at + 1:]
                              if e.tid == event.tid), None)
            if following and following.name == "qemu_coroutine_yield" \
                    and following.a["from"] == a["co"]:
                self.locks["queue_waits"] += 1

    # --- rows

    def subtree(self, life):
        yield life
        for child in life.children:
            yield from self.subtree(child)

    def row(self, r):
        def inside(where):
            last = r.end - 1 if r.how == "next" else r.end
            return r.begin < where <= last

        def part(intervals):
            return sum(max(0, min(e, r.end_t) - max(b, r.event.t))
                       for b, e in intervals)

        life, a = r.life, r.event.a
        jobs = [j for j in self.jobs
                if j["life"] is life and inside(j["at"])]
        below = set(self.subtree(life))
        run = part(life.intervals)
        chain, up = [], life.parent
        while up:
            chain.append(up.name)
            up = up.parent
        return [
            r.event.line, "R" if r.event.name == "blk_co_preadv" else "W",
            a["blk"], int(a["offset"]), int(a["bytes"]), life.name,
            r.event.t, r.end_t, r.how,
            sum(map(inside, self.yields[life])),
            sum(map(inside, self.enters[life])),
            run, part(life.tops), r.end_t - r.event.t - run,
            sum(w[1] - w[0] for w in life.locks
                if w[1] is not None and inside(w[3]) and inside(w[4])),
            len(jobs), sum(j["end"] - j["t"] for j in jobs
                           if j["end"] is not None),
            sum(j["life"] in below and inside(j["at"]) for j in self.jobs),
            sum(map(inside, self.bdrv[life])),
            sum(map(inside, (at for one in below for at in self.bdrv[one]))),
            int(r.inner), chain,
            life.sched_parent.name if life.sched_parent else None]

    def rows(self):
        return [self.row(r) for r in self.requests]

    def order(self, ctx):
        text = "".join(name + "," for name in self.sched[ctx]["order"])
        return hashlib.sha1(text.encode()).hexdigest()[:12]
