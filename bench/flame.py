#!/usr/bin/env python3
"""flame.py - a flame graph of what `perf script` prints, as SVG.

    perf record -F 999 --call-graph fp -p PID -- sleep 10
    perf script | bench/flame.py "TITLE" > graph.svg

Widths are shares of the samples; a box's title (hold the pointer over it) says them. Boxes below 0.3 % are left out.
Frames without a name are left out too: libraries without frame pointers give wrong ones.
"""

import html, re, sys

WIDTH, ROW, LEAST = 1200, 16, 0.003
GROUPS = ((re.compile(r"\[k\]$"), "#d9a066"), (re.compile(r"^ZSTD|^HUF|^FSE|libzstd"), "#7fb069"), (re.compile(r"^mem|^_int_|malloc|free"), "#9fb4c7"))


def stacks(lines):
    """(thread, frames from the outermost) of each sample."""
    thread, frames = None, []
    for line in lines:
        if not line.strip():
            if thread:
                yield thread, frames[::-1]
            thread, frames = None, []
        elif line[0].isspace():
            found = re.match(r"\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$", line.rstrip())
            if found and found.group(1) != "[unknown]":
                name = re.sub(r"\.(lto_priv|isra|part|constprop|cold)[.0-9]*", "", found.group(1))
                frames.append(name + (" [k]" if "kernel" in found.group(2) else ""))
            elif found:
                library = found.group(2).rsplit("/", 1)[-1]
                if "lib" in library and (not frames or frames[-1] != library):
                    frames.append(library)
        else:
            thread = line.split()[0]
    if thread:
        yield thread, frames[::-1]


def tree_of(lines):
    root = {"count": 0, "below": {}}
    for thread, frames in stacks(lines):
        node = root
        node["count"] += 1
        for name in [thread] + [frame for frame in frames if frame not in ("start_thread", "run_thread", "clone3", "__libc_start_call_main")]:
            node = node["below"].setdefault(name, {"count": 0, "below": {}})
            node["count"] += 1
    return root


def depth_of(node, total):
    return 1 + max((depth_of(below, total) for below in node["below"].values() if below["count"] >= LEAST * total), default=0)


def draw(name, node, total, x, level, height):
    width, y = WIDTH * node["count"] / total, height - (level + 1) * ROW
    colour = next((colour for pattern, colour in GROUPS if pattern.search(name)), "#e07a5f")
    share = f"{100 * node['count'] / total:.1f} %"
    yield (f'<g><title>{html.escape(name)} {share}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.5):.1f}" height="{ROW - 1}" '
           f'fill="{colour}"/>')
    letters = int(width / 6.2)
    if letters >= 4:
        yield f'<text x="{x + 2:.1f}" y="{y + 11}">{html.escape((name + " " + share)[:letters])}</text>'
    yield "</g>"
    for below_name, below in sorted(node["below"].items()):
        if below["count"] >= LEAST * total:
            yield from draw(below_name, below, total, x, level + 1, height)
        x += WIDTH * below["count"] / total


def main():
    title = sys.argv[1] if len(sys.argv) > 1 else "all"
    root = tree_of(sys.stdin)
    height = (depth_of(root, root["count"]) + 1) * ROW
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
          f'font-family="monospace" font-size="10"><rect width="100%" height="100%" fill="#fffaf2"/>')
    for line in draw(title, root, root["count"], 0, 0, height):
        print(line)
    print("</svg>")


if __name__ == "__main__":
    main()
