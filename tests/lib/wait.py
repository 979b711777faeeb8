# SPDX-License-Identifier: MIT
"""Waiting for what nobody tells about: other processes."""
import time

PATIENCE = 60  # seconds, for conditions that must come true


def until(condition, what):
    """What the condition gives, once that is true; polled."""
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for: {what}")
        time.sleep(0.005)
