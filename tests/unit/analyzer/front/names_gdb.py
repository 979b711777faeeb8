# SPDX-License-Identifier: MIT
"""Run inside gdb: what gdb says of the addresses in $ADDRESSES, to $OUT."""
import os

import gdb


def name_of(path):
    return os.path.basename(path)


def describe(address):
    sal = gdb.find_pc_line(address)
    here = (name_of(sal.symtab.filename), sal.line) if sal.symtab else ("?", 0)
    block = gdb.block_for_pc(address)
    places = []
    while block is not None and not block.is_global and not block.is_static:
        function = block.function
        if function is not None:
            places.append((function.name,) + here)
            # for an inlined function gdb's symbol has the place of the call
            here = (name_of(function.symtab.filename), function.line)
        block = block.superblock
    return places or [("?",) + here]


with open(os.environ["ADDRESSES"], encoding="utf-8") as lines, \
     open(os.environ["OUT"], "w", encoding="utf-8") as out:
    for line in lines:
        places = describe(int(line, 16))
        out.write(line.strip() + "".join(f"|{f}:{file}:{n}"
                                         for f, file, n in places) + "\n")
