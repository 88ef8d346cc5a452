"""units - a small service manager for the estate: what runbooks call by systemctl, and the two programs that are the administrator's own to write.

The programs are put over this machine's /usr/bin/systemctl and /usr/local/sbin in the game's own namespace of mounts, where nobody else sees them;
they ask the manager, which listens on a socket in the estate's folder, as systemctl asks systemd.
"""
import os
import socketserver
import subprocess
import sys
import threading
import time

ASKING = """#!{python}
import os, socket, sys
with socket.socket(socket.AF_UNIX) as manager:
    manager.connect({path!r})
    manager.sendall("\\0".join([os.path.basename(sys.argv[0]), *sys.argv[1:]]).encode() + b"\\n")
    status, _, text = manager.makefile().read().partition(" ")
print(text)
sys.exit(int(status or 1))
"""
ALLOWED = """/usr/bin/systemctl restart *.service
/usr/bin/systemctl is-active *.service
/usr/bin/systemctl kill --signal=TERM *.service
/usr/bin/systemctl start *.service
/usr/local/sbin/free-space *
/usr/local/sbin/renew-certificate *
"""


class Ask(socketserver.StreamRequestHandler):
    def handle(self):
        words = self.rfile.readline().decode().rstrip("\n").split("\0")
        try:
            status, text = self.server.manager.do(*words)
        except Exception as fault:  # whoever asked is told
            status, text = 1, str(fault)
        self.wfile.write(f"{status} {text}".encode())


class Manager:
    """Restarts what it is told to restart, and nothing by itself. done: (time, words, status) of each order."""

    def __init__(self, estate):
        self.estate, self.done = estate, []
        path = estate.path("state/manager")
        self.server = socketserver.ThreadingUnixStreamServer(path, Ask)
        self.server.manager, self.server.daemon_threads = self, True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.install(path)

    def install(self, path):
        """Only as root in a namespace of its own: elsewhere this machine's own programs stay, and no allow-list is written."""
        self.allowed = None
        if os.environ.get("EVENKEEL_DEMO_APART") != "1" or os.geteuid() != 0:
            return
        tools = self.estate.path("tools")
        os.makedirs(tools, mode=0o755)
        for name in ("systemctl", "free-space", "renew-certificate"):
            file = os.path.join(tools, name)
            with open(file, "w") as out:
                out.write(ASKING.format(python=sys.executable, path=path))
            os.chmod(file, 0o755)
        try:
            subprocess.run(["mount", "--bind", tools, "/usr/local/sbin"], check=True)
            subprocess.run(["mount", "--bind", os.path.join(tools, "systemctl"), "/usr/bin/systemctl"], check=True)
        except (OSError, subprocess.CalledProcessError) as fault:
            print(f"runbooks have nothing to call: {fault}", file=sys.stderr)
            return
        self.allowed = self.estate.path("allowed")
        with open(self.allowed, "w") as out:
            out.write(ALLOWED)
        os.chmod(self.allowed, 0o600)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        if self.allowed:
            for path in ("/usr/bin/systemctl", "/usr/local/sbin"):
                subprocess.run(["umount", "-l", path], check=False)

    def do(self, program, *words):
        answer = getattr(self, program.replace("-", "_"))(*words)
        self.done.append((time.time(), " ".join((program, *words)), answer[0]))
        return answer

    def part(self, unit):
        name = unit.removesuffix(".service")
        return next((part for part, known in self.estate.units.items() if known == name), None)

    def systemctl(self, verb, *words):
        part = self.part(words[-1])
        if not part:
            return 5, f"Unit {words[-1]} not found."
        if verb in ("restart", "kill"):
            self.estate.end(part)
        if verb in ("restart", "start"):
            self.estate.start(part)
            time.sleep(0.5)
        is_active = self.estate.runs(part)
        return (0 if is_active or verb == "kill" else 3), "active" if is_active else "inactive"

    def free_space(self, mountpoint):
        """What may go is a local matter: here, dumps in the estate's small filesystem."""
        if mountpoint != self.estate.small:
            return 2, f"nothing is known that may be deleted on {mountpoint}"
        dumps = [os.path.join(mountpoint, name) for name in os.listdir(mountpoint) if name.endswith(".dump")]
        for dump in dumps:
            os.remove(dump)
        return 0, f"{len(dumps)} dumps deleted"

    def renew_certificate(self, service):
        if self.part(service) != "front":
            return 2, f"{service} has no certificate"
        self.estate.make_certificate(90)
        return 0, "renewed for 90 days"
