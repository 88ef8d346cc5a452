#!/usr/bin/env python3
"""tidy - a test about the code itself.

Fails on: an include that goes against the order of the rooms, a stage that includes another stage, a header that does
not compile alone, a banned call, SQL outside *_table.c, a source file that no meson.build names, a fuzz target without
a corpus, a test without an assertion. Prints the longest functions and the most included headers as news.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SRC = os.path.join(ROOT, "src")
ROOMS = ["base", "model", "learn", "wire", "store", "reach", "register", "query", "act", "engage", "observe", "loop",
         "serve", "cli", "app"]
STAGES = {"observe", "engage", "act"}
BANNED = {
    "strcpy": "memcpy with a length, or buf_text", "strcat": "buf_text", "sprintf": "snprintf or buf_printf",
    "gets": "fgets", "strtok": "str_cut", "gmtime": "clock_date_of_days", "localtime": "gmtime_r in UTC",
    "rand": "base/rng.h", "srand": "base/rng.h", "atoi": "str_to_i64", "atol": "str_to_i64", "alloca": "an arena",
    "system": "the launcher", "popen": "the launcher", "tmpnam": "mkstemp",
}
faults = []


def fault(path, line, text):
    where = os.path.relpath(path, ROOT)
    faults.append(f"{where}:{line}: {text}" if line else f"{where}: {text}")


def sources():
    for folder, _, names in os.walk(SRC):
        for name in sorted(names):
            if name.endswith((".c", ".h", ".def")):
                yield os.path.join(folder, name)


def code_only(text):
    """The text with comments and string contents blanked, lines kept."""
    def blank(match):
        piece = match.group(0)
        if piece[0] == '"':
            return '""'
        if piece[0] == "'":
            return "' '"
        return re.sub(r"[^\n]", " ", piece)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def check_includes(path, text):
    room = os.path.relpath(path, SRC).split(os.sep)[0]
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'#include "([a-z]+)/', line)
        if not match or match.group(1) not in ROOMS:
            continue
        other = match.group(1)
        if ROOMS.index(other) > ROOMS.index(room):
            fault(path, number, f"{room}/ may not include {other}/: arrows go down only")
        if room in STAGES and other in STAGES and room != other:
            fault(path, number, f"the stages {room}/ and {other}/ never include one another")


def check_calls(path, code):
    is_test = path.endswith(("_test.c", "_fuzz.c", "_voyage.c"))
    for number, line in enumerate(code.split("\n"), 1):
        for call, instead in BANNED.items():
            if call in ("system", "popen") and is_test:
                continue
            if re.search(rf"(?<![\w.>]){call}\s*\(", line):
                fault(path, number, f"{call} is banned; use {instead}")


def check_sql(path, text):
    if path.endswith(("_table.c", "_test.c", "database.c")) or not path.endswith(".c"):
        return
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r'"\s*(SELECT|INSERT|UPDATE|DELETE FROM|CREATE TABLE)\s', line):
            fault(path, number, "SQL stands only in *_table.c files")


def check_built(paths):
    named = ""
    for folder, _, names in os.walk(ROOT):
        if "meson.build" in names and "/build" not in folder and "node_modules" not in folder:
            named += open(os.path.join(folder, "meson.build")).read()
    included = "\n".join(open(p, errors="replace").read() for p in paths)
    for path in paths:
        name = os.path.basename(path)
        stem = re.sub(r"_(test|fuzz)\.c$", "", name)
        if name.endswith((".h", ".def")):
            relative = os.path.relpath(path, SRC)
            if f'"{relative}"' not in included:
                fault(path, 0, "no file includes this header")
        elif name.endswith("_test.c") or name.endswith("_fuzz.c"):
            if not re.search(rf"'(?:[\w/]*/)?{re.escape(stem)}(?:_test\.c|_fuzz\.c)?'", named):
                fault(path, 0, "no meson.build builds this")
        elif name not in named and f'/{name}"' not in included:
            fault(path, 0, "no meson.build builds this")
        if name.endswith("_fuzz.c"):
            corpus = os.path.join(ROOT, "tests", "corpus", stem)
            if not os.path.isdir(corpus) or not os.listdir(corpus):
                fault(path, 0, f"has no corpus in tests/corpus/{stem}")
        if name.endswith("_test.c") and "assert_" not in open(path).read():
            fault(path, 0, "asserts nothing")


def check_headers(paths):
    headers = [p for p in paths if p.endswith(".h")]
    flags = subprocess.run(["pkg-config", "--cflags", "libsystemd", "p11-kit-1"], capture_output=True, text=True).stdout.split()
    for path in headers:
        run = subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-unused", "-fsyntax-only", "-I", SRC, *flags,
                              "-x", "c", "-"], input=f'#include "{os.path.relpath(path, SRC)}"\n', capture_output=True, text=True)
        if run.returncode or run.stderr:
            fault(path, 0, "does not compile alone: " + run.stderr.strip().split("\n")[0])


def check_codes():
    manual = os.path.join(ROOT, "docs", "reference", "errors.md")
    codes = re.findall(r"^X\((\w+)", open(os.path.join(SRC, "base", "err.def")).read(), re.M)
    text = open(manual).read() if os.path.exists(manual) else ""
    for code in codes:
        if code != "ERR_NONE" and code not in text:
            fault(manual, 0, f"does not explain {code}")


def longest_functions(paths):
    found = []
    for path in paths:
        if not path.endswith(".c") or path.endswith(("_test.c", "_fuzz.c")):
            continue
        lines = open(path, errors="replace").read().split("\n")
        start = None
        for number, line in enumerate(lines):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                name = re.search(r"(\w+)\(", lines[start - 1] if "(" in lines[start - 1] else lines[max(0, start - 3)])
                found.append((number - start - 1, os.path.relpath(path, ROOT), name.group(1) if name else "?"))
                start = None
    return sorted(found, reverse=True)


def main():
    paths = list(sources())
    for path in paths:
        text = open(path, errors="replace").read()
        code = code_only(text)
        check_includes(path, text)
        check_calls(path, code)
        check_sql(path, text)
    check_built(paths)
    check_headers(paths)
    check_codes()
    functions = longest_functions(paths)
    if functions:
        lengths = sorted(length for length, _, _ in functions)
        print(f"{len(functions)} functions: median {lengths[len(lengths) // 2]} lines, nine in ten under "
              f"{lengths[len(lengths) * 9 // 10] + 1}; the longest:")
        for length, path, name in functions[:5]:
            print(f"  {length:4} {path} {name}")
    for text in faults:
        print("tidy: " + text)
    print("tidy: the house is in order" if not faults else f"tidy: {len(faults)} faults")
    return 1 if faults else 0


sys.exit(main())
