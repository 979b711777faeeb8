#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Recordings side by side, without namespaces, in poor surroundings.

What changes the machine (mounts, a system-wide daemon) happens in a mount
namespace of the test's own, so other tests and the machine's own daemon do not
see it.  That needs root; a plain user's run has the rest.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

from recording import (BOUND, PATIENCE, ROOT, USERS, Place, each_user, line,
                       one_line, same_events, tap, until)

WITHOUT_RIGHT = ["setpriv", "--bounding-set=-sys_admin",
                 "--inh-caps=-sys_admin"]
CPUS = os.sysconf("SC_NPROCESSORS_CONF")


class Box:
    """A mount namespace, alive while the case runs."""

    def __init__(self, script):
        self.holder = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-e", "-c",
             f"{script}\necho ready\nexec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line(self.holder, "ready")
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-m", "-w"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.stdin.close()
        self.holder.wait(PATIENCE)
        self.holder.stdout.close()

    def run(self, *argv, **more):
        return subprocess.run([*self.enter, *argv], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=PATIENCE, **more)

    def list(self, folder):
        return self.run("ls", "-A", folder, check=True).stdout.decode().split()


def root_case(name):
    def register(function):
        def run(tmp):
            if not ROOT:
                tap.skip("needs root")
            function(Place(tmp, "root"))
        tap.case(name)(run)
        return function
    return register


def boxed(name, script):
    """A case for each user in a namespace; script: {tmp} is the case's."""
    def register(function):
        for user in USERS:
            def run(tmp, user=user):
                if not ROOT:
                    tap.skip("needs root, for a mount namespace")
                place = Place(tmp, user)
                with Box(script.format(tmp=tmp)) as box:
                    function(place, box)
            tap.case(f"{name} ({user})")(run)
        return function
    return register


# --- side by side --------------------------------------------------------------

@tap.case("recordings in parallel each hold their own program's events")
def _(tmp):
    running = []
    for i, user in enumerate(USERS * 2, 1):
        folder = os.path.join(tmp, str(i))
        os.mkdir(folder, 0o755)
        place = Place(folder, user)
        running.append((i, place, place.start(place.busy, "wait", i, 2000)))
    for _, _, process in running:
        line(process, "ready")
    # All are recording now; one after the other ends.
    for i, place, process in running:
        os.kill(place.pid_of("busy"), signal.SIGTERM)
        place.end(process, status=4)
        note = place.note()
        events = place.events()
        same_events(events, i, 2000, f"recording {i}")
        tap.equal({pid for pid, _ in events}, {note["pid"]}, "vpid")
        tap.equal((note["complete"], note["own_events"]), (True, 2000), "note")


@boxed("nothing is left in /dev/shm and /run, and nothing is added to it",
       "mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /run; chmod 1777 "
       "/dev/shm")
def _(place, box):
    place.run(place.busy, "count", 100, 1, before=box.enter)
    tap.equal(box.list("/dev/shm"), [], "in /dev/shm")
    tap.equal(box.list("/run"), [], "in /run")
    process = place.start(place.busy, "forever", 1, before=box.enter,
                          output="second")
    line(process, "ready")
    os.kill(place.pid_of("cotrace"), signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    until(lambda: not place.processes(), "the end of all processes")
    tap.equal(box.list("/dev/shm"), [], "in /dev/shm after a kill")
    tap.equal(box.list("/run"), [], "in /run after a kill")


# What a recording does at its end, all the time: it takes the pages that nobody
# has, in the user's name.
SWEEPER = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
print("ready", flush=True)
while os.getppid() == int(sys.argv[1]):
    for name in os.listdir("/dev/shm"):
        try:
            page = os.open("/dev/shm/" + name, os.O_RDWR)
        except OSError:
            continue
        try:
            if os.fstat(page).st_uid == os.geteuid():
                fcntl.fcntl(page, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                os.unlink("/dev/shm/" + name)
        except OSError:
            pass
        os.close(page)
"""


@boxed("a neighbour that tidies /dev/shm takes nothing that is needed",
       "mount -t tmpfs tmpfs /dev/shm; chmod 1777 /dev/shm")
def _(place, box):
    # another user may not be let to the Python that runs this
    sweeper = subprocess.Popen(
        [*box.enter, *place.become(), "/usr/bin/python3", "-c", SWEEPER,
         str(os.getpid())], stdout=subprocess.PIPE)
    try:
        line(sweeper, "ready")
        for i in range(4):
            output = f"trace{i}"
            place.run(place.busy, "count", 100, 1, before=box.enter,
                      output=output)
            tap.equal(len(place.events(output)), 100, output)
    finally:
        sweeper.kill()
        sweeper.communicate()


# Root's daemon sees other folders there.
@boxed("a trace in /dev/shm, and one in /run/lttng",
       "mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /run; chmod 1777 "
       "/dev/shm; mkdir -m 1777 /run/lttng")
def _(place, box):
    for folder in ("/dev/shm/a/b", "/run/lttng/trace"):
        box.run("mkdir", "-p", "-m", "1777", folder, check=True)
        place.run(place.busy, "count", 100, 1, before=box.enter, output=folder)
        box.run("cp", "-r", folder, place.path("copy"), check=True)
        tap.equal(len(place.events("copy")), 100, folder)
        shutil.rmtree(place.path("copy"))


@boxed("a system-wide daemon and its session are left alone",
       "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /dev/shm; chmod 1777 "
       "/dev/shm")
def _(place, box):
    with Daemon(place, box) as daemon:
        lttng = lambda *argv: box.run("lttng", *argv, check=True,
                                      env=daemon.environment)
        lttng("create", "theirs", "--output=" + place.path("theirs"))
        lttng("enable-event", "-u", "nothing:at_all")
        lttng("start")
        before = lttng("list").stdout
        place.run(place.busy, "count", 100, 1, before=box.enter)
        tap.equal(len(place.events()), 100, "events")
        tap.equal(lttng("list").stdout, before, "their sessions")
        lttng("destroy")
        tap.equal(daemon.lives(), True, "their daemon lives")


class Daemon:
    """The administrator's session daemon, in a box."""

    def __init__(self, place, box):
        self.environment = {**os.environ, "HOME": place.path("admin"),
                            "LTTNG_HOME": place.path("admin")}
        os.mkdir(place.path("admin"))
        self.process = subprocess.Popen(
            [*box.enter, "lttng-sessiond", "--no-kernel"],
            env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        until(lambda: "client-lttng-sessiond" in
              box.run("ls", "/run/lttng").stdout.decode(), "their daemon")

    def lives(self):
        return self.process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)


# --- root where no namespace is allowed ---------------------------------------

BARE = ("mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /dev/shm; "
        "chmod 1777 /dev/shm")


def no_daemon(box):
    tap.equal(box.run("lttng", "list").returncode != 0, True, "no daemon")
    tap.equal([name for name in box.list("/run/lttng")
               if name.startswith("cotrace")], [], "in /run/lttng")


@root_case("no namespace allowed: the program is recorded, its children named")
def _(place):
    with Box(BARE) as box:
        done = place.run(place.busy, "fork", 100, 3,
                         before=[*box.enter, *WITHOUT_RIGHT])
        note = place.note()
        tap.equal((note["daemon"], note["complete"], note["own_events"]),
                  ("shared", True, 100), "note")
        same_events(place.events(), 3, 100)
        tap.equal("children" in note["not_recorded"], True, "note")
        tap.equal("not recorded: children" in done.err, True, done.err)
        no_daemon(box)


@root_case("no namespace allowed: two at once share a daemon, not events")
def _(place):
    with Box(BARE) as box:
        before = [*box.enter, *WITHOUT_RIGHT]
        processes = [place.start(place.busy, "wait", i, 500, output=f"t{i}",
                                 before=before) for i in (1, 2)]
        for process in processes:
            line(process, "ready")
        tap.equal(list(place.processes().values()).count("lttng-sessiond"), 1,
                  "daemons")
        busy = [pid for pid, name in place.processes().items()
                if name == "busy"]
        os.kill(busy[0], signal.SIGTERM)
        until(lambda: any(p.poll() is not None for p in processes), "one end")
        tap.equal(list(place.processes().values()).count("lttng-sessiond"), 1,
                  "the daemon while the other records")
        os.kill(busy[1], signal.SIGTERM)
        for i, process in enumerate(processes, 1):
            place.end(process, status=4) if i == 2 else process.wait(PATIENCE)
            process.stdout.close()
            same_events(place.events(f"t{i}"), i, 500, f"recording {i}")
        no_daemon(box)


@root_case("no namespace allowed: a daemon that was there stays")
def _(place):
    with Box(BARE) as box, Daemon(place, box) as daemon:
        place.run(place.busy, "count", 100, 1,
                  before=[*box.enter, *WITHOUT_RIGHT])
        tap.equal(len(place.events()), 100, "events")
        tap.equal(daemon.lives(), True, "their daemon lives")
        shown = box.run("lttng", "list", check=True,
                        env=daemon.environment).stdout.decode()
        tap.equal("Available" in shown, False, shown)


@root_case("no namespace allowed: kills are bounded, and leave no daemon")
def _(place):
    with Box(BARE) as box:
        before = [*box.enter, *WITHOUT_RIGHT]
        for i in range(3):
            process = place.start(place.busy, "forever", 2, before=before,
                                  output=f"t{i}")
            line(process, "ready")
            since = time.monotonic()
            os.kill(place.pid_of("busy"), signal.SIGKILL)
            place.end(process, status=137)
            took = time.monotonic() - since
            tap.note(f"{took:.2f} s, complete: "
                     f"{place.note(f't{i}')['complete']}")
            tap.equal(took < BOUND, True, f"{took:.2f} s")
            no_daemon(box)
        process = place.start(place.busy, "forever", 1, before=before)
        line(process, "ready")
        os.kill(place.pid_of("cotrace"), signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        until(lambda: not place.processes(), "the end of all processes")
        no_daemon(box)


@root_case("no namespace allowed: a daemon that stands still is ended")
def _(place):
    for name in ("lttng-sessiond", "lttng-consumerd"):
        with Box(BARE) as box:
            process = place.start(place.busy, "forever", 1, output=name,
                                  before=[*box.enter, *WITHOUT_RIGHT])
            line(process, "ready")
            os.kill(place.pid_of(name), signal.SIGSTOP)
            since = time.monotonic()
            os.kill(place.pid_of("busy"), signal.SIGKILL)
            place.end(process, status=137)
            took = time.monotonic() - since
            tap.note(f"{name}: {took:.2f} s")
            tap.equal(took < BOUND, True, f"{took:.2f} s")
            no_daemon(box)


@root_case("no namespace allowed: with the keeper killed no daemon is left")
def _(place):
    with Box(BARE) as box:
        process = place.start(place.busy, "wait", 1, 10,
                              before=[*box.enter, *WITHOUT_RIGHT])
        line(process, "ready")
        os.kill(place.pid_of("cotrace-keeper"), signal.SIGKILL)
        os.kill(place.pid_of("busy"), signal.SIGTERM)
        place.end(process, status=4)
        no_daemon(box)


@root_case("no namespace allowed: a daemon with a session of others stays")
def _(place):
    with Box(BARE) as box:
        environment = {**os.environ, "HOME": place.home,
                       "LTTNG_HOME": place.home}
        process = place.start(place.busy, "wait", 1, 10,
                              before=[*box.enter, *WITHOUT_RIGHT])
        line(process, "ready")
        try:
            box.run("lttng", "create", "theirs", "--output",
                    place.path("theirs"), check=True, env=environment)
            os.kill(place.pid_of("busy"), signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
            shown = box.run("lttng", "list", check=True, env=environment)
            tap.equal(b"theirs" in shown.stdout, True, shown.stdout)
        finally:
            place.kill_all()


# --- poor surroundings ---------------------------------------------------------

@boxed("little room in /dev/shm: smaller buffers, or one line that says so",
       f"mount -t tmpfs -o size={CPUS * 2}m tmpfs /dev/shm; chmod 1777 /dev/shm")
def _(place, box):
    place.run(place.busy, "count", 1000, 1, before=box.enter)
    tap.equal((place.note()["complete"], len(place.events())), (True, 1000),
              "the trace")
    if not place.root:  # root's daemon has a /dev/shm of its own
        done = place.run(place.busy, "count", 1, 1, before=box.enter,
                         output="large", options=["--subbuf-size=4M"],
                         status=2)
        one_line(done, "/dev/shm", "free")
        tap.equal(os.path.exists(place.path("large")), False, "nothing left")


@boxed("no /dev/shm to write to: one line, nothing left",
       "mount -t tmpfs -o ro tmpfs /dev/shm")
def _(place, box):
    done = place.run(place.busy, "count", 1, 1, before=box.enter, status=2)
    one_line(done, "/dev/shm", "Read-only file system")
    tap.equal(os.path.exists(place.path("trace")), False, "nothing left")


@boxed("a read-only working directory: one line",
       "mkdir {tmp}/ro; mount -t tmpfs -o ro tmpfs {tmp}/ro")
def _(place, box):
    here = ["sh", "-c", f"cd {place.path('ro')}; exec \"$@\"", "sh"]
    done = place.run(place.busy, "count", 1, 1, before=[*box.enter, *here],
                     status=2, output=None)
    one_line(done, "Read-only file system")


@boxed("a full disk: the program is not disturbed, the trace says so",
       "mkdir {tmp}/small; mount -t tmpfs -o size=512k,mode=1777 tmpfs "
       "{tmp}/small")
def _(place, box):
    since = time.monotonic()
    done = place.run(place.busy, "count", 200000, 1, before=box.enter,
                     output="small/trace")
    took = time.monotonic() - since
    shown = box.run("cat", place.path("small/trace/cotrace.json"), check=True)
    tap.note(f"{took:.1f} s\n{done.err}{shown.stdout.decode()}")
    tap.equal(done.out, "emitted 200000\n", "the program")
    tap.equal("not complete" in done.err and
              "No space left on device" in done.err, True, done.err)
    tap.equal(b'"complete": false' in shown.stdout, True, shown.stdout)


@each_user("a run directory with a long name is not used")
def _(place):
    long = os.path.join(place.tmp, "x" * 100)
    os.mkdir(long)
    place._give(long)
    place.run(place.busy, "count", 10, 1, env={"XDG_RUNTIME_DIR": long})
    tap.equal(len(place.events()), 10, "events")
    tap.equal(os.listdir(long), [], "the long one")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
