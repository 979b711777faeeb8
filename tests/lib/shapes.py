# SPDX-License-Identifier: MIT
"""The JSON that users rely on, checked against what the documentation says.

Each check takes parsed output and raises AssertionError.  Fields may have been
added; what is documented must be there, of the right type, null only where it
may be unknown.
"""
import json
import re

STATES = {"running", "runnable", "work-queued", "work-running", "work-done",
          "io", "lock", "timer", "children", "work", "completing", "queue",
          "unknown"}
RAN = frozenset(("bottom-half", "timer", "fd-handler", "coroutine",
                 "nested-poll", "loop", "kernel", "outside", "work-item",
                 "others", "unknown"))
CAUSES = {"holder", "loop", "worker", "spawn", "wakeup", "child",
          "device", "waker", "timer", "pool",
          "unknown"}
BOUNDARIES = {"coroutine", "bottom-half", "timer", "fd-handler", "work-item",
              "worker-spawn", "thread"}
CLOCKS = {"exact", "program", "reader", "none"}
INT, TEXT, BOOL = "int", "text", "bool"


def _pairs(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise AssertionError(f"a key twice in one object: {pairs}")
    return found


def _no_float(text):
    raise AssertionError(f"not a whole number: {text}")


def parse(text):
    """Strict: no key twice, no number that is not whole."""
    return json.loads(text, object_pairs_hook=_pairs, parse_float=_no_float,
                      parse_constant=_no_float)


def lines(text):
    if text and not text.endswith("\n"):
        raise AssertionError("the last line has no end")
    return [parse(line) for line in text.split("\n")[:-1]]


def _is(value, kind):
    if kind == INT:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str if kind == TEXT else bool)


def fields(what, value, **kinds):
    """Each named field is there and of its kind; a kind in a tuple: or null."""
    if not isinstance(value, dict):
        raise AssertionError(f"{what}: no object: {value!r}")
    for name, kind in kinds.items():
        if name not in value:
            raise AssertionError(f"{what}: {name} is missing in {value}")
        may_be_null = isinstance(kind, tuple)
        kind = kind[0] if may_be_null else kind
        if value[name] is None and may_be_null:
            continue
        if isinstance(kind, (set, frozenset)):
            good = value[name] in kind
        elif isinstance(kind, type):
            good = isinstance(value[name], kind)
        else:
            good = _is(value[name], kind)
        if not good:
            raise AssertionError(f"{what}: {name} is {value[name]!r}")


def segment(value):
    fields("segment", value, state=STATES, begin_ns=INT, end_ns=INT,
           cause=(dict,))
    if value["cause"] is not None:
        fields("cause", value["cause"], kind=CAUSES, coroutine=(INT,),
               request=(INT,))
        for each in value["cause"].get("ran", []):
            ran(each)


def ran(value):
    if value["kind"] == "state":
        fields("ran", value, state=STATES, request=(INT,), ns=INT)
    else:
        fields("ran", value, kind=RAN, name=(TEXT,), count=INT,
               request=(INT,), ns=INT)


def request(value):
    fields("request", value, request=INT, pid=INT, layer=(TEXT,), op=(TEXT,),
           node=(TEXT,), offset=INT, bytes=INT, ret=(INT,), begin_ns=(INT,),
           end_ns=(INT,), latency_ns=(INT,), latency_min_ns=(INT,),
           latency_max_ns=(INT,), complete=BOOL, parent=(INT,),
           coroutines=list, workers=list, segments=list)
    for number in value["coroutines"] + value["workers"]:
        if not _is(number, INT):
            raise AssertionError(f"request: no number: {number!r}")
    for part in value["segments"]:
        segment(part)
    _accounted(value)


def _accounted(value):
    """Contiguous, and its sum the latency, to the nanosecond."""
    parts = value["segments"]
    if not parts:
        raise AssertionError(f"a request without segments: {value}")
    for one, other in zip(parts, parts[1:]):
        if one["end_ns"] != other["begin_ns"]:
            raise AssertionError(f"a hole or an overlap in {value}")
    total = sum(part["end_ns"] - part["begin_ns"] for part in parts)
    if any(part["end_ns"] < part["begin_ns"] for part in parts):
        raise AssertionError(f"a segment ends before it begins: {value}")
    if value["begin_ns"] is not None and \
            parts[0]["begin_ns"] != value["begin_ns"]:
        raise AssertionError(f"the segments begin elsewhere: {value}")
    if value["end_ns"] is not None and parts[-1]["end_ns"] != value["end_ns"]:
        raise AssertionError(f"the segments end elsewhere: {value}")
    if value["latency_ns"] is not None and total != value["latency_ns"]:
        raise AssertionError(f"the segments sum to {total}: {value}")
    known = value["begin_ns"] is not None and value["end_ns"] is not None
    if (value["latency_ns"] is not None) != known:
        raise AssertionError(f"latency and its ends disagree: {value}")
    if value["complete"] and not known:
        raise AssertionError(f"complete, but not known: {value}")


def frame(value):
    if "boundary" in value:
        fields("boundary", value, boundary=BOUNDARIES, id=(INT,),
               elapsed_ns=(INT,))
        return
    fields("frame", value, function=(TEXT,), file=(TEXT,), line=(INT,),
           address=TEXT, inlined=BOOL)
    if not re.fullmatch("0x(0|[1-9a-f][0-9a-f]*)", value["address"]):
        raise AssertionError(f"frame: address is {value['address']!r}")


def backtrace(value):
    fields("backtrace", value, stack_ns=(INT,), frames=list)
    for each in value["frames"]:
        frame(each)


def coroutines(value):
    fields("coroutines", value, at_ns=(INT,), complete=BOOL, groups=list)
    for group in value["groups"]:
        fields("group", group, pid=INT, count=INT, sure=BOOL, state=TEXT,
               waits_for=(TEXT,), entry=(TEXT,), coroutines=list,
               complete=BOOL, frames=list)
        if group["state"] not in STATES | {"created"}:
            raise AssertionError(f"group: state is {group['state']!r}")
        if group["count"] != len(group["coroutines"]):
            raise AssertionError("group: count is not that of its coroutines")
        for each in group["coroutines"]:
            fields("coroutine", each, id=INT, since_ns=(INT,), request=(INT,),
                   object=(INT,), by_coroutine=(INT,), by_request=(INT,),
                   context=(INT,), tid=(INT,))
        for each in group["frames"]:
            frame(each)


def _times(what, value):
    fields(what, value, p50=(INT,), p90=(INT,), p99=(INT,), p999=(INT,),
           max=(INT,))
    points = [value[key] for key in ("p50", "p90", "p99", "p999", "max")]
    if None not in points and points != sorted(points):
        raise AssertionError(f"{what}: out of order: {value}")


def _histogram(what, value, count):
    froms = [each["from_ns"] for each in value]
    if froms != sorted(set(froms)):
        raise AssertionError(f"{what}: {value}")
    for each in value:
        fields(what, each, from_ns=INT, count=INT)
    if value and sum(each["count"] for each in value) != count:
        raise AssertionError(f"{what}: not {count} in all: {value}")


def _over_time(what, value, width, n):
    """An amount in each bucket; width: what it may be at most, None: any."""
    if len(value) != (n or 0):
        raise AssertionError(f"{what}: {len(value)} buckets, not {n}")
    for each in value:
        if not _is(each, INT) or each < 0 or \
                (width is not None and each > width):
            raise AssertionError(f"{what}: {each} in a bucket of {width}")


def stat(value):
    fields("stat", value, origin_ns=(TEXT,), clock=CLOCKS, events=INT,
           discarded=(INT,), complete=BOOL, duration_ns=(INT,), requests=dict,
           states=dict, certain=dict, classes=list, over_time=dict,
           contexts=list, pools=list, workers=dict, coroutines=dict)
    if value["origin_ns"] is not None and \
            not re.fullmatch("[0-9]+", value["origin_ns"]):
        raise AssertionError(f"stat: origin_ns is {value['origin_ns']!r}")
    requests = value["requests"]
    fields("requests", requests, count=INT, complete=INT, latency_ns=dict,
           histogram=list)
    _times("latency_ns", requests["latency_ns"])
    _histogram("requests", requests["histogram"], requests["complete"])
    if set(value["states"]) != STATES:
        raise AssertionError(f"stat: states are {sorted(value['states'])}")
    fields("states", value["states"], **{state: (INT,) for state in STATES})
    fields("certain", value["certain"], ns=(INT,), of_ns=(INT,))
    if value["certain"]["ns"] is not None and \
            value["certain"]["ns"] > value["certain"]["of_ns"]:
        raise AssertionError(f"certain: {value['certain']}")
    _classes(value)
    over = value["over_time"]
    fields("over_time", over, bucket_ns=(INT,), buckets=(INT,), lost_ns=list)
    width, n = over["bucket_ns"], over["buckets"]
    if width is not None and n * width < value["duration_ns"]:
        raise AssertionError(f"over_time: {over} of {value['duration_ns']} ns")
    _over_time("lost_ns", over["lost_ns"], None, n)
    for context in value["contexts"]:
        fields("context", context, name=(TEXT,), polls=(INT,),
               max_poll_depth=(INT,), bh_runs=INT, busy_ns=(INT,),
               longest_callback_ns=(INT,), busy_over_ns=list)
        _over_time("context", context["busy_over_ns"], width,
                   0 if context["polls"] is None else n)
    for pool in value["pools"]:
        fields("pool", pool, pid=(INT,), id=(INT,), items=INT, queued_peak=INT,
               busy_peak=INT, queued_ns=(INT,), busy_ns=(INT,), idle_ns=(INT,),
               longest_item_ns=(INT,), longest_item=(TEXT,),
               queued_over_ns=list, busy_over_ns=list)
        for key in ("queued", "busy"):
            _over_time(f"pool, {key}", pool[f"{key}_over_ns"],
                       width and width * pool[f"{key}_peak"], n)
            if width is not None and \
                    sum(pool[f"{key}_over_ns"]) != pool[f"{key}_ns"]:
                raise AssertionError(f"pool: over time is not all: {pool}")
    workers = value["workers"]
    fields("workers", workers, spawned=(INT,), exited=(INT,), peak=(INT,))
    if None in workers.values() and set(workers.values()) != {None}:
        raise AssertionError(f"workers: told in part: {workers}")
    fields("coroutines", value["coroutines"], created=INT, peak=INT)


def _classes(value):
    """Each request is in one class, its time in the states of that."""
    requests = value["requests"]
    for each in value["classes"]:
        fields("class", each, layer=(TEXT,), op=(TEXT,), node=(TEXT,),
               count=INT, complete=INT, latency_ns=dict, histogram=list,
               states=list)
        _times("class", each["latency_ns"])
        _histogram("class", each["histogram"], each["complete"])
        for state in each["states"]:
            fields("state", state, state=STATES, count=INT, sum_ns=(INT,),
                   ns=dict, histogram=list)
            _times("state", state["ns"])
            _histogram("state", state["histogram"], state["count"])
            if state["count"] > each["complete"]:
                raise AssertionError(f"class: {each}")
    for key in ("count", "complete"):
        if sum(each[key] for each in value["classes"]) != requests[key]:
            raise AssertionError(f"classes: {key} is not that of all")
    if requests["count"] == requests["complete"] and \
            value["certain"]["ns"] is not None:
        for name, ns in value["states"].items():
            part = sum(state["sum_ns"] for each in value["classes"]
                       for state in each["states"] if state["state"] == name)
            if part != ns:
                raise AssertionError(f"classes: {name} is {part}, not {ns}")
