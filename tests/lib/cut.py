# SPDX-License-Identifier: MIT
"""What --begin and --end must show: the whole analysis, cut in another way.

Takes the JSON of a whole trace and makes of it what a window must show, from
the documented rules alone: what began at or before --begin and is open there
is shown from there on; what is open at --end ends there; what the trace tells
only after --end is not known.  --begin=0 is the trace's begin.
"""
import collections


def _begin(request):
    if request["begin_ns"] is not None:
        return request["begin_ns"]
    return request["segments"][0]["begin_ns"] if request["segments"] else 0


def _end(request, trace_end):
    if request["end_ns"] is not None:
        return request["end_ns"]
    return max(trace_end, _begin(request))


def _is_told(request, end):
    """By then?  Until a telling nothing is known of what began unseen."""
    first = request["segments"][:1]
    return request["begin_seen"] or not first or \
        first[0]["state"] != "unknown" or first[0]["end_ns"] <= end


def _segment(segment, begin, end, number):
    """One segment within the window; what it can't know is taken out."""
    cut = dict(segment, begin_ns=max(segment["begin_ns"], begin),
               end_ns=min(segment["end_ns"], end))
    if segment["cause"]:
        cause = dict(segment["cause"])
        cause["request"] = number(cause["request"])
        if cause.get("ran") is not None:
            if segment["begin_ns"] < begin or segment["end_ns"] > end:
                cause.pop("ran")
            else:
                cause["ran"] = [dict(ran, request=number(ran["request"]))
                                for ran in cause["ran"]]
        cut["cause"] = cause
    if "request" in segment:
        cut["request"] = number(segment["request"])
    return cut


def requests(whole, begin, end, trace_end):
    """The rows of `requests --all --json` in a window."""
    end = min(end, trace_end)
    begin = begin or float("-inf")
    shown = [r for r in sorted(whole, key=lambda r: r["request"])
             if _begin(r) <= end and _is_told(r, end) and
             (_begin(r) > begin or r["end_ns"] is None or r["end_ns"] > begin)]
    numbers = {r["request"]: i for i, r in enumerate(shown, 1)}
    rows = []
    for request in shown:
        row = dict(request, request=numbers[request["request"]],
                   parent=numbers.get(request["parent"]))
        if _begin(request) < begin:
            row.update(begin_ns=None, begin_seen=False, complete=False,
                       latency_ns=None)
        if request["end_ns"] is None or request["end_ns"] > end:
            row.update(end_ns=None, ret=None, complete=False, latency_ns=None,
                       latency_min_ns=end - _begin(request),
                       latency_max_ns=None)
            row.pop("end_bound", None)
        row["segments"] = [
            _segment(s, begin, end, numbers.get) for s in request["segments"]
            if s["end_ns"] > begin and s["begin_ns"] < end]
        rows.append(row)
    return rows


def differences(want, got, end):
    """What a window shows otherwise than it should; [] if nothing.

    Who ended a wait is known only when it ends; lists of coroutines and
    workers are those up to the window's end.  Where the window ends within a
    request, it took as long as it is seen, or less if an event was lost.
    """
    if [r["request"] for r in want] != [r["request"] for r in got]:
        return [f"requests {[r['request'] for r in got]}, "
                f"not {[r['request'] for r in want]}"]
    wrong = []
    for one, other in zip(want, got):
        one, other = dict(one), dict(other)
        for name in ("coroutines", "workers"):
            whole, part = one.pop(name), other.pop(name)
            if whole[:len(part)] != part:
                wrong.append(f"{name}: {part}, not of {whole}")
        if one["latency_max_ns"] is None and \
                other["latency_max_ns"] is None and \
                one["latency_min_ns"] is not None and \
                other["latency_min_ns"] <= one["latency_min_ns"]:
            one.pop("latency_min_ns")
            other.pop("latency_min_ns")
        ours, theirs = one.pop("segments"), other.pop("segments")
        if one != other:
            wrong.append(f"{other}, not {one}")
        for a, b in zip(ours, theirs):
            a, b = dict(a), dict(b)
            for segment in (a, b):
                cause = dict(segment["cause"] or {})
                if "ran" not in (a["cause"] or {}):
                    cause.pop("ran", None)
                    cause.pop("ahead", None)
                segment["cause"] = cause
            if a["end_ns"] >= end and a["cause"].get("kind") == "waker":
                a["cause"] = b["cause"]
            if a != b:
                wrong.append(f"of {other['request']}: {b}, not {a}")
        if len(ours) != len(theirs):
            wrong.append(f"of {other['request']}: {len(theirs)} segments, "
                         f"not {len(ours)}")
    return wrong


# --- timelines --------------------------------------------------------------

LANES = 1 << 30  # tracks above are requests, laid out anew in each window


def _ns(text):
    return round(float(text) * 1000)


def slices(events):
    """[(track, depth, name, begin, end)] of the threads of a timeline."""
    found = []
    stacks = collections.defaultdict(list)
    for event in events:
        track = (event["pid"], event["tid"])
        if event["tid"] >= LANES or event["ph"] not in "BEX":
            continue
        now = _ns(event["ts"])
        if event["ph"] == "B":
            stacks[track].append((event["name"], now))
        elif event["ph"] == "E":
            name, begin = stacks[track].pop()
            found.append((track, len(stacks[track]), name, begin, now))
        else:
            found.append((track, len(stacks[track]), event["name"], now, now))
    return found


def cut_slices(whole, begin, end):
    """What a window must have; slices without length at its ends aside.  A
    thread may be named after it."""
    return sorted((track, depth, name if depth else "", max(a, begin),
                   min(b, end))
                  for track, depth, name, a, b in whole
                  if min(b, end) > max(a, begin) or
                  (a == b and begin < a < end))


def arrows(events):
    """[(name, from, at, to, at)] of a timeline."""
    begins = {}
    found = []
    for event in events:
        if event["ph"] == "s":
            begins[event["id"]] = event
        elif event["ph"] == "f":
            start = begins.pop(event["id"])
            found.append((event["name"], start["tid"], _ns(start["ts"]),
                          event["tid"], _ns(event["ts"])))
    return found


def cut_arrows(whole, begin, end):
    return sorted(arrow for arrow in whole
                  if begin < arrow[2] < end and begin < arrow[4] < end)
