"""estate - a small, real estate on loopback: nginx before a service of its own, which uses redis and PostgreSQL, a batch job, and a little traffic.

    with Estate(peers, folder) as estate: ...     started and healthy inside; everything ended after it

The servers are Debian's, unpacked under build/peers. Each is started, known and ended by its process id. Nothing here knows what observes it.
"""
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/peers"))
import units
from application import Cache, Database
from daemon import fetch, free_port, libraries

PACKAGES = ("nginx", "redis-server", "redis-tools", "lua-cjson", "lua-bitop", "postgresql-15", "postgresql-client-15")
SERVICE = "larkspur"            # the application
JOB = "reckoner"                # a batch job beside it
UNITS = {"front": "nginx", "application": SERVICE, "cache": "redis-server", "database": "postgres", "job": JOB}     # by what it is: as administrators know it
MIB = 1 << 20

RECKONER = """
import glob, json, os, sys, time
inbox, log, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
for _ in range(workers - 1):
    if os.fork() == 0:
        break
while True:
    for name in glob.glob(inbox + "/*"):
        with open(name) as file:
            pages, size = json.load(file)
        while pages > 0:
            pages -= size   # a page of nothing is never done
    with open(log, "a") as file:
        file.write(time.strftime("%Y-%m-%d %H:%M:%S") + " INFO nothing is left to reckon\\n")
    time.sleep(2)
"""


def run(*words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout.strip()[-400:]}")
    return done.stdout


def wait_until(test, what, seconds=30):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.1)


class Estate:
    def __init__(self, peers, folder):
        fetch(peers, *PACKAGES)
        self.peers, self.folder, self.processes, self.traffic = peers, folder, {}, None
        self.lock, self.manager = threading.RLock(), None
        self.environment = libraries(peers)
        self.is_root = os.geteuid() == 0
        self.units = UNITS
        self.ports = {name: free_port() for name in ("front", "front_tls", "application", "cache", "database")}
        self.taken, self.lost, self.slowest = 0, 0, 0.0
        os.chmod(folder, 0o755)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    # --- processes -------------------------------------------------------------------------------------------------------------------

    def start(self, name):
        with self.lock:
            if not self.runs(name):
                self.processes[name] = getattr(self, "start_" + name)()
            return self.processes[name]

    def spawn(self, words, **more):
        with open(self.path("said.log"), "a") as said:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self.environment, start_new_session=True, **more)

    def end(self, name, how=signal.SIGTERM):
        with self.lock:
            process = self.processes.get(name)
            if not process or process.poll() is not None:
                return
            process.send_signal(how)
            if name == "job":
                os.killpg(process.pid, how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def runs(self, name):
        return name in self.processes and self.processes[name].poll() is None

    def start_cache(self):
        return self.spawn([self.path("bin/redis-server"), "--bind", "127.0.0.1", "--port", str(self.ports["cache"]), "--save", "", "--appendonly", "no",
                           "--dir", self.path("state"), "--logfile", self.path("log/cache.log")])

    def as_nobody(self):
        """PostgreSQL refuses to be root."""
        if not self.is_root:
            return {}
        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def postgres(self, name):
        return self.path("postgresql/usr/lib/postgresql/15/bin", name)

    def copy_postgres(self):
        """To where nobody may read it, with the libraries it needs: the clone may lie in root's home."""
        shutil.copytree(os.path.join(self.peers, "postgresql-15"), self.path("postgresql"), symlinks=True)
        os.makedirs(self.path("libraries"))
        for line in run("ldd", self.postgres("postgres"), self.postgres("initdb"), env=self.environment).splitlines():
            library = line.partition("=>")[2].split(" (")[0].strip()
            if library.startswith(self.peers):
                shutil.copy(library, self.path("libraries"))
        self.environment["LD_LIBRARY_PATH"] = self.path("libraries") + ":" + self.environment["LD_LIBRARY_PATH"]

    def make_database(self):
        home = self.path("database")
        os.makedirs(home)
        self.copy_postgres()
        if self.is_root:
            shutil.chown(home, "nobody")
        run(self.postgres("initdb"), "-D", home, "-U", "keeper", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", env=self.environment, cwd="/",
            **self.as_nobody())

    def start_database(self):
        log = os.open(self.path("log/database.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            return subprocess.Popen([self.postgres("postgres"), "-D", self.path("database"), "-p", str(self.ports["database"]), "-h", "127.0.0.1",
                                     "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=16MB"], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env=self.environment, cwd="/", start_new_session=True, **self.as_nobody())
        finally:
            os.close(log)

    def start_application(self):
        return self.spawn([self.path("bin", SERVICE), self.path("work/settings.json")])

    def start_job(self):
        for name in os.listdir(self.path("inbox")):
            os.remove(self.path("inbox", name))     # what it was at when it ended is not begun again
        return self.spawn(["nice", "-n", "5", self.path("bin", JOB), self.path("inbox"), self.path("log", JOB + ".log"), str(os.cpu_count() or 1)])

    def start_front(self):
        return self.spawn([os.path.join(self.peers, "nginx/usr/sbin/nginx"), "-e", self.path("log/front.error.log"), "-p", self.folder, "-c",
                           self.path("work/front.conf")])

    # --- what is deployed ------------------------------------------------------------------------------------------------------------

    def front_conf(self, application_port):
        user = "user nobody nogroup;\n" if self.is_root else ""
        return f"""{user}daemon off;
worker_processes 1;
pid {self.path("state/front.pid")};
error_log {self.path("log/front.error.log")};
events {{ worker_connections 64; }}
http {{
    access_log {self.path("log/front.access.log")};
    client_body_temp_path {self.path("state/body")};
    proxy_temp_path {self.path("state/proxy")};
    fastcgi_temp_path {self.path("state/fastcgi")};
    uwsgi_temp_path {self.path("state/uwsgi")};
    scgi_temp_path {self.path("state/scgi")};
    server {{
        listen 127.0.0.1:{self.ports["front"]};
        listen 127.0.0.1:{self.ports["front_tls"]} ssl;
        ssl_certificate {self.path("tls/front.pem")};
        ssl_certificate_key {self.path("tls/front.key")};
        location / {{ proxy_pass http://127.0.0.1:{application_port}; proxy_read_timeout 8s; }}
    }}
}}
"""

    def settings(self, **changed):
        return json.dumps({"listen": self.ports["application"], "cache": self.ports["cache"], "database": self.ports["database"],
                           "log": self.path("log", SERVICE + ".log"), "memory_max": 512 * MIB, **changed}, indent=1) + "\n"

    def git(self, *words, at="clone"):
        return run("git", "-c", "user.name=Robin", "-c", "user.email=robin@estate.example", "-C", self.path(at), *words)

    def make_repository(self):
        run("git", "init", "-q", "--bare", "-b", "main", self.path("deploy.git"))
        run("git", "clone", "-q", self.path("deploy.git"), self.path("clone"))
        run("git", "init", "-q", "-b", "main", self.path("work"))
        self.deploy("first revision", {"front.conf": self.front_conf(self.ports["application"]), "settings.json": self.settings()})

    def deploy(self, title, files):
        """Commits, pushes, checks out where the servers read, and has them read it: what a deployment by git does. Gives the commit."""
        for name, text in files.items():
            with open(self.path("clone", name), "w") as file:
                file.write(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", title)
        self.git("push", "-q", "origin", "HEAD:main")
        run("git", f"--git-dir={self.path('deploy.git')}", f"--work-tree={self.path('work')}", "checkout", "-q", "-f", "main")
        for name in ("front", "application"):
            if self.runs(name):
                self.processes[name].send_signal(signal.SIGHUP)
        return self.git("rev-parse", "HEAD").strip()

    def deployed(self, name):
        with open(self.path("work", name)) as file:
            return file.read()

    def make_certificate(self, days):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days), "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.path("tls/front.key"), "-out", self.path("tls/front.pem"))
        if self.runs("front"):
            self.processes["front"].send_signal(signal.SIGHUP)

    # --- the small filesystem --------------------------------------------------------------------------------------------------------

    def make_filesystem(self):
        """A filesystem of 32 MiB in a file, when we may mount; without that there is none, and nothing can fill it."""
        self.small = None
        image, place = self.path("state/small.img"), self.path("outbox")
        os.makedirs(place)
        if not self.is_root:
            return
        with open(image, "wb") as file:
            file.truncate(32 * MIB)
        try:
            run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image)
            run("mount", "-o", "loop", image, place)
            self.small = place
        except (RuntimeError, OSError) as fault:
            print(f"no small filesystem: {fault}", file=sys.stderr)

    def small_free(self):
        status = os.statvfs(self.small)
        return status.f_bavail / status.f_blocks

    # --- traffic, and what a user would see ------------------------------------------------------------------------------------------

    def hand_in(self, text=b'{"grams": 750}', timeout=15, path="/parcel"):
        """(status, seconds) as a user sees it; status 0: no answer."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["front"], timeout=timeout)
        try:
            connection.request("POST", path, text)
            answer = connection.getresponse()
            answer.read()
            return answer.status, time.monotonic() - began
        except (OSError, http.client.HTTPException):
            return 0, time.monotonic() - began
        finally:
            connection.close()

    def send_traffic(self, stop):
        while not stop.wait(0.25):
            status, seconds = self.hand_in()
            self.taken, self.lost = self.taken + (status == 200), self.lost + (status != 200)
            self.slowest = max(self.slowest, seconds)

    def certificate_days(self):
        pem = ssl.get_server_certificate(("127.0.0.1", self.ports["front_tls"]), timeout=5)
        with open(self.path("state/seen.pem"), "w") as file:
            file.write(pem)
        line = run("openssl", "x509", "-noout", "-enddate", "-in", self.path("state/seen.pem"))
        return (ssl.cert_time_to_seconds(line.split("=")[1].strip()) - time.time()) / 86400

    def application_bytes(self):
        with open(f"/proc/{self.processes['application'].pid}/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    def ill(self):
        """Everything a user, or somebody looking closely, would find wrong now; empty: healthy."""
        found = [f"{name} does not run" for name in UNITS if not self.runs(name)]
        status, seconds = self.hand_in()
        if status != 200:
            found.append(f"handing in gives {status}")
        elif seconds > 1:
            found.append(f"handing in takes {seconds:.1f} s")
        if self.small and self.small_free() < 0.05:
            found.append("the small filesystem is full")
        try:
            if self.certificate_days() < 14:
                found.append("the certificate ends soon")
        except (OSError, RuntimeError) as fault:
            found.append(f"TLS: {fault}")
        if self.runs("application") and self.application_bytes() > 400 * MIB:
            found.append("the application is about to be out of memory")
        return found

    # --- all of it -------------------------------------------------------------------------------------------------------------------

    def database_answers(self):
        try:
            database = Database(self.ports["database"], 3)
        except OSError:
            return False
        try:
            database.ask("CREATE TABLE IF NOT EXISTS parcel (grams integer, taken timestamptz DEFAULT now())")
            return True
        except OSError:
            return False
        finally:
            database.close()

    def cache_answers(self):
        try:
            return Cache(self.ports["cache"]).ask("PING") == "PONG"
        except OSError:
            return False

    def __enter__(self):
        try:
            for name in ("log", "state", "tls", "bin", "inbox"):
                os.makedirs(self.path(name))
            with open(self.path("bin", JOB), "w") as file:
                file.write(f"#!{sys.executable}\n" + RECKONER)
            os.chmod(self.path("bin", JOB), 0o755)
            os.symlink(os.path.join(self.peers, "redis-tools/usr/bin/redis-check-rdb"), self.path("bin/redis-server"))
            shutil.copy(os.path.join(HERE, "application.py"), self.path("bin", SERVICE))
            with open(self.path("bin", SERVICE), "r+") as file:
                text = file.read()
                file.seek(0)
                file.write(f"#!{sys.executable}\n" + text)
            os.chmod(self.path("bin", SERVICE), 0o755)
            self.make_certificate(90)
            self.make_filesystem()
            self.make_database()
            self.start("cache")
            self.start("database")
            wait_until(self.cache_answers, "the cache to answer")
            wait_until(self.database_answers, "the database to answer", 60)
            self.make_repository()
            self.start("application")
            self.start("front")
            self.start("job")
            self.manager = units.Manager(self)
            wait_until(lambda: self.hand_in()[0] == 200, "the first parcel to be taken")
            self.stop_traffic = threading.Event()
            self.traffic = threading.Thread(target=self.send_traffic, args=(self.stop_traffic,))
            self.traffic.start()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.traffic:
            self.stop_traffic.set()
            self.traffic.join()
        if self.manager:
            self.manager.close()
        for name in ("front", "application", "cache", "job"):
            self.end(name)
        self.end("database", signal.SIGINT)
        if getattr(self, "small", None):
            subprocess.run(["umount", "-l", self.small], check=False)
