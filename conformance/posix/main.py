"""Runs the checks on a directory, each in an empty directory of its own below it.

    main.py --list            one JSON line a check: {"name", "slow"}
    main.py DIRECTORY [--fast] one JSON line a check: {"name", "outcome", "reason"}, outcome one of
                               passed, failed, skipped; reason null when it passed
"""
import argparse
import json
import os
import shutil
import tempfile

import allocation  # noqa: F401: each of these registers its checks
import data  # noqa: F401
import directories  # noqa: F401
import locks  # noqa: F401
import mapping  # noqa: F401
import metadata  # noqa: F401
import names  # noqa: F401
from harness import CHECKS, Skip


def run(function):
    try:
        function()
    except Skip as reason:
        return 'skipped', str(reason)
    except Exception as error:  # noqa: B902: whatever it is, the check failed
        return 'failed', f'{type(error).__name__}: {error}'
    return 'passed', None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('directory', nargs='?')
    parser.add_argument('--fast', action='store_true')
    parser.add_argument('--list', action='store_true')
    options = parser.parse_args()
    os.umask(0o022)
    for name, function, slow in CHECKS:
        if options.list:
            print(json.dumps({'name': name, 'slow': slow}))
            continue
        if slow and options.fast:
            continue
        place = tempfile.mkdtemp(prefix='check-', dir=options.directory)
        os.chmod(place, 0o755)
        os.chdir(place)
        outcome, reason = run(function)
        os.chdir('/')
        shutil.rmtree(place)
        print(json.dumps({'name': name, 'outcome': outcome, 'reason': reason}), flush=True)


main()
