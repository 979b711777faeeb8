#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The installed tree, as somebody who writes a program for the runtime sees it.

Everything here is what `meson install` gives: the compiler finds the library by
pkg-config, the installed `cotrace` records the program.
"""
import os
import shlex
import shutil
import subprocess
import sys

import story
import tap

SOURCE = os.environ["MESON_SOURCE_ROOT"]
EXAMPLES = os.path.join(SOURCE, "examples")
CC = shlex.split(os.environ.get("CC", "cc"))


def install(tmp):
    """Return: where the tree lies, the prefix below a staging directory."""
    stage = os.path.join(tmp, "stage")
    story.run("meson", "install", "-C", story.BUILD, "--no-rebuild", "--quiet",
              env={"DESTDIR": stage})
    options = story.parse(story.run("meson", "introspect", "--buildoptions",
                                    story.BUILD).out)
    prefix = stage + next(option["value"] for option in options
                          if option["name"] == "prefix")
    if not os.path.isdir(prefix):
        raise AssertionError(f"not installed: {os.listdir(stage)}")
    return prefix


def find(prefix, name):
    found = [os.path.join(top, name)
             for top, _, files in os.walk(prefix) if name in files]
    tap.equal(len(found), 1, f"installed: {name}")
    return found[0]


def flags(prefix):
    pc = os.path.dirname(find(prefix, "cotrace-runtime.pc"))
    path = [pc] + list(filter(None, [os.environ.get("PKG_CONFIG_PATH")]))
    out = story.run("pkg-config", "--cflags", "--libs", "cotrace-runtime",
                    env={"PKG_CONFIG_PATH": ":".join(path)}).out
    return shlex.split(out)


def compile_example(tmp, prefix, name):
    program = os.path.join(tmp, name)
    story.run(*CC, "-O2", "-g", "-Wall", "-Wextra", "-Werror",
              os.path.join(EXAMPLES, name + ".c"), "-o", program,
              *flags(prefix))
    return program


@tap.case("every public header can be included alone")
def _(tmp):
    prefix = install(tmp)
    headers = os.path.join(prefix, "include", "cotrace", "ct")
    names = sorted(os.listdir(headers))
    for name in ("aio.h", "block.h", "coroutine.h", "pool.h", "sync.h",
                 "traced.h"):
        if name not in names:
            raise AssertionError(f"{name} is not installed: {names}")
    for name in names:
        story.run(*CC, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c",
                  "-include", f"ct/{name}", os.devnull, *flags(prefix))


CPLUSPLUS = r"""
#include <ct/aio.h>
#include <ct/block.h>
#include <ct/coroutine.h>
#include <ct/pool.h>
#include <ct/sync.h>
#include <ct/traced.h>
#include <cstdio>

static int work(void *arg) { return *static_cast<int *>(arg); }

static void entry(void *opaque)
{
    int arg = 42;
    CtRequest *request = ct_request_begin("c++", "work", nullptr, 0, 0);
    ThreadPool *pool = aio_get_thread_pool(aio_context_current());
    *static_cast<int *>(opaque) = thread_pool_submit_co(pool, work, &arg);
    ct_request_end(request, 0);
}

int main()
{
    AioContext *ctx = aio_context_new("main", nullptr);
    int result = 0;
    aio_context_set_current(ctx);
    coroutine_enter(coroutine_create(entry, &result));
    AIO_WAIT_WHILE(ctx, result == 0);
    std::printf("%d\n", result);
    aio_context_set_current(nullptr);
    aio_context_unref(ctx);
}
"""


@tap.case("a program in C++: every header alone, built, run")
def _(tmp):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        tap.skip("no C++ compiler")
    prefix = install(tmp)
    for name in os.listdir(os.path.join(prefix, "include", "cotrace", "ct")):
        story.run(compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x",
                  "c++", "-include", f"ct/{name}", os.devnull, *flags(prefix))
    source = os.path.join(tmp, "program.cc")
    with open(source, "w", encoding="ascii") as out:
        out.write(CPLUSPLUS)
    program = os.path.join(tmp, "program")
    story.run(compiler, "-O2", "-Wall", "-Wextra", "-Werror", source, "-o",
              program, *flags(prefix))
    tap.equal(story.run(program).out, "42\n", "what it prints")


@tap.case("an example: built, recorded, its requests and backtraces whole")
def _(tmp):
    prefix = install(tmp)
    program = compile_example(tmp, prefix, "checksum")
    files = []
    for number in range(3):
        files.append(os.path.join(tmp, f"file{number}"))
        with open(files[-1], "wb") as out:
            out.write(bytes([number]) * 5000)
    missing = os.path.join(tmp, "missing")
    cotrace = find(prefix, "cotrace")
    trace = os.path.join(tmp, "trace")
    told = story.run(cotrace, "record", "-o", trace, "--", program, *files,
                     missing).out
    sums = dict(reversed(line.split()[:2]) for line in told.splitlines()
                if line.split()[1:2] and line.split()[1].startswith(tmp))
    tap.equal(set(sums), {*files, missing}, told)

    found = [story.parse(line) for line in
             story.run(cotrace, "requests", trace, "--json").out.splitlines()]
    tap.equal(sorted((r["layer"], r["op"], r["node"], r["ret"])
                     for r in found),
              sorted([("checksum", "sum", name, 0) for name in files]
                     + [("checksum", "sum", missing, -2)]))
    story.check_sums(found)
    for request in found:
        tap.equal(request["complete"], True, request)
        tap.equal({segment["state"] for segment in request["segments"]}
                  & {"work-running"}, {"work-running"}, request)

    back = story.parse(story.run(cotrace, "backtrace", trace, "--request=1",
                                 "--json").out)
    names = [frame["function"] for frame in back["frames"]
             if "function" in frame]
    at = 0
    for name in ("thread_pool_submit_co", "sum_file", "aio_co_enter", "main"):
        at = names.index(name, at)
    tap.equal(back["complete"], True, back)


@tap.case("without cotrace the program does the same")
def _(tmp):
    prefix = install(tmp)
    program = compile_example(tmp, prefix, "checksum")
    told = story.run(program, program, env={"COTRACE_PROVIDER": ""}).out
    tap.equal(told.split()[1], program, told)


@tap.case("babeltrace2 finds the installed plugin")
def _(tmp):
    plugins = os.path.dirname(find(install(tmp), "babeltrace-plugin-cotrace.so"))
    out = subprocess.run(["babeltrace2", f"--plugin-path={plugins}",
                          "list-plugins"], stdout=subprocess.PIPE, text=True,
                         timeout=story.TIMEOUT, check=True).stdout
    if "requests" not in out or "cotrace" not in out:
        raise AssertionError(out)


if __name__ == "__main__":
    tap.main(sys.argv[1:])
