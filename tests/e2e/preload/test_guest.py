#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Under load: a guest under TCG does with the preloaded library what it does
without it: it boots from virtio-blk and from NVMe, reads and writes, while
block jobs copy its disks and snapshots are taken of them.

A sample; more turns with COTRACE_SOAK=1.
"""
import os
import subprocess
import sys

import story
import tap
from preloaded import check_items
from qemu import Monitor, boot_sector, until

SOAK = os.environ.get("COTRACE_SOAK") == "1"
TURNS = 20 if SOAK else 1
READS = 24
SIZE = "4M"


class Machine:
    """It boots from disk number @boot."""

    def __init__(self, place, devices, boot, sector, trace=None):
        os.makedirs(place)
        self.place, self.trace = place, trace
        words = ["qemu-system-x86_64", "-accel", "tcg", "-m", "16", "-S",
                 "-display", "none", "-vga", "none", "-nic", "none",
                 "-monitor", "none", "-serial", "stdio", "-qmp",
                 f"unix:{place}/q,server=on,wait=off", "-sandbox",
                 "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
                 "resourcecontrol=deny", "-object", "iothread,id=t"]
        for i, device in enumerate(devices):
            raw, image = self.image(f"{i}.raw"), self.image(f"{i}.qcow2")
            with open(raw, "wb") as file:
                file.write(sector)
                file.truncate(4 << 20)
            story.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw,
                      image)
            first = 0 if i == boot else i + 1
            words += ["-drive", f"if=none,id=d{i},node-name=n{i},"
                                f"format=qcow2,file={image}",
                      "-device", f"{device},drive=d{i},bootindex={first}"]
        for name in ("copy", "mirror"):
            story.run("qemu-img", "create", "-q", "-f", "raw",
                      self.image(name + ".raw"), SIZE)
            words += ["-blockdev", f"driver=file,node-name={name},"
                                   f"filename={self.image(name + '.raw')}"]
        if trace:
            words = [story.COTRACE, "record", "--qemu", "-o", trace, "--",
                     *words]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def image(self, name):
        return os.path.join(self.place, name)

    def __enter__(self):
        try:
            self.monitor = Monitor(self.image("q"),
                                   lambda: self.process.poll() is None)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def job(self, what, name, **arguments):
        """One from its begin to its end; how it ended."""
        self.monitor(what, **{"job-id": name, **arguments})
        return self.finish(name)

    def finish(self, name):
        is_asked = False  # to complete, once: it may be gone the next time

        def ended():
            nonlocal is_asked
            for job in self.monitor("query-jobs")["return"]:
                if job["id"] == name and job["status"] == "ready" and \
                        not is_asked:
                    is_asked = True
                    self.monitor("job-complete", id=name)
                if job["id"] == name and job["status"] != "concluded":
                    return False
            return True
        until(ended, f"{name} has ended")
        left = [job for job in self.monitor("query-jobs")["return"]
                if job["id"] == name]  # a block job dismisses itself
        for job in left:
            self.monitor("job-dismiss", id=name)
        return [job.get("error") for job in left]


def boots(place, devices, boot, sector, trace):
    """What the guest printed, how jobs ended, what is left, and the status."""
    told = []
    with Machine(place, devices, boot, sector, trace) as machine:
        monitor = machine.monitor
        # a copy before anything runs, and a snapshot under the guest
        told.append(machine.job("blockdev-backup", "b", device="n1",
                                target="copy", sync="full"))
        monitor("blockdev-snapshot-sync", **{
            "node-name": "n2", "snapshot-file": machine.image("over.qcow2"),
            "snapshot-node-name": "over", "format": "qcow2"})
        monitor("blockdev-mirror", **{"job-id": "m", "device": "n0",
                                      "target": "mirror", "sync": "full"})
        monitor("cont")
        lines = []
        while not lines or lines[-1] not in ("D\n", ""):
            lines.append(machine.process.stdout.readline().replace(place, ""))
        told.append(lines[1:])  # the first is of the snapshot
        told.append(machine.finish("m"))
        monitor("stop")
        for turn in range(TURNS):
            # of the machine, within n1; one with NVMe is refused
            for what in ("save", "load", "delete"):
                names = {"tag": f"s{turn}", "devices": ["n1"]}
                if what != "delete":
                    names["vmstate"] = "n1"
                told.append(machine.job(f"snapshot-{what}", "s", **names))
            monitor("blockdev-snapshot-internal-sync", device="d1", name="i")
            monitor("blockdev-snapshot-delete-internal-sync", device="d1",
                    name="i")
        told.append(machine.job("block-commit", "c", device="over"))
        monitor("quit")
        out, err = machine.process.communicate(timeout=story.TIMEOUT)
        told += [out, machine.process.returncode]
    says = [line for line in err.splitlines()
            if not line.startswith("cotrace: ")]
    return told + [says], err


def contents(place, name):
    """As a guest would read it."""
    raw = os.path.join(place, "read.raw")
    story.run("qemu-img", "convert", "-f", name.rsplit(".", 1)[1], "-O", "raw",
              os.path.join(place, name), raw)
    with open(raw, "rb") as file:
        return file.read()


VIRTIO, NVME, IOTHREAD = ("virtio-blk-pci", "nvme,serial=n",
                          "virtio-blk-pci,iothread=t")
for devices, boot, which in (
        ((IOTHREAD, VIRTIO, VIRTIO), 0, "virtio-blk with an iothread"),
        ((IOTHREAD, NVME, VIRTIO), 1, "NVMe")):
    def guest(tmp, devices=devices, boot=boot):
        n = len(devices)
        sector = boot_sector(tmp, DISKS=n, READS=READS, WRITES=1)
        trace = os.path.join(tmp, "trace")
        plain, _ = boots(os.path.join(tmp, "plain"), devices, boot, sector,
                         None)
        recorded, err = boots(os.path.join(tmp, "recorded"), devices, boot,
                              sector, trace)
        tap.equal(recorded, plain, "what it printed, its jobs, its status")
        tap.equal(plain[1], n * [READS * "." + "\n"] + ["D\n"], "it ran")
        tap.equal(plain[3] == [None], NVME not in devices, f"saved: {plain}")
        for name in ("0.qcow2", "1.qcow2", "2.qcow2", "copy.raw",
                     "mirror.raw"):
            tap.equal(contents(os.path.join(tmp, "recorded"), name) ==
                      contents(os.path.join(tmp, "plain"), name), True,
                      f"{name} is the same")
            if name.endswith("qcow2"):
                story.run("qemu-img", "check", "-q", "-f", "qcow2",
                          os.path.join(tmp, "recorded", name))
        found = story.requests(trace)
        layers = {layer: len([r for r in found if r["layer"] == layer])
                  for layer in ("virtio-blk", "nvme", "job")}
        tap.equal((layers["virtio-blk"] + layers["nvme"] >= 2 * n * READS,
                   layers["nvme"] >= 2 * READS, layers["job"] >= 3),
                  (True, NVME in devices, True), layers)
        if " 0 lost" in err:
            items, workers, _ = check_items(trace, unknown=lambda _: True)
            tap.note(f"{layers}, {len(items)} items, {len(workers)} workers")
        else:
            tap.note(err)
    tap.case(f"a guest that boots from {which}, with jobs and snapshots, in "
             "QEMU's sandbox: all is the same")(guest)


if __name__ == "__main__":
    tap.main(sys.argv[1:])
