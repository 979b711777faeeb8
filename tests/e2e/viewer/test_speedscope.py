# SPDX-License-Identifier: MIT
"""The timeline in a real viewer: speedscope, in a headless browser.

What speedscope shows (its profiles, the frames of each and their total times)
must be what the checker, which reads the same file on its own, says.
"""
import os
import subprocess
import sys

import browser
import chrome_checker
import story
import tap

HERE = os.path.dirname(os.path.abspath(__file__))
PASS = os.environ["FAKE_PASS"]
# The one thing that it says on its console: an E has arguments that its B has
# not.  They stay out of the frame's name this way.
EXPECTED = "Ending"


def speedscope(profile, tmp):
    return browser.drive(os.path.join(HERE, "speedscope.js"), profile, tmp,
                         "picture", "speedscope")


def shown(ns):
    """A duration as speedscope prints it."""
    if ns >= 60 * 10 ** 9:
        return None
    for unit, size in (("s", 10 ** 9), ("ms", 10 ** 6), ("µs", 10 ** 3)):
        if ns >= size:
            return f"{ns / size:.2f}{unit}"
    return f"{ns:.2f}ns"


def totals(slices):
    """ns by name; inside of one of the same name counts once."""
    found = {}
    for slice_ in slices:
        parent = slice_.parent
        while parent and parent.name != slice_.name:
            parent = parent.parent
        if not parent:
            found[slice_.name] = (found.get(slice_.name, 0) +
                                  slice_.end - slice_.begin)
    return found


def check(profile, told):
    report = chrome_checker.check_file(profile)
    tap.equal(report.faults, [])
    tap.equal(told["failures"], [])
    tap.equal([line for line in told["console"] if EXPECTED not in line], [])
    tracks = {}
    for slice_ in report.slices:
        if slice_.phase != "i":
            tracks.setdefault((slice_.pid, slice_.tid), []).append(slice_)
    names = {track: f"{report.processes[track[0]]} (pid {track[0]}), "
                    f"{report.threads[track]} (tid {track[1]})"
             for track in tracks}
    tap.equal(told["profiles"], [names[track] for track in sorted(tracks)])
    for track, slices in tracks.items():
        expected = totals(slices)
        rows = told["frames"][names[track]]
        if not rows:
            raise AssertionError(f"no frames in {names[track]}")
        for row in rows:
            if row["name"] not in expected:
                raise AssertionError(f"{row} in {names[track]}: {expected}")
            total = row["total"].split(" ")[0]
            near = {shown(expected[row["name"]] + off) for off in (-5, 0, 5)}
            if total not in near:
                raise AssertionError(f"{row}: {near} in {names[track]}")
        if len(rows) < min(len(expected), 20):
            raise AssertionError(f"{rows} of {expected}")
    for picture in told["pictures"]:
        if os.path.getsize(picture) < 5000:
            raise AssertionError(f"{picture} is empty")


@tap.case("a simulated program: profiles, frames and their times")
def _(tmp):
    profile = os.path.join(tmp, "profile.json")
    subprocess.run([PASS, "chrome", f"path={profile}", "turns=40", "stuck"],
                   check=True, timeout=60)
    check(profile, speedscope(profile, tmp))


@tap.case("a recording of cotrace-io")
def _(tmp):
    if not os.path.exists(story.IO):
        tap.skip("built without recording")
    profile = os.path.join(tmp, "profile.json")
    image = story.image(os.path.join(tmp, "img.qcow2"))
    trace = os.path.join(tmp, "trace")
    story.record(trace, story.IO, "-f", "qcow2", "-r",
                 *story.reads(story.READS[:3]), image)
    story.run(story.COTRACE, "render", trace, "-o", profile)
    told = speedscope(profile, tmp)
    check(profile, told)
    names = {row["name"] for rows in told["frames"].values() for row in rows}
    for name in ("poll main", "kernel wait", "BH thread_pool_completion_bh",
                 "work-running", "work-queued"):
        if name not in names:
            raise AssertionError(f"{name} not in {sorted(names)}")
    if not any(name.startswith("coroutine qcow2_") for name in names):
        raise AssertionError(sorted(names))


tap.main(sys.argv[1:])
