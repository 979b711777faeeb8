# SPDX-License-Identifier: MIT
"""Checks the JSON of `cotrace diff --json --edits`, knowing nothing of how it
was made: every number must follow from the sequences and the edits, and one
sequence with the edits applied must be the other.
"""
import re

KINDS = ("coroutine", "bottom half", "timer", "fd handler", "work item",
         "completion", "begin", "end")


def fail(text):
    raise AssertionError(text)


def same(got, want, what):
    if got != want:
        fail(f"{what}: {got!r}, not {want!r}")


def apply_edits(context):
    """b's labels, made of a's and the edits alone."""
    removed, inserted = {}, {}
    last = {"remove": -1, "insert": -1}
    for edit in context["edits"]:
        at = edit["position"]
        if at <= last[edit["edit"]]:
            fail(f"edits are not in order: {edit}")
        last[edit["edit"]] = at
        {"remove": removed, "insert": inserted}[edit["edit"]][at] = edit
    rest = []
    for at, label in enumerate(context["labels_a"]):
        if at in removed:
            same(removed[at]["label"], label, "a removed label")
        else:
            rest.append(label)
    made, rest = [], iter(rest)
    for at in range(len(context["labels_b"])):
        made.append(inserted[at]["label"] if at in inserted else next(rest))
    same(list(rest), [], "labels that are left over")
    return made, removed, inserted


def check_context(context):
    name = context["name"]
    same(len(context["labels_a"]), context["a"], f"{name}: a")
    same(len(context["labels_b"]), context["b"], f"{name}: b")
    made, removed, inserted = apply_edits(context)
    same(made, context["labels_b"], f"{name}: a with the edits applied")
    same(context["kept"], context["a"] - len(removed), f"{name}: kept")
    same(context["kept"], context["b"] - len(inserted), f"{name}: kept")
    moved = {at: edit["moved"] for at, edit in removed.items()
             if edit["moved"] is not None}
    back = {edit["moved"]: at for at, edit in inserted.items()
            if edit["moved"] is not None}
    same(moved, back, f"{name}: what moved, from both sides")
    for at, to in moved.items():
        same(context["labels_a"][at], context["labels_b"][to], "moved label")
    return (len(moved), [e["label"] for e in removed.values()
                         if e["moved"] is None],
            [e["label"] for e in inserted.values() if e["moved"] is None])


def check_place(document, place, side, texts):
    """Where a change stands: the position has that label."""
    if place is None:
        return
    for context in document["contexts"]:
        if context["name"] == place["context"]:
            label = context["labels_" + side][place["position"]]
            same(place["label"], texts[label], "label at the position")
            return
    fail(f"no such context: {place}")


def check(document):
    texts = {label["label"]: label["text"] for label in document["labels"]}
    loose = {label["text"]: label["loose"] for label in document["labels"]}
    same(len(texts), len(document["labels"]), "labels told once")
    totals = {"a": 0, "b": 0, "kept": 0}
    moved, only_a, only_b = 0, [], []
    for context in document["contexts"]:
        in_both, gone, new = check_context(context)
        moved += in_both
        only_a += gone
        only_b += new
        for key in totals:
            totals[key] += context[key]
    same(document["decisions_a"], totals["a"], "decisions_a")
    same(document["decisions_b"], totals["b"], "decisions_b")
    if document["unknown"] == 0:
        same(document["moved"], moved, "moved")
        same(document["compared"], totals["kept"] + moved, "compared")
        for key, labels in (("only_in_a", only_a), ("only_in_b", only_b)):
            same(sum(o["count"] for o in document[key]), len(labels), key)
    else:
        if document["moved"] > moved:
            fail(f"moved: {document['moved']}, there are {moved}")
        for key, labels in (("only_in_a", only_a), ("only_in_b", only_b)):
            if sum(o["count"] for o in document[key]) > len(labels):
                fail(f"{key}: more than there are")
    for key, side in (("only_in_a", "a"), ("only_in_b", "b")):
        for only in document[key]:
            check_place(document, only, side, texts)
            if not loose[only["label"]]:
                same(only["real"], True, only["label"])
    for key in ("first_divergence", "first_real_divergence"):
        change = document[key]
        if change:
            for side in "ab":
                check_place(document, change[side], side, texts)
                check_place(document, change[side + "_then"], side, texts)
                if change["reason"] == "wakeup":
                    check_place(document, change["waker_" + side], side, texts)
            check_place(document, change["last"], "a", texts)
    same(document["identical"], document["first_real_divergence"] is None,
         "identical")
    same(document["identical"], document["real"] == 0, "real")
    same(document["exact"], document["identical"] and not document["unknown"]
         and document["first_divergence"] is None, "exact")
    edits = sum(len(context["edits"]) for context in document["contexts"])
    if document["unknown"] == 0:
        same(document["first_divergence"] is None, edits == 0, "no edits")
    for only in document["only_in_a"] + document["only_in_b"]:
        if only["real"]:
            same(document["identical"], False, "real, but identical")
    return texts


EVENTS = {"aio_coroutine_enter": "coroutine", "bh_run_begin": "bottom half",
          "timer_run_begin": "timer", "fd_run_begin": "fd handler",
          "work_begin": "work item", "thread_pool_complete": "completion"}
JOINED = {"coroutine_start": ["coroutine"], "aio_co_wake_enter": ["coroutine"],
          "thread_pool_resume": ["completion", "coroutine"],
          "work_next": ["work item"], "coroutine_next": ["coroutine"]}


def kinds_of_trace(path):
    """How many decisions of each kind a text trace tells: read as text."""
    counts = dict.fromkeys(KINDS, 0)
    inner = set()
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if not line.startswith("@") or len(words) < 3:
                continue
            event = words[2]
            if event in EVENTS:
                counts[EVENTS[event]] += 1
            for kind in JOINED.get(event, []):
                counts[kind] += 1
            if event == "request_start" and re.search('how="?entered', line):
                counts["coroutine"] += 1
            request = re.search(r" request=(\d+)", line)
            if event in ("request_begin", "request_open"):
                if " parent=0" in line:
                    counts["begin"] += 1
                else:
                    inner.add(request[1])
            elif event == "request_end" and request[1] not in inner:
                counts["end"] += 1
    return counts


def kinds_of_document(document, texts, side):
    counts = dict.fromkeys(KINDS, 0)
    for context in document["contexts"]:
        for label in context["labels_" + side]:
            kind = next(k for k in KINDS if texts[label].startswith(k))
            counts[kind] += 1
    return counts
