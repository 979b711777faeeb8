# SPDX-License-Identifier: MIT
"""Recordings of a QEMU into which the library was preloaded: what its events
themselves say of workers, to hold the analysis against."""
import re
import subprocess

import story
import tap


def names_of(piece):
    return [frame.get("function") for frame in piece]


def numbers(text):
    return [int(word, 16) for word in re.findall(r"\] = (0x[0-9A-F]+)", text)]


def items(trace):
    """What the events themselves say: [(submitted, begin, end, completed)] of
    each call of a worker, as places in the order; and the workers.  Whose item
    it is tells the address that it holds where its section begins, or there if
    it has none: of several the oldest that nobody has taken, or it has."""
    waiting, mine, calls, found, workers = {}, {}, {}, [], set()

    def take(tid, held):
        here = [waiting[n] for n in held
                if n in waiting and waiting[n]["taker"] in (None, tid)]
        if here:
            mine[tid] = min(here, key=lambda item: (item["taker"] is not None,
                                                    item["submit"]))
            mine[tid]["taker"] = tid

    done = subprocess.run(["babeltrace2", "--no-delta", trace], check=True,
                          text=True, stdout=subprocess.PIPE).stdout
    for at, line in enumerate(done.splitlines()):
        tid = re.search(r"vtid = (\d+)", line)[1]
        told = re.search(r'text = "thread_pool_(submit|complete)(?:_aio)? '
                         r'pool \S+ req (\S+)', line)
        if told and told[1] == "submit":
            waiting[int(told[2], 16)] = {"submit": at, "begin": None,
                                         "end": None, "taker": None}
        elif told:
            item = waiting.pop(int(told[2], 16))
            found.append((item["submit"], item["begin"], item["end"], at))
        elif "native_section_begin:" in line:
            mine.pop(tid, None)
            take(tid, numbers(line))
        elif "native_section_end:" in line:
            mine.pop(tid, None)
        elif "native_io_begin:" in line:
            if tid not in mine:
                take(tid, numbers(line))
            if tid in mine:
                calls[tid] = item = mine.pop(tid)
                item["begin"] = item["begin"] or at
                workers.add(int(tid))
        elif "native_io_end:" in line and tid in calls:
            calls.pop(tid)["end"] = at
    return found, workers


def check_worker(trace, tid):
    """From its thread over the bottom half, the submission, the coroutine's
    start and who entered it, to main."""
    told = story.document("backtrace", trace, f"--worker={tid}")
    tap.equal(told["complete"], True, "complete")
    cut = story.pieces(told["frames"])
    made, asked = names_of(cut[1][1]), names_of(cut[2][1])
    # A worker makes the next one itself, if more were asked for.
    by_worker = "main" not in made
    tap.equal([boundary["boundary"] for boundary, _ in cut[1:4]],
              ["worker-spawn", "worker-spawn" if by_worker else "bottom-half",
               "coroutine"], "boundaries")
    tap.equal(made[:2], ["pthread_create", "qemu_thread_create"], "made")
    if not by_worker:
        tap.equal(made[made.index("aio_bh_poll") + 1] in ("aio_poll",
                                                          "aio_dispatch"),
                  True, "by a bottom half")
    for name in ("thread_pool_submit_aio", "thread_pool_submit_co"):
        tap.equal(name in asked, True, f"{name} in {asked}")
    tap.equal(asked[-1], "ct_switch_begin", "in a coroutine")
    tap.equal("main" in names_of(cut[-1][1]), True, "whom main entered")
    return made + asked


def check_workers(trace, workers):
    """All of them; one was made for a read, and by a bottom half."""
    names = set()
    for tid in workers:
        names.update(check_worker(trace, tid))
    for name in ("bdrv_co_preadv_part", "aio_bh_poll", "aio_poll"):
        tap.equal(name in names, True, f"{name} in {names}")


def check_items(trace, unknown=lambda request: False):
    """Of a whole recording: every item begins and ends within its submission
    and completion; no request waits in a state that only a log has; sums.
    @unknown: may it wait for what nobody tells (a job, a stopped machine)?
    Return: items, workers, requests."""
    found, workers = items(trace)
    for item in found:
        submitted, begin, end, completed = item
        if not (begin and end and submitted < begin < end < completed):
            raise AssertionError(f"an item's begin and end: {item}")
    requests = story.requests(trace, "--all")
    story.check_sums(requests)
    wrong = [(r, s) for r in requests for s in r["segments"]
             if s["state"] == "work" or
             (s["state"] == "unknown" and not unknown(r))]
    tap.equal(wrong[:1], [], f"{len(wrong)} segments")
    tap.equal({tid for r in requests for tid in r["workers"]} <= workers, True,
              "workers of requests")
    return found, workers, requests
