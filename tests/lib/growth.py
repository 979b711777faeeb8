# SPDX-License-Identifier: MIT
"""How the work of a command grows with its input, in instructions: the same on
any machine, busy or not."""
import os
import re
import shutil

import story
import tap

ENV = {"COTRACE_CHECK": "1", "LC_ALL": "C"}
SANITIZED = os.environ.get("SANITIZED") == "1"


def write(path, lines):
    """A text trace."""
    with open(path, "w", encoding="utf-8") as out:
        out.write("cotrace-text 1\n" + "\n".join(lines) + "\n")
    return path


def instructions(program, *words):
    """Millions that it executes."""
    done = story.run("valgrind", "--tool=callgrind",
                     "--callgrind-out-file=/dev/null", program, *words,
                     env=ENV, status=None)
    assert done.returncode in (0, 1), done.err
    return int(re.search(r"Collected : (\d+)", done.err)[1]) / 1e6


def stripped(tmp):
    """The command as valgrind reads it, if anything is to be counted at all."""
    if shutil.which("valgrind") is None or SANITIZED:
        tap.skip("valgrind counts, where no sanitizer does")
    # valgrind 3.19 gives up on the debug information of clang 14
    program = os.path.join(tmp, "cotrace")
    story.run("strip", "-o", program, story.COTRACE)
    return program


def check(tmp, few, factor, words_of):
    """Four times as much is less than `factor` times the work.

    words_of(n): the command's arguments, for an input of n."""
    program = stripped(tmp)
    taken = [instructions(program, *words_of(n)) for n in (few, 4 * few)]
    tap.note("%d: %.0f M instructions, %d: %.0f" % (few, taken[0], 4 * few,
                                                    taken[1]))
    assert taken[1] < factor * taken[0], taken
