#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A short run of each libFuzzer target, with a fixed seed, as TAP.

    run_fuzz.py RUNS SOURCE TARGET...
    run_fuzz.py --seeds SOURCE TARGET DIR

corpus/TARGET.tar.xz has what earlier runs found worth keeping; with the seeds
made here it is what a run starts from, and each of it is run once.  RUNS inputs
a target then, fewer where one takes long; the environment's FUZZ_RUNS takes
their place.  --seeds only puts what a run starts from into DIR: for a long
run by hand, after which `TARGET -merge=1` leaves a corpus to keep.
"""
import lzma
import os
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
import seeds  # noqa: E402
import tap  # noqa: E402

RUNS, SOURCE, *TARGETS = sys.argv[1:]
HERE = os.path.dirname(os.path.abspath(__file__))
TRACES = os.path.join(SOURCE, "tests/unit/analyzer/front/traces")
CASES = os.path.join(SOURCE, "tests/golden/cases")
# libbabeltrace2's reader of metadata forgets some when it refuses a trace.
OPTIONS = {"fuzz-trace": ["-detect_leaks=0", "-max_len=8192"],
           "fuzz-model": ["-max_len=2048"]}
ENVIRONMENT = {"fuzz-trace": {"ASAN_OPTIONS": "detect_leaks=0"}}
SLOW = {"fuzz-trace": 10, "fuzz-model": 5}  # so many runs less
METADATA_HEAD = 37  # bytes before the text of a metadata packet

LINES = """@1000 1/1 bh_schedule bh=5 ctx=1 name="a\\u00e9\\n" flags=0x1
@1 1/2 coroutine_yield from=1 to=0 reason=lock object=3
@2 1/1 stack_frames id=0x9 outer=0 limit=0 frames=0x1,22
@3 1/1 lttng_ust_statedump:build_id baddr=0x1000 build_id=00ff
! stream=3 from=10 to=20 lost=?
"""


LOG = """1@9.000001:aio_co_schedule ctx 0x1 co 0x100000
1@9.000002:aio_co_schedule_bh_cb ctx 0x1 co 0x100000
1@9.000003:qemu_aio_coroutine_enter ctx 0x1 from 0xf to 0x100000 opaque (nil)
1@9.000004:blk_co_preadv blk 0x2 bs 0x3 offset 0 bytes 512 flags 0x0
1@9.000005:bdrv_co_preadv_part bs 0x3 offset 0 bytes 512 flags 0x0
1@9.000006:thread_pool_submit pool 0x4 req 0x5 opaque 0x7000000
1@9.000007:qemu_coroutine_yield from 0x100000 to 0xf
2@9.000006:qemu_aio_coroutine_enter ctx 0x6 from 0xe to 0x200000 opaque 0x9
2@9.000007:qemu_co_mutex_lock_entry mutex 0x8 self 0x200000
1@9.000008:thread_pool_complete pool 0x4 req 0x5 opaque 0x7000040 ret 0
1@9.000009:qemu_aio_coroutine_enter ctx 0x1 from 0xf to 0x100000 opaque (nil)
qemu: warning 1@9.000010:qemu_coroutine_terminate self 0x100000
2@9.000011:bdrv_open_common bs 0x3 filename "a "b" c" flags 0x2 format_name "raw"
2@9.000012:virtio_blk_handle_read vdev 0x1 req 0x2 sector 0 nsectors 1
2@9.000013:job_state_transition job 0x9 (ret: 0) attempting allowed transition (undefined-->created)
"""


def metadata_text(path):
    with open(path, "rb") as file:
        data = file.read()
    text = b""
    while data:
        content = int.from_bytes(data[24:28], "little") // 8
        packet = int.from_bytes(data[28:32], "little") // 8
        text += data[METADATA_HEAD:content]
        data = data[packet:]
    return text


def put(corpus, name, data):
    with open(os.path.join(corpus, name), "wb") as out:
        out.write(data)


def streams(corpus):
    """Metadata and the begin of a stream, as LTTng wrote them."""
    text = metadata_text(os.path.join(TRACES, "small", "metadata"))
    for name in ("c_0", "c_1"):
        with open(os.path.join(TRACES, "small", name), "rb") as stream:
            put(corpus, name, text + b"\0" + stream.read(2 * 4096))


def cases(corpus, make):
    for name in sorted(os.listdir(CASES)):
        with open(os.path.join(CASES, name), encoding="utf-8") as file:
            put(corpus, name, make(file.read()))


def traces(corpus):
    head = metadata_text(os.path.join(TRACES, "small", "metadata")).decode()
    head = head[:head.index("event {\n")]
    cases(corpus, lambda text: seeds.trace(SOURCE, head, text))


IMAGES = ("cluster_size=512", "cluster_size=4k", "compat=0.10,cluster_size=1k",
          "lazy_refcounts=on,cluster_size=4k")


def images(corpus):
    """qcow2 images to start from, where they can be made."""
    if not shutil.which("qemu-img"):
        return
    for options in IMAGES:
        path = os.path.join(corpus, options)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o",
                        options, path, "60k"], check=True)
        subprocess.run(["qemu-io", "-f", "qcow2", "-t", "unsafe",
                        "-c", "write -q 0 9k", "-c", "write -q -z 12k 8k",
                        "-c", "write -q 40k 3k", path], check=False)
    raw = os.path.join(corpus, "raw")
    put(corpus, "raw", bytes(range(256)) * 16 + b"a" * 40960)
    for how in ("zlib", "zstd"):
        subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", "-o",
                        f"cluster_size=4k,compression_type={how}", raw,
                        os.path.join(corpus, how)], check=True)
    os.unlink(raw)


def connections(corpus):
    """What NBD clients say, as much as one step takes at a time."""
    def option(number, data=b""):
        return b"IHAVEOPT" + struct.pack(">II", number, len(data)) + data
    name = struct.pack(">I", 4) + b"disk"
    query = struct.pack(">II", 1, 15) + b"base:allocation"
    requests = b"".join(
        struct.pack(">IHHQQI", 0x25609513, flags, kind, 7, 512, 512)
        for kind in range(9) for flags in (0, 1, 0xffff))
    for n, said in enumerate((
            option(8) + option(9, name + query) + option(10, name + query) +
            option(6, name + b"\0\3\0\1\0\2\0\3") + option(7, name + b"\0\0"),
            option(3) + option(5) + option(11) + option(1, b"disk"),
            option(99, b"x" * 20000) + option(2))):
        with open(os.path.join(corpus, str(n)), "wb") as out:
            out.write(b"\0\0\0\3" + said + requests)


SEEDS = {
    "fuzz-text": lambda corpus: put(corpus, "lines", LINES.encode()),
    "fuzz-log": lambda corpus: put(corpus, "log", LOG.encode()),
    "fuzz-packets": streams,
    "fuzz-trace": traces,
    "fuzz-model": lambda corpus: cases(
        corpus, lambda text: seeds.model(SOURCE, text)),
    "fuzz-qcow2": images,
    "fuzz-nbd": connections,
}


def start(name, corpus):
    """What a run starts from; how many of it were kept."""
    os.makedirs(corpus, exist_ok=True)
    kept = os.path.join(HERE, "corpus", name + ".tar.xz")
    if os.path.exists(kept):
        subprocess.run(["tar", "-C", corpus, "-x"], check=True,
                       input=lzma.open(kept).read())
    n = len(os.listdir(corpus))
    SEEDS[name](corpus)
    return n


def register(target):
    name = os.path.basename(target)

    @tap.case(name)
    def _(tmp):
        corpus = os.path.join(tmp, "corpus")
        n = start(name, corpus)
        runs = int(os.environ.get("FUZZ_RUNS", int(RUNS) // SLOW.get(name, 1)))
        done = subprocess.run(
            [os.path.abspath(target), "-seed=1", "-max_len=65536",
             "-timeout=20", *OPTIONS.get(name, []),
             f"-runs={len(os.listdir(corpus)) + runs}", corpus],
            cwd=tmp, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT.get(name, {})}, check=False)
        if done.returncode != 0:
            tap.note(done.stdout.decode(errors="replace")[-3000:])
        tap.equal(done.returncode, 0, "exit status")
        tap.note(f"{name}: {n} inputs of the corpus, {runs} more")


if RUNS == "--seeds":
    start(TARGETS[0], TARGETS[1])
    sys.exit()
for each in TARGETS:
    register(each)
tap.main()
