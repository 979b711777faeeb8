# SPDX-License-Identifier: MIT
"""A page in a headless browser, driven by a script of playwright-core's."""
import json
import os
import shutil
import subprocess

import story
import tap

NPM = os.path.join(story.BUILD, "npm")


def drive(script, page, tmp, name, *packages):
    """What the script prints as JSON; the test is skipped without a browser.

    The script gets the place of the npm packages, the page, and where to put
    pictures of it: NAME in tmp.  COTRACE_PICTURES=DIR keeps them there."""
    for needed in ("/usr/bin/chromium", shutil.which("node") or "node",
                   *(os.path.join(NPM, "node_modules", package)
                     for package in ("playwright-core", *packages))):
        if not os.path.exists(needed):
            tap.skip(f"{needed} is not installed (./run test installs it)")
    home = os.path.join(tmp, "home")
    os.makedirs(home, exist_ok=True)
    done = subprocess.run(
        ["node", script, NPM, page, os.path.join(tmp, name)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
        env={**os.environ, "HOME": home, "TMPDIR": tmp})
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode("utf-8", "replace")[-4000:])
    told = json.loads(done.stdout)
    keep = os.environ.get("COTRACE_PICTURES")
    if keep:
        os.makedirs(keep, exist_ok=True)
        for picture in told["pictures"]:
            shutil.copy(picture, keep)
    return told
