#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Names of a stripped program: from debug information in directories, and from
a debuginfod server if the user has named one."""
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import story
import tap

CONTEXTS = os.path.join(story.BUILD, "tests", "programs", "contexts")
FUNCTIONS = ["swapcontext", "leave_here", "waits_here", "generate"]


def stripped(tmp):
    """The program without symbols, its debug information, and its build id."""
    for tool in ("objcopy", "readelf"):
        if not shutil.which(tool):
            tap.skip(f"{tool} is not installed")
    program, debug = (os.path.join(tmp, name) for name in ("prog", "x.debug"))
    story.run("objcopy", "--only-keep-debug", CONTEXTS, debug)
    story.run("objcopy", "--strip-all", "--remove-section=.gnu_debuglink",
              CONTEXTS, program)
    out = story.run("readelf", "-n", program).out
    return program, debug, re.search(r"Build ID: ([0-9a-f]+)", out)[1]


def recorded(tmp):
    program, debug, build_id = stripped(tmp)
    trace = os.path.join(tmp, "trace")
    story.record(trace, program, "swap", options=("--preload",))
    return program, trace, debug, build_id


def own(trace, *options, **more):
    told = story.document("backtrace", trace, "--coroutine=1", *options, **more)
    return story.pieces(told["frames"])[0][1]


def check_unnamed(frames, program):
    """As file and offset."""
    tap.equal([(f["function"], f["image"], f["image_offset"] is not None)
               for f in frames[1:4]], 3 * [(None, program, True)], "no names")


def check_named(frames):
    tap.equal([f["function"] for f in frames[:4]], FUNCTIONS, "names")
    tap.equal({os.path.basename(f["file"]) for f in frames[1:4]},
              {"contexts.c"}, "lines")


@tap.case("debug information in --debug-dir, by its build id, and only by that")
def _(tmp):
    program, trace, debug, build_id = recorded(tmp)
    check_unnamed(own(trace), program)
    place = os.path.join(tmp, "dir", ".build-id", build_id[:2])
    os.makedirs(place)
    there = os.path.join(place, build_id[2:] + ".debug")
    shutil.copy(debug, there)
    directory = os.path.join(tmp, "dir")
    check_named(own(trace, f"--debug-dir={directory}"))
    check_named(own(trace, f"--debug-dir=/nowhere:{directory}"))
    check_unnamed(own(trace, "--debug-dir=/nowhere"), program)
    for options, is_named in (((), False), ((f"--debug-dir={directory}",), True)):
        timeline = story.run(story.COTRACE, "render", trace, "-o", "-",
                             "--format=chrome", *options).out
        tap.equal(FUNCTIONS[3] in timeline, is_named, f"render {options}")
    text = story.run(story.COTRACE, "backtrace", trace, "--coroutine=1").out
    tap.equal(f"?? () from {program}+0x" in text, True, text)
    # another program's, under that name
    story.run("objcopy", "--only-keep-debug",
              os.path.join(story.BUILD, "tests", "programs", "hooked"), there)
    check_unnamed(own(trace, f"--debug-dir={directory}"), program)


@tap.case("debug information that the program's link names")
def _(tmp):
    program, debug, _ = stripped(tmp)
    story.run("objcopy", f"--add-gnu-debuglink={debug}", program)
    trace = os.path.join(tmp, "trace")
    story.record(trace, program, "swap", options=("--preload",))
    check_named(own(trace))  # beside the program
    os.makedirs(os.path.join(tmp, "elsewhere"))
    os.rename(debug, os.path.join(tmp, "elsewhere", "x.debug"))
    check_unnamed(own(trace), program)
    check_named(own(trace, f"--debug-dir={tmp}/elsewhere"))


class Server:
    """debuginfod, as much of it as is asked for."""

    def __init__(self, files):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                data = files.get(self.path)
                self.send_response(200 if data else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def has_client():
    return any("libdebuginfod.so.1" in line for line in subprocess.run(
        ["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE,
        text=True).stdout.splitlines())


@tap.case("debuginfod: asked if the user named servers, and never else")
def _(tmp):
    if not has_client():
        tap.skip("libdebuginfod is not installed")
    program, trace, debug, build_id = recorded(tmp)
    with open(debug, "rb") as file:
        data = file.read()
    cache = os.path.join(tmp, "cache")

    def env(url):
        return {"DEBUGINFOD_URLS": url, "DEBUGINFOD_CACHE_PATH": cache,
                "no_proxy": "*", "http_proxy": ""}
    with Server({f"/buildid/{build_id}/debuginfo": data}) as server:
        check_unnamed(own(trace, env=env("")), program)
        tap.equal(server.asked, [], "nobody is asked")
        check_named(own(trace, env=env(server.url)))
        tap.equal(f"/buildid/{build_id}/debuginfo" in server.asked, True,
                  server.asked)
    shutil.rmtree(cache)
    # what it says is another program's
    story.run("objcopy", "--only-keep-debug",
              os.path.join(story.BUILD, "tests", "programs", "hooked"), debug)
    with open(debug, "rb") as file:
        data = file.read()
    with Server({f"/buildid/{build_id}/debuginfo": data}) as server:
        check_unnamed(own(trace, env=env(server.url)), program)
    shutil.rmtree(cache)
    # it knows nothing; it is not there; it takes the call and never answers
    with Server({}) as server:
        check_unnamed(own(trace, env=env(server.url)), program)
        gone = server.url
    shutil.rmtree(cache, ignore_errors=True)
    check_unnamed(own(trace, env=env(gone)), program)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        begun = time.monotonic()
        shutil.rmtree(cache, ignore_errors=True)
        check_unnamed(own(trace, env={
            **env(f"http://127.0.0.1:{deaf.getsockname()[1]}"),
            "DEBUGINFOD_TIMEOUT": "1"}), program)
        tap.note(f"{time.monotonic() - begun:.1f} s for one that is deaf")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
