# SPDX-License-Identifier: MIT
"""A trace and its lossy twin: what the twin is sure of must be so.

Requests are rows of `requests --all --blame --json`; `shift` is the time of the
trace's first event, since rows count from there.
"""
import tap


def identity(request):
    return (request["pid"], request["layer"], request["op"], request["node"],
            request["offset"], request["bytes"])


def states_of(request, shift):
    """[begin, end, state] on the trace's own clock, checked for the sum."""
    segments = request["segments"]
    begin, end = request["begin_ns"], request["end_ns"]
    if begin is None and segments:
        begin = segments[0]["begin_ns"]  # it was open before the first event
    at = begin
    states = []
    for segment in segments:
        tap.equal(segment["begin_ns"], at, "segments are contiguous")
        at = segment["end_ns"]
        ran = (segment["cause"] or {}).get("ran")
        if ran and segment["state"] != "work-queued":
            tap.equal(sum(piece["ns"] for piece in ran),
                      at - segment["begin_ns"], "what ran fills the wait")
        states.append((segment["begin_ns"] + shift, at + shift,
                       segment["state"]))
    if end is not None:
        tap.equal(at, end, "segments end with the request")
        tap.equal(request["complete"], request["begin_seen"], "complete")
    return states


def said_otherwise(whole, twin):
    """Instants of which a twin is sure, and the whole trace says otherwise."""
    wrong = []
    for begin, end, state in twin:
        if state == "unknown":
            continue
        for other_begin, other_end, other in whole:
            if max(begin, other_begin) < min(end, other_end) and \
                    state != other:
                wrong.append((begin, end, state, other))
    return wrong


def blamed(request, shift):
    """[begin, end, kind, coroutine] of causes that are stated as certain."""
    return [(part["begin_ns"] + shift, part["end_ns"] + shift,
             part["cause"]["kind"], part["cause"]["coroutine"])
            for part in request["segments"]
            if part["cause"] and part["cause"]["kind"] != "unknown"]


def blamed_otherwise(whole, twin):
    return [(one, other) for one in twin for other in whole
            if max(one[0], other[0]) < min(one[1], other[1]) and
            (one[2] != other[2] or
             (one[3] is not None and one[3] != other[3]))]


def check_latency(whole, request):
    """The interval that is told has the real latency in it."""
    least, most = request["latency_min_ns"], request["latency_max_ns"]
    real = whole["latency_ns"]
    if real is not None:
        assert least <= real and (most is None or real <= most), \
            f"took {real}, not {least} to {most}"
    if request["complete"]:
        tap.equal((least, most), (request["latency_ns"],) * 2, "exact")


def check(whole, twin, shift):
    """Rows of a whole trace and of its twin, whose first event came `shift`
    later.  Return: ns that are certain, of ns."""
    real = {}
    for request in whole:
        real.setdefault((request["pid"], request["id"]), request)
    certain = of = 0
    for request in twin:
        states = states_of(request, shift)
        one = real[request["pid"], request["id"]]
        wrong = said_otherwise(states_of(one, 0), states)
        assert not wrong, f"{wrong} of {request}"
        wrong = blamed_otherwise(blamed(one, 0), blamed(request, shift))
        assert not wrong, f"blamed otherwise: {wrong} of {request}"
        check_latency(one, request)
        for key in ("layer", "op", "node", "offset", "bytes", "ret"):
            assert request[key] in (None, one[key]) or one[key] is None, \
                f"{key}: {request[key]}, not {one[key]}"
        certain += sum(end - begin for begin, end, state in states
                       if state != "unknown")
        of += sum(end - begin for begin, end, _ in states)
    return certain, of


def check_share(certain, of, least, what):
    """Who is sure of nothing says nothing wrong: so much of the requests' time,
    in percent, is certain all the same."""
    share = certain * 100 // max(of, 1)
    assert share >= least, \
        f"{what}: {share} % of the requests' time certain, not {least}"
    return share
