#!/usr/bin/env python3
"""compare.py - Evenkeel beside its peers, turn about in one run: one core for the program, one for the sender.

    compare.py [--build DIR] [--peers DIR] [--runs N] [--work DIR] syslog CORPUS [--lines N]
    compare.py ...                                               remote-write SERIES SAMPLES
    compare.py ...                                               steady [--series N] [--lines N] [--minutes N]
    compare.py ...                                               acknowledge
    compare.py ...                                               idle [--seconds N]
    compare.py ...                                               query-metrics [--series N] [--samples N]
    compare.py ...                                               query-logs CORPUS [--lines N]
    compare.py ...                                               growth
    compare.py ...                                               all [--corpus CORPUS] [--quick]

CORPUS is a folder with *.log files, or `made` for lines made here of a thousand sentences. `all` runs everything and ends with one
table; what could not be measured is a row of it. The peers are unpacked by scripts/peers.sh, never installed: see run.sh.

Processor time is that of the whole life of a process, user and system, until a clean stop has sealed and stored everything,
less that of one which only starts and stops. Medians of the runs; ratios are between medians of the same run. Compare only
ratios: absolute figures are those of the machine and of who else uses it, so the load is printed too.
"""

import argparse, atexit, contextlib, glob, http.client, json, os, random, re, shutil, signal, socket, statistics, string, subprocess, sys
import tempfile, time
import urllib.error, urllib.parse, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM_CORE, SENDER_CORE = {0}, {1}
NOW = time.time
REST_S = 5  # what is resident is read when a program had so long to give back what a burst took


def fail(why):
    sys.exit(f"compare: {why}")


def free_port():
    """Below the ports that the system gives to connections of its own, so that none takes it before it is listened on."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(20000, 32000)))
            return probe.getsockname()[1]


ROWS = []  # of the table at the end: section, what, ours, theirs, ratio, wanted, verdict
SECTION = ""


def row(what, ours, theirs, ratio, wanted="", good=None):
    ROWS.append((SECTION, what, ours, theirs, ratio, wanted, {None: "", True: "reached", False: "MISSED"}[good]))


def wait_for(what, check, seconds=900, every=0.02):
    until = NOW() + seconds
    while NOW() < until:
        if check():
            return
        time.sleep(every)
    fail(f"{what} did not happen within {seconds} s")


def size_of(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names)


def get(url, headers={}, data=None, timeout=600):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=timeout) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise OSError(f"{url}: {error.code} {error.read()[:300]!r}") from error


class Process:
    """A program pinned to the core of programs, whose processor time is told when it has ended."""

    name = "?"

    def __init__(self, argv, environment=None, **more):
        self.process = subprocess.Popen(argv, env={**os.environ, **(environment or {})}, stderr=subprocess.DEVNULL,
                                        preexec_fn=lambda: os.sched_setaffinity(0, PROGRAM_CORE), **more)
        atexit.register(self.process.kill)  # nothing when it has ended

    def resident(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024

    def spent(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """Ends it in order and tells the processor seconds of its life."""
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = status
        return usage.ru_utime + usage.ru_stime


class Evenkeel(Process):
    name = "evenkeel"

    def __init__(self, options, data, sources=None, spine_alone=False):
        os.makedirs(data, exist_ok=True)
        self.data, self.syslog = data, None
        argv = [os.path.join(options.build, "evenkeel"), "run", "--data", data, "--http", "127.0.0.1:0"]
        if sources is None:
            argv.append("--no-sources")
        elif sources == "syslog":
            self.syslog = free_port()
            with open(os.path.join(data, "bench.yaml"), "w") as config:
                config.write(f"sources:\n  syslog:\n    listen:\n      - tcp: 127.0.0.1:{self.syslog}\n")
            argv += ["--config", os.path.join(data, "bench.yaml")]
        if spine_alone:
            argv.append("--spine-alone")
        begun = NOW()
        super().__init__(argv, stdout=subprocess.PIPE)
        for line in self.process.stdout:
            found = re.search(rb"Console: (http://[^/]+)/", line)
            if found:
                self.url = found.group(1).decode()
                break
        else:
            fail("evenkeel did not start")
        self.ready_seconds = NOW() - begun
        self.port = int(self.url.rsplit(":", 1)[1])
        with open(os.path.join(data, "cli.token")) as token:
            self.headers = {"Authorization": "Bearer " + token.read().strip()}

    def get(self, path, **query):
        return get(self.url + path + ("?" + urllib.parse.urlencode(query) if query else ""), self.headers)

    def has(self, name):
        return re.search(rb"^%s \S+$" % name.encode(), self.get("/metrics"), re.M) is not None

    def metric(self, name):
        return float(re.search(rb"^%s (\S+)$" % name.encode(), self.get("/metrics"), re.M).group(1))

    def write_path(self):
        with open(os.path.join(self.data, "cli.token")) as token:
            return "/api/v1/write", token.read().strip()

    def settle_samples(self, count):
        wait_for(f"evenkeel: {count} samples", lambda: self.metric("evenkeel_series_samples_total") >= count)

    def stored(self):
        return size_of(self.data)


class Victoria(Process):
    name = "victoria-metrics"

    def __init__(self, options, data, *more):
        self.data, self.port = data, free_port()
        self.url, self.headers = f"http://127.0.0.1:{self.port}", {}
        super().__init__([os.path.join(options.peers, "victoria-metrics/usr/bin/victoria-metrics"), f"-storageDataPath={data}",
                          f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=12", "-search.latencyOffset=0s",
                          "-search.disableCache", *more], stdout=subprocess.DEVNULL)
        wait_for("victoria-metrics", self.is_up, 60)

    def is_up(self):
        with contextlib.suppress(OSError):
            return get(self.url + "/metrics")

    def get(self, path, **query):
        return get(self.url + path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def write_path(self):
        return "/api/v1/write", ""

    def settle_samples(self, count):
        pass

    def stored(self):
        return size_of(self.data)


class Prometheus(Victoria):
    name = "prometheus"

    def __init__(self, options, data):
        self.data, self.port = data, free_port()
        self.url, self.headers = f"http://127.0.0.1:{self.port}", {}
        os.makedirs(data, exist_ok=True)
        config = os.path.join(data, "prometheus.yml")
        with open(config, "w") as text:
            text.write("global:\n  scrape_interval: 1h\n")
        Process.__init__(self, [os.path.join(options.peers, "prometheus/usr/bin/prometheus"), f"--config.file={config}",
                                f"--storage.tsdb.path={data}/tsdb", f"--web.listen-address=127.0.0.1:{self.port}",
                                "--web.enable-remote-write-receiver", "--web.enable-admin-api", "--storage.tsdb.retention.time=1y"],
                         stdout=subprocess.DEVNULL)
        wait_for("prometheus", self.is_up, 60)

    def is_up(self):
        with contextlib.suppress(OSError):
            return get(self.url + "/-/ready")

    def stored(self):
        return size_of(self.data)


class Rsyslog(Process):
    name = "rsyslog"

    def __init__(self, options, data, rules=None):
        os.makedirs(data, exist_ok=True)
        self.data, self.syslog, root = data, free_port(), os.path.join(options.peers, "rsyslog")
        normalize, module, form = "", "", ""
        if rules:  # each line is matched with the rules and stored with its variables
            module = 'module(load="mmnormalize")\ntemplate(name="json" type="list") { property(name="$!all-json") constant(value="\\n") }\n'
            normalize, form = f'set $.m = ltrim($msg); action(type="mmnormalize" rulebase="{rules}" variable="$.m") ', ' template="json"'
        modules = os.path.join(root, "usr/lib/x86_64-linux-gnu/rsyslog")
        with open(f"{data}/conf", "w") as conf:
            conf.write(f'module(load="imtcp")\nmodule(load="builtin:omfile")\nglobal(workDirectory="{data}")\n{module}'
                       f'ruleset(name="in" queue.type="Direct") {{ {normalize}action(type="omfile" file="{data}/out.log" ioBufferSize="256k"{form}) }}\n'
                       f'input(type="imtcp" port="{self.syslog}" address="127.0.0.1" ruleset="in")\n')
        libraries = ":".join(glob.glob(os.path.join(options.peers, "rsyslog/usr/lib/x86_64-linux-gnu")))
        super().__init__([root + "/usr/sbin/rsyslogd", "-n", "-f", f"{data}/conf", "-i", f"{data}/pid", "-M", modules],
                         {"LD_LIBRARY_PATH": libraries}, stdout=subprocess.DEVNULL)
        wait_for("rsyslog", self.is_up, 30)

    def is_up(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.syslog), 1):
            return True


class SyslogNg(Rsyslog):
    name = "syslog-ng"

    def __init__(self, options, data):
        os.makedirs(data, exist_ok=True)
        self.data, self.syslog, root = data, free_port(), os.path.join(options.peers, "syslog-ng-core")
        with open(f"{data}/conf", "w") as conf:
            conf.write('@version: 3.38\noptions { threaded(yes); stats-freq(0); keep-hostname(yes); use-dns(no); };\n'
                       f'source in {{ tcp(ip(127.0.0.1) port({self.syslog}) log-iw-size(10000) log-fetch-limit(1000)); }};\n'
                       f'destination out {{ file("{data}/out.log" flush-lines(1000)); }};\nlog {{ source(in); destination(out); }};\n')
        libraries = ":".join(glob.glob(root + "/usr/lib/x86_64-linux-gnu") + glob.glob(root + "/usr/lib/syslog-ng*"))
        modules = ":".join(glob.glob(root + "/usr/lib/syslog-ng/*"))
        Process.__init__(self, [root + "/usr/sbin/syslog-ng", "-F", "-f", f"{data}/conf", "-R", f"{data}/persist", "-p", f"{data}/pid",
                                "-c", f"{data}/control", "--module-path", modules], {"LD_LIBRARY_PATH": libraries}, stdout=subprocess.DEVNULL)
        wait_for("syslog-ng", self.is_up, 30)


def send(options, *argv):
    """The sender, on its own core; tells its seconds."""
    run = subprocess.run([os.path.join(options.build, "load"), *map(str, argv)], stdout=subprocess.PIPE, text=True,
                         preexec_fn=lambda: os.sched_setaffinity(0, SENDER_CORE))
    if run.returncode:
        fail(f"the sender failed: {argv}")
    return float(run.stdout.split(" s,")[0])


def children_spent(argv, **more):
    """Processor seconds of a command on the core of programs."""
    process = Process(argv, **more)
    _, status, usage = os.wait4(process.process.pid, 0)
    process.process.returncode = status
    return usage.ru_utime + usage.ru_stime, status


class Table:
    """Figures of each program, a run a column; prints medians and how far apart the runs are."""

    def __init__(self):
        self.figures = {}

    def add(self, program, **figures):
        for name, value in figures.items():
            self.figures.setdefault((program, name), []).append(value)
        print(f"  {program}: " + ", ".join(f"{name} {value:,.6g}" for name, value in figures.items()) +
              f"   (load {os.getloadavg()[0]:.1f})", flush=True)

    def median(self, program, name):
        return statistics.median(self.figures[program, name])

    def show(self):
        print("\nmedian [least, most]")
        for (program, name), values in self.figures.items():
            print(f"  {program:18} {name:34} {statistics.median(values):14,.6g}  [{min(values):,.6g}, {max(values):,.6g}]")

    def ratio(self, what, above, below, wanted, at_most=False):
        """Median of the ratios of the runs: what the two programs did beside each other, in the same minute."""
        if above not in self.figures or below not in self.figures:
            return row(what, "", "", None, f"{wanted}x", None)
        pairs = [a / b for a, b in zip(self.figures[above], self.figures[below])]
        value = statistics.median(pairs)
        good = value <= wanted if at_most else value >= wanted
        print(f"  {what:60} {value:7.2f}x   wanted {'<=' if at_most else '>='} {wanted}x   {'reached' if good else 'MISSED'}")
        row(what, self.median(*above), self.median(*below), value, f"{'at most' if at_most else 'at least'} {wanted}x", good)


@contextlib.contextmanager
def folder(options):
    path = tempfile.mkdtemp(prefix="compare.", dir=options.work)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


SYLLABLES = "ba de fi go ku la me ni po ru sa te vi wo xu ya ze cha dri flo gre sto tra pli".split()
VALUES = {  # what stands in a sentence: how it is made, and what liblognorm calls it
    "number": lambda dice: str(dice.randrange(1, 100000)), "address": lambda dice: ".".join(str(dice.randrange(1, 255)) for _ in range(4)),
    "hex": lambda dice: "0x%08x" % dice.randrange(1 << 32), "path": lambda dice: "/var/lib/%s/%d" % (dice.choice(SYLLABLES), dice.randrange(1000)),
    "duration": lambda dice: "%dms" % dice.randrange(1, 9000), "id": lambda dice: "req-%06d" % dice.randrange(1000000)}


def sentences(count):
    """Sentences as programmers write them: four to ten words, up to four of them variables; the same every time."""
    dice, made = random.Random(7), []
    words = ["".join(dice.choice(SYLLABLES) for _ in range(dice.randrange(2, 5))) for _ in range(2000)]
    for _ in range(count):
        parts = [dice.choice(words) for _ in range(dice.randrange(4, 11))]
        for place in dice.sample(range(1, len(parts)), min(len(parts) - 1, dice.randrange(0, 5))):
            parts[place] = "<" + dice.choice(list(VALUES)) + ">"
        made.append(parts)
    return made


def made_logs(into, count=1000, lines=16000):
    """Eight files of bodies, and the rules liblognorm needs for them. Frequent sentences are frequent: the share falls with the rank."""
    if os.path.exists(into):
        return into
    os.makedirs(into)
    dice, made = random.Random(11), sentences(count)
    with open(into + "/rules.rb", "w") as rules:
        for parts in made:
            rules.write("rule=:" + " ".join(f"%v{i}:word%" if part[0] == "<" else part for i, part in enumerate(parts)) + "\n")
    lines = max(lines, 2 * count)
    for number in range(8):
        with open(f"{into}/made{number}.log", "w") as out:
            for line in range(lines // 8):  # each sentence is there; the rest by rank
                rank = number + 8 * line if number + 8 * line < count else min(int(count ** dice.random()), count - 1) // 8 * 8 + number
                rank = rank if rank < count else number  # a file's sentences are its own
                out.write(" ".join(VALUES[part[1:-1]](dice) if part[0] == "<" else part for part in made[rank]) + "\n")
    return into


def corpus_file(options, lines, into, kind="mix", hosts=64):
    if options.corpus == "made":
        options.corpus = made_logs(os.path.join(options.build, "bench", "made-1000"))
    logs = sorted(glob.glob(os.path.join(options.corpus, "**", "*.log"), recursive=True))
    if not logs:
        fail(f"no *.log below {options.corpus}")
    path = os.path.join(into, f"{kind}-{lines}-{hosts}.log")
    if not os.path.exists(path):
        subprocess.run([os.path.join(options.build, "load"), kind, *logs[:32], "--", str(lines), path, str(hosts)], check=True)
    return path


def idle_seconds(make, options, **more):
    with folder(options) as data:
        return make(options, data, **more).stop()


# --- syslog ------------------------------------------------------------------------------------------------------------------

def day_bytes(data):
    return sum(size_of(path) for path in glob.glob(data + "/*.db*") + glob.glob(data + "/days/*") if "state" not in path)


def count_lines(evenkeel, filters=""):
    answer = json.loads(evenkeel.get("/api/v1/logs/histogram", timeout="60s", query='{source="syslog"} ' + filters, start=int(NOW()) - 30 * 86400, end=int(NOW()) + 86400,
                                     buckets=1))
    return sum(sum(bucket.get("counts", {}).values()) if "counts" in bucket else bucket["count"] for bucket in answer["buckets"])


def run_evenkeel_syslog(options, file, lines, idle, **more):
    with folder(options) as data:
        evenkeel = Evenkeel(options, data, "syslog", **more)
        time.sleep(1)  # this machine's own journal
        others, begun = evenkeel.metric("evenkeel_logs_records_total"), NOW()
        send(options, "syslog", evenkeel.syslog, file)
        wait_for("all lines", lambda: evenkeel.metric("evenkeel_logs_records_total") >= lines + others)
        seconds, memory, templates = NOW() - begun, evenkeel.resident(), evenkeel.metric("evenkeel_templates") if evenkeel.has("evenkeel_templates") else 0
        spent = evenkeel.stop() - idle
        again = Evenkeel(options, data)
        found, stored = count_lines(again), again.metric("evenkeel_archive_disk_bytes")
        again.stop()
        if found != lines:
            fail(f"{lines} lines sent, {found} found")
        return {"lines/processor-s": lines / spent, "MB/processor-s": os.path.getsize(file) / spent / 1e6,
                "lines/s": lines / seconds, "bytes/line": stored / lines, "resident MB": memory / 1e6, "templates": templates, "lost": lines - found}


def run_rsyslog(options, file, lines, idle, make=Rsyslog, **more):
    with folder(options) as data:
        rsyslog = make(options, data, **more)
        begun = NOW()
        send(options, "syslog", rsyslog.syslog, file)
        out = data + "/out.log"
        seconds, memory = NOW() - begun, rsyslog.resident()
        spent = rsyslog.stop() - idle
        with open(out, "rb") as text:
            found = sum(piece.count(b"\n") for piece in iter(lambda: text.read(1 << 20), b""))
        if found != lines:
            fail(f"{lines} lines sent, {rsyslog.name} kept {found}")
        return {"lines/processor-s": lines / spent, "lines/s": lines / seconds, "bytes/line": size_of(out) / lines,
                "resident MB": memory / 1e6, "lost": lines - found}


def run_zstd(options, file, lines, level):
    with folder(options) as data:
        spent, _ = children_spent(["zstd", f"-{level}", "-q", "-f", "--single-thread", file, "-o", data + "/out.zst"])
        return {"MB/processor-s": os.path.getsize(file) / spent / 1e6, "bytes/line": size_of(data + "/out.zst") / lines}


def compare_syslog(options):
    table = Table()
    with folder(options) as work:
        file = corpus_file(options, options.lines, work)
        print(f"{options.lines:,} lines, {os.path.getsize(file) / 1e6:,.1f} MB, {options.runs} runs")
        hard = corpus_file(options, options.lines, work, "hard")
        idle, idle_peer = idle_seconds(Evenkeel, options, sources="syslog"), idle_seconds(Rsyslog, options)
        print(f"  start and stop alone: evenkeel {idle:.3f} s, rsyslog {idle_peer:.3f} s")
        for _ in range(options.runs):
            table.add("evenkeel", **run_evenkeel_syslog(options, file, options.lines, idle))
            table.add("rsyslog", **run_rsyslog(options, file, options.lines, idle_peer))
            table.add("spine alone", **run_evenkeel_syslog(options, file, options.lines, idle, spine_alone=True))
            table.add("hard stream", **run_evenkeel_syslog(options, hard, options.lines, idle))
            for level in (1, 3):
                table.add(f"zstd -{level}", **run_zstd(options, file, options.lines, level))
        rules = os.path.join(options.corpus, "rules.rb")
        idle_ng, idle_rules = [0], [0]
        attempt(lambda: idle_ng.append(idle_seconds(SyslogNg, options)))
        if os.path.exists(rules):
            attempt(lambda: idle_rules.append(idle_seconds(Rsyslog, options, rules=rules)))
        for _ in range(min(options.runs, 3)):  # these are slow
            attempt(lambda: table.add("syslog-ng", **run_rsyslog(options, file, options.lines, idle_ng[-1], SyslogNg)))
            if os.path.exists(rules):
                attempt(lambda: table.add("mmnormalize", **run_rsyslog(options, file, options.lines, idle_rules[-1], rules=rules)))
            attempt(lambda: table.add("sqlite fts5", **run_fts5(options, file, options.lines)))
        quarter = corpus_file(options, options.lines // 4, work)
        table.add("zstd -19", **run_zstd(options, quarter, options.lines // 4, 19))
        table.add("evenkeel, a quarter", **run_evenkeel_syslog(options, quarter, options.lines // 4, idle))
    table.show()
    speed = "lines/processor-s"
    mine = ("evenkeel", speed)
    table.ratio("lines per processor-second, beside rsyslog: issue of the spine", ("spine alone", speed), ("rsyslog", speed), 2)
    table.ratio("lines per processor-second with mining and detectors, beside rsyslog", mine, ("rsyslog", speed), 1.5)
    table.ratio("the same, beside rsyslog with mmnormalize", mine, ("mmnormalize", speed), 5)
    table.ratio("the same, beside syslog-ng threaded", mine, ("syslog-ng", speed), 5)
    table.ratio("the same, beside SQLite FTS5 inserts", mine, ("sqlite fts5", speed), 8)
    table.ratio("the same, beside the spine alone", mine, ("spine alone", speed), 0.7)
    table.ratio("MB per processor-second, beside zstd -1", ("evenkeel", "MB/processor-s"), ("zstd -1", "MB/processor-s"), 0.6)
    table.ratio("the spine's MB per processor-second, beside zstd -1", ("spine alone", "MB/processor-s"), ("zstd -1", "MB/processor-s"), 0.8)
    table.ratio("a hard stream, beside the easy one", ("hard stream", speed), mine, 0.5)
    for level, wanted in ((1, 0.7), (3, 1)):
        table.ratio(f"bytes stored, beside zstd -{level}", ("evenkeel", "bytes/line"), (f"zstd -{level}", "bytes/line"), wanted, at_most=True)
    table.ratio("bytes stored, beside zstd -19, of a quarter of the lines", ("evenkeel, a quarter", "bytes/line"), ("zstd -19", "bytes/line"), 1.2, at_most=True)
    row("lines lost", table.median("evenkeel", "lost"), table.median("rsyslog", "lost"), None, "0", table.median("evenkeel", "lost") == 0)


def attempt(measure):
    """A peer that cannot be had leaves its row empty; it does not end the rest."""
    try:
        measure()
    except (Exception, SystemExit) as why:
        print(f"  not measured: {why}", flush=True)


def run_fts5(options, file, lines):
    """One transaction of the tool's own import, without a sync: a searchable copy of the lines for the least that FTS5 takes."""
    with folder(options) as data:
        tool = shutil.which("sqlite3") or os.path.join(options.peers, "sqlite3/usr/bin/sqlite3")
        with open(data + "/script", "w") as script:
            script.write(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;\nCREATE VIRTUAL TABLE line USING fts5(text);\n"
                         f".mode ascii\n.separator \"\\037\" \"\\n\"\nBEGIN;\n.import {file} line\nCOMMIT;\n.mode list\nSELECT count(*) FROM line;\n")
        process = Process([tool, data + "/db"], stdin=open(data + "/script"), stdout=subprocess.PIPE)
        found = int(process.process.stdout.read().split()[-1])
        _, process.process.returncode, usage = os.wait4(process.process.pid, 0)
        if found != lines:
            fail(f"{lines} lines given, SQLite has {found}")
        return {"lines/processor-s": lines / (usage.ru_utime + usage.ru_stime), "bytes/line": size_of(data + "/db") / lines}


# --- remote write --------------------------------------------------------------------------------------------------------------

METRIC_PROGRAMS = (Evenkeel, Victoria, Prometheus)


def write_samples(options, program, series, samples, step_ms=15000):
    path, token = program.write_path()
    return send(options, "remote-write", program.port, path, series, samples, token or "-", step_ms)


def run_remote_write(options, make, idle, **more):
    series, samples = options.series, options.samples
    with folder(options) as data:
        program = make(options, data, **more)
        before, begun = program.resident(), NOW()
        write_samples(options, program, series, samples)
        program.settle_samples(series * samples)
        seconds = NOW() - begun
        time.sleep(REST_S)
        memory = program.resident() - before
        spent = program.stop() - idle
        figures = {"samples/processor-s": series * samples / spent, "samples/s": series * samples / seconds,
                   "resident B/series": memory / series, "bytes/sample": program.stored() / series / samples}
        if make is Evenkeel:
            again = Evenkeel(options, data)
            kept = again.metric("evenkeel_archive_metric_samples")
            figures["bytes/sample"] = again.metric("evenkeel_archive_disk_bytes") / series / samples
            again.stop()
            if kept != series * samples:
                fail(f"{series * samples} samples sent, {kept:.0f} kept")
        return figures


def compare_remote_write(options):
    table = Table()
    print(f"{options.series:,} series x {options.samples:,} samples, {options.runs} runs")
    idle = {make: idle_seconds(make, options) for make in METRIC_PROGRAMS}
    for _ in range(options.runs):
        for make in METRIC_PROGRAMS:
            attempt(lambda: table.add(make.name, **run_remote_write(options, make, idle[make])))
        table.add("spine alone", **run_remote_write(options, Evenkeel, idle[Evenkeel], spine_alone=True))
        table.add("snappy", **{"samples/processor-s": options.series * options.samples / send(options, "snappy", options.series, options.samples)})
    table.show()
    speed = "samples/processor-s"
    table.ratio("samples per processor-second with all detectors, beside the spine alone", ("evenkeel", speed), ("spine alone", speed), 0.7)
    table.ratio("the same, beside unpacking snappy alone", ("evenkeel", speed), ("snappy", speed), 0.15)
    for peer, speed, bytes_, memory in ((Victoria.name, 3, 1.1, 0.75), (Prometheus.name, 10, 0.75, 0.3)):
        table.ratio(f"samples per processor-second, beside {peer}", ("evenkeel", "samples/processor-s"), (peer, "samples/processor-s"), speed)
        table.ratio(f"bytes per sample, beside {peer}", ("evenkeel", "bytes/sample"), (peer, "bytes/sample"), bytes_, at_most=True)
        table.ratio(f"memory per series, beside {peer}", ("evenkeel", "resident B/series"), (peer, "resident B/series"), memory, at_most=True)


# --- acknowledgement -------------------------------------------------------------------------------------------------------------

def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def time_writes(path, size, count):
    """pwrite and fdatasync into a preallocated file: the least that is possible."""
    file, payload, taken = os.open(path, os.O_RDWR | os.O_CREAT), os.urandom(size), []
    try:
        os.posix_fallocate(file, 0, size * count)
        os.fsync(file)
        for i in range(count):
            begun = time.perf_counter()
            os.pwrite(file, payload, i * size)
            os.fdatasync(file)
            taken.append(time.perf_counter() - begun)
    finally:
        os.close(file)
        os.unlink(path)
    return taken


def time_posts(evenkeel, size, count, first):
    """OTLP log records as JSON, one request after the other on one connection, until each is answered."""
    connection, taken = http.client.HTTPConnection("127.0.0.1", evenkeel.port), []
    for i in range(count):
        noise = "".join(random.choices(string.ascii_letters + string.digits + " ", k=size - 200))
        body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": f"{first + i} {noise}"}}]}]}]})
        begun = time.perf_counter()
        connection.request("POST", "/v1/logs", body, {**evenkeel.headers, "Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        taken.append(time.perf_counter() - begun)
        if answer.status != 200:
            fail(f"HTTP {answer.status}")
    return taken


def compare_acknowledge(options):
    print("one sender that waits, microseconds: HTTP request to answer, beside pwrite and fdatasync of the same size")
    with folder(options) as data:
        evenkeel = Evenkeel(options, data + "/evenkeel")
        for size in (4096, 65536):
            posts, writes = [], []
            for turn in range(10):
                posts += time_posts(evenkeel, size, 50, turn * 50)
                writes += time_writes(data + "/plain", size, 50)
            for name, taken in (("HTTP", posts), ("pwrite + fdatasync", writes)):
                print(f"  {size:6} B  {name:20} p50 {percentile(taken, .5) * 1e6:8.0f}  p99 {percentile(taken, .99) * 1e6:8.0f}")
            for part, wanted in ((.5, None), (.99, 5)):
                value = percentile(posts, part) / percentile(writes, part)
                row(f"acknowledgement over HTTP of {size} bytes, us, p{part * 100:.0f}, beside pwrite and fdatasync", percentile(posts, part) * 1e6,
                    percentile(writes, part) * 1e6, value, f"at most {wanted}x" if wanted else "", value <= wanted if wanted else None)
            print(f"  {size:6} B  {'ratio':20} p50 {percentile(posts, .5) / percentile(writes, .5):8.2f}  "
                  f"p99 {percentile(posts, .99) / percentile(writes, .99):8.2f}")
        evenkeel.stop()
        print("the journal alone (bench/ack_latency):")
        os.makedirs(data + "/journal")
        subprocess.run([os.path.join(options.build, "bench", "ack_latency"), data + "/journal"], check=True)


# --- idle ------------------------------------------------------------------------------------------------------------------------

def compare_idle(options):
    table = Table()
    for _ in range(options.runs):
        with folder(options) as data:
            evenkeel = Evenkeel(options, data, "all")
            time.sleep(10)
            before, begun = evenkeel.spent(), NOW()
            time.sleep(options.seconds)
            table.add("evenkeel", **{"start to ready ms": evenkeel.ready_seconds * 1e3, "resident MB": evenkeel.resident() / 1e6,
                                     "% of a core": (evenkeel.spent() - before) / (NOW() - begun) * 100})
            evenkeel.stop()
            for make in (Rsyslog, Victoria, Alertmanager, Netdata):
                attempt(lambda: measure_idle(options, table, make))
    table.show()
    mine = table.median("evenkeel", "resident MB")
    row("resident MB at rest, all sources", mine, None, None, "under 30", mine < 30)
    row("start to ready, ms", table.median("evenkeel", "start to ready ms"), None, None)
    theirs = [table.median(make.name, "resident MB") for make in (Rsyslog, Victoria, Alertmanager, Netdata) if (make.name, "resident MB") in table.figures]
    if len(theirs) == 4:
        row("the same, beside rsyslog, VictoriaMetrics, Alertmanager and Netdata together", mine, sum(theirs), mine / sum(theirs), "at most 0.3x",
            mine <= 0.3 * sum(theirs))
    else:
        row(f"the same, beside four tools together (only {len(theirs)} could be started)", mine, sum(theirs), None)


class Alertmanager(Victoria):
    name = "alertmanager"

    def __init__(self, options, data):
        self.data, self.port = data, free_port()
        self.url, self.headers = f"http://127.0.0.1:{self.port}", {}
        os.makedirs(data, exist_ok=True)
        with open(data + "/conf.yml", "w") as text:
            text.write("route: {receiver: none}\nreceivers: [{name: none}]\n")
        package = os.path.join(options.peers, "prometheus-alertmanager/usr")  # it looks for its templates below /usr/share, in a view of its own
        Process.__init__(self, ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none /usr/share && mkdir /usr/share/prometheus && cp -r "$0" /usr/share/prometheus && exec "$@"',
                                package + "/share/prometheus/alertmanager", package + "/bin/prometheus-alertmanager", f"--config.file={data}/conf.yml",
                                f"--storage.path={data}", f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="],
                         stdout=subprocess.DEVNULL)
        wait_for("alertmanager", self.is_up, 60)


class Netdata(Victoria):
    name = "netdata"

    def __init__(self, options, data):
        self.data, self.port, root = data, free_port(), os.path.join(options.peers, "netdata-core")
        self.url, self.headers = f"http://127.0.0.1:{self.port}/api/v1/info?", {}
        for name in ("cache", "lib", "log", "web"):
            os.makedirs(f"{data}/{name}", exist_ok=True)
        with open(data + "/conf", "w") as text:
            text.write(f"[global]\n  run as user = {os.environ.get('USER', 'root')}\n[web]\n  bind to = 127.0.0.1:{self.port}\n[directories]\n  cache = {data}/cache\n"
                       f"  lib = {data}/lib\n  log = {data}/log\n  config = {data}\n  stock config = {root}/usr/lib/netdata/conf.d\n"
                       f"  plugins = {root}/usr/lib/netdata/plugins.d\n  web = {data}/web\n  home = {data}\n")
        libraries = ":".join(glob.glob(root + "/usr/lib/x86_64-linux-gnu"))
        Process.__init__(self, [root + "/usr/sbin/netdata", "-D", "-c", data + "/conf", "-P", data + "/pid"], {"LD_LIBRARY_PATH": libraries},
                         stdout=subprocess.DEVNULL)
        wait_for("netdata", self.is_up, 60)


def measure_idle(options, table, make):
    with folder(options) as data:
        program = make(options, data)
        time.sleep(min(options.seconds, 20))
        table.add(make.name, **{"resident MB": program.resident() / 1e6})
        program.stop()


# --- queries ---------------------------------------------------------------------------------------------------------------------

RANGE_QUERIES = {  # 50 series have the same name
    "1,000 series as they are": '{__name__=~"bench_metric_0[01][0-9]_total"}',
    "sum by name of 1,000 series": 'sum by (__name__) ({__name__=~"bench_metric_0[01][0-9]_total"})',
    "rate of 50 series": "rate(bench_metric_000_total[5m])",
    "p95 over an hour of 50 series": "quantile_over_time(0.95, bench_metric_005_total[1h])",
}


def ask(program, query, end):
    spent, begun = program.spent(), time.perf_counter()
    answer = program.get("/api/v1/query_range", query=query, start=end - 86400, end=end, step=60)
    seconds, spent = time.perf_counter() - begun, program.spent() - spent
    return {"ms": seconds * 1e3, "processor ms": spent * 1e3, "series": len(json.loads(answer)["data"]["result"])}


def compare_query_metrics(options):
    table, programs = Table(), []
    with folder(options) as work:
        for make in METRIC_PROGRAMS:
            program = make(options, os.path.join(work, make.name))
            write_samples(options, program, options.series, options.samples, 60000)
            program.settle_samples(options.series * options.samples)
            programs.append(program)
        end = int(NOW())
        for run in range(options.runs + 1):  # the first warms
            for name, query in RANGE_QUERIES.items():
                for program in programs:
                    figures = ask(program, query, end)
                    if run:
                        table.add(program.name, **{f"{name}: {what}": value for what, value in figures.items()})
        for program in programs:
            program.stop()
    table.show()
    for name in RANGE_QUERIES:
        for peer in (Victoria.name, Prometheus.name):
            table.ratio(f"{name}, time beside {peer}", ("evenkeel", f"{name}: ms"), (peer, f"{name}: ms"), 1, at_most=True)


NEEDLE = "heliotrope-needle"
LOG_QUERIES = {
    "a rare word": ('|= "%s"' % NEEDLE, ["-c", "-F", NEEDLE]),
    "a frequent word": ('|= "Failed password"', ["-c", "-F", "Failed password"]),
    "a regular expression": ('|~ "session (opened|closed) for user [a-z]+"', ["-c", "-E", "session (opened|closed) for user [a-z]+"]),
}


def log_queries(options):
    if options.corpus != "made":
        return LOG_QUERIES
    first, second = [word for parts in sentences(1000)[:50] for word in parts if word[0] != "<"][:2]
    return {"a rare word": LOG_QUERIES["a rare word"], "a frequent word": (f'|= "{first}"', ["-c", "-F", first]),
            "a regular expression": (f'|~ "({first}|{second}) [a-z]+"', ["-c", "-E", f"({first}|{second}) [a-z]+"])}


def compare_query_logs(options):
    table, queries = Table(), log_queries(options)
    with folder(options) as work:
        file = corpus_file(options, options.lines, work)
        with open(file, "ab") as out:
            out.write(b"<13>Nov  1 00:00:00 node07 app07[1]: the one %s among many\n" % NEEDLE.encode())
        lines = options.lines + 1
        packed = file + ".zst"
        subprocess.run(["zstd", "-3", "-q", "-f", file, "-o", packed], check=True)
        evenkeel = Evenkeel(options, work + "/data", "syslog")
        send(options, "syslog", evenkeel.syslog, file)
        os.unlink(file)
        wait_for("all lines", lambda: evenkeel.metric("evenkeel_logs_records_total") >= lines)
        evenkeel.stop()
        evenkeel = Evenkeel(options, work + "/data")
        if count_lines(evenkeel) != lines:
            fail(f"{lines} lines sent, {count_lines(evenkeel)} found")
        print(f"{lines:,} lines: zstd -3 {os.path.getsize(packed) / 1e6:,.0f} MB, evenkeel "
              f"{evenkeel.metric('evenkeel_archive_disk_bytes') / 1e6:,.0f} MB")
        for run in range(options.runs + 1):  # the first warms
            for name, (query, grep) in queries.items():
                begun, spent = time.perf_counter(), evenkeel.spent()
                count = count_lines(evenkeel, query)
                mine = {f"{name}: ms": (time.perf_counter() - begun) * 1e3, f"{name}: processor ms": (evenkeel.spent() - spent) * 1e3,
                        f"{name}: lines": count}
                begun = time.perf_counter()
                found = Process(["zstdgrep", *grep, packed], stdout=subprocess.PIPE)
                count = int(found.process.stdout.read())
                _, found.process.returncode, usage = os.wait4(found.process.pid, 0)
                theirs = {f"{name}: ms": (time.perf_counter() - begun) * 1e3, f"{name}: lines": count}
                if run:
                    table.add("evenkeel", **mine)
                    table.add("zstdgrep", **theirs)
        evenkeel.stop()
    table.show()
    for name in LOG_QUERIES:
        table.ratio(f"{name}, time beside zstdgrep", ("evenkeel", f"{name}: ms"), ("zstdgrep", f"{name}: ms"), 1, at_most=True)


# --- growth ----------------------------------------------------------------------------------------------------------------------

def compare_growth(options):
    """What a line and a sample cost as there are more kinds of them; no peer, each beside the least of its kind."""
    first, idle = None, idle_seconds(Evenkeel, options, sources="syslog")
    for count in (100, 1000, 10000, 100000)[:2 if options.quick else 4]:
        lines = max(options.lines // 4, 4 * count)
        with folder(options) as work:
            options.corpus = made_logs(work + "/logs", count)
            figures = run_evenkeel_syslog(options, corpus_file(options, lines, work), lines, idle)
            first = first or figures["lines/processor-s"]
            print(f"  {count} sentences: {figures}", flush=True)
            row(f"lines per processor-second, {count:,} sentences ({figures['templates']:,.0f} templates, {figures['resident MB']:.0f} MB resident)",
                figures["lines/processor-s"], first, figures["lines/processor-s"] / first)
    options.corpus, first = "made", None
    for hosts in (4, 32, 313, 3125)[:2 if options.quick else 4]:  # of 32 programs each
        with folder(options) as work:
            figures = run_evenkeel_syslog(options, corpus_file(options, options.lines // 4, work, hosts=hosts), options.lines // 4, idle)
        first = first or figures["lines/processor-s"]
        print(f"  {32 * hosts} streams: {figures}", flush=True)
        row(f"lines per processor-second, {32 * hosts:,} streams ({figures['bytes/line']:.1f} bytes stored a line, {figures['resident MB']:.0f} MB resident)",
            figures["lines/processor-s"], first, figures["lines/processor-s"] / first)
    first, idle = None, idle_seconds(Evenkeel, options)
    for count in (1000, 10000, 100000, 1000000)[:2 if options.quick else 4]:
        options.series, options.samples = count, max(6, 2000000 // count)
        figures = run_remote_write(options, Evenkeel, idle)
        first = first or figures["samples/processor-s"]
        print(f"  {count} series: {figures}", flush=True)
        row(f"samples per processor-second, {count:,} series x {options.samples:,} ({figures['resident B/series']:,.0f} bytes resident a series)",
            figures["samples/processor-s"], first, figures["samples/processor-s"] / first)


def compare_detector(options):
    tool = os.path.join(options.build, "bench", "detector_speed")
    out = subprocess.run([tool, "20000"], stdout=subprocess.PIPE, text=True, check=True).stdout
    cost = float(re.search(r"([\d.]+) ns a sample", out).group(1))
    row("all detectors, ns a sample", cost, 2000, cost / 2000, "at most 200 ns", cost <= 200)


# --- everything ------------------------------------------------------------------------------------------------------------------

def show_rows(minutes):
    def number(value):
        return "" if value is None or value == "" else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"
    print(f"\nload {os.getloadavg()[0]:.1f}, {minutes:.0f} minutes\n\n| | what | Evenkeel | beside | ratio | wanted | |\n|---|---|---|---|---|---|---|")
    for section, what, ours, theirs, ratio, wanted, verdict in ROWS:
        print(f"| {section} | {what} | {number(ours)} | {number(theirs)} | {number(ratio)} | {wanted} | {verdict if ours != '' else 'not measured'} |")


def send_lines_steadily(port, path, a_second, until):
    """So many lines a second over one TCP connection, in twenty parts a second."""
    with socket.create_connection(("127.0.0.1", port)) as connection, open(path, "rb") as file:
        begun, sent = NOW(), 0
        while NOW() < until:
            part = [file.readline() for _ in range(a_second // 20)]
            if not part[-1]:
                file.seek(0)
                continue
            connection.sendall(b"".join(part))
            sent += len(part)
            time.sleep(max(0, begun + sent / a_second - NOW()))
    return sent


def compare_steady(options):
    """What an organisation of some size sends, as time goes: is it taken in with less than a core and 512 MiB?"""
    options.corpus = "made"
    with folder(options) as work, folder(options) as data:
        path = corpus_file(options, 200000, work)
        evenkeel = Evenkeel(options, data, "syslog")
        steps = options.minutes * 6
        begun, spent = NOW(), evenkeel.spent()
        write_path, token = evenkeel.write_path()
        samples = subprocess.Popen([os.path.join(options.build, "load"), "steady", str(evenkeel.port), write_path, str(options.series), str(steps), token, "10000"],
                                   preexec_fn=lambda: os.sched_setaffinity(0, SENDER_CORE), stdout=subprocess.DEVNULL)
        sent = send_lines_steadily(evenkeel.syslog, path, options.lines, begun + options.minutes * 60)
        samples.wait()
        with open(f"/proc/{evenkeel.process.pid}/status") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024
        cores = (evenkeel.spent() - spent) / (NOW() - begun)
        wait_for("the lines", lambda: evenkeel.metric("evenkeel_logs_records_total") >= sent, 60)
        evenkeel.settle_samples(options.series * steps)
        evenkeel.stop()
        again = Evenkeel(options, data)
        lost = max(0, sent - again.metric("evenkeel_archive_log_records")) + max(0, options.series * steps - again.metric("evenkeel_archive_metric_samples"))
        again.stop()
        print(f"  {options.series} series every 10 s, {options.lines} lines/s, {options.minutes} minutes: {cores:.3f} of a core, {peak:.0f} MiB at the peak, {lost:.0f} lost")
        row("cores, all detectors", cores, 1, cores, "under 1", cores < 1 and not lost)
        row("MiB resident at the peak", peak, 512, peak / 512, "under 512", peak < 512 and not lost)


def compare_all(options):
    global SECTION
    begun, corpus, quick = NOW(), options.corpus, options.quick
    options.runs = 1 if quick else options.runs
    options.lines, options.seconds = (200000, 5) if quick else (4000000, 60)
    steps = [("lines", compare_syslog, {}), ("samples, 100,000 x 60", compare_remote_write, {"series": 100000, "samples": 60})]
    if not quick:
        steps.append(("samples, 10,000 x 1,440", compare_remote_write, {"series": 10000, "samples": 1440}))
    else:
        steps[1] = ("samples, 10,000 x 60", compare_remote_write, {"series": 10000, "samples": 60})
    steps += [("detector", compare_detector, {}), ("acknowledgement", compare_acknowledge, {}), ("at rest", compare_idle, {}),
              ("range queries", compare_query_metrics, {"series": 1000 if quick else 10000, "samples": 1440}),
              ("searches", compare_query_logs, {"lines": 200000 if quick else 10000000}), ("growth", compare_growth, {"lines": options.lines})]
    for SECTION, measure, more in steps:
        print(f"\n== {SECTION} ({(NOW() - begun) / 60:.0f} minutes so far)", flush=True)
        vars(options).update(more)
        options.corpus = corpus
        try:
            measure(options)
        except (Exception, SystemExit) as why:
            print(f"not measured: {why}", flush=True)
            row(f"not measured: {why}", "", "", None)
    show_rows((NOW() - begun) / 60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    parser.add_argument("--peers", default=os.path.join(HERE, "..", "build", "peers"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", help="folder for what is written; on the disk that is to be measured")
    commands = parser.add_subparsers(dest="command", required=True)
    syslog = commands.add_parser("syslog")
    syslog.add_argument("corpus")
    syslog.add_argument("--lines", type=int, default=4000000)
    syslog.set_defaults(run=compare_syslog)
    write = commands.add_parser("remote-write")
    write.add_argument("series", type=int)
    write.add_argument("samples", type=int)
    write.set_defaults(run=compare_remote_write)
    steady = commands.add_parser("steady")
    steady.add_argument("--series", type=int, default=100000)
    steady.add_argument("--lines", type=int, default=10000)
    steady.add_argument("--minutes", type=int, default=5)
    steady.set_defaults(run=compare_steady)
    commands.add_parser("acknowledge").set_defaults(run=compare_acknowledge)
    idle = commands.add_parser("idle")
    idle.add_argument("--seconds", type=int, default=60)
    idle.set_defaults(run=compare_idle)
    query = commands.add_parser("query-metrics")
    query.add_argument("--series", type=int, default=10000)
    query.add_argument("--samples", type=int, default=1440)
    query.set_defaults(run=compare_query_metrics)
    search = commands.add_parser("query-logs")
    search.add_argument("corpus")
    search.add_argument("--lines", type=int, default=10000000)
    search.set_defaults(run=compare_query_logs)
    growth = commands.add_parser("growth")
    growth.add_argument("--lines", type=int, default=2000000)
    growth.set_defaults(run=compare_growth, corpus="made", quick=False)
    everything = commands.add_parser("all")
    everything.add_argument("--corpus", default="made")
    everything.add_argument("--quick", action="store_true")
    everything.set_defaults(run=compare_all)
    options = parser.parse_args()
    options.build, options.peers = os.path.abspath(options.build), os.path.abspath(options.peers)
    options.run(options)


if __name__ == "__main__":
    main()
