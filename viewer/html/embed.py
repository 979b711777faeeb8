#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A page as two C strings, what stands before its @DATA@ and what behind it.

    embed.py PAGE.html OUT.h
"""
import sys


def string(name, text):
    lines = [f"static const char {name}[] ="]
    for line in text.split("\n"):
        quoted = line.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'    "{quoted}\\n"')
    lines[-1] = lines[-1][:-3] + '";'
    return "\n".join(lines) + "\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as page:
        before, behind = page.read().split("@DATA@")
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write(string("ct_page_before", before))
        out.write(string("ct_page_behind", behind))


main()
