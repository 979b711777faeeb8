# SPDX-License-Identifier: MIT
"""cotrace record --preload of a program that calls what is refused."""
import os
import subprocess
import sys

import story
import tap

MISUSED = os.path.join(story.BUILD, "tests", "programs", "misused")


@tap.case("what the kernel refuses it still refuses; a vfork() forgets nothing")
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
    tap.equal(text.count("cotrace:native_wake:"), 1, text)
    tap.equal(text.count("cotrace:native_io_begin:"), 4, text)


if __name__ == "__main__":
    tap.main(sys.argv[1:])
