#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is a Chrome trace event file right?  Says so without any viewer.

    python3 chrome_checker.py FILE      prints the faults; exit 1 if any

Applied are the rules of Perfetto's importer for this format (what it counts as
an error in its statistics, how it orders events, which slice an arrow binds
to), those of the format that other viewers insist on (B and E of a track in
time order, the same name on both, one set of series a counter), and that
everything shown has a name.  Knows nothing of what wrote the file; times are
exact: nanoseconds from decimal text.

Every fault starts with a word that names its rule, see RULES.
"""
import json
import re
import sys
from decimal import Decimal

RULES = {
    "json": "strict JSON, no key twice in one object",
    "document": "an object with traceEvents, a displayTimeUnit that exists",
    "event": "an object with a known phase",
    "id-type": "pid and tid are whole numbers of 32 bits, above 0",
    "time": "ts and dur are numbers in us of at most three decimals, not below 0",
    "name": "what is shown has a name; metadata names are known ones",
    "args": "args is an object",
    "unnamed-track": "process_name and thread_name for every track with events",
    "order": "B and E of a track stand in time order",
    "end-without-begin": "an E closes the innermost slice that is open",
    "end-name": "an E has the name and category of the B that it closes",
    "unclosed": "a B has its E",
    "zero-length": "a slice without length is an X: sorted by time, its E would"
                   " come before its B",
    "overlap": "slices of a track nest or lie apart",
    "depth": "at most 512 slices inside of each other",
    "flow-id": "an arrow has an id: a whole number or hex digits",
    "flow-duplicate": "an id starts one arrow",
    "flow-no-slice": "an arrow starts and ends in a slice",
    "flow-stale": "... that has not ended there",
    "flow-no-start": "the end of an arrow has a start, which is not later",
    "flow-no-end": "the start of an arrow has an end",
    "flow-binding": "the end of an arrow has bp: e",
    "counter": "a counter's args are numbers, at least one",
    "counter-series": "a counter has the same series in every event",
    "instant": "an instant has a scope that exists",
}
PHASES = set("BEXisftCM")
METADATA = {"process_name", "thread_name", "process_sort_index",
            "thread_sort_index", "process_labels"}
MAX_DEPTH = 512
U32 = 2 ** 32


class Fault(str):
    @property
    def rule(self):
        return self.split(":", 1)[0]


class Slice:
    """A slice as it was imported; an instant has no duration."""

    def __init__(self, event, at, begin, end, depth, parent):
        self.name = event.get("name")
        self.category = event.get("cat")
        self.args = dict(event.get("args") or {})
        self.pid, self.tid = event["pid"], event["tid"]
        self.phase = event["ph"]
        self.at = at              # number of the event
        self.begin = begin        # ns
        self.end = end            # ns; None: not yet closed
        self.depth = depth
        self.parent = parent

    def __repr__(self):
        return (f"{self.name!r} [{self.begin}, {self.end}) on "
                f"{self.pid}/{self.tid}")


class Report:
    def __init__(self):
        self.faults = []
        self.slices = []      # in the order of their begin
        self.flows = []       # (name, from Slice, from ns, to Slice, to ns)
        self.counters = {}    # (pid, name, series) -> [(ns, value) ...]
        self.processes = {}   # pid -> name
        self.threads = {}     # (pid, tid) -> name
        self.sort_indexes = {}
        self.metadata = {}    # of the document
        self.n_events = 0

    def fault(self, rule, text):
        assert rule in RULES, rule
        self.faults.append(Fault(f"{rule}: {text}"))

    def rules_broken(self):
        return {fault.rule for fault in self.faults}


def _pairs(pairs):
    found = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} twice in one object")
        found[key] = value
    return found


def _constant(text):
    raise ValueError(f"{text} is no JSON")


def parse(text):
    return json.loads(text, parse_float=Decimal, object_pairs_hook=_pairs,
                      parse_constant=_constant)


def _ns(value):
    """Nanoseconds of a time in us; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    ns = Decimal(value) * 1000
    return int(ns) if ns == int(ns) and ns >= 0 else None


def _whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


class _Importer:
    """What one event does, in the order in which Perfetto takes them."""

    def __init__(self, report):
        self.report = report
        self.stacks = {}      # track -> [Slice ...]
        self.flow_starts = {} # key -> (Slice, ns, event number)
        self.flow_ended = set()
        self.n_open = 0

    def close_before(self, track, begin, duration, at):
        """Pops what has ended; None when the new slice cannot nest."""
        stack = self.stacks.setdefault(track, [])
        pending = False
        for slice_ in reversed(list(stack)):
            if slice_.end is None:
                pending = True
                continue
            if pending:
                if begin <= slice_.end:
                    continue
                self.report.fault(
                    "overlap", f"event {at}: what is inside {slice_} is still "
                               f"open at {begin}")
                del stack[stack.index(slice_):]
                pending = False
                continue
            is_point = slice_.begin == slice_.end
            if slice_.end < begin or (slice_.end == begin and
                                      not (is_point and duration == 0)):
                stack.remove(slice_)
                continue
            if duration is not None and begin < slice_.end < begin + duration:
                self.report.fault(
                    "overlap", f"event {at}: [{begin}, {begin + duration}) "
                               f"reaches out of {slice_}")
                return None
        return stack

    def begin(self, event, at, begin, duration):
        track = event["pid"], event["tid"]
        stack = self.close_before(track, begin, duration, at)
        if stack is None:
            return
        if len(stack) >= MAX_DEPTH:
            self.report.fault("depth", f"event {at}: {len(stack)} slices deep")
            return
        # What encloses it must do so whole, also where ends are not yet known.
        slice_ = Slice(event, at, begin,
                       None if duration is None else begin + duration,
                       len(stack), stack[-1] if stack else None)
        stack.append(slice_)
        self.report.slices.append(slice_)

    def end(self, event, at, now):
        track = event["pid"], event["tid"]
        stack = self.close_before(track, now, None, at)
        open_ = [s for s in stack or [] if s.end is None]
        if not open_:
            self.report.fault("end-without-begin",
                              f"event {at}: {event.get('name')!r} at {now}")
            return
        slice_ = open_[-1]
        if (event.get("name"), event.get("cat")) != (slice_.name,
                                                     slice_.category):
            self.report.fault(
                "end-name", f"event {at}: {event.get('name')!r} "
                            f"({event.get('cat')!r}) ends {slice_}")
            matching = [s for s in open_
                        if event.get("name") in (None, s.name)]
            if matching:
                slice_ = matching[-1]
        for inner in stack[stack.index(slice_) + 1:]:
            if inner.end is None or inner.end > now:
                self.report.fault("overlap",
                                  f"event {at}: {inner} is inside {slice_}, "
                                  f"which ends at {now}")
        slice_.end = now
        slice_.args.update(event.get("args") or {})
        del stack[stack.index(slice_):]

    def bound(self, event, at, now):
        stack = self.stacks.get((event["pid"], event["tid"]))
        if not stack:
            self.report.fault("flow-no-slice",
                              f"event {at}: no slice is open at {now}")
            return None
        slice_ = stack[-1]
        if slice_.end is not None and slice_.end < now:
            self.report.fault("flow-stale",
                              f"event {at}: at {now} binds to {slice_}")
        return slice_

    def flow(self, event, at, now):
        raw = event.get("id")
        if isinstance(raw, str) and re.fullmatch(r"(0x)?[0-9a-fA-F]+", raw):
            raw = int(raw, 16)
        if not _whole(raw) or raw < 0:
            self.report.fault("flow-id", f"event {at}: id {raw!r}")
            return
        key = raw, event.get("cat"), event.get("name")
        slice_ = self.bound(event, at, now)
        if event["ph"] == "s":
            if key in self.flow_starts:
                self.report.fault("flow-duplicate", f"event {at}: {key}")
            elif slice_:
                self.flow_starts[key] = slice_, now, at
            return
        if key not in self.flow_starts:
            self.report.fault("flow-no-start", f"event {at}: {key}")
            return
        source, then, _ = self.flow_starts[key]
        if event["ph"] == "f":
            if event.get("bp") != "e":
                self.report.fault("flow-binding", f"event {at}: {key}")
            self.flow_ended.add(key)
        if slice_:
            self.report.flows.append((event.get("name"), source, then,
                                      slice_, now))
            if event["ph"] == "t":
                self.flow_starts[key] = slice_, now, at

    def finish(self):
        for stack in self.stacks.values():
            for slice_ in stack:
                if slice_.end is None:
                    self.report.fault("unclosed", repr(slice_))
        for key, (_, _, at) in self.flow_starts.items():
            if key not in self.flow_ended:
                self.report.fault("flow-no-end", f"event {at}: {key}")


def _metadata(report, event, at):
    name, args = event.get("name"), event.get("args")
    if name not in METADATA or not isinstance(args, dict):
        report.fault("name", f"event {at}: metadata {name!r}")
        return
    if name.endswith("_sort_index"):
        if not _whole(args.get("sort_index")):
            report.fault("args", f"event {at}: no sort_index")
        else:
            report.sort_indexes[event["pid"], event["tid"]
                                if name[0] == "t" else None] = args["sort_index"]
        return
    shown = args.get("name" if name.endswith("_name") else "labels")
    if not isinstance(shown, str) or not shown:
        report.fault("name", f"event {at}: {name} {shown!r}")
    elif name == "process_name":
        report.processes[event["pid"]] = shown
    elif name == "thread_name":
        report.threads[event["pid"], event["tid"]] = shown


def _counter(report, event, at, now):
    args = event.get("args")
    key = event["pid"], event.get("name")
    if not args or not all(isinstance(value, (int, Decimal)) and
                           not isinstance(value, bool)
                           for value in args.values()):
        report.fault("counter", f"event {at}: {args!r}")
        return
    for series, value in args.items():
        report.counters.setdefault((*key, series), []).append((now, value))


def _well_formed(report, event, at):
    """Is there enough to import?  Also checks what needs no state."""
    if not isinstance(event, dict) or event.get("ph") not in PHASES:
        report.fault("event", f"event {at}: {str(event)[:80]}")
        return False
    good = True
    for field in ("pid", "tid"):
        value = event.get(field)
        if not _whole(value) or not 0 < value < U32:
            report.fault("id-type", f"event {at}: {field} {value!r}")
            good = False
    if event["ph"] != "M" and _ns(event.get("ts")) is None:
        report.fault("time", f"event {at}: ts {event.get('ts')}")
        good = False
    if event["ph"] == "X" and _ns(event.get("dur")) is None:
        report.fault("time", f"event {at}: dur {event.get('dur')}")
        good = False
    if event["ph"] != "E" and (not isinstance(event.get("name"), str) or
                               not event["name"]):
        report.fault("name", f"event {at}: {event.get('name')!r}")
        good = False
    if "args" in event and not isinstance(event["args"], dict):
        report.fault("args", f"event {at}: {event['args']!r}")
        good = False
    if event["ph"] == "i" and event.get("s", "t") not in ("t", "p", "g"):
        report.fault("instant", f"event {at}: scope {event['s']!r}")
    return good


def _time_order(report, events):
    """B and E as they stand in the file, before anything sorts them."""
    last = {}
    for at, event in events:
        if event["ph"] in "BE":
            track = event["pid"], event["tid"]
            now = _ns(event["ts"])
            if now < last.get(track, 0):
                report.fault("order", f"event {at}: {now} after {last[track]} "
                                      f"on {track}")
            last[track] = now


def _zero_length(report, events):
    stacks = {}
    for at, event in events:
        stack = stacks.setdefault((event["pid"], event["tid"]), [])
        if event["ph"] == "B":
            stack.append((_ns(event["ts"]), event["name"]))
        elif event["ph"] == "E" and stack:
            begin, name = stack.pop()
            if begin == _ns(event["ts"]):
                report.fault("zero-length", f"event {at}: {name!r} at {begin}")


def _series(report, events):
    series = {}
    for at, event in events:
        if event["ph"] == "C" and isinstance(event.get("args"), dict):
            key = event["pid"], event["name"]
            if series.setdefault(key, set(event["args"])) != set(event["args"]):
                report.fault("counter-series",
                             f"event {at}: {key}: {sorted(event['args'])}, "
                             f"before {sorted(series[key])}")


def _import_order(numbered):
    """Perfetto's: by time; at one instant ends first, then X, longer ones
    first, then all others as they stand."""
    at, event = numbered
    if event["ph"] == "M":
        return -1, 0, at
    key = 2 ** 62
    if event["ph"] == "E":
        key = -1
    elif event["ph"] == "X":
        key -= _ns(event["dur"])
    return _ns(event["ts"]), key, at


def check_document(document):
    report = Report()
    events = document
    if isinstance(document, dict):
        events = document.get("traceEvents")
        report.metadata = document.get("metadata") or {}
        if document.get("displayTimeUnit", "ms") not in ("ns", "ms"):
            report.fault("document",
                         f"displayTimeUnit {document['displayTimeUnit']!r}")
    if not isinstance(events, list):
        report.fault("document", "no array of events")
        return report
    report.n_events = len(events)
    good = [(at, event) for at, event in enumerate(events)
            if _well_formed(report, event, at)]
    _time_order(report, good)
    _zero_length(report, good)
    _series(report, good)
    importer = _Importer(report)
    tracks = {}
    for at, event in sorted(good, key=_import_order):
        phase = event["ph"]
        if phase == "M":
            _metadata(report, event, at)
            continue
        tracks.setdefault((event["pid"], event["tid"]), at)
        now = _ns(event["ts"])
        if phase == "B":
            importer.begin(event, at, now, None)
        elif phase == "X":
            importer.begin(event, at, now, _ns(event["dur"]))
        elif phase == "i":
            if event.get("s", "t") == "t":
                importer.begin(event, at, now, 0)
        elif phase == "E":
            importer.end(event, at, now)
        elif phase in "stf":
            importer.flow(event, at, now)
        elif phase == "C":
            _counter(report, event, at, now)
    importer.finish()
    for (pid, tid), at in tracks.items():
        if pid not in report.processes:
            report.fault("unnamed-track", f"event {at}: process {pid}")
        if (pid, tid) not in report.threads:
            report.fault("unnamed-track", f"event {at}: thread {pid}/{tid}")
    return report


def check_text(text):
    try:
        document = parse(text)
    except (ValueError, RecursionError) as error:
        report = Report()
        report.fault("json", str(error))
        return report
    return check_document(document)


def check_file(path):
    with open(path, encoding="utf-8", errors="strict") as file:
        try:
            text = file.read()
        except UnicodeDecodeError as error:
            report = Report()
            report.fault("json", str(error))
            return report
    return check_text(text)


def main():
    report = check_file(sys.argv[1])
    for fault in report.faults[:100]:
        print(fault)
    print(f"{report.n_events} events, {len(report.slices)} slices, "
          f"{len(report.flows)} arrows, {len(report.counters)} counters, "
          f"{len(report.threads)} tracks, {len(report.faults)} faults")
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
