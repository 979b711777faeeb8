# SPDX-License-Identifier: MIT
"""A private LTTng session for a test, by the lttng command: not by our own
sessions, so that both can be tested against one another.

    import lttng
    lttng.enter()                      # first of all: may start the test anew
    with lttng.Session(tmp) as session:
        session.start("cotrace:*")
        subprocess.run([...], env=session.env)
        trace = session.stop()

As a user the daemon lives below a LTTNG_HOME of its own; root's daemon can't be
had twice, so there the whole test runs in a mount namespace with a /run/lttng of
its own.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

TIMEOUT = 60


def enter():
    """Start this program anew in its own namespace if it needs one; without
    LTTng the test ends here, skipped."""
    for tool in ("lttng-sessiond", "lttng", "babeltrace2"):
        if not shutil.which(tool):
            print(f"1..0 # SKIP {tool} is not installed")
            sys.exit(77)
    if os.geteuid() != 0 or os.environ.get("COTRACE_TEST_NAMESPACE"):
        return
    os.makedirs("/run/lttng", exist_ok=True)
    mount = ["unshare", "-m", "sh", "-c",
             'mount -t tmpfs tmpfs /run/lttng && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode != 0:
        print("1..0 # SKIP root without the right to a mount namespace")
        sys.exit(77)
    os.environ["COTRACE_TEST_NAMESPACE"] = "1"
    os.execvp(mount[0], [*mount, sys.executable, *sys.argv])


class Session:
    def __init__(self, tmp):
        self.tmp = tmp
        self.trace = os.path.join(tmp, "trace")
        # short, because a socket's path has room for 107 bytes
        self.home = tempfile.mkdtemp(prefix="ct", dir="/tmp")
        self.env = {**os.environ, "LTTNG_HOME": self.home,
                    "LTTNG_UST_REGISTER_TIMEOUT": "10000"}
        self.daemon = None

    def __enter__(self):
        try:
            self.start_daemon()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_daemon(self):
        ready = {signal.SIGUSR1, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, ready)
        try:
            with open(os.path.join(self.tmp, "daemon.log"), "wb") as log:
                self.daemon = subprocess.Popen(
                    ["lttng-sessiond", "--no-kernel", "--sig-parent"],
                    env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, preexec_fn=lambda: signal.pthread_sigmask(
                        signal.SIG_UNBLOCK, ready))
            while True:
                info = signal.sigtimedwait(ready, TIMEOUT)
                if info is None or self.daemon.poll() is not None:
                    raise AssertionError("lttng-sessiond does not start")
                if info.si_signo == signal.SIGUSR1:
                    return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ready)

    def lttng(self, *words):
        done = subprocess.run(["lttng", "--no-sessiond", *words], env=self.env,
                              text=True, timeout=TIMEOUT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise AssertionError(f"lttng {' '.join(words)}:\n{done.stdout}")
        return done.stdout

    def start(self, *patterns, subbuf="1M", count=8):
        self.lttng("create", "test", "--output", self.trace)
        self.lttng("enable-channel", "--userspace", "c", "--subbuf-size",
                   subbuf, "--num-subbuf", str(count))
        self.lttng("enable-event", "--userspace", "--channel", "c",
                   ",".join(patterns))
        self.lttng("add-context", "--userspace", "--channel", "c", "--type",
                   "vpid", "--type", "vtid")
        self.lttng("start")

    def stop(self):
        """The trace's directory."""
        self.lttng("stop", "test")
        self.lttng("destroy", "test")
        return self.trace

    def __exit__(self, *_):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            try:
                self.daemon.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        shutil.rmtree(self.home, ignore_errors=True)


# --- what babeltrace2 says ------------------------------------------------------

LINE = re.compile(r"^\[(\d+)\.(\d{9})\] \(.*?\) (?:\S+ )?(\w+):(\w+): "
                  r"\{ cpu_id = \d+ \}, \{ vpid = (\d+), vtid = (\d+) \}"
                  r"(?:, \{ (.*) \})?$")
FIELD = re.compile(r'(\w+) = (?:\( "(\w+)" : container = (\d+) \)|'
                   r'"((?:[^"\\]|\\.)*)"|\[((?: \[\d+\] = \w+,?)*) ?\]|'
                   r"(0x[0-9A-F]+|-?\d+))(?:, |$)")


class Event:
    def __init__(self, match):
        self.ns = int(match[1]) * 1000000000 + int(match[2])
        self.provider, self.name = match[3], match[4]
        self.pid, self.tid = int(match[5]), int(match[6])
        self.fields = {}
        text, at = match[7] or "", 0
        while at < len(text):
            field = FIELD.match(text, at)
            if not field:
                raise AssertionError(f"not understood: {text[at:]}")
            if not field[1].startswith("_"):  # a sequence's length
                self.fields[field[1]] = value_of(field)
            at = field.end()
        # What an event of ours says of itself is what LTTng says of it.
        told = (self.fields.pop("vpid", self.pid),
                self.fields.pop("vtid", self.tid))
        if told != (self.pid, self.tid) or \
                ("vpid = " in text) != (self.provider == "cotrace"):
            raise AssertionError(f"who tells: {match[0]}")

    def __repr__(self):
        return f"{self.name} {self.fields}"


def value_of(field):
    if field[2] is not None:
        return (field[2], int(field[3]))
    if field[4] is not None:
        return re.sub(r"\\(.)", r"\1", field[4])
    if field[6] is not None:
        return int(field[6], 0)
    return [int(word, 0) for word in re.findall(r"= (\w+)", field[5] or "")]


def events(trace, provider=None):
    """All events in time order, or those of a provider."""
    done = subprocess.run(["babeltrace2", "--clock-seconds", trace], text=True,
                          timeout=TIMEOUT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"babeltrace2: {done.stderr}")
    out = []
    for line in done.stdout.splitlines():
        if provider and f" {provider}:" not in line:
            continue
        match = LINE.match(line)
        if not match:
            raise AssertionError(f"not understood: {line}")
        out.append(Event(match))
    return out
