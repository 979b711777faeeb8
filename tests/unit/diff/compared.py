# SPDX-License-Identifier: MIT
"""Comparisons for tests: every JSON that comes of them is checked."""
import os
import re

import diff_checker
import story
import tap


def diff(a, b, status, *options):
    done = story.run(story.COTRACE, "diff", a, b, "--json", "--edits",
                     *options, status=status,
                     env={"COTRACE_CHECK": "1", "LC_ALL": "C"})
    is_told = done.returncode == 1 and "--fail-on" in " ".join(options)
    others = [line for line in done.err.splitlines()
              if not re.fullmatch(r"cotrace: warning: .* lost; .*|cotrace: "
                                  r"warning: --fail-on: could not judge order, "
                                  r"missing and result of .*", line)]
    tap.equal(len(others), int(is_told), f"stderr: {done.err}")
    document = story.parse(done.out)
    texts = diff_checker.check(document)
    return document, texts


def compare(tmp, a, b, status):
    """Both ways: what holds of a and b holds of b and a."""
    a, b = a.write(os.path.join(tmp, "a")), b.write(os.path.join(tmp, "b"))
    back, _ = diff(b, a, status)
    document, texts = diff(a, b, status)
    tap.equal(back["identical"], document["identical"], "the other way round")
    tap.equal(back["exact"], document["exact"], "the other way round")
    tap.equal(len(back["only_in_a"]), len(document["only_in_b"]))
    for side, path in (("a", a), ("b", b)):
        if "!" not in open(path, encoding="utf-8").read():
            tap.equal(diff_checker.kinds_of_document(document, texts, side),
                      diff_checker.kinds_of_trace(path), side)
    return document
