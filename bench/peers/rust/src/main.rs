//! Peers from crates.io, measured by the rules of bench/measure.h: opentelemetry_sdk (the OpenTelemetry SDK for Rust),
//! prometheus, fastrace and hdrhistogram. Exporters do nothing; spans and logs come in bursts that fit the queue.

mod measure;

use measure::{order, values, Bench};
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry::KeyValue;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{self, LogBatch, LogExporter, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, ManualReader, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::{self, Sampler, SdkTracerProvider, SpanData, SpanExporter};
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const OTEL: &str = "opentelemetry_sdk (Rust)";
const OTEL_BOUND: &str = "opentelemetry_sdk bound (Rust)";
const PROMETHEUS: &str = "prometheus (Rust)";
const FASTRACE: &str = "fastrace (Rust)";
const HDR: &str = "hdrhistogram (Rust)";
const QUEUE: usize = 262_144;
const BURST: u64 = 20_000;
const BOUNDS: [f64; 15] =
    [0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0];
const NOTHING: &dyn Fn() = &|| {};

static EXPORTED: AtomicU64 = AtomicU64::new(0);

/// State that each thread touches only at its own index.
struct PerThread<T>(Vec<UnsafeCell<T>>);
unsafe impl<T> Sync for PerThread<T> {}
impl<T> PerThread<T> {
    #[allow(clippy::mut_from_ref)]
    fn get(&self, thread: usize) -> &mut T {
        unsafe { &mut *self.0[thread].get() }
    }
}

fn attributes() -> [KeyValue; 3] {
    [
        KeyValue::new("http.route", "/cart"),
        KeyValue::new("http.response.status_code", 200),
        KeyValue::new("http.request.method", "GET"),
    ]
}

fn report_drops(name: &str, recorded: u64) {
    let exported = EXPORTED.swap(0, Ordering::SeqCst);
    if recorded != exported {
        eprintln!("{name}: recorded {recorded}, exported {exported}");
    }
}

// ---- opentelemetry_sdk: metrics ----

fn otel_meters() -> SdkMeterProvider {
    SdkMeterProvider::builder()
        .with_reader(ManualReader::builder().build())
        .with_view(|i: &Instrument| {
            (i.name() == "many").then(|| Stream::builder().with_cardinality_limit(5000).build().unwrap())
        })
        .with_view(|i: &Instrument| {
            (i.name() == "latency").then(|| {
                let a = Aggregation::ExplicitBucketHistogram { boundaries: BOUNDS.to_vec(), record_min_max: true };
                Stream::builder().with_aggregation(a).build().unwrap()
            })
        })
        .build()
}

fn otel_metrics(b: &Bench) {
    let provider = otel_meters();
    let meter = provider.meter("bench");
    let counter = meter.u64_counter("plain").build();
    let bound = counter.bind(&attributes());
    let latency = meter.f64_histogram("latency").build();
    let bound_latency = latency.bind(&attributes());
    let gauge = meter.f64_gauge("level").build();
    let many = meter.u64_counter("many").build();
    let values = values();
    for t in [1, 4] {
        b.run("counter.add", OTEL, t, 0, NOTHING, |_, n| {
            for _ in 0..n {
                counter.add(1, &[])
            }
        });
        b.run("counter.add.bound", OTEL_BOUND, t, 0, NOTHING, |_, n| {
            for _ in 0..n {
                bound.add(1)
            }
        });
        b.run("counter.add.3attrs", OTEL, t, 0, NOTHING, |_, n| {
            for _ in 0..n {
                counter.add(1, &attributes())
            }
        });
        b.run("histogram.record", OTEL, t, 0, NOTHING, |_, n| {
            for i in 0..n {
                latency.record(values[i as usize & 4095], &[])
            }
        });
        b.run("histogram.record", OTEL_BOUND, t, 0, NOTHING, |_, n| {
            for i in 0..n {
                bound_latency.record(values[i as usize & 4095])
            }
        });
    }
    b.run("gauge.set", OTEL, 1, 0, NOTHING, |_, n| {
        for i in 0..n {
            gauge.record(i as f64, &[])
        }
    });
    let order = order();
    let routes: Vec<&'static str> = (0..16).map(|i| &*format!("/api/items/{i:02}").leak()).collect();
    let hosts: Vec<&'static str> = (0..16).map(|i| &*format!("host-{i:02}.zone-a").leak()).collect();
    let codes: Vec<&'static str> = (0..16).map(|i| &*format!("{}", 200 + i).leak()).collect();
    b.run("counter.add.4096series", OTEL, 1, 0, NOTHING, |_, n| {
        for i in 0..n {
            let k = order[i as usize & 4095] as usize;
            many.add(
                1,
                &[
                    KeyValue::new("http.route", routes[k & 15]),
                    KeyValue::new("http.response.status_code", codes[(k >> 4) & 15]),
                    KeyValue::new("server.address", hosts[k >> 8]),
                ],
            );
        }
    });
}

// ---- opentelemetry_sdk: spans ----

#[derive(Debug)]
struct NoExport;
impl SpanExporter for NoExport {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        EXPORTED.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}
impl LogExporter for NoExport {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        EXPORTED.fetch_add(batch.iter().count() as u64, Ordering::Relaxed);
        Ok(())
    }
}

fn otel_spans(b: &Bench) {
    let config = trace::BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_scheduled_delay(Duration::from_secs(3600))
        .build();
    let processor = trace::BatchSpanProcessor::builder(NoExport).with_batch_config(config).build();
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    let tracer = provider.tracer("bench");
    let flush = || {
        let _ = provider.force_flush();
    };
    for t in [1, 4] {
        let n = b.run("span.0attrs", OTEL, t, BURST, &flush, |_, n| {
            for _ in 0..n {
                tracer.start("work").end()
            }
        });
        report_drops("otel span", n);
        let n = b.run("span.3attrs", OTEL, t, BURST, &flush, |_, n| {
            for _ in 0..n {
                let mut s = tracer.start("work");
                for a in attributes() {
                    s.set_attribute(a)
                }
                s.end();
            }
        });
        report_drops("otel span with 3 attributes", n);
    }
    let n = b.run("span.scoped", OTEL, 1, BURST, &flush, |_, n| {
        for _ in 0..n {
            tracer.in_span("work", |_| ())
        }
    });
    report_drops("otel span in scope", n);
    let _ = provider.shutdown();
    let never = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).with_simple_exporter(NoExport).build();
    let tracer = never.tracer("bench");
    b.run("span.notsampled", OTEL, 1, 0, NOTHING, |_, n| {
        for _ in 0..n {
            black_box(tracer.start("work")).end()
        }
    });
    let absent = opentelemetry::trace::noop::NoopTracer::new();
    b.run("span.uninit", OTEL, 1, 0, NOTHING, |_, n| {
        for _ in 0..n {
            black_box(absent.start("work")).end()
        }
    });
    let meter = opentelemetry::global::meter("bench");
    let counter = meter.u64_counter("absent").build();
    b.run("counter.uninit", OTEL, 1, 0, NOTHING, |_, n| {
        for _ in 0..n {
            counter.add(1, &[])
        }
    });
}

// ---- opentelemetry_sdk: logs ----

fn otel_logs(b: &Bench) {
    let config = logs::BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_scheduled_delay(Duration::from_secs(3600))
        .build();
    let processor = logs::BatchLogProcessor::builder(NoExport).with_batch_config(config).build();
    let provider = SdkLoggerProvider::builder().with_log_processor(processor).build();
    let logger = provider.logger("bench");
    let flush = || {
        let _ = provider.force_flush();
    };
    for t in [1, 4] {
        let n = b.run("log.static", OTEL, t, BURST, &flush, |_, n| {
            for _ in 0..n {
                let mut r = logger.create_log_record();
                r.set_severity_number(Severity::Info);
                r.set_body(AnyValue::from("order placed and confirmed today"));
                logger.emit(r);
            }
        });
        report_drops("otel log", n);
        let n = b.run("log.3attrs", OTEL, t, BURST, &flush, |_, n| {
            for _ in 0..n {
                let mut r = logger.create_log_record();
                r.set_severity_number(Severity::Info);
                r.set_body(AnyValue::from("order placed and confirmed today"));
                r.add_attribute("http.route", "/cart");
                r.add_attribute("http.response.status_code", 200);
                r.add_attribute("http.request.method", "GET");
                logger.emit(r);
            }
        });
        report_drops("otel log with 3 attributes", n);
    }
    let n = b.run("log.format", OTEL, 1, BURST, &flush, |_, n| {
        for i in 0..n {
            let mut r = logger.create_log_record();
            r.set_severity_number(Severity::Info);
            r.set_body(AnyValue::from(format!("cart {} has {} items", "basket", i)));
            logger.emit(r);
        }
    });
    report_drops("otel formatted log", n);
    let _ = provider.shutdown();
}

// ---- opentelemetry-proto: OTLP JSON of finished spans ----

#[derive(Debug)]
struct Keep;
static KEPT: Mutex<Vec<SpanData>> = Mutex::new(Vec::new());
impl SpanExporter for Keep {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        KEPT.lock().unwrap().append(&mut batch);
        Ok(())
    }
}

fn otlp_json(b: &Bench) {
    use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
    use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
    if !b.wants("otlp.json.span") {
        return;
    }
    let provider = SdkTracerProvider::builder().with_simple_exporter(Keep).build();
    let tracer = provider.tracer("bench");
    for i in 0..512 {
        let mut s = tracer.start("GET /cart");
        s.set_attribute(KeyValue::new("http.route", format!("/api/items/{:02}", i % 16)));
        s.set_attribute(KeyValue::new("http.response.status_code", 200 + i % 16));
        s.set_attribute(KeyValue::new("http.request.method", "GET"));
        s.end();
    }
    let spans = std::mem::take(&mut *KEPT.lock().unwrap());
    let resource = ResourceAttributesWithSchema::default();
    let mut out = Vec::with_capacity(1 << 20);
    b.each(
        "otlp.json.span",
        "ns",
        "opentelemetry-proto, serde_json (Rust)",
        b.reps.max(101),
        1.0 / 512.0,
        || {
            let batch = spans.clone();
            out.clear();
            let begin = Instant::now();
            let groups = group_spans_by_resource_and_scope(batch, &resource);
            serde_json::to_writer(&mut out, &groups).unwrap();
            begin.elapsed().as_nanos() as u64
        },
    );
    let size = out.len() as f64 / 512.0;
    measure::print("otlp.json.span.bytes", "B", "opentelemetry-proto, serde_json (Rust)", &mut [size]);
}

// ---- prometheus ----

fn prometheus_metrics(b: &Bench) {
    use prometheus::core::{AtomicU64, GenericCounter, GenericCounterVec};
    let counter = GenericCounter::<AtomicU64>::new("plain", "help").unwrap();
    let opts = prometheus::Opts::new("labelled", "help");
    let family = GenericCounterVec::<AtomicU64>::new(opts, &["route", "code", "method"]).unwrap();
    let bound = family.with_label_values(&["/cart", "200", "GET"]);
    let histogram =
        prometheus::Histogram::with_opts(prometheus::HistogramOpts::new("latency", "help").buckets(BOUNDS.to_vec()))
            .unwrap();
    let gauge = prometheus::Gauge::new("level", "help").unwrap();
    let values = values();
    for t in [1, 4] {
        b.run("counter.add", PROMETHEUS, t, 0, NOTHING, |_, n| {
            for _ in 0..n {
                counter.inc()
            }
        });
        b.run("counter.add.bound", PROMETHEUS, t, 0, NOTHING, |_, n| {
            for _ in 0..n {
                bound.inc()
            }
        });
        b.run("counter.add.3attrs", PROMETHEUS, t, 0, NOTHING, |_, n| {
            for _ in 0..n {
                family.with_label_values(black_box(&["/cart", "200", "GET"])).inc()
            }
        });
        b.run("histogram.record", PROMETHEUS, t, 0, NOTHING, |_, n| {
            for i in 0..n {
                histogram.observe(values[i as usize & 4095])
            }
        });
    }
    b.run("gauge.set", PROMETHEUS, 1, 0, NOTHING, |_, n| {
        for i in 0..n {
            gauge.set(i as f64)
        }
    });
    let order = order();
    let routes: Vec<String> = (0..16).map(|i| format!("/api/items/{i:02}")).collect();
    let hosts: Vec<String> = (0..16).map(|i| format!("host-{i:02}.zone-a")).collect();
    let codes: Vec<String> = (0..16).map(|i| format!("{}", 200 + i)).collect();
    b.run("counter.add.4096series", PROMETHEUS, 1, 0, NOTHING, |_, n| {
        for i in 0..n {
            let k = order[i as usize & 4095] as usize;
            family.with_label_values(&[&routes[k & 15], &codes[(k >> 4) & 15], &hosts[k >> 8]]).inc();
        }
    });
}

fn prometheus_scrape(b: &Bench) {
    if !b.wants("prometheus.100k") && !b.wants("series.create") {
        return;
    }
    let registry = prometheus::Registry::new();
    let mut create = Vec::new();
    for i in 0..50 {
        let opts = prometheus::Opts::new(format!("bench_series_{i:02}_total"), "help");
        let family =
            prometheus::IntCounterVec::new(opts, &["http_route", "http_response_status_code", "server_address"])
                .unwrap();
        let labels: Vec<[String; 3]> = (0..2000)
            .map(|k| {
                [format!("/api/items/{:04}", k), format!("{}", 200 + k % 16), format!("host-{:02}.zone-a", k % 50)]
            })
            .collect();
        let begin = Instant::now();
        for (k, l) in labels.iter().enumerate() {
            family.with_label_values(&[&l[0], &l[1], &l[2]]).inc_by(k as u64 * 977);
        }
        create.push(begin.elapsed().as_nanos() as f64 / 2000.0);
        registry.register(Box::new(family)).unwrap();
    }
    measure::print("series.create", "ns", PROMETHEUS, &mut create);
    let mut text = String::with_capacity(16 << 20);
    let mut first = None;
    let mut scrape = || {
        text.clear();
        let begin = Instant::now();
        prometheus::TextEncoder::new().encode_utf8(&registry.gather(), &mut text).unwrap();
        let ns = begin.elapsed().as_nanos() as u64;
        first.get_or_insert(ns);
        ns
    };
    scrape();
    b.each("prometheus.100k", "ms", PROMETHEUS, 9, 1e-6, scrape);
    measure::print("prometheus.100k.first", "ms", PROMETHEUS, &mut [first.unwrap() as f64 * 1e-6]);
}

// ---- fastrace ----

struct NoReport;
impl fastrace::collector::Reporter for NoReport {
    fn report(&mut self, spans: Vec<fastrace::collector::SpanRecord>) {
        EXPORTED.fetch_add(spans.len() as u64, Ordering::Relaxed);
    }
}

/// Its best form: the children of one local root, collected when the root ends; the root's cost is spread over the
/// burst.
fn fastrace_spans(b: &Bench) {
    use fastrace::prelude::*;
    fastrace::set_reporter(
        NoReport,
        fastrace::collector::Config::default().report_interval(Duration::from_secs(3600)),
    );
    const LOCAL_BURST: u64 = 1000;
    for t in [1, 4] {
        let n = b.run("span.0attrs", FASTRACE, t, LOCAL_BURST, &fastrace::flush, |_, n| {
            let root = Span::root("root", SpanContext::random());
            let _guard = root.set_local_parent();
            for _ in 0..n {
                drop(LocalSpan::enter_with_local_parent("work"))
            }
        });
        report_drops("fastrace span", n + n / LOCAL_BURST);
        let n = b.run("span.3attrs", FASTRACE, t, LOCAL_BURST, &fastrace::flush, |_, n| {
            let root = Span::root("root", SpanContext::random());
            let _guard = root.set_local_parent();
            for _ in 0..n {
                drop(LocalSpan::enter_with_local_parent("work").with_properties(|| {
                    [("http.route", "/cart"), ("http.response.status_code", "200"), ("http.request.method", "GET")]
                }))
            }
        });
        report_drops("fastrace span with 3 attributes", n + n / LOCAL_BURST);
    }
    b.run("span.notsampled", FASTRACE, 1, LOCAL_BURST, NOTHING, |_, n| {
        let root = Span::root("root", SpanContext::random().sampled(false));
        let _guard = root.set_local_parent();
        for _ in 0..n {
            drop(LocalSpan::enter_with_local_parent("work"))
        }
    });
    b.run("span.disabled", FASTRACE, 1, 0, NOTHING, |_, n| {
        for _ in 0..n {
            drop(LocalSpan::enter_with_local_parent("work"))
        }
    });
}

// ---- hdrhistogram: one owner, and a recorder per thread of one synchronised histogram ----

fn hdr(b: &Bench) {
    let values: Vec<u64> = values().iter().map(|&v| v as u64).collect();
    let own =
        PerThread(vec![UnsafeCell::new(hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << 20, 3).unwrap())]);
    b.run("histogram.record", "hdrhistogram, one thread only (Rust)", 1, 0, NOTHING, |t, n| {
        let h = own.get(t);
        for i in 0..n {
            h.record(values[i as usize & 4095]).unwrap()
        }
    });
    let shared: hdrhistogram::SyncHistogram<u64> =
        hdrhistogram::Histogram::new_with_bounds(1, 1 << 20, 3).unwrap().into();
    let recorders = PerThread((0..measure::THREADS).map(|_| UnsafeCell::new(shared.recorder())).collect());
    for t in [1, 4] {
        b.run("histogram.record", HDR, t, 0, NOTHING, |t, n| {
            let h = recorders.get(t);
            for i in 0..n {
                h.record(values[i as usize & 4095]).unwrap()
            }
        });
    }
}

/// What one span, one log record and two metrics of the SDK add to this process after main has begun; favours the
/// peer, whose code and static data partly are there before.
fn memory() {
    let before = measure::resident();
    let spans = SdkTracerProvider::builder().with_batch_exporter(NoExport).build();
    let logs = SdkLoggerProvider::builder().with_batch_exporter(NoExport).build();
    let meters = otel_meters();
    let meter = meters.meter("shop");
    let counter = meter.u64_counter("orders").build();
    let histogram = meter.f64_histogram("latency").build();
    let (tracer, logger) = (spans.tracer("shop"), logs.logger("shop"));
    tracer.in_span("checkout", |_| {
        counter.add(1, &[]);
        histogram.record(0.012, &[]);
        let mut r = logger.create_log_record();
        r.set_body(AnyValue::from(format!("order {} placed", 42)));
        logger.emit(r);
    });
    let _ = (spans.force_flush(), logs.force_flush());
    measure::print(
        "memory.quickstart",
        "MB",
        "opentelemetry_sdk, no exporter, above main (Rust)",
        &mut [measure::resident() - before],
    );
}

fn main() {
    let b = Bench::new();
    if b.memory {
        return memory();
    }
    otel_metrics(&b);
    prometheus_metrics(&b);
    hdr(&b);
    otel_spans(&b);
    otel_logs(&b);
    otlp_json(&b);
    prometheus_scrape(&b);
    fastrace_spans(&b);
}
