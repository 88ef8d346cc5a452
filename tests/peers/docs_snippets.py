#!/usr/bin/env python3
"""docs_snippets - every piece of configuration in docs/operators is taken by the program as it stands on the page.

usage: docs_snippets.py PROGRAM    Addresses and certificates of other machines are put in place of this one's.
"""
import glob
import os
import re
import subprocess
import tempfile
import textwrap

from daemon import Daemon, arguments, expect, free_port

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/operators")
TOP = re.compile(r"^(data|user|log|threads|http|sources|webhooks|redact|retention|checkpoint|limits):", re.M)


def snippets():
    """(page, text) of each indented block that begins with a key of the configuration."""
    for page in sorted(glob.glob(DOCS + "/**/*.md", recursive=True)):
        with open(page) as file:
            blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", file.read(), re.M)
        for block in blocks:
            text = textwrap.dedent(block).strip() + "\n"
            if TOP.match(text):
                yield os.path.relpath(page, DOCS), text


def localised(text, folder):
    text = re.sub(r"\b(?:0\.0\.0\.0|10\.0\.0\.\d+):(?:514|6514)\b", lambda _: f"127.0.0.1:{free_port()}", text)
    text = re.sub(r"(127\.0\.0\.1|\[::1\]):(5514|8400|8443)", lambda at: f"{at.group(1)}:{free_port()}", text)
    return text.replace("/etc/evenkeel/tls.pem", folder + "/tls/server.pem").replace("/etc/evenkeel/tls.key", folder + "/tls/server.key") \
               .replace("/run/evenkeel/log", folder + "/log.socket")


def main():
    program, _ = arguments()
    count = 0
    with tempfile.TemporaryDirectory(prefix="evenkeel-docs-") as folder:
        subprocess.run([program, "listen", "http", "127.0.0.1:1", "--data", folder], stdout=subprocess.DEVNULL, check=True)  # a certificate
        for page, text in snippets():
            daemon = Daemon(program)
            with open(daemon.config, "w") as file:
                file.write(localised(text, folder))
            try:
                daemon.start()
                states = {source["name"]: source["state_text"] for source in daemon.ask("/api/v1/sources")["sources"]}
                wrong = [f"{name}: {said}" for name, said in states.items() if name in ("syslog", "file", "scrape", "host", "journald")
                         and re.search(r"must|needs|none of|no key|understood|unknown|no address", said)]
                expect(not wrong, f"{page}: {wrong}\n{text}")
            except SystemExit as fault:
                raise AssertionError(f"{page}: {fault}\n{text}") from fault
            finally:
                daemon.stop()
            count += 1
    expect(count >= 6, f"only {count} pieces of configuration were found")
    print(f"documentation: {count} pieces of configuration are taken as they stand")


main()
