# SPDX-License-Identifier: MIT
"""A small TAP frame for the Python tests.

    import tap
    @tap.case("what must hold")
    def _(tmp): ...            # tmp: a fresh directory, removed afterwards
    tap.main()

A case fails by any exception; `tap.skip(reason)` ends it as skipped.  Argument
NAME... on the command line runs only cases whose name contains one of them.
"""
import os
import shutil
import sys
import tempfile
import traceback

_cases = []


class Skip(Exception):
    pass


def case(name):
    def register(function):
        _cases.append((name, function))
        return function
    return register


def skip(reason):
    raise Skip(reason)


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


SHOWN = 4000  # characters of a value: more than that nobody reads


def shown(value):
    text = repr(value)
    return text if len(text) <= SHOWN else \
        f"{text[:SHOWN]}... ({len(text)} characters)"


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {shown(got)}, want {shown(want)}")


def main(arguments=None):
    wanted = arguments if arguments is not None else []
    cases = [c for c in _cases
             if not wanted or any(word in c[0] for word in wanted)]
    print(f"1..{len(cases)}", flush=True)
    failed = 0
    for number, (name, function) in enumerate(cases, 1):
        tmp = tempfile.mkdtemp(prefix="cotrace-test-")
        os.chmod(tmp, 0o755)
        try:
            function(tmp)
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except BaseException as error:  # a broken test must not hide others
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            note(traceback.format_exc())
            print(f"not ok {number} - {name}", flush=True)
        finally:
            shutil.rmtree(tmp, ignore_errors=True)
    sys.exit(1 if failed else 0)
