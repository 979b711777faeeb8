# SPDX-License-Identifier: MIT
"""Coroutines, loops and worker pools beside their peers."""
from measure import Goal, Row

SETJMP = "setjmp"


def coroutine(bench, row, count, title, goal):
    peers = [("swapcontext", "peer-coroutine-swapcontext", count // 10),
             (SETJMP, "peer-coroutine-setjmp", count),
             ("fcontext", "peer-coroutine-fcontext", count),
             ("asm ret", "peer-coroutine-asm-ret", count),
             ("asm jmp", "peer-coroutine-asm-jmp", count)]
    if row != "yield-deep":
        peers.append(("Go", "peer-coroutine-go", count // 4))
    return Row(f"coroutine-{row}", title, "ns",
               [("ours", bench.contender("bench-coroutine", row, count))] +
               [(label, bench.contender(program, row, n))
                for label, program, n in peers], goal)


def loop(bench, row, count, title, goal, peers):
    return Row(f"loop-{row}", title, "ns",
               [("ours", bench.contender("bench-loop", row, count))] +
               [(label, bench.contender(f"peer-loop-{program}", peer_row, n))
                for label, program, peer_row, n in peers], goal)


def pool(bench, row, count, title, goal):
    return Row(f"pool-{row}", title, "ns",
               [("ours", bench.contender("bench-pool", row, count)),
                ("libuv", bench.contender("peer-pool-uv", row, count)),
                ("GLib", bench.contender("peer-pool-glib", row, count // 4)),
                ("QEMU style, GLib",
                 bench.contender("peer-pool-qemu-glib", row, count // 4)),
                ("QEMU style, epoll",
                 bench.contender("peer-pool-qemu-epoll", row, count // 4))],
               goal)


def rows(bench):
    return [
        coroutine(bench, "yield", 2000000, "enter + yield",
                  Goal(SETJMP, 0.3)),
        coroutine(bench, "yield-deep", 1000000,
                  "enter + yield, 8 frames deep", Goal("best", 1.0)),
        coroutine(bench, "life", 2000000, "create + enter + end",
                  Goal(SETJMP, 0.5)),
        loop(bench, "bh", 400000, "BH: schedule + run", None,
             [("libuv", "uv", "bh", 40000), ("GLib", "glib", "bh", 40000)]),
        loop(bench, "wake", 30000, "wake another loop, round trip",
             Goal("eventfd", 1.1),
             [("eventfd", "eventfd", "wake", 30000),
              ("eventfd, poll", "eventfd", "wake-poll", 30000),
              ("GLib", "glib", "wake", 15000),
              ("libuv", "uv", "wake", 1500)]),
        loop(bench, "flood", 5000000, "wake a loop that is awake",
             Goal(limit=5),
             [("libuv", "uv", "flood", 5000000),
              ("GLib", "glib", "flood", 200000),
              ("eventfd", "eventfd", "flood", 200000)]),
        loop(bench, "flood-bh", 5000000, "schedule a BH that is scheduled",
             None, []),
        loop(bench, "flood-live", 2000000, "BH flood of a loop that runs",
             None,
             [("libuv", "uv", "flood-live", 2000000),
              ("GLib", "glib", "flood-live", 100000),
              ("eventfd", "eventfd", "flood-live", 200000)]),
        pool(bench, "depth-1", 30000, "pool round trip, depth 1",
             Goal("libuv", 0.7)),
        pool(bench, "depth-64", 300000, "pool, an item at depth 64",
             Goal("libuv", 1.0)),
    ]
