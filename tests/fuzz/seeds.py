# SPDX-License-Identifier: MIT
"""What fuzz-model and fuzz-trace start from: readable traces, made binary.

    model(ROOT, TEXT) -> an input of fuzz-model with the events of a text trace
    trace(ROOT, HEAD, TEXT) -> one of fuzz-trace with some of them, in two
    streams; HEAD: LTTng's metadata up to the first event
"""
import os
import re
import struct
import sys

MISSING = 0xf0
STRINGS = ["", "a", "main", "blk", "bdrv", "read", 'disk "x"', "1@2.3:a b 4"]


def vocabulary(root):
    sys.path.insert(0, os.path.join(root, "tracepoints", "events"))
    import lists
    voc = lists.Vocabulary()
    for name in ("cotrace", "ust", "qemu"):
        lists.Reader(voc, os.path.join(root, "tracepoints", "events",
                                       name + ".events")).read()
    return {(event.provider.name, event.name): event for event in voc.events}


def _hash(name):
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xffffffff
    return (value >> 16 ^ value) & 0xffff


def events(text):
    """[(ns, pid, tid, event, {field: text})] of a text trace."""
    for line in text.splitlines():
        found = re.match(r"@(\d+) (\d+)/(\d+) (?:(\w+):)?(\w+) ?(.*)", line)
        if found:
            fields = dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)',
                                     found[6]))
            yield (int(found[1]), int(found[2]), int(found[3]),
                   (found[4] or "cotrace", found[5]), fields)


def _field(field, text, small):
    if text is None:
        return bytes([MISSING])
    if field.kind == "string":
        word = text.strip('"')
        return bytes([STRINGS.index(word) if word in STRINGS
                      else _hash(word) % len(STRINGS)])
    if field.kind in ("hexes", "bytes"):
        return b"\0"
    if not re.match(r"-?[0-9]", text):
        words = [word.name for word in field.enum.words]
        return bytes([words.index(text)])
    value = int(text, 0)
    if field.kind in ("id", "stack", "hex") and value >= MISSING:
        value = small.setdefault(value, len(small) + 1)  # ids stay different
    if 0 <= value < MISSING:
        return bytes([value])
    return bytes([0xff]) + struct.pack("<Q", value & (1 << 64) - 1)


def model(root, text):
    known = vocabulary(root)
    out = bytearray([4, 0])
    pids, small, last = {}, {}, None
    for ns, pid, tid, name, fields in events(text):
        if name not in known:
            continue
        later = 0 if last is None else ns - last
        last = ns
        out += struct.pack("<H", _hash(name[1]))
        out.append(later if later < 192 else
                   min(254, 192 + (later - 1).bit_length()))
        out.append(min(3, pids.setdefault(pid, len(pids) + 1)) << 6 |
                   tid & 63)
        for field in known[name].fields:
            out += _field(field, fields.get(field.name), small)
    return bytes(out)


PACKET_HEAD = struct.Struct("<I16sIQ QQQQQQI")
CTF_INTEGERS = {"id": "Q", "u64": "Q", "i64": "Q", "hex": "Q", "stack": "Q",
                "u32": "I", "i32": "I", "enum": "B"}


def _declare(number, name, event):
    fields = []
    for field in event.fields:
        if field.kind == "string":
            fields.append(f"string _{field.name};")
        else:
            bits = struct.calcsize(CTF_INTEGERS[field.kind]) * 8
            fields.append(f"uint{bits}_t _{field.name};")
    return (f'event {{ name = "{":".join(name)}"; id = {number}; stream_id = 0;'
            f" fields := struct {{ {' '.join(fields)} }}; }};\n")


def _packet(uuid, stream, number, told):
    content = b"".join(data for _, data in told)
    size = PACKET_HEAD.size + len(content)
    head = PACKET_HEAD.pack(0xc1fc1fc1, uuid, 0, stream,
                            told[0][0], told[-1][0], size * 8, size * 8,
                            number, 0, stream)
    return head + content


def trace(root, head, text, per_packet=6):
    known = vocabulary(root)
    numbers, streams = {}, ([], [])
    uuid = bytes.fromhex(re.search(r'uuid = "([-0-9a-f]+)"', head)[1]
                         .replace("-", ""))
    for n, (ns, pid, tid, name, fields) in enumerate(events(text)):
        event = known[name]
        if any(f.kind not in CTF_INTEGERS and f.kind != "string"
               for f in event.fields):
            continue
        number = numbers.setdefault(name, len(numbers))
        data = struct.pack("<HIII", number, ns & 0xffffffff, pid, tid)
        for field in event.fields:
            value = fields.get(field.name, "0")
            if field.kind == "string":
                data += value.strip('"').encode() + b"\0"
                continue
            if not re.match(r"-?[0-9]", value):
                value = str([w.name for w in field.enum.words].index(value))
            code = CTF_INTEGERS[field.kind]
            data += struct.pack("<" + code, int(value, 0) &
                                (1 << struct.calcsize(code) * 8) - 1)
        streams[n // per_packet % 2].append((ns, data))
    files = [b"".join(_packet(uuid, stream, i // per_packet, told[i:i + per_packet])
                      for i in range(0, len(told), per_packet))
             for stream, told in enumerate(streams)]
    metadata = head + "".join(_declare(number, name, known[name])
                              for name, number in numbers.items())
    return (metadata.encode() + b"\0" + struct.pack("<H", len(files[0])) +
            files[0] + files[1])
