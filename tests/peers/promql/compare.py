#!/usr/bin/env python3
"""Asks a real Prometheus 2.42 and Evenkeel the same PromQL over the same series, and tells every difference.

Series with gaps, counter resets, stale markers, NaN and histograms go into a fresh Prometheus by remote write, and to us
either as a file (--ours-cmd PROGRAM) or by remote write too (--ours URL, with /api/v1/write and /api/v1/query). Expressions
are generated from the grammar, from a seed, over every function and operator, and asked as instant and as range queries.

Equal means: the same labels in the same order, the same times, values within 1e-9 relative, NaN where NaN is. An error
where Prometheus has an error is equal; an answer of one and an error of the other is not. Where Prometheus itself gives
another order or choice from one call to the next, ours must be one of them; these and the few known faults of Prometheus 2.42
that we do not repeat are counted apart. Exit: 0 equal, 1 unequal, 77 no peer here.
"""
import argparse, json, math, os, random, re, shutil, socket, struct, subprocess, sys, tempfile, time
import urllib.error, urllib.parse, urllib.request
from collections import Counter, namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
from protobuf import field, snappy, varint

STALE = struct.unpack('<d', struct.pack('<Q', 0x7ff0000000000002))[0]
SPAN, EVERY = 8100, 15          # seconds of data, and between samples

# ---- series

def labels(name, **more):
    return tuple(sorted([('__name__', name)] + [(key.rstrip('_'), value) for key, value in more.items()],
                        key=lambda pair: pair[0].encode()))

class Series:
    """Builds {labels: [(offset seconds, value bits or float)]}; every series begins at 0, with a stale marker if need be."""
    def __init__(self, rng):
        self.rng, self.data = rng, {}

    def add(self, key, value, gaps=(), stale_at=()):
        samples, ended = [], False
        for i in range(0, SPAN, EVERY):
            shift = 0 if i == 0 else self.rng.choice((0, 0, 0, 0.017, -0.25))
            if any(start <= i < end for start, end in gaps):
                if not ended and i in stale_at or i == 0:
                    samples.append((i, None))
                    ended = True
                continue
            samples.append((i + shift, value(i)))
        if samples[0][0] != 0:
            samples.insert(0, (0, None))
        self.data[key] = samples

    def counter(self, rate, reset=0.004):
        state = [self.rng.uniform(0, 500)]
        def value(_):
            state[0] = self.rng.uniform(0, 3) if self.rng.random() < reset else state[0] + self.rng.uniform(0, 2 * rate)
            return state[0]
        return value

    def counting(self, rate, reset=0.004):
        inner = self.counter(rate, reset)
        return lambda i: float(int(inner(i)))

def make_series(rng, start):
    s = Series(rng)
    for job in ('api', 'web'):
        for instance in ('a:1', 'b:1', 'c:2'):
            for code in ('200', '404', '500'):
                gaps = [(3000, 4200)] if (job, code) == ('web', '404') else []
                s.add(labels('http_requests_total', job=job, instance=instance, code=code), s.counting(20 if code == '200' else 2),
                      gaps, stale_at=(3000,) if instance == 'a:1' else ())
    for instance in ('a:1', 'b:1', 'c:2'):
        for mode in ('idle', 'user', 'system'):
            s.add(labels('cpu_seconds_total', instance=instance, mode=mode), s.counter(10))
        s.add(labels('memory_bytes', instance=instance), lambda i: 8e9 + float(rng.randrange(-5000, 5000) * 4096))
        s.add(labels('build_info', instance=instance, version=rng.choice(('1.0', '1.1')), owner='team-' + instance[0]), lambda i: 1.0)
    for room in ('north', 'south', 'east'):
        for sensor in ('1', '2'):
            phase = rng.uniform(0, 6)
            def temperature(i, phase=phase, room=room):
                if room == 'east' and rng.random() < 0.03:
                    return rng.choice((math.nan, math.inf, -math.inf))
                return 15 * math.sin(i / 900 + phase) + rng.uniform(-1, 1)
            s.add(labels('temperature', room=room, sensor=sensor), temperature)
    s.add(labels('flaky', job='api'), lambda i: float(i), [(600, 900), (2000, 2600), (5000, 8000)], stale_at=(2010,))
    s.add(labels('flaky', job='web'), lambda i: float(i % 700), [(0, 1800), (4005, 5000)], stale_at=(4005,))
    s.add(labels('flaky', job='db', Zone='z'), lambda i: math.nan if i % 600 < 90 else float(i % 60))
    s.add(labels('limits', job='api'), lambda i: 100.0)
    s.add(labels('limits', job='web'), lambda i: 50.0 + i // 3000)
    for i, value in enumerate((3.0, 1.0, 3.0, 2.0, 1.0)):
        s.add(labels('ties', n=str(i), half=str(i % 2)), lambda i, value=value: value)
    for job in ('api', 'web', 'odd'):
        counts = [0.0] * 6
        def bucket(rank, counts=counts, job=job):
            def value(i):
                counts[rank] += rng.choice((0, 0, 1, 2))
                return counts[rank] if job == 'odd' else sum(counts[:rank + 1])
            return value
        for rank, le in enumerate(('0.1', '0.5', '1', '2.5', '10', '+Inf')):
            if (job, le) != ('odd', '+Inf'):
                s.add(labels('latency_seconds_bucket', job=job, le=le), bucket(rank))
                s.add(labels('size_bytes_bucket', job=job, le=le), bucket(rank))
        s.add(labels('latency_seconds_sum', job=job), s.counter(3, 0))
        s.add(labels('latency_seconds_count', job=job), s.counting(3, 0))
    s.add(labels('stamps', kind='now'), lambda i: start + i * 3601.5)
    s.add(labels('stamps', kind='old'), lambda i: -1e9 + i * 1e6)
    s.add(labels('stamps', kind='odd'), lambda i: rng.choice((math.nan, 1e19, -1e300, 0.0, 951782400.0)))
    for name in ('left', 'right'):
        s.add(labels(name, x='1'), lambda i: float(i))
        s.add(labels(name, x='2' if name == 'left' else '3'), lambda i: float(-i))
    return {key: [(round((start + at) * 1000), STALE if value is None else value) for at, value in s.data[key]]
            for key in sorted(s.data, key=lambda key: [(n.encode(), v.encode()) for n, v in key])}

# ---- loading: remote write by hand (protobuf, snappy of literals only)

def write_request(slices):
    out = bytearray()
    for key, samples in slices:
        series = b''.join(field(1, field(1, n.encode()) + field(2, v.encode())) for n, v in key)
        for at, value in samples:
            bits = struct.pack('<Q', 0x7ff0000000000002) if value is STALE else struct.pack('<d', value)
            series += field(2, b'\x09' + bits + b'\x10' + varint(at))
        out += field(1, series)
    return bytes(out)

def remote_write(url, series, start):
    for begin in range(0, SPAN + 600, 600):
        low, high = (start + begin) * 1000 - 500, (start + begin + 600) * 1000 - 500
        part = [(key, [s for s in samples if low <= s[0] < high]) for key, samples in series.items()]
        part = [(key, samples) for key, samples in part if samples]
        if part:
            request = urllib.request.Request(url + '/api/v1/write', snappy(write_request(part)), {
                'Content-Encoding': 'snappy', 'Content-Type': 'application/x-protobuf',
                'X-Prometheus-Remote-Write-Version': '0.1.0'})
            urllib.request.urlopen(request, timeout=20).read()

def quote(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n') + '"'

def write_file(path, series):
    with open(path, 'w') as out:
        for key, samples in series.items():
            text = '{' + ','.join(n + '=' + quote(v) for n, v in key) + '}'
            for at, value in samples:
                shown = 'stale' if value is STALE else repr(value).replace('nan', 'NaN').replace('inf', 'Inf')
                out.write('%s %s %d.%03d\n' % (text, shown, at // 1000, at % 1000))

# ---- expressions

SELECTORS = ['http_requests_total', 'http_requests_total{job="api"}', 'http_requests_total{code=~"4..|5.."}',
             'http_requests_total{code!="200",instance!~"c.*"}', 'cpu_seconds_total', 'cpu_seconds_total{mode="idle"}', 'memory_bytes',
             'temperature', 'temperature{room!="east"}', 'temperature{room="east"}', 'flaky', 'flaky{job="web"}', 'ties', 'limits',
             'latency_seconds_bucket', 'latency_seconds_sum', 'stamps', 'left', 'right', 'build_info', 'nothing',
             '{__name__=~"left|right"}', '{job="api",code="200"}', '{__name__="ties",n=~"[0-2]"}']
LABELS = ['job', 'instance', 'code', 'mode', 'room', 'sensor', 'half', 'x', 'le', 'kind', 'Zone', '__name__']
OVER_RANGE = ['rate', 'irate', 'increase', 'delta', 'idelta', 'deriv', 'changes', 'resets', 'avg_over_time', 'min_over_time',
              'max_over_time', 'sum_over_time', 'count_over_time', 'stddev_over_time', 'stdvar_over_time', 'last_over_time',
              'present_over_time', 'absent_over_time']
OVER_VALUES = ['abs', 'ceil', 'floor', 'sqrt', 'exp', 'ln', 'log2', 'log10', 'sgn', 'acos', 'acosh', 'asin', 'asinh', 'atan',
               'atanh', 'cos', 'cosh', 'sin', 'sinh', 'tan', 'tanh', 'deg', 'rad', 'timestamp', 'sort', 'sort_desc', 'absent', 'round']
CALENDAR = ['minute', 'hour', 'day_of_week', 'day_of_month', 'day_of_year', 'days_in_month', 'month', 'year']
OTHERS = ['holt_winters', 'predict_linear', 'quantile_over_time', 'clamp', 'clamp_min', 'clamp_max', 'histogram_quantile',
          'label_replace', 'label_join', 'scalar', 'vector', 'time', 'pi']
AGGREGATES = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar', 'topk', 'bottomk', 'quantile', 'count_values']
OPERATORS = ['+', '-', '*', '/', '%', '^', 'atan2', '==', '!=', '<', '<=', '>', '>=', 'and', 'or', 'unless']
FORMS = ['unary -', 'bool', 'on', 'ignoring', 'group_left', 'group_right', 'offset', '@', 'subquery', 'by', 'without', 'selector',
         'range selector', 'string', 'precedence', 'wrong']
ALL = OVER_RANGE + OVER_VALUES + CALENDAR + OTHERS + AGGREGATES + OPERATORS + FORMS

class Grammar:
    def __init__(self, rng, start):
        self.rng, self.start = rng, start

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, part):
        return self.rng.random() < part

    def duration(self):
        return self.pick('30s', '1m', '2m', '5m', '5m', '7m30s', '10m', '1h', '45s', '100ms')

    def time(self):
        return self.start + self.rng.randrange(0, SPAN)

    def shift(self, part=0.15):
        out = ''
        if self.chance(part):
            out += ' offset ' + self.pick('', '', '-') + self.pick('1m', '5m', '90s', '20m')
        if self.chance(part):
            out += ' @ ' + self.pick('start()', 'end()', '%d.5' % self.time(), str(self.time()))
        return out

    def selector(self):
        return self.rng.choice(SELECTORS)

    def matrix(self, depth):
        if depth > 0 and self.chance(0.3):
            return self.make('subquery', depth)
        return '%s[%s]%s' % (self.selector(), self.duration(), self.shift())

    def scalar(self, depth):
        if depth > 0 and self.chance(0.25):
            return self.pick('scalar(%s)' % self.vector(depth - 1), 'time()', 'pi()', '(%s)' % self.two_scalars(depth - 1))
        return self.pick('0', '1', '2', '-1', '0.5', '3.7', '1e3', '100', 'NaN', 'Inf', '-Inf', '0x10')

    def two_scalars(self, depth):
        op = self.rng.choice([op for op in OPERATORS[:13] if op != '^'])  # a remainder of it turns on the last bit
        return '%s %s%s %s' % (self.scalar(depth), op, ' bool' if op in OPERATORS[7:13] else '', self.scalar(depth))

    def vector(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.selector() + self.shift()
        kind = self.rng.choice(('range', 'range', 'value', 'aggregate', 'aggregate', 'binary', 'other'))
        pool = {'range': OVER_RANGE, 'value': OVER_VALUES, 'aggregate': AGGREGATES, 'binary': OPERATORS,
                'other': OTHERS[:9] + CALENDAR + ['unary -', 'vector']}[kind]
        return self.make(self.rng.choice(pool), depth)

    def names(self):
        return ', '.join(self.rng.sample(LABELS, self.rng.randrange(0, 4)))

    def make(self, what, depth):
        """An expression whose outermost part is `what`."""
        if what in OVER_RANGE:
            return '%s(%s)' % (what, self.matrix(depth - 1))
        if what == 'round' and self.chance(0.5):
            return 'round(%s, %s)' % (self.vector(depth - 1), self.pick('0.5', '10', '0.01', '-3', '0'))
        if what in ('timestamp', 'absent') and self.chance(0.6):
            return '%s(%s%s)' % (what, self.selector(), self.shift())
        if what in ('sin', 'cos', 'tan'):  # of small and equal arguments: the tangent of 1e17 turns on the last bit
            return '%s(%s)' % (what, self.pick('temperature', 'ties', 'rate(http_requests_total[5m])', 'flaky', 'stamps{kind="now"}'))
        if what in OVER_VALUES:
            return '%s(%s)' % (what, self.vector(depth - 1))
        if what in CALENDAR:
            return '%s(%s)' % (what, self.pick('', 'stamps', 'stamps', 'stamps{kind="odd"}', 'vector(%s)' % self.scalar(depth)))
        if what in AGGREGATES:
            return self.aggregate(what, depth)
        if what in OPERATORS:
            return self.binary(what, depth)
        if what in OTHERS:
            return self.other(what, depth)
        return self.form(what, depth)

    def aggregate(self, what, depth):
        parameter = {'topk': lambda: self.pick('1', '2', '3', '5', '100', '0', '-1', '2.7'),
                     'bottomk': lambda: self.pick('1', '2', '3', '5', '100', 'scalar(limits{job="api"})'),
                     'quantile': lambda: self.pick('0', '0.5', '0.9', '1', '-1', '2', 'NaN', '0.333'),
                     'count_values': lambda: self.pick('"v"', '"job"', '"x_1"', '"value"')}.get(what)
        inside = (parameter() + ', ' if parameter else '') + self.vector(depth - 1)
        by = self.pick('', '%s (%s)' % (self.pick('by', 'without'), self.names()))
        if not by:
            return '%s(%s)' % (what, inside)
        return self.pick('%s %s (%s)' % (what, by, inside), '%s(%s) %s' % (what, inside, by))

    PAIRS = [('http_requests_total{code="500"}', 'http_requests_total', 'ignoring(code)', 'right'),
             ('http_requests_total', 'limits', 'on(job)', 'left'), ('limits', 'http_requests_total', 'on(job)', 'right'),
             ('cpu_seconds_total', 'build_info', 'on(instance)', 'left'), ('http_requests_total', 'build_info', 'on(instance)', 'left'),
             ('left', 'right', '', ''), ('left', 'right', 'on(x)', ''), ('temperature', 'temperature', '', ''),
             ('temperature', 'temperature{room="north"}', 'ignoring(room)', 'left'), ('ties', 'ties', 'on(n)', ''),
             ('flaky', 'limits', 'on(job)', ''), ('flaky', 'limits', 'ignoring(Zone)', ''), ('ties', 'ties', 'on(half)', ''),
             ('memory_bytes', 'build_info', 'on(instance)', ''), ('memory_bytes', 'build_info', 'ignoring(version, owner)', ''),
             ('latency_seconds_sum', 'latency_seconds_count', '', ''), ('http_requests_total', 'http_requests_total offset 5m', '', '')]

    def wrap(self, selector):
        return self.pick(selector, selector, 'rate(%s[5m])' % selector if ' ' not in selector else selector, '(%s)' % selector)

    def binary(self, op, depth, force=None):
        is_set, compares = op in ('and', 'or', 'unless'), op in OPERATORS[7:13]
        flag = ' bool' if compares and self.chance(0.4) else ''
        depth = min(depth, 1) if op == '%' else depth
        if not force and not is_set and self.chance(0.3):
            a, b = self.vector(depth - 1), self.scalar(depth - 1)
            return self.pick('%s %s%s %s' % (a, op, flag, b), '%s %s%s %s' % (b, op, flag, a))
        if not force and self.chance(0.2):
            return '%s %s%s %s' % (self.vector(depth - 1), op, flag, self.vector(depth - 1))
        left, right, on, group = self.rng.choice([p for p in self.PAIRS if not force or force in p[2] or force == 'group_' + p[3]])
        if group and not is_set and (force or self.chance(0.9)):
            on += ' group_%s%s' % (group, self.pick('', '()', '(version)', '(owner, version)', '(job)', '(code)'))
        return '%s %s%s %s %s' % (self.wrap(left), op, flag, on, self.wrap(right))

    def other(self, what, depth):
        vector = self.vector(depth - 1)
        if what == 'holt_winters':
            return 'holt_winters(%s, %s, %s)' % (self.matrix(depth - 1), self.pick('0.3', '0.9', '0.1', '1'), self.pick('0.5', '0.2', '0.7', '0'))
        if what == 'predict_linear':
            return 'predict_linear(%s, %s)' % (self.matrix(depth - 1), self.pick('3600', '60', '-600', 'time() - %d' % self.start))
        if what == 'quantile_over_time':
            return 'quantile_over_time(%s, %s)' % (self.pick('0', '0.5', '0.95', '1', '-0.1', '1.1', 'NaN'), self.matrix(depth - 1))
        if what == 'clamp':
            return 'clamp(%s, %s, %s)' % (vector, self.scalar(depth - 1), self.scalar(depth - 1))
        if what in ('clamp_min', 'clamp_max'):
            return '%s(%s, %s)' % (what, vector, self.scalar(depth - 1))
        if what == 'histogram_quantile':
            name = self.pick('latency_seconds_bucket', 'size_bytes_bucket', '{__name__=~"latency_seconds_bucket|size_bytes_bucket"}')
            inside = self.pick(name, 'rate(%s[5m])' % name, 'sum by (le) (%s)' % name, 'sum by (job, le) (increase(%s[10m]))' % name)
            return 'histogram_quantile(%s, %s)' % (self.pick('0', '0.5', '0.9', '0.99', '1', '-1', '2', 'NaN', '0.2'), inside)
        if what == 'label_replace':
            return 'label_replace(%s, %s)' % (vector, self.pick(
                '"host", "$1", "instance", "(.*):.*"', '"job", "", "job", "api"', '"__name__", "renamed", "job", ".*"', '"x", "$2", "y", "(a"',
                '"new", "${1}-$$-$0", "code", "(.).."', '"code", "same", "code", ".+"', '"1bad", "a", "job", ""', '"z", "$name", "room", "(?P<name>n.*|s.*)"'))
        if what == 'label_join':
            return 'label_join(%s, %s)' % (vector, self.pick('"both", "-", "job", "instance"', '"job", "", "nothing"', '"a", ",", "__name__", "x", "n"',
                                                             '"one", "-"', '"b-ad", "-", "job"'))
        return {'scalar': 'scalar(%s)' % self.pick(vector, 'limits{job="web"}', 'nothing'), 'vector': 'vector(%s)' % self.scalar(depth),
                'time': 'time() - %s' % self.scalar(depth - 1), 'pi': 'pi() * %s' % self.scalar(depth - 1)}[what]

    def form(self, what, depth):
        if what == 'unary -':
            return '-' + self.pick(self.selector(), '(%s)' % self.vector(depth - 1))
        if what == 'bool':
            return '%s %s bool %s' % (self.vector(depth - 1), self.rng.choice(OPERATORS[7:13]), self.scalar(depth - 1))
        if what in ('on', 'ignoring', 'group_left', 'group_right'):
            return self.binary(self.rng.choice(OPERATORS[:13]), depth, what)
        if what == 'offset':
            return '%s offset %s%s' % (self.selector(), self.pick('', '-'), self.pick('1m', '5m', '1h', '10s'))
        if what == '@':
            return '%s @ %s' % (self.pick(self.selector(), 'rate(%s[5m] @ %d) + %s' % (self.selector(), self.time(), self.selector()),
                                          'sum_over_time(%s[5m:1m] @ %d) > %s' % (self.selector(), self.time(), self.selector())),
                                self.pick('start()', 'end()', str(self.time())))
        if what == 'subquery':
            inner = self.vector(depth - 2)
            inner = inner if inner.split('{')[0].replace('_', '').isalnum() and '@' not in inner else '(%s)' % inner
            return '%s[%s:%s]%s' % (inner, self.pick('5m', '10m', '30m', '7m'), self.pick('', '1m', '30s', '47s', '5m'), self.shift())
        if what in ('by', 'without'):
            return '%s %s (%s) (%s)' % (self.rng.choice(AGGREGATES[:8]), what, self.names(), self.vector(depth - 1))
        if what == 'selector':
            return self.selector() + self.shift(0.3)
        if what == 'range selector':
            return self.pick('%s[%s]%s' % (self.selector(), self.duration(), self.shift(0.3)), self.make('subquery', 2))
        if what == 'string':
            return self.pick('"plain"', "'it\\'s'", '`raw\\n`', '"tab\\t\\u00e9"')
        if what == 'precedence':
            parts = [self.pick('ties', '2', '0.5', '-1', '3', '(ties)') for _ in range(4)]
            ops = [self.rng.choice(OPERATORS[:7] + ['> bool', '== bool', 'and', 'or', 'unless']) for _ in range(3)]
            return '%s%s %s %s %s %s %s %s' % (self.pick('', '-'), parts[0], ops[0], parts[1], ops[1], parts[2], ops[2], parts[3])
        return self.rng.choice(WRONG)

WRONG = ['sum(', 'foo[5m', 'rate(http_requests_total)', '1 > 2', 'http_requests_total and 1', '{x=~".*"}', '{}', 'sum by (a', 'abs()',
         'ties + on(n) group_left(n) ties', 'ties and on(n) group_left ties', 'nope(ties)', 'ties offset 1m offset 2m', 'ties @ 1 @ 2',
         'topk(ties, ties)', 'ties[5m][5m]', '(ties)[5m]', 'ties[5m] + 1', '-"a"', 'ties[0s]', 'ties[5]', 'ties offset 5', '1 + bool 2',
         'ties{n="1"', 'ties{n=1}', 'ties{"n"="1"}', 'sum(ties,)', 'ties[5m:1m:1m]', 'abs(ties, ties)', 'label_replace(ties, "a", "b", "c")',
         'count_values(1, ties)', 'quantile("a", ties)', '"a" + 1', 'ties @ foo', 'ties @ Inf', '1 2', 'ties ties', ')', '5m', 'a:b{x="1"} ^',
         'on', 'bool', 'ties == bool ignoring(n ties', 'sum without ties', "'a", 'ties{n="\\q"}', 'ties[1m1h]', 'time(1)', 'vector()',
         'ties[5m:]', 'scalar(ties) and 1', 'ties unless on() group_right() left', 'topk("2", ties)', 'sort(1)', 'ties{n!~"("}',
         '1 == bool 1', 'sum', 'offset', 'by', 'start', 'ties # comment', 'ties{n="1",}', 'sum by (n,) (ties)', 'SUM(ties) BY (half)', 'ties OFFSET 1m',
         '08', '1e', '.5', '5.', '0x', 'Infinity', 'INF', 'nan', '1_000', 'ties atan2 2', '+ties', '--ties', '- -1', '2 ^ -1 ^ 2', '-2 ^ 2',
         'ties offset 0s', 'ties[5m] offset -0s', 'ties offset -1m @ 0', 'ties @ -1', 'ties @ 1e3', 'ties @ +5', 'ties @ -start()', 'group(ties)', 'ties{__name__="ties"}',
         '{__name__="ties"}', '{__name__="ties",__name__!="x"}', 'ties > 1 > bool 1', 'a:b', ':a', 'ties{a:b="1"}', '1 + (2', 'rate(ties[5m:1m])',
         'ties[1y]', 'ties[300y]', 'rate((ties)[5m:])', 'sum(ties) by (n) without (n)', 'sum by (n) (ties) by (n)', 'bottomk(NaN, ties)', 'topk(1e30, ties)',
         'absent_over_time({__name__=~"left|right"}[5m])', 'last_over_time({__name__=~"left|right"}[5m])', 'rate({__name__=~"left|right"}[5m])',
         'absent(nothing{a="1",a="2",b="3",c!="4"})', 'absent((nothing{a="1"}))', 'absent(sum(nothing{a="1"}))', 'absent_over_time(nothing{a="1"}[5m:])',
         'absent_over_time(nothing{a="1"}[5m])', 'timestamp((flaky))', 'timestamp(flaky offset 2m)', 'timestamp(flaky @ 0)', 'timestamp(flaky + 0)',
         '{__name__=~"left|right"} + 1', '-{__name__=~"left|right"}', 'abs({__name__=~"left|right"})', 'sum({__name__=~"left|right"}) by (x)',
         'count_values without (n) ("n", ties)', 'count_values("", ties)', 'label_join(ties, "n", "")', 'ties * on(n) group_left(half) ties']

Case = namedtuple('Case', 'what expression times')  # times: (time,) or (start, end, step)

def make_cases(rng, start, count):
    grammar, cases = Grammar(rng, start), []
    rounds = max(1, count // len(ALL))
    def times(is_range):
        if not is_range:
            return (round(start + rng.choice((rng.uniform(0, SPAN), rng.randrange(0, SPAN, 60), SPAN + rng.randrange(0, 600))), 3),)
        step = rng.choice((15, 60, 60, 37.5, 300))
        begin = start + rng.randrange(0, SPAN - 1000)
        return (begin, begin + round(step * rng.randrange(0, 40), 3), step)
    for turn in range(rounds):
        for what in ALL:
            if what != 'wrong':
                cases.append(Case(what, grammar.make(what, rng.choice((1, 2, 2, 3))), times(turn % 2 and what not in ('range selector', 'string'))))
    for expression in WRONG:
        cases.append(Case('wrong', expression, times(False)))
        cases.append(Case('wrong', expression, times(True)))
    return cases

# ---- asking and comparing

def http_get(url, path, parameters):
    try:
        request = urllib.request.Request(url + path + '?' + urllib.parse.urlencode(parameters))
        if os.environ.get('EVENKEEL_TOKEN'):
            request.add_header('Authorization', 'Bearer ' + os.environ['EVENKEEL_TOKEN'])
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())

class Url:
    def __init__(self, url):
        self.url = url

    def ask(self, case):
        if len(case.times) == 1:
            return http_get(self.url, '/api/v1/query', {'query': case.expression, 'time': '%.3f' % case.times[0]})
        start, end, step = case.times
        return http_get(self.url, '/api/v1/query_range', {'query': case.expression, 'start': '%.3f' % start, 'end': '%.3f' % end, 'step': step})

class Command:
    def __init__(self, program, path):
        self.process = subprocess.Popen([program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, case):
        kind = 'instant' if len(case.times) == 1 else 'range'
        times = ' '.join('%.3f' % t for t in case.times)
        self.process.stdin.write(('%s %s %s\n' % (kind, times, case.expression)).encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit('our side ended while answering: ' + case.expression)
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()

def same_number(a, b):
    a, b = float(a), float(b)
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b):
        return a == b or (math.isnan(a) and math.isnan(b))
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))

def same_points(a, b):
    return len(a) == len(b) and all(abs(x[0] - y[0]) < 1e-6 and same_number(x[1], y[1]) for x, y in zip(a, b))

def points(item):
    return item['values'] if 'values' in item else [item['value']]

def key(item):
    """The labels; numbers that count_values wrote into one are compared as numbers are, to nine digits."""
    return sorted((name, '%.10g' % float(value) if len(value) > 8 and value.lstrip('-').replace('.', '', 1).isdigit() else value)
                  for name, value in item['metric'].items())

def by_time(answer):
    """All values of an answer at each time, sorted: what remains when ties may fall on any series."""
    times = {}
    for item in answer['data']['result']:
        for at, value in points(item):
            times.setdefault(at, []).append(float(value))
    return {at: sorted(values, key=lambda v: (math.isnan(v), v)) for at, values in times.items()}

def same_choices(a, b):
    a, b = by_time(a), by_time(b)
    return a.keys() == b.keys() and all(len(a[t]) == len(b[t]) and all(map(same_number, a[t], b[t])) for t in a)

def difference(theirs, ours, ordered=True):
    """None when equal, else what differs, in a sentence."""
    if theirs['status'] != 'success' or ours['status'] != 'success':
        if theirs['status'] == ours['status']:
            return None
        return 'there: %s; here: %s' % tuple(x.get('error') or 'an answer' for x in (theirs, ours))
    a, b = theirs['data'], ours['data']
    if a['resultType'] != b['resultType']:
        return 'type %s there, %s here' % (a['resultType'], b['resultType'])
    if a['resultType'] in ('scalar', 'string'):
        same = same_number(a['result'][1], b['result'][1]) if a['resultType'] == 'scalar' else a['result'] == b['result']
        return None if same else '%s there, %s here' % (a['result'], b['result'])
    left, right = a['result'], b['result']
    if not ordered:
        left, right = sorted(left, key=key), sorted(right, key=key)
    if [key(x) for x in left] != [key(x) for x in right]:
        return 'series there %s, here %s' % (json.dumps([x['metric'] for x in left])[:500], json.dumps([x['metric'] for x in right])[:500])
    for x, y in zip(left, right):
        if not same_points(points(x), points(y)):
            wrong = [(p, q) for p, q in zip(points(x), points(y)) if not same_points([p], [q])][:2]
            return '%s: %d points there, %d here; %s' % (json.dumps(x['metric']), len(points(x)), len(points(y)), wrong)
    return None

KNOWN = [ # where Prometheus 2.42 departs from its own documentation and we follow the documentation: docs/decisions/promql.md
    (r'predict_linear\(.*@', True, 'predict_linear over a range with @: its window slides with the steps'),
    (r'timestamp\(.*(offset.*@|@.*offset)', False, 'timestamp of a selector with @ forgets its offset'),
    (r'(topk|bottomk|quantile).*\((scalar|time)\(.*@', True, 'a parameter beside an argument with @ is frozen at the first step'),
    (r'@.*\)\[[^]]*:[^]]*\] offset', False, 'an @ inside a subquery that begins just at the time of the query is misplaced'),
    (r'count_values.*by|by.*count_values', True, 'count_values by: the labels change after the first step'),
]

def is_known(case):
    for pattern, only_ranges, why in KNOWN:
        if (not only_ranges or len(case.times) == 3) and re.search(pattern, case.expression):
            return why
    return None

def compare(peer, us, case):
    """(difference, why it does not count, Prometheus' answer, ours)"""
    theirs, ours = peer.ask(case), us.ask(case)
    found = difference(theirs, ours)
    if not found or theirs['status'] != 'success':
        return found, None, theirs, ours
    answers = [theirs] + [peer.ask(case) for _ in range(30)]  # it walks Go's maps, whose order is another each time
    if any(difference(theirs, other) for other in answers):
        if ours['status'] == 'success' and any(not difference(other, ours) or same_choices(other, ours) for other in answers):
            return None, 'answers of which Prometheus gives another each time', theirs, ours
    known = is_known(case)
    return (None, known, theirs, ours) if known else (found, None, theirs, ours)

# ---- the peer

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]

def start_prometheus(program, directory):
    port = free_port()
    config = os.path.join(directory, 'prometheus.yml')
    with open(config, 'w') as out:
        out.write('global:\n  evaluation_interval: 1m\n')
    process = subprocess.Popen([program, '--config.file=' + config, '--storage.tsdb.path=' + os.path.join(directory, 'data'),
                                '--web.listen-address=127.0.0.1:%d' % port, '--web.enable-remote-write-receiver', '--log.level=error',
                                '--enable-feature=promql-negative-offset,promql-at-modifier'], cwd=directory)
    url = 'http://127.0.0.1:%d' % port
    for _ in range(200):
        try:
            urllib.request.urlopen(url + '/-/ready', timeout=2).read()
            return process, url
        except OSError:
            time.sleep(0.1)
    process.kill()
    sys.exit('Prometheus did not get ready within 20 s')

def report(results, unequal, left_out, empty, seconds):
    print('%-22s %8s %8s %8s' % ('what', 'asked', 'errors', 'unequal'))
    for what in ALL:
        print('%-22s %8d %8d %8d' % (what, *results[what]))
    print('%d expressions, %d unequal, %d errors on both sides, %d without a sample; %.1f s' % (
        sum(row[0] for row in results.values()), unequal, sum(row[1] for row in results.values()), empty, seconds))
    for why, count in left_out.items():
        print('of them not counted: %d, %s' % (count, why))

def run(peer, us, cases):
    results, unequal, empty, began = {what: [0, 0, 0] for what in ALL}, 0, 0, time.time()
    left_out, types = Counter(), Counter()
    for case in cases:
        found, why, theirs, ours = compare(peer, us, case)
        row = results[case.what]
        row[0] += 1
        row[1] += theirs['status'] != 'success' and not found
        row[2] += bool(found)
        unequal += bool(found)
        empty += theirs['status'] == 'success' and not theirs['data']['result']
        if why:
            left_out[why] += 1
        if theirs['status'] != 'success' and ours['status'] != 'success' and theirs['errorType'] != ours['errorType']:
            types['%s there, %s here: %s' % (theirs['errorType'], ours['errorType'], case.expression)] += 1
        if found:
            print('UNEQUAL %s  at %s\n        %s' % (case.expression, ' '.join(map(str, case.times)), found))
    for text in types:
        print('error type %s' % text)
    report(results, unequal, left_out, empty, time.time() - began)
    return 1 if unequal or types else 0

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--peers', default='build/peers', help='where scripts/peers.sh unpacks')
    parser.add_argument('--fetch', help='scripts/peers.sh, run when Prometheus is not there yet')
    parser.add_argument('--ours-cmd', help='promql_eval')
    parser.add_argument('--ours', help='base URL of a daemon that takes remote write and queries')
    parser.add_argument('--token', help='file with the API token of that daemon')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--count', type=int, default=1000)
    options = parser.parse_args()
    program = os.path.join(options.peers, 'prometheus/usr/bin/prometheus')
    if not os.path.exists(program) and options.fetch:
        subprocess.run([options.fetch, options.peers, 'prometheus'])
    if not os.path.exists(program):
        print('skipped: no Prometheus at %s, and its Debian package could not be fetched' % program)
        return 77
    if options.token:
        opener = urllib.request.build_opener()
        opener.addheaders = [('Authorization', 'Bearer ' + open(options.token).read().strip())]
        urllib.request.install_opener(opener)
    rng = random.Random(options.seed)
    start = int(time.time()) // 60 * 60 - SPAN - 900 if options.ours else 1690000020  # a daemon wants the recent past
    series, directory = make_series(rng, start), tempfile.mkdtemp(prefix='promql-peer-')
    process, url = start_prometheus(os.path.abspath(program), directory)
    us = None
    try:
        remote_write(url, series, start)
        if options.ours:
            remote_write(options.ours, series, start)
            time.sleep(2)  # what was acknowledged is in the journal; now let it become readable
            us = Url(options.ours)
        else:
            write_file(os.path.join(directory, 'series.txt'), series)
            us = Command(options.ours_cmd, os.path.join(directory, 'series.txt'))
        return run(Url(url), us, make_cases(rng, start, options.count))
    finally:
        if isinstance(us, Command):
            us.close()
        process.terminate()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)

if __name__ == '__main__':
    sys.exit(main())
