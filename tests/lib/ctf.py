# SPDX-License-Identifier: MIT
"""LTTng-UST's files, as far as tests change them: metadata as text, streams by
packet.

A packet's head is what LTTng writes: magic, uuid, stream, instance, then begin,
end, sizes in bits, number, discarded, CPU.
"""
import os
import shutil
import struct

METADATA_HEAD = 37  # bytes before the text of a metadata packet
HEAD = struct.Struct("<I16sIQQQQQQQI")
BEGIN, END, CONTENT, SIZE, NUMBER, DISCARDED = range(4, 10)


def text(path):
    """The text of a metadata file in packets."""
    with open(path, "rb") as file:
        data = file.read()
    out = b""
    while data:
        content = int.from_bytes(data[24:28], "little") // 8
        packet = int.from_bytes(data[28:32], "little") // 8
        out += data[METADATA_HEAD:content]
        data = data[packet:]
    return out.decode()


def packets(data):
    """[(offset, bytes, head)] of a stream, up to what is no packet."""
    found, at = [], 0
    while at + HEAD.size <= len(data):
        head = HEAD.unpack_from(data, at)
        if head[0] != 0xc1fc1fc1 or head[SIZE] < HEAD.size * 8:
            break
        found.append((at, head[SIZE] // 8, head))
        at += head[SIZE] // 8
    return found


def without(path, gone):
    """Rewrites a stream file without the packets whose numbers are in @gone."""
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as out:
        for number, (at, n, _) in enumerate(packets(data)):
            if number not in gone:
                out.write(data[at:at + n])


def copy(trace, to, change=None):
    """A copy whose metadata is text, changed by a function of it."""
    shutil.copytree(trace, to)
    path = os.path.join(to, "metadata")
    changed = text(path)
    if change:
        changed = change(changed)
    with open(path, "w", encoding="utf-8") as out:
        out.write(changed)
    return to
