# SPDX-License-Identifier: MIT
"""The page of `cotrace diff --html`, in a headless browser that has no network:
it says what the JSON says, jumps to each difference, and what a trace says can
do nothing there."""
import os
import sys

import browser
import story
import tap

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "unit", "diff"))
from written import Run  # noqa: E402

HOSTILE = '</script><img src=x onerror=alert(1)>&amp;"\'${x}'


def opened(tmp, page, name):
    told = browser.drive(os.path.join(HERE, "diff_page.js"), page, tmp, name)
    tap.equal((told["failures"], told["console"]), ([], []))
    tap.equal(told["requests"], ["file://" + page], "nothing else is loaded")
    tap.equal((told["scripts"], told["images"]), (2, 0), "elements")
    return told


def reads(seed, order, name="refresh", n=4):
    run = Run(seed)
    run.poll()
    requests = []
    for i in range(n):
        requests.append(run.begin(4096 * i))
        run.submit(requests[-1])
    for i in order:
        run.work(requests[i])
        run.complete(requests[i])
    run.bottom_half(name)
    run.polled()
    return run


@tap.case("the differences of the JSON are listed, marked and jumped to")
def _(tmp):
    a = reads(0, (0, 1, 2, 3)).write(os.path.join(tmp, "a"))
    b = reads(1, (0, 2, 1, 3)).write(os.path.join(tmp, "b"))
    document = story.document("diff", a, b, status=1)
    page = os.path.join(tmp, "page.html")
    story.run(story.COTRACE, "diff", a, b, "--html", "-o", page, status=1)
    told = opened(tmp, page, "pair")
    tap.equal(told["verdict"], f"{document['real']} real difference.")
    tap.equal(told["note"], f"A: {document['decisions_a']} decisions, "
              f"B: {document['decisions_b']} decisions.")
    change = document["first_real_divergence"]
    tap.equal(told["list"][0], f"overtaken {change['a']['label']}")
    moved = [one for one in told["list"] if one.startswith("moved ")]
    tap.equal(len(moved), document["moved"], "moved")
    for number, step in enumerate(told["steps"]):
        tap.equal(step["current"], number, "the one that is shown")
    tap.equal(told["steps"][0]["a"], f"A: {change['a']['label']}")
    tap.equal(told["steps"][0]["b"], f"B: {change['b']['label']}")
    tap.equal((told["clicked"]["current"], told["clicked"]["a"]),
              (0, told["steps"][0]["a"]), "a click")
    assert told["all"]["drawn"] > 20, told["all"]
    assert told["colours"] > 8, told["colours"]
    assert "in one the second overtook" in told["words"], told["words"]


@tap.case("strings of a trace are inert")
def _(tmp):
    a = reads(0, (0, 1, 2, 3)).write(os.path.join(tmp, "a"))
    run = reads(1, (0, 1, 2, 3), name="HOSTILE")
    b = os.path.join(tmp, "<b>&lt;")
    run.write(b)
    with open(b, encoding="utf-8") as text:
        lines = text.read()
    quoted = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    with open(b, "w", encoding="utf-8") as out:
        out.write(lines.replace("HOSTILE", quoted + "\u202e"))
    page = os.path.join(tmp, "page.html")
    story.run(story.COTRACE, "diff", a, b, "-o", page, status=1)
    with open(page, encoding="utf-8") as text:
        content = text.read()
    tap.equal((content.count("</script>"), "<img" in content), (2, False))
    told = opened(tmp, page, "hostile")
    assert any(HOSTILE in one for one in told["list"]), told["list"]
    assert "\u202e" not in "".join(told["list"]), told["list"]
    assert told["title"].endswith("<b>&lt;"), told["title"]


@tap.case("a page of long runs shows a part, says so, and is usable")
def _(tmp):
    n = 11000
    order = list(range(n))
    a = reads(0, order, n=n).write(os.path.join(tmp, "a"))
    order[5000], order[5001] = order[5001], order[5000]
    b = reads(1, order, n=n).write(os.path.join(tmp, "b"))
    page = os.path.join(tmp, "page.html")
    story.run(story.COTRACE, "diff", a, b, "--html", "-o", page, status=1)
    told = opened(tmp, page, "long")
    assert " are shown, around the first difference" in told["note"], \
        told["note"]
    assert told["list"][0].startswith("overtaken "), told["list"][:3]
    tap.note(f"{os.path.getsize(page) >> 10} KiB, {told['note']} everything "
             f"drawn in {told['ms']:.0f} ms, {told['all']['drawn']} rectangles")
    assert told["all"]["drawn"] < 30000, told["all"]


tap.main(sys.argv[1:])
