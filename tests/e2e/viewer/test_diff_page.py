# SPDX-License-Identifier: MIT
"""The page of `cotrace diff --html`, in a headless browser that has no network:
it says what the JSON says, jumps to each difference, and what a trace says can
do nothing there."""
import os
import re
import sys

import browser
import story
import tap

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "unit", "diff"))
from written import Run  # noqa: E402

LONG = 51000  # more decisions than a page shows
HOSTILE = '</script><img src=x onerror=alert(1)>&amp;"\'${x}'


def opened(tmp, page, name):
    told = browser.drive(os.path.join(HERE, "diff_page.js"), page, tmp, name)
    tap.equal((told["failures"], told["console"]), ([], []))
    tap.equal(told["requests"], ["file://" + page], "nothing else is loaded")
    tap.equal((told["scripts"], told["images"]), (2, 0), "elements")
    return told


def written(tmp, a, b, status):
    """The page of two runs: where it lies, and the document in it."""
    a, b = (run.write(os.path.join(tmp, name)) for run, name in
            ((a, "a"), (b, "b")))
    page = os.path.join(tmp, "page.html")
    story.run(story.COTRACE, "diff", a, b, "--html", "-o", page, status=status)
    with open(page, encoding="utf-8") as text:
        data = re.search(r'<script type="application/json" id="data">(.*?)'
                         "</script>", text.read(), re.DOTALL)
    return page, story.parse(data[1])


def listed(data):
    return [f"{one['kind']} {one['text']}" for one in data["changes"]]


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
    # one of those that have moved is the real change, which is told once
    moved = [one for one in told["list"] if one.startswith("moved ")]
    tap.equal((len(moved), len(told["list"])),
              (document["moved"] - 1, document["moved"]), told["list"])
    assert f"moved {change['a']['label']}" not in moved, moved
    tap.equal((told["first"]["current"], told["more"]), (0, ""))
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
    story.run(story.COTRACE, "diff", a, b, "-o", page)
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


@tap.case("backtraces are of the first real difference: the page opens there")
def _(tmp):
    def entered_first(seed, *offsets):
        run = Run(seed)
        for offset in offsets:
            run.late_begin(offset)
        return run

    page, data = written(tmp, entered_first(0, 0, 4096),
                         entered_first(1, 0, 65536, 4096), 1)
    assert data["first_real"] > 0, data["changes"]
    told = opened(tmp, page, "extra")
    tap.equal(told["first"]["current"], data["first_real"])
    tap.equal(told["first"]["b"], "B: begin of blk read disk 65536+512")
    tap.equal([i for i, step in enumerate(told["steps"])
               if "#0 " in step["below"][1]], [data["first_real"]])


def ticks(seed, n, names=()):
    run = Run(seed)
    for _ in range(n):
        run.bottom_half("tick")
    for name in names:
        run.bottom_half(name)
    return run


@tap.case("what only the end of B has is shown")
def _(tmp):
    _, data = written(tmp, ticks(0, LONG), ticks(1, LONG + 1), 0)
    tap.equal((listed(data), data["left_out"]),
              (["timing in B only: bottom half tick"], 0))
    assert data["note"].endswith(" are shown, around the first difference."), \
        data["note"]


@tap.case("differences outside of what is shown are counted")
def _(tmp):
    a, b = ticks(0, 1, "xyy"), ticks(1, 1, "xy")
    for run, last in ((a, "x"), (b, "xx")):
        for name in ["tock"] * LONG + [*last]:
            run.bottom_half(name)
    _, data = written(tmp, a, b, 0)
    tap.equal((listed(data), data["left_out"]),
              (["timing in A only: bottom half y"], 1))


@tap.case("long runs without a difference: none is said to be near")
def _(tmp):
    _, data = written(tmp, ticks(0, LONG), ticks(1, LONG), 0)
    tap.equal((listed(data), data["left_out"]), ([], 0))
    assert data["note"].endswith(" are shown."), data["note"]


@tap.case("what has moved without being real is told")
def _(tmp):
    _, data = written(tmp, ticks(0, 3, ["x", "y"]), ticks(1, 3, ["y", "x"]), 0)
    tap.equal([one.split()[0] for one in listed(data)], ["moved"])


@tap.case("very many contexts: what the view shows is drawn")
def _(tmp):
    def contexts(seed, turned):
        run = Run(seed)
        for i in range(1500):
            run.ctx = run.id()
            run.say("context_create", ctx=run.ctx, name=f"io {i}")
            for name in ("y", "x") if turned and i == 1499 else ("x", "y"):
                run.bottom_half(name)
        return run

    page, data = written(tmp, contexts(0, False), contexts(1, True), 0)
    tap.equal((len(data["contexts"]), len(listed(data))), (1501, 1))
    told = opened(tmp, page, "contexts")
    canvas, view, whole = told["heights"]
    tap.equal(canvas, view)
    assert whole > 65536, told["heights"]
    assert told["first"]["drawn"] > 0 and told["colours"] > 8, told
    # a click finds what is under it, however far down that is
    assert told["hit"]["a"].startswith("A: bottom half "), told["hit"]


tap.main(sys.argv[1:])
