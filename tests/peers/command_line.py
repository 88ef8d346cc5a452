#!/usr/bin/env python3
"""command_line - every verb against a running program: tables, --json, exit statuses, completion in bash, the manual page.

usage: command_line.py PROGRAM
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from daemon import Daemon, arguments, expect

RECORD = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}, "scopeLogs": [
    {"logRecords": [{"timeUnixNano": "%d", "severityNumber": 17, "body": {"stringValue": "order 17 failed"}}]}]}]}

SHOWN = [  # words, what the table must hold, what the JSON must hold
    (["status"], "uptime", "journal"),
    (["sources"], "otlp_logs", "sources"),
    (["logs", '{service="shop"}'], "order 17 failed", "order 17 failed"),
    (["logs", '{service="shop"} |= "17"', "--since", "1h", "--limit", "5"], "order 17 failed", "severity"),
    (["query", "up or vector(3)"], "3", "result"),
    (["query", "vector(1)", "--range", "10m", "--step", "1m"], "1", "matrix"),
    (["series", "{job=\"host\"}", "--limit", "3"], "job=\"host\"", "host"),
    (["users"], "admin", "users"),
    (["tokens"], "NAME", "tokens"),
    (["silence", "create", "host=web1", 'alertname=~"Disk.*"', "--for", "2h", "--comment", "moved"], "silence 0000", "silenceID"),
    (["silence", "preview", "host=web1"], "0 firing now would be kept quiet", "[]"),
    (["silence", "list"], "moved", "web1"),
    (["maintenance", "create", "rack=r7", "--for", "1h", "--comment", "new switch"], "maintenance 0000", "success"),
    (["maintenance", "list"], "new switch", "r7"),
    (["notifications"], "RECEIVER", "notifications"),
    (["on-call"], "SCHEDULE", "schedules"),
    (["redact", "test", "password=hunter2"], "password=", "text"),
]

REFUSED = [  # words, exit status, what standard error must say
    (["nonsense"], 2, "help"),
    (["logs", "--nonsense"], 2, "--nonsense"),
    (["query"], 2, "missing"),
    (["query", "sum("], 1, "parse error"),
    (["logs", "{"], 1, ""),
    (["user", "role", "nobody", "viewer"], 1, "nobody"),
    (["user", "disable", "admin"], 1, "administrator"),
    (["token", "add", "x", "--scopes", "nonsense"], 1, "nonsense"),
    (["token", "revoke", "00000000"], 1, ""),
    (["listen", "http", "nonsense"], 1, "0.0.0.0"),
    (["listen", "nonsense", "0.0.0.0:1"], 2, "usage"),
    (["silence", "create", "host=web1"], 2, "--for"),
    (["silence", "create", "host=web1", "--for", "soon"], 2, "soon"),
    (["silence", "create", "host=~((", "--for", "1h"], 1, "parenthesis"),
    (["silence", "expire", "nonsense"], 1, "nonsense"),
    (["maintenance", "create", "a=b", "--until", "2020-01-01T00:00Z"], 2, "after the beginning"),
    (["on-call", "override", "nowhere", "ann", "--for", "1h"], 1, "nowhere"),
    (["backup", "/proc/nowhere/copy"], 1, "/proc/nowhere"),
]


def check_shown(daemon):
    for words, table, parsed in SHOWN:
        status, out, err = daemon.cli(*words)
        expect(status == 0 and table in out, f"{words}: {status} {out[:300]!r} {err}")
        expect("\x1b" not in out, f"{words}: colours where no terminal is")
        status, out, err = daemon.cli(*words, "--json")
        documents = out.splitlines() if words[0] == "logs" else [out]  # records come one a line
        expect(status == 0 and parsed in json.dumps([json.loads(document) for document in documents]), f"{words} --json: {status} {out[:300]!r} {err}")
    print(f"{len(SHOWN)} verbs as table and as JSON")


def check_refused(program, daemon):
    wrong = []
    for words, status, said in REFUSED:
        found = daemon.cli(*words)
        if found[0] != status or said not in found[2] or not found[2]:
            wrong.append(f"{words}: {found[0]}, not {status}: {found[2]!r}, not {said!r}")
    expect(not wrong, "\n".join(wrong))
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run([program, "status", "--data", nowhere], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expect(done.returncode == 3 and nowhere in done.stderr, f"no program: {done.returncode} {done.stderr}")
    print(f"{len(REFUSED) + 1} refusals with their exit statuses")


def check_changes(daemon):
    steps = [(["user", "add", "alice", "--role", "viewer", "--password-stdin"], "a long password\n"), (["user", "role", "alice", "operator"], None),
             (["user", "password", "alice", "--password-stdin"], "another password\n"), (["user", "disable", "alice"], None),
             (["user", "enable", "alice"], None)]
    for words, text in steps:
        status, out, err = daemon.cli(*words, text=text)
        expect(status == 0, f"{words}: {status} {err}")
    alice = [user for user in json.loads(daemon.cli("users", "--json")[1])["users"] if user["name"] == "alice"][0]
    expect(alice["role"] == "operator", f"alice is {alice}")
    status, out, err = daemon.cli("token", "add", "grafana", "--scopes", "read", "--days", "365")
    secret = re.search(r"evk_\S+", out)
    expect(status == 0 and secret, f"token add: {out} {err}")
    environment = {**os.environ, "EVENKEEL_SERVER": f"http://127.0.0.1:{daemon.port}", "EVENKEEL_TOKEN": secret.group()}
    ask = lambda *words: subprocess.run([daemon.path, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    expect(ask("query", "vector(1)").returncode == 0, "a token with read may not query from afar: " + ask("query", "vector(1)").stderr)
    expect(ask("users").returncode == 1, "a token with read sees the users")
    token = json.loads(daemon.cli("tokens", "--json")[1])["tokens"][0]
    expect(daemon.cli("token", "revoke", token["id"])[0] == 0 and ask("query", "vector(1)").returncode == 1, "a revoked token works on")
    print("users and tokens: made, changed, revoked")


def check_follow(daemon):
    path = os.path.join(daemon.folder, "followed")
    with open(path, "w") as file:
        follow = subprocess.Popen([daemon.path, "logs", '{service="shop"}', "--follow", "--data", daemon.data], stdout=file)
    try:
        time.sleep(1)
        send(daemon, "a new order")
        daemon.wait_for(lambda: "a new order" in open(path).read(), "--follow to show a new line", 10)
    finally:
        follow.kill()
        follow.wait()
    row = json.loads(daemon.cli("logs", '{service="shop"} |= "new"', "--json")[1].splitlines()[0])
    status, out, err = daemon.cli("logs", "--context", row["id"])
    expect(status == 0 and "order 17 failed" in out, f"--context: {out} {err}")
    print("logs: --follow and --context")


def check_manual(program):
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/completion", "w") as file:
            subprocess.run([program, "completion", "bash"], stdout=file, check=True)
        script = f"""set -e; source {folder}/completion
try() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _evenkeel; echo "${{COMPREPLY[@]}}"; }}
try evenkeel sta; try evenkeel user a; try evenkeel logs --fo; complete -p evenkeel"""
        done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = done.stdout.splitlines()
        expect(done.returncode == 0 and not done.stderr, f"completion: {done.stderr}")
        expect(lines[0].split() == ["status"] and lines[1].split() == ["add"] and "--follow" in lines[2] and "_evenkeel" in lines[3],
               f"completion offers {lines}")
        page = subprocess.run([program, "man"], stdout=subprocess.PIPE, text=True).stdout
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/evenkeel.1")
        expect(page == open(source).read(), "docs/evenkeel.1 is not what `evenkeel man` prints; run make docs")
        groff = shutil.which("groff")
        if groff:
            done = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-P-cbou"], input=page, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            expect(done.returncode == 0 and not done.stderr and "revoke" in done.stdout, f"the manual page: {done.stderr}")
        for verb in ("version", "help", "openapi"):
            done = subprocess.run([program, verb], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            expect(done.returncode == 0 and done.stdout, f"{verb}: {done.stderr}")
        json.loads(done.stdout)
    print("completion in bash; manual page " + ("rendered by groff" if groff else "not rendered: no groff here"))


def send(daemon, text):
    body = (json.dumps(RECORD).replace("order 17 failed", text)) % time.time_ns()
    expect(daemon.request("/v1/logs", {"Content-Type": "application/json"}, "POST", body)[0] == 200, "a record is refused")


FAULTY = """http:
  listen: ["127.0.0.1:8400", nonsense, "999.1.1.1:80"]
  lsiten: 3
sources:
  syslog:
    listen:
      - udp: 127.0.0.1:99999999
      - tls: 127.0.0.1:6514
        certificate: /nowhere/a.pem
        key: /nowhere/a.key
  file:
    files: [relative.log]
  scrape:
    jobs:
      - {job: a, targets: ["web1:9100"], evry: 15s}
      - {job: b, every: soon, targets: ["web1:9100"]}
heartbeat: secret:watchdog
secrets:
  chat: {file: /nowhere/chat}
content: [FOLDER/rules.yaml, /nowhere/teams.yaml]
"""

FAULTY_RULES = """groups:
  - {name: a, rules: [{alert: X, expr: "sum("}]}
  - {name: b, rules: [{alert: Y, expr: "up =="}]}
  - {name: c, rules: [{alert: Z, expr: "up == 0"}]}
receivers:
  - {name: chat, slack: {url: "secret:chat2"}}
teams:
  - {name: ops, receivers: [chat]}
"""

FAULTS = [  # each is a line, in whatever order
    "evenkeel.yaml:2: http.listen.1: the address nonsense has no port",
    "evenkeel.yaml:2: http.listen.2: the address 999.1.1.1:80 is not understood",
    "evenkeel.yaml:3: http.lsiten: there is no key http.lsiten; the nearest is http.listen",
    'evenkeel.yaml:7: sources.syslog.listen.0: "127.0.0.1:99999999" is no address',
    "evenkeel.yaml:8: sources.syslog.listen.1: reading the TLS certificate /nowhere/a.pem",
    "evenkeel.yaml:12: sources.file.files.0:",
    "evenkeel.yaml:15: sources.scrape.jobs.0: there is no key evry here; there are",
    "evenkeel.yaml:16: sources.scrape.jobs.1: job b: every must be a time",
    'evenkeel.yaml:17: heartbeat: there is no secret "watchdog"',
    "evenkeel.yaml:19: secrets.chat: reading the file of a secret, /nowhere/chat: No such file",
    'evenkeel.yaml:20: content.1: nothing can be read at "/nowhere/teams.yaml"',
    'rules.yaml: receivers.0.slack.url: there is no secret "chat2"',
    "rules.yaml: groups, item 1: group a: rule X:",
    "rules.yaml: groups, item 2: group b: rule Y:",
]


def check_configuration(program):
    """run --check tells each fault, one a line, and ends with 1; without faults with 0. It leaves no file behind."""
    with tempfile.TemporaryDirectory() as folder:
        def write(name, text):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text.replace("FOLDER", folder))
        write("evenkeel.yaml", FAULTY)
        write("rules.yaml", FAULTY_RULES)
        command = [program, "run", "--check", "--data", folder + "/data", "--config", folder + "/evenkeel.yaml"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = done.stderr.splitlines()
        missing = [fault for fault in FAULTS if sum(fault in line for line in lines) != 1]
        expect(done.returncode == 1 and not missing and not done.stdout, f"{done.returncode}, not told once: {missing}\n{done.stderr}")
        expect(lines[-1] == f"{len(FAULTS)} faults" and len(lines) == len(FAULTS) + 1, f"more than what is wrong is told:\n{done.stderr}")
        write("evenkeel.yaml", "http: {listen: ['127.0.0.1:0']}\ncontent: [FOLDER/rules.yaml]\nsecrets: {chat2: https://chat.example.org/x}\n")
        write("rules.yaml", FAULTY_RULES.replace("sum(", "up == 1").replace("up ==\"", "up == 2\""))
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expect(done.returncode == 0 and done.stdout.startswith("good: ") and not done.stderr, f"{done.returncode} {done.stdout} {done.stderr}")
        expect(not os.path.exists(folder + "/data"), "a check made the data folder")
    print(f"run --check tells {len(FAULTS)} faults of {len(FAULTS)}")


def main():
    program, _ = arguments()
    with Daemon(program, {"host": {"every": 1}}) as daemon:
        send(daemon, "order 17 failed")
        daemon.wait_for(lambda: daemon.names('{job="host"}'), "the host's metrics")
        check_shown(daemon)
        check_refused(program, daemon)
        check_changes(daemon)
        check_follow(daemon)
    check_manual(program)
    check_configuration(program)
    print("command line: fine")


main()
