#!/usr/bin/env python3
"""docs_tables.py - renews the tables of docs/reference/errors.md and metrics.md from the rows of the code; what stands above the tables is kept.

With --check it changes nothing, and ends with 1 when a page is not as the code is.
"""
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')


def read(path):
    with open(os.path.join(ROOT, path)) as file:
        return file.read()


def errors():
    rows = re.findall(r'^X\((ERR_\w+), (\d+), "(\w*)", "(.*)"\)', read('src/base/err.def'), re.M)
    return [f'| {name} | {status} | {kind} | {meaning} |' for name, status, kind, meaning in rows if name != 'ERR_NONE']


def metrics():
    rows = re.findall(r'"((?:evenkeel|process)_\w+)", "(gauge|counter)",\s*"([^"]*)"', read('src/serve/status.c'))
    return list(dict.fromkeys(f'| {name} | {kind} | {meaning} |' for name, kind, meaning in rows))


def main():
    wrong = 0
    for path, rows in (('docs/reference/errors.md', errors()), ('docs/reference/metrics.md', metrics())):
        old = read(path)
        head = re.match(r'(?s).*?\n\|---.*?\n', old).group()
        new = head + '\n'.join(rows) + '\n'
        if new == old:
            continue
        if '--check' in sys.argv:
            print(f'{path} is not as the code is; run `make docs`')
            wrong = 1
        else:
            with open(os.path.join(ROOT, path), 'w') as file:
                file.write(new)
    return wrong


sys.exit(main())
