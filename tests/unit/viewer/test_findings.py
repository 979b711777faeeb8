# SPDX-License-Identifier: MIT
"""`cotrace findings` of what is still there when a trace ends: what hangs is
told, what waits for the next client or for the time is not."""
import os

import story
import tap
from written import Run

ENV = {"COTRACE_CHECK": "1", "LC_ALL": "C"}
SECOND = 10 ** 9


def ask(tmp, run, *options, command="findings"):
    path = run.write(os.path.join(tmp, "trace"))
    return story.run(story.COTRACE, command, path, *options, env=ENV)


def document(tmp, run, *options):
    return story.parse(ask(tmp, run, "--json", *options).out)


def find(tmp, run, *options):
    found = document(tmp, run, *options)
    tap.equal((found["complete"], set(found)),
              (True, {"complete", "findings"}))
    return found["findings"]


def begun(seed=0):
    run = Run(seed)
    run.poll()
    return run


def turn(run, times=5):
    """The loop has something to do, once a second."""
    for _ in range(times):
        run.now += SECOND
        run.bottom_half("tick")


def wake(run, request):
    run.say("aio_co_wake", ctx=run.ctx, co=request["co"], waker=0,
            how="queued")


def coroutine(run, reason, waits_for=0):
    """One that serves no request, and waits."""
    one = {"co": run.id()}
    run.say("coroutine_create", co=one["co"], entry=hex(run.code))
    run.enter(one)
    run.give(one, reason, waits_for)
    return one


def arm(run, timer):
    run.say("timer_arm", timer=timer, ctx=run.ctx, callback="0x500",
            deadline=10 ** 18, clock="realtime")


# --- a request hangs ----------------------------------------------------------

def submitted(run, request):
    run.submit(request)


def worked_at(run, request):
    run.submit(request)
    run.work_begin(request)


def worked(run, request):
    run.submit(request)
    run.work(request)


def woken(run, request):
    run.give(request, "queue", 1)
    wake(run, request)


def gives(reason, waits_for=0):
    return lambda run, request: run.give(request, reason, waits_for)


# what the request did last -> its state, sure, what the text says
HANGS = {
    "to be entered, and its loop passes it over":
        (woken, "runnable", True, "its loop passed it over"),
    "nobody takes its work item":
        (submitted, "work-queued", True, "no worker has taken"),
    "a worker does not end with it":
        (worked_at, "work-running", False, "a worker is still at"),
    "its work is done, and nobody tells it":
        (worked, "work-done", True, "its loop passed it over"),
    "it gave way, and nobody wakes it":
        (gives("other"), "unknown", True, "gave way without telling"),
    "in a queue": (gives("queue", 1), "queue", True, "in queue 1,"),
    "for a lock": (gives("lock", 9), "lock", True, "for mutex 9,"),
    "for children": (gives("children"), "children", True, "for others"),
    "for I/O": (gives("io", 3), "io", False, "for I/O; something may"),
    "for a timer that is not armed":
        (gives("timer", 5), "timer", True, "timer 5, which is not armed"),
}


def register(name):
    @tap.case(f"a request hangs: {name}")
    def _(tmp):
        last, state, sure, words = HANGS[name]
        run = begun()
        request = run.begin(0)
        last(run, request)
        run.end(run.begin(4096))
        before = run.now
        turn(run)
        run.polled()
        found = find(tmp, run)
        tap.equal([(f["kind"], f["object"], f["requests"], f["state"],
                    f["sure"]) for f in found],
                  [("stuck-coroutine", request["co"], [1], state, sure)])
        if words not in found[0]["text"]:
            raise AssertionError(found[0]["text"])
        if not before - run.step * 20 < found[0]["begin_ns"] + 1100 < before:
            raise AssertionError(f"{found[0]['begin_ns']}, not {before}")
        tap.equal(found[0]["frames"][0]["boundary"], "coroutine")
        # as long as that it may take
        tap.equal(find(tmp, run, f"--stuck={6 * SECOND}"), [])


for each in HANGS:
    register(each)


@tap.case("it is stuck for as long as it is in its last state")
def _(tmp):
    run = begun()
    request = run.begin(0)
    run.submit(request)
    turn(run)
    run.work_begin(request)
    run.bottom_half("tick")
    run.polled()
    tap.equal(find(tmp, run), [])


def one_behind_another(run, ns, by_lock):
    """Two requests; the second waits until the first lets it go on."""
    first = run.begin(0)
    if by_lock:
        run.take(first)
    run.give(first, "io", 3)
    second = run.begin(4096)
    if by_lock:
        run.want(second, first)
    else:
        run.give(second, "queue", 5)
    run.now += ns
    run.enter(first)
    if by_lock:
        run.hand_over(first, second)
    else:
        run.say("aio_co_wake", ctx=run.ctx, co=second["co"], waker=first["co"],
                how="queued")
    run.end(first)
    run.enter(second)
    if by_lock:
        run.got(second)
        run.release(second)
    run.end(second)
    run.polled()


@tap.case("one request alone that waits for another for long")
def _(tmp):
    for by_lock, kind in ((True, "lock-convoy"), (False, "serialised")):
        for ns, kinds in ((10 * SECOND, [kind]), (1000, [])):
            run = begun()
            one_behind_another(run, ns, by_lock)
            tap.equal([one["kind"] for one in find(tmp, run)], kinds)


def wants_at(run, request, holder, address):
    """It waits for the lock, at this address."""
    stack = hex(run.id())
    run.say("stack_frames", id=stack, outer=0, limit=0, frames=address)
    run.say("co_mutex_lock_entry", mutex=run.mutex, self=request["co"],
            holder=holder["co"])
    run.say("coroutine_yield", **{"from": request["co"]}, to=0, reason="lock",
            object=run.mutex, stack=stack)


@tap.case("a wait for a lock is one, whoever has it meanwhile; it is where it "
          "began")
def _(tmp):
    run = begun()
    first = run.begin(0)
    run.take(first)
    run.give(first, "io", 3)
    others = []
    for i in (1, 2, 3):
        others.append(run.begin(4096 * i))
        wants_at(run, others[-1], first, hex(0x1000 * i + 1))
    holder = first
    for other in others:
        run.now += SECOND
        if holder is first:
            run.enter(holder)
        run.hand_over(holder, other)
        run.end(holder)
        run.enter(other)
        run.got(other)
        # Others in its coroutine end before it does: inside it, beside it.
        for parent in (other["id"], 0):
            within = run.id()
            run.say("request_begin", request=within, parent=parent,
                    co=other["co"], layer="blk", op="flush", node="disk",
                    offset=0, bytes=0, flags=0, stack=0)
            run.now += 1000
            run.say("request_end", request=within, ret=0)
        run.give(other, "io", 3)
        run.now += SECOND
        run.enter(other)
        holder = other
    run.release(holder)
    run.end(holder)
    run.polled()
    found = [one for one in find(tmp, run) if one["kind"] == "lock-convoy"]
    # one, three and five seconds, in one, two and three segments
    tap.equal([(one["count"], one["n_requests"],
                round(one["cost_ns"] / SECOND),
                round((one["end_ns"] - one["begin_ns"]) / SECOND))
               for one in found], [(3, 3, 9, 5)])
    tap.equal(found[0]["frames"][0]["address"], "0x3001")


@tap.case("a loop that sleeps has passed over what is to be entered")
def _(tmp):
    run = begun()
    request = run.begin(0)
    woken(run, request)
    run.say("fdmon_wait_begin", ctx=run.ctx, timeout=-1)
    run.now += SECOND
    run.say("aio_notify", 1, ctx=run.ctx)
    tap.equal([(f["state"], f["sure"]) for f in find(tmp, run)],
              [("runnable", True)])


@tap.case("two coroutines wait for one another's lock for ever")
def _(tmp):
    run = begun()
    one = run.begin(0)
    second = run.id()
    run.take(one)
    run.give(one, "schedule")
    other = run.begin(4096)
    run.say("co_mutex_lock_uncontended", mutex=second, self=other["co"])
    run.want(other, one)
    run.enter(one)
    run.mutex = second
    run.want(one, other)
    coroutine(run, "io", 3)  # that might wake somebody else
    turn(run)
    run.polled()
    tap.equal(sorted((f["object"], f["by"], f["sure"])
                     for f in find(tmp, run)),
              [(one["co"], other["co"], True), (other["co"], one["co"], True)])


@tap.case("a request whose coroutine ended does not end")
def _(tmp):
    run = begun()
    request = run.begin(0)
    run.say("coroutine_terminate", self=request["co"], to=0)
    turn(run)
    run.polled()
    found = find(tmp, run)
    tap.equal([(f["kind"], f["requests"], f["state"]) for f in found],
              [("stuck-request", [1], "completing")])


@tap.case("what is sure comes before what is not, whatever it costs")
def _(tmp):
    run = begun()
    slow = run.begin(0)
    run.give(slow, "io", 3)
    turn(run)
    late = run.begin(4096)
    woken(run, late)
    turn(run)
    run.polled()
    tap.equal([(f["object"], f["sure"]) for f in find(tmp, run)],
              [(late["co"], True), (slow["co"], False)])


@tap.case("while something might wake it, that nobody will is not sure")
def _(tmp):
    for wakes in (lambda run: coroutine(run, "io", 3),
                  lambda run: arm(run, 77),
                  lambda run: run.say("fd_handler_set", handler=88,
                                      ctx=run.ctx, fd=4, read="0x1",
                                      write="0x0")):
        run = begun()
        request = run.begin(0)
        run.give(request, "queue", 1)
        wakes(run)
        turn(run)
        run.polled()
        found = find(tmp, run)
        tap.equal([(f["object"], f["sure"]) for f in found],
                  [(request["co"], False)])
        if "did not run again" not in found[0]["text"]:
            raise AssertionError(found[0]["text"])


# --- nothing hangs ------------------------------------------------------------

def idle_server(run):
    """Clients that say nothing, and who sends their replies."""
    coroutine(run, "io", 3)
    coroutine(run, "other")
    coroutine(run, "queue", 6)


def consumer(run):
    coroutine(run, "queue", 6)
    arm(run, 77)


def sleeper(run):
    arm(run, 5)
    request = run.begin(0)
    run.give(request, "timer", 5)


def parent_of_sleeper(run):
    arm(run, 5)
    parent = run.begin(0)
    child = {"co": run.id()}
    run.say("coroutine_create", co=child["co"], entry=hex(run.code))
    run.say("aio_coroutine_enter", ctx=run.ctx, **{"from": parent["co"]},
            to=child["co"])
    run.say("coroutine_yield", **{"from": child["co"]}, to=parent["co"],
            reason="timer", object=5)
    run.give(parent, "children")


def never_entered(run):
    run.say("coroutine_create", co=run.id(), entry="0x400000")


def long_work(run):
    one = {"co": run.id()}
    run.say("coroutine_create", co=one["co"], entry=hex(run.code))
    run.enter(one)
    worked_at(run, one)


@tap.case("a server without clients, a sleep and long work are no faults")
def _(tmp):
    for clean in (idle_server, consumer, sleeper, parent_of_sleeper,
                  never_entered, long_work):
        run = begun()
        clean(run)
        run.end(run.begin(4096))
        turn(run)
        run.polled()
        tap.equal(find(tmp, run), [], clean.__name__)


# --- what tracing takes -------------------------------------------------------

def flood(run, tid=0, times=5000):
    """Events behind one another, `run.step` apart."""
    for _ in range(times):
        run.say("aio_notify", tid, ctx=run.ctx)


def outside_of_coroutines(run):
    run.end(run.begin(0))
    flood(run)


def asleep(run):
    run.poll()
    run.say("fdmon_wait_begin", ctx=run.ctx, timeout=-1)
    flood(run)
    run.say("fdmon_wait_end", ctx=run.ctx, ready=1)
    run.polled()


def asleep_outside(run):
    run.say("fdmon_wait_begin", ctx=run.ctx, timeout=-1)
    flood(run)
    run.say("fdmon_wait_end", ctx=run.ctx, ready=1)


def between_turns(run):
    for _ in range(20):
        run.poll()
        run.polled()
        flood(run, times=250)


def other_thread(run):
    """A guest's CPU: it has no turns, and the loop's says nothing of it."""
    run.poll()
    flood(run, tid=1)
    run.polled()


def filtered(run):
    """Nothing but the events is told."""
    flood(run)
    flood(run, tid=1)


LOW = (f"--block={SECOND // 10 ** 5}", "--tracing=1", f"--stuck={SECOND}",
       "--idles=1000")


def taken(tmp, run, *options):
    return [f for f in find(tmp, run, *LOW, *options)
            if f["kind"] == "tracing-overhead"]


@tap.case("events while nobody is known to be awake are no share of that time")
def _(tmp):
    for idle in (outside_of_coroutines, asleep, asleep_outside, between_turns,
                 other_thread, filtered):
        run = Run()
        idle(run)
        tap.equal(taken(tmp, run), [], idle.__name__)


@tap.case("of a thread that is awake and asleep only the former is judged")
def _(tmp):
    # what is behind it -> distances of 50 ns that come on top
    for idle, more in ((filtered, 0), (asleep_outside, 0), (asleep, 2),
                       (outside_of_coroutines, 2)):
        run = begun()
        run.step = 50  # so short a distance is kept exactly
        flood(run, times=3000)
        run.now += 100_000
        run.polled()
        before = run.now
        idle(run)
        found = taken(tmp, run)
        tap.equal([(f["count"], f["of"], f["cost_ns"], f["begin_ns"])
                   for f in found],
                  [(3001 + more, 250_050 + more * 50, 150_050 + more * 50,
                    100)], idle.__name__)
        tap.equal(found[0]["end_ns"] + 1100 == before, not more)
        text = ask(tmp, run, *LOW).out
        if "tracing took about 60 % of the 250." not in text:
            raise AssertionError(text)
        tap.equal(taken(tmp, run, "--tracing=61"), [])


@tap.case("tracing takes no more than all of the time")
def _(tmp):
    for step in (1, 37, 100, 1009, 65_539):
        run = begun()
        run.step = step
        flood(run, times=20_000)
        run.polled()
        found = taken(tmp, run)
        tap.equal([(f["count"], f["of"], f["cost_ns"]) for f in found],
                  [(20_001, 20_001 * step, 20_001 * step)])


# --- parts, no times, lost events ---------------------------------------------

@tap.case("what goes on after --end is not said never to run again")
def _(tmp):
    run = begun()
    request = run.begin(0)
    run.give(request, "queue", 1)
    turn(run, 3)
    wake(run, request)
    run.enter(request)
    run.end(request)
    run.polled()
    tap.equal(find(tmp, run), [])
    found = find(tmp, run, f"--end={2 * SECOND}")
    tap.equal([(f["object"], f["sure"]) for f in found],
              [(request["co"], False)])
    text = ask(tmp, run, f"--end={2 * SECOND}").out
    if "never" in text or "had not run again by the end asked for" not in text:
        raise AssertionError(text)


def untimed(seed):
    run = Run(seed, clock=False)
    run.poll()
    run.give(run.begin(0), "queue", 1)
    run.bottom_half("tick")
    run.polled()
    return run


@tap.case("without times nothing is examined, and that is said")
def _(tmp):
    tap.equal(document(tmp, untimed(0)),
              {"complete": False, "examined": False, "findings": []})
    tap.equal(ask(tmp, untimed(0)).out,
              "Nothing was examined: findings need times, and this trace has "
              "none\n")
    other = untimed(1).write(os.path.join(tmp, "other"))
    done = ask(tmp, untimed(0), other, "--fail-on=findings", command="diff")
    if "could not judge findings (they need times)" not in done.err:
        raise AssertionError(done.err)


@tap.case("what was lost is not judged, and that is said")
def _(tmp):
    run = begun()
    run.give(run.begin(0), "queue", 1)
    run.hole(3)
    turn(run)
    run.polled()
    tap.equal(document(tmp, run),
              {"complete": False, "lost_events": 3, "findings": []})
    text = ask(tmp, run).out
    if not text.startswith("Nothing to point at (3 events were lost: ") or \
            "was not judged" not in text:
        raise AssertionError(text)


tap.main()
