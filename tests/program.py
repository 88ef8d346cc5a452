"""program - one running Evenkeel, as every test of the whole program starts it: ready when start returns."""
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """Keeps its data in a folder, which may be there already, and adds what it says to a log."""

    def __init__(self, path, data, log):
        self.path, self.data, self.log_path = os.path.abspath(path), data, log
        self.process, self.port, self.password = None, 0, ""

    def start(self, *options, ready_s_max=30):
        """Gives how many seconds it took to be ready."""
        began = time.monotonic()
        user = ["--user", "root"] if os.geteuid() == 0 else []
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen([self.path, "run", "--data", self.data, *user, *options], stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            if "Console:" in line:
                self.port = urllib.parse.urlparse(line.split("Console:")[1].strip()).port
            if "First sign-in" in line:
                self.password = line.split("/")[1].split()[0]
            if "Stop it" in line:
                break
        else:
            sys.exit("the program did not start:\n" + self.log_text()[-3000:])
        while self.answers_ready() != 200:
            if time.monotonic() - began > ready_s_max:
                sys.exit(f"not ready within {ready_s_max} s:\n" + self.log_text()[-3000:])
            time.sleep(0.005)
        return time.monotonic() - began

    def answers_ready(self):
        try:
            return self.exchange("GET", "/-/ready")[0]
        except (OSError, http.client.HTTPException):
            return 0

    def exchange(self, method, path, body=None, headers=None, timeout=60):
        """(status, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def token(self):
        """What the command line on this machine uses."""
        with open(os.path.join(self.data, "cli.token")) as file:
            return {"Authorization": "Bearer " + file.read().strip()}

    def end(self, how=signal.SIGTERM, seconds=120):
        """Its exit status."""
        self.process.send_signal(how)
        status = self.process.wait(seconds)
        self.process.stdout.close()
        self.process = None
        return status

    def log_text(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()
