"""application - the estate's own small service: takes parcels into PostgreSQL, counts them in redis, tells what it does.

    application.py SETTINGS     a JSON file; read again at SIGHUP

Only what such a service has anyway: a page, a place to hand in, a log, metrics in the text format. Its faults are those of its surroundings and of
its settings; none is acted.
"""
import http.server
import json
import logging
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time

BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Cache:
    """As much of redis' protocol as one counter needs."""

    def __init__(self, port):
        self.port = port

    def ask(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), 3) as connection:
            connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (str(each).encode() for each in words)))
            answer = connection.makefile("rb").readline()
        if not answer or answer[:1] == b"-":
            raise OSError("cache: " + (answer.decode().strip() or "closed the connection"))
        return answer[1:].strip().decode()


class Database:
    """As much of PostgreSQL's protocol as simple queries of one trusted user need."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.stream = self.socket.makefile("rb")
        start = struct.pack(">I", 196608) + b"user\0keeper\0database\0postgres\0\0"
        self.socket.sendall(struct.pack(">I", len(start) + 4) + start)
        self.rows_until_ready()

    def rows_until_ready(self):
        rows, fault = [], None
        while True:
            kind, length = struct.unpack(">cI", self.exactly(5))
            body = self.exactly(length - 4)
            if kind == b"D":
                rows.append(body)
            elif kind == b"E":
                fault = " ".join(part[1:].decode(errors="replace") for part in body.split(b"\0") if part[:1] == b"M")
            elif kind == b"Z" or (kind == b"E" and b"FATAL" in body):
                break
        if fault:
            raise OSError("database: " + fault)
        return rows

    def exactly(self, count):
        got = self.stream.read(count)
        if got is None or len(got) < count:
            raise OSError("database: closed the connection")
        return got

    def ask(self, statement):
        text = statement.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack(">I", len(text) + 4) + text)
        return self.rows_until_ready()

    def close(self):
        self.stream.close()
        self.socket.close()


class Service:
    def __init__(self, path):
        self.path, self.lock, self.kept = path, threading.Lock(), []
        self.followers = []
        self.counts, self.buckets, self.seconds = {}, [0] * (len(BUCKETS) + 1), 0.0
        self.settings = {}
        self.read_settings()

    def read_settings(self, *_):
        with open(self.path) as file:
            self.settings = json.load(file)
        logging.info("settings read, revision %s", self.settings.get("revision", "none"))

    def take(self, text):
        """A parcel handed in: its number, or ValueError when it is no parcel."""
        parcel = json.loads(text)
        weight = int(parcel["grams"])
        database = Database(self.settings["database"])
        try:
            database.ask(f"INSERT INTO parcel (grams) VALUES ({weight})")
            database.ask("DELETE FROM parcel WHERE taken < now() - interval '2 minutes'")
        finally:
            database.close()
        number = Cache(self.settings["cache"]).ask("INCR", "parcels")
        for label_bytes in self.followers:
            self.kept.append(b"*" * label_bytes)  # until the follower asks for it; one that went away never does
        return number

    def follow(self, text):
        """Somebody who wants every parcel's label; its size."""
        self.followers.append(int(json.loads(text)["label_bytes"]))

    def look(self):
        """Whether a parcel could be taken now."""
        database = Database(self.settings["database"])
        try:
            database.ask("SELECT grams FROM parcel LIMIT 1")
        finally:
            database.close()
        Cache(self.settings["cache"]).ask("PING")

    def note(self, status, seconds):
        with self.lock:
            self.counts[status] = self.counts.get(status, 0) + 1
            self.seconds += seconds
            self.buckets[next((i for i, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))] += 1

    def metrics(self):
        with self.lock:
            lines = [f'http_requests_total{{code="{status}"}} {count}' for status, count in sorted(self.counts.items())]
            total = 0
            for bound, count in zip((*BUCKETS, "+Inf"), self.buckets):
                total += count
                lines.append(f'http_request_duration_seconds_bucket{{le="{bound}"}} {total}')
            lines += [f"http_request_duration_seconds_sum {self.seconds}", f"http_request_duration_seconds_count {total}"]
        with open("/proc/self/statm") as file:
            size, resident = (int(pages) * resource.getpagesize() for pages in file.read().split()[:2])
        used, limit = resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_AS)[0]
        lines += [f"process_cpu_seconds_total {used.ru_utime + used.ru_stime}", f"process_virtual_memory_bytes {size}",
                  f"process_resident_memory_bytes {resident}", f"process_open_fds {len(os.listdir('/proc/self/fd'))}"]
        if limit != resource.RLIM_INFINITY:
            lines.append(f"process_virtual_memory_max_bytes {limit}")
        return "\n".join(lines) + "\n"


class Handler(http.server.BaseHTTPRequestHandler):
    service = None
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/metrics":
            return self.answer(200, self.service.metrics())
        try:
            self.service.look()
            return self.answer(200, "open\n")
        except (OSError, MemoryError) as fault:
            logging.error("cannot take parcels: %s", fault or "out of memory")
            return self.answer(503, "cannot take parcels now\n")

    def do_POST(self):
        began, status = time.monotonic(), 200
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.path == "/follow":
                self.service.follow(text)
                return self.answer(200, "followed\n")
            answer = "parcel " + self.service.take(text)
            logging.info("%s taken in %.0f ms", answer, 1000 * (time.monotonic() - began))
        except (ValueError, KeyError, TypeError) as fault:
            status, answer = 400, "no parcel"
            logging.error("a parcel was refused: %s", fault)
        except (OSError, MemoryError) as fault:
            status, answer = 503, "cannot be taken now"
            logging.error("a parcel was lost: %s", fault or "out of memory")
        self.service.note(status, time.monotonic() - began)
        self.answer(status, answer + "\n")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        logging.warning("a client went away: %s", sys.exc_info()[1])


def main():
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    logging.basicConfig(filename=settings["log"], level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    resource.setrlimit(resource.RLIMIT_AS, (settings["memory_max"], settings["memory_max"]))
    threading.stack_size(256 << 10)
    Handler.service = Service(sys.argv[1])
    signal.signal(signal.SIGHUP, Handler.service.read_settings)
    Server(("127.0.0.1", settings["listen"]), Handler).serve_forever()


if __name__ == "__main__":
    main()
