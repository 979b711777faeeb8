# SPDX-License-Identifier: MIT
"""Run inside gdb: at every stack that the program records, what gdb sees.

The emitters call ct_stack_captured(id) while the frame of the event is still
live; a breakpoint there holds the program, and gdb's own backtrace of that
thread is written to $TRUTH_OUT, one JSON object a line:
{"stack": "0x…", "lwp": N, "frames": [{"address", "function", "inlined",
"tailcall", "file", "line"} …]}, innermost first, from the event's own frame
outward, as far as gdb unwinds.
"""
import json
import os

import gdb

out = open(os.environ["TRUTH_OUT"], "w", buffering=1, encoding="utf-8")
limit = int(os.environ.get("TRUTH_STOPS", "100000"))
stops = 0


def describe(frame):
    sal = frame.find_sal()
    return {
        "address": f"0x{frame.pc():x}",
        "function": frame.name(),
        "inlined": frame.type() == gdb.INLINE_FRAME,
        "tailcall": frame.type() == gdb.TAILCALL_FRAME,
        "file": os.path.basename(sal.symtab.filename) if sal.symtab else None,
        "line": sal.line,
    }


class Captured(gdb.Breakpoint):
    def stop(self):
        global stops
        stops += 1
        if stops > limit:
            self.enabled = False
            return False
        frame = gdb.newest_frame()
        stack = int(frame.read_var("id"))
        frames = []
        frame = frame.older()
        while frame is not None and frame.is_valid():
            frames.append(describe(frame))
            frame = frame.older()
        lwp = gdb.selected_thread().ptid[1]
        out.write(json.dumps({"stack": f"0x{stack:x}", "lwp": lwp,
                              "frames": frames}) + "\n")
        return False


gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("set breakpoint pending on")
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
gdb.execute("set debuginfod enabled off")
gdb.execute("set print thread-events off")
for signal in ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE"):
    gdb.execute(f"handle {signal} nostop noprint pass")
Captured("ct_stack_captured", internal=True)
gone = False
try:
    gdb.execute("run")
except gdb.error as error:
    # gdb 13 looks at threads of a program that is just ending, and gives up.
    # All stops are behind it; with what status it ended nobody knows then.
    gone = "No such process" in str(error)
    print(f"gdb: {error}")
out.close()
code = gdb.parse_and_eval("$_exitcode")
known = code.type.code != gdb.TYPE_CODE_VOID
gdb.execute(f"quit {int(code) if known else 0 if gone else 99}")
