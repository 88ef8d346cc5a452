// send.js URL ENCODING SENDERS RECORDS - sends logs and metrics with the OpenTelemetry SDK, and prints what it heard back.
// ENCODING: proto or json. Each of SENDERS exporters sends RECORDS records at once, gzipped, named <ENCODING>-<sender>.
'use strict';
const api = require('@opentelemetry/api');
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { Resource } = require('@opentelemetry/resources');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { MeterProvider, PeriodicExportingMetricReader, AggregationTemporality } = require('@opentelemetry/sdk-metrics');

const [url, encoding, senders, records] = process.argv.slice(2);
const kind = encoding === 'json' ? 'http' : 'proto';
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${kind}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${kind}`);

const heard = { partial: [], errors: [], retries: 0, logs: 0, metrics: 0 };
const note = (list) => (...words) => list.push(words.map(String).join(' '));
const verbose = (...words) => { if (/retry/i.test(words.join(' '))) heard.retries++; };
api.diag.setLogger({ error: note(heard.errors), warn: note(heard.partial), info: verbose, debug: verbose, verbose }, api.DiagLogLevel.ALL);

// Counts how an exporter's exports ended; code 0 is success.
function counted(exporter, what) {
        const send = exporter.export.bind(exporter);
        exporter.export = (items, done) => send(items, (result) => {
                if (result.code === 0) heard[what]++;
                else heard.errors.push(`${what}: ${result.error}`);
                done(result);
        });
        return exporter;
}

const resource = (sender) => new Resource({ 'service.name': `${encoding}-${sender}`, 'service.instance.id': 'one', 'host.name': 'sdk-host', 'deployment.environment': 'test' });
const start = Date.now() - 60000;

async function sendLogs(sender) {
        const exporter = counted(new OTLPLogExporter({ url: url + '/v1/logs', compression: 'gzip', timeoutMillis: 30000 }), 'logs');
        const provider = new LoggerProvider({ resource: resource(sender) });
        provider.addLogRecordProcessor(new BatchLogRecordProcessor(exporter, { maxExportBatchSize: 500, maxQueueSize: 100000, exportTimeoutMillis: 30000 }));
        const logger = provider.getLogger('peers');
        for (let n = 0; n < records; n++)
                logger.emit({ timestamp: new Date(start + n), severityNumber: SeverityNumber.WARN, severityText: 'WARN', body: `record n=${n} grüßt "quoted" \t tab`,
                        attributes: { order: n, paid: n % 2 === 0, where: 'shop', price: n / 4 } });
        await provider.forceFlush();
        await provider.shutdown();
}

async function sendMetrics(sender) {
        const exporter = counted(new OTLPMetricExporter({ url: url + '/v1/metrics', compression: 'gzip', timeoutMillis: 30000,
                temporalityPreference: AggregationTemporality.CUMULATIVE }), 'metrics');
        const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000, exportTimeoutMillis: 30000 });
        const provider = new MeterProvider({ resource: resource(sender), readers: [reader] });
        const meter = provider.getMeter('peers');
        const orders = meter.createCounter('shop.orders', { unit: '1' });
        const bytes = meter.createCounter('shop.sent', { unit: 'By' });
        const latency = meter.createHistogram('shop.latency', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 0.5, 1, 5] } });
        meter.createObservableGauge('shop.temperature').addCallback((result) => result.observe(21.375, { room: 'cold "one"' }));
        const stock = meter.createUpDownCounter('shop.stock');
        for (let n = 1; n <= 100; n++) {
                orders.add(1, { code: n % 4 ? '200' : '500' });
                bytes.add(n * 1.5);
                latency.record(n / 50);
                stock.add(n % 3 ? 2 : -1);
        }
        await provider.forceFlush();
        await provider.shutdown();
}

async function sendDelta() {
        const exporter = new OTLPMetricExporter({ url: url + '/v1/metrics', temporalityPreference: AggregationTemporality.DELTA });
        const provider = new MeterProvider({ resource: resource('delta'), readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000 })] });
        const meter = provider.getMeter('peers');
        meter.createCounter('delta.orders').add(1);
        meter.createObservableGauge('delta.kept').addCallback((result) => result.observe(7));
        await provider.forceFlush();
        await provider.shutdown();
}

(async () => {
        await Promise.all([...Array(Number(senders)).keys()].flatMap((sender) => [sendLogs(sender), sendMetrics(sender)]));
        await sendDelta();
        console.log(JSON.stringify(heard));
})();
