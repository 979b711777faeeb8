#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cotrace record --preload: programs without tracepoints, and that they run as
they do without it."""
import os
import shutil
import subprocess
import sys

import story
import tap
from preloaded import check_items, check_workers, names_of

PROGRAMS = os.path.join(story.BUILD, "tests", "programs")
CONTEXTS = os.path.join(PROGRAMS, "contexts")
HOOKED = os.path.join(PROGRAMS, "hooked")
LIMITS = os.path.join(PROGRAMS, "limits")
STATIC = os.path.join(PROGRAMS, "static")
SOAK = os.environ.get("COTRACE_SOAK") == "1"


def events(trace):
    """[(name, {field: text})] in order."""
    out = subprocess.run(["babeltrace2", trace], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    found = []
    for line in out.splitlines():
        name = next(w for w in line.split() if ":" in w and w.endswith(":")
                    and not w.startswith("["))[:-1]
        fields = {}
        for part in line[line.rindex("{") + 1:line.rindex("}")].split(","):
            key, equals, value = part.partition(" = ")
            if equals:
                fields[key.strip()] = value.strip()
        found.append((name, fields))
    return found


def record(place, *command, status=0, **more):
    """The trace, and that the program did what it does without."""
    trace = os.path.join(place, "trace")
    shutil.rmtree(trace, ignore_errors=True)
    plain = story.run(*command, status=status, **more)
    done = story.record(trace, *command, options=("--preload",), status=status,
                        **more)
    tap.equal(done.out, plain.out, "stdout")
    tap.equal([line for line in done.err.splitlines()
               if not line.startswith("cotrace: ")], plain.err.splitlines(),
              "stderr")
    return trace, done


@tap.case("coroutines that swap contexts: made, entered, ended; back to main")
def _(place):
    trace, _ = record(place, CONTEXTS, "swap")
    found = events(trace)
    of = [name for name, _ in found]
    tap.equal(of.count("cotrace:native_stack"), 3, "made")
    tap.equal(of.count("cotrace:native_stack_end"), 3, "ended")
    # 4 values of each, the last enter, and the values' ways back
    switches = [f["how"].split('"')[1] for n, f in found
                if n == "cotrace:native_switch"]
    tap.equal(switches.count("swap"), 3 * (4 + 1 + 4), "swaps")
    tap.equal(story.document("coroutines", trace)["groups"], [], "none is left")
    for number in (1, 2, 3):
        told = story.document("backtrace", trace, f"--coroutine={number}")
        tap.equal(told["complete"], True, "complete")
        (_, own), (boundary, outer) = story.pieces(told["frames"])
        tap.equal(names_of(own), ["swapcontext", "leave_here", "waits_here",
                               "generate", "ct_switch_begin"], "its own")
        tap.equal(boundary["boundary"], "coroutine", "boundary")
        shown = names_of(outer)
        tap.equal((shown[:2], "main" in shown, shown[-1]),
                  (["swapcontext", "enter_here"], True, "_start"), "outside")


@tap.case("coroutines that siglongjmp(): they wait for ever")
def _(place):
    trace, _ = record(place, CONTEXTS, "jump")
    switches = [f["how"].split('"')[1] for n, f in events(trace)
                if n == "cotrace:native_switch"]
    tap.equal((switches.count("swap"), switches.count("jump"),
               switches.count("seen")), (3, 3 + 3 * 2 * 5, 0), "switches")
    groups = story.document("coroutines", trace)["groups"]
    waiting = [co["id"] for group in groups for co in group["coroutines"]]
    tap.equal(sorted(waiting), [1, 2, 3], "waiting")
    for group in groups:
        (_, own), (_, outer) = story.pieces(group["frames"])
        tap.equal(names_of(own), ["siglongjmp", "leave_here", "waits_here",
                               "generate", "ct_switch_begin"], "its own")
        tap.equal(names_of(outer)[:2], ["swapcontext", "make_here"], "made by")


@tap.case("many switches: none is lost, and they pair")
def _(place):
    trace, done = record(place, CONTEXTS, "swap", 2000)
    tap.equal("0 lost" in done.err, True, done.err)
    at = "0x0"
    for name, fields in events(trace):
        if name == "cotrace:native_switch":
            tap.equal(fields["from"], at, "where the thread was")
            at = fields["to"]


for mode, status in (("signals", 0), ("fork", 0), ("threads", 0),
                     ("early", 7), ("arguments", 0), ("errors", 0),
                     ("jumps", 0), ("limits", 0), ("preempts", 0)):
    def run(place, mode=mode, status=status):
        program = LIMITS if mode in ("limits", "preempts") else HOOKED
        trace, done = record(place, program, mode, status=status)
        tap.equal("0 lost" in done.err, True, done.err)
        of = [name for name, _ in events(trace)]
        tap.equal("cotrace:native_switch" in of or mode in ("errors",), True,
                  "something was recorded")
        if mode == "threads":
            count = {n: of.count(f"cotrace:thread_{n}")
                     for n in ("create", "start", "exit")}
            tap.equal((count["create"], count["exit"] <= count["start"]),
                      (201, True), "threads, the early one included")
        if mode in ("jumps", "limits", "preempts"):
            # the last thing that it does is recorded, too
            tap.equal([fields["ret"] for name, fields in events(trace)
                       if name == "cotrace:native_io_end"][-1], "-9", "last")
            tap.equal("complete" in done.err, False, done.err)
        if mode == "errors":
            ends = [fields["ret"] for name, fields in events(trace)
                    if name in ("cotrace:native_io_end",
                                "cotrace:native_wait_end")]
            tap.equal(ends, ["-9", "-9", "-9", "0", "-110", "-110"], "results")
            tap.equal(of.count("cotrace:native_wake"), 1, "eventfd, open once")
    tap.case(f"a program is not disturbed: {mode}")(run)


@tap.case("LD_PRELOAD that is there already comes first and stays")
def _(place):
    first = os.path.join(place, "first.so")
    source = os.path.join(place, "first.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <stdio.h>\n"
                   "__attribute__((constructor)) static void hello(void)\n"
                   '{ fputs("first\\n", stderr); }\n')
    story.run("cc", "-shared", "-fPIC", "-o", first, source)
    trace = os.path.join(place, "trace")
    done = story.record(trace, "sh", "-c", "echo $LD_PRELOAD",
                        options=("--preload",), env={"LD_PRELOAD": first})
    tap.equal(done.out.strip().split(":"), [
        first, os.path.join(story.BUILD, "tracepoints", "preload",
                            "libcotrace-preload.so")], "LD_PRELOAD")
    tap.equal("first" in done.err.splitlines(), True, "it was loaded")


def compiled(place, name, text, *words):
    """A shared object of this C text; skips where that can't be made."""
    if not shutil.which("cc"):
        tap.skip("no compiler here")
    source, module = (os.path.join(place, name + end) for end in (".c", ".so"))
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    if story.run("cc", "-shared", "-fPIC", "-o", module, source, *words,
                 status=None).returncode != 0:
        tap.skip(f"no library to link with: {words}")
    return module


CALLS = """
extern int io_submit(void *, long, void **);
int call_it(void);
int call_it(void) { return io_submit(0, 0, 0); }
"""


@tap.case("functions of a library that is opened later, for its opener alone")
def _(place):
    module = compiled(place, "m", CALLS, "-laio")
    record(place, HOOKED, "later", module)


@tap.case("functions of libraries under any name: each opener's own, also later")
def _(place):
    modules = []
    for number in (41, 42):
        library = compiled(
            place, f"libaio-{number}d0c3",
            "int io_submit(void *ring, long n, void **r);\n"
            "int io_submit(void *ring, long n, void **r)\n"
            f"{{ return -{number}; }}\n",
            f"-Wl,-soname,libaio-{number}d0c3.so.1.0")
        os.rename(library, os.path.join(place, f"libaio-{number}d0c3.so.1.0"))
        # nobody but the module needs it, and nobody says so but the module
        modules.append(compiled(place, f"m{number}", CALLS, f"-L{place}",
                                f"-l:libaio-{number}d0c3.so.1.0",
                                f"-Wl,-rpath,{place}"))
    _, done = record(place, HOOKED, "later", *modules)
    tap.equal(done.out.split()[::3], ["-41", "-42", "-42", "-41"], "whose")


@tap.case("functions of a library that its caller has from who opened it")
def _(place):
    library = compiled(place, "libown",
                       "int io_submit(void *ring, long n, void **r);\n"
                       "int io_submit(void *ring, long n, void **r)\n"
                       "{ return -43; }\n", "-Wl,-soname,libown.so")
    helper = compiled(place, "libhelper", CALLS.replace("call_it", "helps"),
                      "-Wl,-soname,libhelper.so")
    module = compiled(place, "m43", "extern int helps(void);\n"
                      "int call_it(void);\n"
                      "int call_it(void) { return helps(); }\n",
                      "-Wl,--no-as-needed", helper, library,
                      f"-Wl,-rpath,{place}")
    _, done = record(place, HOOKED, "later", module)
    tap.equal(done.out.split()[::3], ["-43", "-43"], "the opener's")


@tap.case("coroutines of a library that others wrote: GNU Pth")
def _(place):
    portable = os.path.join(PROGRAMS, "portable")
    if not os.path.exists(portable):
        tap.skip("GNU Pth was not there to build with")
    trace, done = record(place, portable, 5)
    tap.equal((done.out, "0 lost" in done.err), ("15030\n", True), done.err)
    of = [name for name, _ in events(trace)]
    # the consumer, three producers and the library's own scheduler
    tap.equal(of.count("cotrace:native_stack"), 5, "made")
    functions = set()
    for number in range(1, 6):
        told = story.document("backtrace", trace, f"--coroutine={number}")
        pieces = story.pieces(told["frames"])
        functions.update(names_of(pieces[0][1]))
        tap.equal("main" in names_of(pieces[-1][1]), True, told)
    for name in ("swapcontext", "waits_here", "produce", "consume"):
        tap.equal(name in functions, True, f"{name} in {functions}")


@tap.case("processes that end while their threads are recorded")
def _(place):
    times = 500 if SOAK else 40
    trace = os.path.join(place, "trace")
    done = story.record(trace, os.path.join(PROGRAMS, "leaving"), str(times),
                        options=("--preload",))
    tap.equal(done.out, f"{times}\n", "how many ended well")
    tap.note(f"{times} processes")


@tap.case("what has more rights than its user is said, and runs")
def _(place):
    if os.geteuid() == 0:
        owner = 65534  # anybody else
        program = shutil.copy(CONTEXTS, place)
        os.chown(program, owner, -1)
        os.chmod(program, 0o4755)
    else:
        program = shutil.which("passwd")
        if not program or not os.stat(program).st_mode & 0o4000:
            tap.skip("no program of root's here")
    words = ["swap"] if os.geteuid() == 0 else ["--help"]
    done = record(place, program, *words, status=None)[1]
    tap.equal("it has more rights than its user (set-user-ID and the like), so "
              "nothing can be preloaded into it" in done.err, True, done.err)


@tap.case("what is linked with another C library is said, and runs")
def _(place):
    if not shutil.which("musl-gcc"):
        tap.skip("no musl-gcc here")
    source, program = (os.path.join(place, name) for name in ("m.c", "m"))
    with open(source, "w", encoding="utf-8") as file:
        file.write('#include <stdio.h>\nint main(void)\n'
                   '{ puts("musl"); return 4; }\n')
    story.run("musl-gcc", "-o", program, source)
    done = record(place, program, status=4)[1]
    tap.equal("it is linked with another C library (ld-musl-" in done.err, True,
              done.err)
    tap.equal(len([line for line in done.err.splitlines()
                   if "not recorded:" in line]), 1, "one line")


@tap.case("what can't be preloaded into is said, and runs")
def _(place):
    _, done = record(place, STATIC, "swap")
    tap.equal("statically linked, so nothing can be preloaded" in done.err,
              True, done.err)


@tap.case("a program that was not made for this: Debian's qemu-io")
def _(place):
    if not shutil.which("qemu-io"):
        tap.skip("no qemu-io here")
    disk = story.image(os.path.join(place, "disk.qcow2"))
    trace, _ = record(place, "qemu-io", "-f", "qcow2", *story.reads(), disk)
    whole = 0
    for group in story.document("coroutines", trace)["groups"]:
        for frames in [group["frames"]]:
            pieces = story.pieces(frames)
            tap.equal(names_of(pieces[0][1])[:2],
                      ["siglongjmp", "qemu_coroutine_switch"], "its own")
            whole += len(pieces) > 1 and "main" in names_of(pieces[-1][1])
    tap.equal(whole > 0, True, "back to main")


@tap.case("QEMU as packaged, with its log: one worker back to main; items")
def _(place):
    if not shutil.which("qemu-io"):
        tap.skip("no qemu-io here")
    disk = story.image(os.path.join(place, "disk.qcow2"))
    trace = os.path.join(place, "trace")
    words = ["qemu-io", "-f", "qcow2", *story.reads(), "-c",
             "aio_write -q 24M 256k", "-c", "aio_flush", disk]
    done = story.record(trace, *words, options=("--qemu",))
    tap.equal((done.out, "0 lost" in done.err), ("", True), done.err)

    found, workers, requests = check_items(trace)
    states = {s["state"] for r in requests for s in r["segments"]}
    tap.equal({"work-queued", "work-running", "work-done"} <= states, True,
              f"queue, run and completion are three states: {states}")
    tap.equal({tid for r in requests for tid in r["workers"]}, workers,
              "workers of requests")
    check_workers(trace, workers)
    tap.equal({s.get("file") for r in requests for s in r["segments"]
               if s["state"] == "work-running"}, {disk}, "their file")
    picture = os.path.join(place, "picture.json")
    story.run(story.COTRACE, "render", trace, "-o", picture)
    with open(picture, encoding="utf-8") as file:
        woken = {e["tid"] for e in story.parse(file.read())["traceEvents"]
                 if e["ph"] == "s" and e["name"] == "eventfd"}
    tap.equal(woken and woken <= workers, True, f"the loop's wakers {woken}")
    tap.note(f"{len(found)} items, {len(workers)} workers, "
             f"{len(requests)} requests")


@tap.case("the others of QEMU's programs: one worker back to main")
def _(place):
    disk = story.image(os.path.join(place, "disk.qcow2"))
    qmp = os.path.join(place, "qmp")
    with open(qmp, "w", encoding="utf-8") as file:
        file.write('{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n')
    nodes = [f"driver=file,node-name=f,filename={disk}",
             "driver=qcow2,node-name=q,file=f"]
    commands = [
        ["qemu-storage-daemon", "--blockdev", nodes[0], "--blockdev", nodes[1],
         "--chardev", "stdio,id=c", "--monitor", "chardev=c"],
        ["qemu-system-x86_64", "-M", "none", "-display", "none", "-serial",
         "none", "-sandbox", "on", "-qmp", "stdio", "-blockdev", nodes[0],
         "-blockdev", nodes[1]],
    ]
    told = 0
    for command in commands:
        if not shutil.which(command[0]):
            tap.note(f"no {command[0]} here")
            continue
        trace = os.path.join(place, command[0])
        with open(qmp, "rb") as stdin:
            done = story.record(trace, *command, stdin=stdin,
                                options=("--qemu",))
        tap.equal("0 lost" in done.err, True, done.err)
        found, workers, requests = check_items(trace)
        tap.equal(len(workers) > 0, True, f"workers of {command[0]}")
        check_workers(trace, workers)
        tap.note(f"{command[0]}: {len(found)} items, {len(workers)} workers, "
                 f"{len(requests)} requests")
        told += 1
    if not told:
        tap.skip("neither qemu-storage-daemon nor qemu-system-x86_64 here")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
