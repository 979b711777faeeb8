# SPDX-License-Identifier: MIT
"""The views as components of babeltrace2's own command: the same answers."""
import os
import re
import subprocess
import sys
import tempfile

import story
import tap

PLUGINS = os.path.join(story.BUILD, "viewer")
VIEWS = {"stat", "requests", "backtrace", "coroutines", "findings",
         "chrome"}
_made = tempfile.TemporaryDirectory(prefix="cotrace-plugin-")
_trace = None


def trace():
    global _trace
    if _trace is None:
        image = story.image(os.path.join(_made.name, "img.qcow2"))
        path = os.path.join(_made.name, "trace")
        story.record(path, story.IO, "-f", "qcow2", "-r", *story.reads(),
                     image)
        _trace = path
    return _trace


def babeltrace(*words, status=0):
    done = subprocess.run(["babeltrace2", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, text=True,
                          stdin=subprocess.DEVNULL)
    if (done.returncode == 0) != (status == 0) or done.returncode < 0:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stderr}")
    return done


def view(name, params=None, status=0):
    words = [f"--plugin-path={PLUGINS}", trace(), "-c", f"sink.cotrace.{name}"]
    return babeltrace(*words, *(["-p", params] if params else []),
                      status=status)


@tap.case("babeltrace2 lists the plugin's components")
def _(tmp):
    out = babeltrace(f"--plugin-path={PLUGINS}", "list-plugins").stdout
    out = re.sub("\x1b\\[[0-9;]*m", "", out)
    tap.equal(set(re.findall(r"'?sink\.cotrace\.([a-z-]+)'?", out)), VIEWS)
    tap.equal(set(re.findall(r"'?source\.cotrace\.([a-z_-]+)'?", out)),
              {"text", "qemu_log"})
    called = {"critical-path": "critical_path", "output": "path",
              "debug-dir": "debug_dir"}
    for name in VIEWS:
        told = babeltrace(f"--plugin-path={PLUGINS}", "help",
                          f"sink.cotrace.{name}").stdout
        # a file is the command `render`, which also chooses what is in it
        command, more = ("render", {"request", "slowest", "format"}) \
            if name == "chrome" else (name, set())
        options = set(re.findall(
            r"^  .{4}--([a-z-]+)",
            story.run(story.COTRACE, command, "--help").out, re.M))
        assert options > more, options
        options -= more | {"help"}
        tap.equal(set(re.findall(r"([a-z_]+)=", told)),
                  {called.get(option, option) for option in options}, told)


@tap.case("requests, stat, ... print what the command prints")
def _(tmp):
    command = lambda *words: story.run(story.COTRACE, *words).out
    worker = story.requests(trace())[0]["workers"][0]
    for name, params, options in (
            ("requests", None, []),
            ("requests", "json=yes,all=yes", ["--json", "--all"]),
            ("requests", 'sort="latency",limit=3,json=yes',
             ["--sort=latency", "--limit=3", "--json"]),
            ("requests", 'layer="blk",json=no', ["--layer=blk"]),
            ("stat", None, []),
            ("stat", "json=yes", ["--json"]),
            ("coroutines", "at=1000000,json=yes", ["--at=1000000", "--json"]),
            ("backtrace", f"worker={worker}", [f"--worker={worker}"]),
            ("backtrace", "request=1,json=yes", ["--request=1", "--json"])):
        tap.equal(view(name, params).stdout,
                  command(name, trace(), *options), f"{name} {params}")


@tap.case("chrome writes the same file, whole")
def _(tmp):
    ours, theirs = os.path.join(tmp, "a.json"), os.path.join(tmp, "b.json")
    story.run(story.COTRACE, "render", trace(), "-o", ours)
    tap.equal(view("chrome", f'path="{theirs}"').stdout, "")
    with open(ours, encoding="utf-8") as one, \
            open(theirs, encoding="utf-8") as other:
        tap.equal(one.read() == other.read(), True, "the same text")
    tap.equal(sorted(os.listdir(tmp)), ["a.json", "b.json"])


@tap.case("a graph that is written out works as well")
def _(tmp):
    path = os.path.join(tmp, "out")
    inputs = [root for root, _, names in os.walk(trace())
              if "metadata" in names]
    tap.equal(len(inputs), 1)
    babeltrace(f"--plugin-path={PLUGINS}", "run",
               "--component", "in:source.ctf.fs",
               "--params", f'inputs=["{inputs[0]}"]',
               "--component", "mux:filter.utils.muxer",
               "--component", "out:sink.cotrace.requests",
               "--params", f'json=yes,path="{path}"',
               "--connect", "in:mux", "--connect", "mux:out")
    with open(path, encoding="utf-8") as file:
        tap.equal(file.read(), story.run(story.COTRACE, "requests", trace(),
                                         "--json").out)


@tap.case("wrong parameters and outputs are refused, nothing is left")
def _(tmp):
    path = os.path.join(tmp, "out")
    for name, params, says in (
            ("requests", f'path="{path}",limit="many"', "many"),
            ("requests", f'path="{path}",colour=3', "colour"),
            ("requests", f'path="{path}",all=3', "all"),
            ("requests", f'path="{path}",limit=yes', "limit"),
            ("requests", f'path="{path}",layer=[1]', "layer"),
            ("backtrace", f'path="{path}"', "request"),
            ("backtrace", f'path="{path}",worker=1', "1"),
            ("chrome", f'path="{tmp}/no/x"', "No such file"),
            ("chrome", 'path="/dev/full"', "No space left")):
        done = view(name, params, status=1)
        if says not in done.stderr:
            raise AssertionError(f"{says} not in {done.stderr}")
        tap.equal(os.listdir(tmp), [])


try:
    tap.main(sys.argv[1:])
finally:
    _made.cleanup()
