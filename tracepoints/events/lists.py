# SPDX-License-Identifier: MIT
"""
lists.py - reads the lists of events, refuses what is wrong with them

The lists' notation stands at the head of cotrace.events.  A mistake is raised
as FILE:LINE: what.  What the ledger of released schemas knows may be left out
of a list, but its names never come back with another meaning.
"""

import re

ARGS_MAX = 10  # what provider/pack.h has room for
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
        self.was = None  # its other name, in older versions


class Event:
    def __init__(self, provider, name, since, where):
        self.provider, self.name, self.since = provider, name, since
        self.where, self.doc, self.fields, self.section = where, "", [], ""
        self.was, self.texts = [], []  # other names; forms in a log

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
        form = re.match(r'text\s+"(.*)"$', text)  # may have quotes in it
        if form:
            return ["text", form.group(1)]
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
        if words[0] in ("was", "text"):
            self.in_others_event(words)
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
        was = None
        if len(words) > 3 and words[-2] == "was" and self.is_others():
            was = self.name(words[-1], "a field")
            words = words[:-2]
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
        self.event.fields[-1].was = was

    def is_others(self):
        if not self.provider.decode_only:
            self.fail("`was` and `text` are for decode only providers")
        return True

    def in_others_event(self, words):
        """Other names that an event had, and how it is printed."""
        self.is_others()
        if words[0] == "text" and len(words) == 2:
            self.event.texts.append((words[1], self.where()))
        elif words[0] == "was" and len(words) == 2:
            self.event.was.append(self.name(words[1], "an event"))
        else:
            self.fail('was NAME, or text "what is printed"')

    def check_texts(self, event):
        """A text names fields, with something printed between two of them."""
        names = {f.name for f in event.fields}
        for text, where in event.texts:
            told = re.findall(r"\{(\w+)\}", text)
            for name in told:
                if name not in names:
                    self.fail(f"text names no field `{name}`", where)
            if len(set(told)) != len(told) or "}{" in text:
                self.fail("text can't be read back", where)

    def close_event(self):
        event = self.event
        self.check_texts(event)
        n_args = len(event.fields) + sum(
            f.kind == "hexes" for f in event.fields
        )
        if n_args > ARGS_MAX:
            self.fail(
                f"event `{event.name}` has {n_args} arguments, "
                f"{ARGS_MAX} fit",
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
