#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace record in ordinary use, and with bad input."""
import os
import re
import signal
import subprocess
import sys

from recording import (PATIENCE, ROOT, Place, each_user, line, one_line,
                       same_events, tap)


@each_user("a recording holds every event, in order, and says how many")
def _(place):
    done = place.run(place.busy, "count", 1000, 7)
    note = place.note()
    tap.equal(done.out, "emitted 1000\n", "the program's stdout")
    same_events(place.events(), 7, 1000)
    tap.equal({pid for pid, _ in place.events()}, {note["pid"]}, "vpid")
    tap.equal((note["complete"], note["own_events"], note["discarded"],
               note["exit_status"], note["not_recorded"]),
              (True, 1000, 0, 0, None), "note")
    tap.equal(note["daemon"], "namespace" if place.root else "home", "daemon")
    tap.equal(note["argv"], [place.busy, "count", "1000", "7"], "argv")
    tap.equal(int(note["begin_ns"]) < int(note["end_ns"]), True, "times")
    everything = subprocess.run(
        ["babeltrace2", "--no-delta", place.path("trace")], check=True,
        stdout=subprocess.PIPE).stdout.count(b"\n")
    tap.equal(note["events"], everything, "with LTTng's own")
    tap.equal(done.err.splitlines(),
              [f"cotrace: recorded {everything} events, 0 lost, in "
               f"{place.path('trace')}",
               f"cotrace: next: cotrace requests {place.path('trace')}"],
              "stderr")


@each_user("children are recorded under their own pid, with and without exec")
def _(place):
    place.run(place.busy, "fork", 500, 3)
    own = place.note()["pid"]
    events = place.events()
    same_events([e for e in events if e[0] == own], 3, 500, "the parent's")
    same_events([e for e in events if e[0] != own], 4, 500, "the child's")
    place.run("sh", "-c", f"{place.busy} count 10 5; {place.busy} count 10 6",
              output="shell")
    events = place.events("shell")
    same_events(events[:10], 5, 10, "a shell's first child")
    same_events(events[10:], 6, 10, "a shell's second child")


WHO = r"\{ vpid = (\d+), vtid = \d+"


@each_user("who tells: our events themselves, LTTng where others are recorded")
def _(place):
    own = rf"cotrace:aio_notify: \{{ cpu_id = \d+ \}}, {WHO}, ctx ="
    both = own.replace(WHO, rf"{WHO} \}}, {WHO}")
    files = rf"lttng_ust_statedump:bin_info: .* {WHO} \}}, \{{ baddr ="
    for output, patterns, ours in (("own", "*", own),
                                   ("both", "*,lttng_ust_tracef:*", both)):
        place.run(place.busy, "count", 50, 7, output=output,
                  options=[f"--events={patterns}"])
        text = subprocess.run(
            ["babeltrace2", "--no-delta", place.path(output)],
            check=True, text=True, stdout=subprocess.PIPE).stdout
        pid = str(place.note(output)["pid"])
        told = re.findall(ours, text)
        tap.equal(told, [(pid, pid) if ours is both else pid] * 50, "ours")
        tap.equal(set(re.findall(files, text)), {pid}, "the loaded files")


@each_user("forks while other threads emit: every child is recorded whole")
def _(place):
    place.run(place.busy, "forks", 20)
    events = [(pid, ctx) for pid, ctx in place.events() if ctx >> 32 >= 100]
    tap.equal(len({pid for pid, _ in events}), 20, "children")
    for i in range(20):
        same_events([event for event in events if event[1] >> 32 == 100 + i],
                    100 + i, 10, f"child {i}")


@each_user("a program that must be alone in its process can be recorded")
def _(place):
    # A user namespace can only be made by a process with one thread.
    alone = ["unshare", "-U", "true"]
    status = subprocess.run([*place.become(), *alone],
                            stderr=subprocess.DEVNULL).returncode
    place.run(*alone, status=status)
    place.run("sh", "-c", f"{place.busy} count 10 1; exec unshare -U true",
              status=status, output="both")
    tap.equal(len(place.events("both")), 10, "events")


@each_user("only events that match --events are recorded, and what they need")
def _(place):
    place.run(place.busy, "count", 10, 1, options=["--events=bh_*,co_*"])
    tap.equal(place.events(), [], "events that do not match")
    place.run(place.busy, "count", 10, 1, output="some",
              options=["--events=bh_*,cotrace:aio_*"])
    tap.equal(len(place.events("some")), 10, "events that match")


@each_user("libraries that are opened later are in the trace")
def _(place):
    library = "libglib-2.0.so.0"
    place.run(place.busy, "late", library)
    text = subprocess.run(["babeltrace2", place.path("trace")], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    if not re.search(r"lttng_ust_(lib:load|dl:dlopen).*" + library, text):
        raise AssertionError(f"no event about {library}")


@each_user("lost events are counted, and do not change the exit status")
def _(place):
    done = place.run(place.busy, "count", 200000, 1,
                     options=["--subbuf-size=4K", "--subbufs=2"])
    note = place.note()
    found = place.events()
    tap.equal(note["discarded"] > 0, True, f"lost some: {note}")
    tap.equal(note["own_events"], len(found), "what babeltrace2 finds")
    # Some of the lost may be LTTng's own, about loaded files.
    both = note["own_events"] + note["discarded"]
    tap.equal(200000 <= both < 201000, True, f"kept and lost: {both}")
    if "events were lost" not in done.err or \
            f"{note['discarded']} lost" not in done.err:
        raise AssertionError(done.err)


@each_user("stdin, stdout and stderr are the program's own")
def _(place):
    process = place.start("sh", "-c", "cat; echo oops >&2; exit 7",
                          stdin=subprocess.PIPE)
    process.stdin.write(b"\x00\xffbytes")
    process.stdin.close()
    process.stdin = None
    done = place.end(process, status=7)
    tap.equal(done.out, b"\x00\xffbytes".decode("utf-8", "replace"), "stdout")
    tap.equal(done.err.splitlines()[0], "oops", "stderr")
    tap.equal("recorded nothing" in done.err, True, "no event: said")


@each_user("the exit status is the program's, or 128 and its signal")
def _(place):
    for status in (0, 1, 2, 77, 255):
        place.run("sh", "-c", f"exit {status}", status=status,
                  output=f"exit{status}")
        tap.equal(place.note(f"exit{status}")["exit_status"], status, "note")
    for name, number in (("TERM", 15), ("ABRT", 6), ("KILL", 9)):
        place.run("sh", "-c", f"kill -{name} $$", status=128 + number,
                  output=name)
        tap.equal(place.note(name)["exit_status"], 128 + number, "note")


@each_user("a closed standard stream stays closed")
def _(place):
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    place.run("sh", "-c", f"{place.busy} count 5 1; for i in 0 1 2; do "
              f"test -e /proc/$$/fd/$i && : > {place.path('home')}/$i; done; "
              "exit 6", before=shell, status=6)
    tap.equal(os.listdir(place.home), [], "open in the program")
    tap.equal((place.note()["complete"], len(place.events())), (True, 5),
              "the trace")


@each_user("a directory's name may hold any character")
def _(place):
    for i, name in enumerate(("a:b@c", "100%25 ,{x}", "\u00e4\u20ac*?[]",
                              "-dash", "..dots")):
        place.run(place.busy, "count", 3, i, output=name)
        same_events(place.events(name), i, 3, name)


@each_user("the program's end is the end, whatever it leaves running")
def _(place):
    process = place.start("sh", "-c", f"{place.busy} wait 1 & read x",
                          stdin=subprocess.PIPE)
    line(process, "ready")
    busy = place.pid_of("busy")
    process.stdin.close()
    tap.equal(process.wait(PATIENCE), 1, "read at the end of file")
    tap.equal(list(place.processes()), [busy], "left by the program")
    os.kill(busy, signal.SIGTERM)
    process.stdin = None
    done = place.end(process, status=1)
    tap.equal(done.out, "got 15\n", "the child")
    tap.equal((place.note()["complete"], len(place.events())), (True, 1),
              "the trace")


@each_user("without -o: a fresh directory, named for program and time")
def _(place):
    done = place.run(place.busy, "count", 1, 1, output=None)
    names = [name for name in os.listdir(place.tmp)
             if name.startswith("cotrace-busy-")]
    tap.equal(len(names), 1, "directories")
    if not re.fullmatch(r"cotrace-busy-\d{8}-\d{6}", names[0]):
        raise AssertionError(names[0])
    tap.equal(f"cotrace requests {names[0]}" in done.err, True, "what to type")
    tap.equal(len(place.events(names[0])), 1, "events")


@each_user("an empty directory is taken, and left when nothing could be done")
def _(place):
    os.mkdir(place.path("trace"))
    place._give(place.path("trace"))
    before = os.stat(place.path("trace")).st_ino
    done = place.run("/does/not/exist", status=2)
    one_line(done, "/does/not/exist: No such file or directory")
    tap.equal(os.listdir(place.path("trace")), [], "its content")
    place.run(place.busy, "count", 3, 1)
    tap.equal(os.stat(place.path("trace")).st_ino, before, "the same one")
    tap.equal(len(place.events()), 3, "events")


def refused(place, *program, words, output="trace", options=(), left=(),
            **more):
    before = sorted(os.listdir(place.tmp))
    done = place.run(*program, status=2, output=output, options=options, **more)
    one_line(done, *words)
    tap.equal(done.out, "", "stdout")
    tap.equal(sorted(os.listdir(place.tmp)), before, "nothing is left")


@each_user("a program that can't be run: one line, status 2, nothing left")
def _(place):
    with open(place.path("plain"), "w", encoding="ascii") as file:
        file.write("text\n")
    with open(place.path("script"), "w", encoding="ascii") as file:
        file.write("#!/does/not/exist\n")
    os.chmod(place.path("plain"), 0o644)
    os.chmod(place.path("script"), 0o755)
    refused(place, "/no/such/program",
            words=["/no/such/program: No such file"])
    refused(place, "no-such-program", words=["no-such-program", "PATH"])
    refused(place, place.path("plain"), words=["plain: Permission denied"])
    refused(place, place.tmp, words=["Is a directory"])
    refused(place, "", words=["No such file"])
    # Only exec itself finds out about this one.
    refused(place, place.path("script"), words=["script: No such file"])
    refused(place, place.path("script"), words=["script: No such file"],
            output=None)


@each_user("an output directory that can't be used: one line, nothing left")
def _(place):
    program = (place.busy, "count", 1, 1)
    os.mkdir(place.path("full"))
    with open(place.path("full/file"), "w", encoding="ascii") as file:
        file.write("mine\n")
    refused(place, *program, output="full", words=["full", "not empty"])
    tap.equal(os.listdir(place.path("full")), ["file"], "untouched")
    refused(place, *program, output="full/file", words=["not a directory"])
    refused(place, *program, output="no/such/parent", words=["No such file"])
    refused(place, *program, output=None, options=["-o", ""],
            words=["empty name"])
    if not place.root:
        os.mkdir(place.path("closed"), 0o555)
        if os.geteuid() == 0:
            os.chown(place.path("closed"), 0, 0)
        refused(place, *program, output="closed/trace",
                words=["closed/trace: Permission denied"])
        refused(place, *program, output="closed", words=["closed"])
        refused(place, *program, output=None, cwd=place.path("closed"),
                words=["cotrace-busy-", "Permission denied"])


@each_user("wrong usage: one line, status 2; --help: status 0")
def _(place):
    for options in (["--subbuf-size=3000"], ["--subbuf-size=1K"],
                    ["--subbuf-size=12X"], ["--subbufs=3"], ["--subbufs=0"],
                    ["--subbufs=1"], ["--events="], ["--events=a,,b"],
                    ["--events=a b"], ["--no-such-option"], ["-o"],
                    ["--subbufs"]):
        refused(place, *([] if options[-1] in ("-o", "--subbufs")
                         else ["true"]), output=None, options=options,
                words=["--help"])
    refused(place, output=None, words=["no program"])
    refused(place, "true", words=["/dev/shm"],
            options=["--subbuf-size=1G", "--subbufs=4096"])
    process = place.start(output=None)
    place.end(process, status=2)
    shown = subprocess.run([place.command, "record", "--help"], check=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tap.equal((b"usage: cotrace record" in shown.stdout, shown.stderr),
              (True, b""), "--help")


@each_user("a name that would play with the terminal is shown harmless")
def _(place):
    refused(place, "/no/\x1b[31mred\n", words=["\\x1b[31mred\\n: No such"])
    place.run(place.busy, "count", 1, 1, output="two words")
    done = place.run(place.busy, "count", 1, 1, output="a'b")
    tap.equal('requests "' + place.path("a'b") + '"' in done.err, True,
              done.err)
    arguments = [b"\xff\xfe", b"quote\"back\\slash\n"]
    process = subprocess.run(
        [*place.become(), place.command, "record", "-o", place.path("bytes"),
         "true", *arguments], env=place.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tap.equal(process.returncode, 0, process.stderr)
    tap.equal(place.note("bytes")["argv"],
              ["true", "\ufffd\ufffd", "quote\"back\\slash\n"], "argv")


@each_user("the daemon does not start: its reason, status 2, nothing left")
def _(place):
    with open(place.path("fake"), "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho 'Error: something is wrong' >&2\nexit 1\n")
    os.chmod(place.path("fake"), 0o755)
    refused(place, "true", env={"LTTNG_SESSIOND_PATH": place.path("fake")},
            words=["lttng-sessiond does not start: something is wrong"])


if ROOT:
    @tap.case("root's child that gives up root is recorded")
    def _(tmp):
        place = Place(tmp, "root")
        place.run("setpriv", "--reuid=65534", "--regid=65534",
                  "--clear-groups", place.busy, "count", 100, 9)
        same_events(place.events(), 9, 100)
        tap.equal(os.listdir(place.path("trace/ust/uid")).count("65534"), 1,
                  "its own folder")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
