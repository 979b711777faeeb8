#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
generate.py - makes everything that follows from the lists of events

    generate.py KIND -o OUTPUT [--ledger FILE] LIST...

KIND  events.h   enum of the events, of their fields and of their words
      emit.h     one ct_emit_X() an event
      emit.c     the slow functions behind emit.h; included by emit.c, whose
                 CT_EMIT_* macros say how
      probes.h   the LTTng-UST provider
      table.h    the table behind ct/schema.h
      doc        docs/EVENTS.md
      check      nothing: only looks for mistakes
      ledger     the ledger of the released schema, to be committed

The lists' notation stands at the head of cotrace.events.  Every mistake is
told as FILE:LINE: what, on stderr, and ends with status 1; nothing is written
then.  What the ledger knows may be left out of a list, but its names never
come back with another meaning.
"""

import argparse
import json
import os
import re
import sys

ARGS_MAX = 10  # of an LTTng-UST event
NAME = re.compile(r"[a-z][a-z0-9_]*$")
UNITS = ("ns", "bytes", "count", "fd")

# kind -> C type of the emitter's argument, LTTng field macro and its C type
KINDS = {
    "u32": ("uint32_t", "integer", "uint32_t"),
    "i32": ("int32_t", "integer", "int32_t"),
    "u64": ("uint64_t", "integer", "uint64_t"),
    "i64": ("int64_t", "integer", "int64_t"),
    "hex": ("uint64_t", "integer_hex", "uint64_t"),
    "id": ("uint64_t", "integer", "uint64_t"),
    "enum": (None, "enum", "uint8_t"),
    "string": ("const char *", "string", None),
    "hexes": ("const uint64_t *", "sequence_hex", "uint64_t"),
    "stack": ("uint64_t", "integer_hex", "uint64_t"),
    "bytes": (None, None, None),  # decode only
}


class Mistake(Exception):
    """What is wrong with a list, and where."""


class Word:
    def __init__(self, name, value, meaning):
        self.name, self.value, self.meaning = name, value, meaning


class Enum:
    def __init__(self, name, where):
        self.name, self.where, self.words = name, where, []


class Field:
    def __init__(self, kind, name, unit, enum, meaning, where):
        self.kind, self.name, self.unit = kind, name, unit
        self.enum, self.meaning, self.where = enum, meaning, where


class Event:
    def __init__(self, provider, name, since, where):
        self.provider, self.name, self.since = provider, name, since
        self.where, self.doc, self.fields, self.section = where, "", [], ""

    @property
    def c_name(self):
        """Name in C: of our own events the name itself."""
        prefix = self.provider.prefix
        return f"{prefix}_{self.name}" if prefix else self.name

    @property
    def stack(self):
        """Position of the stack field, -1: none."""
        last = len(self.fields) - 1
        return last if last >= 0 and self.fields[last].kind == "stack" else -1

    @property
    def args(self):
        """Fields that the caller passes."""
        return self.fields[: self.stack] if self.stack >= 0 else self.fields


class Provider:
    def __init__(self, name, prefix, decode_only):
        self.name, self.prefix, self.decode_only = name, prefix, decode_only


class Vocabulary:
    """All lists together."""

    def __init__(self):
        self.schema = None
        self.providers, self.enums, self.events = {}, {}, []

    def ours(self):
        return [e for e in self.events if not e.provider.decode_only]


# --- reading a list ---------------------------------------------------------


class Reader:
    """Reads one list into a vocabulary, a statement a line."""

    def __init__(self, vocabulary, path):
        self.voc, self.path = vocabulary, path
        self.provider = self.enum = self.event = None
        self.section, self.line = "", 0

    def fail(self, text, where=None):
        raise Mistake(f"{where or self.where()}: {text}")

    def where(self):
        return f"{self.path}:{self.line}"

    def read(self):
        with open(self.path, encoding="utf-8") as lines:
            for self.line, text in enumerate(lines, 1):
                title = re.match(r"# --- (.*?) -*$", text.rstrip())
                if title:
                    self.section = title.group(1)
                words = self.split(text)
                if not words:
                    continue
                if self.enum:
                    self.in_enum(words)
                elif self.event:
                    self.in_event(words)
                else:
                    self.at_top(words)
        if self.enum or self.event:
            self.fail("`end` is missing")

    def split(self, text):
        """Words of a line; a text in quotes is one word that starts with "."""
        text = text.strip()
        if text.startswith("#"):
            return []
        words = re.findall(r'"[^"]*"|[^\s"]+', text)
        if "".join(words).replace(" ", "") != text.replace(" ", "").replace(
            "\t", ""
        ):
            self.fail("a text is not closed")
        return words

    def name(self, word, what):
        if not NAME.match(word):
            self.fail(f"`{word}` is no name for {what}: a-z, 0-9 and _ only")
        return word

    def meaning(self, words):
        """Takes the text off the end, "" if there is none."""
        if words and words[-1].startswith('"'):
            return words.pop()[1:-1]
        return ""

    def at_top(self, words):
        statement = {
            "provider": self.top_provider,
            "schema": self.top_schema,
            "enum": self.top_enum,
            "event": self.top_event,
        }.get(words[0])
        if not statement:
            self.fail(f"unknown statement `{words[0]}`")
        statement(words[1:])

    def top_provider(self, words):
        decode_only = words[-2:] == ["decode", "only"]
        if decode_only:
            words = words[:-2]
        prefix = ""
        if words[1:2] == ["as"] and len(words) == 3:
            prefix = self.name(words[2], "a prefix")
            words = words[:1]
        if len(words) != 1:
            self.fail("provider NAME [as PREFIX] [decode only]")
        name = self.name(words[0], "a provider")
        if name in self.voc.providers:
            self.fail(f"provider `{name}` stands here twice")
        if not decode_only and any(
            not p.decode_only for p in self.voc.providers.values()
        ):
            self.fail("a second provider that is not decode only")
        self.provider = Provider(name, prefix, decode_only)
        self.voc.providers[name] = self.provider

    def top_schema(self, words):
        if len(words) != 1 or not re.match(r"\d+\.\d+$", words[0]):
            self.fail("schema MAJOR.MINOR")
        if self.voc.schema:
            self.fail("a second `schema`")
        self.voc.schema = version(words[0])

    def top_enum(self, words):
        if len(words) != 1:
            self.fail("enum NAME")
        name = self.name(words[0], "an enum")
        if name in self.voc.enums:
            other = self.voc.enums[name].where
            self.fail(f"enum `{name}` is defined at {other} already")
        self.enum = Enum(name, self.where())

    def in_enum(self, words):
        if words == ["end"]:
            if not self.enum.words:
                self.fail(f"enum `{self.enum.name}` has no words")
            self.voc.enums[self.enum.name] = self.enum
            self.enum = None
            return
        meaning = self.meaning(words)
        match = re.match(r"([a-z0-9_]+)=(\d+)$", "".join(words))
        if not match:
            self.fail('WORD=VALUE "meaning"')
        word = self.name(match.group(1), "a word")
        if any(w.name == word for w in self.enum.words):
            self.fail(f"word `{word}` stands here twice")
        if int(match.group(2)) != len(self.enum.words):
            self.fail(f"values count up from 0: {len(self.enum.words)} is next")
        if len(self.enum.words) > 255:
            self.fail("an enum is a u8 on the wire")
        self.enum.words.append(Word(word, int(match.group(2)), meaning))

    def top_event(self, words):
        if not self.provider:
            self.fail("an event before `provider`")
        since = (1, 0)
        if words[1:2] == ["since"] and len(words) == 3:
            if not re.match(r"\d+\.\d+$", words[2]):
                self.fail("since MAJOR.MINOR")
            since = version(words[2])
            words = words[:1]
        if len(words) != 1:
            self.fail("event NAME [since MAJOR.MINOR]")
        name = self.name(words[0], "an event")
        self.event = Event(self.provider, name, since, self.where())
        self.event.section = self.section
        for other in self.voc.events:
            if other.c_name == self.event.c_name:
                self.fail(f"event `{name}` is defined at {other.where} already")

    def in_event(self, words):
        if words == ["end"]:
            self.close_event()
            return
        if words[0] == "doc":
            self.event.doc = self.meaning(words)
            if len(words) != 1 or not self.event.doc:
                self.fail('doc "one sentence"')
            return
        meaning = self.meaning(words)
        kind = words[0]
        if kind not in KINDS:
            self.fail(f"unknown kind `{kind}`")
        if self.event.stack >= 0:
            self.fail("`stack` comes last")
        if kind == "stack":
            words = words[:1] + ["stack"] + words[1:]
        if kind == "bytes" and not self.provider.decode_only:
            self.fail("kind `bytes` is for decode only providers")
        if len(words) not in (2, 3):
            self.fail('KIND FIELD [UNIT|ENUM] "meaning"')
        name = self.name(words[1], "a field")
        if any(f.name == name for f in self.event.fields):
            self.fail(f"field `{name}` stands in this event twice")
        unit = words[2] if len(words) == 3 else None
        enum = None
        if kind == "enum":
            enum, unit = self.voc.enums.get(unit), None
            if not enum:
                self.fail(f"field `{name}` needs an enum defined before")
        elif unit and unit not in UNITS:
            self.fail(f"unknown unit `{unit}`")
        self.event.fields.append(
            Field(kind, name, unit, enum, meaning, self.where())
        )

    def close_event(self):
        event = self.event
        n_args = len(event.fields) + sum(
            f.kind == "hexes" for f in event.fields
        )
        if n_args > ARGS_MAX:
            self.fail(
                f"event `{event.name}` has {n_args} arguments, "
                f"LTTng-UST takes {ARGS_MAX}",
                event.where,
            )
        if not event.provider.decode_only:
            if self.voc.schema is None:
                self.fail("`schema` is missing", event.where)
            if event.since > self.voc.schema:
                self.fail(
                    f"event `{event.name}` is younger than the schema",
                    event.where,
                )
        self.voc.events.append(event)
        self.event = None


def version(text):
    return tuple(int(n) for n in text.split("."))


# --- the ledger of what has been released -----------------------------------


def ledger_of(voc):
    """What may not change its meaning any more."""
    return {
        "schema": list(voc.schema),
        "enums": {
            e.name: [w.name for w in e.words] for e in voc.enums.values()
        },
        "events": {
            e.name: {
                f.name: [f.kind, f.enum.name if f.enum else f.unit]
                for f in e.fields
            }
            for e in voc.ours()
        },
    }


def check_ledger(voc, ledger, path):
    """Refuses what gives a released name another meaning."""
    released = tuple(ledger["schema"])
    if voc.schema is None or voc.schema < released:
        raise Mistake(f"{path}:1: the schema is older than the released one")
    grown = None  # the first thing that the ledger does not know
    for enum in voc.enums.values():
        words = [w.name for w in enum.words]
        known = ledger["enums"].get(enum.name, [])
        for value, word in enumerate(known):
            if value >= len(words) or words[value] != word:
                raise Mistake(
                    f"{enum.where}: enum `{enum.name}` was released with "
                    f"{word}={value}"
                )
        if len(words) > len(known):
            grown = grown or enum.where
    for event in voc.ours():
        known = ledger["events"].get(event.name)
        if known is None:
            grown = grown or event.where
            continue
        for field in event.fields:
            now = [field.kind, field.enum.name if field.enum else field.unit]
            if field.name not in known:
                grown = grown or field.where
            elif known[field.name] != now:
                was = " ".join(w for w in known[field.name] if w)
                raise Mistake(
                    f"{field.where}: field `{field.name}` of "
                    f"`{event.name}` was released as `{was}`"
                )
    if grown and voc.schema == released:
        raise Mistake(
            f"{grown}: is new since schema {released[0]}.{released[1]}: "
            "raise `schema`"
        )


# --- writing ----------------------------------------------------------------


def banner(lists):
    names = ", ".join(os.path.basename(path) for path in lists)
    return (
        "/* SPDX-License-Identifier: MIT */\n"
        f"/* generated by generate.py from {names}; don't edit */\n"
    )


def c_args(event, with_stack=False):
    """[(type, name)] of an event's arguments, hexes with their number."""
    args = []
    for field in event.fields if with_stack else event.args:
        ctype = f"enum ct_{field.enum.name}" if field.enum else None
        args.append((ctype or KINDS[field.kind][0], field.name))
        if field.kind == "hexes":
            args.append(("uint32_t", f"n_{field.name}"))
    return args


def c_prototype(event):
    args = ", ".join(
        t + ("" if t.endswith("*") else " ") + n for t, n in c_args(event)
    )
    return f"void ct_emit_slow_{event.name}({args or 'void'})"


def wrap_comment(text, width=77):
    """The lines of a C comment."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width - 3:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    lines.append(line)
    if len(lines) == 1 and len(lines[0]) <= width - 3:
        return f"/* {lines[0]} */\n"
    return "/*\n" + "".join(f" * {line}\n" for line in lines) + " */\n"


def write_events_h(voc):
    major, minor = voc.schema
    out = ["#ifndef CT_EVENTS_H\n#define CT_EVENTS_H\n\n"]
    out.append(f"#define CT_SCHEMA_MAJOR {major}\n")
    out.append(f"#define CT_SCHEMA_MINOR {minor}\n\n")
    for enum in voc.enums.values():
        out.append(f"enum ct_{enum.name} {{\n")
        for word in enum.words:
            name = f"CT_{enum.name}_{word.name}".upper()
            out.append(f"    {name} = {word.value}, /* {word.meaning} */\n")
        out.append("};\n\n")
    out.append("enum ct_event_id {\n")
    for event in voc.events:
        out.append(f"    CT_EV_{event.c_name.upper()},\n")
    out.append("    CT_EV_COUNT\n};\n")
    for event in voc.events:
        if event.fields:
            out.append(f"\nenum ct_fld_{event.c_name} {{\n")
            for field in event.fields:
                name = f"CT_FLD_{event.c_name}_{field.name}".upper()
                out.append(f"    {name},\n")
            out.append("};\n")
    out.append("\n#endif\n")
    return "".join(out)


def write_emit_h(voc):
    provider = voc.ours()[0].provider.name
    state = f"lttng_ust_tracepoint_{provider}___"
    out = [
        "/*\n"
        " * ct/emit.h - record an event: ct_emit_X(), one an event\n"
        " *\n"
        " * Model:    ct_emit_X(arguments in the order of the list) records X if"
        " a\n"
        " *           recording wants it.  Arguments are evaluated only then.  An"
        " event\n"
        " *           with a stack takes its caller's by itself.\n"
        " *           ct_emit_on_X() tells whether anybody wants X.\n"
        " * Threads:  any; not from a signal handler.\n"
        " * Errors:   none: what can't be recorded is counted by LTTng.\n"
        " * Depends:  ct/events.h; LTTng-UST's types if built with tracing.\n"
        " */\n"
        "#ifndef CT_EMIT_H\n#define CT_EMIT_H\n\n"
        "#include <stdint.h>\n\n"
        '#include "ct/events.h"\n\n'
        "#ifdef CT_TRACING\n"
        "#include <lttng/tracepoint-types.h>\n\n"
        "/* off, an event costs this one load and branch */\n"
        "#define CT_EMIT_ON(event) \\\n"
        "    __builtin_expect(__atomic_load_n(&"
        f"{state}##event.state, \\\n"
        "                                     __ATOMIC_RELAXED) != 0, 0)\n"
        "#define CT_EMIT_POINT(event) \\\n"
        "    extern struct lttng_ust_tracepoint \\\n"
        f"        {state}##event \\\n"
        '        __attribute__((visibility("hidden")))\n'
        "#else\n"
        "#define CT_EMIT_ON(event) 0\n"
        "#define CT_EMIT_POINT(event) struct ct_emit_no_point\n"
        "#endif\n"
    ]
    for event in voc.ours():
        args = c_args(event)
        names = ", ".join(n for _, n in args)
        # an address may be a pointer to an object or to a function
        cast = {f.name for f in event.args if f.kind == "hex"}
        passed = ", ".join(
            f"(uint64_t)(uintptr_t)({n})" if n in cast else f"({n})"
            for _, n in args
        )
        out.append(
            f"\n{wrap_comment(event.doc) if event.doc else ''}"
            f"CT_EMIT_POINT({event.name});\n{c_prototype(event)};\n"
            f"#define ct_emit_on_{event.name}() CT_EMIT_ON({event.name})\n"
            f"#define ct_emit_{event.name}({names}) \\\n"
            "    do { \\\n"
            f"        if (CT_EMIT_ON({event.name})) {{ \\\n"
            f"            ct_emit_slow_{event.name}({passed}); \\\n"
            "        } \\\n"
            "    } while (0)\n"
        )
    out.append("\n#endif\n")
    return "".join(out)


def write_emit_c(voc):
    provider = voc.ours()[0].provider.name
    out = []
    for event in voc.ours():
        args = [n for _, n in c_args(event)]
        out.append(f"\nCT_EMIT_SLOW {c_prototype(event)}\n{{\n")
        if event.stack >= 0:
            out.append("    uint64_t stack = CT_EMIT_STACK();\n\n")
            args.append("stack")
        call = ", ".join([provider, event.name] + args)
        out.append(f"    CT_EMIT_CALL({call});\n}}\n")
    return "".join(out)


def write_probes_h(voc):
    provider = voc.ours()[0].provider.name
    out = [
        "#undef LTTNG_UST_TRACEPOINT_PROVIDER\n"
        f"#define LTTNG_UST_TRACEPOINT_PROVIDER {provider}\n"
        "#undef LTTNG_UST_TRACEPOINT_INCLUDE\n"
        '#define LTTNG_UST_TRACEPOINT_INCLUDE "probes.h"\n\n'
        "#if !defined(CT_PROBES_H) || "
        "defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)\n"
        "#define CT_PROBES_H\n\n"
        "#include <stdint.h>\n\n"
        "#include <lttng/tracepoint.h>\n"
    ]
    for enum in voc.enums.values():
        out.append(
            f"\nLTTNG_UST_TRACEPOINT_ENUM({provider}, {enum.name},\n"
            "    LTTNG_UST_TP_ENUM_VALUES(\n"
        )
        for word in enum.words:
            out.append(
                f'        lttng_ust_field_enum_value("{word.name}", '
                f"{word.value})\n"
            )
        out.append("    )\n)\n")
    for event in voc.ours():
        args, fields = [], []
        for field in event.fields:
            ctype, macro, wire = KINDS[field.kind]
            arg = f"arg_{field.name}"
            args.append(f"{ctype or wire}, {arg}")
            if field.kind == "hexes":
                args.append(f"uint32_t, n_{arg}")
                fields.append(
                    f"lttng_ust_field_{macro}({wire}, {field.name}, {arg}, "
                    f"uint8_t, n_{arg})"
                )
            elif field.kind == "string":
                fields.append(f"lttng_ust_field_string({field.name}, {arg})")
            elif field.kind == "enum":
                fields.append(
                    f"lttng_ust_field_enum({provider}, {field.enum.name}, "
                    f"{wire}, {field.name}, {arg})"
                )
            else:
                fields.append(
                    f"lttng_ust_field_{macro}({wire}, {field.name}, {arg})"
                )
        out.append(
            f"\nLTTNG_UST_TRACEPOINT_EVENT({provider}, {event.name},\n"
            f"    LTTNG_UST_TP_ARGS({', '.join(args)}),\n"
            "    LTTNG_UST_TP_FIELDS(\n"
            + "".join(f"        {f}\n" for f in fields)
            + "    )\n)\n"
        )
    out.append("\n#endif\n\n#include <lttng/tracepoint-event.h>\n")
    return "".join(out)


def write_table_h(voc):
    out = []
    for enum in voc.enums.values():
        words = ", ".join(f'"{w.name}"' for w in enum.words)
        out.append(
            f"static const char *const words_{enum.name}[] = "
            f"{{{words}, NULL}};\n"
        )
    for event in voc.events:
        if not event.fields:
            continue
        out.append(f"static const struct ct_field fields_{event.c_name}[] = {{\n")
        for f in event.fields:
            words = f"words_{f.enum.name}" if f.enum else "NULL"
            out.append(
                f'    {{"{f.name}", CT_FIELD_{f.kind.upper()}, '
                f"CT_UNIT_{(f.unit or 'none').upper()}, {words}}},\n"
            )
        out.append("};\n")
    out.append("static const struct ct_event events[CT_EV_COUNT] = {\n")
    for e in voc.events:
        fields = f"fields_{e.c_name}" if e.fields else "NULL"
        out.append(
            f"    [CT_EV_{e.c_name.upper()}] = "
            f'{{"{e.provider.name}", "{e.name}", {fields}, '
            f"{len(e.fields)}, {e.stack}}},\n"
        )
    out.append("};\n")
    return "".join(out)


def write_doc(voc):
    major, minor = voc.schema
    out = [
        "# What a cotrace trace can say\n\n"
        "Generated by `tracepoints/events/generate.py doc` from the lists "
        "beside it; don't edit.\n"
        f"Schema {major}.{minor}.  Process, thread and time (CLOCK_MONOTONIC) "
        "stand beside every event.\n\n"
        "**Order.** An event that causes is recorded before the store that "
        "publishes it, one that is caused after the load that saw it: time "
        "order is causal order on all CPUs.\n\n"
        "Kinds: `id` an entity (u64, never 0 and never reused in a process; 0 "
        "means none), `hex` an address, `hexes` addresses, `enum` a u8 with "
        "the words below, `stack` names the frames that a `stack_frames` event "
        "told (0: none).\n"
    ]
    section = provider = None
    for event in voc.events:
        if event.provider is not provider:
            provider, section = event.provider, None
            what = " (not ours: decoded only)" if provider.decode_only else ""
            out.append(f"\n# Provider `{provider.name}`{what}\n")
        if event.section != section and not provider.decode_only:
            section = event.section
            out.append(f"\n## {section[:1].upper()}{section[1:]}\n")
        since = f" (since {event.since[0]}.{event.since[1]})"
        out.append(
            f"\n### `{event.name}`{since if event.since > (1, 0) else ''}\n"
        )
        if event.doc:
            out.append(f"\n{event.doc}\n")
        if event.fields:
            out.append("\n| field | kind | meaning |\n|---|---|---|\n")
        for f in event.fields:
            kind = f"`{f.enum.name}`" if f.enum else f.kind
            if f.unit:
                kind += f", {f.unit}"
            meaning = f.meaning.replace("|", "\\|")
            if f.kind == "stack":
                meaning = meaning or "of whoever records the event"
            out.append(f"| `{f.name}` | {kind} | {meaning} |\n")
    out.append("\n# Words\n")
    for enum in voc.enums.values():
        out.append(f"\n## `{enum.name}`\n\n| word | value | meaning |\n")
        out.append("|---|---|---|\n")
        for w in enum.words:
            out.append(f"| `{w.name}` | {w.value} | {w.meaning} |\n")
    return "".join(out)


def write_ledger(voc):
    return json.dumps(ledger_of(voc), indent=1) + "\n"


WRITERS = {
    "events.h": write_events_h,
    "emit.h": write_emit_h,
    "emit.c": write_emit_c,
    "probes.h": write_probes_h,
    "table.h": write_table_h,
    "doc": write_doc,
    "check": lambda voc: "",
    "ledger": write_ledger,
}


def main():
    parser = argparse.ArgumentParser(description="see the head of this file")
    parser.add_argument("kind", choices=WRITERS)
    parser.add_argument("-o", "--output")
    parser.add_argument("--ledger", help="refuse what breaks with this one")
    parser.add_argument("lists", nargs="+")
    options = parser.parse_args()
    voc = Vocabulary()
    try:
        for path in options.lists:
            Reader(voc, path).read()
        if not voc.ours():
            raise Mistake(f"{options.lists[0]}:1: no event of ours")
        if options.ledger:
            with open(options.ledger, encoding="utf-8") as ledger:
                check_ledger(voc, json.load(ledger), options.lists[0])
    except (Mistake, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    text = WRITERS[options.kind](voc)
    if options.kind.endswith((".h", ".c")):
        text = banner(options.lists) + text
    if options.output:
        with open(options.output, "w", encoding="utf-8") as out:
            out.write(text)
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
