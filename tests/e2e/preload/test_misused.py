# SPDX-License-Identifier: MIT
"""cotrace record --preload of a program that calls what is refused."""
import os
import re
import subprocess
import sys

import story
import tap

MISUSED = os.path.join(story.BUILD, "tests", "programs", "misused")


@tap.case("what the kernel refuses it still refuses; what an fd stands for")
def _(tmp):
    trace = os.path.join(tmp, "trace")
    plain = story.run(MISUSED)
    done = story.record(trace, MISUSED, options=("--preload",))
    tap.equal(done.out, plain.out)
    # of a program that knows nothing of us there are no requests
    tap.equal(done.err.splitlines()[-1],
              f"cotrace: next: cotrace coroutines {trace}")
    text = subprocess.run(["babeltrace2", trace], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    tap.equal(text.count("cotrace:native_io_begin:"), 9, text)
    # The first eventfd, and four times the last: what else is written to is
    # none any more.  Its number says which.
    wakes = [line for line in text.splitlines()
             if "cotrace:native_wake:" in line]
    tap.equal(len(wakes), 5, text)
    # Each name once a process, that of whatever is there, and none that is cut.
    files = [re.search(r"vpid = (\d+).*fd = (\d+), path = \"(.*?)\"",
                       line).groups() for line in text.splitlines()
             if "cotrace:native_file:" in line]
    parent, zero = files[0][:2]
    later = files[1][1]
    tap.equal(files[:3], [(parent, zero, "/dev/zero"),
                          (parent, later, "/proc/version"),
                          (parent, later, "/memfd:misused-later (deleted)")],
              text)
    tap.equal([file[1:] for file in files[3:]], [(zero, "/dev/zero")], text)
    tap.equal(files[3][0] != parent, True, "the child's own")


if __name__ == "__main__":
    tap.main(sys.argv[1:])
