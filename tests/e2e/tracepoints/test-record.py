#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every event and every value arrives, through LTTng's own daemon; stacks are
told before they are named; a recording may start late; without LTTng the
program runs all the same."""
import os
import subprocess
import sys

import lttng
import tap
import values

EMIT_ALL = os.environ["EMIT_ALL"]
PROVIDER = os.environ["PROVIDER"]
VOCABULARY = values.vocabulary(os.environ["LISTS"].split(":"))
OURS = VOCABULARY.ours()
TIMEOUT = 60


def run(*words, env, **more):
    done = subprocess.run([EMIT_ALL, *words], env=env, text=True,
                          timeout=TIMEOUT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **more)
    tap.equal((done.returncode, done.stderr), (0, ""), "the program")
    return done.stdout.splitlines()


def check_values(event, got, number):
    """`got`, as recorded, has the values of round `number`."""
    tap.equal(list(got.fields),
              [f.name for f in event.fields], f"fields of {event.name}")
    for field in event.args:
        want = values.value(event, field, number)
        if field.kind == "enum":
            want = (field.enum.words[want].name, want)
        tap.equal(got.fields[field.name], want, f"{event.name}.{field.name}")


def told_before_use(events):
    """Every stack has been told, by its process, when it is named; so has every
    outer piece.  Gives the pieces."""
    pieces = {}
    with_stack = {e.name for e in OURS if e.stack >= 0}
    for event in events:
        if event.name == "stack_frames":
            outer = event.fields["outer"]
            if outer and (event.pid, outer) not in pieces:
                raise AssertionError(f"outer piece not told: {event}")
            pieces[event.pid, event.fields["id"]] = event
        elif event.name in with_stack:
            stack = event.fields["stack"]
            if (event.pid, stack) not in pieces:
                raise AssertionError(f"stack not told: {event}")
    return pieces


def is_test_piece(event):
    """stack_frames with made-up values, as emit_all records it, too."""
    outer = next(e for e in OURS if e.name == "stack_frames")
    return any(event.fields["id"] == values.value(outer, outer.fields[0], n)
               for n in range(values.ROUNDS))


@tap.case("every event with all its values, in the order of recording")
def _(tmp):
    with lttng.Session(tmp) as session:
        session.start("cotrace:*")
        out = run(env={**session.env, "COTRACE_PROVIDER": PROVIDER})
        events = lttng.events(session.stop())
    tap.equal(out, ["recorded, LTTng loaded"])
    # emit_all's own telling comes first
    tap.equal([e.name for e in events[:3]],
              ["state_begin", "state_context", "state_end"])
    tap.equal(events[0].fields["reason"], ("start", 0))
    rest = [e for e in events[3:]
            if e.name != "stack_frames" or is_test_piece(e)]
    tap.equal([e.name for e in rest],
              [e.name for e in OURS] * values.ROUNDS)
    for i, got in enumerate(rest):
        check_values(OURS[i % len(OURS)], got, i // len(OURS))
    tap.equal(len({e.tid for e in events}), 1, "threads")
    told_before_use([e for e in events
                     if e.name != "stack_frames" or not is_test_piece(e)])


@tap.case("four threads: no stack is named before it is told")
def _(tmp):
    with lttng.Session(tmp) as session:
        session.start("cotrace:*", subbuf="8M", count=16)
        run("threads", env={**session.env, "COTRACE_PROVIDER": PROVIDER})
        events = lttng.events(session.stop())
    events = [e for e in events
              if e.name != "stack_frames" or not is_test_piece(e)]
    pieces = told_before_use(events)
    counts = {}
    for event in events:
        counts[event.name] = counts.get(event.name, 0) + 1
    for event in OURS:
        if not event.name.startswith("state_") and event.name != "stack_frames":
            tap.equal(counts[event.name], 2000, event.name)
    # one place each, and what lies outside it
    kinds = sum(e.stack >= 0 for e in OURS)
    tap.equal(len(pieces), kinds + 1)
    tap.note(f"{len(events)} events, {counts['stack_frames']} of them "
             "stack_frames")


@tap.case("a recording of a program that runs already")
def _(tmp):
    with lttng.Session(tmp) as session:
        with subprocess.Popen(
                [EMIT_ALL, "late"], text=True, stdout=subprocess.PIPE,
                env={**session.env, "COTRACE_PROVIDER": PROVIDER,
                     "COTRACE_RETELL_MS": "20"}) as program:
            try:
                tap.equal(program.stdout.readline(), "ready\n")
                session.start("cotrace:*")
                out = program.communicate(timeout=TIMEOUT)[0]
            finally:
                program.kill()
        tap.equal(out, "not recorded, LTTng loaded\n")
        events = lttng.events(session.stop())
    tellings = [i for i, e in enumerate(events) if is_real_telling(e)]
    # LTTng drops what comes in a recording's first milliseconds
    if len(tellings) < 2:
        raise AssertionError(f"{len(tellings)} tellings")
    rest = events[tellings[0]:]
    told = [e for e in rest
            if e.name == "state_context" and e.fields["ctx"] == 4711]
    tap.equal(len(told), len(tellings), "calls of the teller")
    told_before_use([e for e in rest
                     if e.name != "stack_frames" or not is_test_piece(e)])
    if not any(e.name == "request_begin" for e in rest):
        raise AssertionError("nothing was recorded after the telling")


def is_real_telling(event):
    """state_begin with made-up values is recorded, too."""
    return event.name == "state_begin" and event.fields["telling"] < 1 << 32


@tap.case("without a session nothing is recorded")
def _(tmp):
    with lttng.Session(tmp) as session:
        tap.equal(run(env={**session.env, "COTRACE_PROVIDER": PROVIDER}),
                  ["not recorded, LTTng loaded"])


@tap.case("COTRACE_PROVIDER: empty is off, absent is off, neither is an error")
def _(tmp):
    for path in ("", os.path.join(tmp, "absent.so"), "/dev/null"):
        tap.equal(run(env={**os.environ, "COTRACE_PROVIDER": path}),
                  ["not recorded, no LTTng"], path)


@tap.case("the program finds the provider of its own build")
def _(tmp):
    env = {k: v for k, v in os.environ.items() if k != "COTRACE_PROVIDER"}
    tap.equal(run(env=env), ["not recorded, LTTng loaded"])


@tap.case("a machine without LTTng")
def _(tmp):
    # an object that can't be loaded stands where the search begins
    for name in ("liblttng-ust-tracepoint.so.1", "liblttng-ust.so.1"):
        with open(os.path.join(tmp, name), "wb") as file:
            file.write(b"not an object")
    env = {k: v for k, v in os.environ.items() if k != "COTRACE_PROVIDER"}
    tap.equal(run(env={**env, "LD_LIBRARY_PATH": tmp}),
              ["not recorded, no LTTng"])


@tap.case("the program needs neither LTTng nor its libraries")
def _(tmp):
    done = subprocess.run(["ldd", EMIT_ALL], text=True, check=True,
                          stdout=subprocess.PIPE)
    tap.equal([line for line in done.stdout.splitlines() if "lttng" in line
               or "urcu" in line], [])


lttng.enter()
tap.main(sys.argv[1:])
