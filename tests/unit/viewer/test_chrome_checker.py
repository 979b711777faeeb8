# SPDX-License-Identifier: MIT
"""The checker of timelines finds what is wrong, and nothing in what is right.

Every rule has at least one trace that breaks it and no other.
"""
import copy
import json
import sys

import chrome_checker
import tap


def meta(name, value, tid=1):
    key = "sort_index" if name.endswith("_index") else "name"
    return {"ph": "M", "pid": 1, "tid": tid, "name": name,
            "args": {key: value}}


def event(ph, ts, name="a", tid=1, **more):
    return {"ph": ph, "pid": 1, "tid": tid, "ts": ts, "cat": "c",
            "name": name, **more}


NAMES = [meta("process_name", "p"), meta("thread_name", "t"),
         meta("thread_name", "u", tid=2)]


def doc(*events, names=NAMES, **more):
    return {"displayTimeUnit": "ns", "traceEvents": [*names, *events], **more}


RIGHT = {
    "nested": doc(event("B", 1), event("B", 2, "b"), event("E", 3, "b"),
                  event("E", 3)),
    "one after the other": doc(event("B", 1), event("E", 2), event("B", 2, "b"),
                               event("E", 3, "b")),
    "X of any order": doc(event("X", 5, dur=1), event("X", 1, dur=10)),
    "X of the same begin": doc(event("X", 1, "b", dur=2),
                               event("X", 1, dur=10)),
    "a point in a slice": doc(event("B", 1), event("X", 2, dur=0),
                              event("E", 3)),
    "tracks do not concern each other":
        doc(event("B", 1), event("B", 2, tid=2), event("E", 3),
            event("E", 4, tid=2)),
    "an arrow": doc(event("B", 1), event("s", 2, "f", id=1), event("E", 3),
                    event("B", 4, tid=2), event("f", 4, "f", tid=2, id=1,
                                                bp="e"),
                    event("E", 5, tid=2)),
    "an arrow from where its slice ends":
        doc(event("X", 1, dur=2), event("s", 3, "f", id="0xa"),
            event("X", 3, "b", tid=2, dur=1),
            event("f", 3, "f", tid=2, id="0xa", bp="e")),
    "the same id in another category":
        doc(event("X", 1, dur=9), event("s", 2, "f", id=1),
            event("s", 3, "g", id=1), event("f", 4, "f", id=1, bp="e"),
            event("f", 5, "g", id=1, bp="e")),
    "an instant to start from":
        doc(event("X", 1, dur=1), event("i", 5, s="t"),
            event("s", 5, "f", id=1), event("X", 6, tid=2, dur=1),
            event("f", 6, "f", tid=2, id=1, bp="e")),
    "a counter": doc(event("C", 1, args={"x": 1}),
                     event("C", 2, args={"x": 2.5})),
    "no wrapping object": [*NAMES, event("X", 1, dur=1)],
}

WRONG = [
    ("document", {"traceEvents": 3}),
    ("document", doc(event("X", 1, dur=1), displayTimeUnit="us")),
    ("event", doc(event("?", 1))),
    ("event", doc("B")),
    ("event", doc({"pid": 1, "tid": 1, "ts": 1})),
    ("id-type", doc(event("X", 1, tid="1", dur=1))),
    ("id-type", doc(event("X", 1, tid=-1, dur=1))),
    ("id-type", doc(event("X", 1, tid=2 ** 32, dur=1))),
    ("id-type", doc(event("X", 1, tid=0, dur=1))),
    ("id-type", doc(event("X", 1, tid=1.5, dur=1))),
    ("time", doc(event("X", "1", dur=1))),
    ("time", doc(event("X", -1, dur=5))),
    ("time", doc(event("X", 1.0001, dur=1))),
    ("time", doc(event("X", 1, dur=-1))),
    ("time", doc(event("X", 1))),
    ("time", doc({"ph": "B", "pid": 1, "tid": 1, "name": "a"})),
    ("time", doc(event("X", True, dur=1))),
    ("name", doc(event("X", 1, "", dur=1))),
    ("name", doc(event("X", 1, None, dur=1))),
    ("name", doc(meta("thread_nam", "x"))),
    ("name", doc(meta("thread_name", ""))),
    ("args", doc(event("X", 1, dur=1, args=[1]))),
    ("args", doc(meta("thread_sort_index", "first"))),
    ("unnamed-track", doc(event("X", 1, tid=3, dur=1))),
    ("unnamed-track", doc(event("X", 1, dur=1), names=[NAMES[1]])),
    ("order", doc(event("B", 5), event("E", 6), event("B", 1, "b"),
                  event("E", 2, "b"))),
    ("end-without-begin", doc(event("B", 1), event("E", 2), event("E", 3))),
    ("end-without-begin", doc(event("X", 1, dur=5), event("E", 2))),
    ("end-name", doc(event("B", 1), event("E", 2, "b"))),
    ("end-name", doc(event("B", 1), event("E", 2, None))),
    ("end-name", doc(event("B", 1), {**event("E", 2), "cat": "d"})),
    ("unclosed", doc(event("B", 1))),
    ("overlap", doc(event("X", 1, dur=5), event("X", 3, dur=5))),
    ("overlap", doc(event("X", 1, dur=5), event("X", 3, dur=3.001))),
    ("overlap", doc(event("B", 1), event("X", 2, dur=5), event("E", 4))),
    ("overlap", doc(event("X", 1, dur=5), event("B", 2, "b"),
                    event("X", 7, "c", dur=1), event("E", 9, "b"))),
    ("depth", doc(*[event("X", i, dur=2000 - 2 * i) for i in range(513)])),
    ("flow-id", doc(event("X", 1, dur=9), event("s", 2))),
    ("flow-id", doc(event("X", 1, dur=9), event("s", 2, id="first"))),
    ("flow-id", doc(event("X", 1, dur=9), event("s", 2, id=1.5))),
    ("flow-duplicate",
     doc(event("X", 1, dur=9), event("s", 2, id=1), event("s", 3, id=1),
         event("f", 4, id=1, bp="e"))),
    ("flow-no-slice", doc(event("s", 2, id=1), event("X", 3, dur=9),
                          event("f", 4, id=1, bp="e"))),
    ("flow-no-slice", doc(event("X", 1, dur=9), event("s", 2, id=1),
                          event("f", 4, tid=2, id=1, bp="e"))),
    ("flow-stale", doc(event("X", 1, dur=1), event("s", 5, id=1),
                       event("X", 6, dur=1, tid=2),
                       event("f", 6, tid=2, id=1, bp="e"))),
    ("flow-stale", doc(event("X", 1, dur=9), event("s", 2, id=1),
                       event("B", 1, tid=2), event("X", 2, tid=2, dur=1),
                       event("f", 5, tid=2, id=1, bp="e"),
                       event("E", 9, tid=2))),
    ("flow-no-start", doc(event("X", 1, dur=9),
                          event("f", 4, id=1, bp="e"))),
    ("flow-no-start", doc(event("X", 1, dur=9), event("s", 5, id=1),
                          event("f", 4, id=1, bp="e"))),
    ("flow-no-end", doc(event("X", 1, dur=9), event("s", 2, id=1))),
    ("flow-no-end", doc(event("X", 1, dur=9), event("s", 2, id=1),
                        event("f", 3, "b", id=1, bp="e"))),
    ("flow-binding", doc(event("X", 1, dur=9), event("s", 2, id=1),
                         event("f", 4, id=1))),
    ("counter", doc(event("C", 1, args={}))),
    ("counter", doc(event("C", 1))),
    ("counter", doc(event("C", 1, args={"x": "many"}))),
    ("counter", doc(event("C", 1, args={"x": True}))),
    ("counter-series", doc(event("C", 1, args={"x": 1}),
                           event("C", 2, args={"y": 1}))),
    ("zero-length", doc(event("B", 1), event("E", 1))),
    ("instant", doc(event("X", 1, dur=9), event("i", 2, s="x"))),
]
# A fault may have another as its consequence.
ALSO = {"overlap": {"end-without-begin"},
        "flow-no-slice": {"flow-no-start", "flow-no-end"},
        "flow-no-start": {"flow-no-end"},
        "flow-no-end": {"flow-no-start"},
        "zero-length": {"end-without-begin", "unclosed"}}

TEXTS = [
    '{"traceEvents":[],}', '{"traceEvents":[NaN]}', '{"traceEvents":[',
    '{"traceEvents":[],"traceEvents":[]}', '[{"ph":"M","ph":"M"}]',
    '["\x1b"]', "[01]", "[] []",
]


@tap.case("no fault in what is right")
def _(tmp):
    for name, document in RIGHT.items():
        report = chrome_checker.check_text(json.dumps(document))
        tap.equal(report.faults, [], name)


@tap.case("each wrong trace breaks its rule, and no other")
def _(tmp):
    for rule, document in WRONG:
        report = chrome_checker.check_text(json.dumps(document))
        if rule not in report.rules_broken():
            raise AssertionError(f"{rule} not found in {document}: "
                                 f"{report.faults}")
        others = report.rules_broken() - {rule} - ALSO.get(rule, set())
        tap.equal(others, set(), f"{rule} in {document}")


@tap.case("each rule has its wrong trace")
def _(tmp):
    covered = {rule for rule, _ in WRONG} | {"json"}
    tap.equal(set(chrome_checker.RULES) - covered, set())


@tap.case("what is no strict JSON is refused")
def _(tmp):
    for text in TEXTS:
        report = chrome_checker.check_text(text)
        tap.equal(report.rules_broken(), {"json"}, text)


@tap.case("an event taken out, or two exchanged, is noticed")
def _(tmp):
    document = RIGHT["an arrow"]
    events = document["traceEvents"]
    for at in range(len(events)):
        fewer = copy.deepcopy(document)
        del fewer["traceEvents"][at]
        if not chrome_checker.check_text(json.dumps(fewer)).faults:
            raise AssertionError(f"without {events[at]}")
    for at in (3, 6):
        swapped = copy.deepcopy(document)
        some = swapped["traceEvents"]
        some[at]["ts"], some[at + 2]["ts"] = some[at + 2]["ts"], some[at]["ts"]
        if not chrome_checker.check_text(json.dumps(swapped)).faults:
            raise AssertionError(f"with {some[at]} and {some[at + 2]} changed")


@tap.case("times are exact beyond what a double holds")
def _(tmp):
    text = json.dumps(doc(event("X", 111, dur=222))) \
        .replace("111", "9007199254740993.001").replace("222", "0.002")
    report = chrome_checker.check_text(text)
    tap.equal(report.faults, [])
    tap.equal((report.slices[0].begin, report.slices[0].end),
              (9007199254740993001, 9007199254740993003))


tap.main(sys.argv[1:])
