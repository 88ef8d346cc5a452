#!/usr/bin/env python3
"""runbook_steps - runbooks of the real program against real servers: Debian's sshd, an HTTP server, the launcher; and a kill -9 in the middle of a run.

Everything is on loopback, in folders of the test, with keys of the test. As root it takes a mount namespace of its own, so that sshd finds its user and
ssh the test's configuration without anything outside being changed; elsewhere the ssh part runs as the user that runs the test.

usage: runbook_steps.py PROGRAM [PEERS]
"""
import getpass
import http.server
import json
import os
import pwd
import subprocess
import sys
import tempfile
import threading
import time

from daemon import Daemon, arguments, expect, fetch, free_port, libraries, skip

SECRET = "corr3ct-horse-battery"
SLOW = "/usr/bin/sleep"


class Api(http.server.BaseHTTPRequestHandler):
    """A program's API: it wants a token, repeats it, is slow, fails twice, talks much."""
    got = []
    failures = 2

    def answer(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        Api.got.append((self.command, self.path, dict(self.headers), body))
        status, text = 200, b"done"
        if self.path.startswith("/token"):
            status = 200 if self.headers["Authorization"] == "Bearer " + SECRET else 401
            text = f"you sent {self.headers['Authorization']} and {self.headers['X-Key']}".encode()
        elif self.path.startswith("/slow"):
            time.sleep(8)
        elif self.path.startswith("/flaky") and Api.failures > 0:
            Api.failures -= 1
            status = 503
        elif self.path.startswith("/much"):
            text = b"m" * 200000
        elif self.path.startswith("/elsewhere"):
            self.send_response(302)
            self.send_header("Location", "http://localhost:1/")
            self.end_headers()
            return
        elif self.path.startswith("/bytes"):
            text = b"caf\xe9 \x00 \xff"
        self.send_response(status)
        self.end_headers()
        try:
            self.wfile.write(text)
        except OSError:
            pass  # who asked has gone

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


class Hook(http.server.BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        Hook.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


# --- ssh -------------------------------------------------------------------------------------------------------------------


def own_namespace():
    """As root: once more, in a mount namespace in which passwd has sshd's user, and root's home is the test's."""
    if os.geteuid() != 0 or os.environ.get("RUNBOOK_STEPS_HOME"):
        return
    home = tempfile.mkdtemp(prefix="evenkeel-runbook-home-")
    users = [line for line in open("/etc/passwd").read().splitlines() if line.split(":")[0] not in ("root", "sshd")]
    with open(home + "/passwd", "w") as file:
        file.write("\n".join([f"root:x:0:0:root:{home}:/bin/sh", "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin", *users]) + "\n")
    script = f'mount --bind "{home}/passwd" /etc/passwd && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$@"'
    if subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        skip("no mount namespace can be had here")
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, *sys.argv], env={**os.environ, "RUNBOOK_STEPS_HOME": home})
    subprocess.run(["rm", "-rf", home])
    sys.exit(done.returncode)


def start_sshd(root, folder):
    """sshd on loopback with a key of the test, and an ssh configuration in which it is called web9. The process."""
    port, home = free_port(), os.environ.get("RUNBOOK_STEPS_HOME")
    if not home:
        skip("ssh needs a home of its own, which only root can give it here")
    os.makedirs(home + "/.ssh", mode=0o700)
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}_key"], check=True)
    key, client = open(f"{folder}/host_key.pub").read(), open(f"{folder}/client_key.pub").read()
    with open(f"{folder}/authorized", "w") as file:
        file.write(client)
    with open(f"{home}/.ssh/known_hosts", "w") as file:
        file.write(f"[127.0.0.1]:{port} {key}")
    with open(f"{home}/.ssh/config", "w") as file:
        file.write(f"Host web9\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder}/client_key\n UserKnownHostsFile {home}/.ssh/known_hosts\n"
                   f"Host web8\n HostName 127.0.0.1\n Port {free_port()}\n")
    with open(f"{folder}/sshd_config", "w") as file:
        file.write(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
                   f"PermitRootLogin yes\nPasswordAuthentication no\nPidFile none\n")
    program = os.path.join(root, "usr/sbin/sshd")
    return subprocess.Popen([program, "-D", "-f", f"{folder}/sshd_config", "-E", f"{folder}/sshd.log"], env=libraries(root))


# --- the runbooks -----------------------------------------------------------------------------------------------------------


def runbook(name, alert, steps, **more):
    return {"name": name, "sentence": "Try " + name + " on ${service}", "applies_to": {"alerts": [alert], "kinds": ["service"]}, "target": "service",
            "parameters": {"service": {"type": "entity", "kind": "service"}, "host": {"type": "entity", "kind": "host"},
                           "text": {"type": "text", "pattern": ".*", "value": "it's; $(id) `id` \"q\""}},
            "guards": {"target_rate": {"runs": 100, "within": "1h"}, "at_once": 5, "blast_radius": {"share": 1, "within": "1h"}},
            "steps": steps, "verify": {"after": "1s", "within": "20s", "stays": "2s"}, **more}


def runbooks(api):
    at = f"http://127.0.0.1:{api}"
    ssh = {"on": "${host}", "user": getpass.getuser()}
    return [
        runbook("token", "T", [{"http": at + "/token/${service}?text=${text}", "method": "PUT", "body": '{"text": "${text}"}', "bearer": "secret:api",
                                "headers": {"X-Key": "secret:key", "X-Service": "${service}"}}]),
        runbook("no-token", "T", [{"http": at + "/token", "method": "GET", "bearer": "secret:nobody"}]),
        runbook("slow", "T", [{"http": at + "/slow", "timeout": "2s"}]),
        runbook("flaky", "T", [{"name": "ask", "http": at + "/flaky", "retry": {"times": 3, "backoff": "1s"}}]),
        runbook("much", "T", [{"http": at + "/much", "method": "GET"}]),
        runbook("bytes", "T", [{"http": at + "/bytes", "method": "GET"}]),
        runbook("elsewhere", "T", [{"http": at + "/elsewhere", "method": "GET"}]),
        runbook("deaf", "T", [{"http": "http://127.0.0.1:1/", "on_failure": "tell"}, {"http": at + "/never"},
                              {"name": "tell", "notify": "look at ${service}"}]),
        runbook("check-good", "T", [{"check": 'shop_up{service="${service}"} == 1', "within": "20s"}]),
        runbook("check-bad", "T", [{"check": 'shop_up{service="${service}"} == 7', "within": "3s"}]),
        runbook("ssh", "T", [{"ssh": ["/usr/bin/printf", "%s|%s\\n", "${text}", "${service}"], **ssh}]),
        runbook("ssh-fails", "T", [{"ssh": ["/bin/sh", "-c", "echo gone wrong >&2; exit 3"], **ssh, "on_failure": "continue"},
                                   {"ssh": ["/usr/bin/id", "-un"], **ssh}]),
        runbook("ssh-slow", "T", [{"ssh": [SLOW, "31"], **ssh, "timeout": "2s"}]),
        runbook("ssh-much", "T", [{"ssh": ["/usr/bin/yes"], **ssh, "timeout": "2s"}]),
        runbook("ssh-unlisted", "T", [{"ssh": ["/usr/bin/touch", "/tmp/never"], **ssh}]),
        runbook("exec-unlisted", "T", [{"exec": ["/usr/bin/touch", "/tmp/never"]}]),
        runbook("nap", "T", [{"name": "first", "exec": ["/usr/bin/env", "touch", "FIRST"]}, {"name": "nap", "exec": [SLOW, "20"]},
                             {"name": "last", "exec": ["/usr/bin/env", "touch", "LAST"]}]),
    ]


def attributes(values):
    return {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]}


class Estate:
    def __init__(self, daemon):
        self.daemon, self.incident = daemon, None

    def send(self, path, body, kind="application/json"):
        status, answer = self.daemon.request(path, {**self.daemon.token(), "Content-Type": kind}, "POST", body if isinstance(body, str) else json.dumps(body))
        expect(200 <= status < 300, f"{path}: {status} {answer!r}")

    def measure(self, value):
        point = {"timeUnixNano": str(time.time_ns()), "asDouble": value, **attributes({"service": "shop-web9"})}
        self.send("/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "shop_up", "gauge": {"dataPoints": [point]}}]}]}]})

    def fire(self):
        now = time.time_ns()
        for host in ("web9", "web8"):
            self.send("/v1/logs", {"resourceLogs": [{"resource": attributes({"host.name": host, "service.name": "shop-" + host}),
                                                     "scopeLogs": [{"logRecords": [{"timeUnixNano": str(now), "body": {"stringValue": "up"}}]}]}]})
        self.daemon.wait_for(lambda: len(self.daemon.ask("/api/v1/entities", kind="service")["entities"]) >= 2, "the services to appear")
        self.send("/api/v2/alerts", [{"labels": {"alertname": "T", "host": host, "service": "shop-" + host, "severity": "warning"}} for host in ("web9", "web8")])
        self.daemon.wait_for(lambda: self.daemon.ask("/api/v1/runs")["runs"], "the proposals")

    def run_of(self, name, target="shop-web9 on web9"):
        for run in self.daemon.ask("/api/v1/runs", runbook=name)["runs"]:
            if run["facts"]["target_name"].startswith(target.split()[0]):
                return self.daemon.ask(f"/api/v1/runs/{run['number']}")
        raise AssertionError(f"no run of {name} on {target}: " + str([(r["facts"]["runbook"], r["facts"]["target_name"], r["state"], r["story"]["history"][-1]["text"])
                                                                     for r in self.daemon.ask("/api/v1/runs")["runs"]]))

    def approve(self, name, target="shop-web9"):
        run = self.run_of(name, target)
        status, out, err = self.daemon.cli("runs", "approve", str(run["number"]), "--why", "test")
        expect(status == 0, f"{name}: {out} {err}")
        return run["number"]

    def done(self, name, seconds=30, target="shop-web9"):
        """Approves, waits for the steps to end, and gives the run."""
        number = self.approve(name, target)
        self.daemon.wait_for(lambda: self.daemon.ask(f"/api/v1/runs/{number}")["state"] not in ("approved", "running"), "the steps of " + name, seconds)
        run = self.daemon.ask(f"/api/v1/runs/{number}")
        print(f"{name}: {run['state']}: " + "; ".join(f"{step['name']} {step['state']}: {step['sentence']}" for step in run["steps"]), flush=True)
        return run

    def free(self, number):
        """Ends the verification of a run, so that the next may touch the target."""
        self.daemon.cli("runs", "stop", str(number), "--why", "next")


def test_http(estate, folder):
    def step(name, state, seconds=30, at=0):
        run = estate.done(name, seconds)
        estate.free(run["number"])
        expect(run["steps"][at]["state"] == state, f"{name}: {run['steps']}")
        return run, run["steps"][at]

    run, token = step("token", "good")
    command, path, headers, body = Api.got[-1]
    expect(headers["Authorization"] == "Bearer " + SECRET and headers["X-Key"] == "k3y-from-file" and headers["X-Service"] == "shop-web9", headers)
    expect(json.loads(body)["text"] == "it's; $(id) `id` \"q\"" and command == "PUT" and "%24%28id%29" in path, (path, body))
    expect("you sent" in token["output"] and "(secret)" in token["output"], token)
    expect("secret" in json.dumps(run["facts"]["plan"]) and SECRET not in json.dumps(run), "a secret stands in the run")
    _, nobody = step("no-token", "bad")
    expect("there is no secret" in nobody["sentence"], nobody)
    began = time.monotonic()
    step("slow", "bad")
    expect(time.monotonic() - began < 7, "the time limit did not hold")
    run, _ = step("flaky", "bad")
    expect([s["state"] for s in run["steps"]] == ["bad", "bad", "good"], run["steps"])
    _, much = step("much", "good")
    expect(1000 < len(much["output"]) <= 16384, len(much["output"]))
    _, wrong = step("bytes", "good")
    expect(wrong["output"].startswith("caf"), wrong)
    _, elsewhere = step("elsewhere", "bad")
    before = len([1 for got in Api.got if got[1] == "/never"])
    run, _ = step("deaf", "bad")
    expect([s["name"] for s in run["steps"]] == ["http 1", "tell"] and before == 0 and not [1 for got in Api.got if got[1] == "/never"], run["steps"])
    estate.daemon.wait_for(lambda: [1 for body in Hook.got if body["evenkeel"]["occasion"] == "runbook"], "the message of a step notify")
    said = [body["evenkeel"] for body in Hook.got if body["evenkeel"]["occasion"] == "runbook"]
    expect(len(said) == 1 and "look at shop-web9" in said[0]["because"] and not said[0]["is_page"], said)


def test_checks(estate):
    estate.measure(1)
    run = estate.done("check-bad")
    expect(run["steps"][0]["state"] == "bad" and "did not hold" in run["steps"][0]["sentence"], run["steps"])
    number = estate.approve("check-good")
    for _ in range(5):
        estate.measure(1)
        time.sleep(0.5)
    estate.daemon.wait_for(lambda: estate.daemon.ask(f"/api/v1/runs/{number}")["steps"][0]["state"] == "good", "the check to hold")
    estate.free(number)


def test_ssh(estate, folder):
    def steps(name, target="shop-web9", seconds=40):
        run = estate.done(name, seconds, target)
        estate.free(run["number"])
        return run["steps"]

    good = steps("ssh")
    expect(good[0]["state"] == "good" and good[0]["output"].strip() == "it's; $(id) `id` \"q\"|shop-web9", good)
    failed = steps("ssh-fails")
    expect(failed[0]["state"] == "bad" and failed[0]["status"] == 3 and "gone wrong" in failed[0]["output"], failed)
    expect(failed[1]["state"] == "good" and failed[1]["output"].strip() == getpass.getuser(), failed)
    began = time.monotonic()
    slow = steps("ssh-slow")
    expect(slow[0]["state"] == "bad" and "time limit" in slow[0]["sentence"] and time.monotonic() - began < 12, slow)
    much = steps("ssh-much")
    expect(much[0]["state"] == "bad" and len(much[0]["output"]) <= 33000, (much[0]["state"], len(much[0]["output"])))
    for name in ("ssh-unlisted", "exec-unlisted"):
        refused = steps(name)
        expect(refused[0]["state"] == "bad" and "allow" in refused[0]["sentence"] and not os.path.exists("/tmp/never"), refused)
    nobody = steps("ssh", "shop-web8")
    expect(nobody[0]["state"] == "bad" and nobody[0]["status"] == 255 and "onnect" in nobody[0]["output"], nobody)


def test_crash(estate, folder):
    """kill -9 while a program of a run is under way: the run is interrupted, what was begun is not begun again, what follows never is."""
    daemon = estate.daemon
    number = estate.approve("nap")
    first, last = folder + "/first", folder + "/last"
    daemon.wait_for(lambda: [s for s in daemon.ask(f"/api/v1/runs/{number}")["steps"] if s["name"] == "nap"] and
                    os.path.exists(first), "the second step to begin")
    time.sleep(1)
    daemon.stop(kill=True)
    os.remove(first)
    daemon.start()
    daemon.wait_for(lambda: daemon.ask(f"/api/v1/runs/{number}")["state"] == "interrupted", "the run to be interrupted")
    time.sleep(3)
    run = daemon.ask(f"/api/v1/runs/{number}")
    expect(run["state"] == "interrupted" and not os.path.exists(first) and not os.path.exists(last), run)
    expect([(s["name"], s["state"]) for s in run["steps"]] == [("first", "good"), ("nap", "unknown")], run["steps"])
    expect("not known" in run["story"]["history"][-1]["text"], run["story"])
    trust = [b for b in daemon.ask("/api/v1/runbooks")["runbooks"] if b["name"] == "nap"][0]["trust"]
    expect(trust["verified"] == trust["failed"] == trust["harmful"] == 0, trust)
    daemon.wait_for(lambda: [1 for body in Hook.got if body["evenkeel"]["occasion"] == "run" and "interrupted" in body["evenkeel"]["because"]], "the team to be told")
    print("kill -9 in the middle: interrupted, nothing repeated")


def test_no_secret_anywhere(daemon):
    for place, _, names in os.walk(daemon.data):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                expect(SECRET.encode() not in file.read(), f"the secret stands in {place}/{name}")
    expect(SECRET not in daemon.log_text(), "the secret stands in the log")
    for path in ("/api/v1/runs", "/api/v1/runbooks", "/api/v1/notifications"):
        expect(SECRET not in json.dumps(daemon.ask(path)), "the secret stands in " + path)
    print("the secret stands in no file of the data, in no log and in no answer")


def main():
    program, peers = arguments()
    own_namespace()
    fetch(peers, "openssh-server")
    with tempfile.TemporaryDirectory(prefix="evenkeel-runbooks-") as folder:
        api, hook = serve(Api), serve(Hook)
        books = json.dumps(runbooks(api)).replace("FIRST", folder + "/first").replace("LAST", folder + "/last")
        with open(folder + "/content.yaml", "w") as file:
            json.dump({"runbooks": json.loads(books), "receivers": [{"name": "hook", "webhook": {"url": f"http://127.0.0.1:{hook}/"}}],
                       "teams": [{"name": "shop", "receivers": ["hook"]}], "routes": [{"match": ["alertname=T"], "team": "shop", "group_wait": "1s"}]}, file)
        with open(folder + "/key", "w") as file:
            file.write("k3y-from-file\n")
        user = pwd.getpwuid(os.geteuid()).pw_name
        start = "/usr/bin/ssh -o BatchMode=yes -o ConnectTimeout=10 --"
        with open(folder + "/allow", "w") as file:
            file.write(f"# of the test\n{start} {user}@web* /usr/bin/printf ...\n{start} {user}@web* /bin/sh -c ...\n{start} {user}@web* /usr/bin/id -un\n"
                       f"{start} {user}@web* {SLOW} *\n{start} {user}@web* /usr/bin/yes\n{SLOW} *\n/usr/bin/env touch {folder}/*\n")
        os.chmod(folder + "/allow", 0o644)
        sshd = start_sshd(os.path.join(peers, "openssh-server"), folder)
        try:
            with Daemon(program, more={"content": [folder + "/content.yaml"], "launcher": {"allow": folder + "/allow"},
                                       "secrets": {"api": SECRET, "key": {"file": folder + "/key"}}}) as daemon:
                estate = Estate(daemon)
                estate.fire()
                test_http(estate, folder)
                test_checks(estate)
                test_ssh(estate, folder)
                test_crash(estate, folder)
                test_no_secret_anywhere(daemon)
        finally:
            sshd.terminate()
            sshd.wait()


main()
