# SPDX-License-Identifier: MIT
"""cotrace-nbd beside QEMU's servers: 4 KiB requests by fio, over a unix socket.

The image lies in memory.  A figure is requests per second of CPU time, fio's
and the server's together, which is what one CPU gets done."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from measure import Goal, Missing, Row

IMAGE_BYTES = 64 << 20
PATIENCE = 20
MEMORY = "/dev/shm"
QEMU_NBD, QSD = "qemu-nbd", "qemu-storage-daemon"
UNRECORDED = "ours, not recorded"
# Who runs, who waits, who wakes whom; without the requests that they serve.
SCHEDULING = ("aio_*,coroutine_*,co_*,bh_*,timer_*,fd_run_*,poll_*,"
              "fdmon_wait_*,thread_pool_*,work_*,io_*")


class Images:
    """Made when the first row needs one; in memory, gone with the process."""

    def __init__(self, bench):
        self.bench = bench
        self.place = None

    def get(self, format):
        for tool in ("fio", "qemu-img", "qemu-io"):
            if not shutil.which(tool):
                raise Missing(f"{tool} is not installed")
        if self.place is None:
            self.place = tempfile.TemporaryDirectory(
                prefix="cotrace-bench-",
                dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        path = os.path.join(self.place.name, f"disk.{format}")
        if not os.path.exists(path):
            self.fill(path, format)
        return path

    def fill(self, path, format):
        run = self.bench.output
        run(["qemu-img", "create", "-q", "-f", format, path, str(IMAGE_BYTES)])
        run(["qemu-io", "-f", format, "-t", "unsafe", "-c",
             f"write -q -P 0x5a 0 {IMAGE_BYTES}", path])


def cpu_seconds(pid):
    """Of all its threads, those that have ended included."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(path, process):
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args[0]} does not listen")
        time.sleep(0.01)


class Load:
    def __init__(self, bench, images, format, rw, depth, engine):
        self.bench, self.images = bench, images
        self.format, self.rw = format, rw
        self.depth, self.engine = depth, engine
        # linux-aio is for files that pass the page cache by.
        self.is_direct = engine == "native"
        self.cache = "none" if self.is_direct else "writeback"
        self.bytes = (1 << 20) if bench.quick else \
            (64 << 20) if depth == 1 else (256 << 20)

    def fio(self, path):
        """(requests, its own CPU seconds)"""
        out = self.bench.output([
            "fio", "--name=job", "--ioengine=nbd",
            f"--uri=nbd+unix:///?socket={path}", f"--rw={self.rw}", "--bs=4k",
            f"--iodepth={self.depth}", f"--size={IMAGE_BYTES}",
            f"--io_size={self.bytes}", "--randrepeat=1",
            "--output-format=json"])
        job = json.loads(out[out.index("{"):])["jobs"][0]
        kind = "read" if "read" in self.rw else "write"
        share = (job["usr_cpu"] + job["sys_cpu"]) / 100
        return job[kind]["total_ios"], share * job["job_runtime"] / 1000

    def measure(self, command, server_pid=None, pinned=True):
        """Thousands of requests a second"""
        path = os.path.join(self.bench.tmp, "nbd.sock")
        if os.path.exists(path):
            os.unlink(path)
        server = subprocess.Popen(command(path),
                                  preexec_fn=self.bench.pin if pinned else None,
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            wait_for(path, server)
            pid = server_pid(server) if server_pid else server.pid
            before = cpu_seconds(pid)
            requests, seconds = self.fio(path)
            seconds += cpu_seconds(pid) - before
            os.kill(pid, signal.SIGTERM)
            server.wait(timeout=PATIENCE)
        finally:
            server.kill()
            server.wait()
        if seconds <= 0:  # --quick: less than a tick
            seconds = 0.01
        return requests / seconds / 1000

    # --- contenders ---

    def ours(self):
        image = self.images.get(self.format)
        program = self.bench.program("runtime", "workloads", "cotrace-nbd")
        return self.measure(lambda path: [
            program, "-k", path, "-t", "-f", self.format, "--aio", self.engine,
            "--cache", self.cache, image])

    def traced(self, *options):
        """The daemon that takes the events over is not pinned"""
        image = self.images.get(self.format)
        cotrace = self.bench.program("viewer", "cotrace")
        program = self.bench.program("runtime", "workloads", "cotrace-nbd")
        trace = os.path.join(self.bench.tmp, "nbd.trace")
        shutil.rmtree(trace, ignore_errors=True)

        def pid_of(record):
            place = f"/proc/{record.pid}/task/{record.pid}/children"
            with open(place, encoding="utf-8") as text:
                for child in text.read().split():
                    with open(f"/proc/{child}/comm", encoding="utf-8") as comm:
                        if comm.read().strip() == "cotrace-nbd":
                            return int(child)
            raise RuntimeError("no cotrace-nbd below cotrace record")

        try:
            return self.measure(lambda path: [
                cotrace, "record", "-o", trace, *options, "--", "taskset", "-c",
                str(self.bench.cpu), program, "-k", path, "-t", "-f",
                self.format, "--aio", self.engine, "--cache", self.cache,
                image], server_pid=pid_of, pinned=False)
        finally:
            shutil.rmtree(trace, ignore_errors=True)

    def scheduling(self):
        return self.traced(f"--events={SCHEDULING}")

    def qemu_nbd(self):
        if not shutil.which(QEMU_NBD):
            raise Missing(f"{QEMU_NBD} is not installed")
        image = self.images.get(self.format)
        return self.measure(lambda path: [
            QEMU_NBD, "-k", path, "-t", "-f", self.format, "--aio", self.engine,
            "--cache", self.cache, image])

    def nbdkit(self):
        if not shutil.which("nbdkit"):
            raise Missing("nbdkit is not installed")
        image = self.images.get(self.format)
        return self.measure(lambda path: ["nbdkit", "-f", "-U", path, "file",
                                          image])

    def storage_daemon(self):
        if not shutil.which(QSD):
            raise Missing(f"{QSD} is not installed")
        image = self.images.get(self.format)
        return self.measure(lambda path: [
            QSD, "--blockdev",
            f"driver=file,node-name=file,filename={image},aio={self.engine},"
            f"cache.direct={'on' if self.is_direct else 'off'}", "--blockdev",
            f"driver={self.format},node-name=disk,file=file", "--nbd-server",
            f"addr.type=unix,addr.path={path}", "--export",
            "type=nbd,id=e,node-name=disk,name=,writable=on"])


def row(bench, images, format, rw, depth, engine):
    load = Load(bench, images, format, f"rand{rw}", depth, engine)
    nbdkit = [("nbdkit file", load.nbdkit)] \
        if (format, engine) == ("raw", "threads") else []
    return Row(f"nbd-{format}-{rw}-{depth}-{engine}",
               f"NBD, {format}, {engine}, {rw}, depth {depth}", "k/s",
               [("ours", load.ours), (QEMU_NBD, load.qemu_nbd),
                (QSD, load.storage_daemon)] + nbdkit,
               Goal((QEMU_NBD, QSD), 1.25), more=True, turns=(3, True))


def traced_row(bench, images, format, rw, depth, engine):
    load = Load(bench, images, format, f"rand{rw}", depth, engine)
    return Row(f"nbd-{format}-{rw}-{depth}-{engine}-traced",
               f"NBD, {format}, {engine}, {rw}, depth {depth}, recorded",
               "k/s", [("ours", load.traced), (QEMU_NBD, load.qemu_nbd),
                       (UNRECORDED, load.ours)],
               Goal(QEMU_NBD, 1.0), more=True, turns=(3, True),
               also=Goal(UNRECORDED, 0.85))


def scheduling_row(bench, images, format, rw, depth, engine):
    load = Load(bench, images, format, f"rand{rw}", depth, engine)
    return Row(f"nbd-{format}-{rw}-{depth}-{engine}-scheduling",
               f"NBD, {format}, {engine}, {rw}, depth {depth}, scheduling",
               "k/s", [("ours", load.scheduling), (UNRECORDED, load.ours)],
               Goal(UNRECORDED, 0.95), more=True, turns=(3, True))


def rows(bench):
    images = Images(bench)
    which = [("raw", "read", 1, "threads"), ("raw", "read", 32, "threads"),
             ("raw", "write", 32, "threads"),
             ("raw", "read", 32, "io_uring"),
             ("raw", "write", 32, "io_uring"),
             ("raw", "read", 32, "native"),
             ("qcow2", "read", 32, "threads"),
             ("qcow2", "write", 32, "threads")]
    if bench.quick:  # each costs the start of several servers
        return [row(bench, images, *which[1]),
                traced_row(bench, images, *which[1])]
    return [row(bench, images, *each) for each in which] + [
        traced_row(bench, images, "raw", "read", 32, "threads"),
        traced_row(bench, images, "raw", "write", 32, "threads"),
        traced_row(bench, images, "raw", "read", 32, "io_uring"),
        traced_row(bench, images, "qcow2", "read", 32, "threads"),
        scheduling_row(bench, images, "raw", "read", 32, "threads")]
