// Peers from the Go module system, measured by the rules of bench/measure.h: the OpenTelemetry SDK for Go and
// client_golang. Exporters do nothing; spans and logs come in bursts that fit the queue.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sys/unix"
)

const (
	otelLabel   = "OpenTelemetry SDK (Go)"
	clientLabel = "client_golang (Go)"
	threadsMax  = 4
	repNs       = 3_000_000
	rep4Ns      = 1_000_000
	roundNs     = 100_000
	lateNs      = 1000
	spoiltNs    = 4_000_000_000
	queue       = 262144
	burst       = 20000
)

var (
	reps     = flag.Int("reps", 21, "repetitions of each figure")
	only     = flag.String("only", "", "figures whose name starts so")
	onlyMem  = flag.Bool("memory", false, "the memory of a quickstart only")
	_        = flag.Bool("tsv", true, "print tab separated values (always)")
	cpus     []int
	exported atomic.Uint64
	bounds   = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}
)

func setup() {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		for c := 0; c < 1024 && len(cpus) < threadsMax; c++ {
			if set.IsSet(c) {
				cpus = append(cpus, c)
			}
		}
	}
}

func pin(index int) {
	if index >= 0 && index < len(cpus) {
		var set unix.CPUSet
		set.Set(cpus[index])
		_ = unix.SchedSetaffinity(0, &set)
	}
}

func unpin() {
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	_ = unix.SchedSetaffinity(0, &set)
}

func print(name, unit, label string, values []float64) {
	sort.Float64s(values)
	low, median := values[0], values[len(values)/2]
	fmt.Printf("%s\t%.3f\t%s\t-\t%s\t%.3f\n", name, low, unit, label, low)
	fmt.Printf("%s.median\t%.3f\t%s\t-\t%s\t%.3f\n", name, median, unit, label, median)
}

func preemptions() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return u.Nivcsw
}

func cpuNs() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return t.Nano()
}

var origin = time.Now()

func now() int64 { return int64(time.Since(origin)) }

// Runs body on `threads` locked and pinned threads; returns the operations run in all. between runs outside the
// timed part.
func run(name, label string, threads int, perRound uint64, between func(), body func(thread int, n uint64)) uint64 {
	name = fmt.Sprintf("%s.%dt", name, threads)
	if !strings.HasPrefix(name, *only) {
		return 0
	}
	var round, done, lost atomic.Uint32
	var leader int64
	var stop atomic.Bool
	var start atomic.Int64
	var count, operations uint64
	var ends [threadsMax * 16]int64
	var group sync.WaitGroup
	work := func(thread int) {
		before := preemptions()
		s := start.Load()
		begin := now()
		for begin < s {
			begin = now()
		}
		body(thread, count)
		ends[thread*16] = now()
		if begin > s+lateNs || preemptions() != before {
			lost.Add(1)
		}
	}
	runtime.LockOSThread()
	if threads > 1 {
		pin(0)
	} else {
		pin(len(cpus) - 1)
	}
	for thread := 1; thread < threads; thread++ {
		group.Add(1)
		go func() {
			runtime.LockOSThread()
			pin(thread)
			defer group.Done()
			for seen := uint32(0); ; {
				r := round.Load()
				if r == seen {
					continue
				}
				if stop.Load() {
					unpin()
					return
				}
				seen = r
				work(thread)
				done.Add(1)
			}
		}()
	}
	oneRound := func(ops uint64) int64 {
		count = ops
		done.Store(0)
		lost.Store(0)
		cpu := cpuNs()
		s := now() + 3000
		start.Store(s)
		round.Add(1)
		work(0)
		leader = cpuNs() - cpu
		for done.Load() != uint32(threads-1) {
		}
		last := s + 1
		for t := 0; t < threads; t++ {
			last = max(last, ends[t*16])
		}
		if between != nil {
			between()
		}
		operations += ops * uint64(threads)
		return last - s
	}
	rounds, ops, wish, rep := int64(1), uint64(64), int64(repNs), int64(repNs)
	if perRound != 0 {
		ops = perRound
	}
	if threads > 1 {
		wish, rep = roundNs, rep4Ns
	}
	for oneRound(ops); ; ops *= 2 {
		if oneRound(ops); perRound != 0 || leader*2 > wish {
			break
		}
	}
	for leader*rounds < rep {
		rounds *= 2
	}
	var values []float64
	patience := int64(spoiltNs)
	for len(values) < *reps {
		total := int64(0)
		for good := int64(0); good < rounds; {
			begin := now()
			ns := oneRound(ops)
			if lost.Load() != 0 && patience > 0 {
				patience -= now() - begin
				continue
			}
			total += ns
			good++
		}
		values = append(values, float64(total)/(float64(rounds)*float64(ops)))
	}
	stop.Store(true)
	round.Add(1)
	group.Wait()
	unpin()
	runtime.UnlockOSThread()
	print(name, "ns", label, values)
	return operations
}

func each(name, unit, label string, n int, scale float64, body func() int64) {
	var values []float64
	runtime.LockOSThread()
	pin(len(cpus) - 1)
	for i := 0; i < n; i++ {
		values = append(values, float64(body())*scale)
	}
	unpin()
	runtime.UnlockOSThread()
	print(name, unit, label, values)
}

func reportDrops(name string, recorded uint64) {
	if e := exported.Swap(0); e != recorded {
		fmt.Fprintf(os.Stderr, "%s: recorded %d, exported %d\n", name, recorded, e)
	}
}

// The generator, the values and the order of series of bench/measure.h.
func random(state *uint64) uint32 {
	*state = *state*6364136223846793005 + 1442695040888963407
	return uint32(*state >> 32)
}

func makeValues() []float64 {
	state := uint64(1)
	v := make([]float64, 4096)
	for i := range v {
		r := random(&state)
		v[i] = math.Ldexp(1+float64(r>>16)/65536, int(r%14))
	}
	return v
}

func makeSeries() (order []uint16, routes, codes, hosts [16]string) {
	state := uint64(2)
	order = make([]uint16, 4096)
	for i := range order {
		order[i] = uint16(i)
	}
	for i := 4095; i > 0; i-- {
		j := random(&state) % uint32(i+1)
		order[i], order[j] = order[j], order[i]
	}
	for i := range 16 {
		routes[i] = fmt.Sprintf("/api/items/%02d", i)
		codes[i] = fmt.Sprintf("%d", 200+i)
		hosts[i] = fmt.Sprintf("host-%02d.zone-a", i)
	}
	return
}

func attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("http.route", "/cart"),
		attribute.Int("http.response.status_code", 200),
		attribute.String("http.request.method", "GET"),
	}
}

func otelMetrics() {
	ctx := context.Background()
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewManualReader()), sdkmetric.WithCardinalityLimit(5000))
	meter := provider.Meter("bench")
	counter, _ := meter.Int64Counter("plain")
	many, _ := meter.Int64Counter("many")
	latency, _ := meter.Float64Histogram("latency", metric.WithExplicitBucketBoundaries(bounds...))
	gauge, _ := meter.Float64Gauge("level")
	values := makeValues()
	set := metric.WithAttributeSet(attribute.NewSet(attributes()...))
	for _, t := range []int{1, 4} {
		run("counter.add", otelLabel, t, 0, nil, func(_ int, n uint64) {
			for range n {
				counter.Add(ctx, 1)
			}
		})
		run("counter.add.bound", otelLabel+", prepared set", t, 0, nil, func(_ int, n uint64) {
			options := []metric.AddOption{set}
			for range n {
				counter.Add(ctx, 1, options...)
			}
		})
		run("counter.add.3attrs", otelLabel, t, 0, nil, func(_ int, n uint64) {
			for range n {
				counter.Add(ctx, 1, metric.WithAttributes(attributes()...))
			}
		})
		run("histogram.record", otelLabel, t, 0, nil, func(_ int, n uint64) {
			for i := range n {
				latency.Record(ctx, values[i&4095])
			}
		})
	}
	run("gauge.set", otelLabel, 1, 0, nil, func(_ int, n uint64) {
		for i := range n {
			gauge.Record(ctx, float64(i))
		}
	})
	order, routes, codes, hosts := makeSeries()
	run("counter.add.4096series", otelLabel, 1, 0, nil, func(_ int, n uint64) {
		for i := range n {
			k := order[i&4095]
			many.Add(ctx, 1, metric.WithAttributes(
				attribute.String("http.route", routes[k&15]),
				attribute.String("http.response.status_code", codes[(k>>4)&15]),
				attribute.String("server.address", hosts[k>>8])))
		}
	})
}

type noSpans struct{}

func (noSpans) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	exported.Add(uint64(len(spans)))
	return nil
}
func (noSpans) Shutdown(context.Context) error { return nil }

type noLogs struct{}

func (noLogs) Export(_ context.Context, records []sdklog.Record) error {
	exported.Add(uint64(len(records)))
	return nil
}
func (noLogs) Shutdown(context.Context) error   { return nil }
func (noLogs) ForceFlush(context.Context) error { return nil }

func otelSpans() {
	ctx := context.Background()
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(noSpans{}, sdktrace.WithMaxQueueSize(queue), sdktrace.WithBatchTimeout(time.Hour)))
	tracer := provider.Tracer("bench")
	flush := func() { _ = provider.ForceFlush(ctx) }
	for _, t := range []int{1, 4} {
		reportDrops("otel span", run("span.0attrs", otelLabel, t, burst, flush, func(_ int, n uint64) {
			for range n {
				_, s := tracer.Start(ctx, "work")
				s.End()
			}
		}))
		reportDrops("otel span with 3 attributes", run("span.3attrs", otelLabel, t, burst, flush, func(_ int, n uint64) {
			for range n {
				_, s := tracer.Start(ctx, "work")
				s.SetAttributes(attributes()...)
				s.End()
			}
		}))
	}
	_ = provider.Shutdown(ctx)
	off := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()), sdktrace.WithBatcher(noSpans{}))
	never := off.Tracer("bench")
	absent := noop.NewTracerProvider().Tracer("bench")
	run("span.notsampled", otelLabel, 1, 0, nil, func(_ int, n uint64) {
		for range n {
			_, s := never.Start(ctx, "work")
			s.End()
		}
	})
	run("span.uninit", otelLabel, 1, 0, nil, func(_ int, n uint64) {
		for range n {
			_, s := absent.Start(ctx, "work")
			s.End()
		}
	})
}

func otelLogs() {
	ctx := context.Background()
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(
		sdklog.NewBatchProcessor(noLogs{}, sdklog.WithMaxQueueSize(queue), sdklog.WithExportInterval(time.Hour))))
	logger := provider.Logger("bench")
	flush := func() { _ = provider.ForceFlush(ctx) }
	for _, t := range []int{1, 4} {
		reportDrops("otel log", run("log.static", otelLabel, t, burst, flush, func(_ int, n uint64) {
			for range n {
				var r log.Record
				r.SetSeverity(log.SeverityInfo)
				r.SetBody(attribute.StringValue("order placed and confirmed today"))
				logger.Emit(ctx, r)
			}
		}))
		reportDrops("otel log with 3 attributes", run("log.3attrs", otelLabel, t, burst, flush, func(_ int, n uint64) {
			for range n {
				var r log.Record
				r.SetSeverity(log.SeverityInfo)
				r.SetBody(attribute.StringValue("order placed and confirmed today"))
				r.AddAttributes(attributes()...)
				logger.Emit(ctx, r)
			}
		}))
	}
	reportDrops("otel formatted log", run("log.format", otelLabel, 1, burst, flush, func(_ int, n uint64) {
		for i := range n {
			var r log.Record
			r.SetSeverity(log.SeverityInfo)
			r.SetBody(attribute.StringValue(fmt.Sprintf("cart %s has %d items", "basket", i)))
			logger.Emit(ctx, r)
		}
	}))
}

// Only the encoding of ready-made messages: the Collector's own JSON marshaler.
func otlpJSON() {
	if !strings.HasPrefix("otlp.json.span", *only) {
		return
	}
	traces := ptrace.NewTraces()
	scope := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	begin := time.Now()
	for i := range 512 {
		s := scope.Spans().AppendEmpty()
		s.SetName("GET /cart")
		s.SetKind(ptrace.SpanKindServer)
		s.SetTraceID(pcommon.TraceID{byte(i), 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
		s.SetSpanID(pcommon.SpanID{byte(i), 2, 3, 4, 5, 6, 7, 8})
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(begin))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(begin.Add(time.Duration(i) * time.Microsecond)))
		s.Attributes().PutStr("http.route", fmt.Sprintf("/api/items/%02d", i%16))
		s.Attributes().PutInt("http.response.status_code", int64(200+i%16))
		s.Attributes().PutStr("http.request.method", "GET")
	}
	var marshaler ptrace.JSONMarshaler
	size := 0
	label := "Collector pdata (Go)"
	each("otlp.json.span", "ns", label, max(*reps, 101), 1.0/512, func() int64 {
		begin := time.Now()
		out, err := marshaler.MarshalTraces(traces)
		if err != nil {
			panic(err)
		}
		size = len(out)
		return int64(time.Since(begin))
	})
	print("otlp.json.span.bytes", "B", label, []float64{float64(size) / 512})
}

func clientMetrics() {
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "plain", Help: "help"})
	labels := []string{"route", "code", "method"}
	family := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "labelled", Help: "help"}, labels)
	bound := family.WithLabelValues("/cart", "200", "GET")
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "latency", Help: "help", Buckets: bounds})
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "level", Help: "help"})
	values := makeValues()
	for _, t := range []int{1, 4} {
		run("counter.add", clientLabel, t, 0, nil, func(_ int, n uint64) {
			for range n {
				counter.Inc()
			}
		})
		run("counter.add.bound", clientLabel, t, 0, nil, func(_ int, n uint64) {
			for range n {
				bound.Inc()
			}
		})
		run("counter.add.3attrs", clientLabel, t, 0, nil, func(_ int, n uint64) {
			for range n {
				family.WithLabelValues("/cart", "200", "GET").Inc()
			}
		})
		run("histogram.record", clientLabel, t, 0, nil, func(_ int, n uint64) {
			for i := range n {
				histogram.Observe(values[i&4095])
			}
		})
	}
	run("gauge.set", clientLabel, 1, 0, nil, func(_ int, n uint64) {
		for i := range n {
			gauge.Set(float64(i))
		}
	})
	order, routes, codes, hosts := makeSeries()
	run("counter.add.4096series", clientLabel, 1, 0, nil, func(_ int, n uint64) {
		for i := range n {
			k := order[i&4095]
			family.WithLabelValues(routes[k&15], codes[(k>>4)&15], hosts[k>>8]).Inc()
		}
	})
}

func clientScrape() {
	if !strings.HasPrefix("prometheus.100k", *only) && !strings.HasPrefix("series.create", *only) {
		return
	}
	registry := prometheus.NewRegistry()
	var create []float64
	for i := range 50 {
		family := prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: fmt.Sprintf("bench_series_%02d_total", i), Help: "help"},
			[]string{"http_route", "http_response_status_code", "server_address"})
		var labels [2000][3]string
		for k := range labels {
			labels[k] = [3]string{
				fmt.Sprintf("/api/items/%04d", k), fmt.Sprint(200 + k%16), fmt.Sprintf("host-%02d.zone-a", k%50)}
		}
		begin := time.Now()
		for k := range labels {
			family.WithLabelValues(labels[k][0], labels[k][1], labels[k][2]).Add(float64(k * 977))
		}
		create = append(create, float64(time.Since(begin))/2000)
		registry.MustRegister(family)
	}
	print("series.create", "ns", clientLabel, create)
	var out bytes.Buffer
	out.Grow(16 << 20)
	first := int64(0)
	scrape := func() int64 {
		out.Reset()
		begin := time.Now()
		families, _ := registry.Gather()
		encoder := expfmt.NewEncoder(&out, expfmt.NewFormat(expfmt.TypeTextPlain))
		for _, f := range families {
			_ = encoder.Encode(f)
		}
		ns := int64(time.Since(begin))
		if first == 0 {
			first = ns
		}
		return ns
	}
	scrape()
	each("prometheus.100k", "ms", clientLabel, 9, 1e-6, scrape)
	print("prometheus.100k.first", "ms", clientLabel, []float64{float64(first) * 1e-6})
}

func resident() float64 {
	text, _ := os.ReadFile("/proc/self/smaps_rollup")
	for _, line := range strings.Split(string(text), "\n") {
		var kib float64
		if n, _ := fmt.Sscanf(line, "Rss: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return math.NaN()
}

// What one span, one log record and two metrics of the SDK add to this process after main has begun; favours the peer,
// whose runtime is there before.
func memory() {
	before := resident()
	ctx := context.Background()
	spans := sdktrace.NewTracerProvider(sdktrace.WithBatcher(noSpans{}))
	logs := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(noLogs{})))
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("shop")
	counter, _ := meter.Int64Counter("orders")
	histogram, _ := meter.Float64Histogram("latency")
	ctx, span := spans.Tracer("shop").Start(ctx, "checkout")
	counter.Add(ctx, 1)
	histogram.Record(ctx, 0.012)
	var r log.Record
	r.SetBody(attribute.StringValue(fmt.Sprintf("order %d placed", 42)))
	logs.Logger("shop").Emit(ctx, r)
	span.End()
	_ = spans.ForceFlush(ctx)
	_ = logs.ForceFlush(ctx)
	print("memory.quickstart", "MB", otelLabel+", no exporter, above main", []float64{resident() - before})
}

func main() {
	flag.Parse()
	if *onlyMem {
		memory()
		return
	}
	*reps = min(max(*reps, 9), 401)
	setup()
	otelMetrics()
	clientMetrics()
	otelSpans()
	otelLogs()
	otlpJSON()
	clientScrape()
}
