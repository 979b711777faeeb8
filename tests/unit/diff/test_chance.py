# SPDX-License-Identifier: MIT
"""`cotrace diff` on written traces: what must not depend on how busy a machine
is, and wake-ups that were lost."""
import os
import sys

import story
import tap
from compared import compare, diff
from written import Run


def with_a_late_worker(seed, is_late):
    """Two requests; the second worker takes one of them, or finds nothing."""
    run = Run(seed)
    run.poll()
    one, two = run.begin(0), run.begin(4096)
    run.submit(one)
    run.submit(two)
    run.spawn(1)
    if is_late:
        run.work(one)
        run.work(two)
        run.spawn(2)
    else:
        run.spawn(2)
        run.work_begin(one, 1)
        run.work_begin(two, 2)
        run.work_end(one, 1)
        run.work_end(two, 2)
    run.complete(one)
    run.complete(two)
    run.polled()
    return run


@tap.case("a worker that started too late is no difference")
def _(tmp):
    document = compare(tmp, with_a_late_worker(0, False),
                       with_a_late_worker(1, True), 0)
    pool = next(c for c in document["contexts"] if c["pool"])
    tap.equal((pool["workers_a"], pool["workers_b"]), (2, 1))


def two_threads(seed, order, more=0):
    """Contexts without names, each with callbacks of its own; threads get to
    run in that order, which is chance."""
    run = Run(seed)
    contexts = [run.id() for _ in range(3 + more)]
    for turn in range(3):
        for i in order:
            for bh in range(4):
                fields = {"bh": run.id(), "ctx": contexts[i],
                          "name": f"of_{i}_{(turn + bh) % 4}",
                          "callback": hex(run.code + 16 * i + bh)}
                run.say("bh_schedule", i + 1, **fields, flags=1)
                run.say("bh_run_begin", i + 1, **fields)
                run.say("bh_run_end", i + 1, bh=fields["bh"],
                        ctx=contexts[i])
    request = run.begin(0)
    run.submit(request)
    run.work(request)
    run.complete(request)
    return run


@tap.case("which thread came first does not say which context it is")
def _(tmp):
    document = compare(tmp, two_threads(0, (0, 1, 2)),
                       two_threads(1, (2, 0, 1)), 0)
    tap.equal(document["exact"], True)
    document = compare(tmp, two_threads(0, (0, 1, 2)),
                       two_threads(1, (3, 2, 0, 1), 1), 0)
    new = [only["label"] for only in document["only_in_b"]]
    tap.equal(new, [f"bottom half of_3_{i}" for i in range(4)])
    tap.equal(document["only_in_a"], [])


def named_contexts(seed, *contexts):
    """(what the program calls it, what it does) of each, after a request in
    `main`"""
    run = Run(seed)
    run.late_begin(0)
    for name, work in contexts:
        run.ctx = run.id()
        run.say("context_create", ctx=run.ctx, name=name)
        for one in work:
            run.bottom_half(one)
    return run


def decided(document, side):
    return {one["name"]: one[side] for one in document["contexts"]
            if one["name"] != "main"}


@tap.case("a name that ends in a number is the program's all the same")
def _(tmp):
    # by what they did, each is the other one; by name it changed its work
    a = named_contexts(0, ("io (1)", "pqr"), ("io (2)", "xyz"))
    b = named_contexts(1, ("io (1)", "xyz"), ("io (2)", "pqr"))
    document = compare(tmp, a, b, 0)
    tap.equal(document["exact"], False)
    tap.equal((decided(document, "a"), len(document["only_in_a"])),
              ({"io (1)": 3, "io (2)": 3}, 6))


@tap.case("no two contexts of a run have one name")
def _(tmp):
    a = named_contexts(0, ("foo (2)", "pq"))
    b = named_contexts(1, ("foo", "x"), ("foo (2)", "pq"), ("foo", "yyy"))
    document = compare(tmp, a, b, 0)
    names = decided(document, "b")
    tap.equal((names.pop("foo"), names.pop("foo (2)")), (1, 2))
    tap.equal(list(names.values()), [3], str(names))
    # what is left over has a name of its own
    document = compare(tmp, named_contexts(0, ("foo", "yyy"), ("foo (2)", "p")),
                       b, 0)
    tap.equal(decided(document, "a"),
              {"foo": 3, "foo (2)": 1, "foo (3)": 0})
    tap.equal(decided(document, "b"),
              {"foo": 3, "foo (2)": 2, "foo (3)": 1})


def with_a_wait(seed, wakes=True, ends=True, enters=True):
    """One request waits for another one to wake it, which it does or not; who
    is woken is entered, or the loop is blocked to the end."""
    run = Run(seed)
    run.poll()
    waits = run.begin(0)
    run.give(waits, "queue", 77)
    wakes_it = run.begin(4096)
    run.submit(wakes_it)
    run.work(wakes_it)
    run.say("bh_run_begin", bh=run.bh, ctx=run.ctx, name="completion",
            callback=1)
    run.say("thread_pool_complete", pool=run.pool, req=wakes_it["work"], ret=0)
    run.enter(wakes_it)
    if wakes:
        run.say("aio_co_wake", ctx=run.ctx, co=waits["co"],
                waker=wakes_it["co"], how="queued")
    if ends:
        run.end(wakes_it)
    if wakes and enters:
        run.enter(waits)
        run.end(waits)
    if ends and not enters:
        run.say("bh_run_end", bh=run.bh, ctx=run.ctx)
        run.say("bh_run_begin", bh=run.id(), ctx=run.ctx, name="blocks",
                callback=1)
    elif ends:
        run.say("bh_run_end", bh=run.bh, ctx=run.ctx)
        last = run.begin(8192)
        run.end(last)
        run.polled()
    return run


@tap.case("a wake-up that was lost, and who did not wake")
def _(tmp):
    document = compare(tmp, with_a_wait(0), with_a_wait(1, wakes=False), 1)
    a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")
    back, _ = diff(b, a, 1)
    waker = "coroutine ? of blk read disk 4096+512, entered after its work"
    for told, waits, goes_on in ((document, "b", "a"), (back, "a", "b")):
        change = told["first_real_divergence"]
        tap.equal((change["reason"], change["waits"], told["real"]),
                  ("wakeup", waits, 1))
        tap.equal((change[goes_on]["label"], change[waits]["label"]),
                  ("coroutine ? of blk read disk 0+512, entered again",
                   "coroutine ? of blk read disk 0+512, first entered"))
        tap.equal([change["waker_" + side]["label"] for side in "ab"],
                  [waker] * 2)
        tap.equal([o["real"] for o in told["only_in_" + goes_on]],
                  [True] * 2)
    out = story.run(story.COTRACE, "diff", a, b, status=1).out
    assert "a wake-up was lost" in out and "then it waits to the end" in out
    tap.equal([line for line in out.splitlines() if len(line) > 80
               and not line.startswith(tuple("AB"))], [])
    out = story.run(story.COTRACE, "diff", a, b, "--fail-on=missing",
                    status=1).err
    assert "missing: " in out, out
    story.run(story.COTRACE, "diff", a, b, "--fail-on=order", status=0)


@tap.case("who was woken and not entered lost no wake-up")
def _(tmp):
    b = with_a_wait(1, enters=False)
    document = compare(tmp, with_a_wait(0), b, 1)
    tap.equal(document["first_real_divergence"]["reason"], "only")
    good = os.path.join(tmp, "good")
    story.run(story.COTRACE, "diff", f"--save-baseline={good}",
              os.path.join(tmp, "b"), status=0)
    done = story.run(story.COTRACE, "diff", f"--against={good}",
                     os.path.join(tmp, "a"), "--json", status=1)
    told = story.parse(done.out)
    tap.equal(told["first_real_divergence"]["reason"], "only")


@tap.case("--fail-on=order: what was turned round, beside a lost wake-up")
def _(tmp):
    def overtaking(seed, order, **how):
        run = with_a_wait(seed, **how)
        run.poll()
        four = []
        for i in range(4):
            four.append(run.begin(65536 + 4096 * i))
            run.submit(four[-1])
        for i in order:
            run.work(four[i])
            run.complete(four[i])
        run.polled()
        return run

    document = compare(tmp, overtaking(0, (0, 1, 2, 3)),
                       overtaking(1, (0, 2, 1, 3), wakes=False), 1)
    tap.equal(document["real"], 2)
    done = story.run(story.COTRACE, "diff", os.path.join(tmp, "a"),
                     os.path.join(tmp, "b"), "--fail-on=order", status=1)
    assert "order: 1 turned round" in done.err, done.err


def many(seed, n):
    run = Run(seed)
    run.poll()
    for i in range(n):
        request = run.begin(4096 * i)
        run.submit(request)
        run.work(request)
        run.complete(request)
    run.polled()
    return run


@tap.case("what lies beyond a part of both runs is not told as a difference")
def _(tmp):
    a = many(0, 40).write(os.path.join(tmp, "a"))
    slow = many(1, 40)  # a tenth slower
    b = slow.write(os.path.join(tmp, "b"))
    story.run(story.COTRACE, "diff", a, b, status=0)
    last = slow.now - 1777
    for part in (("--end=%d" % (last // 2),), ("--begin=%d" % (last // 2),),
                 ("--begin=%d" % (last // 3), "--end=%d" % (last // 2))):
        done = story.run(story.COTRACE, "diff", a, b, "--json", *part,
                         status=0)
        told = story.parse(done.out)
        tap.equal(told["real"], 0)
        assert told["compared"] > 0 and told["unknown"] > 0, (part, told)


@tap.case("a run that ends before anybody could wake it lost no wake-up")
def _(tmp):
    b = with_a_wait(1, wakes=False, ends=False)
    document = compare(tmp, with_a_wait(0), b, 1)
    tap.equal(document["first_real_divergence"]["reason"], "only")


def in_between(seed, order):
    """The first coroutine is entered while a worker takes an item of another
    request: what the worker does comes between the entry and the request's
    begin, or before, or after it."""
    run = Run(seed)
    run.poll()
    other = run.begin(0)
    run.submit(other)
    run.spawn(1)
    co, request = run.id(), run.id()

    def worker():
        run.work_begin(other)

    def enter():
        run.say("coroutine_create", co=co, entry=hex(run.code))
        run.say("aio_coroutine_enter", ctx=run.ctx, **{"from": 0}, to=co)

    def begin():
        run.say("request_begin", request=request, parent=0, co=co,
                layer="blk", op="read", node="disk", offset=4096, bytes=512,
                flags=0)

    for step in order:
        (worker, enter, begin)[step]()
    mine = {"co": co, "id": request}
    run.submit(mine)
    run.work_end(other)
    run.work(mine)
    run.complete(other)
    run.complete(mine)
    run.polled()
    return run


@tap.case("whose a coroutine is does not depend on what other threads do")
def _(tmp):
    for seed, order in enumerate(((1, 0, 2), (1, 2, 0)), 1):
        document = compare(tmp, in_between(0, (0, 1, 2)),
                           in_between(seed, order), 0)
        tap.equal(document["only_in_a"], [], order)
        assert any("coroutine ? of blk read disk 4096+512, first entered" ==
                   label["text"] for label in diff(
                       os.path.join(tmp, "a"), os.path.join(tmp, "b"),
                       0)[0]["labels"]), document


tap.main(sys.argv[1:])
