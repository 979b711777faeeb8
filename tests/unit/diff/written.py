# SPDX-License-Identifier: MIT
"""Text traces of a small made-up program, for tests of the comparison.

Every trace has its own ids, times, pid and addresses, so that nothing but the
schedule is the same.
"""


class Run:
    """One context, one pool; requests in coroutines."""

    def __init__(self, seed=0, clock=True):
        self.ids = 1000 * seed + 10
        self.now = 1000 + 777 * seed
        self.step = 100 + 13 * seed
        self.pid = 7 + seed
        self.code = 0x400000 + 0x10000 * seed
        self.clock = clock
        self.lines = ["cotrace-text 1"] + ([] if clock else ["clock none"])
        self.ctx, self.pool, self.mutex = self.id(), self.id(), self.id()
        self.bh = self.id()
        self.say("context_create", ctx=self.ctx, name="main")
        self.workers = {}

    def id(self):
        self.ids += 1
        return self.ids

    def say(self, event, tid=0, /, **fields):
        self.now += self.step
        words = [f"@{self.now}" if self.clock else "@-",
                 f"{self.pid}/{self.pid + tid}", event]
        for name, value in fields.items():
            value = f'"{value}"' if name in ("name", "layer", "op", "node") \
                else value
            words.append(f"{name}={value}")
        self.lines.append(" ".join(words))

    def spawn(self, tid):
        self.workers[tid] = self.id()
        self.say("worker_start", tid, pool=self.pool, worker=self.workers[tid])

    def ask_for_worker(self, nth, most=0):
        """`most`: that the pool may have; 0: the trace does not tell."""
        self.say("worker_spawn_request", pool=self.pool, nth=nth,
                 current=nth, idle=0, new=1, pending=0,
                 **({"max": most} if most else {}))

    def answer_request(self, nth, tid):
        self.workers[tid] = self.id()
        self.say("worker_create", pool=self.pool, worker=self.workers[tid],
                 nth=nth)
        self.say("worker_start", tid, pool=self.pool, worker=self.workers[tid])

    def poll(self):
        self.say("poll_begin", ctx=self.ctx, blocking=1, depth=1, mode="poll")

    def polled(self):
        self.say("poll_end", ctx=self.ctx, progress=1, depth=1)

    def begin(self, offset, op="read", node="disk", bytes_=512):
        """A request and its coroutine, entered for the first time."""
        request = {"co": self.id(), "id": self.id()}
        self.say("coroutine_create", co=request["co"], entry=hex(self.code))
        self.say("request_begin", request=request["id"], parent=0,
                 co=request["co"], layer="blk", op=op, node=node,
                 offset=offset, bytes=bytes_, flags=0)
        self.enter(request)
        return request

    def late_begin(self, offset):
        """A request that its coroutine begins, with a stack, and ends."""
        request = {"co": self.id(), "id": self.id()}
        stack = hex(self.id())
        self.say("coroutine_create", co=request["co"], entry=hex(self.code))
        self.enter(request)
        self.say("stack_frames", id=stack, outer=0, limit=0,
                 frames=f"{self.code + 16:#x},{self.code + 32:#x}")
        self.say("request_begin", request=request["id"], parent=0,
                 co=request["co"], layer="blk", op="read", node="disk",
                 offset=offset, bytes=512, flags=0, stack=stack)
        self.end(request)

    def enter(self, request):
        self.say("aio_coroutine_enter", ctx=self.ctx, **{"from": 0},
                 to=request["co"])

    def give(self, request, reason="other", waits_for=0):
        self.say("coroutine_yield", **{"from": request["co"]}, to=0,
                 reason=reason, object=waits_for)

    def submit(self, request):
        request["work"] = self.id()
        self.say("thread_pool_submit", pool=self.pool, req=request["work"],
                 function=hex(self.code + 0x100), co=request["co"])
        self.give(request, "work", request["work"])

    def work(self, request, tid=1):
        self.work_begin(request, tid)
        self.work_end(request, tid)

    def work_begin(self, request, tid=1):
        if tid not in self.workers:
            self.spawn(tid)
        self.say("work_begin", tid, pool=self.pool, req=request["work"],
                 function=hex(self.code + 0x100), worker=self.workers[tid])

    def work_end(self, request, tid=1):
        self.say("work_end", tid, pool=self.pool, req=request["work"], ret=0)

    def complete(self, *requests):
        """The completion bottom half: enters them, and they end."""
        self.complete_some(requests, self.end)

    def complete_some(self, requests, then):
        """... and each does what `then` says."""
        self.say("bh_run_begin", bh=self.bh, ctx=self.ctx,
                 name="thread_pool_completion_bh", callback=hex(self.code + 8))
        for request in requests:
            self.say("thread_pool_complete", pool=self.pool,
                     req=request["work"], ret=0)
            self.enter(request)
            then(request)
        self.say("bh_run_end", bh=self.bh, ctx=self.ctx)

    def end(self, request, ret=0):
        self.say("request_end", request=request["id"], ret=ret)
        self.say("coroutine_terminate", self=request["co"], to=0)

    def take(self, request):
        self.say("co_mutex_lock_uncontended", mutex=self.mutex,
                 self=request["co"])

    def want(self, request, holder):
        self.say("co_mutex_lock_entry", mutex=self.mutex, self=request["co"],
                 holder=holder["co"])
        self.give(request, "lock", self.mutex)

    def hand_over(self, request, to):
        self.say("co_mutex_unlock_entry", mutex=self.mutex, self=request["co"])
        self.say("aio_co_wake", ctx=self.ctx, co=to["co"], waker=request["co"],
                 how="queued")
        self.say("co_mutex_unlock_return", mutex=self.mutex,
                 self=request["co"], to=to["co"])

    def got(self, request):
        self.say("co_mutex_lock_return", mutex=self.mutex, self=request["co"])

    def release(self, request):
        self.say("co_mutex_unlock_entry", mutex=self.mutex, self=request["co"])

    def bottom_half(self, name):
        bh = self.id()
        self.say("bh_schedule", bh=bh, ctx=self.ctx, name=name,
                 callback=hex(self.code + 0x200), flags=1)
        self.say("bh_run_begin", bh=bh, ctx=self.ctx, name=name,
                 callback=hex(self.code + 0x200))
        self.say("bh_run_end", bh=bh, ctx=self.ctx)

    def hole(self, lost=3):
        begin = self.now + 1
        self.now += 10 * self.step
        self.lines.append(f"! stream=0 from={begin} to={self.now} lost={lost}")

    def lose(self, begin, end):
        """The events of those lines are lost, and counted."""
        times = [line.split()[0][1:] for line in self.lines[begin:end]]
        self.lines[begin:end] = [f"! stream=0 from={times[0]} to={times[-1]} "
                                 f"lost={end - begin}"]

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            out.write("\n".join(self.lines) + "\n")
        return path
