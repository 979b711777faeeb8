# SPDX-License-Identifier: MIT
"""A value for every field of every event: the test's program is generated with
them, and the test expects them in the trace.

    values.py OUTPUT LIST...     writes emit_all.inc
"""
import os
import sys

sys.path.insert(0, os.path.abspath(os.path.join(
    os.path.dirname(__file__), "../../../tracepoints/events")))

from lists import Reader, Vocabulary  # noqa: E402

ROUNDS = 3  # each with other values


def vocabulary(lists):
    voc = Vocabulary()
    for path in lists:
        Reader(voc, path).read()
    return voc


def value(event, field, number):
    """Reaches into every byte, negative where it can be, in each round another;
    `number` tells the rounds apart."""
    base = (sum(map(ord, event.name)) * 31 + sum(map(ord, field.name))) * 7
    base += number * 0x0101
    if field.kind == "u32":
        return (0xfedc0000 + base) % (1 << 32)
    if field.kind == "i32":
        return -base if number % 2 else base
    if field.kind == "i64":
        return -(base << 33)
    if field.kind in ("u64", "hex", "id"):
        return (0xfedcba9800000000 + (base << 20) + number) % (1 << 64)
    if field.kind == "enum":
        return len(field.enum.words) - 1 - number % len(field.enum.words)
    if field.kind == "string":
        return ["", "a text", 'with "quotes", [brackets] = and {more}'][number]
    if field.kind == "hexes":
        return [(base << 32) + i for i in range([0, 3, 128][number])]
    raise AssertionError(field.kind)


def c_value(event, field, number):
    what = value(event, field, number)
    if field.kind == "string":
        text = what.replace('"', '\\"')
        return [f'"{text}"']
    if field.kind == "hexes":
        items = ", ".join(f"{v:#x}" for v in what) or "0"
        return [f"(const uint64_t[]){{{items}}}", str(len(what))]
    if field.kind == "hex":
        return [f"(void *){what:#x}"]
    if field.kind == "i64":
        return [f"-INT64_C({-what})"]
    return [f"UINT64_C({what})" if what >= 0 else str(what)]


def write(path, lists):
    with open(path, "w", encoding="utf-8") as out:
        for number in range(ROUNDS):
            out.write("__attribute__((noinline)) static void "
                      f"emit_round_{number}(void)\n{{\n")
            for event in vocabulary(lists).ours():
                values = [v for f in event.args
                          for v in c_value(event, f, number)]
                # arrays in a compound literal have commas of their own
                call = ", ".join(f"({v})" if "{" in v else v for v in values)
                out.write(f"    ct_emit_{event.name}({call});\n")
            out.write("}\n\n")


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2:])
