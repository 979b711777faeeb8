# SPDX-License-Identifier: MIT
"""`cotrace diff` on written traces whose requests do more than one thing: in
parts, again and again, on two threads, in vain.
"""
import itertools
import os
import random
import sys

import story
import tap
from compared import compare, diff
from written import Run

OFFSETS = (0, 4096, 8192, 12288, 16384)
ROUNDS = list(itertools.product(((0, 1), (1, 0)), repeat=2))


def rounds_of_work(seed, orders, extra=False):
    """Two requests on workers of their own, an item a round, which end in each
    round's order (`extra`: then one more of the first request)."""
    run = Run(seed)
    run.poll()
    requests = [run.begin(0), run.begin(4096)]
    for request in requests:
        run.submit(request)
    for nth, order in enumerate(orders):
        for tid, request in enumerate(requests, 1):
            run.work_begin(request, tid)
        for i in order:
            run.work_end(requests[i], i + 1)
        run.complete_some([requests[i] for i in order],
                          run.submit if nth + 1 < len(orders) else
                          lambda request: run.end(request)
                          if request is requests[1] or not extra
                          else run.submit(request))
    if extra:
        run.work(requests[0])
        run.complete(requests[0])
    run.polled()
    return run


def elsewhere(seed, ends_first):
    """A request of main's that another thread's coroutine serves, which tells
    the request's end before its own, or after it."""
    run = Run(seed)
    loop = run.id()
    run.say("context_create", ctx=loop, name="iothread")
    request = {"co": run.id(), "id": run.id()}
    run.say("request_begin", request=request["id"], parent=0, co=0,
            layer="blk", op="read", node="disk", offset=0, bytes=512, flags=0)
    run.say("coroutine_create", co=request["co"], entry=hex(run.code))
    run.say("request_coroutine", request=request["id"], co=request["co"])
    run.say("poll_begin", 3, ctx=loop, blocking=1, depth=1, mode="poll")
    run.say("aio_coroutine_enter", 3, ctx=loop, **{"from": 0},
            to=request["co"])
    ends = [lambda: run.say("request_end", 3, request=request["id"], ret=0),
            lambda: run.say("coroutine_terminate", 3, self=request["co"], to=0)]
    for end in ends if ends_first else reversed(ends):
        end()
    run.say("poll_end", 3, ctx=loop, progress=1, depth=1)
    return run


def with_parts(seed, order):
    """A request whose two parts have coroutines of their own; they end in that
    order, and each does another item before it does."""
    run = Run(seed)
    run.poll()
    outer = run.begin(0, bytes_=8192)
    parts = []
    for offset in (0, 4096):
        part = {"co": run.id(), "id": run.id()}
        run.say("coroutine_create", co=part["co"], entry=hex(run.code + 64))
        run.say("aio_coroutine_enter", ctx=run.ctx, **{"from": outer["co"]},
                to=part["co"])
        run.say("request_begin", request=part["id"], parent=outer["id"],
                co=part["co"], layer="bdrv", op="read", node="file",
                offset=offset, bytes=512, flags=0)
        run.submit(part)
        parts.append(part)
    run.give(outer, "children")
    for _ in range(2):
        for tid, i in enumerate(order, 1):
            run.work(parts[i], tid)
        last = _ == 1
        run.complete_some([parts[i] for i in order],
                          run.end if last else run.submit)
    run.enter(outer)
    run.end(outer)
    run.polled()
    return run


def failing(seed, results):
    """A request for each of the results."""
    run = Run(seed)
    run.poll()
    for offset, ret in zip(OFFSETS, results):
        request = run.begin(offset)
        run.submit(request)
        run.work(request)
        run.complete_some([request], lambda one, ret=ret: run.end(one, ret))
    run.polled()
    return run


def one_by_one(seed, n):
    """That many requests, all of which succeed."""
    return failing(seed, [0] * n)


@tap.case("two requests with two items each, in every order: no real difference")
def _(tmp):
    runs = [rounds_of_work(seed, orders) for seed, orders in enumerate(ROUNDS)]
    for a, b in itertools.combinations(runs, 2):
        compare(tmp, a, b, 0)


@tap.case("who asked for the second item of a request is told from the first")
def _(tmp):
    a, b = rounds_of_work(0, ROUNDS[0]), rounds_of_work(1, ROUNDS[0], extra=True)
    document = compare(tmp, a, b, 1)
    tap.equal([one["label"] for one in document["only_in_b"] if one["real"]],
              ["work item ? of blk read disk 0+512, time 3",
               "completion ? of blk read disk 0+512, time 3",
               "coroutine ? of blk read disk 0+512, entered after its work, "
               "time 3"])


@tap.case("what was lost of requests with two items each is no difference")
def _(tmp):
    whole = rounds_of_work(0, ROUNDS[1])
    chance = random.Random(7)
    for _ in range(60):
        twin = rounds_of_work(1, ROUNDS[1])
        at = chance.randrange(1, len(twin.lines) - 4)
        twin.lose(at, at + chance.choice((1, 2, 4)))
        compare(tmp, whole, twin, 0)


@tap.case("a request that ends on another thread than it began, however it ends")
def _(tmp):
    compare(tmp, elsewhere(0, True), elsewhere(1, False), 0)


@tap.case("a coroutine for a part of a request is that part's")
def _(tmp):
    document = compare(tmp, with_parts(0, (0, 1)), with_parts(1, (1, 0)), 0)
    labels = {label["text"] for label in document["labels"]}
    assert "coroutine ? of bdrv read file 4096+512, first entered" in labels, \
        labels


@tap.case("a request that fails in one run only, or otherwise")
def _(tmp):
    good, bad = failing(0, (0, 0)), failing(1, (0, -5))
    document = compare(tmp, good, bad, 1)
    change = document["first_real_divergence"]
    tap.equal((change["reason"], change["ret_a"], change["ret_b"]),
              ("result", 0, -5))
    tap.equal(change["a"]["label"], "end of blk read disk 4096+512")
    tap.equal(document["real"], 1)
    tap.equal(compare(tmp, bad, failing(2, (0, -28)), 1)["real"], 1)
    tap.equal(compare(tmp, bad, failing(2, (0, -5)), 0)["exact"], True)
    a, b = good.write(os.path.join(tmp, "a")), bad.write(os.path.join(tmp, "b"))
    diff(a, b, 0, "--fail-on=order,missing")
    done = story.run(story.COTRACE, "diff", a, b, "--fail-on=result", status=1)
    assert "result: 1 requests ended with another one, first: end of blk read " \
        "disk 4096+512" in done.err, done.err
    assert "It succeeded in A and failed with EIO in B." in done.out, done.out


def in_one_pass(seed, order, late=False):
    """A worker does two items; a pass completes both, in that order (`late`:
    the second one ends when it has begun)."""
    run = Run(seed)
    run.poll()
    requests = [run.begin(0), run.begin(4096)]
    for request in requests:
        run.submit(request)
    run.work(requests[0])
    run.work_begin(requests[1])
    if not late:
        run.work_end(requests[1])
    run.say("bh_run_begin", bh=run.bh, ctx=run.ctx,
            name="thread_pool_completion_bh", callback=hex(run.code + 8))
    if late:
        run.work_end(requests[1])
    for i in order:
        run.say("thread_pool_complete", pool=run.pool, req=requests[i]["work"],
                ret=0)
        run.enter(requests[i])
        run.end(requests[i])
    run.say("bh_run_end", bh=run.bh, ctx=run.ctx)
    run.polled()
    return run


@tap.case("a completion that overtook, and one that was found late")
def _(tmp):
    document = compare(tmp, in_one_pass(0, (0, 1)), in_one_pass(1, (1, 0)), 1)
    change = document["first_real_divergence"]
    tap.equal((change["reason"], change["a"]["label"], change["b"]["label"]),
              ("overtaken", "completion ? of blk read disk 0+512",
               "completion ? of blk read disk 4096+512"))
    compare(tmp, in_one_pass(0, (0, 1)), in_one_pass(1, (1, 0), late=True), 0)
    compare(tmp, in_one_pass(0, (0, 1)), in_one_pass(1, (0, 1), late=True), 0)


@tap.case("what is outside of a window is told, and is not the same")
def _(tmp):
    a = one_by_one(0, 4).write(os.path.join(tmp, "a"))
    b = one_by_one(1, 5).write(os.path.join(tmp, "b"))
    document, _ = diff(a, b, 0, "--begin=1")
    tap.equal((document["identical"], document["exact"]), (True, False))
    done = story.run(story.COTRACE, "diff", a, b, "--begin=1",
                     "--fail-on=order,missing")
    assert "What could be compared is the same." in done.out, done.out
    assert "could not judge order, missing and result of 7 decisions" in \
        done.err, done.err


tap.main(sys.argv[1:])
