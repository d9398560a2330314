// The service of hop.c with OpenTelemetry Go: prints its port, ends with its input.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var (
	propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	tracer     = sdk.NewTracerProvider().Tracer("neighbour")
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func hop(w http.ResponseWriter, r *http.Request) {
	name, via := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], r.URL.Query().Get("via")
	remote := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	came := trace.SpanContextFromContext(remote)
	ctx, span := tracer.Start(remote, name, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	own := span.SpanContext()
	if via != "" {
		onward := trace.ContextWithSpanContext(ctx, own.WithTraceState(must(own.TraceState().Insert(name, "1"))))
		member := must(baggage.NewMemberRaw(name, "café, a=b; 100%+1", must(baggage.NewKeyValueProperty("unit", "percent"))))
		onward = baggage.ContextWithBaggage(onward, must(baggage.FromContext(ctx).SetMember(member)))
		first, rest, _ := strings.Cut(via, ",")
		port, next, _ := strings.Cut(first, "/")
		request := must(http.NewRequestWithContext(onward, "GET", "http://127.0.0.1:"+port+"/hop/"+next+"?via="+rest, nil))
		propagator.Inject(onward, propagation.HeaderCarrier(request.Header))
		answer := must(http.DefaultClient.Do(request))
		_, _ = io.Copy(w, answer.Body)
		_ = answer.Body.Close()
	}
	entries := map[string]string{}
	for _, m := range baggage.FromContext(remote).Members() {
		entries[m.Key()] = m.Value()
		for _, p := range m.Properties() {
			entries[m.Key()] += ";" + p.String()
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "trace": own.TraceID().String(), "span": own.SpanID().String(),
		"parent": came.SpanID().String(), "sampled": own.IsSampled(), "tracestate": came.TraceState().String(), "baggage": entries})
}

func main() {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	http.HandleFunc("/hop/", hop)
	go func() { _ = http.Serve(listener, nil) }()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	_, _ = io.Copy(io.Discard, os.Stdin)
}
