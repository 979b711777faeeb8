# SPDX-License-Identifier: MIT
"""`cotrace findings` of traces with very much of one thing: four times as much
does not take many times the work."""
import os
import sys

import growth
import tap


def check(tmp, few, make, factor):
    growth.check(tmp, few, factor, lambda n: (
        "findings", growth.write(os.path.join(tmp, f"t{n}"), make(n)), "-o",
        "/dev/null"))


def loops(n):
    """Threads with a context each; all end with the trace."""
    return [f"@{1000 + i} 7/{i + 7} poll_begin ctx={i + 1} blocking=1 depth=1 "
            "mode=poll" for i in range(n)]


def pools(n):
    """Pools with one worker each, which ends."""
    return [f"@{1000 + i} 7/{i + 8} worker_{what} pool={i + 1} "
            f"worker={n + i + 1}" for what in ("start", "exit")
            for i in range(n)]


def queued(n):
    """A request that waits in its pool, for each of many other threads."""
    lines = [f"@{1000 + i} 7/{i + 8} poll_begin ctx={i + 1} blocking=1 depth=1 "
             "mode=poll" for i in range(n)]
    for i in range(n):
        at, co, req = 10000 + 10 * i, 2 * n + i, 4 * n + i
        lines += [
            f"@{at} 7/7 coroutine_create co={co} entry=0x1",
            f"@{at} 7/7 request_begin request={req} parent=0 co={co} "
            'layer="blk" op="read" node="d" offset=0 bytes=1 flags=0',
            f"@{at} 7/7 aio_coroutine_enter ctx=1 from=0 to={co}",
            f"@{at} 7/7 thread_pool_submit pool=9 req={req} function=0x1 "
            f"co={co}",
            f"@{at} 7/7 coroutine_yield from={co} to=0 reason=work object={req}",
            f"@{at + 5} 7/6 work_begin pool=9 req={req} function=0x1 worker=8",
            f"@{at + 6} 7/6 work_end pool=9 req={req} ret=0",
            f"@{at + 7} 7/7 thread_pool_complete pool=9 req={req} ret=0",
            f"@{at + 7} 7/7 aio_coroutine_enter ctx=1 from=0 to={co}",
            f"@{at + 8} 7/7 request_end request={req} ret=0",
            f"@{at + 8} 7/7 coroutine_terminate self={co} to=0"]
    return lines


@tap.case("many loops")
def _(tmp):
    check(tmp, 1000, loops, 6)


@tap.case("many pools")
def _(tmp):
    check(tmp, 2000, pools, 5)


@tap.case("many waits for a pool, beside many threads")
def _(tmp):
    check(tmp, 400, queued, 4.5)


tap.main(sys.argv[1:])
