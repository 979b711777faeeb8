# SPDX-License-Identifier: MIT
"""Runs `cotrace record` on busy.c, as root or as a plain user, and looks at
what it left.

Every recording gets a marker in its environment, which all processes that it
starts inherit: what is left of it is found by that, never by a name that other
recordings have, too.
"""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "lib"))
import story  # noqa: E402
import tap  # noqa: E402
from wait import PATIENCE, until  # noqa: E402,F401

BUSY = os.path.join(story.BUILD, "tests", "e2e", "record", "busy")
PROVIDER = os.path.join("tracepoints", "provider", "libcotrace-provider.so")
NOBODY = 65534
ROOT = os.geteuid() == 0
USERS = ["root", "user"] if ROOT else ["user"]
SOAK = os.environ.get("COTRACE_SOAK") == "1"
# What a stop may take, in seconds; with other tests beside it: that it ends.
BOUND = 5.0 if SOAK else 20.0
# What is ignored stays ignored in programs below, and who runs the tests in the
# background ignores some.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
NAMES = ("cotrace-keeper", "cotrace-control", "lttng-sessiond",
         "lttng-consumerd", "busy")


def each_user(name):
    """A case for root (if we are) and one for a plain user."""
    def register(function):
        for user in USERS:
            tap.case(f"{name} ({user})")(
                lambda tmp, user=user: function(Place(tmp, user)))
        return function
    return register


class Place:
    """Where one user's recordings happen; programs are copied to it, since a
    plain user may not be allowed to look into the build directory."""

    def __init__(self, tmp, user):
        self.tmp = tmp
        self.user = user
        self.root = user == "root"
        self.command = self.copy(story.COTRACE, "viewer/cotrace")
        self.busy = self.copy(BUSY, "busy")
        if os.path.exists(os.path.join(story.BUILD, PROVIDER)):
            self.copy(os.path.join(story.BUILD, PROVIDER), PROVIDER)
        self.run_dir = os.path.join(tmp, "r")
        self.home = os.path.join(tmp, "home")
        for folder in (self.run_dir, self.home):
            os.mkdir(folder)
            os.chmod(folder, 0o711 if self.root else 0o700)
            self._give(folder)
        self._give(tmp)
        self.marker = f"COTRACE_TEST={uuid.uuid4()}"

    def _give(self, path):
        if not self.root and ROOT:
            os.chown(path, NOBODY, NOBODY)

    def copy(self, source, name):
        to = os.path.join(self.tmp, "bin", name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy2(source, to)
        os.chmod(to, 0o755)
        return to

    def path(self, name):
        return os.path.join(self.tmp, name)

    def become(self):
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                "--clear-groups"] if not self.root and ROOT else []

    def environment(self, **more):
        name, _, value = self.marker.partition("=")
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("LTTNG", "COTRACE"))
                and key not in ("LD_PRELOAD", "TMPDIR")}
        return {**kept, "HOME": self.home, "XDG_RUNTIME_DIR": self.run_dir,
                name: value, **more}

    def argv(self, *program, options=(), output="trace"):
        to = ["-o", self.path(output)] if output else []
        return [*self.become(), self.command, "record", *to, *options, "--",
                *(str(word) for word in program)]

    def start(self, *program, options=(), output="trace", before=(), env=None,
              **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        more.setdefault("cwd", self.tmp)
        return subprocess.Popen(
            [*before, *self.argv(*program, options=options, output=output)],
            env=self.environment(**(env or {})), **more)

    def run(self, *program, status=0, **more):
        return self.end(self.start(*program, **more), status)

    def end(self, process, status=0):
        """The end of a recording: exit status, and nothing left."""
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise
        process.out = (out or b"").decode("utf-8", "replace")
        process.err = (err or b"").decode("utf-8", "replace")
        if status is not None and process.returncode != status:
            raise AssertionError(f"exit status {process.returncode}, not "
                                 f"{status}\n{process.out}\n{process.err}")
        self.check_nothing_left()
        return process

    # --- processes ------------------------------------------------------------

    def processes(self):
        """pid -> name of all that carry the marker, record itself included."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    marked = self.marker.encode() in file.read().split(b"\0")
                with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
                    text = file.read()
            except OSError:
                continue
            state = text.rpartition(")")[2].split()[0]
            if marked and state not in "ZX":
                found[int(pid)] = text[text.index("(") + 1:text.rindex(")")]
        return found

    def pid_of(self, name):
        return until(lambda: next((pid for pid, found in
                                   self.processes().items()
                                   if found == name[:15]), None),
                     f"process {name}")

    def check_nothing_left(self):
        left = self.processes()
        if left:
            self.kill_all()
            raise AssertionError(f"left running: {left}")
        tap.equal(os.listdir(self.run_dir), [], "left in the run directory")

    def kill_all(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    # --- the trace ------------------------------------------------------------

    def note(self, output="trace"):
        with open(os.path.join(self.path(output), "cotrace.json"),
                  encoding="utf-8") as file:
            return story.parse(file.read())

    def events(self, output="trace"):
        return read_trace(self.path(output))


def read_trace(path):
    """[(vpid, ctx)] of all aio_notify, by babeltrace2's own text."""
    done = subprocess.run(["babeltrace2", "--no-delta", path],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE * 2)
    if done.returncode:
        raise AssertionError(f"babeltrace2: {done.stderr.decode()[-2000:]}")
    pattern = re.compile(rb"cotrace:aio_notify:.* vpid = (\d+),.* ctx = (\d+)")
    return [(int(match[1]), int(match[2]))
            for match in map(pattern.search, done.stdout.splitlines()) if match]


def count_trace(path):
    """How many aio_notify there are and whether babeltrace2 reads to the end:
    for large traces."""
    read = subprocess.Popen(["babeltrace2", "--no-delta", path],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    count = subprocess.run(["grep", "-c", "cotrace:aio_notify:"],
                           stdin=read.stdout, stdout=subprocess.PIPE,
                           timeout=PATIENCE * 2)
    read.stdout.close()
    err = read.stderr.read().decode()
    tap.equal(read.wait(PATIENCE), 0, f"babeltrace2: {err[-2000:]}")
    return int(count.stdout)


def same_events(events, mark, count, what="events"):
    """`events` are exactly i = 1 .. count of this mark, in order."""
    got = [ctx for _, ctx in events]
    want = [mark << 32 | i for i in range(1, count + 1)]
    if got != want:
        at = next((i for i, pair in enumerate(zip(got, want))
                   if pair[0] != pair[1]), min(len(got), len(want)))
        raise AssertionError(f"{what}: {len(got)} events, not {count}; the "
                             f"first that differs is {at}: {got[at:at + 3]}, "
                             f"not {want[at:at + 3]}")


def line(process, wanted):
    """The next line of a process's stdout."""
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    tap.equal(process.stdout.readline().decode().strip() if ready else None,
              wanted, "line on stdout")


def one_line(process, *words):
    """The one line of stderr, without a control character."""
    lines = process.err.splitlines()
    if len(lines) != 1 or not lines[0].startswith("cotrace: ") or \
            not all(word in lines[0] for word in words):
        raise AssertionError(f"not one line with {words}: {process.err!r}")
