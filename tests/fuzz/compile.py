#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All of an archive's sources with one compiler and one set of options.

    compile.py ARCHIVE DEPFILE -- COMPILER OPTION... -- SOURCE...

Through ccache, where that is.  meson knows one compiler a language, and the
fuzz targets want another than the rest.
"""
import os
import shutil
import subprocess
import sys

ARCHIVE, DEPFILE, *REST = sys.argv[1:]
SPLIT = REST.index("--", 1)
COMPILER, SOURCES = REST[1:SPLIT], REST[SPLIT + 1:]


def main():
    folder = ARCHIVE + ".objects"
    os.makedirs(folder, exist_ok=True)
    cache = [shutil.which("ccache")] if shutil.which("ccache") else []
    objects, needs = [], set()
    for number, source in enumerate(SOURCES):
        base = os.path.join(folder, f"{number}-{os.path.basename(source)}")
        objects.append(base + ".o")
        subprocess.run(cache + COMPILER + ["-MMD", "-MF", base + ".d", "-c",
                                           source, "-o", base + ".o"],
                       check=True)
        with open(base + ".d", encoding="utf-8") as file:
            needs.update(word for word in file.read().replace("\\\n", " ")
                         .split(": ", 1)[1].split())
    if os.path.exists(ARCHIVE):
        os.unlink(ARCHIVE)
    subprocess.run(["ar", "rcs", ARCHIVE] + objects, check=True)
    with open(DEPFILE, "w", encoding="utf-8") as file:
        file.write(f"{ARCHIVE}: {' '.join(sorted(needs))}\n")


main()
