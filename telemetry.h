/* telemetry.h -- v0.1.0 -- metrics, traces and logs for C and C++ programs; public domain or MIT-0

   One file, no dependencies but the C library and threads. Your program records counters, gauges,
   histograms, spans and logs in nanoseconds; a background thread delivers them to an OpenTelemetry
   Collector (OTLP/HTTP JSON), lets Prometheus scrape them, or hands them to a callback of yours.

   DO THIS
       1. Copy this file into your project.
       2. In exactly ONE C or C++ file:        #define TELEMETRY_IMPLEMENTATION
                                               #include "telemetry.h"
          and in all others just:              #include "telemetry.h"
       3. Link with threads:                   cc app.c -pthread

   QUICKSTART (complete; examples/quickstart.c is the longer one)
       #define TELEMETRY_IMPLEMENTATION
       #include "telemetry.h"

       static tel_counter orders = TEL_INSTRUMENT("shop.orders", "{order}", "Orders placed");

       int main(void) {
           tel_init(&(tel_desc){ .service_name = "shop" });
           TEL_SPAN(span, "checkout") {
               tel_counter_add(&orders, 1);
               tel_span_set(span, tel_int("cart.items", 3));
               tel_logf(TEL_INFO, "order %d placed", 42);
           }
           return tel_shutdown(2000) == TEL_OK ? 0 : 1;
       }
   It speaks OTLP to http://localhost:4318 and obeys the OTEL_* variables. If nobody listens there it says so
   once on stderr, and at the end what was lost; tel_shutdown is not TEL_OK then, and the program is unharmed.
   In C++, where &(tel_desc){ ... } is no C++:   tel_desc d = {}; d.service_name = "shop"; tel_init(&d);

   THE REST IN FIVE STEPS
       Attributes      tel_counter_add_with(&orders, 1, TEL_ATTRS(tel_str("route", "/cart"), tel_int("code", 200)));
       At full speed   tel_counter* ok = tel_counter_bind(&orders, TEL_ATTRS(tel_int("code", 200)));   once
                       tel_counter_add(ok, 1);                                                      any thread
       Durations       static tel_histogram latency = TEL_INSTRUMENT("work.duration", "s", "Time to work");
                       TEL_TIME(&latency) { work(); }
       Prometheus      tel_sink sinks[2]; sinks[0] = tel_sink_otlp(NULL); sinks[1] = tel_sink_prometheus(NULL);
                       tel_init(&(tel_desc){ .service_name = "shop", .sinks = sinks, .sink_count = 2 });
                       and scrape http://localhost:9464/metrics
       Across servers  tel_context caller = tel_extract(&headers);      on the way in
                       TEL_WITH(&caller) { TEL_SPAN(s, "GET /cart") { ... tel_inject(NULL, &out); } }

   SIX RULES THE WHOLE API RESTS ON
       1. Zero is the default. A zeroed struct is a valid one; tel_query_desc() shows what zero became.
       2. Recording returns nothing. It cannot fail, it can only drop; drops are counted (tel_query_stats),
          exported (otel.sdk.* metrics) and said once on stderr.
       3. You own the small things (instruments, spans, contexts: plain structs). The SDK owns the big ones
          (rings, series, queues), bounded by tel_desc.memory_limit. There is nothing for you to free.
       4. One concept per job. A bound counter is a counter; a snapshot is a batch given to a sink; a built-in
          exporter is a tel_sink made by a function.
       5. Borrowed for the call. Every pointer passed in is borrowed until the call returns, every pointer
          passed to a callback until the callback returns. Instruments, scopes and their strings are the
          exception: they live as long as you record with them (normally they are static).
       6. Explicit first, ambient second. tel_span_start_ex with a parent touches no thread state;
          TEL_SPAN, tel_attach and tel_current are a layer above it.

   CAVEATS, BEFORE THEY BITE
       fork      is supported: the child starts with empty rings and queues, counters at zero, new ids and a new
                 service.instance.id; its export thread starts with its first record. The scrape endpoint stays
                 with the parent. Between fork and exec a child should not record.
       exit      tel_shutdown delivers what is left within its timeout. Without it, an atexit hook does the
                 same within 2 s (tel_desc.no_atexit: not). _exit, abort and a crash lose what is in memory.
       signals   no call is promised to be safe in a signal handler yet.
       DLLs      each module that defines TELEMETRY_IMPLEMENTATION has a copy of its own; let a plugin call
                 tel_adopt_instance with the host's tel_get_instance(), and with NULL before it is unloaded.
       threads   a span is used by one thread at a time. Everything else may be used from any thread.
       Windows   the seams are in place, the port is not: it has not been run there.

   CONFIGURATION MACROS (only in the file with the implementation unless said otherwise)
       TELEMETRY_IMPLEMENTATION   make the implementation here
       TELEMETRY_STATIC           all functions static: a private copy for this one file (define before include)
       TELEMETRY_OFF              every call an empty inline function: no code, no data (in every file alike)
       TELEMETRY_CURL             send OTLP through libcurl: https, proxies (link with -lcurl)
       TELEMETRY_ZLIB             gzip request and scrape bodies when asked for (link with -lz)
       TEL_API                    declaration prefix of public functions (default: extern)
       TEL_NO_HTTP                leave out sockets: no OTLP client (but post_fn), no scrape endpoint
       TEL_FORCE_LOCKED_ATOMICS, TEL_FORCE_NO_TICKS, TEL_FORCE_NO_INT128, TEL_FORCE_NO_CLEANUP
                                  take the portable fallback although this machine has better (for tests)

   ENVIRONMENT (read in tel_init, a field set in code wins; tel_desc.ignore_env: not at all)
       OTEL_SDK_DISABLED                       true: tel_init succeeds and nothing is recorded
       OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES      who we are
       OTEL_EXPORTER_OTLP_ENDPOINT             base URL (http://localhost:4318); v1/traces etc. is appended
       OTEL_EXPORTER_OTLP_{TRACES,METRICS,LOGS}_ENDPOINT     full URL, used as it is
       OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _COMPRESSION, _PROTOCOL, each also with _TRACES_, _METRICS_, _LOGS_
       OTEL_BSP_SCHEDULE_DELAY, _MAX_QUEUE_SIZE, _MAX_EXPORT_BATCH_SIZE, _EXPORT_TIMEOUT        spans
       OTEL_BLRP_SCHEDULE_DELAY, _MAX_QUEUE_SIZE, _MAX_EXPORT_BATCH_SIZE, _EXPORT_TIMEOUT       logs
       OTEL_METRIC_EXPORT_INTERVAL, OTEL_METRIC_EXPORT_TIMEOUT
       OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG
       OTEL_EXPORTER_PROMETHEUS_HOST, OTEL_EXPORTER_PROMETHEUS_PORT
       OTEL_LOG_LEVEL                          none, error, warn, info, debug: how much the SDK says of itself
   A value that cannot be read is named in one diagnostic and the default is used.

   THREADS
       call                              from          may block?               allocates?
       tel_init, tel_shutdown            any           shutdown: its timeout    yes
       tel_flush, tel_pump               any           up to the timeout        in the SDK's cap
       add, set, record                  any           no                       first use of an instrument,
       the same with attributes          any           no                       a series or a thread only
       ..._bind                          any           briefly                  yes
       spans, events, attributes, logs   any, a span   no                       first record of a thread only
                                         by one thread
       tel_attach, tel_detach            own context   no                       first use of a thread only
       tel_collect, tel_prometheus_*     any           with another collection  in the SDK's cap
       sink callbacks, observers         called on the export thread, in tel_pump/tel_flush, or (observers)
                                         on the scraping thread; never two at a time for one sink or observer
   The first use takes a mutex that only other first uses, collections and ending threads take. An ending
   thread hands its part over; it leaves nothing behind.

   HOW IT WORKS
       program threads                        export thread                   a worker per network sink
       counter, histogram -> own cell  --.
       gauge              -> shared cell --> collect --.
       span, log          -> own ring  ----> drain  ----> batch of views --> encode --> queue --> send, retry
   Nothing flows back but counts. When a ring or queue is full the newest record is dropped and counted.
   Batches leave by size (512) or by age (spans 5 s, logs 1 s); metrics every 60 s; see the variables.

   CONTENTS (search for the tag: it stands here and at its banner)
       P1  >>version      P2  >>types     P3  >>setup     P4  >>instruments   P5  >>tracing    P6  >>carriers
       P7  >>logging      P8  >>destinations              P9  >>query         P10 >>scopes     P11 >>c++      P12 >>off
     The implementation, in the order in which it can be read; a room calls only rooms above it:
       R01 >>platform     R02 >>atomics   R03 >>threads   R04 >>clock         R05 >>ids        R06 >>memory
       R07 >>text         R08 >>diag      R09 >>attrs     R10 >>ring          R11 >>metrics    R12 >>spans
       R13 >>propagation  R14 >>logs      R15 >>pipeline  R16 >>otlp          R17 >>prometheus R18 >>http
       R19 >>sinks        R20 >>config    R21 >>lifecycle R22 >>api
*/
#ifndef TELEMETRY_H_INCLUDED
#define TELEMETRY_H_INCLUDED 1

#if defined(TELEMETRY_IMPLEMENTATION) && defined(__STRICT_ANSI__) && !defined(_WIN32)
/* -std=c99 hides POSIX unless asked for before the first system header of the file. */
#if !defined(_GNU_SOURCE) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE 1
#endif
#if !defined(_GNU_SOURCE) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#endif

/* The public half needs these four headers and nothing else. */
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdarg.h>

/* ==== P1 >>version ==================================================================================== */

#define TEL_VERSION_MAJOR 0
#define TEL_VERSION_MINOR 1
#define TEL_VERSION_PATCH 0
#define TEL_VERSION ((TEL_VERSION_MAJOR * 10000) + (TEL_VERSION_MINOR * 100) + TEL_VERSION_PATCH)
#define TEL_VERSION_STRING "0.1.0"

#if defined(TELEMETRY_OFF)
#undef TEL_API
#define TEL_API static inline
#endif
#ifndef TEL_API
#if defined(TELEMETRY_STATIC) && (defined(__GNUC__) || defined(__clang__))
#define TEL_API static __attribute__((unused))
#elif defined(TELEMETRY_STATIC)
#define TEL_API static
#else
#define TEL_API extern
#endif
#endif

#if defined(__GNUC__) || defined(__clang__)
#define TEL__PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define TEL__PRINTF(fmt, args)
#endif
/* The sizes of literals cost nothing: the compiler knows them. GCC leaves other strings to be measured where they
   are needed; Clang cannot tell literals apart here and measures them at once. */
#if defined(__clang__)
#define TEL__KEY_SIZE(key) ((key) ? (uint32_t)__builtin_strlen(key) : 0u)
#define TEL__STR_SIZE(s)   ((s) ? __builtin_strlen(s) : (size_t)0)
#elif defined(__GNUC__)
#define TEL__KEY_SIZE(key) ((key) && __builtin_constant_p(__builtin_strlen(key)) ? (uint32_t)__builtin_strlen(key) : 0u)
#define TEL__STR_SIZE(s)   ((s) && __builtin_constant_p(__builtin_strlen(s)) ? __builtin_strlen(s) : SIZE_MAX)
#else
#define TEL__KEY_SIZE(key) 0u
#define TEL__STR_SIZE(s)   SIZE_MAX
#endif

#if defined(__clang__) && defined(__cplusplus)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wreserved-identifier"
#endif

#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

/* ==== P2 >>types ====================================================================================== */

/* Every fallible call returns one of these. 0 is success, failures are negative. No call that records a
   measurement returns a result: recording cannot fail, it can only drop, and drops are counted. */
typedef enum tel_result {
    TEL_OK            =  0,
    TEL_ERR_ARGUMENT  = -1,         /* NULL or a value out of range; a desc that was never zeroed */
    TEL_ERR_STATE     = -2,         /* not initialised, or initialised twice */
    TEL_ERR_MEMORY    = -3,         /* the allocator or memory_limit said no */
    TEL_ERR_LIMIT     = -4,         /* a configured capacity was reached */
    TEL_ERR_TIMEOUT   = -5,
    TEL_ERR_IO        = -6,         /* refused, reset, port taken, no such file */
    TEL_ERR_FORMAT    = -7,         /* malformed input: traceparent, URL, HTTP response */
    TEL_ERR_BUILD     = -8          /* caller and implementation were compiled from different telemetry.h files */
} tel_result;
TEL_API const char* tel_result_string(tel_result r);    /* static text, never NULL; any thread */

/* A borrowed string. data need not be NUL-terminated. size SIZE_MAX: it is NUL-terminated, measure it. */
typedef struct tel_text { const char* data; size_t size; } tel_text;

typedef enum tel_type { TEL_TYPE_NONE, TEL_TYPE_BOOL, TEL_TYPE_INT, TEL_TYPE_DOUBLE, TEL_TYPE_STRING } tel_type;

/* One key and one value. Build with the constructors below; keys and strings are borrowed for the call only.
   A NULL or empty key drops the attribute; a NULL string is "". Invalid UTF-8 is repaired on export (U+FFFD). */
typedef struct tel_attr {
    const char* key;
    tel_type    type;
    uint32_t    tel__key_size;      /* the length of key where the compiler knew it; 0: measure it */
    union { bool b; int64_t i; double d; tel_text s; } as;
} tel_attr;

/* A borrowed list of attributes. Build with TEL_ATTRS(...) or TEL_NOATTRS. A key that comes twice: the last
   one counts (OpenTelemetry common, "Attribute collections"). */
typedef struct tel_attrs { const tel_attr* items; size_t count; } tel_attrs;

static inline tel_attr tel_bool(const char* key, bool v) {
    tel_attr a; a.key = key; a.type = TEL_TYPE_BOOL; a.tel__key_size = TEL__KEY_SIZE(key); a.as.b = v; return a;
}
static inline tel_attr tel_int(const char* key, int64_t v) {
    tel_attr a; a.key = key; a.type = TEL_TYPE_INT; a.tel__key_size = TEL__KEY_SIZE(key); a.as.i = v; return a;
}
static inline tel_attr tel_double(const char* key, double v) {
    tel_attr a; a.key = key; a.type = TEL_TYPE_DOUBLE; a.tel__key_size = TEL__KEY_SIZE(key); a.as.d = v; return a;
}
static inline tel_attr tel_strn(const char* key, const char* data, size_t size) {
    tel_attr a; a.key = key; a.type = TEL_TYPE_STRING; a.tel__key_size = TEL__KEY_SIZE(key);
    a.as.s.data = data; a.as.s.size = size; return a;
}
static inline tel_attr tel_str(const char* key, const char* cstr) {     /* NUL-terminated; NULL is "" */
    tel_attr a; a.key = key; a.type = TEL_TYPE_STRING; a.tel__key_size = TEL__KEY_SIZE(key);
    a.as.s.data = cstr; a.as.s.size = TEL__STR_SIZE(cstr); return a;
}

#ifndef __cplusplus
#define TEL_ATTRS(...) tel__attrs((const tel_attr[]){ __VA_ARGS__ },                                          \
                                  sizeof((const tel_attr[]){ __VA_ARGS__ }) / sizeof(tel_attr))
#define TEL_NOATTRS    tel__attrs(NULL, 0)
#else
#define TEL_ATTRS(...) tel__attrs_cxx({ __VA_ARGS__ })
#define TEL_NOATTRS    tel__attrs(nullptr, 0)
#endif
static inline tel_attrs tel__attrs(const tel_attr* items, size_t count) {
    tel_attrs a; a.items = items; a.count = count; return a;
}

/* The instrumentation scope: the library or module that records. Static data that you own, alive as long as
   anything records with it; NULL: the program itself. Two that say the same are one. */
typedef struct tel_scope {
    const char* name;
    const char* version;            /* NULL: none, like schema_url */
    const char* schema_url;
    tel_attrs   attrs;
} tel_scope;

/* ==== P3 >>setup ====================================================================================== */

typedef struct tel_sink tel_sink;       /* P8 */

/* Both functions or neither (then malloc and free). Called from tel_init, on first uses, on the SDK's own threads
   and from tel_shutdown; must be safe from several threads. What they record themselves is ignored. Memory that
   another thread may still be reading at tel_shutdown is freed when that thread ends or records again. */
typedef struct tel_allocator {
    void* (*alloc_fn)(size_t size, void* user_data);        /* aligned as malloc aligns; NULL: no memory */
    void  (*free_fn)(void* ptr, void* user_data);
    void* user_data;
} tel_allocator;

/* The SDK talking about itself. By default warnings and errors go to stderr: never silent, and each item
   at most once a minute. level: 1 error, 2 warning, 3 information, 4 debug. item: stable number of the message.
   Called from any thread; what it records itself is ignored, and it must not call tel_init, tel_flush and the like. */
typedef struct tel_diag {
    void (*func)(int level, uint32_t item, const char* message, uint32_t line, void* user_data);
    void* user_data;
} tel_diag;

/* Setup. Zero means "decide for me": the field if set, else its OTEL_* variable, else the default noted here.
   Zero the whole struct; members may be added, and zero will always mean the old behaviour. Everything it
   points at is borrowed until tel_init returns. */
typedef struct tel_desc {
    uint32_t        tel__canary_begin;
    const char*     service_name;           /* OTEL_SERVICE_NAME, else "unknown_service:<executable>" */
    const char*     service_version;
    tel_attrs       resource;               /* merged over OTEL_RESOURCE_ATTRIBUTES and what is detected */
    const tel_sink* sinks;                  /* none: tel_sink_otlp(NULL), that is http://localhost:4318 */
    size_t          sink_count;             /* at most 16 */
    double          sample_ratio;           /* of root spans, 0..1; children follow parents (none: TEL_NEVER;
                                               OTEL_TRACES_SAMPLER, else 1) */
    uint32_t        ring_bytes;             /* per recording thread, 4 KiB..64 MiB, power of two (default 256 KiB) */
    uint32_t        max_threads;            /* recording threads at one time, the rest share (default 128) */
    uint32_t        max_series;             /* per instrument, then the overflow series (default 2000) */
    uint32_t        max_live_spans;         /* started and not ended (default 4096) */
    uint32_t        metric_interval_ms;     /* OTEL_METRIC_EXPORT_INTERVAL (default 60000) */
    uint32_t        batch_interval_ms;      /* OTEL_BSP_SCHEDULE_DELAY (5000) and OTEL_BLRP_SCHEDULE_DELAY (1000) */
    size_t          memory_limit;           /* bytes the SDK may hold in all (default 64 MiB) */
    bool            ignore_env;             /* do not read any environment variable */
    bool            no_thread;              /* no thread of our own: the application calls tel_pump() */
    bool            no_atexit;              /* do not flush at exit */
    bool            no_self_metrics;        /* do not export otel.sdk.* */
    tel_allocator   allocator;
    tel_diag        diag;
    uint64_t      (*clock_ns)(void* user_data);     /* test clock: unix nanoseconds */
    void*           clock_user_data;
    uint32_t        tel__canary_end;
} tel_desc;

#define TEL_NEVER (-1.0)
#define TEL_FOREVER UINT32_MAX

/* Starts everything; NULL is a zeroed desc. TEL_OK also when OTEL_SDK_DISABLED says no: then nothing records.
   TEL_ERR_STATE: already initialised. TEL_ERR_ARGUMENT, TEL_ERR_IO (scrape port taken), TEL_ERR_MEMORY,
   TEL_ERR_BUILD: nothing was started, recording stays a no-op, and one diagnostic names the field or
   variable to change. Any thread. */
static inline tel_result tel_init(const tel_desc* desc);

/* Offers everything recorded before the call to every sink and waits until they have delivered it.
   TEL_ERR_TIMEOUT: not all of it within timeout_ms (TEL_FOREVER: wait). Any thread, not from a sink. */
TEL_API tel_result tel_flush(uint32_t timeout_ms);

/* Flushes, stops, closes the sinks, frees. TEL_OK: all that was recorded was delivered; TEL_ERR_TIMEOUT or
   TEL_ERR_IO: it stopped all the same, and a diagnostic says how much was lost. Safe twice, at once from two
   threads, before tel_init (TEL_ERR_STATE) and from atexit. Later records are counted no-ops. */
TEL_API tel_result tel_shutdown(uint32_t timeout_ms);

/* One round of export work on this thread: drain, export what is due, at most timeout_ms. For desc.no_thread,
   every 10 to 100 ms from your event loop; harmless otherwise. */
TEL_API tel_result tel_pump(uint32_t timeout_ms);
TEL_API bool       tel_enabled(void);           /* initialised and not disabled; any thread, one load */
TEL_API tel_desc   tel_query_desc(void);        /* the setup in force, defaults resolved; strings valid until
                                                   tel_shutdown; zeroed when not initialised */

/* Two copies of this header in one program (a .dll, a plugin): let one adopt the other's instance before it
   records. NULL: back to its own; call that before the plugin is unloaded, and when the other threads that recorded
   through it have ended: each one that lives on keeps its ring in the host's instance, and that instance's memory, for
   good. TEL_ERR_BUILD: the copies differ. Once its owner has shut it down, records are counted no-ops; adopt what
   the owner starts next. */
typedef struct tel_instance tel_instance;
TEL_API tel_instance* tel_get_instance(void);   /* NULL when not initialised */
TEL_API tel_result    tel_adopt_instance(tel_instance* other);

/* Layout fingerprint of the public structs, checked by tel_init: a stale copy of this header fails loudly. */
#define TEL__BUILD_TAG ((uint32_t)(TEL_VERSION * 4096u + (uint32_t)sizeof(tel_desc)))
TEL_API tel_result tel__init(const tel_desc* desc, uint32_t build_tag);
static inline tel_result tel_init(const tel_desc* desc) { return tel__init(desc, TEL__BUILD_TAG); }

/* ==== P4 >>instruments ================================================================================ */

/* An instrument is a struct you own, normally static, and initialise with a TEL_* initialiser. It needs no
   registration call, may be used from any thread before or after tel_init (before: a no-op), and finds its
   series on first use.
     name         1..255 of A-Z a-z 0-9 _ . - /, first a letter (OpenTelemetry Metrics API, "Instrument name
                  syntax"); another name is named in a diagnostic and the instrument records nothing.
     unit         UCUM, at most 63 characters: "s", "By", "1", "{request}". NULL: none.
     description  any UTF-8. NULL: none.
   Two instruments of one name, kind, unit and scope are one. If kind or unit differ, both export, with a
   diagnostic; names that differ only in case take the first spelling. */
typedef struct tel_metric_options {
    const tel_scope* scope;             /* NULL: the program itself */
    const double* bounds;               /* histograms: ascending upper bounds, at most 1024 (default: 0 5 10 25 50 75
                                           100 250 500 750 1000 2500 5000 7500 10000; for unit "s": 0.005 0.01 0.025
                                           0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10) */
    size_t        bound_count;
    bool          exponential;          /* reserved: not built yet; a diagnostic says so and bounds are used */
    bool          real;                 /* counters: sum doubles rather than integers */
} tel_metric_options;

#define TEL__INSTRUMENT_FIELDS          \
    const char* name;                   \
    const char* unit;                   \
    const char* description;            \
    const tel_metric_options* options;  \
    uint32_t    tel__cell;              \
    uint32_t    tel__metric

typedef struct tel_counter   { TEL__INSTRUMENT_FIELDS; } tel_counter;     /* only goes up */
typedef struct tel_updown    { TEL__INSTRUMENT_FIELDS; } tel_updown;      /* goes up and down: queue length */
typedef struct tel_gauge     { TEL__INSTRUMENT_FIELDS; } tel_gauge;       /* last value wins: temperature */
typedef struct tel_histogram { TEL__INSTRUMENT_FIELDS; } tel_histogram;   /* distribution: latency, size */

#define TEL_INSTRUMENT(name, unit, description)               { name, unit, description, NULL, 0, 0 }
#define TEL_INSTRUMENT_WITH(name, unit, description, options) { name, unit, description, options, 0, 0 }

/* Any thread; never blocks after the first use. A negative add to a counter, a NaN, and a negative or infinite
   histogram value are dropped with a diagnostic. addf is for counters with options.real; on an integer counter
   the fraction is lost, with a diagnostic. Integer sums wrap at 2^63. */
TEL_API void tel_counter_add      (tel_counter* c, int64_t n);
TEL_API void tel_counter_addf     (tel_counter* c, double n);
TEL_API void tel_updown_add       (tel_updown* c, int64_t n);
TEL_API void tel_gauge_set        (tel_gauge* g, double v);
TEL_API void tel_histogram_record (tel_histogram* h, double v);

/* With attributes at the call: finds the series each time, quickest where a call site repeats its values. At
   most 64 attributes, 4 KiB of them; more are cut with a diagnostic. Past max_series the record goes to the
   series otel.metric.overflow=true: nothing is lost but the attributes. */
TEL_API void tel_counter_add_with      (tel_counter* c, int64_t n, tel_attrs attrs);
TEL_API void tel_updown_add_with       (tel_updown* c, int64_t n, tel_attrs attrs);
TEL_API void tel_gauge_set_with        (tel_gauge* g, double v, tel_attrs attrs);
TEL_API void tel_histogram_record_with (tel_histogram* h, double v, tel_attrs attrs);

/* Pre-bound: look up once, then record at full speed. A bound counter is a counter: same type, same verbs.
   Never NULL (past max_series it is the overflow series; when not initialised or out of memory, one that
   records nothing); valid until tel_shutdown. Bind after tel_init, not per record: it takes a mutex. */
TEL_API tel_counter*   tel_counter_bind   (tel_counter* c, tel_attrs attrs);
TEL_API tel_updown*    tel_updown_bind    (tel_updown* c, tel_attrs attrs);
TEL_API tel_gauge*     tel_gauge_bind     (tel_gauge* g, tel_attrs attrs);
TEL_API tel_histogram* tel_histogram_bind (tel_histogram* h, tel_attrs attrs);

/* Observed at collection time, on the collecting thread, once per collection and never twice at once. func
   calls tel_observe for each attribute set it has now; sets it does not mention are not exported. It may
   record on other instruments; setup, flush, pump, shutdown, collect, render and observer calls answer
   TEL_ERR_STATE in it. Counter and updown report totals. */
typedef struct tel_observation tel_observation;
typedef enum tel_observer_kind { TEL_OBSERVE_GAUGE, TEL_OBSERVE_COUNTER, TEL_OBSERVE_UPDOWN } tel_observer_kind;
typedef struct tel_observer_desc {
    tel_observer_kind kind;
    const char* name;                   /* rules as for instruments; copied */
    const char* unit;
    const char* description;
    const tel_scope* scope;             /* NULL: the program itself */
    void (*func)(tel_observation* o, void* user_data);
    void* user_data;
} tel_observer_desc;
TEL_API tel_result tel_observer_add(const tel_observer_desc* desc);     /* after tel_init, else TEL_ERR_STATE */
TEL_API tel_result tel_observer_remove(const char* name);               /* does not return while func is running */
TEL_API void       tel_observe(tel_observation* o, double v, tel_attrs attrs);      /* inside func only */

/* ==== P5 >>tracing ==================================================================================== */

/* Who we are in which trace: a plain value. Copy it, store it, send it to another thread; nothing to free.
   All zero: no trace. (W3C Trace Context; tel__extra is where tracestate and baggage will ride.) */
typedef struct tel_context {
    uint8_t  trace_id[16];
    uint8_t  span_id[8];
    uint8_t  flags;                     /* bit 0: sampled; bit 1: the trace id is random */
    uint8_t  remote;                    /* 1: came from another process */
    uint16_t tel__reserved;
    uint32_t tel__extra;
} tel_context;

/* A started span: a value you own, on your stack or in your request object. Always valid to use: an unsampled,
   dropped or already ended span accepts every call and records nothing, and its context still propagates.
   One thread uses it at a time; it may be ended by another thread than the one that started it. */
typedef struct tel_span {
    tel_context context;
    uint32_t    tel__slot;
    uint32_t    tel__generation;
} tel_span;

typedef enum tel_span_kind {
    TEL_SPAN_INTERNAL, TEL_SPAN_SERVER, TEL_SPAN_CLIENT, TEL_SPAN_PRODUCER, TEL_SPAN_CONSUMER
} tel_span_kind;
typedef enum tel_span_status_code { TEL_STATUS_UNSET, TEL_STATUS_OK, TEL_STATUS_ERROR } tel_span_status_code;

typedef struct tel_link { tel_context context; tel_attrs attrs; } tel_link;

typedef struct tel_span_desc {
    const char*        name;            /* NULL: "" */
    tel_span_kind      kind;
    const tel_context* parent;          /* NULL: the thread's current span; all zero: none */
    bool               root;            /* start a new trace even if there is a current span */
    tel_attrs          attrs;
    const tel_link*    links;
    size_t             link_count;
    uint64_t           start_unix_ns;   /* 0: now */
    const tel_scope*   scope;
} tel_span_desc;

/* The explicit form: changes no thread state. Use it for requests that hop threads. A parent that is sampled makes
   a sampled child; roots follow the sampler (OpenTelemetry Trace SDK, ParentBased). Limits: 128 attributes, events
   and links each, 128 attributes per event and link, and a quarter of ring_bytes in all; what is beyond is
   counted in the span's dropped_* fields. Any thread, never blocks, allocates nothing after the thread's first. */
TEL_API tel_span tel_span_start   (const char* name);
TEL_API tel_span tel_span_start_ex(const tel_span_desc* desc);
TEL_API void     tel_span_end     (tel_span* s);                        /* a second end is ignored */
TEL_API void     tel_span_end_at  (tel_span* s, uint64_t unix_ns);      /* 0: now; before the start: the start */

/* On a live span; everything given is copied. A NULL span, or one that does not record, is fine. */
TEL_API bool     tel_span_recording(const tel_span* s);                 /* worth preparing attributes? */
TEL_API void     tel__span_set    (tel_span* s, const tel_attr* attr);  /* what tel_span_set calls */
static inline void tel_span_set   (tel_span* s, tel_attr attr) { tel__span_set(s, &attr); }   /* same key: overwrites */
TEL_API void     tel_span_set_all (tel_span* s, tel_attrs attrs);
TEL_API void     tel_span_event   (tel_span* s, const char* name, tel_attrs attrs);
TEL_API void     tel_span_link    (tel_span* s, const tel_context* to, tel_attrs attrs);
/* Ok is final, Error beats Unset, Unset is ignored; message (NULL: none) counts with Error only
   (OpenTelemetry Trace API, "Set Status"). */
TEL_API void     tel_span_status  (tel_span* s, tel_span_status_code code, const char* message);
TEL_API void     tel_span_rename  (tel_span* s, const char* name);

/* The thread's current context: what new spans and log records attach to. Attach and detach in pairs, on one
   thread; up to 256 deep, deeper attaches are ignored. */
typedef struct tel_token { uint32_t tel__depth; uint32_t tel__thread; } tel_token;
TEL_API tel_context tel_current(void);                              /* all zero when there is none */
TEL_API tel_token   tel_attach(const tel_context* c);               /* NULL: attach "no trace" */
TEL_API void        tel_detach(tel_token t);                        /* tolerates wrong order; reports it */

/* ==== P6 >>carriers =================================================================================== */

/* Your headers, whatever they are: an HTTP request, a message, environ. */
typedef struct tel_carrier {
    void     (*set)(void* user_data, const char* key, const char* value);    /* for tel_inject */
    tel_text (*get)(void* user_data, const char* key);      /* for tel_extract: any case; { NULL, 0 } when absent */
    void* user_data;
} tel_carrier;

/* W3C Trace Context: the header `traceparent`. Both work without tel_init, on any thread. */
TEL_API tel_result  tel_inject (const tel_context* c, const tel_carrier* out);  /* NULL: the current context;
                                                                none: TEL_ERR_ARGUMENT and nothing is set */
TEL_API tel_context tel_extract(const tel_carrier* in);                         /* all zero when absent or malformed */

#define TEL_TRACEPARENT_SIZE 56                                                 /* including the NUL */
TEL_API tel_result  tel_traceparent_format(const tel_context* c, char out[TEL_TRACEPARENT_SIZE]);
TEL_API tel_result  tel_traceparent_parse (tel_text text, tel_context* out);    /* TEL_ERR_FORMAT: out is zeroed */

/* ==== P7 >>logging ==================================================================================== */

typedef enum tel_severity {             /* the OpenTelemetry severity numbers; 1..24 are all valid */
    TEL_TRACE = 1, TEL_DEBUG = 5, TEL_INFO = 9, TEL_WARN = 13, TEL_ERROR = 17, TEL_FATAL = 21
} tel_severity;

typedef struct tel_log_desc {
    tel_severity       severity;
    const char*        body;            /* NULL: none */
    const char*        event_name;      /* not NULL: the record is an event of that name */
    tel_attrs          attrs;
    const tel_context* context;         /* NULL: the current one */
    const tel_scope*   scope;
    uint64_t           unix_ns;         /* 0: now */
} tel_log_desc;

/* Any thread, never blocks. Carries the ids of the current span. A record larger than a quarter of ring_bytes
   is dropped and counted. logf formats as printf does, under the program's locale. At most 128 attributes. */
TEL_API void tel_log   (tel_severity sev, const char* body, tel_attrs attrs);
TEL_API void tel_logf  (tel_severity sev, const char* format, ...) TEL__PRINTF(2, 3);
TEL_API void tel_vlogf (tel_severity sev, const char* format, va_list args) TEL__PRINTF(2, 0);
TEL_API void tel_log_ex(const tel_log_desc* desc);
TEL_API bool tel_log_enabled(tel_severity sev);         /* worth preparing the arguments? */

/* ==== P8 >>destinations =============================================================================== */

typedef enum tel_signal {
    TEL_METRICS = 1, TEL_SPANS = 2, TEL_LOGS = 4, TEL_ALL_SIGNALS = 7,
    TEL_PULL = 8                        /* alone: nothing is pushed, the sink asks by tel_collect */
} tel_signal;

/* What a sink receives: plain views. Texts hold what the program recorded, perhaps not valid UTF-8; keys and texts
   that point into a batch are NUL-terminated as well. scope is never NULL; the program's own has an empty name. */
typedef struct tel_scope_view { tel_text name, version, schema_url; tel_attrs attrs; } tel_scope_view;

typedef struct tel_point_memo { char* data; uint32_t size; } tel_point_memo;

typedef struct tel_point {              /* one series at one instant */
    tel_attrs       attrs;              /* sorted by key, no key twice */
    uint64_t        start_unix_ns, unix_ns;
    int64_t         i;                  /* sums and gauges ... */
    double          d;                  /* ... and the same value as double; histograms: the sum */
    uint64_t        count;              /* histograms */
    double          min, max;           /* histograms with count > 0 */
    const double*   bounds;             /* bound_count values; buckets has bound_count + 1 */
    const uint64_t* buckets;            /* not cumulative; bucket i holds values in (bounds[i-1], bounds[i]] */
    size_t          bound_count;
    tel_point_memo* tel__memo;
} tel_point;

typedef enum tel_metric_kind {
    TEL_SUM, TEL_GAUGE, TEL_HISTOGRAM,
    TEL_EXP_HISTOGRAM                   /* reserved: not produced yet */
} tel_metric_kind;

typedef struct tel_metric_view {
    const tel_scope_view* scope;
    tel_text name, unit, description;
    tel_metric_kind kind;
    bool monotonic, cumulative, integer;
    const tel_point* points;
    size_t point_count;
} tel_metric_view;

typedef struct tel_event_view {
    tel_text name;
    uint64_t unix_ns;
    tel_attrs attrs;
    uint32_t dropped_attrs;
} tel_event_view;

typedef struct tel_span_view {
    const tel_scope_view* scope;
    tel_context context;
    uint8_t parent_span_id[8];          /* zero: a root */
    bool parent_remote;
    tel_text name;
    tel_span_kind kind;
    uint64_t start_unix_ns, end_unix_ns;
    tel_attrs attrs;                    /* in the order of their first setting, no key twice */
    const tel_event_view* events;   size_t event_count;
    const tel_link*       links;    size_t link_count;
    tel_span_status_code status;
    tel_text status_message;
    uint32_t dropped_attrs, dropped_events, dropped_links;
} tel_span_view;

typedef struct tel_log_view {
    const tel_scope_view* scope;
    uint64_t unix_ns, observed_unix_ns;
    tel_severity severity;
    tel_text body, event_name;          /* data NULL: none */
    tel_attrs attrs;
    uint32_t dropped_attrs;
    tel_context context;                /* all zero: outside of any span */
} tel_log_view;

/* Everything reachable from here is borrowed and valid until the callback returns. One batch carries one signal.
   A large collection of metrics (over 4096 points) comes as several batches; a metric may go on in the next. */
typedef struct tel_batch {
    tel_attrs resource;
    const tel_metric_view* metrics; size_t metric_count;
    const tel_span_view*   spans;   size_t span_count;
    const tel_log_view*    logs;    size_t log_count;
    uint64_t deadline_unix_ns;      /* be done by then; a late sink delays the call that runs it (tel_flush) or, on
                                       the export thread, the rings, which drop and count */
} tel_batch;

/* What became of what a sink accepted. Index: 0 metric points, 1 spans, 2 log records. */
typedef struct tel_sink_stats {
    char     name[32];
    uint64_t delivered[3];          /* the destination has it */
    uint64_t dropped_full[3];       /* a queue on the way was full */
    uint64_t dropped_failed[3];     /* the destination refused it, or time and retries ran out */
    uint64_t queued[3];             /* on the way */
} tel_sink_stats;

/* A destination. All callbacks come from the export thread (or tel_pump, tel_flush), one at a time per sink; only
   export_fn is required. TEL_ERR_IO and TEL_ERR_TIMEOUT mean "try this batch again later"; any other failure
   drops it, counted, and so does any for metrics, which the next collection has anew. A callback must not call
   tel_flush, tel_pump or tel_shutdown (TEL_ERR_STATE); what it records itself is ignored. The struct is copied by
   tel_init; user_data is yours. */
struct tel_sink {
    const char* name;           /* in diagnostics and self metrics; default "sink" */
    uint32_t    signal_mask;    /* TEL_METRICS | TEL_SPANS | TEL_LOGS; 0: all; or TEL_PULL */
    /* From tel_init; may replace self->user_data. A failure fails tel_init. */
    tel_result (*open_fn)(tel_sink* self, const tel_allocator* a);
    tel_result (*export_fn)(const tel_batch* batch, void* user_data);
    /* For sinks that deliver later: deliver what was accepted; TEL_ERR_TIMEOUT when time is over. */
    tel_result (*flush_fn)(uint32_t timeout_ms, void* user_data);
    /* The last call, only if open_fn was well: free user_data here. Bounded by its own means. */
    void       (*close_fn)(void* user_data);
    /* For sinks that deliver later: fill queued and dropped_* of what export_fn accepted. Any thread. */
    void       (*stats_fn)(tel_sink_stats* out, void* user_data);
    /* In the child of fork: forget sockets, threads and what is queued. Only the forking thread exists. */
    void       (*fork_fn)(void* user_data);
    void*       user_data;
    const void* config;         /* for open_fn; borrowed until tel_init returns */
};

/* OTLP over HTTP, JSON encoding: a queue, a worker thread, keep-alive, retries with backoff (OTLP "Failures"). */
typedef struct tel_otlp_desc {
    const char* endpoint;               /* base URL; OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318 */
    const char* headers;                /* OTEL_EXPORTER_OTLP_HEADERS: "k=v,k2=v2" */
    uint32_t    timeout_ms;             /* of one batch with its retries; OTEL_EXPORTER_OTLP_TIMEOUT, else 10000 */
    const char* compression;            /* "gzip" or "none"; OTEL_EXPORTER_OTLP_COMPRESSION, else none */
    uint32_t    queue_bytes;            /* encoded and not yet delivered (default 8 MiB); when it is full nothing is
                                           taken, but a collection of metrics that has begun goes in whole */
    /* Bring your own HTTP (TLS, proxies): send one POST with these header lines ("Name: value\r\n" each); return the
       status code, negative on I/O failure. Called on the worker thread. */
    int (*post_fn)(const char* url, const char* headers, const void* body, size_t size,
                   uint32_t timeout_ms, void* user_data);
    void* user_data;
} tel_otlp_desc;

/* Where rendered bytes go. Return false to stop. */
typedef struct tel_writer {
    bool (*write)(const void* data, size_t size, void* user_data);
    void* user_data;
} tel_writer;

/* The scrape endpoint: a small HTTP listener of its own, or tel_prometheus_render for a server that you have. */
typedef struct tel_prometheus_desc {
    const char* host;                   /* OTEL_EXPORTER_PROMETHEUS_HOST, else localhost */
    uint32_t    port;                   /* OTEL_EXPORTER_PROMETHEUS_PORT, else 9464; TEL_ANY_PORT: any free one */
} tel_prometheus_desc;
#define TEL_ANY_PORT UINT32_MAX

/* Keeps copies of what was exported, for tests: zero it, give it to tel_sink_memory, flush, read. Spans and logs
   add up; metrics are those of the last collection. What tel_memory_read returns is valid until the next export
   or tel_memory_clear, which frees it and must be called last, after tel_shutdown too. */
typedef struct tel_memory { void* tel__store; } tel_memory;

/* The built-in destinations are ordinary sinks made by ordinary functions, which only fill in the struct: what can
   fail, fails in tel_init, with a result and a diagnostic. desc and writer are borrowed until tel_init returns. */
TEL_API tel_sink tel_sink_otlp      (const tel_otlp_desc* desc);        /* NULL: everything from the environment */
TEL_API tel_sink tel_sink_prometheus(const tel_prometheus_desc* desc);  /* NULL: likewise; GET /metrics */
TEL_API tel_sink tel_sink_jsonl     (const tel_writer* out);            /* OTLP file format, a JSON object per line */
TEL_API tel_sink tel_sink_console   (const tel_writer* out);            /* for humans; NULL: stdout */
TEL_API tel_sink tel_sink_memory    (tel_memory* memory);
TEL_API tel_batch tel_memory_read   (tel_memory* memory);
TEL_API void      tel_memory_clear  (tel_memory* memory);

/* ==== P9 >>query ====================================================================================== */

/* Pull instead of push: collect all metrics now, on this thread, into a sink you pass; only its export_fn is
   called. Any thread, one collection at a time; TEL_ERR_STATE when not initialised, inside a sink, or shut down
   before its turn. A slow one delays those who collect; tel_flush and tel_shutdown not past their timeout. */
TEL_API tel_result tel_collect(const tel_sink* into);
TEL_API tel_result tel_prometheus_render(tel_writer out);           /* text format 0.0.4, in one write at the end */
TEL_API size_t     tel_prometheus_print(char* out, size_t size);    /* snprintf rules: returns the size needed */
TEL_API uint32_t   tel_prometheus_port(void);                       /* of the first scrape endpoint; 0: none */

/* The SDK about itself; also exported as otel.sdk.* metrics. By signal: 0 metric points, 1 spans, 2 log records.
   For spans and logs, at any moment without records under way:
       recorded = dropped + queued + (for each sink) delivered + dropped_full + dropped_failed + its queued. */
typedef struct tel_stats {
    uint64_t recorded[3];               /* metrics: points collected for push sinks */
    uint64_t dropped[3];                /* before any sink saw them: ring full, span pool empty, too large, no memory */
    uint64_t queued[3];                 /* in rings and in the batch in the making */
    uint64_t exported[3], failed[3];    /* delivered, and lost, summed over all sinks */
    uint64_t series, series_overflow;   /* series alive; records that went to an overflow series */
    uint64_t spans_live, spans_leaked;  /* started and not ended; closed by their parent's end */
    uint64_t bytes_allocated, threads;  /* now */
    uint64_t ignored;                   /* records of threads known here while nothing was initialised */
} tel_stats;
TEL_API tel_stats tel_query_stats(void);        /* any thread; after tel_shutdown the final books; before: zero */
TEL_API bool      tel_query_sink(size_t index, tel_sink_stats* out);    /* false past the last sink */

/* ==== P10 >>scopes ==================================================================================== */

/* The scoped forms. Each is one block:
       TEL_SPAN(s, "name") { ... }      a span, current for the block; `s` is a tel_span*
       TEL_TIME(&histogram) { ... }     records the block's duration in seconds
       TEL_WITH(&context)   { ... }     makes a context current for the block
   With GCC, Clang and C++ they end however the block is left. With MSVC in C, leave by falling out of the block:
   after a `return` or `goto` the span stays open until its parent ends, which closes it and counts spans_leaked.
   `break` and `continue` leave the block, not the loop around it. */
typedef struct tel_span_scope { tel_span span; tel_token token; bool open; } tel_span_scope;
typedef struct tel_time_scope { tel_histogram* histogram; uint64_t tel__begin; bool open; } tel_time_scope;
typedef struct tel_with_scope { tel_token token; bool open; } tel_with_scope;

/* What the macros are made of, for a language binding or a scope of your own. Same thread for begin and end. */
TEL_API tel_span_scope tel_span_scope_begin(const char* name);
TEL_API void           tel_span_scope_end  (tel_span_scope* s);        /* idempotent, like the other two */
TEL_API tel_time_scope tel_time_scope_begin(tel_histogram* h);
TEL_API void           tel_time_scope_end  (tel_time_scope* s);
TEL_API tel_with_scope tel_with_scope_begin(const tel_context* c);
TEL_API void           tel_with_scope_end  (tel_with_scope* s);

#ifdef __cplusplus
} /* extern "C" */
#endif

#define TEL__CAT_(a, b) a##b
#define TEL__CAT(a, b)  TEL__CAT_(a, b)
#define TEL__LOCAL(tag) TEL__CAT(tel__##tag##_, __LINE__)

#if defined(TELEMETRY_OFF)
/* Nothing is left of these: see P12. */
#elif defined(__cplusplus)
#define TEL__GUARD(kind)                                                                                      \
    struct tel__##kind##_guard : tel_##kind##_scope {                                                         \
        explicit tel__##kind##_guard(const tel_##kind##_scope& s) : tel_##kind##_scope(s) {}                  \
        ~tel__##kind##_guard() { tel_##kind##_scope_end(this); }                                              \
        tel__##kind##_guard(const tel__##kind##_guard&) = delete;                                             \
        tel__##kind##_guard& operator=(const tel__##kind##_guard&) = delete;                                  \
    }
TEL__GUARD(span);
TEL__GUARD(time);
TEL__GUARD(with);
#define TEL__OPEN(kind, local, begin) tel__##kind##_guard local(begin)
#elif (defined(__GNUC__) || defined(__clang__)) && !defined(TEL_FORCE_NO_CLEANUP)
#define TEL__OPEN(kind, local, begin) tel_##kind##_scope local __attribute__((cleanup(tel_##kind##_scope_end))) = begin
#else
#define TEL__OPEN(kind, local, begin) tel_##kind##_scope local = begin
#endif

#if defined(TELEMETRY_OFF)
#ifdef __cplusplus
#define TEL__OFF_ZERO {}
#else
#define TEL__OFF_ZERO { 0 }
#endif
#define TEL__OFF_BLOCK(arg) \
    for (bool TEL__LOCAL(off) = ((void)(arg), true); TEL__LOCAL(off); TEL__LOCAL(off) = false)
#define TEL_SPAN(var, name) \
    TEL__OFF_BLOCK(name) \
        for (tel_span TEL__LOCAL(span), *var = (TEL__LOCAL(span).tel__slot = 0, &TEL__LOCAL(span)); var; var = 0)
#define TEL_TIME(histogram) TEL__OFF_BLOCK(histogram)
#define TEL_WITH(context)   TEL__OFF_BLOCK(context)
#else
#define TEL_SPAN(var, name)                                                                                   \
    for (TEL__OPEN(span, TEL__LOCAL(span), tel_span_scope_begin(name));                                       \
         TEL__LOCAL(span).open; tel_span_scope_end(&TEL__LOCAL(span)))                                        \
        for (tel_span* var = &TEL__LOCAL(span).span; var; var = 0)
#define TEL_TIME(histogram)                                                                                   \
    for (TEL__OPEN(time, TEL__LOCAL(time), tel_time_scope_begin(histogram));                                  \
         TEL__LOCAL(time).open; tel_time_scope_end(&TEL__LOCAL(time)))
#define TEL_WITH(context)                                                                                     \
    for (TEL__OPEN(with, TEL__LOCAL(with), tel_with_scope_begin(context));                                    \
         TEL__LOCAL(with).open; tel_with_scope_end(&TEL__LOCAL(with)))
#endif

/* ==== P11 >>c++ ======================================================================================= */

#ifdef __cplusplus
inline tel_attrs  tel__attrs_cxx(std::initializer_list<tel_attr> list) { return tel__attrs(list.begin(), list.size()); }
inline tel_result tel_init(const tel_desc& desc) { return tel_init(&desc); }
inline tel_span   tel_span_start_ex(const tel_span_desc& desc) { return tel_span_start_ex(&desc); }
inline void       tel_log_ex(const tel_log_desc& desc) { tel_log_ex(&desc); }
inline tel_result tel_observer_add(const tel_observer_desc& desc) { return tel_observer_add(&desc); }
#endif

/* ==== P12 >>off ======================================================================================= */

/* TELEMETRY_OFF: the same surface as empty inline functions, so types are still checked and nothing is left of the
   calls. Arguments of tel_log and tel_logf are not even evaluated; their format is still checked. */
#if defined(TELEMETRY_OFF)
TEL_API const char* tel_result_string(tel_result r) { (void)r; return "off"; }
TEL_API tel_result tel_flush(uint32_t timeout_ms) { (void)timeout_ms; return TEL_OK; }
TEL_API tel_result tel_shutdown(uint32_t timeout_ms) { (void)timeout_ms; return TEL_OK; }
TEL_API tel_result tel_pump(uint32_t timeout_ms) { (void)timeout_ms; return TEL_OK; }
TEL_API bool tel_enabled(void) { return false; }
TEL_API tel_desc tel_query_desc(void) { tel_desc v = TEL__OFF_ZERO; return v; }
TEL_API tel_instance* tel_get_instance(void) { return NULL; }
TEL_API tel_result tel_adopt_instance(tel_instance* other) { (void)other; return TEL_OK; }
TEL_API tel_result tel__init(const tel_desc* desc, uint32_t build_tag) { (void)desc; (void)build_tag; return TEL_OK; }
TEL_API void tel_counter_add(tel_counter* c, int64_t n) { (void)c; (void)n; }
TEL_API void tel_counter_addf(tel_counter* c, double n) { (void)c; (void)n; }
TEL_API void tel_updown_add(tel_updown* c, int64_t n) { (void)c; (void)n; }
TEL_API void tel_gauge_set(tel_gauge* g, double v) { (void)g; (void)v; }
TEL_API void tel_histogram_record(tel_histogram* h, double v) { (void)h; (void)v; }
TEL_API void tel_counter_add_with(tel_counter* c, int64_t n, tel_attrs attrs) { (void)c; (void)n; (void)attrs; }
TEL_API void tel_updown_add_with(tel_updown* c, int64_t n, tel_attrs attrs) { (void)c; (void)n; (void)attrs; }
TEL_API void tel_gauge_set_with(tel_gauge* g, double v, tel_attrs attrs) { (void)g; (void)v; (void)attrs; }
TEL_API void tel_histogram_record_with(tel_histogram* h, double v, tel_attrs attrs) { (void)h; (void)v; (void)attrs; }
TEL_API tel_counter* tel_counter_bind(tel_counter* c, tel_attrs attrs) { (void)attrs; return c; }
TEL_API tel_updown* tel_updown_bind(tel_updown* c, tel_attrs attrs) { (void)attrs; return c; }
TEL_API tel_gauge* tel_gauge_bind(tel_gauge* g, tel_attrs attrs) { (void)attrs; return g; }
TEL_API tel_histogram* tel_histogram_bind(tel_histogram* h, tel_attrs attrs) { (void)attrs; return h; }
TEL_API tel_result tel_observer_add(const tel_observer_desc* desc) { (void)desc; return TEL_OK; }
TEL_API tel_result tel_observer_remove(const char* name) { (void)name; return TEL_OK; }
TEL_API void tel_observe(tel_observation* o, double v, tel_attrs attrs) { (void)o; (void)v; (void)attrs; }
TEL_API tel_span tel_span_start(const char* name) { (void)name; tel_span v = TEL__OFF_ZERO; return v; }
TEL_API tel_span tel_span_start_ex(const tel_span_desc* desc) { (void)desc; tel_span v = TEL__OFF_ZERO; return v; }
TEL_API void tel_span_end(tel_span* s) { (void)s; }
TEL_API void tel_span_end_at(tel_span* s, uint64_t unix_ns) { (void)s; (void)unix_ns; }
TEL_API bool tel_span_recording(const tel_span* s) { (void)s; return false; }
TEL_API void tel__span_set(tel_span* s, const tel_attr* attr) { (void)s; (void)attr; }
TEL_API void tel_span_set_all(tel_span* s, tel_attrs attrs) { (void)s; (void)attrs; }
TEL_API void tel_span_event(tel_span* s, const char* name, tel_attrs attrs) { (void)s; (void)name; (void)attrs; }
TEL_API void tel_span_link(tel_span* s, const tel_context* to, tel_attrs attrs) { (void)s; (void)to; (void)attrs; }
TEL_API void tel_span_status(tel_span* s, tel_span_status_code code, const char* message) {
    (void)s; (void)code; (void)message;
}
TEL_API void tel_span_rename(tel_span* s, const char* name) { (void)s; (void)name; }
TEL_API tel_context tel_current(void) { tel_context v = TEL__OFF_ZERO; return v; }
TEL_API tel_token tel_attach(const tel_context* c) { (void)c; tel_token v = TEL__OFF_ZERO; return v; }
TEL_API void tel_detach(tel_token t) { (void)t; }
TEL_API tel_result tel_inject(const tel_context* c, const tel_carrier* out) {
    (void)c; (void)out; return TEL_ERR_STATE;
}
TEL_API tel_context tel_extract(const tel_carrier* in) { (void)in; tel_context v = TEL__OFF_ZERO; return v; }
TEL_API tel_result tel_traceparent_format(const tel_context* c, char out[TEL_TRACEPARENT_SIZE]) {
    (void)c; out[0] = 0; return TEL_ERR_STATE;
}
TEL_API tel_result tel_traceparent_parse(tel_text text, tel_context* out) {
    (void)text; { tel_context none = TEL__OFF_ZERO; *out = none; } return TEL_ERR_FORMAT;
}
TEL_API void tel_vlogf(tel_severity sev, const char* format, va_list args) { (void)sev; (void)format; (void)args; }
TEL_API void tel_log_ex(const tel_log_desc* desc) { (void)desc; }
TEL_API bool tel_log_enabled(tel_severity sev) { (void)sev; return false; }
TEL_API tel_sink tel_sink_otlp(const tel_otlp_desc* desc) { (void)desc; tel_sink v = TEL__OFF_ZERO; return v; }
TEL_API tel_sink tel_sink_prometheus(const tel_prometheus_desc* desc) {
    (void)desc; tel_sink v = TEL__OFF_ZERO; return v;
}
TEL_API tel_sink tel_sink_jsonl(const tel_writer* out) { (void)out; tel_sink v = TEL__OFF_ZERO; return v; }
TEL_API tel_sink tel_sink_console(const tel_writer* out) { (void)out; tel_sink v = TEL__OFF_ZERO; return v; }
TEL_API tel_sink tel_sink_memory(tel_memory* memory) { (void)memory; tel_sink v = TEL__OFF_ZERO; return v; }
TEL_API tel_batch tel_memory_read(tel_memory* memory) { (void)memory; tel_batch v = TEL__OFF_ZERO; return v; }
TEL_API void tel_memory_clear(tel_memory* memory) { (void)memory; }
TEL_API tel_result tel_collect(const tel_sink* into) { (void)into; return TEL_OK; }
TEL_API tel_result tel_prometheus_render(tel_writer out) { (void)out; return TEL_OK; }
TEL_API size_t tel_prometheus_print(char* out, size_t size) { (void)size; if (size) { out[0] = 0; } return 0; }
TEL_API uint32_t tel_prometheus_port(void) { return 0; }
TEL_API tel_stats tel_query_stats(void) { tel_stats v = TEL__OFF_ZERO; return v; }
TEL_API bool tel_query_sink(size_t index, tel_sink_stats* out) { (void)index; (void)out; return false; }
TEL_API tel_span_scope tel_span_scope_begin(const char* name) {
    (void)name; tel_span_scope v = TEL__OFF_ZERO; v.open = true; return v;
}
TEL_API void tel_span_scope_end(tel_span_scope* s) { s->open = false; }
TEL_API tel_time_scope tel_time_scope_begin(tel_histogram* h) {
    (void)h; tel_time_scope v = TEL__OFF_ZERO; v.open = true; return v;
}
TEL_API void tel_time_scope_end(tel_time_scope* s) { s->open = false; }
TEL_API tel_with_scope tel_with_scope_begin(const tel_context* c) {
    (void)c; tel_with_scope v = TEL__OFF_ZERO; v.open = true; return v;
}
TEL_API void tel_with_scope_end(tel_with_scope* s) { s->open = false; }
TEL_API void tel_log(tel_severity sev, const char* body, tel_attrs attrs) { (void)sev; (void)body; (void)attrs; }
TEL_API void tel_logf(tel_severity sev, const char* format, ...) { (void)sev; (void)format; }
int tel__off_log(tel_severity sev, const char* body, tel_attrs attrs);
int tel__off_logf(tel_severity sev, const char* format, ...) TEL__PRINTF(2, 3);
#define tel_log(...)  ((void)sizeof(tel__off_log(__VA_ARGS__)))
#define tel_logf(...) ((void)sizeof(tel__off_logf(__VA_ARGS__)))
#endif

#if defined(__clang__) && defined(__cplusplus)
#pragma clang diagnostic pop
#endif

#endif /* TELEMETRY_H_INCLUDED */

#if defined(TELEMETRY_IMPLEMENTATION) && !defined(TELEMETRY_OFF) && !defined(TELEMETRY_H_IMPLEMENTED)
#define TELEMETRY_H_IMPLEMENTED 1

#if defined(__clang__) && defined(__cplusplus)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wreserved-identifier"
#endif

/* ==== R01 >>platform ==================================================================================
   What the compiler, the machine and the operating system are, as macros that are always 0 or 1, and
   the only system includes of this file. The few questions to the system that have no place elsewhere
   (time stamp counter, entropy, what process and host this is) are answered here by small functions.

   Uses      nothing.                          Used by   every room.
   Threads   every function may be called from any thread.
   Holds     every TEL__ platform macro is defined to 0 or 1 before the first line of R02.
   Tests     tests/rooms/platform.c   fuzz: none   bench: floor.ticks
*/
#if defined(_WIN32)
#define TEL__WINDOWS 1
#define TEL__POSIX   0
#else
#define TEL__WINDOWS 0
#define TEL__POSIX   1
#endif
#if defined(__linux__)
#define TEL__LINUX 1
#else
#define TEL__LINUX 0
#endif
#if defined(__APPLE__)
#define TEL__APPLE 1
#else
#define TEL__APPLE 0
#endif
#if defined(__GNUC__) || defined(__clang__)
#define TEL__GNU 1
#else
#define TEL__GNU 0
#endif
#if TEL__GNU && (defined(__x86_64__) || defined(__i386__))
#define TEL__X86 1
#else
#define TEL__X86 0
#endif
#if TEL__GNU && defined(__aarch64__)
#define TEL__ARM64 1
#else
#define TEL__ARM64 0
#endif
#if defined(__SIZEOF_INT128__) && !defined(TEL_FORCE_NO_INT128)
#define TEL__INT128 1
#else
#define TEL__INT128 0
#endif
#if defined(TELEMETRY_CURL)
#define TEL__CURL 1
#else
#define TEL__CURL 0
#endif
#if defined(TELEMETRY_ZLIB)
#define TEL__ZLIB 1
#else
#define TEL__ZLIB 0
#endif
#if defined(TEL_NO_HTTP)
#undef TEL_NO_HTTP
#define TEL_NO_HTTP 1
#else
#define TEL_NO_HTTP 0
#endif
#if defined(TEL_FORCE_LOCKED_ATOMICS) || (TEL__GNU && !defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_8))
#undef TEL_FORCE_LOCKED_ATOMICS
#define TEL_FORCE_LOCKED_ATOMICS 1
#else
#define TEL_FORCE_LOCKED_ATOMICS 0
#endif

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if TEL__WINDOWS
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <process.h>
#else
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <unistd.h>
#if !TEL_NO_HTTP
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#endif
#if !defined(CLOCK_MONOTONIC) || !defined(O_CLOEXEC)
#error "telemetry.h: where TELEMETRY_IMPLEMENTATION is defined, include it first, or use -std=gnu99 or -D_GNU_SOURCE"
#endif
#endif
#if TEL__LINUX
#include <sys/syscall.h>
#endif
#if TEL__X86
#include <cpuid.h>
#endif
#if TEL__CURL
#include <curl/curl.h>
#endif
#if TEL__ZLIB
#include <zlib.h>
#endif

/* FN: a private function. INLINE: part of its caller on the record path. CALL: hot but shared, not copied into each
   caller. NOINLINE: the rare branch of a hot function. COLD: setup and network, compiled for size. */
#if TEL__GNU
#define TEL__FN          static __attribute__((unused))
#define TEL__INLINE      static inline __attribute__((unused, always_inline))
#define TEL__NOINLINE    static __attribute__((unused, noinline, cold))
#define TEL__CALL        static __attribute__((unused, noinline))
#define TEL__COLD        static __attribute__((unused, cold))
#define TEL__LIKELY(x)   __builtin_expect(!!(x), 1)
#define TEL__UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define TEL__FN          static
#define TEL__INLINE      static __forceinline
#define TEL__NOINLINE    static __declspec(noinline)
#define TEL__CALL        static __declspec(noinline)
#define TEL__COLD        static
#define TEL__LIKELY(x)   (x)
#define TEL__UNLIKELY(x) (x)
#endif
#define TEL__ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TEL__LINE          128          /* two cache lines: what one core prefetches as a pair */
#define TEL__ROUND(n, to)  (((n) + ((to) - 1)) & ~(size_t)((to) - 1))

/* The time stamp counter of this machine; 0 where there is none that a program may read. About 8 ns on
   x86-64 where clock_gettime takes 22. Reading is not ordered with the instructions around it. */
TEL__INLINE uint64_t tel__platform_ticks(void) {
#if TEL__X86
    return __builtin_ia32_rdtsc();
#elif TEL__ARM64
    uint64_t t;
    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#else
    return 0;
#endif
}

/* The first line of a small file, without its end; empty when there is none. */
TEL__FN void tel__platform_first_line(const char* path, char* out, size_t size) {
    FILE* f = fopen(path, "r");
    out[0] = '\0';
    if (!f) { return; }
    if (!fgets(out, (int)size, f)) { out[0] = '\0'; }
    out[strcspn(out, "\r\n")] = '\0';
    fclose(f);
}

/* Whether those ticks run at one rate on all processors and through sleep states. x86: the CPU must say
   so (leaf 0x80000007, EDX bit 8) and the kernel must believe it, that is, use the counter itself as its
   clock: a kernel that found the counters of two sockets apart does not. */
TEL__FN bool tel__platform_ticks_reliable(void) {
#if defined(TEL_FORCE_NO_TICKS)
    return false;
#elif TEL__X86 && TEL__LINUX
    unsigned a = 0, b = 0, c = 0, d = 0;
    char used[32];
    if (!__get_cpuid(0x80000007u, &a, &b, &c, &d) || !(d & (1u << 8))) { return false; }
    tel__platform_first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", used, sizeof used);
    return strcmp(used, "tsc") == 0 || strcmp(used, "kvm-clock") == 0;
#elif TEL__ARM64
    return true;
#else
    return false;
#endif
}

TEL__INLINE void tel__platform_pause(void) {
#if TEL__X86
    __builtin_ia32_pause();
#elif TEL__ARM64
    __asm__ __volatile__("yield");
#endif
}

#if TEL__WINDOWS

TEL__FN uint64_t tel__platform_mono_ns(void) {
    LARGE_INTEGER count, rate;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&rate);
    return (uint64_t)count.QuadPart / (uint64_t)rate.QuadPart * 1000000000u +
           (uint64_t)count.QuadPart % (uint64_t)rate.QuadPart * 1000000000u / (uint64_t)rate.QuadPart;
}

TEL__FN uint64_t tel__platform_unix_ns(void) {
    FILETIME t;
    GetSystemTimeAsFileTime(&t);
    return ((((uint64_t)t.dwHighDateTime << 32) | t.dwLowDateTime) - 116444736000000000u) * 100u;
}

TEL__FN bool tel__platform_entropy(void* out, size_t size) { (void)out; (void)size; return false; }

#else

TEL__FN uint64_t tel__platform_mono_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* 0 for a clock that stands before 1970. */
TEL__FN uint64_t tel__platform_unix_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Random bytes from the operating system; false when it has none to give (no call, no /dev). */
TEL__FN bool tel__platform_entropy(void* out, size_t size) {
    size_t have = 0;
    int fd;
#if TEL__LINUX && defined(SYS_getrandom)
    if (syscall(SYS_getrandom, out, size, 1u /* GRND_NONBLOCK */) == (long)size) { return true; }
#endif
    fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0) { return false; }
    while (have < size) {
        ssize_t got = read(fd, (char*)out + have, size - have);
        if (got > 0) { have += (size_t)got; }
        else if (got == 0 || errno != EINTR) { break; }
    }
    close(fd);
    return have == size;
}

#endif

/* How many of the n ascending values at b (n a multiple of 8) are below v: the bucket of v. Branch-free;
   with GNU vectors two values at a time, half the time of the scalar loop. */
TEL__INLINE uint32_t tel__platform_count_below(const double* b, uint32_t n, double v) {
#if TEL__GNU
    typedef double pair __attribute__((vector_size(16)));
    typedef long long mask __attribute__((vector_size(16)));
    mask sum0 = { 0, 0 }, sum1 = { 0, 0 };
    pair key = { v, v }, p0, p1, p2, p3;
    uint32_t i;
    for (i = 0; i < n; i += 8) {
        memcpy(&p0, b + i, 16);
        memcpy(&p1, b + i + 2, 16);
        memcpy(&p2, b + i + 4, 16);
        memcpy(&p3, b + i + 6, 16);
        sum0 += (p0 < key) + (p1 < key);
        sum1 += (p2 < key) + (p3 < key);
    }
    sum0 += sum1;
    return (uint32_t)-(sum0[0] + sum0[1]);
#else
    uint32_t i, below = 0;
    for (i = 0; i < n; i++) { below += b[i] < v; }
    return below;
#endif
}

/* What the process and the host are, for the resource. A text that is not known stays empty. */
typedef struct tel__platform_facts {
    char     exe_path[1024];
    char     host_name[256];
    char     host_id[64];           /* empty inside a container, where it would name the wrong machine */
    char     host_arch[32];         /* the spellings of the OpenTelemetry registry: amd64, arm64 ... */
    char     os_type[32];
    char     os_version[128];
    char     os_description[256];
    uint64_t pid;
} tel__platform_facts;

/* The word behind this one in a list "word\0other\0...\0"; NULL: it is not there. */
TEL__COLD const char* tel__platform_word(const char* list, const char* word, size_t size) {
    while (*list) {
        const char* other = list + strlen(list) + 1;
        if ((size_t)(other - 1 - list) == size && memcmp(list, word, size) == 0) { return other; }
        list = other + strlen(other) + 1;
    }
    return NULL;
}

/* What OpenTelemetry calls the thing that uname calls so; in lower case what it has no other name for. */
TEL__FN void tel__platform_spelling(const char* a, const char* list, char* out, size_t size) {
    const char* other = tel__platform_word(list, a, strlen(a));
    size_t i;
    if (other) { a = other; }
    for (i = 0; i + 1 < size && a[i]; i++) { out[i] = a[i] >= 'A' && a[i] <= 'Z' ? (char)(a[i] - 'A' + 'a') : a[i]; }
    out[i] = '\0';
}

#if TEL__WINDOWS

TEL__FN uint64_t tel__platform_pid(void) { return GetCurrentProcessId(); }

TEL__FN void tel__platform_narrow(const wchar_t* wide, char* out, size_t size) {
    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, out, (int)size, NULL, NULL) <= 0) { out[0] = '\0'; }
}

TEL__FN void tel__platform_detect(tel__platform_facts* out) {
    wchar_t text[1024];
    DWORD size = 256;
    SYSTEM_INFO info;
    memset(out, 0, sizeof *out);
    out->pid = tel__platform_pid();
    if (GetModuleFileNameW(NULL, text, 1024) - 1u < 1023u) {
        tel__platform_narrow(text, out->exe_path, sizeof out->exe_path);
    }
    if (GetComputerNameExW(ComputerNameDnsHostname, text, &size)) {
        tel__platform_narrow(text, out->host_name, sizeof out->host_name);
    }
    GetNativeSystemInfo(&info);
    snprintf(out->os_type, sizeof out->os_type, "windows");
    snprintf(out->host_arch, sizeof out->host_arch, "%s", info.wProcessorArchitecture == 9 ? "amd64"
             : info.wProcessorArchitecture == 12 ? "arm64" : info.wProcessorArchitecture == 5 ? "arm32" : "x86");
}

#else

TEL__FN uint64_t tel__platform_pid(void) { return (uint64_t)getpid(); }

/* The value of PRETTY_NAME in /etc/os-release, without its quotes (freedesktop.org os-release(5)). */
TEL__FN void tel__platform_pretty_name(char* out, size_t size) {
    char line[512];
    FILE* f = fopen("/etc/os-release", "r");
    out[0] = '\0';
    while (f && !out[0] && fgets(line, (int)sizeof line, f)) {
        char* p = line + 12;
        if (strncmp(line, "PRETTY_NAME=", 12) != 0) { continue; }
        p += *p == '"' || *p == '\'';
        p[strcspn(p, "\"'\r\n")] = '\0';
        snprintf(out, size, "%.*s", (int)size - 1, p);
    }
    if (f) { fclose(f); }
}

/* The path of the running program, also when its file was replaced since; empty where it would be a guess. */
TEL__FN void tel__platform_exe_path(char* out, size_t size) {
    static const char gone[] = " (deleted)";
    static const char links[][20] = { "/proc/self/exe", "/proc/curproc/file" };
    size_t i, used = 0;
    for (i = 0; i < TEL__ARRAY_SIZE(links) && !used; i++) {
        ssize_t n = readlink(links[i], out, size - 1);
        used = n > 0 ? (size_t)n : 0;
    }
    if (used >= sizeof gone && memcmp(out + used - (sizeof gone - 1), gone, sizeof gone - 1) == 0) {
        used -= sizeof gone - 1;
    }
    out[used] = '\0';
}

/* OpenTelemetry registry, host.id: sources that need no privilege, and none inside a container. */
TEL__FN void tel__platform_host_id(char* out, size_t size) {
    static const char files[][28] = { "/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/hostid" };
    size_t i;
    out[0] = '\0';
    if (access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0) { return; }
    for (i = 0; i < TEL__ARRAY_SIZE(files) && !out[0]; i++) { tel__platform_first_line(files[i], out, size); }
}

/* Reads files and asks the kernel; no name service, no shell, nothing that can wait. */
TEL__FN void tel__platform_detect(tel__platform_facts* out) {
    static const char arch[] = "x86_64\0amd64\0i386\0x86\0i486\0x86\0i586\0x86\0i686\0x86\0aarch64\0arm64\0"
                               "armv6l\0arm32\0armv7l\0arm32\0armv8l\0arm32\0ppc64le\0ppc64\0ppc\0ppc32\0";
    static const char type[] = "DragonFly\0dragonflybsd\0SunOS\0solaris\0HP-UX\0hpux\0OS/390\0zos\0";
    struct utsname u;
    memset(out, 0, sizeof *out);
    out->pid = tel__platform_pid();
    tel__platform_exe_path(out->exe_path, sizeof out->exe_path);
    tel__platform_host_id(out->host_id, sizeof out->host_id);
    if (gethostname(out->host_name, sizeof out->host_name - 1) != 0) { out->host_name[0] = '\0'; }
    tel__platform_pretty_name(out->os_description, sizeof out->os_description);
    if (uname(&u) < 0) { return; }
    tel__platform_spelling(u.machine, arch, out->host_arch, sizeof out->host_arch);
    tel__platform_spelling(u.sysname, type, out->os_type, sizeof out->os_type);
    snprintf(out->os_version, sizeof out->os_version, "%.127s", u.release);
    if (!out->os_description[0]) {
        snprintf(out->os_description, sizeof out->os_description, "%.100s %.100s", u.sysname, u.release);
    }
}

#endif

/* ==== R02 >>atomics ===================================================================================
   Atomic 32-bit, 64-bit and pointer cells as struct types, so that a plain assignment does not compile.
   Two back ends: compiler builtins, and a spin lock that every operation takes (TEL_FORCE_LOCKED_ATOMICS;
   also machines without 64-bit atomics and other compilers), which is slow and only correct.

   Uses      R01 platform.                     Used by   every room that shares data.
   Threads   any.
   Holds     load and store are relaxed: one whole value, no order. load_acquire pairs with
             store_release: what was written before the store is seen after the load. add and swap
             are acquire and release at once; so is a cas that succeeds.
   Tests     tests/rooms/atomics.c   fuzz: none   bench: floor.xadd
*/
typedef struct tel__atomic_u32 { uint32_t v; } tel__atomic_u32;
#if TEL__GNU
typedef struct tel__atomic_u64 { uint64_t v __attribute__((aligned(8))); } tel__atomic_u64;
#else
typedef struct tel__atomic_u64 { uint64_t v; } tel__atomic_u64;
#endif
typedef struct tel__atomic_ptr { void* v; } tel__atomic_ptr;

#if TEL__GNU && !TEL_FORCE_LOCKED_ATOMICS
#define TEL__ATOMIC_NATIVE(type, name)                                                                               \
    TEL__INLINE type tel__atomic_load_##name(const tel__atomic_##name* a) {                                          \
        return __atomic_load_n(&a->v, __ATOMIC_RELAXED);                                                             \
    }                                                                                                                \
    TEL__INLINE type tel__atomic_load_acquire_##name(const tel__atomic_##name* a) {                                  \
        return __atomic_load_n(&a->v, __ATOMIC_ACQUIRE);                                                             \
    }                                                                                                                \
    TEL__INLINE void tel__atomic_store_##name(tel__atomic_##name* a, type v) {                                       \
        __atomic_store_n(&a->v, v, __ATOMIC_RELAXED);                                                                \
    }                                                                                                                \
    TEL__INLINE void tel__atomic_store_release_##name(tel__atomic_##name* a, type v) {                               \
        __atomic_store_n(&a->v, v, __ATOMIC_RELEASE);                                                                \
    }                                                                                                                \
    TEL__INLINE bool tel__atomic_cas_##name(tel__atomic_##name* a, type* expected, type v) {                         \
        return __atomic_compare_exchange_n(&a->v, expected, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);           \
    }                                                                                                                \
    TEL__INLINE type tel__atomic_swap_##name(tel__atomic_##name* a, type v) {                                        \
        return __atomic_exchange_n(&a->v, v, __ATOMIC_ACQ_REL);                                                      \
    }
TEL__ATOMIC_NATIVE(uint32_t, u32)
TEL__ATOMIC_NATIVE(uint64_t, u64)
TEL__ATOMIC_NATIVE(void*, ptr)

TEL__INLINE uint32_t tel__atomic_add_u32(tel__atomic_u32* a, uint32_t n) {
    return __atomic_fetch_add(&a->v, n, __ATOMIC_ACQ_REL);
}
TEL__INLINE uint64_t tel__atomic_add_u64(tel__atomic_u64* a, uint64_t n) {
    return __atomic_fetch_add(&a->v, n, __ATOMIC_ACQ_REL);
}
TEL__FN void tel__atomic_lock(void) { }         /* around a fork: nothing is held here */
TEL__FN void tel__atomic_unlock(void) { }

#else

#if TEL__GNU
static unsigned char tel__atomic_lock_byte;
TEL__FN void tel__atomic_lock(void) {
    while (__atomic_test_and_set(&tel__atomic_lock_byte, __ATOMIC_ACQUIRE)) { tel__platform_pause(); }
}
TEL__FN void tel__atomic_unlock(void) { __atomic_clear(&tel__atomic_lock_byte, __ATOMIC_RELEASE); }
#else
static volatile long tel__atomic_lock_word;
TEL__FN void tel__atomic_lock(void) {
    while (InterlockedExchange(&tel__atomic_lock_word, 1)) { YieldProcessor(); }
}
TEL__FN void tel__atomic_unlock(void) { InterlockedExchange(&tel__atomic_lock_word, 0); }
#endif

#define TEL__ATOMIC_LOCKED(type, name)                                                                               \
    TEL__FN bool tel__atomic_cas_##name(tel__atomic_##name* a, type* expected, type v) {                             \
        bool same;                                                                                                   \
        tel__atomic_lock();                                                                                          \
        same = a->v == *expected;                                                                                    \
        if (same) { a->v = v; } else { *expected = a->v; }                                                           \
        tel__atomic_unlock();                                                                                        \
        return same;                                                                                                 \
    }                                                                                                                \
    TEL__FN type tel__atomic_load_acquire_##name(const tel__atomic_##name* a) {                                      \
        type now;                                                                                                    \
        tel__atomic_lock(); now = a->v; tel__atomic_unlock();                                                        \
        return now;                                                                                                  \
    }                                                                                                                \
    TEL__FN type tel__atomic_load_##name(const tel__atomic_##name* a) { return tel__atomic_load_acquire_##name(a); } \
    TEL__FN type tel__atomic_swap_##name(tel__atomic_##name* a, type v) {                                            \
        type old = tel__atomic_load_##name(a);                                                                       \
        while (!tel__atomic_cas_##name(a, &old, v)) { }                                                              \
        return old;                                                                                                  \
    }                                                                                                                \
    TEL__FN void tel__atomic_store_release_##name(tel__atomic_##name* a, type v) {                                   \
        (void)tel__atomic_swap_##name(a, v);                                                                         \
    }                                                                                                                \
    TEL__FN void tel__atomic_store_##name(tel__atomic_##name* a, type v) { (void)tel__atomic_swap_##name(a, v); }
TEL__ATOMIC_LOCKED(uint32_t, u32)
TEL__ATOMIC_LOCKED(uint64_t, u64)
TEL__ATOMIC_LOCKED(void*, ptr)

TEL__FN uint32_t tel__atomic_add_u32(tel__atomic_u32* a, uint32_t n) {
    uint32_t old;
    tel__atomic_lock(); old = a->v; a->v += n; tel__atomic_unlock();
    return old;
}
TEL__FN uint64_t tel__atomic_add_u64(tel__atomic_u64* a, uint64_t n) {
    uint64_t old;
    tel__atomic_lock(); old = a->v; a->v += n; tel__atomic_unlock();
    return old;
}
#endif

/* Doubles travel as their bits. */
TEL__INLINE uint64_t tel__atomic_bits(double d) { uint64_t u; memcpy(&u, &d, sizeof u); return u; }
TEL__INLINE double tel__atomic_double(uint64_t u) { double d; memcpy(&d, &u, sizeof d); return d; }

TEL__FN void tel__atomic_add_double(tel__atomic_u64* a, double n) {
    uint64_t old = tel__atomic_load_u64(a);
    while (!tel__atomic_cas_u64(a, &old, tel__atomic_bits(tel__atomic_double(old) + n))) { }
}

/* ==== R03 >>threads ===================================================================================
   Mutex, condition with a deadline, thread, thread-exit hook, fork hook, and the one thread-local
   variable of this file.

   Uses      R01 platform, R02 atomics.        Used by   R06-R22.
   Threads   any. The hooks are set once, from tel_init, under the root mutex.
   Holds     tel__thread_me is written by its own thread only. Its pointers stay valid until that thread
             clears them, because the memory behind them is freed by the thread itself or after it.
             Threads made here block all signals but faults: the host's handlers do not run on them.
   Tests     tests/rooms/threads.c   fuzz: none   bench: floor.tls
*/
#if TEL__GNU
#define TEL__TLS __thread
#else
#define TEL__TLS __declspec(thread)
#endif

/* What one thread keeps. Each pointer is owned by the room named. */
typedef struct tel__thread_local {
    struct tel__metric_cells* cells;    /* R11: its part of every counter and histogram */
    struct tel__span_tracer*  tracer;   /* R12: ids, current context, free slots */
    struct tel__ring_thread*  ring;     /* R10: registration, ring, books */
    uint64_t                  idle;     /* records made while nothing was initialised */
    uint32_t                  quiet;    /* calls of sinks this thread is inside of */
    uint32_t                  observing;    /* observers this thread is inside of: they hold the collection */
    uint32_t                  forks;    /* how often this thread became the child of fork */
} tel__thread_local;
static TEL__TLS tel__thread_local tel__thread_me;

/* Around a sink's callback: what it records itself is ignored, and setup calls can tell where they are.
   The record path needs no test for this, because it finds its pointers gone. */
TEL__COLD tel__thread_local tel__thread_quiet_begin(void) {
    tel__thread_local saved = tel__thread_me;
    tel__thread_me.cells = NULL;
    tel__thread_me.tracer = NULL;
    tel__thread_me.quiet++;
    return saved;
}
TEL__COLD void tel__thread_quiet_end(tel__thread_local saved) {
    if (saved.forks == tel__thread_me.forks) {      /* else the callback forked and returned in the child */
        tel__thread_me.cells = saved.cells;
        tel__thread_me.tracer = saved.tracer;
    }
    tel__thread_me.quiet--;
}

#if TEL__POSIX

typedef struct tel__thread_mutex { pthread_mutex_t m; } tel__thread_mutex;
typedef struct tel__thread_cond { pthread_cond_t c; } tel__thread_cond;
typedef struct tel__thread_handle {
    pthread_t thread;
    bool      started;
    void    (*fn)(void* arg);
    void*     arg;
} tel__thread_handle;
#define TEL__THREAD_MUTEX_INIT { PTHREAD_MUTEX_INITIALIZER }

TEL__FN void tel__thread_mutex_init(tel__thread_mutex* m) { pthread_mutex_init(&m->m, NULL); }
TEL__FN void tel__thread_mutex_lock(tel__thread_mutex* m) { pthread_mutex_lock(&m->m); }
TEL__FN void tel__thread_mutex_unlock(tel__thread_mutex* m) { pthread_mutex_unlock(&m->m); }
TEL__FN void tel__thread_mutex_destroy(tel__thread_mutex* m) { pthread_mutex_destroy(&m->m); }

TEL__FN void tel__thread_cond_init(tel__thread_cond* c) {
#if TEL__APPLE
    pthread_cond_init(&c->c, NULL);
#else
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->c, &attr);
    pthread_condattr_destroy(&attr);
#endif
}
TEL__FN void tel__thread_cond_destroy(tel__thread_cond* c) { pthread_cond_destroy(&c->c); }
TEL__FN void tel__thread_cond_broadcast(tel__thread_cond* c) { pthread_cond_broadcast(&c->c); }

/* Waits for a signal or until that monotonic time (UINT64_MAX: for ever); false: time over. May wake early. */
TEL__FN bool tel__thread_cond_wait(tel__thread_cond* c, tel__thread_mutex* m, uint64_t deadline_mono_ns) {
    uint64_t now = TEL__APPLE ? tel__platform_mono_ns() : 0;    /* there it is told how long, elsewhere until when */
    uint64_t wait = deadline_mono_ns > now ? deadline_mono_ns - now : 0;
    struct timespec t;
    if (deadline_mono_ns == UINT64_MAX) { return pthread_cond_wait(&c->c, &m->m) == 0; }
    t.tv_sec = (time_t)(wait / 1000000000u);
    t.tv_nsec = (long)(wait % 1000000000u);
#if TEL__APPLE
    return pthread_cond_timedwait_relative_np(&c->c, &m->m, &t) == 0;
#else
    return pthread_cond_timedwait(&c->c, &m->m, &t) == 0;
#endif
}

TEL__FN void* tel__thread_main(void* arg) {
    tel__thread_handle* h = (tel__thread_handle*)arg;
    h->fn(h->arg);
    return NULL;
}

/* Starts fn(arg); the handle must not move while the thread lives. false: the system has no thread left. */
TEL__FN bool tel__thread_start(tel__thread_handle* h, void (*fn)(void* arg), void* arg) {
    static const unsigned char faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP };
    sigset_t all, old;
    size_t i;
    h->fn = fn;
    h->arg = arg;
    sigfillset(&all);
    for (i = 0; i < sizeof faults; i++) { sigdelset(&all, faults[i]); }     /* the crash handler's, wherever they are */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    h->started = pthread_create(&h->thread, NULL, tel__thread_main, h) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return h->started;
}
TEL__FN void tel__thread_join(tel__thread_handle* h) {
    if (h->started) { pthread_join(h->thread, NULL); }
    h->started = false;
}
/* Lets a thread that cannot be waited for go its way; it must free what it stands on itself. */
TEL__FN void tel__thread_detach(tel__thread_handle* h) {
    if (h->started) { pthread_detach(h->thread); }
    h->started = false;
}
TEL__FN void tel__thread_sleep_ns(uint64_t ns) {
    struct timespec t;
    t.tv_sec = (time_t)(ns / 1000000000u);
    t.tv_nsec = (long)(ns % 1000000000u);
    nanosleep(&t, NULL);
}
TEL__FN void tel__thread_yield(void) { sched_yield(); }

/* The exit hook: fn(value) runs at the end of every thread that armed itself, while its thread-local
   variables still stand. A value armed again during that call is called for once more. */
typedef struct tel__thread_exit_hook { pthread_key_t key; bool made; } tel__thread_exit_hook;
TEL__FN bool tel__thread_exit_hook_make(tel__thread_exit_hook* hook, void (*fn)(void* value)) {
    if (!hook->made) { hook->made = pthread_key_create(&hook->key, fn) == 0; }
    return hook->made;
}
TEL__FN bool tel__thread_exit_arm(tel__thread_exit_hook* hook, void* value) {
    return hook->made && pthread_setspecific(hook->key, value) == 0;
}
TEL__FN void tel__thread_exit_hook_drop(tel__thread_exit_hook* hook) {
    if (hook->made) { pthread_key_delete(hook->key); }
    hook->made = false;
}
TEL__FN bool tel__thread_fork_hooks(void (*before)(void), void (*parent)(void), void (*child)(void)) {
    return pthread_atfork(before, parent, child) == 0;
}

#else

typedef struct tel__thread_mutex { SRWLOCK m; } tel__thread_mutex;
typedef struct tel__thread_cond { CONDITION_VARIABLE c; } tel__thread_cond;
typedef struct tel__thread_handle {
    HANDLE thread;
    bool   started;
    void (*fn)(void* arg);
    void*  arg;
} tel__thread_handle;
#define TEL__THREAD_MUTEX_INIT { SRWLOCK_INIT }

TEL__FN void tel__thread_mutex_init(tel__thread_mutex* m) { InitializeSRWLock(&m->m); }
TEL__FN void tel__thread_mutex_lock(tel__thread_mutex* m) { AcquireSRWLockExclusive(&m->m); }
TEL__FN void tel__thread_mutex_unlock(tel__thread_mutex* m) { ReleaseSRWLockExclusive(&m->m); }
TEL__FN void tel__thread_mutex_destroy(tel__thread_mutex* m) { (void)m; }
TEL__FN void tel__thread_cond_init(tel__thread_cond* c) { InitializeConditionVariable(&c->c); }
TEL__FN void tel__thread_cond_destroy(tel__thread_cond* c) { (void)c; }
TEL__FN void tel__thread_cond_broadcast(tel__thread_cond* c) { WakeAllConditionVariable(&c->c); }
TEL__FN bool tel__thread_cond_wait(tel__thread_cond* c, tel__thread_mutex* m, uint64_t deadline_mono_ns) {
    uint64_t now = tel__platform_mono_ns();
    DWORD ms = INFINITE;
    if (deadline_mono_ns != UINT64_MAX) {
        uint64_t left = deadline_mono_ns > now ? (deadline_mono_ns - now + 999999u) / 1000000u : 0;
        ms = left > 0x7fffffffu ? 0x7fffffffu : (DWORD)left;
    }
    return SleepConditionVariableSRW(&c->c, &m->m, ms, 0) != 0;
}
static unsigned __stdcall tel__thread_main(void* arg) {
    tel__thread_handle* h = (tel__thread_handle*)arg;
    h->fn(h->arg);
    return 0;
}
TEL__FN bool tel__thread_start(tel__thread_handle* h, void (*fn)(void* arg), void* arg) {
    h->fn = fn;
    h->arg = arg;
    h->thread = (HANDLE)_beginthreadex(NULL, 0, tel__thread_main, h, 0, NULL);
    h->started = h->thread != 0;
    return h->started;
}
TEL__FN void tel__thread_join(tel__thread_handle* h) {
    if (h->started) { WaitForSingleObject(h->thread, INFINITE); CloseHandle(h->thread); }
    h->started = false;
}
TEL__FN void tel__thread_detach(tel__thread_handle* h) {
    if (h->started) { CloseHandle(h->thread); }
    h->started = false;
}
TEL__FN void tel__thread_sleep_ns(uint64_t ns) { Sleep((DWORD)((ns + 999999u) / 1000000u)); }
TEL__FN void tel__thread_yield(void) { SwitchToThread(); }

typedef struct tel__thread_exit_hook { DWORD key; bool made; } tel__thread_exit_hook;
static void (*tel__thread_exit_fn)(void* value);
static void NTAPI tel__thread_exit_main(void* value) {
    if (value && tel__thread_exit_fn) { tel__thread_exit_fn(value); }
}
TEL__FN bool tel__thread_exit_hook_make(tel__thread_exit_hook* hook, void (*fn)(void* value)) {
    tel__thread_exit_fn = fn;
    if (!hook->made) {
        hook->key = FlsAlloc(tel__thread_exit_main);
        hook->made = hook->key != FLS_OUT_OF_INDEXES;
    }
    return hook->made;
}
TEL__FN bool tel__thread_exit_arm(tel__thread_exit_hook* hook, void* value) {
    return hook->made && FlsSetValue(hook->key, value) != 0;
}
TEL__FN void tel__thread_exit_hook_drop(tel__thread_exit_hook* hook) {
    if (hook->made) { FlsFree(hook->key); }
    hook->made = false;
}
TEL__FN bool tel__thread_fork_hooks(void (*before)(void), void (*parent)(void), void (*child)(void)) {
    (void)before; (void)parent; (void)child;
    return true;
}

#endif

/* ==== R04 >>clock =====================================================================================
   Time. Records carry raw ticks, the cheapest reading there is; the export thread turns them into unix
   time by an anchor, a pair of tick and wall clock that it renews every round.

   Uses      R01 platform, R02 atomics.        Used by   R05, R08, R11-R22.
   Threads   ticks, seconds: any. sync and unix_at: under the pipeline's work mutex.
   Holds     mode and test clock are set before the clock is shared. rate is one atomic double. unix_at of
             two ticks under one anchor keeps their order, so durations are never negative, whatever the
             wall clock does; a jump of the wall clock moves later records only.
   Tests     tests/rooms/clock.c   fuzz: none   bench: floor.ticks
*/
typedef enum tel__clock_mode { TEL__CLOCK_SYSTEM, TEL__CLOCK_TICKS, TEL__CLOCK_TEST } tel__clock_mode;

typedef struct tel__clock {
    tel__clock_mode mode;
    uint64_t      (*test_ns)(void* user_data);
    void*           test_user_data;
    tel__atomic_u64 rate;               /* nanoseconds per tick, a double */
    uint64_t first_ticks, first_mono;   /* where measuring the rate began */
    uint64_t anchor_ticks, anchor_unix; /* the latest pair */
} tel__clock;

TEL__COLD uint64_t tel__clock_mono_ns(void) { return tel__platform_mono_ns(); }
TEL__COLD uint64_t tel__clock_unix_ns(void) { return tel__platform_unix_ns(); }

/* What a record carries: any unit, one origin. */
TEL__NOINLINE uint64_t tel__clock_other(const tel__clock* c) {
    return c->mode == TEL__CLOCK_TEST ? c->test_ns(c->test_user_data) : tel__platform_mono_ns();
}
TEL__INLINE uint64_t tel__clock_ticks(const tel__clock* c) {
    return TEL__LIKELY(c->mode == TEL__CLOCK_TICKS) ? tel__platform_ticks() : tel__clock_other(c);
}

TEL__COLD uint64_t tel__clock_now_unix(const tel__clock* c) {
    return c->mode == TEL__CLOCK_TEST ? c->test_ns(c->test_user_data) : tel__platform_unix_ns();
}

TEL__FN double tel__clock_rate(const tel__clock* c) { return tel__atomic_double(tel__atomic_load_u64(&c->rate)); }

TEL__FN double tel__clock_seconds(const tel__clock* c, uint64_t begin_ticks, uint64_t end_ticks) {
    uint64_t ns = end_ticks > begin_ticks ? (uint64_t)((double)(end_ticks - begin_ticks) * tel__clock_rate(c)) : 0;
    return (double)ns / 1e9;
}

/* Reads both clocks as close together as the scheduler lets us: the best of three. */
TEL__COLD void tel__clock_pair(uint64_t* ticks, uint64_t* ns, uint64_t (*read_ns)(void)) {
    uint64_t best = UINT64_MAX;
    int i;
    for (i = 0; i < 3; i++) {
        uint64_t before = tel__platform_ticks();
        uint64_t at = read_ns();
        uint64_t after = tel__platform_ticks();
        if (after - before < best) {
            best = after - before;
            *ticks = before + (after - before) / 2;
            *ns = at;
        }
    }
}

/* Renews the anchor, and the rate from the whole time since the first pair. A rate that leaves the
   measured one by more than a thousandth (a machine that was moved) starts anew from here. */
TEL__COLD void tel__clock_sync(tel__clock* c) {
    uint64_t ticks = 0, mono = 0;
    if (c->mode != TEL__CLOCK_TICKS) {
        c->anchor_ticks = tel__clock_ticks(c);
        c->anchor_unix = tel__clock_now_unix(c);
        return;
    }
    tel__clock_pair(&ticks, &mono, tel__platform_mono_ns);
    if (ticks > c->first_ticks && mono > c->first_mono + 100000u) {
        double old = tel__clock_rate(c);
        double rate = (double)(mono - c->first_mono) / (double)(ticks - c->first_ticks);
        if (old > 0 && mono > c->first_mono + 1000000000u && (rate > old * 1.001 || rate < old * 0.999)) {
            c->first_ticks = ticks;
            c->first_mono = mono;
        } else {
            tel__atomic_store_u64(&c->rate, tel__atomic_bits(rate));
        }
    }
    tel__clock_pair(&c->anchor_ticks, &c->anchor_unix, tel__platform_unix_ns);
}

TEL__FN uint64_t tel__clock_unix_at(const tel__clock* c, uint64_t ticks) {
    double rate = tel__clock_rate(c);
    if (ticks >= c->anchor_ticks) {
        return c->anchor_unix + (uint64_t)((double)(ticks - c->anchor_ticks) * rate);
    } else {
        uint64_t back = (uint64_t)((double)(c->anchor_ticks - ticks) * rate);
        return back < c->anchor_unix ? c->anchor_unix - back : 0;
    }
}

/* Picks the mode. For the tick counter it watches 200 us to know a rate; every sync makes it better. */
TEL__COLD void tel__clock_init(tel__clock* c, uint64_t (*test_ns)(void* user_data), void* test_user_data) {
    c->test_ns = test_ns;
    c->test_user_data = test_user_data;
    tel__atomic_store_u64(&c->rate, tel__atomic_bits(1.0));
    c->mode = test_ns ? TEL__CLOCK_TEST
            : tel__platform_ticks_reliable() ? TEL__CLOCK_TICKS : TEL__CLOCK_SYSTEM;
    if (c->mode == TEL__CLOCK_TICKS) {
        tel__clock_pair(&c->first_ticks, &c->first_mono, tel__platform_mono_ns);
        while (tel__platform_mono_ns() < c->first_mono + 200000u) { tel__platform_pause(); }
    }
    tel__clock_sync(c);
}

/* The monotonic time timeout_ms from now; UINT32_MAX is for ever. */
TEL__COLD uint64_t tel__clock_deadline(uint32_t timeout_ms) {
    return timeout_ms == UINT32_MAX ? UINT64_MAX : tel__clock_mono_ns() + (uint64_t)timeout_ms * 1000000u;
}

TEL__COLD uint32_t tel__clock_left_ms(uint64_t deadline_mono_ns) {
    uint64_t now = tel__clock_mono_ns();
    if (deadline_mono_ns == UINT64_MAX) { return UINT32_MAX; }
    if (deadline_mono_ns <= now) { return 0; }
    now = (deadline_mono_ns - now + 999999u) / 1000000u;
    return now >= UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)now;
}

/* ==== R05 >>ids =======================================================================================
   Random identity: entropy of the system, and one xoshiro256++ generator per thread (Blackman and
   Vigna, 2019) that is seeded from it, for trace and span ids.

   Uses      R01 platform.                     Used by   R12, R15, R18, R20.
   Threads   a generator belongs to one thread.
   Holds     the state of a generator is never all zero; no id is ever all zero. All 16 bytes of a trace
             id are random, so the W3C random flag may be set (Trace Context Level 2, "Random Trace ID Flag").
   Tests     tests/rooms/ids.c   fuzz: none   bench: span
*/
typedef struct tel__id_generator { uint64_t s[4]; } tel__id_generator;

/* Fills out with random bytes. Without entropy from the system (no call, no /dev) it falls back on
   clocks, addresses and the stack, stirred: unequal between processes, not secret. */
TEL__COLD void tel__id_random(uint8_t* out, size_t size) {
    uint64_t x, k;
    size_t i;
    if (tel__platform_entropy(out, size)) { return; }
    x = tel__platform_unix_ns() ^ (tel__platform_mono_ns() << 20) ^ (uint64_t)(uintptr_t)&x;
    x ^= tel__platform_pid() << 40;
    for (i = 0; i < size; i++) {
        x += 0x9e3779b97f4a7c15u;
        k = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        k = (k ^ (k >> 27)) * 0x94d049bb133111ebu;
        out[i] = (uint8_t)(k >> 56);
    }
}

TEL__COLD void tel__id_seed(tel__id_generator* g) {
    tel__id_random((uint8_t*)g->s, sizeof g->s);
    g->s[0] |= 1u;
}

TEL__INLINE uint64_t tel__id_rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

TEL__INLINE uint64_t tel__id_next(tel__id_generator* g) {
    uint64_t r = tel__id_rotate(g->s[0] + g->s[3], 23) + g->s[0];
    uint64_t t = g->s[1] << 17;
    g->s[2] ^= g->s[0];
    g->s[3] ^= g->s[1];
    g->s[1] ^= g->s[2];
    g->s[0] ^= g->s[3];
    g->s[2] ^= t;
    g->s[3] = tel__id_rotate(g->s[3], 45);
    return r;
}

/* Never 0: for the part of an id that keeps the whole from being all zero. */
TEL__INLINE uint64_t tel__id_some(tel__id_generator* g) {
    uint64_t r = tel__id_next(g);
    return TEL__LIKELY(r != 0) ? r : 1;
}

/* ==== R06 >>memory ====================================================================================
   All memory of the SDK: an allocator shim with a cap, an arena for views, and a lock-free list of free
   slots by index.

   Uses      R01-R03.                          Used by   R07-R22.
   Threads   alloc and free: any. An arena has one user at a time. The slot list: any.
   Holds     used is the sum of the sizes asked for and not yet freed, and never exceeds limit. A free of
             n bytes names the same n. The slot list is a stack of indices whose head carries a tag that
             every pop and push changes, so a head that came back is not taken for the old one (ABA).
   Tests     tests/rooms/memory.c   fuzz: none   bench: none
*/
typedef struct tel__memory {
    tel_allocator   allocator;
    tel__atomic_u64 used;
    uint64_t        limit;
    tel__atomic_u32 pins;               /* workers left to themselves that still stand on this memory, and ORPHANED */
    void          (*left_fn)(struct tel__memory* m);    /* frees what the owner left for the last of them to free */
} tel__memory;

#define TEL__MEMORY_ORPHANED 0x80000000u

TEL__COLD void* tel__memory_default_alloc(size_t size, void* user_data) { (void)user_data; return malloc(size); }
TEL__COLD void tel__memory_default_free(void* ptr, void* user_data) { (void)user_data; free(ptr); }

TEL__COLD void tel__memory_init(tel__memory* m, const tel_allocator* a, uint64_t limit) {
    if (a && a->alloc_fn) {
        m->allocator = *a;
    } else {
        m->allocator.alloc_fn = tel__memory_default_alloc;
        m->allocator.free_fn = tel__memory_default_free;
        m->allocator.user_data = NULL;
    }
    m->limit = limit;
    tel__atomic_store_u64(&m->used, 0);
    tel__atomic_store_u32(&m->pins, 0);
    m->left_fn = NULL;
}

/* A worker that was left to itself stands on this memory from pin to unpin. The owner may go meanwhile: true when
   nobody stands there, and it frees what there is; otherwise the last unpin does, by left_fn. No pin after that. */
TEL__COLD void tel__memory_pin(tel__memory* m) { tel__atomic_add_u32(&m->pins, 1); }
TEL__COLD bool tel__memory_orphan(tel__memory* m, void (*left_fn)(tel__memory* m)) {
    m->left_fn = left_fn;
    return tel__atomic_add_u32(&m->pins, TEL__MEMORY_ORPHANED) == 0;
}
TEL__COLD void tel__memory_unpin(tel__memory* m) {
    if (tel__atomic_add_u32(&m->pins, (uint32_t)-1) == TEL__MEMORY_ORPHANED + 1) { m->left_fn(m); }
}

/* size bytes with undefined content, or NULL: at the cap, or the allocator has none. For large blocks
   that are touched as they are used. What the allocator records is ignored, here and in free: it may be called with
   the mutex held that its record would need. */
TEL__COLD void* tel__memory_alloc_raw(tel__memory* m, size_t size) {
    tel__thread_local saved;
    void* p;
    if (size == 0 || tel__atomic_add_u64(&m->used, size) + size > m->limit) {
        tel__atomic_add_u64(&m->used, (uint64_t)0 - size);
        return NULL;
    }
    saved = tel__thread_quiet_begin();
    p = m->allocator.alloc_fn(size, m->allocator.user_data);
    tel__thread_quiet_end(saved);
    if (!p) { tel__atomic_add_u64(&m->used, (uint64_t)0 - size); }
    return p;
}

/* Whether what only grows (series, cells) may take more: the last quarter is for what comes and goes, so that at
   the cap the SDK still collects, drains and delivers. */
TEL__FN bool tel__memory_roomy(const tel__memory* m) {
    return tel__atomic_load_u64(&m->used) < m->limit - m->limit / 4;
}

TEL__FN void* tel__memory_alloc(tel__memory* m, size_t size) {
    void* p = tel__memory_alloc_raw(m, size);
    if (p) { memset(p, 0, size); }
    return p;
}

TEL__COLD void tel__memory_free(tel__memory* m, void* p, size_t size) {
    tel__thread_local saved;
    if (!p) { return; }
    saved = tel__thread_quiet_begin();
    m->allocator.free_fn(p, m->allocator.user_data);
    tel__thread_quiet_end(saved);
    tel__atomic_add_u64(&m->used, (uint64_t)0 - size);
}

/* Zeroed bytes that share no cache line pair with anything else: what one thread writes and another reads. */
TEL__COLD void* tel__memory_alloc_lines(tel__memory* m, size_t size) {
    size_t whole = TEL__ROUND(size, TEL__LINE) + 2 * TEL__LINE;
    char* raw = (char*)tel__memory_alloc(m, whole);
    char* p;
    if (!raw) { return NULL; }
    p = raw + TEL__LINE - ((uintptr_t)raw & (TEL__LINE - 1));
    if ((size_t)(p - raw) < sizeof(void*)) { p += TEL__LINE; }
    memcpy(p - sizeof(void*), &raw, sizeof raw);
    return p;
}

TEL__COLD void tel__memory_free_lines(tel__memory* m, void* p, size_t size) {
    char* raw;
    if (!p) { return; }
    memcpy(&raw, (char*)p - sizeof(void*), sizeof raw);
    tel__memory_free(m, raw, TEL__ROUND(size, TEL__LINE) + 2 * TEL__LINE);
}

TEL__COLD char* tel__memory_copy(tel__memory* m, const char* data, size_t size) {
    char* p = (char*)tel__memory_alloc_raw(m, size + 1);
    if (!p) { return NULL; }
    if (size) { memcpy(p, data, size); }
    p[size] = 0;
    return p;
}

/* ---- arena: take in order, give back all at once ---- */

typedef struct tel__memory_chunk {
    struct tel__memory_chunk* next;
    size_t capacity;
} tel__memory_chunk;

typedef struct tel__memory_arena {
    tel__memory*       memory;
    tel__memory_chunk* chunks;          /* the first one is being filled */
    size_t             used;
} tel__memory_arena;

#define TEL__MEMORY_CHUNK ((size_t)16384)

TEL__FN void* tel__memory_take(tel__memory_arena* a, size_t size) {
    tel__memory_chunk* c = a->chunks;
    size_t head = TEL__ROUND(sizeof *c, 16), want = TEL__ROUND(size, 16), capacity = TEL__MEMORY_CHUNK;
    if (!c || c->capacity - a->used < want) {
        while (capacity < want + head) { capacity *= 2; }
        c = (tel__memory_chunk*)tel__memory_alloc_raw(a->memory, capacity);
        if (!c) { return NULL; }
        c->next = a->chunks;
        c->capacity = capacity;
        a->chunks = c;
        a->used = head;
    }
    a->used += want;
    return (char*)c + (a->used - want);
}

/* Gives back all but one chunk, the largest, which the next use starts with. */
TEL__COLD void tel__memory_rewind(tel__memory_arena* a) {
    tel__memory_chunk* keep = a->chunks;
    tel__memory_chunk* c;
    for (c = a->chunks; c; c = c->next) {
        if (c->capacity > keep->capacity) { keep = c; }
    }
    while ((c = a->chunks) != NULL) {
        a->chunks = c->next;
        if (c != keep) { tel__memory_free(a->memory, c, c->capacity); }
    }
    if (keep) { keep->next = NULL; }
    a->chunks = keep;
    a->used = TEL__ROUND(sizeof *keep, 16);
}

TEL__COLD void tel__memory_release(tel__memory_arena* a) {
    tel__memory_rewind(a);
    if (a->chunks) { tel__memory_free(a->memory, a->chunks, a->chunks->capacity); }
    a->chunks = NULL;
}

/* ---- slots: a stack of free indices ---- */

typedef struct tel__memory_slots {
    tel__atomic_u64  head;              /* tag << 32 | (index + 1); index part 0: empty */
    tel__atomic_u32  fresh;             /* indices below were handed out at least once */
    uint32_t         count;
    tel__atomic_u32* next;              /* next[i]: the index + 1 below i in the stack */
} tel__memory_slots;

#define TEL__MEMORY_NO_SLOT UINT32_MAX

/* An index that is nobody else's until it is put back; TEL__MEMORY_NO_SLOT when none is left. Takes the one
   put back last, so few of many slots are ever touched; *is_fresh: nobody had it before. Lock-free. */
TEL__FN uint32_t tel__memory_slot_take(tel__memory_slots* s, bool* is_fresh) {
    uint64_t head = tel__atomic_load_acquire_u64(&s->head);
    uint32_t fresh;
    *is_fresh = false;
    while ((uint32_t)head) {
        uint32_t i = (uint32_t)head - 1;
        uint64_t next = ((head >> 32) + 1) << 32 | tel__atomic_load_u32(&s->next[i]);
        if (tel__atomic_cas_u64(&s->head, &head, next)) { return i; }
    }
    fresh = tel__atomic_load_u32(&s->fresh);
    while (fresh < s->count) {
        if (tel__atomic_cas_u32(&s->fresh, &fresh, fresh + 1)) { *is_fresh = true; return fresh; }
    }
    return TEL__MEMORY_NO_SLOT;
}

TEL__FN void tel__memory_slot_put(tel__memory_slots* s, uint32_t i) {
    uint64_t head = tel__atomic_load_u64(&s->head);
    do {
        tel__atomic_store_u32(&s->next[i], (uint32_t)head);
    } while (!tel__atomic_cas_u64(&s->head, &head, ((head >> 32) + 1) << 32 | (i + 1)));
}

/* ==== R07 >>text ======================================================================================
   Text in and out, without locale, format strings or a NUL to look for: the one bounded builder, numbers
   to text and back, hex, JSON strings, repair of UTF-8, percent-decoding, and the small string tools.

   Uses      R01 platform, R06 memory.         Used by   R08-R22.
   Threads   pure functions of their arguments; a builder belongs to one thread at a time.
   Holds     size <= capacity. What stands in a builder is a prefix of what was put: from the first byte
             lost it takes nothing more, so size + lost is what the whole would have needed (at most,
             where a reserve failed). Output of the JSON and UTF-8 functions is valid UTF-8 whatever
             comes in. A double survives the way to text and back bit for bit.
   Tests     tests/rooms/text.c   fuzz: tests/fuzz/utf8.c, tests/fuzz/percent_decode.c   bench: text.json
*/

/* ---- views ---- */

/* NULL is "". */
TEL__COLD tel_text tel__text_of(const char* cstr) {
    tel_text t;
    t.data = cstr ? cstr : "";
    t.size = strlen(t.data);
    return t;
}

TEL__INLINE tel_text tel__text_sized(const char* data, size_t size) {
    tel_text t;
    t.data = data;
    t.size = size;
    return t;
}

TEL__COLD tel_text tel__text_trim(tel_text t) {
    while (t.size > 0 && (t.data[0] == ' ' || t.data[0] == '\t')) { t.data++; t.size--; }
    while (t.size > 0 && (t.data[t.size - 1] == ' ' || t.data[t.size - 1] == '\t')) { t.size--; }
    return t;
}

TEL__COLD bool tel__text_equal(tel_text a, tel_text b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

TEL__INLINE char tel__text_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

TEL__COLD bool tel__text_equal_nocase(tel_text a, tel_text b) {
    size_t i;
    if (a.size != b.size) { return false; }
    for (i = 0; i < a.size; i++) {
        if (tel__text_lower(a.data[i]) != tel__text_lower(b.data[i])) { return false; }
    }
    return true;
}

/* Takes the next piece off the front of *rest. There is one piece more than there are separators: "" is
   one empty piece, "a," is "a" and "". After the last one rest->data is NULL and the answer is false. */
TEL__COLD bool tel__text_split(tel_text* rest, char separator, tel_text* item) {
    const char* at;
    if (!rest->data) { return false; }
    at = rest->size ? (const char*)memchr(rest->data, separator, rest->size) : NULL;
    item->data = rest->data;
    item->size = at ? (size_t)(at - rest->data) : rest->size;
    rest->data = at ? at + 1 : NULL;
    rest->size = at ? rest->size - item->size - 1 : 0;
    return true;
}

/* ---- builder ---- */

/* more_fn: NULL for a fixed buffer. Else it makes room for `want` more bytes, by moving data to a larger
   capacity or by handing data on and setting size to 0; it may make less room than that, and answers false
   when it can make none. To use a builder again, set size and lost to 0. */
typedef struct tel__text_out {
    char*  data;
    size_t size, capacity;
    size_t lost;                        /* bytes that did not fit; nonzero: content is not whole */
    bool (*more_fn)(struct tel__text_out* out, size_t want);
    void*  user_data;
} tel__text_out;

TEL__COLD tel__text_out tel__text_fixed(char* data, size_t capacity) {
    tel__text_out o;
    memset(&o, 0, sizeof o);
    o.data = data;
    o.capacity = capacity;
    return o;
}

TEL__COLD bool tel__text_heap_more(tel__text_out* o, size_t want) {
    size_t capacity = o->capacity ? o->capacity : 128;
    tel__memory* m = (tel__memory*)o->user_data;
    char* data;
    if (want > SIZE_MAX / 4 - o->size) { return false; }
    do { capacity *= 2; } while (capacity < o->size + want);
    data = (char*)tel__memory_alloc_raw(m, capacity);
    if (!data) { return false; }
    if (o->data) {
        memcpy(data, o->data, o->size);
        tel__memory_free(m, o->data, o->capacity);
    }
    o->data = data;
    o->capacity = capacity;
    return true;
}

/* Doubles from 256 bytes, as far as the memory cap lets it. */
TEL__COLD tel__text_out tel__text_heap(tel__memory* m) {
    tel__text_out o = tel__text_fixed(NULL, 0);
    o.more_fn = tel__text_heap_more;
    o.user_data = m;
    return o;
}

/* The builder is empty afterwards and may be used again. */
TEL__COLD void tel__text_heap_free(tel__text_out* o) {
    if (o->data) { tel__memory_free((tel__memory*)o->user_data, o->data, o->capacity); }
    o->data = NULL;
    o->size = o->capacity = o->lost = 0;
}

TEL__INLINE bool tel__text_fits(const tel__text_out* o, size_t n) {
    return TEL__LIKELY(n <= o->capacity - o->size && o->lost == 0);
}

TEL__NOINLINE char* tel__text_reserve_more(tel__text_out* o, size_t n) {
    if (o->lost == 0 && o->more_fn && o->more_fn(o, n) && n <= o->capacity - o->size) {
        return o->data + o->size;
    }
    o->lost += n;
    return NULL;
}

/* n writable bytes at data + size, or NULL and n more lost. Does not advance size: hot encoders reserve
   for a whole item, write with the cursor functions and set size at the end. */
TEL__INLINE char* tel__text_reserve(tel__text_out* o, size_t n) {
    return tel__text_fits(o, n) ? o->data + o->size : tel__text_reserve_more(o, n);
}

/* In pieces, because a builder that hands its data on may be asked for more than it can ever hold. */
TEL__NOINLINE void tel__text_put_more(tel__text_out* o, const char* data, size_t n) {
    bool more = o->lost == 0;
    while (more && n > 0) {
        size_t piece;
        more = o->more_fn && o->more_fn(o, n);
        piece = o->capacity - o->size;
        if (piece == 0) { break; }
        if (piece > n) { piece = n; }
        memcpy(o->data + o->size, data, piece);
        o->size += piece;
        data += piece;
        n -= piece;
    }
    o->lost += n;
}

TEL__CALL void tel__text_put(tel__text_out* o, const void* data, size_t n) {
    if (n == 0) { return; }
    if (!tel__text_fits(o, n)) { tel__text_put_more(o, (const char*)data, n); return; }
    memcpy(o->data + o->size, data, n);
    o->size += n;
}
#define TEL__TEXT_LIT(o, literal) tel__text_put((o), "" literal, sizeof(literal) - 1)

TEL__FN void tel__text_put_cstr(tel__text_out* o, const char* s) {
    if (s) { tel__text_put(o, s, strlen(s)); }
}

TEL__CALL void tel__text_put_char(tel__text_out* o, char c) { tel__text_put(o, &c, 1); }

/* ---- integers and hex ---- */

#define TEL__TEXT_TEN(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"
static const char tel__text_pairs[] =           /* 00 to 99 */
    TEL__TEXT_TEN("0") TEL__TEXT_TEN("1") TEL__TEXT_TEN("2") TEL__TEXT_TEN("3") TEL__TEXT_TEN("4")
    TEL__TEXT_TEN("5") TEL__TEXT_TEN("6") TEL__TEXT_TEN("7") TEL__TEXT_TEN("8") TEL__TEXT_TEN("9");

TEL__INLINE void tel__text_pair(char* p, uint32_t v) { memcpy(p, tel__text_pairs + 2 * v, 2); }

TEL__INLINE void tel__text_eight(char* p, uint32_t v) {
    uint32_t high = v / 10000, low = v % 10000;
    tel__text_pair(p, high / 100);
    tel__text_pair(p + 2, high % 100);
    tel__text_pair(p + 4, low / 100);
    tel__text_pair(p + 6, low % 100);
}

/* v below 10^8, without leading zeros. */
TEL__INLINE char* tel__text_up_to_eight(char* p, uint32_t v) {
    char* end;
    char* at;
    if (v < 10) { *p = (char)('0' + v); return p + 1; }
    if (v < 100) { tel__text_pair(p, v); return p + 2; }
    end = p + 3 + (v >= 1000) + (v >= 10000) + (v >= 100000) + (v >= 1000000) + (v >= 10000000);
    for (at = end - 2; v >= 100; at -= 2, v /= 100) { tel__text_pair(at, v % 100); }
    if (v >= 10) { tel__text_pair(at, v); } else { at[1] = (char)('0' + v); }
    return end;
}

/* The cursor functions check nothing and return the new end. This one wants 20 bytes at p. Blocks of eight
   digits keep all but one or two of the divisions in 32 bits and independent of each other. */
TEL__FN char* tel__text_write_u64(char* p, uint64_t v) {
    if (v < 100000000u) { return tel__text_up_to_eight(p, (uint32_t)v); }
    if (v < 10000000000000000u) {
        p = tel__text_up_to_eight(p, (uint32_t)(v / 100000000u));
        tel__text_eight(p, (uint32_t)(v % 100000000u));
        return p + 8;
    }
    p = tel__text_up_to_eight(p, (uint32_t)(v / 10000000000000000u));
    v %= 10000000000000000u;
    tel__text_eight(p, (uint32_t)(v / 100000000u));
    tel__text_eight(p + 8, (uint32_t)(v % 100000000u));
    return p + 16;
}

/* Wants 20 bytes at p. */
TEL__FN char* tel__text_write_i64(char* p, int64_t v) {
    if (v >= 0) { return tel__text_write_u64(p, (uint64_t)v); }
    *p = '-';
    return tel__text_write_u64(p + 1, 0 - (uint64_t)v);
}

/* Lowercase; wants 2 n bytes at p. Both digits of a byte at once, each in eight bits of v. */
TEL__CALL char* tel__text_write_hex(char* p, const uint8_t* bytes, size_t n) {
    for (; n > 0; bytes++, n--) {
        uint32_t v = (uint32_t)*bytes >> 4 | (*bytes & 15u) << 8;
        v += 0x3030u + ((v + 0x0606u) >> 4 & 0x0101u) * ('a' - '0' - 10);
        *p++ = (char)(v & 255);
        *p++ = (char)(v >> 8);
    }
    return p;
}

TEL__FN void tel__text_put_u64(tel__text_out* o, uint64_t v) {
    char digits[20];
    if (tel__text_fits(o, sizeof digits)) {
        o->size = (size_t)(tel__text_write_u64(o->data + o->size, v) - o->data);
    } else {
        tel__text_put(o, digits, (size_t)(tel__text_write_u64(digits, v) - digits));
    }
}

TEL__FN void tel__text_put_i64(tel__text_out* o, int64_t v) {
    if (v < 0) { tel__text_put_char(o, '-'); }
    tel__text_put_u64(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

TEL__FN void tel__text_put_hex(tel__text_out* o, const uint8_t* bytes, size_t n) {
    char digits[32];
    while (n > 0) {
        size_t part = n < 16 ? n : 16;
        tel__text_put(o, digits, (size_t)(tel__text_write_hex(digits, bytes, part) - digits));
        bytes += part;
        n -= part;
    }
}

/* ---- doubles to text ----
   The shortest decimal that reads back as the same double and, of those, the one nearest to it; the method
   is Raffaello Giulietti's ("The Schubfach way to render doubles", 2020): scale the bounds of the rounding
   interval by a power of ten with one long multiplication each, and look whether a multiple of ten, else a
   single integer, lies between them. Integers only: no rounding mode and no x87 register can bend it. */

TEL__FN uint64_t tel__text_multiply_portable(uint64_t a, uint64_t b, uint64_t* high) {
    uint64_t low = (a & 0xffffffffu) * (b & 0xffffffffu);
    uint64_t mid = (a >> 32) * (b & 0xffffffffu) + (low >> 32);
    uint64_t mix = (a & 0xffffffffu) * (b >> 32) + (mid & 0xffffffffu);
    *high = (a >> 32) * (b >> 32) + (mid >> 32) + (mix >> 32);
    return (mix << 32) | (low & 0xffffffffu);
}

/* The low half of a * b. */
TEL__INLINE uint64_t tel__text_multiply(uint64_t a, uint64_t b, uint64_t* high) {
#if TEL__INT128
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#else
    return tel__text_multiply_portable(a, b, high);
#endif
}

typedef struct tel__text_power { uint64_t high, low; } tel__text_power;

/* 10^e, -297 <= e <= 350, as the 128 leading bits of its binary form: at least the exact value and at most
   3 units above it. The large table has every 27th power, rounded up; the small one the steps between. That
   this closeness suffices was proved for every exponent of a double, by the extremes of c * 10^e mod 1
   over all significands c; a test looks at those closest calls. */
TEL__FN tel__text_power tel__text_pow10(int e) {
    static const uint64_t far_table[48] = {
        0xa76c582338ed2621, 0xaf2af2b80af6f24f, 0x873e4f75e2224e68, 0x5a7744a6e804a292,
        0xda7f5bf590966848, 0xaf39a475506a899f, 0xb080392cc4349dec, 0xbd8d794d96aacfb4,
        0x8e938662882af53e, 0x547eb47b7282ee9d, 0xe65829b3046b0afa, 0x0cb4a5a3112a5113,
        0xba121a4650e4ddeb, 0x92f34d62616ce414, 0x964e858c91ba2655, 0x3a6a07f8d510f870,
        0xf2d56790ab41c2a2, 0xfae27299423fb9c4, 0xc428d05aa4751e4c, 0xaa97e14c3c26b887,
        0x9e74d1b791e07e48, 0x775ea264cf55347e, 0x8000000000000000, 0x0000000000000000,
        0xcecb8f27f4200f3a, 0x0000000000000000, 0xa70c3c40a64e6c51, 0x999090b65f67d924,
        0x86f0ac99b4e8dafd, 0x69a028bb3ded71a4, 0xda01ee641a708de9, 0xe80e6f4820cc9496,
        0xb01ae745b101e9e4, 0x5ec05dcff72e7f90, 0x8e41ade9fbebc27d, 0x14588f13be847308,
        0xe5d3ef282a242e81, 0x8f1668c8a86da5fb, 0xb9a74a0637ce2ee1, 0x6d953e2bd7173693,
        0x95f83d0a1fb69cd9, 0x4abdaf101564f98f, 0xf24a01a73cf2dccf, 0xbc633b39673c8ced,
        0xc3b8358109e84f07, 0x0a862f80ec4700c9, 0x9e19db92b4e31ba9, 0x6c07a2c26a8346d2
    };
    static const uint64_t near_table[27] = {
        0x8000000000000000, 0xa000000000000000, 0xc800000000000000, 0xfa00000000000000,
        0x9c40000000000000, 0xc350000000000000, 0xf424000000000000, 0x9896800000000000,
        0xbebc200000000000, 0xee6b280000000000, 0x9502f90000000000, 0xba43b74000000000,
        0xe8d4a51000000000, 0x9184e72a00000000, 0xb5e620f480000000, 0xe35fa931a0000000,
        0x8e1bc9bf04000000, 0xb1a2bc2ec5000000, 0xde0b6b3a76400000, 0x8ac7230489e80000,
        0xad78ebc5ac620000, 0xd8d726b7177a8000, 0x878678326eac9000, 0xa968163f0a57b400,
        0xd3c21bcecceda100, 0x84595161401484a0, 0xa56fa5b99019a5c8
    };
    unsigned at = (unsigned)(e + 297);
    const uint64_t* far_power = far_table + 2 * (at / 27);
    uint64_t step = near_table[at % 27], middle;
    tel__text_power p;
    uint64_t last = tel__text_multiply(far_power[1], step, &middle);
    p.low = tel__text_multiply(far_power[0], step, &p.high) + middle;
    p.high += p.low < middle;
    if (!(p.high >> 63)) {
        p.high = (p.high << 1) | (p.low >> 63);
        p.low = (p.low << 1) | (last >> 63);
    }
    p.low++;
    p.high += p.low == 0;
    return p;
}

/* c * power / 2^128, with the last bit set when anything was cut off. The excess of the power never
   reaches y: below 2^60 for c, times 3, is less than one of its units. */
TEL__INLINE uint64_t tel__text_scale(tel__text_power power, uint64_t c) {
    uint64_t x, y, z;
    (void)tel__text_multiply(power.low, c, &x);
    y = tel__text_multiply(power.high, c, &z) + x;
    z += y < x;
    return z | (y != 0);
}

/* The digits of c * 2^q as an integer without trailing zeros, and the power of ten to multiply with. All
   is in quarters of a unit, so that the bounds, half a unit away, are integers; the lower one is nearer
   where the spacing of doubles doubles. The shifts stand for log10(2) and log2(10), exact in this range. */
TEL__FN uint64_t tel__text_shortest(uint64_t c, int q, bool nearer, int* exponent) {
    int k = (q * 1262611 - (nearer ? 524031 : 0)) >> 22;
    int shift = q + ((-k * 1741647) >> 19) + 1;
    tel__text_power power = tel__text_pow10(-k);
    uint64_t odd = c & 1;               /* ties go to even: then the bounds themselves read back as v */
    uint64_t low  = tel__text_scale(power, (4 * c - 2 + nearer) << shift) + odd;
    uint64_t v    = tel__text_scale(power, (4 * c) << shift);
    uint64_t high = tel__text_scale(power, (4 * c + 2) << shift) - odd;
    uint64_t s = v / 4, tens = s / 10;
    bool down = low <= 40 * tens, up = 40 * tens + 40 <= high;
    if (down != up) {
        s = tens + up;
        k++;
        while (s % 100000000u == 0) { s /= 100000000u; k += 8; }
        if (s % 10000 == 0) { s /= 10000; k += 4; }
        if (s % 100 == 0) { s /= 100; k += 2; }
        if (s % 10 == 0) { s /= 10; k += 1; }
    } else {
        down = low <= 4 * s;
        up = 4 * s + 4 <= high;
        if (down == up) { up = v > 4 * s + 2 || (v == 4 * s + 2 && (s & 1)); }
        s += up;
    }
    *exponent = k;
    return s;
}

/* Lays out digits * 10^exponent: plain from 0.00001 to below 1e+21, else d.ddde-06, which all readers take alike. */
TEL__FN char* tel__text_layout(char* p, uint64_t digits, int exponent) {
    char text[20];
    int n = (int)(tel__text_write_u64(text, digits) - text);
    int point = n + exponent;           /* digits before the decimal point */
    if (point > 21 || point < -4) {
        unsigned e = (unsigned)(point > 0 ? point - 1 : 1 - point);
        *p++ = text[0];
        if (n > 1) { *p++ = '.'; memcpy(p, text + 1, (size_t)n - 1); p += n - 1; }
        *p++ = 'e';
        *p++ = point > 0 ? '+' : '-';
        if (e >= 100) { *p++ = (char)('0' + e / 100); }
        tel__text_pair(p, e % 100);
        return p + 2;
    }
    if (point <= 0) {
        memcpy(p, "0.00000", 7);
        memcpy(p + 2 - point, text, (size_t)n);
        return p + 2 - point + n;
    }
    if (point >= n) {
        memcpy(p, text, (size_t)n);
        memset(p + n, '0', (size_t)(point - n));
        return p + point;
    }
    memcpy(p, text, (size_t)point);
    p[point] = '.';
    memcpy(p + point + 1, text + point, (size_t)(n - point));
    return p + n + 1;
}

/* Wants 32 bytes at p. Not finite: NaN, +Inf, -Inf, as Prometheus spells them. */
TEL__FN char* tel__text_write_double(char* p, double v) {
    uint64_t bits, c;
    int q, exponent;
    bool nearer;
    memcpy(&bits, &v, sizeof bits);
    c = bits & 0xfffffffffffffu;
    q = (int)(bits >> 52 & 0x7ff);
    if (q == 0x7ff) {
        memcpy(p, c ? "NaN" : bits >> 63 ? "-Inf" : "+Inf", c ? 3 : 4);
        return p + (c ? 3 : 4);
    }
    if (bits >> 63) { *p++ = '-'; }
    if (q == 0 && c == 0) { *p = '0'; return p + 1; }
    nearer = c == 0 && q > 1;
    if (q > 0) { c |= (uint64_t)1 << 52; } else { q = 1; }
    q -= 1075;
    if (q <= 0 && q > -53 && (c & (((uint64_t)1 << -q) - 1)) == 0) {    /* an integer below 2^53 */
        return tel__text_write_u64(p, c >> -q);
    }
    c = tel__text_shortest(c, q, nearer, &exponent);
    return tel__text_layout(p, c, exponent);
}

TEL__FN void tel__text_put_double(tel__text_out* o, double v) {
    char digits[32];
    if (tel__text_fits(o, sizeof digits)) {
        o->size = (size_t)(tel__text_write_double(o->data + o->size, v) - o->data);
    } else {
        tel__text_put(o, digits, (size_t)(tel__text_write_double(digits, v) - digits));
    }
}

/* JSON has no such numbers; OTLP writes them as strings, spelled as in the proto3 JSON mapping. */
TEL__FN void tel__text_put_json_double(tel__text_out* o, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);             /* the compiler may have been told that no such v exists */
    if ((bits >> 52 & 0x7ff) != 0x7ff) { tel__text_put_double(o, v); }
    else if (bits << 12) { TEL__TEXT_LIT(o, "\"NaN\""); }
    else if (bits >> 63) { TEL__TEXT_LIT(o, "\"-Infinity\""); }
    else { TEL__TEXT_LIT(o, "\"Infinity\""); }
}

/* ---- text to numbers ---- */

/* Digits alone: TEL_ERR_FORMAT for anything else, TEL_ERR_LIMIT above max. */
TEL__COLD tel_result tel__text_parse_u64(tel_text t, uint64_t max, uint64_t* out) {
    uint64_t v = 0;
    bool over = false;
    size_t i;
    if (t.size == 0) { return TEL_ERR_FORMAT; }
    for (i = 0; i < t.size; i++) {
        unsigned digit = (unsigned)(unsigned char)t.data[i] - '0';
        if (digit > 9) { return TEL_ERR_FORMAT; }
        over = over || v > max / 10 || (v == max / 10 && digit > max % 10);
        v = v * 10 + digit;
    }
    if (over) { return TEL_ERR_LIMIT; }
    *out = v;
    return TEL_OK;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point, and nothing around it: else
   TEL_ERR_FORMAT. Correctly rounded for up to 15 digits and powers of ten to 22, which is all that configuration
   has; beyond that right to 15 digits. Too large for a double: TEL_ERR_LIMIT; too small: 0. */
TEL__COLD tel_result tel__text_parse_double(tel_text t, double* out) {
    const char* p = t.data;
    const char* end = t.size ? p + t.size : p;
    uint64_t n = 0;
    int exponent = 0, written = 0;
    bool minus = false, minus_e = false, point = false, digit = false;
    double v, power = 1;
    if (p < end && (*p == '-' || *p == '+')) { minus = *p++ == '-'; }
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !point)); p++) {
        if (*p == '.') { point = true; continue; }
        digit = true;
        if (n < UINT64_MAX / 10 - 1) { n = n * 10 + (uint64_t)(*p - '0'); exponent -= point; }
        else { exponent += !point && exponent < 100000; }
        if (exponent < -100000) { exponent = -100000; }
    }
    if (!digit) { return TEL_ERR_FORMAT; }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        minus_e = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) { p++; }
        if (p == end) { return TEL_ERR_FORMAT; }
        for (; p < end && *p >= '0' && *p <= '9'; p++) {
            if (written < 100000) { written = written * 10 + (*p - '0'); }
        }
    }
    if (p != end) { return TEL_ERR_FORMAT; }
    exponent += minus_e ? -written : written;
    v = (double)n;
    for (; n && exponent < -22 && v > 0; exponent += 22) { v /= 1e22; }
    for (; n && exponent > 22 && v <= DBL_MAX; exponent -= 22) { v *= 1e22; }
    for (written = exponent < 0 ? -exponent : exponent; n && written > 0 && written <= 22; written--) { power *= 10; }
    v = exponent < 0 ? v / power : v * power;
    if (v > DBL_MAX) { return TEL_ERR_LIMIT; }
    *out = minus ? -v : v;
    return TEL_OK;
}

/* ---- UTF-8 and JSON strings ---- */

/* The length of the character at p, n > 0 bytes before the end. Not one: 0, and *bad is the length of the
   maximal subpart that one U+FFFD stands for (Unicode 15, table 3-7 and "U+FFFD Substitution of Maximal
   Subparts"). No overlong forms, no surrogates, nothing above U+10FFFF. */
TEL__FN size_t tel__text_utf8_one(const char* p, size_t n, size_t* bad) {
    unsigned first = (unsigned char)p[0], low = 0x80, high = 0xbf;
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1, i;
    *bad = 1;
    if (first < 0x80) { return 1; }
    if (first < 0xc2 || first > 0xf4) { return 0; }
    if (first == 0xe0) { low = 0xa0; }
    if (first == 0xed) { high = 0x9f; }
    if (first == 0xf0) { low = 0x90; }
    if (first == 0xf4) { high = 0x8f; }
    for (i = 1; i <= more; i++, low = 0x80, high = 0xbf) {
        *bad = i;
        if (i >= n || (unsigned char)p[i] < low || (unsigned char)p[i] > high) { return 0; }
    }
    return more + 1;
}

/* Whether any of eight bytes is not ASCII or, for JSON, must be escaped. A subtraction borrows from the
   next byte only where it has flagged this one, so it may flag too much but never too little. */
TEL__INLINE bool tel__text_special(uint64_t x, bool json) {
    const uint64_t ones = 0x0101010101010101u;
    uint64_t flags = x;
    if (json) { flags |= (x - ones * ' ') | ((x ^ ones * '"') - ones) | ((x ^ ones * '\\') - ones); }
    return (flags & ones * 0x80) != 0;
}

/* How many bytes from the front can be copied as they are. */
TEL__INLINE size_t tel__text_clean(const char* data, size_t size, bool json) {
    size_t i = 0, bad, one;
    while (i < size) {
        unsigned char c;
        while (size - i >= 8) {
            uint64_t x;
            memcpy(&x, data + i, 8);
            if (tel__text_special(x, json)) { break; }
            i += 8;
        }
        if (i == size) { break; }
        c = (unsigned char)data[i];
        if (json && (c < ' ' || c == '"' || c == '\\')) { break; }
        one = c < 0x80 ? 1 : tel__text_utf8_one(data + i, size - i, &bad);
        if (one == 0) { break; }
        i += one;
    }
    return i;
}

/* The largest prefix of at most limit bytes that splits no character. */
TEL__COLD size_t tel__text_utf8_cut(const char* data, size_t size, size_t limit) {
    size_t at = limit, bad;
    if (size <= limit) { return size; }
    while (at > 0 && limit - at < 3 && ((unsigned char)data[at] & 0xc0) == 0x80) { at--; }
    return at + tel__text_utf8_one(data + at, size - at, &bad) > limit ? at : limit;
}

/* One character that cannot stay as it is; answers how many bytes of the input it was. */
TEL__FN size_t tel__text_put_special(tel__text_out* o, const char* data, size_t size, bool json) {
    unsigned char c = (unsigned char)data[0];
    char escape[6] = { '\\', 'u', '0', '0', '0', '0' };
    size_t bad = 1;
    if (!json || c >= 0x80) {
        (void)tel__text_utf8_one(data, size, &bad);
        TEL__TEXT_LIT(o, "\xef\xbf\xbd");
    } else if (c >= ' ' || (c >= 8 && c <= 13 && c != 11)) {
        escape[1] = c >= ' ' ? (char)c : "btn?fr"[c - 8];
        tel__text_put(o, escape, 2);
    } else {
        tel__text_write_hex(escape + 4, &c, 1);
        tel__text_put(o, escape, 6);
    }
    return bad;
}

/* A repaired copy: every maximal subpart of what is not UTF-8 becomes U+FFFD. json: and what JSON wants escaped is. */
TEL__CALL void tel__text_put_repaired(tel__text_out* o, const char* data, size_t size, bool json) {
    while (size > 0) {
        size_t n = json ? tel__text_clean(data, size, true) : tel__text_clean(data, size, false);
        tel__text_put(o, data, n);
        if (n < size) { n += tel__text_put_special(o, data + n, size - n, json); }
        data += n;
        size -= n;
    }
}

TEL__FN void tel__text_put_utf8(tel__text_out* o, const char* data, size_t size) {
    tel__text_put_repaired(o, data, size, false);
}

/* Copies from the front of ASCII that needs no escape, looking at eight bytes at a time; answers how many
   bytes. p has room for size. Any last bytes are taken as one word that overlaps the one before. */
TEL__INLINE size_t tel__text_copy_plain(char* p, const char* data, size_t size) {
    const size_t last = size >= 8 ? size - 8 : size >= 4 ? size - 4 : 0;
    size_t i = 0;
    uint64_t x = 0x2020202020202020u;
    if (size >= 8) {
        for (; i <= last; i += 8) {
            memcpy(&x, data + i, 8);
            if (tel__text_special(x, true)) { return i; }
            memcpy(p + i, &x, 8);
        }
        memcpy(&x, data + last, 8);
        if (tel__text_special(x, true)) { return i; }
        memcpy(p + last, &x, 8);
    } else if (size >= 4) {
        uint32_t half[2];
        memcpy(&half[0], data, 4);
        memcpy(&half[1], data + last, 4);
        if (tel__text_special((uint64_t)half[0] << 32 | half[1], true)) { return 0; }
        memcpy(p, &half[0], 4);
        memcpy(p + last, &half[1], 4);
    } else if (size > 0) {
        char few[8] = { ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ' };
        few[0] = data[0];
        few[1] = data[size / 2];
        few[2] = data[size - 1];
        memcpy(&x, few, 8);
        if (tel__text_special(x, true)) { return 0; }
        p[0] = few[0];
        p[size / 2] = few[1];
        p[size - 1] = few[2];
    }
    return size;
}

/* With its quotes; " \ and U+0000 to U+001F escaped (RFC 8259, section 7), UTF-8 repaired. */
TEL__FN void tel__text_put_json_string(tel__text_out* o, const char* data, size_t size) {
    size_t n = 0;
    if (tel__text_fits(o, size + 2)) {          /* what is put is never shorter than what came in */
        char* p = o->data + o->size;
        *p = '"';
        n = tel__text_copy_plain(p + 1, data, size);
        o->size += n + 1;
        if (n == size) { p[n + 1] = '"'; o->size++; return; }
    } else {
        tel__text_put_char(o, '"');
    }
    if (n < size) { tel__text_put_repaired(o, data + n, size - n, true); }
    tel__text_put_char(o, '"');
}

/* ---- percent-decoding ---- */

TEL__COLD int tel__text_hex_value(char c) {
    if (c >= '0' && c <= '9') { return c - '0'; }
    c = tel__text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986, section 2.1; a plus sign stays one. A % without two hex digits: TEL_ERR_FORMAT; more than
   capacity bytes: TEL_ERR_LIMIT; *size is then untouched and out unspecified. out may be in.data. */
TEL__COLD tel_result tel__text_percent_decode(tel_text in, char* out, size_t capacity, size_t* size) {
    size_t i = 0, n = 0;
    while (i < in.size) {
        char c = in.data[i++];
        if (c == '%') {
            int high = in.size - i >= 2 ? tel__text_hex_value(in.data[i]) : -1;
            int low = high >= 0 ? tel__text_hex_value(in.data[i + 1]) : -1;
            if (low < 0) { return TEL_ERR_FORMAT; }
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        }
        if (n == capacity) { return TEL_ERR_LIMIT; }
        out[n++] = c;
    }
    *size = n;
    return TEL_OK;
}

/* ==== R08 >>diag ======================================================================================
   The SDK talking about itself: numbered items, each said at once, and those that could repeat at most
   once a minute with the number of times it was held back.

   Uses      R01-R04.      Used by   R09-R22.
   Threads   any. note never makes a system call and is for the record path.
   Holds     next[i] is the monotonic time from which item i may be said again; the thread whose cas moves
             it says it. noted[i] is a borrowed static text or NULL, swapped out by the one who says it.
   Tests     tests/rooms/diag.c   fuzz: none   bench: none
*/
#define TEL__DIAG_ERROR 1
#define TEL__DIAG_WARN  2
#define TEL__DIAG_INFO  3
#define TEL__DIAG_DEBUG 4

/* X(name, level, repeats, what the user reads first). Numbers follow the order: append, never insert. */
#define TEL__DIAG_ITEMS(X)                                                                              \
    X(INIT,             1, 0, "tel_init failed")                                                        \
    X(BUILD,            1, 0, "caller and implementation come from different telemetry.h files")         \
    X(DESC,             1, 0, "tel_desc")                                                               \
    X(ENV,              2, 0, "environment variable ignored")                                           \
    X(ENV_PROTOCOL,     2, 0, "protocol not in this build, OTLP is sent as http/json")                  \
    X(HEADERS,          2, 0, "header ignored")                                                         \
    X(URL,              1, 0, "endpoint")                                                               \
    X(NO_TLS,           1, 0, "https needs TELEMETRY_CURL or tel_otlp_desc.post_fn")                    \
    X(COMPRESSION,      2, 0, "compression is not available, sending uncompressed")                     \
    X(RESOURCE,         2, 0, "resource attributes discarded")                                          \
    X(THREAD,           1, 0, "no thread could be started, use desc.no_thread and tel_pump")            \
    X(SINK_OPEN,        1, 0, "sink did not open")                                                      \
    X(LISTEN,           1, 0, "scrape endpoint cannot listen (tel_prometheus_desc.host, .port)")        \
    X(INSTRUMENT_NAME,  2, 0, "instrument name is not valid, it records nothing")                       \
    X(INSTRUMENT_CLASH, 2, 0, "instrument was seen before with another kind or unit, both are exported") \
    X(INSTRUMENT_CASE,  2, 0, "instrument differs from an earlier one in case only, the earlier name is used") \
    X(BOUNDS,           2, 0, "histogram bounds are not ascending and finite, the default ones are used") \
    X(EXPONENTIAL,      2, 0, "exponential histograms are not built yet, explicit buckets are used")    \
    X(VALUE,            2, 1, "value dropped: negative, infinite or not a number")                      \
    X(FRACTION,         2, 1, "fraction lost: tel_counter_addf on a counter without options.real")      \
    X(CARDINALITY,      2, 1, "series limit reached (tel_desc.max_series), records go to the overflow series") \
    X(ATTRIBUTES,       2, 1, "attributes cut: more than 64 of them or 4 KiB")                          \
    X(MEMORY,           2, 1, "memory limit reached (tel_desc.memory_limit)")                           \
    X(DROPPED,          2, 1, "records dropped")                                                        \
    X(SPAN_POOL,        2, 1, "more live spans than tel_desc.max_live_spans, new ones are not recorded") \
    X(DETACH,           2, 1, "tel_detach in the wrong order or on the wrong thread")                   \
    X(THREADS,          3, 1, "more recording threads than tel_desc.max_threads, the rest share a ring") \
    X(SINK_FAILED,      2, 1, "sink failed")                                                            \
    X(SEND,             2, 1, "delivery failed")                                                        \
    X(REJECTED,         2, 1, "receiver rejected part of a batch")                                      \
    X(RECEIVER,         3, 1, "receiver says")                                                          \
    X(SHUTDOWN,         2, 0, "shutdown lost records")                                                  \
    X(FAMILY,           2, 1, "metric left out of the Prometheus text")             \
    X(OBSERVER,         2, 0, "observer")                                                               \
    X(PROMETHEUS,       3, 1, "Prometheus text")                                                        \
    X(QUEUE_FULL,       2, 1, "sink is slower than records come, some are dropped (OTEL_BSP_MAX_QUEUE_SIZE, _BLRP_)") \
    X(COLLECTING,       2, 1, "metrics were not collected (timeout: another collection did not end)")

typedef enum tel__diag_item {
#define TEL__DIAG_ENUM(name, level, repeats, text) TEL__DIAG_##name,
    TEL__DIAG_ITEMS(TEL__DIAG_ENUM)
#undef TEL__DIAG_ENUM
    TEL__DIAG_COUNT
} tel__diag_item;

typedef struct tel__diag {
    tel_diag        user;
    int             max_level;
    tel__atomic_u32 errors;             /* said so far: one problem gets one message */
    tel__atomic_u64 next[TEL__DIAG_COUNT];
    tel__atomic_u32 held[TEL__DIAG_COUNT];
    tel__atomic_ptr noted[TEL__DIAG_COUNT];
} tel__diag;

#define TEL__DIAG_KIND(name, level, repeats, text) { level, repeats },
static const struct { unsigned char level, repeats; } tel__diag_kinds[] = { TEL__DIAG_ITEMS(TEL__DIAG_KIND) };
#undef TEL__DIAG_KIND

TEL__COLD const char* tel__diag_text(tel__diag_item item) {
#define TEL__DIAG_TEXT(name, level, repeats, text) text "\0"
    const char* at = TEL__DIAG_ITEMS(TEL__DIAG_TEXT);
#undef TEL__DIAG_TEXT
    int i;
    for (i = 0; i < (int)item; i++) { at += strlen(at) + 1; }
    return at;
}

TEL__COLD void tel__diag_init(tel__diag* d, const tel_diag* user) {
    memset(d, 0, sizeof *d);
    if (user) { d->user = *user; }
    d->max_level = TEL__DIAG_INFO;
}

TEL__COLD const char* tel__diag_result(tel_result r) {
    static const char texts[][32] = {
        "ok", "bad argument", "wrong state", "out of memory", "limit reached", "timeout", "input/output error",
        "malformed", "built from different headers"
    };
    return r <= TEL_OK && r >= TEL_ERR_BUILD ? texts[-(int)r] : "unknown";
}

/* Whether item may be said now; when not, it is counted as held back. */
TEL__COLD bool tel__diag_due(tel__diag* d, tel__diag_item item) {
    uint64_t now = tel__clock_mono_ns(), next = tel__atomic_load_u64(&d->next[item]);
    if (tel__diag_kinds[item].level > d->max_level) { return false; }
    if (!tel__diag_kinds[item].repeats) { return true; }
    if (now >= next && tel__atomic_cas_u64(&d->next[item], &next, now + (uint64_t)60 * 1000000000u)) { return true; }
    tel__atomic_add_u32(&d->held[item], 1);
    return false;
}

TEL__COLD void tel__diag_report_at(tel__diag* d, tel__diag_item item, uint32_t line, const char* format, ...)
    TEL__PRINTF(4, 5);
TEL__COLD void tel__diag_report_at(tel__diag* d, tel__diag_item item, uint32_t line, const char* format, ...) {
    static const char names[][8] = { "error", "warning", "info", "debug" };
    const int level = tel__diag_kinds[item].level;
    char message[512];
    va_list args;
    uint32_t held;
    int n;
    if (!d || !tel__diag_due(d, item)) { return; }
    n = snprintf(message, sizeof message, "%s: ", tel__diag_text(item));
    va_start(args, format);
    vsnprintf(message + n, sizeof message - (size_t)n, format, args);
    va_end(args);
    for (n = 0; message[n]; n++) {      /* quoted input reaches terminals */
        if ((unsigned char)message[n] < 0x20 || message[n] == 0x7f) { message[n] = '?'; }
    }
    if (level == TEL__DIAG_ERROR) { tel__atomic_add_u32(&d->errors, 1); }
    held = tel__atomic_load_u32(&d->held[item]);
    tel__atomic_add_u32(&d->held[item], (uint32_t)0 - held);
    if (held) { snprintf(message + n, sizeof message - (size_t)n, " (and %u times before)", (unsigned)held); }
    if (d->user.func) {
        tel__thread_local saved = tel__thread_quiet_begin();
        d->user.func(level, (uint32_t)item, message, line, d->user.user_data);
        tel__thread_quiet_end(saved);
    } else {
        fprintf(stderr, "telemetry.h: %s %u: %s\n", names[level - 1], (unsigned)item, message);
    }
}
#define tel__diag_report(d, item, ...) tel__diag_report_at(d, item, (uint32_t)__LINE__, __VA_ARGS__)

/* From the record path: the next round of the export thread says it. The text outlives the instance or is static. */
TEL__COLD void tel__diag_note(tel__diag* d, tel__diag_item item, const char* text) {
    void* none = NULL;
    union { const char* in; void* out; } u;
    u.in = text ? text : "";
    if (!tel__atomic_cas_ptr(&d->noted[item], &none, u.out)) { tel__atomic_add_u32(&d->held[item], 1); }
}

TEL__COLD void tel__diag_flush(tel__diag* d) {
    int i;
    for (i = 0; i < TEL__DIAG_COUNT; i++) {
        bool noted = tel__atomic_load_ptr(&d->noted[i]) != NULL;
        const char* text = noted ? (const char*)tel__atomic_swap_ptr(&d->noted[i], NULL) : NULL;
        if (text) { tel__diag_report(d, (tel__diag_item)i, "%s", text); }
    }
}

/* ==== R09 >>attrs =====================================================================================
   Attributes: their sizes, equality and hash, the canonical form that names a series, and the packed
   form in which they travel through a ring. Also the table of instrumentation scopes.

   Uses      R02-R03, R06 memory.              Used by   R11-R22.
   Threads   functions on values: any. Scope table: find by any thread, lock-free once a scope is known.
   Holds     a canonical list is sorted by key bytes, has no key twice, no empty key, at most
             TEL__ATTR_MAX items. The hash of a list is the sum of the hashes of its items, so it does not
             depend on their order. A packed item is head | number | key NUL | string NUL, padded to 8, and
             holds no pointer. scopes->at[i] is published with release before count exceeds i.
   Tests     tests/rooms/attrs.c   fuzz: tests/fuzz/attrs_pack.c   bench: counter.add_with
*/
#define TEL__ATTR_MAX   64
#define TEL__ATTR_BYTES 4096

TEL__INLINE size_t tel__attr_key_size(const tel_attr* a) {
    return a->tel__key_size ? a->tel__key_size : a->key ? strlen(a->key) : 0;
}

TEL__INLINE tel_text tel__attr_string(const tel_attr* a) {
    tel_text t = a->as.s;
    if (!t.data) { t.data = ""; t.size = 0; }
    if (t.size == SIZE_MAX) { t.size = strlen(t.data); }
    return t;
}

/* The eight bytes of a number; false is 0, true 1. */
TEL__INLINE uint64_t tel__attr_word(const tel_attr* a) {
    return a->type == TEL_TYPE_BOOL ? (uint64_t)a->as.b
         : a->type == TEL_TYPE_DOUBLE ? tel__atomic_bits(a->as.d) : (uint64_t)a->as.i;
}

TEL__INLINE uint64_t tel__attr_read8(const char* p) { uint64_t v; memcpy(&v, p, 8); return v; }
TEL__INLINE uint64_t tel__attr_read4(const char* p) { uint32_t v; memcpy(&v, p, 4); return v; }

/* Zero where eight bytes, or twice eight, are alike. */
TEL__INLINE uint64_t tel__attr_unlike8(const char* a, const char* b) { return tel__attr_read8(a) ^ tel__attr_read8(b); }
TEL__INLINE uint64_t tel__attr_unlike16(const char* a, const char* b) {
    return tel__attr_unlike8(a, b) | tel__attr_unlike8(a + 8, b + 8);
}

/* memcmp for short strings, without the call: overlapping words, one branch per size class. */
TEL__INLINE bool tel__attr_same_bytes(const char* a, const char* b, size_t n) {
    uint64_t d = 0;
    if (n >= 8) {
        for (; n > 32; n -= 16, a += 16, b += 16) { d |= tel__attr_unlike16(a, b); }
        if (n > 16) { return (d | tel__attr_unlike16(a, b) | tel__attr_unlike16(a + n - 16, b + n - 16)) == 0; }
        return (d | tel__attr_unlike8(a, b) | tel__attr_unlike8(a + n - 8, b + n - 8)) == 0;
    }
    if (n >= 4) {
        return tel__attr_read4(a) == tel__attr_read4(b) && tel__attr_read4(a + n - 4) == tel__attr_read4(b + n - 4);
    }
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

/* Multiplies to 128 bits and folds (the idea of wyhash, Wang Yi). */
TEL__INLINE uint64_t tel__attr_mix(uint64_t a, uint64_t b) {
#if TEL__INT128
    __extension__ typedef unsigned __int128 wide;
    wide r = (wide)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
#else
    a = (a ^ (b >> 29)) * 0x9e3779b97f4a7c15u;
    b = (b ^ (a >> 32)) * 0xbf58476d1ce4e5b9u;
    return a ^ b ^ (b >> 31);
#endif
}

TEL__INLINE uint64_t tel__attr_hash_bytes(const char* p, size_t n, uint64_t seed) {
    uint64_t a, b;
    if (TEL__LIKELY(n <= 16)) {
        if (n >= 8) { a = tel__attr_read8(p); b = tel__attr_read8(p + n - 8); }
        else if (n >= 4) { a = tel__attr_read4(p); b = tel__attr_read4(p + n - 4); }
        else if (n) {
            a = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8;
            b = (unsigned char)p[n - 1];
        }
        else { a = b = 0; }
    } else {
        size_t i;
        for (i = 0; i + 16 < n; i += 16) {
            seed = tel__attr_mix(tel__attr_read8(p + i) ^ 0xa0761d6478bd642fu, tel__attr_read8(p + i + 8) ^ seed);
        }
        a = tel__attr_read8(p + n - 16);
        b = tel__attr_read8(p + n - 8);
    }
    return tel__attr_mix(a ^ 0xe7037ed1a0b428dbu ^ n, b ^ seed);
}

TEL__INLINE uint64_t tel__attr_hash(const tel_attr* a) {
    uint64_t k = tel__attr_hash_bytes(a->key, tel__attr_key_size(a), (uint64_t)a->type << 56 | 0x8ebc6af09c88c6e3u);
    if (a->type == TEL_TYPE_STRING) {
        tel_text t = tel__attr_string(a);
        return tel__attr_hash_bytes(t.data, t.size, k);
    }
    return tel__attr_mix(tel__attr_word(a) ^ 0x589965cc75374cc3u, k);
}

/* Value and type alike; doubles by their bits. */
TEL__INLINE bool tel__attr_same_value(const tel_attr* a, const tel_attr* b) {
    if (a->type != b->type) { return false; }
    if (a->type == TEL_TYPE_STRING) {
        tel_text s = tel__attr_string(a), t = tel__attr_string(b);
        return s.size == t.size && tel__attr_same_bytes(s.data, t.data, s.size);
    }
    return tel__attr_word(a) == tel__attr_word(b);
}

TEL__INLINE bool tel__attr_same_key(const tel_attr* a, const tel_attr* b) {
    size_t n = tel__attr_key_size(a);
    return n == tel__attr_key_size(b) && tel__attr_same_bytes(a->key, b->key, n);
}

/* Key and value alike, where sizes may have to be measured. */
TEL__CALL bool tel__attr_same_unmeasured(const tel_attr* a, const tel_attr* b) {
    return tel__attr_same_key(a, b) && tel__attr_same_value(a, b);
}

/* Key and value alike; b's sizes are measured. Type and key size are one word where the compiler knew a's key size. */
TEL__INLINE bool tel__attr_same(const tel_attr* a, const tel_attr* b) {
    size_t n = a->as.s.size;
    if (TEL__UNLIKELY(memcmp(&a->type, &b->type, sizeof a->type + sizeof a->tel__key_size) != 0)) {
        return !a->tel__key_size && tel__attr_same_unmeasured(a, b);
    }
    if (TEL__UNLIKELY(!tel__attr_same_bytes(a->key, b->key, b->tel__key_size))) {
        return false;
    }
    if (a->type != TEL_TYPE_STRING) { return tel__attr_word(a) == tel__attr_word(b); }
    return TEL__LIKELY(n == b->as.s.size && a->as.s.data) ? tel__attr_same_bytes(a->as.s.data, b->as.s.data, n)
                                                          : tel__attr_same_unmeasured(a, b);
}

TEL__COLD int tel__attr_order(const tel_attr* a, const tel_attr* b) {
    size_t n = tel__attr_key_size(a), m = tel__attr_key_size(b);
    int r = memcmp(a->key, b->key, n < m ? n : m);
    return r ? r : n < m ? -1 : n > m ? 1 : 0;
}

/* Sorts attrs into out (TEL__ATTR_MAX places) with every size measured; the last of equal keys stays, empty
   keys and what exceeds the limits goes. Returns the count; *cut says that something was lost. */
TEL__COLD size_t tel__attr_canonical(tel_attrs attrs, tel_attr* out, bool* cut) {
    size_t n = 0, bytes = 0, i, at;
    *cut = false;
    for (i = 0; i < attrs.count; i++) {
        tel_attr a = attrs.items[i];
        int order = 1;
        a.tel__key_size = (uint32_t)tel__attr_key_size(&a);
        if (a.type == TEL_TYPE_STRING) { a.as.s = tel__attr_string(&a); }
        if (a.tel__key_size == 0 || a.type == TEL_TYPE_NONE) { continue; }
        bytes += a.tel__key_size + 16 + (a.type == TEL_TYPE_STRING ? a.as.s.size : 8);
        if (bytes > TEL__ATTR_BYTES) { *cut = true; break; }
        for (at = n; at > 0 && (order = tel__attr_order(&out[at - 1], &a)) > 0; at--) { }
        if (at > 0 && order == 0) { out[at - 1] = a; continue; }
        if (n == TEL__ATTR_MAX) { *cut = true; continue; }
        memmove(&out[at + 1], &out[at], (n - at) * sizeof *out);
        out[at] = a;
        n++;
    }
    return n;
}

/* The bytes that a copy of a canonical list takes besides the items: keys and strings with a NUL each. */
TEL__COLD size_t tel__attr_text_size(const tel_attr* items, size_t count) {
    size_t i, n = 0;
    for (i = 0; i < count; i++) {
        n += tel__attr_key_size(&items[i]) + 1;
        if (items[i].type == TEL_TYPE_STRING) { n += tel__attr_string(&items[i]).size + 1; }
    }
    return n;
}

TEL__COLD char* tel__attr_copy_text(char* to, const char* data, size_t size) {
    if (size) { memcpy(to, data, size); }
    to[size] = 0;
    return to + size + 1;
}

/* Copies a list: items to `to`, their texts to `text`. Returns the end of the texts. */
TEL__COLD char* tel__attr_copy_list(const tel_attr* items, size_t count, tel_attr* to, char* text) {
    size_t i;
    for (i = 0; i < count; i++) {
        size_t n = tel__attr_key_size(&items[i]);
        to[i] = items[i];
        to[i].key = text;
        to[i].tel__key_size = (uint32_t)n;
        text = tel__attr_copy_text(text, items[i].key, n);
        if (items[i].type == TEL_TYPE_STRING) {
            tel_text t = tel__attr_string(&items[i]);
            to[i].as.s.data = text;
            to[i].as.s.size = t.size;
            text = tel__attr_copy_text(text, t.data, t.size);
        }
    }
    return text;
}

/* ---- packed items: what spans and logs carry ---- */

typedef enum tel__attr_what {           /* what a packed item is */
    TEL__ITEM_ATTR = 1,                 /* key and value */
    TEL__ITEM_PART,                     /* key and value of the event or link before it */
    TEL__ITEM_EVENT,                    /* key: name; number: ticks */
    TEL__ITEM_LINK,                     /* string: the bytes of a tel_context */
    TEL__ITEM_NAME,                     /* string: span name, log body */
    TEL__ITEM_MESSAGE,                  /* string: status message, event name of a log */
    TEL__ITEM_GONE                      /* overwritten by a later one */
} tel__attr_what;

/* value_size: the bytes of a string without its NUL; 7 for a number, so that the size of every item is one sum. */
typedef struct tel__attr_item { uint8_t what, type; uint16_t key_size; uint32_t value_size; } tel__attr_item;

/* Total bytes of a packed item. */
TEL__INLINE size_t tel__attr_item_size(size_t key_size, size_t value_size) {
    return TEL__ROUND(sizeof(tel__attr_item) + key_size + value_size + 2, 8);
}

TEL__INLINE tel__attr_item tel__attr_head(tel__attr_what what, uint8_t type, size_t key_size, size_t value_size) {
    tel__attr_item item;
    item.what = (uint8_t)what;
    item.type = type;
    item.key_size = (uint16_t)key_size;
    item.value_size = (uint32_t)value_size;
    return item;
}

/* memcpy for short texts, without the call. */
TEL__INLINE void tel__attr_copy_short(char* to, const char* from, size_t n) {
    if (n >= 8) {
        if (TEL__UNLIKELY(n > 32)) { memcpy(to, from, n); return; }
        if (n > 16) { memcpy(to + 8, from + 8, 8); memcpy(to + n - 16, from + n - 16, 8); }
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else if (n) {
        to[0] = from[0]; to[n / 2] = from[n / 2]; to[n - 1] = from[n - 1];
    }
}

/* Writes one item of tel__attr_item_size bytes at p, which is aligned to 8. */
TEL__INLINE void tel__attr_write_number(char* p, tel__attr_what what, uint8_t type, const char* key, size_t key_size,
                                        uint64_t number) {
    uint64_t head[2];
    tel__attr_item item = tel__attr_head(what, type, key_size, 7);
    memcpy(head, &item, 8);
    head[1] = number;
    memcpy(p, head, 16);
    tel__attr_copy_short(p + 16, key, key_size);
    p[16 + key_size] = 0;
}

TEL__INLINE void tel__attr_write_string(char* p, tel__attr_what what, const char* key, size_t key_size,
                                        tel_text value) {
    tel__attr_item item = tel__attr_head(what, (uint8_t)TEL_TYPE_STRING, key_size, value.size);
    memcpy(p, &item, 8);
    tel__attr_copy_short(p + 8, key, key_size);
    p += 8 + key_size;
    p[0] = 0;
    tel__attr_copy_short(p + 1, value.data, value.size);
    p[1 + value.size] = 0;
}

/* One item read back. The texts point into the record. */
typedef struct tel__attr_reader { const char* at; const char* end; } tel__attr_reader;
typedef struct tel__attr_got { tel__attr_what what; tel_attr attr; uint64_t number; tel_text string; } tel__attr_got;

/* The next item; false at the end, or where the bytes are not a whole item: reads no byte beyond end. */
TEL__FN bool tel__attr_next(tel__attr_reader* r, tel__attr_got* got) {
    tel__attr_item head;
    const char* p = r->at;
    size_t size;
    if ((size_t)(r->end - p) < sizeof head) { return false; }
    memcpy(&head, p, sizeof head);
    if (head.type > TEL_TYPE_STRING || (head.type != TEL_TYPE_STRING && head.value_size != 7)) { return false; }
    if (head.value_size > (size_t)(r->end - p)) { return false; }      /* before a sum that could wrap */
    size = tel__attr_item_size(head.key_size, head.value_size);
    if (size > (size_t)(r->end - p)) { return false; }
    p += sizeof head;
    got->what = (tel__attr_what)head.what;
    got->number = 0;
    if (head.type != TEL_TYPE_STRING) { got->number = tel__attr_read8(p); p += 8; }
    got->attr.key = p;
    got->attr.tel__key_size = head.key_size;
    got->attr.type = (tel_type)head.type;
    got->string.data = p + head.key_size + 1;
    got->string.size = head.type == TEL_TYPE_STRING ? head.value_size : 0;
    if (head.type == TEL_TYPE_STRING) { got->attr.as.s = got->string; }
    else if (head.type == TEL_TYPE_DOUBLE) { got->attr.as.d = tel__atomic_double(got->number); }
    else if (head.type == TEL_TYPE_BOOL) { got->attr.as.b = got->number != 0; }
    else { got->attr.as.i = (int64_t)got->number; }
    r->at += size;
    return true;
}

/* ---- scopes: pointers of the program become small numbers ---- */

#define TEL__ATTR_SCOPES 256

typedef struct tel__attr_scope {
    const tel_scope* key;
    size_t           size;              /* of this allocation */
    uint32_t         number;            /* of the first one that says the same */
    tel_scope_view   view;
} tel__attr_scope;

typedef struct tel__attr_scopes {
    tel__memory*       memory;
    tel__thread_mutex  mutex;
    tel__atomic_u32    count;           /* at[0] is the program itself */
    tel__attr_scope    program;
    tel__attr_scope*   at[TEL__ATTR_SCOPES];
} tel__attr_scopes;

TEL__COLD void tel__attr_scopes_init(tel__attr_scopes* s, tel__memory* memory) {
    memset(s, 0, sizeof *s);
    s->memory = memory;
    tel__thread_mutex_init(&s->mutex);
    s->program.view.name.data = s->program.view.version.data = s->program.view.schema_url.data = "";
    s->at[0] = &s->program;
    tel__atomic_store_release_u32(&s->count, 1);
}

TEL__COLD void tel__attr_scopes_free(tel__attr_scopes* s) {
    uint32_t i;
    for (i = 1; i < tel__atomic_load_u32(&s->count); i++) { tel__memory_free(s->memory, s->at[i], s->at[i]->size); }
    tel__thread_mutex_destroy(&s->mutex);
}

TEL__COLD tel__attr_scope* tel__attr_scope_make(tel__memory* memory, const tel_scope* scope) {
    tel_attr items[TEL__ATTR_MAX + 3];
    bool cut;
    size_t n = tel__attr_canonical(scope->attrs, items, &cut), size;
    tel__attr_scope* s;
    tel_attr* to;
    items[n] = tel_str("", scope->name);            /* these three travel behind the attributes, without a key */
    items[n + 1] = tel_str("", scope->version);
    items[n + 2] = tel_str("", scope->schema_url);
    size = sizeof *s + (n + 3) * sizeof *to + tel__attr_text_size(items, n + 3);
    s = (tel__attr_scope*)tel__memory_alloc(memory, size);
    if (!s) { return NULL; }
    to = (tel_attr*)(s + 1);
    (void)tel__attr_copy_list(items, n + 3, to, (char*)(to + n + 3));
    s->key = scope;
    s->size = size;
    s->view.attrs = tel__attrs(to, n);
    s->view.name = to[n].as.s;
    s->view.version = to[n + 1].as.s;
    s->view.schema_url = to[n + 2].as.s;
    return s;
}

TEL__COLD bool tel__attr_scope_same(const tel_attrs* a, const tel_attrs* b) {
    size_t i, n = a->count + 3;
    if (a->count != b->count) { return false; }
    for (i = 0; i < n && tel__attr_same_unmeasured(&a->items[i], &b->items[i]); i++) { }
    return i == n;
}

/* The number of a scope; one whose address is new is copied, under a mutex, and is the one before it that says the
   same: a header may make one for each file. 0, the program's own, when there is no room for another. */
TEL__COLD uint32_t tel__attr_scope_find(tel__attr_scopes* s, const tel_scope* scope) {
    uint32_t i, n;
    if (!scope) { return 0; }
    n = tel__atomic_load_acquire_u32(&s->count);
    for (i = 1; i < n; i++) { if (s->at[i]->key == scope) { return s->at[i]->number; } }
    tel__thread_mutex_lock(&s->mutex);
    n = tel__atomic_load_u32(&s->count);
    for (i = 1; i < n && s->at[i]->key != scope; i++) { }
    if (i == n) {
        tel__attr_scope* made = n < TEL__ATTR_SCOPES ? tel__attr_scope_make(s->memory, scope) : NULL;
        if (made) {
            s->at[n] = made;
            made->number = 1;
            while (!tel__attr_scope_same(&s->at[made->number]->view.attrs, &made->view.attrs)) { made->number++; }
            tel__atomic_store_release_u32(&s->count, n + 1);
        } else { i = 0; }
    }
    i = s->at[i]->number;
    tel__thread_mutex_unlock(&s->mutex);
    return i;
}

TEL__FN const tel_scope_view* tel__attr_scope_view(const tel__attr_scopes* s, uint32_t i) {
    return &s->at[i < tel__atomic_load_acquire_u32(&s->count) ? i : 0]->view;
}

/* ==== R10 >>ring ======================================================================================
   Carries finished records from recording threads to the export thread. Never blocks and, once made, never
   allocates. When full it drops the newest record and counts it. Also the registry: which threads record.

   Uses      R02-R03, R06 memory.              Used by   R11-R15, R21.
   Threads   reserve, commit: the owning thread (shared ring: any thread). next, release: one consumer at a
             time, under the pipeline's work mutex or by the owner as it ends. Registry: any, under its mutex.
   Holds     head and tail count bytes and wrap at 2^32; head - tail <= size; records and gaps are multiples
             of 8 and contiguous; a gap mark fills the end of the buffer when a record would not fit there.
             Own ring: the record is written, then head is stored with release; the consumer loads head
             with acquire. tail is stored with release after the last read; the producer loads it with
             acquire before it writes there. Shared ring: producers take their bytes by cas on head, write
             them, and store the first word of the record, its size, with release; the consumer stops at a
             size of 0 and zeroes what it has read before it stores tail. (tests/models/ring.pml)
   Tests     tests/rooms/ring.c   fuzz: none   bench: ring.push
*/
typedef enum tel__ring_kind { TEL__RING_GAP = 1, TEL__RING_SPAN, TEL__RING_LOG } tel__ring_kind;

/* How every record begins. No pointer is ever inside a record. */
typedef struct tel__ring_head {
    uint32_t size;                      /* whole record; written last */
    uint8_t  kind, a, b, c;
} tel__ring_head;

typedef struct tel__ring {
    char*           data;
    uint32_t        size;               /* a power of two */
    bool            shared;
    char            pad0[TEL__LINE];
    tel__atomic_u32 head;
    uint32_t        reserved;           /* own ring: head after commit */
    uint32_t        seen_tail;          /* own ring: tail as last read by the producer */
    char            pad1[TEL__LINE];
    tel__atomic_u32 tail;
    uint32_t        goal;               /* the consumer's: how far this round goes, which is no further than head */
    char            pad2[TEL__LINE];
} tel__ring;

TEL__INLINE tel__atomic_u32* tel__ring_word(const tel__ring* r, uint32_t at) {
    return (tel__atomic_u32*)(void*)(r->data + (at & (r->size - 1)));
}

TEL__INLINE void tel__ring_gap(tel__ring* r, uint32_t at, uint32_t size) {
    ((tel__ring_head*)(void*)tel__ring_word(r, at))->kind = TEL__RING_GAP;
    tel__atomic_store_release_u32(tel__ring_word(r, at), size);
}

/* Bytes to skip so that size bytes from head on are contiguous. */
TEL__INLINE uint32_t tel__ring_skip(const tel__ring* r, uint32_t head, uint32_t size) {
    uint32_t left = r->size - (head & (r->size - 1));
    return left < size ? left : 0;
}

TEL__NOINLINE char* tel__ring_reserve_shared(tel__ring* r, uint32_t size) {
    uint32_t head = tel__atomic_load_u32(&r->head);
    for (;;) {
        uint32_t skip = tel__ring_skip(r, head, size);
        uint32_t tail = tel__atomic_load_acquire_u32(&r->tail);
        if (head - tail > r->size) {    /* head is older than tail: it has moved */
            head = tel__atomic_load_acquire_u32(&r->head);
            continue;
        }
        if (r->size - (head - tail) < skip + size) { return NULL; }
        if (tel__atomic_cas_u32(&r->head, &head, head + skip + size)) {
            if (skip) { tel__ring_gap(r, head, skip); }
            return (char*)tel__ring_word(r, head + skip);
        }
    }
}

/* size bytes (a multiple of 8, at most size / 4) for one record, or NULL: full. Write all but its head, then commit. */
TEL__INLINE char* tel__ring_reserve(tel__ring* r, uint32_t size) {
    uint32_t head, skip;
    if (TEL__UNLIKELY(r->shared)) { return tel__ring_reserve_shared(r, size); }
    head = tel__atomic_load_u32(&r->head);
    skip = tel__ring_skip(r, head, size);
    if (TEL__UNLIKELY(r->size - (head - r->seen_tail) < skip + size)) {
        r->seen_tail = tel__atomic_load_acquire_u32(&r->tail);
        if (r->size - (head - r->seen_tail) < skip + size) { return NULL; }
    }
    if (TEL__UNLIKELY(skip != 0)) { tel__ring_gap(r, head, skip); }
    r->reserved = head + skip + size;
    return (char*)tel__ring_word(r, head + skip);
}

TEL__INLINE void tel__ring_commit(tel__ring* r, char* record, uint32_t size) {
    if (TEL__UNLIKELY(r->shared)) {
        tel__atomic_store_release_u32((tel__atomic_u32*)(void*)record, size);
        return;
    }
    ((tel__ring_head*)(void*)record)->size = size;
    tel__atomic_store_release_u32(&r->head, r->reserved);
}

/* Where the consumer may read to: what is written up to now. */
TEL__FN uint32_t tel__ring_written(const tel__ring* r) { return tel__atomic_load_acquire_u32(&r->head); }

/* The record at *at, which begins as tail and moves past it; NULL when there is none more before `head`, or, in
   a shared ring, the next one is not whole yet. */
TEL__FN const tel__ring_head* tel__ring_next(const tel__ring* r, uint32_t* at, uint32_t head) {
    while (*at != head) {
        const tel__ring_head* h = (const tel__ring_head*)(const void*)tel__ring_word(r, *at);
        uint32_t size = tel__atomic_load_acquire_u32(tel__ring_word(r, *at));
        if (size == 0) { return NULL; }
        *at += size;
        if (h->kind != TEL__RING_GAP) { return h; }
    }
    return NULL;
}

/* Gives everything before `to` back to the producer. */
TEL__FN void tel__ring_release(tel__ring* r, uint32_t to) {
    uint32_t tail = tel__atomic_load_u32(&r->tail);
    if (r->shared && to != tail) {
        uint32_t begin = tail & (r->size - 1), n = to - tail;
        uint32_t first = r->size - begin < n ? r->size - begin : n;
        memset(r->data + begin, 0, first);
        memset(r->data, 0, n - first);
    }
    tel__atomic_store_release_u32(&r->tail, to);
}

TEL__FN uint32_t tel__ring_used(const tel__ring* r) {
    return tel__atomic_load_u32(&r->head) - tel__atomic_load_u32(&r->tail);
}

TEL__COLD bool tel__ring_make(tel__ring* r, tel__memory* memory, uint32_t size, bool shared) {
    memset(r, 0, sizeof *r);
    r->data = (char*)(shared ? tel__memory_alloc(memory, size) : tel__memory_alloc_raw(memory, size));
    r->size = r->data ? size : 0;
    r->shared = shared;
    return r->data != NULL;
}

/* ---- registry: the threads that record ---- */

/* Counts with one writer each, read by anyone. By signal: [0] spans, [1] logs. taken belongs to the consumer. */
#define TEL__BOOK_SPANS 0
#define TEL__BOOK_LOGS  1
typedef struct tel__ring_books {
    tel__atomic_u64 recorded[2], dropped[2], taken[2];
    tel__atomic_u64 started, ended, leaked;     /* spans */
} tel__ring_books;

typedef struct tel__ring_thread {
    struct tel__ring_thread*   next;
    struct tel__ring_registry* registry;
    tel__atomic_u32 closed;             /* the instance is gone: let go of it */
    uint32_t        id;
    tel__ring*      ring;               /* own, or the shared one; NULL until the first record */
    tel__ring       own;
    tel__ring_books books;              /* written by the thread; taken by the consumer */
    struct tel__metric_cells* cells;    /* R11 frees it through the registry's hook */
    struct tel__span_tracer*  tracer;   /* R12 likewise */
} tel__ring_thread;

typedef struct tel__ring_registry {
    tel__memory*      memory;
    tel__thread_mutex mutex;            /* guards the list, counts and ended books */
    tel__ring_thread* threads;
    uint32_t          ring_bytes, max_threads, count, rings, next_id;
    tel__ring         shared;
    tel__ring_books   ended;            /* of threads that are gone */
    void*             owner;            /* R21's instance, for the hooks */
} tel__ring_registry;

TEL__INLINE void tel__ring_count(tel__atomic_u64* single_writer) {
    tel__atomic_store_u64(single_writer, tel__atomic_load_u64(single_writer) + 1);
}

/* With release: who reads it with acquire sees the counts of the records it belongs to. */
TEL__INLINE void tel__ring_settle(tel__atomic_u64* single_writer, uint64_t n) {
    tel__atomic_store_release_u64(single_writer, tel__atomic_load_u64(single_writer) + n);
}

TEL__COLD void tel__ring_registry_init(tel__ring_registry* g, tel__memory* memory, uint32_t ring_bytes,
                                     uint32_t max_threads, void* owner) {
    memset(g, 0, sizeof *g);
    g->memory = memory;
    g->ring_bytes = ring_bytes;
    g->max_threads = max_threads;
    g->owner = owner;
    tel__thread_mutex_init(&g->mutex);
}

/* Registers the calling thread; NULL: no memory. */
TEL__COLD tel__ring_thread* tel__ring_thread_add(tel__ring_registry* g) {
    tel__ring_thread* t = (tel__ring_thread*)tel__memory_alloc_lines(g->memory, sizeof *t);
    if (!t) { return NULL; }
    t->registry = g;
    tel__thread_mutex_lock(&g->mutex);
    t->id = ++g->next_id;
    t->next = g->threads;
    g->threads = t;
    g->count++;
    tel__thread_mutex_unlock(&g->mutex);
    return t;
}

/* Gives a thread its ring at its first record; past max_threads or out of memory the shared one. false: neither. */
TEL__NOINLINE bool tel__ring_thread_ring(tel__ring_thread* t) {
    tel__ring_registry* g = t->registry;
    bool own;
    tel__thread_mutex_lock(&g->mutex);
    own = g->rings < g->max_threads && tel__ring_make(&t->own, g->memory, g->ring_bytes, false);
    if (own) { g->rings++; }
    else if (!g->shared.data) { tel__ring_make(&g->shared, g->memory, g->ring_bytes, true); }
    t->ring = own ? &t->own : g->shared.data ? &g->shared : NULL;
    tel__thread_mutex_unlock(&g->mutex);
    return t->ring != NULL;
}

TEL__COLD void tel__ring_add(tel__atomic_u64* to, const tel__atomic_u64* from) {
    tel__atomic_store_u64(to, tel__atomic_load_u64(to) + tel__atomic_load_acquire_u64(from));
}

TEL__COLD void tel__ring_fold(tel__ring_books* to, const tel__ring_books* from) {
    int i;
    for (i = 0; i < 2; i++) {
        tel__ring_add(&to->taken[i], &from->taken[i]);      /* before recorded: queued is never negative */
        tel__ring_add(&to->dropped[i], &from->dropped[i]);
        tel__ring_add(&to->recorded[i], &from->recorded[i]);
    }
    tel__ring_add(&to->ended, &from->ended);
    tel__ring_add(&to->leaked, &from->leaked);
    tel__ring_add(&to->started, &from->started);
}

/* Takes an ended thread out of the list: nobody else knows it now. What its ring still held is lost, and counted. */
TEL__COLD void tel__ring_thread_unlink(tel__ring_thread* t) {
    tel__ring_registry* g = t->registry;
    tel__ring_thread** at;
    int i;
    tel__thread_mutex_lock(&g->mutex);
    for (at = &g->threads; *at && *at != t; at = &(*at)->next) { }
    if (*at) { *at = t->next; }
    g->count--;
    for (i = 0; i < 2 && t->own.data; i++) {
        uint64_t settled = tel__atomic_load_u64(&t->books.dropped[i]) + tel__atomic_load_u64(&t->books.taken[i]);
        uint64_t lost = tel__atomic_load_u64(&t->books.recorded[i]) - settled;
        tel__atomic_store_u64(&t->books.dropped[i], tel__atomic_load_u64(&t->books.dropped[i]) + lost);
    }
    tel__ring_fold(&g->ended, &t->books);
    if (t->own.data) { g->rings--; }
    tel__thread_mutex_unlock(&g->mutex);
}

TEL__COLD void tel__ring_thread_free(tel__ring_thread* t) {
    tel__ring_registry* g = t->registry;
    tel__memory_free(g->memory, t->own.data, t->own.size);
    tel__memory_free_lines(g->memory, t, sizeof *t);
}

/* The books of all threads, dead and alive, and how many live. */
TEL__COLD tel__ring_books tel__ring_totals(tel__ring_registry* g, uint32_t* threads) {
    tel__ring_books sum;
    tel__ring_thread* t;
    memset(&sum, 0, sizeof sum);
    tel__thread_mutex_lock(&g->mutex);
    tel__ring_fold(&sum, &g->ended);
    for (t = g->threads; t; t = t->next) { tel__ring_fold(&sum, &t->books); }
    *threads = g->count;
    tel__thread_mutex_unlock(&g->mutex);
    return sum;
}

/* Starts a record on this thread's ring: NULL when there is no room, and then it is counted as dropped. */
TEL__INLINE char* tel__ring_begin(tel__ring_thread* t, uint32_t size, int signal) {
    char* p = NULL;
    tel__ring_count(&t->books.recorded[signal]);
    if (TEL__LIKELY(t->ring != NULL) || tel__ring_thread_ring(t)) {
        if (TEL__LIKELY(size <= t->ring->size / 4)) { p = tel__ring_reserve(t->ring, size); }
    }
    if (TEL__UNLIKELY(!p)) { tel__ring_settle(&t->books.dropped[signal], 1); }
    return p;
}

/* ==== R11 >>metrics ===================================================================================
   Instruments find their series; threads write to cells of their own; collection adds the cells up.

   Uses      R02-R04, R06-R10.                 Used by   R15, R19, R21, R22.
   Threads   add, set, record, find: any. Creation, thread end and snapshots: under m->mutex, which the record
             path takes only for a first use. Collections: one at a time, between enter and leave, without m->mutex.
   Holds     A series has one id, drawn from a range that no other instance of this process ever uses, so an
             id alone proves that an instrument is bound to this instance. Ids 0 and 1 of the range are
             hidden series that swallow what may not be recorded.
             A cell (one word per thread and series) has one writer. Counters: the writer loads and stores it
             relaxed; a collection loads it relaxed; the sum of all cells, of what ended threads left (base)
             and of what went to the series itself (shared, atomic add) is the value: nothing is counted
             twice, because a thread's cells are folded and unlinked in one hold of m->mutex.
             Histograms: the word points to a block with two halves. The writer writes the active half:
             bucket, then min, max and sum with release, then n with release. A reader loads n, sum, min, max
             with acquire, then the buckets, then n again: if n stood still and equals the sum of the buckets,
             all belong to one instant, because who sees a sum sees its bucket. The reader makes the
             other half active first, so the writer leaves this one alone and the reading ends.
             by_id, metrics and table are published with release and only grow; old arrays live as long as
             the instance. A series in the table is complete and never moves. (tests/models/histogram.pml)
   Tests     tests/rooms/metrics.c   fuzz: none   bench: counter.add, histogram.record
*/
typedef enum tel__metric_kind {
    TEL__METRIC_COUNTER, TEL__METRIC_UPDOWN, TEL__METRIC_GAUGE, TEL__METRIC_HISTOGRAM
} tel__metric_kind;

#define TEL__METRIC_REAL       0x80000000u      /* in an instrument's tel__cell: sums doubles */
#define TEL__METRIC_PAGE       64u              /* cells per page of a thread */
#define TEL__METRIC_CACHE      64u              /* call sites remembered per thread: six bits of a hash */
#define TEL__METRIC_MAX_BOUNDS 1024u
#define TEL__METRIC_CHUNK      4096u            /* points per batch */

/* All instrument types are this struct. */
typedef tel_counter tel__metric_instrument;

typedef struct tel__metric {
    struct tel__metric* next;           /* see tel__metric_order */
    uint32_t            id;
    tel__metric_kind    kind;
    bool                real, observed, hidden;
    uint32_t            scope;
    char               *name, *unit, *description;
    size_t              name_size, unit_size, description_size;
    double*             bounds;         /* padded with +Inf to a multiple of 8 */
    uint32_t            bound_count, padded;
    struct tel__metric_series *first, *last;
    tel__atomic_ptr     overflow;       /* the series past the limit; published when it is needed first */
    tel__atomic_u32     full;           /* the limit is reached: what is not in the table goes to overflow */
    uint32_t            series_count;
    void              (*observe)(tel_observation* o, void* user_data);
    void*               observe_user_data;
} tel__metric;

/* Half of a histogram: n, sum, min, max, buckets; all 64-bit words. */
enum { TEL__HALF_N, TEL__HALF_SUM, TEL__HALF_MIN, TEL__HALF_MAX, TEL__HALF_BUCKETS };

typedef struct tel__metric_block {
    const double*   bounds;
    uint32_t        padded, stride;     /* stride: words of one half */
    tel__atomic_u32 active;
    tel__atomic_u64 started;            /* shared blocks: half in use << 63 | records begun */
    tel__atomic_u64 words[1];
} tel__metric_block;

typedef struct tel__metric_series {
    struct tel__metric_series* next;
    tel__metric*       metric;
    uint64_t           hash;
    uint32_t           id, attr_count;
    tel_attr*          attrs;
    size_t             size;
    tel_point_memo     memo;
    uint64_t           start_unix;
    tel__atomic_u64    shared;          /* gauges, observed: the value; others: adds without a cell */
    tel__atomic_u32    round;           /* gauges: 1 once set; observed: the collection that saw it */
    uint64_t           base;            /* what ended threads left */
    tel__metric_block* left;            /* histograms: what ended threads left */
    tel__metric_block* common;          /* histograms: records without a block */
    tel__metric_instrument* bound;
} tel__metric_series;

/* A growing array of pointers that readers index without a lock. */
typedef struct tel__metric_list {
    tel__atomic_ptr data;               /* tel__atomic_ptr[capacity]; data[-1] keeps the array before */
    tel__atomic_u32 count;
    uint32_t        capacity;
} tel__metric_list;

typedef struct tel__metric_site {
    uint32_t            metric;
    uint8_t             order[8];       /* call position -> place in the series */
    tel__metric_series* series;
} tel__metric_site;

typedef struct tel__metric_cells {
    uint32_t         base;
    tel__atomic_u32  limit;             /* ids base .. base + limit - 1 have a page slot; 0: let go */
    tel__atomic_ptr* pages;             /* each a tel__atomic_u64[TEL__METRIC_PAGE] or NULL */
    uint32_t         page_count;
    bool             closed;            /* the instance is going: limit stays 0 */
    struct tel__metrics*      m;
    struct tel__metric_cells* next;
    tel__metric_site sites[TEL__METRIC_CACHE];
} tel__metric_cells;

typedef struct tel__metrics {
    tel__memory*        memory;
    tel__diag*          diag;
    tel__clock*         clock;
    tel__attr_scopes*   scopes;
    uint32_t            base, max_series;
    tel__thread_mutex   mutex;
    tel__thread_cond    idle;           /* with mutex: a collection has ended, or sealed */
    bool                collecting;     /* one is under way: its owner alone uses round and arena, calls observers */
    tel__metric*        metrics;
    tel__metric_list    by_id, metric_by_id;
    tel__atomic_ptr     table;          /* the newest tel__metric_table */
    tel__metric_cells*  cells;
    tel__atomic_u64     overflowed, lost;
    uint32_t            round;
    bool                sealed;         /* the instance is closing: no new series */
    tel__memory_arena   arena;
} tel__metrics;

struct tel_observation { tel__metrics* m; tel__metric* metric; };

/* ---- growing arrays ---- */

TEL__FN void* tel__metric_list_at(const tel__metric_list* l, uint32_t i) {
    tel__atomic_ptr* data = (tel__atomic_ptr*)tel__atomic_load_acquire_ptr(&l->data);
    return tel__atomic_load_acquire_ptr(&data[i]);
}

TEL__COLD size_t tel__metric_list_size(uint32_t capacity) { return ((size_t)capacity + 1) * sizeof(tel__atomic_ptr); }

/* Under m->mutex. */
TEL__COLD bool tel__metric_list_add(tel__metric_list* l, tel__memory* memory, void* item) {
    uint32_t n = tel__atomic_load_u32(&l->count);
    tel__atomic_ptr* data = (tel__atomic_ptr*)tel__atomic_load_ptr(&l->data);
    if (n == l->capacity) {
        uint32_t capacity = n ? 2 * n : 64;
        tel__atomic_ptr* more = (tel__atomic_ptr*)tel__memory_alloc(memory, tel__metric_list_size(capacity));
        if (!more) { return false; }
        tel__atomic_store_ptr(&more[0], data);
        if (n) { memcpy(more + 1, data, n * sizeof *data); }
        data = more + 1;
        l->capacity = capacity;
        tel__atomic_store_release_ptr(&l->data, data);
    }
    tel__atomic_store_release_ptr(&data[n], item);
    tel__atomic_store_release_u32(&l->count, n + 1);
    return true;
}

TEL__COLD void tel__metric_list_free(tel__metric_list* l, tel__memory* memory) {
    tel__atomic_ptr* data = (tel__atomic_ptr*)tel__atomic_load_ptr(&l->data);
    uint32_t capacity = l->capacity;
    while (data) {
        tel__atomic_ptr* before = (tel__atomic_ptr*)tel__atomic_load_ptr(&data[-1]);
        tel__memory_free(memory, data - 1, tel__metric_list_size(capacity));
        data = before;
        capacity /= 2;
    }
}

/* ---- the series table: open addressing, readers without a lock ---- */

typedef struct tel__metric_table {
    struct tel__metric_table* before;
    uint32_t        mask, used;
    tel__atomic_ptr at[1];
} tel__metric_table;

TEL__COLD size_t tel__metric_table_size(uint32_t mask) {
    return sizeof(tel__metric_table) + (size_t)mask * sizeof(tel__atomic_ptr);
}

TEL__FN void tel__metric_table_put(tel__metric_table* t, tel__metric_series* s) {
    uint32_t i = (uint32_t)s->hash & t->mask;
    while (tel__atomic_load_ptr(&t->at[i])) { i = (i + 1) & t->mask; }
    tel__atomic_store_release_ptr(&t->at[i], s);
    t->used++;
}

/* Under m->mutex: room for one more at a load of at most two thirds. */
TEL__COLD bool tel__metric_table_room(tel__metrics* m) {
    tel__metric_table* t = (tel__metric_table*)tel__atomic_load_ptr(&m->table);
    tel__metric_table* more;
    uint32_t mask, i;
    if (t && (t->used + 1) * 3 <= (t->mask + 1) * 2) { return true; }
    mask = t ? t->mask * 2 + 1 : 63;
    more = (tel__metric_table*)tel__memory_alloc(m->memory, tel__metric_table_size(mask));
    if (!more) { return false; }
    more->before = t;
    more->mask = mask;
    for (i = 0; t && i <= t->mask; i++) {
        tel__metric_series* s = (tel__metric_series*)tel__atomic_load_ptr(&t->at[i]);
        if (s) { tel__metric_table_put(more, s); }
    }
    tel__atomic_store_release_ptr(&m->table, more);
    return true;
}

/* Whether the series carries just these attributes in any order; fills order for the call-site cache. */
TEL__INLINE bool tel__metric_same_set(const tel__metric_series* s, tel_attrs attrs, uint8_t order[TEL__ATTR_MAX]) {
    uint64_t taken = 0;
    size_t i, j;
    if (s->attr_count != attrs.count) { return false; }
    for (i = 0; i < attrs.count; i++) {
        const tel_attr* a = &attrs.items[i];
        for (j = i; !tel__attr_same_key(a, &s->attrs[j]); ) {
            j = j + 1 == attrs.count ? 0 : j + 1;
            if (j == i) { return false; }
        }
        if ((taken >> j & 1) || !tel__attr_same_value(a, &s->attrs[j])) { return false; }
        taken |= (uint64_t)1 << j;
        order[i] = (uint8_t)j;
    }
    return true;
}

TEL__FN tel__metric_series* tel__metric_lookup(const tel__metrics* m, const tel__metric* metric, tel_attrs attrs,
                                               uint64_t hash, uint8_t order[TEL__ATTR_MAX]) {
    const tel__metric_table* t = (const tel__metric_table*)tel__atomic_load_acquire_ptr(&m->table);
    uint32_t i;
    if (!t) { return NULL; }
    for (i = (uint32_t)hash & t->mask;; i = (i + 1) & t->mask) {
        tel__metric_series* s = (tel__metric_series*)tel__atomic_load_acquire_ptr(&t->at[i]);
        if (!s) { return NULL; }
        if (s->hash == hash && s->metric == metric && tel__metric_same_set(s, attrs, order)) { return s; }
    }
}

TEL__CALL uint64_t tel__metric_hash(const tel__metric* metric, const tel_attr* items, size_t count) {
    uint64_t h = (uint64_t)metric->id * 0x9e3779b97f4a7c15u;
    size_t i;
    for (i = 0; i < count; i++) { h += tel__attr_hash(&items[i]); }
    return h ^ (h >> 32);
}

/* ---- histogram blocks ---- */

TEL__COLD size_t tel__metric_block_size(size_t stride) {
    return sizeof(tel__metric_block) + 2 * stride * sizeof(tel__atomic_u64);
}

/* Empties a block that nobody writes. */
TEL__COLD void tel__metric_block_clear(tel__metric_block* b) {
    uint32_t i;
    for (i = 0; i < 2 * b->stride; i++) {
        uint32_t at = i % b->stride;
        double empty = at == TEL__HALF_MIN ? DBL_MAX : at == TEL__HALF_MAX ? -DBL_MAX : 0;
        tel__atomic_store_u64(&b->words[i], tel__atomic_bits(empty));
    }
    tel__atomic_store_u64(&b->started, 0);
}

TEL__COLD tel__metric_block* tel__metric_block_make(tel__memory* memory, const tel__metric* metric) {
    size_t stride = TEL__ROUND((size_t)TEL__HALF_BUCKETS + metric->bound_count + 1, 8);
    tel__metric_block* b = (tel__metric_block*)tel__memory_alloc_lines(memory, tel__metric_block_size(stride));
    if (!b) { return NULL; }
    b->bounds = metric->bounds;
    b->padded = metric->padded;
    b->stride = (uint32_t)stride;
    tel__metric_block_clear(b);
    return b;
}

TEL__COLD void tel__metric_block_free(tel__memory* memory, tel__metric_block* b) {
    if (b) { tel__memory_free_lines(memory, b, tel__metric_block_size(b->stride)); }
}

/* The first bound that is not below v: buckets are upper-inclusive (Metrics Data Model, Histogram). */
TEL__INLINE uint32_t tel__metric_bucket(const double* bounds, uint32_t padded, double v) {
    uint32_t low = 0;
    while (TEL__UNLIKELY(padded > 32)) {
        uint32_t half = (padded / 2) & ~7u;
        if (bounds[low + half - 1] < v) { low += half; padded -= half; }
        else { padded = half; }
    }
    return low + tel__platform_count_below(bounds + low, padded, v);
}

TEL__INLINE void tel__metric_block_record(tel__metric_block* b, double v) {
    tel__atomic_u64* half = b->words + (size_t)tel__atomic_load_u32(&b->active) * b->stride;
    tel__atomic_u64* bucket = half + TEL__HALF_BUCKETS + tel__metric_bucket(b->bounds, b->padded, v);
    tel__atomic_store_u64(bucket, tel__atomic_load_u64(bucket) + 1);
    if (TEL__UNLIKELY(v < tel__atomic_double(tel__atomic_load_u64(&half[TEL__HALF_MIN])))) {
        tel__atomic_store_release_u64(&half[TEL__HALF_MIN], tel__atomic_bits(v));
    }
    if (TEL__UNLIKELY(v > tel__atomic_double(tel__atomic_load_u64(&half[TEL__HALF_MAX])))) {
        tel__atomic_store_release_u64(&half[TEL__HALF_MAX], tel__atomic_bits(v));
    }
    tel__atomic_store_release_u64(&half[TEL__HALF_SUM],
        tel__atomic_bits(tel__atomic_double(tel__atomic_load_u64(&half[TEL__HALF_SUM])) + v));
    tel__atomic_store_release_u64(&half[TEL__HALF_N], tel__atomic_load_u64(&half[TEL__HALF_N]) + 1);
}

/* What a histogram is read into: a half in plain words. */
typedef struct tel__metric_sum { uint64_t n; double sum, min, max; uint64_t* buckets; } tel__metric_sum;

TEL__FN void tel__metric_sum_merge(tel__metric_sum* to, const tel__metric_sum* from, uint32_t bucket_count) {
    uint32_t i;
    to->n += from->n;
    to->sum += from->sum;
    if (from->min < to->min) { to->min = from->min; }
    if (from->max > to->max) { to->max = from->max; }
    for (i = 0; i < bucket_count; i++) { to->buckets[i] += from->buckets[i]; }
}

/* One reading of one half; true when it is of one instant. */
TEL__FN bool tel__metric_half_read(const tel__atomic_u64* half, tel__metric_sum* out, uint32_t bucket_count) {
    uint64_t n = tel__atomic_load_acquire_u64(&half[TEL__HALF_N]), sum = 0;
    uint32_t i;
    out->sum = tel__atomic_double(tel__atomic_load_acquire_u64(&half[TEL__HALF_SUM]));
    out->min = tel__atomic_double(tel__atomic_load_acquire_u64(&half[TEL__HALF_MIN]));
    out->max = tel__atomic_double(tel__atomic_load_acquire_u64(&half[TEL__HALF_MAX]));
    for (i = 0; i < bucket_count; i++) {
        out->buckets[i] = tel__atomic_load_acquire_u64(&half[TEL__HALF_BUCKETS + i]);
        sum += out->buckets[i];
    }
    out->n = sum;
    return sum == n && tel__atomic_load_u64(&half[TEL__HALF_N]) == n;
}

/* Reads one half until it is whole. A writer that is stopped between two of its stores keeps it from being
   so: then, after a bounded wait, its one record is counted with a sum that may not have it yet. */
TEL__FN void tel__metric_half_add(const tel__atomic_u64* half, tel__metric_sum* to, tel__metric_sum* scratch,
                                  uint32_t bucket_count) {
    int tries;
    for (tries = 0; tries < 2000; tries++) {
        if (tel__metric_half_read(half, scratch, bucket_count)) { break; }
        if (tries < 1000) { tel__platform_pause(); } else { tel__thread_yield(); }
    }
    tel__metric_sum_merge(to, scratch, bucket_count);
}

/* Adds a thread's block: first the half at rest, then, after the other was made active, the one left. */
TEL__FN void tel__metric_block_add(tel__metric_block* b, tel__metric_sum* to, tel__metric_sum* scratch,
                                   uint32_t bucket_count) {
    uint32_t active = tel__atomic_load_u32(&b->active);
    tel__metric_half_add(b->words + (size_t)(active ^ 1) * b->stride, to, scratch, bucket_count);
    tel__atomic_store_u32(&b->active, active ^ 1);
    tel__metric_half_add(b->words + (size_t)active * b->stride, to, scratch, bucket_count);
}

/* ---- the common block: many writers, for threads that have no memory for their own ---- */

#define TEL__METRIC_HALF_BIT ((uint64_t)1 << 63)

/* Wait-free but for the loops of the double adds. A record first announces itself in `started`, which tells it
   the half to use, and counts itself in that half's n last, with release. */
TEL__NOINLINE void tel__metric_common_record(tel__metric_block* b, double v) {
    uint64_t ticket = tel__atomic_add_u64(&b->started, 1);
    tel__atomic_u64* half = b->words + ((ticket & TEL__METRIC_HALF_BIT) ? b->stride : 0);
    uint64_t old = tel__atomic_load_u64(&half[TEL__HALF_MIN]);
    while (v < tel__atomic_double(old) && !tel__atomic_cas_u64(&half[TEL__HALF_MIN], &old, tel__atomic_bits(v))) { }
    old = tel__atomic_load_u64(&half[TEL__HALF_MAX]);
    while (v > tel__atomic_double(old) && !tel__atomic_cas_u64(&half[TEL__HALF_MAX], &old, tel__atomic_bits(v))) { }
    tel__atomic_add_double(&half[TEL__HALF_SUM], v);
    tel__atomic_add_u64(&half[TEL__HALF_BUCKETS + tel__metric_bucket(b->bounds, b->padded, v)], 1);
    tel__atomic_add_u64(&half[TEL__HALF_N], 1);
}

/* Moves a half to another that nobody writes, word by word: what comes late is not lost. n is the caller's. */
TEL__COLD void tel__metric_half_fold(tel__atomic_u64* to, tel__atomic_u64* from, uint32_t bucket_count) {
    double sum = tel__atomic_double(tel__atomic_load_u64(&to[TEL__HALF_SUM]));
    double min = tel__atomic_double(tel__atomic_swap_u64(&from[TEL__HALF_MIN], tel__atomic_bits(DBL_MAX)));
    double max = tel__atomic_double(tel__atomic_swap_u64(&from[TEL__HALF_MAX], tel__atomic_bits(-DBL_MAX)));
    uint32_t i;
    sum += tel__atomic_double(tel__atomic_swap_u64(&from[TEL__HALF_SUM], 0));
    tel__atomic_store_u64(&to[TEL__HALF_SUM], tel__atomic_bits(sum));
    if (min < tel__atomic_double(tel__atomic_load_u64(&to[TEL__HALF_MIN]))) {
        tel__atomic_store_u64(&to[TEL__HALF_MIN], tel__atomic_bits(min));
    }
    if (max > tel__atomic_double(tel__atomic_load_u64(&to[TEL__HALF_MAX]))) {
        tel__atomic_store_u64(&to[TEL__HALF_MAX], tel__atomic_bits(max));
    }
    for (i = 0; i < bucket_count; i++) {
        uint64_t n = tel__atomic_swap_u64(&from[TEL__HALF_BUCKETS + i], 0);
        tel__atomic_add_u64(&to[TEL__HALF_BUCKETS + i], n);
        tel__atomic_add_u64(&to[TEL__HALF_N], n);
    }
}

/* Moves what the common block has to `left`: turns the halves, waits for the records that began in the old one,
   and empties it. Under m->mutex. A record that stays unfinished for long is taken up next time. */
TEL__COLD void tel__metric_common_move(tel__metric_series* s, uint32_t bucket_count) {
    tel__metric_block* b = s->common;
    uint64_t ticket = tel__atomic_load_u64(&b->started), begun;
    tel__atomic_u64* half;
    int tries;
    if (!(ticket & ~TEL__METRIC_HALF_BIT)) { return; }
    while (!tel__atomic_cas_u64(&b->started, &ticket, (ticket & TEL__METRIC_HALF_BIT) ^ TEL__METRIC_HALF_BIT)) { }
    begun = ticket & ~TEL__METRIC_HALF_BIT;
    half = b->words + ((ticket & TEL__METRIC_HALF_BIT) ? b->stride : 0);
    for (tries = 0; tries < 100000 && tel__atomic_load_acquire_u64(&half[TEL__HALF_N]) < begun; tries++) {
        tel__thread_yield();
    }
    tel__metric_half_fold(s->left->words, half, bucket_count);
    tel__atomic_add_u64(&half[TEL__HALF_N], (uint64_t)0 - begun);
}

/* ---- making metrics and series (under m->mutex) ---- */

TEL__COLD bool tel__metric_name_valid(const char* name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
    size_t n = name ? strspn(name, allowed) : 0;
    return n > 0 && n <= 255 && name[n] == '\0' && memchr(allowed, name[0], 52);     /* begins with a letter */
}

/* One character of a name as Prometheus will show it, runs of '_' as one. */
TEL__COLD unsigned char tel__metric_shown(const char** at) {
    const char* p = *at;
    size_t run = strspn(p, "_.-/");
    *at += run ? run : *p != '\0';
    return run ? '_' : (unsigned char)*p;
}

/* Metrics that Prometheus may show under one name lie side by side: by shown name, unit, kind. */
TEL__COLD int tel__metric_order(const tel__metric* x, const tel__metric* y) {
    const char *a = x->name, *b = y->name;
    int r;
    for (;;) {
        unsigned char c = tel__metric_shown(&a), d = tel__metric_shown(&b);
        if (c != d) { return (int)c - (int)d; }
        if (!c) { break; }
    }
    r = strcmp(x->unit, y->unit);
    return r ? r : (int)x->kind - (int)y->kind;
}

static const double tel__metric_default_bounds[] = {
    0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000
};
static const double tel__metric_second_bounds[] = {
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10
};

TEL__COLD bool tel__metric_bounds_valid(const double* b, size_t n) {
    size_t i;
    if (n > TEL__METRIC_MAX_BOUNDS) { return false; }
    for (i = 0; i < n; i++) {
        if (!(b[i] >= -DBL_MAX && b[i] <= DBL_MAX) || (i > 0 && b[i] <= b[i - 1])) { return false; }
    }
    return true;
}

/* What an instrument says of itself. */
typedef struct tel__metric_about {
    const char *name, *unit, *description;
    const tel_metric_options* options;
    const tel_scope* scope;
    tel__metric_kind kind;
    bool real, observed;
    bool other_case, clash, bad_bounds, exponential;    /* found: to be said when no mutex is held */
} tel__metric_about;

TEL__COLD bool tel__metric_bounds_make(tel__metrics* m, tel__metric* metric, tel__metric_about* about) {
    const tel_metric_options* o = about->options;
    const double* b = o ? o->bounds : NULL;
    size_t n = o ? o->bound_count : 0, i;
    double infinite = DBL_MAX;
    infinite *= 2;
    if (b && !tel__metric_bounds_valid(b, n)) {
        about->bad_bounds = true;
        b = NULL;
    }
    about->exponential = o && o->exponential;
    if (!b) {
        bool seconds = strcmp(metric->unit, "s") == 0;
        b = seconds ? tel__metric_second_bounds : tel__metric_default_bounds;
        n = seconds ? TEL__ARRAY_SIZE(tel__metric_second_bounds) : TEL__ARRAY_SIZE(tel__metric_default_bounds);
    }
    metric->bound_count = (uint32_t)n;
    metric->padded = (uint32_t)TEL__ROUND(n + (n == 0), 8);
    metric->bounds = (double*)tel__memory_alloc_raw(m->memory, metric->padded * sizeof(double));
    if (!metric->bounds) { return false; }
    for (i = 0; i < metric->padded; i++) { metric->bounds[i] = i < n ? b[i] : infinite; }
    return true;
}

TEL__COLD void tel__metric_free(tel__metrics* m, tel__metric* metric) {
    if (!metric) { return; }
    tel__memory_free(m->memory, metric->name, metric->name_size + 1);
    tel__memory_free(m->memory, metric->unit, metric->unit_size + 1);
    tel__memory_free(m->memory, metric->description, metric->description_size + 1);
    tel__memory_free(m->memory, metric->bounds, metric->padded * sizeof(double));
    tel__memory_free(m->memory, metric, sizeof *metric);
}

TEL__NOINLINE tel__metric* tel__metric_make(tel__metrics* m, tel__metric_about* about, const char* name,
                                            uint32_t scope) {
    tel__metric* metric = m->sealed ? NULL : (tel__metric*)tel__memory_alloc(m->memory, sizeof *metric);
    if (!metric) { return NULL; }
    metric->kind = about->kind;
    metric->real = about->real;
    metric->observed = about->observed;
    metric->scope = scope;
    metric->name_size = strlen(name);
    metric->unit_size = about->unit ? strlen(about->unit) : 0;
    metric->description_size = about->description ? strlen(about->description) : 0;
    metric->name = tel__memory_copy(m->memory, name, metric->name_size);
    metric->unit = tel__memory_copy(m->memory, about->unit, metric->unit_size);
    metric->description = tel__memory_copy(m->memory, about->description, metric->description_size);
    metric->id = m->base + tel__atomic_load_u32(&m->metric_by_id.count);
    if (!metric->name || !metric->unit || !metric->description ||
        (about->kind == TEL__METRIC_HISTOGRAM && !tel__metric_bounds_make(m, metric, about)) ||
        !tel__metric_list_add(&m->metric_by_id, m->memory, metric)) {
        tel__metric_free(m, metric);
        return NULL;
    }
    return metric;
}

/* The metric of an instrument, made for the first of its kind (Metrics SDK, "Duplicate instrument registration"). */
TEL__NOINLINE tel__metric* tel__metric_of(tel__metrics* m, tel__metric_about* about) {
    tel__metric *at, *made, **place;
    const char* name = about->name;
    tel_text any_case = tel__text_of(name);
    uint32_t scope = tel__attr_scope_find(m->scopes, about->scope);
    for (at = m->metrics; at; at = at->next) {
        if (at->scope != scope || !tel__text_equal_nocase(tel__text_of(at->name), any_case)) { continue; }
        about->other_case = about->other_case || strcmp(at->name, about->name) != 0;
        name = at->name;
        if (at->kind == about->kind && at->real == about->real && at->observed == about->observed &&
            strcmp(at->unit, about->unit ? about->unit : "") == 0) { break; }
        about->clash = true;
    }
    if (at) { about->clash = false; return at; }
    made = tel__metric_make(m, about, name, scope);
    if (!made) { return NULL; }
    for (place = &m->metrics; *place && tel__metric_order(*place, made) <= 0; ) { place = &(*place)->next; }
    made->next = *place;
    *place = made;
    return made;
}

/* What was found while the mutex was held. */
TEL__COLD void tel__metric_complain(tel__metrics* m, const tel__metric_about* about) {
    if (about->other_case) { tel__diag_report(m->diag, TEL__DIAG_INSTRUMENT_CASE, "%s", about->name); }
    if (about->clash) { tel__diag_report(m->diag, TEL__DIAG_INSTRUMENT_CLASH, "%s", about->name); }
    if (about->bad_bounds) { tel__diag_report(m->diag, TEL__DIAG_BOUNDS, "%s", about->name); }
    if (about->exponential) { tel__diag_report(m->diag, TEL__DIAG_EXPONENTIAL, "%s", about->name); }
}

TEL__COLD void tel__metric_series_free(tel__metrics* m, tel__metric_series* s) {
    tel__metric_block_free(m->memory, s->left);
    tel__metric_block_free(m->memory, s->common);
    tel__memory_free(m->memory, s->memo.data, s->memo.size);
    tel__memory_free(m->memory, s->bound, sizeof *s->bound);
    tel__memory_free(m->memory, s, s->size);
}

/* A series with canonical attributes, complete but not yet in the table. */
TEL__NOINLINE tel__metric_series* tel__metric_series_make(tel__metrics* m, tel__metric* metric, tel_attrs attrs) {
    size_t size = sizeof(tel__metric_series) + attrs.count * sizeof(tel_attr) +
                  tel__attr_text_size(attrs.items, attrs.count);
    bool room = !m->sealed && tel__memory_roomy(m->memory);
    tel__metric_series* s = room ? (tel__metric_series*)tel__memory_alloc(m->memory, size) : NULL;
    if (!s) { return NULL; }
    s->metric = metric;
    s->size = size;
    s->attrs = (tel_attr*)(s + 1);
    s->attr_count = (uint32_t)attrs.count;
    tel__attr_copy_list(attrs.items, attrs.count, s->attrs, (char*)(s->attrs + attrs.count));
    s->hash = tel__metric_hash(metric, s->attrs, attrs.count);
    s->id = m->base + tel__atomic_load_u32(&m->by_id.count);
    s->start_unix = tel__clock_now_unix(m->clock);
    if (metric->kind == TEL__METRIC_HISTOGRAM) {
        s->left = tel__metric_block_make(m->memory, metric);
        s->common = tel__metric_block_make(m->memory, metric);
    }
    if ((metric->kind == TEL__METRIC_HISTOGRAM && (!s->left || !s->common)) || !tel__metric_table_room(m) ||
        (s->id & TEL__METRIC_REAL) || !tel__metric_list_add(&m->by_id, m->memory, s)) {
        tel__metric_series_free(m, s);
        return NULL;
    }
    return s;
}

TEL__NOINLINE tel__metric_series* tel__metric_series_add(tel__metrics* m, tel__metric* metric, tel_attrs attrs) {
    tel__metric_series* s = tel__metric_series_make(m, metric, attrs);
    if (!s) { return NULL; }
    if (metric->last) { metric->last->next = s; } else { metric->first = s; }
    metric->last = s;
    metric->series_count++;
    tel__metric_table_put((tel__metric_table*)tel__atomic_load_ptr(&m->table), s);
    return s;
}

/* Past the limit, and out of memory, everything goes to one more series (Metrics SDK, "Cardinality limits"). */
TEL__COLD tel__metric_series* tel__metric_overflow(tel__metrics* m, tel__metric* metric) {
    tel_attr a = tel_bool("otel.metric.overflow", true);
    uint8_t order[TEL__ATTR_MAX];
    tel__metric_series* s = (tel__metric_series*)tel__atomic_load_ptr(&metric->overflow);
    if (s) { return s; }
    s = tel__metric_lookup(m, metric, tel__attrs(&a, 1), tel__metric_hash(metric, &a, 1), order);
    if (!s) { s = tel__metric_series_add(m, metric, tel__attrs(&a, 1)); }
    tel__atomic_store_release_ptr(&metric->overflow, s);
    return s;
}

/* The series that swallows what may not be recorded: 0 for numbers, 1 for histograms. */
TEL__COLD tel__metric_series* tel__metric_nowhere(tel__metrics* m, tel__metric_kind kind) {
    return (tel__metric_series*)tel__metric_list_at(&m->by_id, kind == TEL__METRIC_HISTOGRAM ? 1 : 0);
}

/* Finds or makes the series of these attributes. Takes the mutex only to make one. Never NULL. */
TEL__NOINLINE tel__metric_series* tel__metric_series_of(tel__metrics* m, tel__metric* metric, tel_attrs attrs) {
    tel_attr items[TEL__ATTR_MAX];
    uint8_t order[TEL__ATTR_MAX];
    tel__metric_series* s;
    bool cut;
    size_t n;
    uint64_t hash;
    if (metric->hidden) { return tel__metric_nowhere(m, metric->kind); }
    n = tel__attr_canonical(attrs, items, &cut);
    hash = tel__metric_hash(metric, items, n);
    if (cut) { tel__diag_note(m->diag, TEL__DIAG_ATTRIBUTES, metric->name); }
    s = tel__metric_lookup(m, metric, tel__attrs(items, n), hash, order);
    if (s) { return s; }
    if (tel__atomic_load_acquire_u32(&metric->full)) {
        tel__atomic_add_u64(&m->overflowed, 1);
        return (tel__metric_series*)tel__atomic_load_acquire_ptr(&metric->overflow);
    }
    tel__thread_mutex_lock(&m->mutex);
    s = tel__metric_lookup(m, metric, tel__attrs(items, n), hash, order);
    if (!s && metric->series_count - (tel__atomic_load_ptr(&metric->overflow) ? 1u : 0u) < m->max_series) {
        s = tel__metric_series_add(m, metric, tel__attrs(items, n));
        if (!s) { tel__diag_note(m->diag, TEL__DIAG_MEMORY, metric->name); }
    } else if (!s) {
        tel__diag_note(m->diag, TEL__DIAG_CARDINALITY, metric->name);
    }
    if (!s) {
        bool limit = metric->series_count >= m->max_series;
        s = tel__metric_overflow(m, metric);
        tel__atomic_add_u64(s ? &m->overflowed : &m->lost, 1);
        if (s && limit) { tel__atomic_store_release_u32(&metric->full, 1); }
    }
    tel__thread_mutex_unlock(&m->mutex);
    return s ? s : tel__metric_nowhere(m, metric->kind);
}

/* ---- instruments ---- */

/* What an instrument remembers; 0: nothing yet. */
TEL__INLINE uint32_t tel__metric_cell_of(const tel__metric_instrument* inst) {
    return tel__atomic_load_u32((const tel__atomic_u32*)(const void*)&inst->tel__cell);
}
TEL__INLINE uint32_t tel__metric_id_of(const tel__metric_instrument* inst) {
    return tel__atomic_load_u32((const tel__atomic_u32*)(const void*)&inst->tel__metric);
}

TEL__FN tel__metric* tel__metric_by_instrument(tel__metrics* m, const tel__metric_instrument* inst) {
    uint32_t i = tel__metric_id_of(inst) - m->base;
    return i < tel__atomic_load_acquire_u32(&m->metric_by_id.count)
         ? (tel__metric*)tel__metric_list_at(&m->metric_by_id, i) : NULL;
}

/* The metric of an instrument; registers it when this is its first use with this instance. Never NULL. */
TEL__NOINLINE tel__metric* tel__metric_resolve(tel__metrics* m, tel__metric_instrument* inst, tel__metric_kind kind) {
    tel__metric* metric = inst ? tel__metric_by_instrument(m, inst) : NULL;
    tel__metric_about about;
    uint32_t hidden = kind == TEL__METRIC_HISTOGRAM ? 1 : 0;
    if (metric) { return metric; }
    metric = (tel__metric*)tel__metric_list_at(&m->metric_by_id, hidden);
    if (!inst || !inst->name) { return metric; }
    if (tel__metric_name_valid(inst->name)) {
        memset(&about, 0, sizeof about);
        about.name = inst->name;
        about.unit = inst->unit && strlen(inst->unit) <= 63 ? inst->unit : NULL;
        about.description = inst->description;
        about.options = inst->options;
        about.scope = inst->options ? inst->options->scope : NULL;
        about.kind = kind;
        about.real = kind == TEL__METRIC_GAUGE || kind == TEL__METRIC_HISTOGRAM ||
                     (inst->options && inst->options->real);
        tel__thread_mutex_lock(&m->mutex);
        metric = tel__metric_of(m, &about);
        tel__thread_mutex_unlock(&m->mutex);
        tel__metric_complain(m, &about);
        if (!metric) {
            tel__diag_note(m->diag, TEL__DIAG_MEMORY, NULL);    /* the name is its owner's, who may be gone by then */
            return (tel__metric*)tel__metric_list_at(&m->metric_by_id, hidden);
        }
        if (inst->unit && !about.unit) {
            tel__diag_report(m->diag, TEL__DIAG_INSTRUMENT_NAME,
                             "unit of %s is over 63 characters and left out", inst->name);
        }
    } else {
        tel__diag_report(m->diag, TEL__DIAG_INSTRUMENT_NAME, "\"%.64s\"", inst->name);
    }
    tel__atomic_store_u32((tel__atomic_u32*)(void*)&inst->tel__metric, metric->id);
    return metric;
}

TEL__FN uint32_t tel__metric_cell_id(const tel__metric_series* s) {
    bool real = s->metric->real && (s->metric->kind == TEL__METRIC_COUNTER || s->metric->kind == TEL__METRIC_UPDOWN);
    return s->id | (real ? TEL__METRIC_REAL : 0);
}

/* The series of an instrument used without attributes (or of a bound one), and its id in the instrument. */
TEL__NOINLINE tel__metric_series* tel__metric_own_series(tel__metrics* m, tel__metric_instrument* inst,
                                                         tel__metric_kind kind) {
    tel__metric* metric = tel__metric_resolve(m, inst, kind);
    uint32_t i = inst ? (tel__metric_cell_of(inst) & ~TEL__METRIC_REAL) - m->base : UINT32_MAX;
    tel__metric_series* s;
    if (i < tel__atomic_load_acquire_u32(&m->by_id.count)) {
        return (tel__metric_series*)tel__metric_list_at(&m->by_id, i);
    }
    s = tel__metric_series_of(m, metric, tel__attrs(NULL, 0));
    if (inst && inst->name && s->metric == metric) {
        tel__atomic_store_u32((tel__atomic_u32*)(void*)&inst->tel__cell, tel__metric_cell_id(s));
    }
    return s;
}

/* ---- cells ---- */

TEL__COLD tel__metric_cells* tel__metric_cells_add(tel__metrics* m) {
    tel__metric_cells* k = (tel__metric_cells*)tel__memory_alloc_lines(m->memory, sizeof *k);
    if (!k) { return NULL; }
    k->base = m->base;
    k->m = m;
    tel__thread_mutex_lock(&m->mutex);
    k->next = m->cells;
    m->cells = k;
    tel__thread_mutex_unlock(&m->mutex);
    return k;
}

/* This thread's cell for a bound id; NULL: not bound here, no page yet, or nothing initialised. */
TEL__INLINE tel__atomic_u64* tel__metric_cell(uint32_t id) {
    const tel__metric_cells* k = tel__thread_me.cells;
    tel__atomic_u64* page;
    uint32_t i;
    if (TEL__UNLIKELY(!k)) { return NULL; }
    i = id - k->base;
    if (TEL__UNLIKELY(i >= tel__atomic_load_u32(&k->limit))) { return NULL; }
    page = (tel__atomic_u64*)tel__atomic_load_ptr(&k->pages[i / TEL__METRIC_PAGE]);
    return TEL__LIKELY(page != NULL) ? &page[i % TEL__METRIC_PAGE] : NULL;
}

TEL__COLD bool tel__metric_pages_grow(tel__metric_cells* k, uint32_t i) {
    tel__metrics* m = k->m;
    uint32_t n = k->page_count ? k->page_count : 4;
    tel__atomic_ptr* more;
    while (n <= i / TEL__METRIC_PAGE) { n *= 2; }
    more = (tel__atomic_ptr*)tel__memory_alloc(m->memory, n * sizeof *more);
    if (!more) { return false; }
    tel__thread_mutex_lock(&m->mutex);
    if (k->pages) { memcpy(more, k->pages, k->page_count * sizeof *more); }
    tel__memory_free(m->memory, k->pages, k->page_count * sizeof *more);
    k->pages = more;
    k->page_count = n;
    if (!k->closed) { tel__atomic_store_u32(&k->limit, n * TEL__METRIC_PAGE); }
    tel__thread_mutex_unlock(&m->mutex);
    return true;
}

/* Under m->mutex: no record of this thread takes the short way any more. */
TEL__COLD void tel__metric_cells_shut(tel__metric_cells* k) {
    k->closed = true;
    tel__atomic_store_u32(&k->limit, 0);
}

/* First touch of (thread, series): makes the cell. NULL: no cells here, or no memory; use the series itself. */
TEL__NOINLINE tel__atomic_u64* tel__metric_touch(const tel__metric_series* s) {
    tel__metric_cells* k = tel__thread_me.cells;
    tel__atomic_u64* page;
    uint32_t i;
    bool room;
    if (!k) { return NULL; }
    i = s->id - k->base;
    room = tel__memory_roomy(k->m->memory);
    if (i >= k->page_count * TEL__METRIC_PAGE && !(room && tel__metric_pages_grow(k, i))) { return NULL; }
    page = (tel__atomic_u64*)tel__atomic_load_ptr(&k->pages[i / TEL__METRIC_PAGE]);
    if (!page) {
        page = room ? (tel__atomic_u64*)tel__memory_alloc_lines(k->m->memory, TEL__METRIC_PAGE * sizeof *page) : NULL;
        if (!page) { return NULL; }
        tel__atomic_store_release_ptr(&k->pages[i / TEL__METRIC_PAGE], page);
    }
    page += i % TEL__METRIC_PAGE;
    if (s->metric->kind == TEL__METRIC_HISTOGRAM && !tel__atomic_load_u64(page)) {
        tel__metric_block* b = room ? tel__metric_block_make(k->m->memory, s->metric) : NULL;
        if (!b) { return NULL; }
        tel__atomic_store_release_u64(page, (uint64_t)(uintptr_t)b);
    }
    return page;
}

TEL__INLINE void tel__metric_bump(tel__atomic_u64* cell, int64_t n) {
    tel__atomic_store_u64(cell, tel__atomic_load_u64(cell) + (uint64_t)n);
}
TEL__INLINE void tel__metric_bump_real(tel__atomic_u64* cell, double n) {
    tel__atomic_store_u64(cell, tel__atomic_bits(tel__atomic_double(tel__atomic_load_u64(cell)) + n));
}

/* ---- recording into a series that is at hand ---- */

TEL__INLINE void tel__metric_series_add_int(tel__metric_series* s, int64_t n) {
    tel__atomic_u64* cell = tel__metric_cell(s->id);
    if (TEL__UNLIKELY(!cell)) { cell = tel__metric_touch(s); }
    if (TEL__LIKELY(cell != NULL)) { tel__metric_bump(cell, n); }
    else { tel__atomic_add_u64(&s->shared, (uint64_t)n); }
}

TEL__FN void tel__metric_series_add_real(tel__metric_series* s, double n) {
    tel__atomic_u64* cell = tel__metric_cell(s->id);
    if (TEL__UNLIKELY(!cell)) { cell = tel__metric_touch(s); }
    if (TEL__LIKELY(cell != NULL)) { tel__metric_bump_real(cell, n); }
    else { tel__atomic_add_double(&s->shared, n); }
}

TEL__CALL void tel__metric_series_record(tel__metric_series* s, double v) {
    tel__atomic_u64* cell = tel__metric_cell(s->id);
    if (TEL__UNLIKELY(!cell || !tel__atomic_load_u64(cell))) { cell = tel__metric_touch(s); }
    if (TEL__LIKELY(cell != NULL)) {
        tel__metric_block_record((tel__metric_block*)(uintptr_t)tel__atomic_load_u64(cell), v);
    } else {
        tel__metric_common_record(s->common, v);
    }
}

TEL__FN void tel__metric_series_set(tel__metric_series* s, double v) {
    tel__atomic_store_u64(&s->shared, tel__atomic_bits(v));
    if (!tel__atomic_load_u32(&s->round)) { tel__atomic_store_release_u32(&s->round, 1); }
}

/* Adds to a counter or updown of either number type; what does not fit the type is said. */
TEL__NOINLINE void tel__metric_series_add_any(tel__metrics* m, tel__metric_series* s, int64_t i, double d,
                                              bool is_real) {
    const tel__metric* metric = s->metric;
    const double most = metric->real ? DBL_MAX : 9.2e18;
    if ((is_real && !(d >= -most && d <= most)) || (metric->kind == TEL__METRIC_COUNTER && (is_real ? d < 0 : i < 0))) {
        tel__diag_note(m->diag, TEL__DIAG_VALUE, metric->name);
        return;
    }
    if (metric->real) { tel__metric_series_add_real(s, is_real ? d : (double)i); return; }
    if (is_real) {
        i = (int64_t)d;
        if ((double)i != d) { tel__diag_note(m->diag, TEL__DIAG_FRACTION, metric->name); }
    }
    tel__metric_series_add_int(s, i);
}

TEL__INLINE bool tel__metric_recordable(double v) { return v >= 0 && v <= DBL_MAX; }

/* ---- the call-site cache ---- */

/* Where a call site's series would be remembered: by metric, numbers and the addresses of strings. */
TEL__INLINE uint32_t tel__metric_site_index(uint32_t metric, tel_attrs attrs) {
    uint64_t h = metric;
    size_t i;
    for (i = 0; i < attrs.count; i++) {
        const tel_attr* a = &attrs.items[i];
        uint64_t w = a->type == TEL_TYPE_STRING ? (uint64_t)(uintptr_t)a->as.s.data : tel__attr_word(a);
        h = (h + w) * 0x9e3779b97f4a7c15u;
    }
    return (uint32_t)(h >> 58);
}

TEL__INLINE bool tel__metric_site_same(const tel__metric_site* site, tel_attrs attrs) {
    const tel__metric_series* s = site->series;
    size_t i;
    if (s->attr_count != attrs.count) { return false; }
    for (i = 0; i < attrs.count; i++) {
        if (!tel__attr_same(&attrs.items[i], &s->attrs[site->order[i]])) { return false; }
    }
    return true;
}

/* Hash, probe, compare; remembers what it finds. NULL: unknown so far, or too long for this path. */
TEL__CALL tel__metric_series* tel__metric_probe(tel__metric_site* site, tel__metrics* m,
                                              const tel__metric* metric, tel_attrs attrs) {
    uint8_t order[TEL__ATTR_MAX];
    tel__metric_series* s;
    if (attrs.count > TEL__ATTR_MAX || metric->hidden) { return NULL; }
    s = tel__metric_lookup(m, metric, attrs, tel__metric_hash(metric, attrs.items, attrs.count), order);
    if (s && attrs.count <= TEL__ARRAY_SIZE(site->order)) {
        memcpy(site->order, order, sizeof site->order);
        site->metric = metric->id;
        site->series = s;
    }
    return s;
}

/* The series of an instrument and attributes, when both are known to this thread's instance; else NULL. */
TEL__CALL tel__metric_series* tel__metric_find(const tel__metric_instrument* inst, tel_attrs attrs) {
    tel__metric_cells* k = tel__thread_me.cells;
    uint32_t id = tel__metric_id_of(inst), i;
    tel__metric_site* site;
    if (TEL__UNLIKELY(!k || !tel__atomic_load_u32(&k->limit))) { return NULL; }
    site = &k->sites[tel__metric_site_index(id, attrs)];
    if (TEL__LIKELY(site->metric == id && site->series && tel__metric_site_same(site, attrs))) { return site->series; }
    i = id - k->base;
    if (i >= tel__atomic_load_acquire_u32(&k->m->metric_by_id.count)) { return NULL; }
    return tel__metric_probe(site, k->m, (const tel__metric*)tel__metric_list_at(&k->m->metric_by_id, i), attrs);
}

/* ---- bound instruments ---- */

/* What bind returns when there is nothing to bind to. No call writes to an instrument without a name. */
TEL__COLD tel__metric_instrument* tel__metric_bind_nothing(void) {
    static const tel__metric_instrument unbound = { NULL, NULL, NULL, NULL, 0, 0 };
    return (tel__metric_instrument*)(uintptr_t)&unbound;
}

TEL__COLD tel__metric_instrument* tel__metric_bind(tel__metrics* m, tel__metric_instrument* inst,
                                                 tel__metric_kind kind, tel_attrs attrs) {
    tel__metric* metric = tel__metric_resolve(m, inst, kind);
    tel__metric_series* s = tel__metric_series_of(m, metric, attrs);
    tel__metric_instrument* b;
    tel__thread_mutex_lock(&m->mutex);
    b = s->bound ? s->bound : (tel__metric_instrument*)tel__memory_alloc(m->memory, sizeof *b);
    if (b && !s->bound) {
        b->name = s->metric->name;
        b->unit = s->metric->unit;
        b->description = s->metric->description;
        b->tel__metric = s->metric->id;
        b->tel__cell = tel__metric_cell_id(s);
        s->bound = b;
    }
    tel__thread_mutex_unlock(&m->mutex);
    return b ? b : tel__metric_bind_nothing();
}

/* ---- the end of a thread ---- */

TEL__COLD void tel__metric_fold_cell(tel__metrics* m, uint32_t i, uint64_t word) {
    tel__metric_series* s = i < tel__atomic_load_u32(&m->by_id.count)
                          ? (tel__metric_series*)tel__metric_list_at(&m->by_id, i) : NULL;
    if (!s || !word) { return; }
    if (s->metric->kind == TEL__METRIC_HISTOGRAM) {
        tel__metric_block* b = (tel__metric_block*)(uintptr_t)word;
        tel__metric_half_fold(s->left->words, b->words, s->metric->bound_count + 1);
        tel__metric_half_fold(s->left->words, b->words + b->stride, s->metric->bound_count + 1);
        tel__metric_block_free(m->memory, b);
    } else if (s->metric->real) {
        s->base = tel__atomic_bits(tel__atomic_double(s->base) + tel__atomic_double(word));
    } else {
        s->base += word;
    }
}

/* Hands a thread's part over to the series and frees it: by the thread itself as it ends, or after it. */
TEL__COLD void tel__metric_cells_end(tel__metric_cells* k) {
    tel__metrics* m = k->m;
    tel__metric_cells** at;
    uint32_t p, i;
    tel__thread_mutex_lock(&m->mutex);
    for (at = &m->cells; *at && *at != k; at = &(*at)->next) { }
    if (*at) { *at = k->next; }
    for (p = 0; p < k->page_count; p++) {
        tel__atomic_u64* page = (tel__atomic_u64*)tel__atomic_load_ptr(&k->pages[p]);
        for (i = 0; page && i < TEL__METRIC_PAGE; i++) {
            tel__metric_fold_cell(m, p * TEL__METRIC_PAGE + i, tel__atomic_load_u64(&page[i]));
        }
        if (page) { tel__memory_free_lines(m->memory, page, TEL__METRIC_PAGE * sizeof *page); }
    }
    tel__thread_mutex_unlock(&m->mutex);
    tel__memory_free(m->memory, k->pages, k->page_count * sizeof *k->pages);
    tel__memory_free_lines(m->memory, k, sizeof *k);
}

/* ---- collection ---- */

typedef struct tel__metric_visit {
    tel__metric*        metric;         /* where the next chunk begins */
    tel__metric_series* series;
    bool                begun;
    uint64_t            now;
} tel__metric_visit;

TEL__FN uint64_t tel__metric_thread_word(const tel__metric_cells* k, uint32_t i) {
    const tel__atomic_u64* page;
    if (i >= k->page_count * TEL__METRIC_PAGE) { return 0; }
    page = (const tel__atomic_u64*)tel__atomic_load_acquire_ptr(&k->pages[i / TEL__METRIC_PAGE]);
    return page ? tel__atomic_load_acquire_u64(&page[i % TEL__METRIC_PAGE]) : 0;
}

TEL__FN void tel__metric_read_sum(tel__metrics* m, tel__metric_series* s, tel_point* p) {
    uint32_t i = s->id - m->base;
    const tel__metric_cells* k;
    uint64_t word = tel__atomic_load_u64(&s->shared);
    if (s->metric->observed || s->metric->kind == TEL__METRIC_GAUGE) {
        p->d = s->metric->real ? tel__atomic_double(word) : (double)(int64_t)word;
        p->i = s->metric->real ? 0 : (int64_t)word;
    } else if (s->metric->real) {
        p->d = tel__atomic_double(word) + tel__atomic_double(s->base);
        for (k = m->cells; k; k = k->next) { p->d += tel__atomic_double(tel__metric_thread_word(k, i)); }
    } else {
        word += s->base;
        for (k = m->cells; k; k = k->next) { word += tel__metric_thread_word(k, i); }
        p->i = (int64_t)word;
        p->d = (double)p->i;
    }
}

TEL__FN bool tel__metric_read_histogram(tel__metrics* m, tel__metric_series* s, tel_point* p) {
    uint32_t n = s->metric->bound_count + 1, i = s->id - m->base;
    uint64_t* words = (uint64_t*)tel__memory_take(&m->arena, 2 * n * sizeof *words);
    tel__metric_sum sum, scratch;
    const tel__metric_cells* k;
    if (!words) { return false; }
    sum.buckets = words;
    scratch.buckets = words + n;
    tel__metric_common_move(s, n);
    (void)tel__metric_half_read(s->left->words, &sum, n);       /* whole: it is written under the mutex only */
    for (k = m->cells; k; k = k->next) {
        uint64_t word = tel__metric_thread_word(k, i);
        if (word) { tel__metric_block_add((tel__metric_block*)(uintptr_t)word, &sum, &scratch, n); }
    }
    p->count = sum.n;
    p->d = sum.sum;
    p->min = sum.min;
    p->max = sum.max;
    p->bounds = s->metric->bounds;
    p->bound_count = s->metric->bound_count;
    p->buckets = sum.buckets;
    return true;
}

TEL__FN bool tel__metric_visible(const tel__metrics* m, const tel__metric_series* s) {
    if (s->metric->observed) { return tel__atomic_load_u32(&s->round) == m->round; }
    return s->metric->kind != TEL__METRIC_GAUGE || tel__atomic_load_acquire_u32(&s->round) != 0;
}

TEL__FN bool tel__metric_read(tel__metrics* m, tel__metric_series* s, uint64_t now, tel_point* p) {
    memset(p, 0, sizeof *p);
    p->attrs = tel__attrs(s->attrs, s->attr_count);
    p->start_unix_ns = s->start_unix < now ? s->start_unix : now;
    p->unix_ns = now;
    p->tel__memo = &s->memo;
    if (s->metric->kind == TEL__METRIC_HISTOGRAM) { return tel__metric_read_histogram(m, s, p); }
    tel__metric_read_sum(m, s, p);
    return true;
}

TEL__COLD void tel__metric_describe(const tel__metrics* m, const tel__metric* metric, tel_metric_view* v) {
    memset(v, 0, sizeof *v);
    v->scope = tel__attr_scope_view(m->scopes, metric->scope);
    v->name = tel__text_sized(metric->name, metric->name_size);
    v->unit = tel__text_sized(metric->unit, metric->unit_size);
    v->description = tel__text_sized(metric->description, metric->description_size);
    v->kind = metric->kind == TEL__METRIC_HISTOGRAM ? TEL_HISTOGRAM
            : metric->kind == TEL__METRIC_GAUGE ? TEL_GAUGE : TEL_SUM;
    v->monotonic = metric->kind == TEL__METRIC_COUNTER;
    v->cumulative = true;
    v->integer = !metric->real;
}

/* Fills one metric's view from visit->series on, at most `room` points. false: no memory. */
TEL__CALL bool tel__metric_fill(tel__metrics* m, tel__metric_visit* visit, tel_metric_view* v, uint32_t room) {
    const tel__metric* metric = visit->metric;
    uint32_t most = metric->series_count < room ? metric->series_count : room;
    tel_point* points = (tel_point*)tel__memory_take(&m->arena, (size_t)most * sizeof *points + 1);
    if (!points) { return false; }
    tel__metric_describe(m, metric, v);
    v->points = points;
    for (; visit->series && v->point_count < most; visit->series = visit->series->next) {
        if (!tel__metric_visible(m, visit->series)) { continue; }
        if (!tel__metric_read(m, visit->series, visit->now, &points[v->point_count])) { return false; }
        v->point_count++;
    }
    return true;
}

#define TEL__METRIC_VIEWS 256u

/* The next batch of a collection: views in the arena, until the next call. false: no memory. */
TEL__FN bool tel__metric_next_chunk(tel__metrics* m, tel__metric_visit* visit, tel_batch* batch) {
    tel_metric_view* views;
    uint32_t points = 0;
    bool ok = true;
    tel__memory_rewind(&m->arena);
    views = (tel_metric_view*)tel__memory_take(&m->arena, TEL__METRIC_VIEWS * sizeof *views);
    batch->metrics = views;
    batch->metric_count = 0;
    if (!views) { return false; }
    tel__thread_mutex_lock(&m->mutex);
    if (!visit->begun) {
        visit->begun = true;
        visit->metric = m->metrics;
        visit->series = m->metrics ? m->metrics->first : NULL;
    }
    while (ok && visit->metric && points < TEL__METRIC_CHUNK && batch->metric_count < TEL__METRIC_VIEWS) {
        tel_metric_view* v = &views[batch->metric_count];
        ok = tel__metric_fill(m, visit, v, TEL__METRIC_CHUNK - points);
        points += (uint32_t)v->point_count;
        if (ok && v->point_count) { batch->metric_count++; }
        if (!visit->series) {
            visit->metric = visit->metric->next;
            visit->series = visit->metric ? visit->metric->first : NULL;
        }
    }
    tel__thread_mutex_unlock(&m->mutex);
    return ok;
}

/* Calls every observer once. The list only grows during this; removal waits for the end of the collection. */
TEL__COLD void tel__metric_observe_all(tel__metrics* m) {
    uint32_t i, n = tel__atomic_load_acquire_u32(&m->metric_by_id.count);
    m->round++;
    for (i = 0; i < n; i++) {
        tel_observation o;
        o.m = m;
        o.metric = (tel__metric*)tel__metric_list_at(&m->metric_by_id, i);
        if (!o.metric->observe) { continue; }
        tel__thread_me.observing++;
        o.metric->observe(&o, o.metric->observe_user_data);
        tel__thread_me.observing--;
    }
}

/* Begins a collection. TEL_ERR_TIMEOUT: another did not end by the deadline; TEL_ERR_STATE: nor by the shutdown. */
TEL__COLD tel_result tel__metric_enter(tel__metrics* m, uint64_t deadline) {
    tel_result r = TEL_OK;
    tel__thread_mutex_lock(&m->mutex);
    while (m->collecting && !m->sealed && tel__clock_mono_ns() < deadline) {
        tel__thread_cond_wait(&m->idle, &m->mutex, deadline);
    }
    if (m->sealed || m->collecting) { r = m->sealed ? TEL_ERR_STATE : TEL_ERR_TIMEOUT; }
    else { m->collecting = true; }
    tel__thread_mutex_unlock(&m->mutex);
    return r;
}

TEL__COLD void tel__metric_leave(tel__metrics* m) {
    tel__thread_mutex_lock(&m->mutex);
    m->collecting = false;
    tel__thread_cond_broadcast(&m->idle);
    tel__thread_mutex_unlock(&m->mutex);
}

/* One collection. emit gets every batch (at least one, perhaps empty); its first failure ends it. The callbacks run
   with m->mutex free, however long they take: who wants to collect meanwhile waits until the deadline. */
TEL__COLD tel_result tel__metric_collect(tel__metrics* m, const tel_batch* frame, uint64_t deadline,
                                       tel_result (*emit)(const tel_batch* batch, void* user_data), void* user_data) {
    tel__metric_visit visit;
    tel_batch batch = *frame;
    uint32_t forks = tel__thread_me.forks;      /* a sink or observer that forks: the child's copy ends here */
    bool more = true;
    tel_result r = tel__metric_enter(m, deadline);
    if (r != TEL_OK) { return r; }
    memset(&visit, 0, sizeof visit);
    tel__metric_observe_all(m);
    visit.now = tel__clock_now_unix(m->clock);
    while (r == TEL_OK && more && forks == tel__thread_me.forks) {
        r = tel__metric_next_chunk(m, &visit, &batch) ? emit(&batch, user_data) : TEL_ERR_MEMORY;
        more = visit.metric != NULL;
    }
    tel__memory_rewind(&m->arena);
    tel__metric_leave(m);
    return r;
}

/* ---- observers ---- */

/* TEL_ERR_ARGUMENT: no function, or a name that is not valid or already observed with another function. */
TEL__COLD tel_result tel__metric_observer_add(tel__metrics* m, const tel_observer_desc* d, bool real) {
    tel__metric_about about;
    tel__metric* metric;
    tel_result r = TEL_OK;
    if (!d || !d->func || !tel__metric_name_valid(d->name)) {
        tel__diag_report(m->diag, TEL__DIAG_OBSERVER, "\"%.64s\" has no function or no valid name", d &&
                         d->name ? d->name : "");
        return TEL_ERR_ARGUMENT;
    }
    memset(&about, 0, sizeof about);
    about.name = d->name;
    about.unit = d->unit;
    about.description = d->description;
    about.scope = d->scope;
    about.observed = true;
    about.real = real;
    about.kind = d->kind == TEL_OBSERVE_COUNTER ? TEL__METRIC_COUNTER
               : d->kind == TEL_OBSERVE_UPDOWN ? TEL__METRIC_UPDOWN : TEL__METRIC_GAUGE;
    tel__thread_mutex_lock(&m->mutex);
    while (m->collecting && !m->sealed) { tel__thread_cond_wait(&m->idle, &m->mutex, UINT64_MAX); }
    metric = m->sealed ? NULL : tel__metric_of(m, &about);
    if (!metric) { r = m->sealed ? TEL_ERR_STATE : TEL_ERR_MEMORY; }
    else if (metric->observe && metric->observe != d->func) { r = TEL_ERR_ARGUMENT; }
    else { metric->observe_user_data = d->user_data; metric->observe = d->func; }
    tel__thread_mutex_unlock(&m->mutex);
    tel__metric_complain(m, &about);
    if (r == TEL_ERR_ARGUMENT) { tel__diag_report(m->diag, TEL__DIAG_OBSERVER, "\"%s\" is observed already", d->name); }
    return r;
}

TEL__COLD tel_result tel__metric_observer_remove(tel__metrics* m, const char* name) {
    tel__metric* at;
    tel_result r = TEL_ERR_ARGUMENT;
    tel__thread_mutex_lock(&m->mutex);
    while (m->collecting) { tel__thread_cond_wait(&m->idle, &m->mutex, UINT64_MAX); }
    for (at = m->metrics; at; at = at->next) {
        if (at->observe && strcmp(at->name, name) == 0) { at->observe = NULL; r = TEL_OK; }
    }
    tel__thread_mutex_unlock(&m->mutex);
    return r;
}

/* NaN and a counter's negative total are dropped; of a set twice the last counts; totals past the limit add up. */
TEL__COLD void tel__metric_observe(tel_observation* o, double d, int64_t i, tel_attrs attrs) {
    tel__metric_series* s;
    uint64_t was;
    bool bad = o->metric->real && (d != d || (o->metric->kind == TEL__METRIC_COUNTER && d < 0));
    if (bad) { tel__diag_note(o->m->diag, TEL__DIAG_VALUE, o->metric->name); return; }
    s = tel__metric_series_of(o->m, o->metric, attrs);
    if (s == tel__atomic_load_ptr(&o->metric->overflow) && o->metric->kind != TEL__METRIC_GAUGE
        && tel__atomic_load_u32(&s->round) == o->m->round) {
        was = tel__atomic_load_u64(&s->shared);
        d += tel__atomic_double(was);
        i += (int64_t)was;
    }
    tel__atomic_store_u64(&s->shared, o->metric->real ? tel__atomic_bits(d) : (uint64_t)i);
    tel__atomic_store_u32(&s->round, o->m->round);
}

/* ---- life ---- */

TEL__COLD tel_result tel__metric_init(tel__metrics* m, tel__memory* memory, tel__diag* diag, tel__clock* clock,
                                     tel__attr_scopes* scopes, uint32_t base, uint32_t max_series) {
    tel__metric_about about;
    int i;
    memset(m, 0, sizeof *m);
    m->memory = memory;
    m->diag = diag;
    m->clock = clock;
    m->scopes = scopes;
    m->base = base;
    m->max_series = max_series;
    m->arena.memory = memory;
    tel__thread_mutex_init(&m->mutex);
    tel__thread_cond_init(&m->idle);
    memset(&about, 0, sizeof about);
    for (i = 0; i < 2; i++) {
        tel__metric* metric;
        about.kind = i ? TEL__METRIC_HISTOGRAM : TEL__METRIC_COUNTER;
        metric = tel__metric_make(m, &about, "", 0);
        if (!metric) { return TEL_ERR_MEMORY; }
        metric->hidden = true;
        if (!tel__metric_series_make(m, metric, tel__attrs(NULL, 0))) { return TEL_ERR_MEMORY; }
    }
    return TEL_OK;
}

/* Frees everything. No other thread may still record. */
TEL__COLD void tel__metric_close(tel__metrics* m) {
    tel__metric_table* t = (tel__metric_table*)tel__atomic_load_ptr(&m->table);
    uint32_t i;
    while (m->cells) { tel__metric_cells_end(m->cells); }
    for (i = 0; i < tel__atomic_load_u32(&m->by_id.count); i++) {
        tel__metric_series_free(m, (tel__metric_series*)tel__metric_list_at(&m->by_id, i));
    }
    for (i = 0; i < tel__atomic_load_u32(&m->metric_by_id.count); i++) {
        tel__metric_free(m, (tel__metric*)tel__metric_list_at(&m->metric_by_id, i));
    }
    while (t) {
        tel__metric_table* before = t->before;
        tel__memory_free(m->memory, t, tel__metric_table_size(t->mask));
        t = before;
    }
    tel__metric_list_free(&m->by_id, m->memory);
    tel__metric_list_free(&m->metric_by_id, m->memory);
    tel__memory_release(&m->arena);
    tel__thread_mutex_destroy(&m->mutex);
    tel__thread_cond_destroy(&m->idle);
}

/* No id is drawn from here on, no collection begins or is waited for. false: one is under way past the deadline. */
TEL__COLD bool tel__metric_seal(tel__metrics* m, uint64_t deadline) {
    bool idle;
    tel__thread_mutex_lock(&m->mutex);
    m->sealed = true;
    tel__thread_cond_broadcast(&m->idle);
    while (m->collecting && tel__clock_mono_ns() < deadline) { tel__thread_cond_wait(&m->idle, &m->mutex, deadline); }
    idle = !m->collecting;
    tel__thread_mutex_unlock(&m->mutex);
    return idle;
}

/* In the child of fork, where only this thread lives: every sum starts at zero, now. */
TEL__COLD void tel__metric_restart(tel__metrics* m) {
    uint32_t i, n = tel__atomic_load_u32(&m->by_id.count);
    tel__thread_cond_init(&m->idle);
    m->collecting = false;              /* perhaps by a thread that is not here */
    m->arena.chunks = NULL;             /* perhaps in use by it: left alone */
    while (m->cells) { tel__metric_cells_end(m->cells); }
    for (i = 0; i < n; i++) {
        tel__metric_series* s = (tel__metric_series*)tel__metric_list_at(&m->by_id, i);
        s->base = 0;
        tel__atomic_store_u64(&s->shared, 0);
        tel__atomic_store_u32(&s->round, 0);
        s->start_unix = tel__clock_now_unix(m->clock);
        if (s->left) { tel__metric_block_clear(s->left); }
        if (s->common) { tel__metric_block_clear(s->common); }
    }
}

/* ==== R12 >>spans =====================================================================================
   Live spans, the sampler, and the context that is current on a thread. A span collects what is set on it
   in a slot of a pool; its end packs the slot into the ring of the thread that ends it.

   Uses      R04-R10.                          Used by   R13-R15, R21, R22.
   Threads   one span from one thread at a time; everything else any. A tracer belongs to one thread.
   Holds     a slot is live while its generation equals that of the span that holds it; an end adds one, so
             old handles miss. It lies in the slot, whose lines belong to one thread at a time. Blocks of one
             span are linked from its slot and belong to the span's user. The packed items of all blocks, put
             together, are whole items; only an item larger than a block goes over from one block to the
             next, and then it begins a block. total is the sum of used over the blocks and never exceeds
             limit, so a span always fits a ring that is empty.
             The stack of contexts is the thread's own; a scoped span on it keeps its handle, so whoever pops
             below it can end it.
   Tests     tests/rooms/spans.c   fuzz: none   bench: span
*/
#define TEL__SPAN_BLOCK  512u
#define TEL__SPAN_DATA   (TEL__SPAN_BLOCK - 16u)    /* bytes of items in a block */
#define TEL__SPAN_STACK  256u
#define TEL__SPAN_CACHE  16u            /* free slots a thread keeps for itself, at most */
#define TEL__SPAN_MOST   128u           /* attributes, events, links; attributes of each (Trace SDK, "Span Limits") */
#define TEL__SPAN_KEY    255u

#define TEL__SPAN_START_UNIX    1u      /* record.head.c: the start is unix time, not ticks */
#define TEL__SPAN_END_UNIX      2u
#define TEL__SPAN_PARENT_REMOTE 4u

/* What is in the ring, followed by packed items. */
typedef struct tel__span_record {
    tel__ring_head head;                /* a: kind, b: status, c: flags above */
    uint8_t  trace_id[16], span_id[8], parent_id[8];
    uint64_t start, end;
    uint32_t scope, trace_flags;
    uint32_t dropped_attrs, dropped_events, dropped_links, reserved;
} tel__span_record;

typedef struct tel__span_block {
    tel__atomic_u32 generation;         /* of the slot, whatever it is used for */
    uint32_t next;                      /* index + 1; 0: last */
    uint32_t used;
    uint32_t unused;
    char     data[TEL__SPAN_DATA];
} tel__span_block;

/* The first block of a span. */
typedef struct tel__span_slot {
    tel__atomic_u32 generation;
    uint32_t next, used;
    uint32_t tail;                      /* index + 1 of the block being filled; 0: this one */
    uint32_t total;
    uint64_t keys;                      /* see tel__span_key_bit */
    uint16_t attrs, events, links, unused;
    tel__span_record record;
    char     data[TEL__SPAN_BLOCK - 40 - sizeof(tel__span_record)];
} tel__span_slot;

typedef struct tel__span_sampler {
    bool     parent_based;
    uint64_t threshold;                 /* sample when the low 56 bits of the trace id are not below it */
} tel__span_sampler;

typedef struct tel__spans {
    tel__memory*      memory;
    tel__diag*        diag;
    tel__clock*       clock;
    tel__attr_scopes* scopes;
    tel__span_sampler sampler;
    tel__memory_slots slots;
    tel__span_block*  blocks;           /* not written before they are used */
    uint32_t          generation;       /* of a fresh slot */
    uint32_t          limit;            /* bytes of packed items per span */
    uint32_t          keep;             /* free slots a thread keeps: all threads together a small part of the pool */
} tel__spans;

typedef struct tel__span_tracer {
    tel__id_generator generator;
    tel__spans*       shared;
    const tel__clock* clock;
    tel__ring_thread* thread;
    tel__atomic_u32   closed;           /* the instance is gone */
    uint32_t          depth;            /* of stack */
    uint32_t          cached;
    uint32_t          cache[TEL__SPAN_CACHE];
    tel_span          stack[TEL__SPAN_STACK];   /* tel__slot 0: attached, not a scoped span */
} tel__span_tracer;

TEL__INLINE bool tel__span_valid(const tel_context* c) {
    uint64_t a, b, s;
    memcpy(&a, c->trace_id, 8);
    memcpy(&b, c->trace_id + 8, 8);
    memcpy(&s, c->span_id, 8);
    return (a | b) != 0 && s != 0;
}

/* ---- pool ---- */

TEL__COLD tel_result tel__span_init(tel__spans* p, tel__memory* memory, tel__diag* diag, tel__clock* clock,
                                  tel__attr_scopes* scopes, uint32_t count, uint32_t ring_bytes, uint32_t threads,
                                  uint32_t epoch) {
    memset(p, 0, sizeof *p);
    p->memory = memory;
    p->diag = diag;
    p->clock = clock;
    p->scopes = scopes;
    p->limit = ring_bytes / 4 - (uint32_t)sizeof(tel__span_record);
    p->slots.count = count;
    p->keep = count / 8 / threads;      /* none of a small pool: a slot that one keeps is one that another lacks */
    p->keep = p->keep < TEL__SPAN_CACHE ? p->keep + (p->keep > 0) : TEL__SPAN_CACHE;
    p->blocks = (tel__span_block*)tel__memory_alloc_raw(memory, (size_t)count * TEL__SPAN_BLOCK);
    p->slots.next = (tel__atomic_u32*)tel__memory_alloc_raw(memory, count * sizeof(tel__atomic_u32));
    p->generation = epoch * 0x01000193u;
    return p->blocks && p->slots.next ? TEL_OK : TEL_ERR_MEMORY;
}

TEL__COLD void tel__span_free(tel__spans* p) {
    tel__memory_free(p->memory, p->blocks, (size_t)p->slots.count * TEL__SPAN_BLOCK);
    tel__memory_free(p->memory, p->slots.next, p->slots.count * sizeof(tel__atomic_u32));
}

TEL__COLD tel__span_tracer* tel__span_tracer_add(tel__spans* p, tel__ring_thread* thread) {
    tel__span_tracer* t = (tel__span_tracer*)tel__memory_alloc_raw(p->memory, sizeof *t);
    if (!t) { return NULL; }
    memset(t, 0, offsetof(tel__span_tracer, stack));
    tel__id_seed(&t->generator);
    t->shared = p;
    t->clock = p->clock;
    t->thread = thread;
    return t;
}

TEL__COLD void tel__span_tracer_end(tel__span_tracer* t) {
    while (t->cached) { tel__memory_slot_put(&t->shared->slots, t->cache[--t->cached]); }
    tel__memory_free(t->shared->memory, t, sizeof *t);
}

TEL__NOINLINE uint32_t tel__span_block_fetch(tel__spans* p) {
    bool fresh;
    uint32_t i = tel__memory_slot_take(&p->slots, &fresh);
    if (fresh) { tel__atomic_store_u32(&p->blocks[i].generation, p->generation); }
    return i;
}

TEL__INLINE uint32_t tel__span_block_take(tel__span_tracer* t) {
    return TEL__LIKELY(t->cached) ? t->cache[--t->cached] : tel__span_block_fetch(t->shared);
}

TEL__INLINE void tel__span_block_put(tel__span_tracer* t, uint32_t i) {
    if (TEL__UNLIKELY(t->cached >= t->shared->keep)) { tel__memory_slot_put(&t->shared->slots, i); return; }
    t->cache[t->cached++] = i;
}

/* The slot of a span that is live; NULL: not recorded, dropped or ended. */
TEL__INLINE tel__span_slot* tel__span_slot_of(const tel__spans* p, const tel_span* s) {
    uint32_t i = s->tel__slot - 1;
    if (i >= tel__atomic_load_u32(&p->slots.fresh)) { return NULL; }
    if (tel__atomic_load_u32(&p->blocks[i].generation) != s->tel__generation) { return NULL; }
    return (tel__span_slot*)(void*)&p->blocks[i];
}

/* ---- writing into a slot ---- */

/* The block being filled, as data, used and capacity. */
typedef struct tel__span_tail { char* data; uint32_t* used; uint32_t capacity; } tel__span_tail;

TEL__INLINE tel__span_tail tel__span_tail_of(tel__spans* p, tel__span_slot* slot) {
    tel__span_tail tail;
    if (TEL__LIKELY(slot->tail == 0)) {
        tail.data = slot->data;
        tail.used = &slot->used;
        tail.capacity = (uint32_t)sizeof slot->data;
    } else {
        tel__span_block* b = &p->blocks[slot->tail - 1];
        tail.data = b->data;
        tail.used = &b->used;
        tail.capacity = (uint32_t)sizeof b->data;
    }
    return tail;
}

/* Links one more block; false: the pool is empty. */
TEL__NOINLINE bool tel__span_chain(tel__span_tracer* t, tel__span_slot* slot) {
    tel__spans* p = t->shared;
    uint32_t i = tel__span_block_take(t);
    if (i == TEL__MEMORY_NO_SLOT) { return false; }
    p->blocks[i].next = 0;
    p->blocks[i].used = 0;
    if (slot->tail) { p->blocks[slot->tail - 1].next = i + 1; } else { slot->next = i + 1; }
    slot->tail = i + 1;
    return true;
}

TEL__COLD void tel__span_unchain(tel__span_tracer* t, uint32_t first) {
    while (first) {
        uint32_t i = first - 1;
        first = t->shared->blocks[i].next;
        tel__span_block_put(t, i);
    }
}

/* Copies bytes on, from block to block. */
TEL__FN bool tel__span_stream(tel__span_tracer* t, tel__span_slot* slot, const char* data, size_t n) {
    while (n) {
        tel__span_tail tail = tel__span_tail_of(t->shared, slot);
        size_t part = tail.capacity - *tail.used < n ? tail.capacity - *tail.used : n;
        memcpy(tail.data + *tail.used, data, part);
        *tail.used += (uint32_t)part;
        data += part;
        n -= part;
        if (n && !tel__span_chain(t, slot)) { return false; }
    }
    return true;
}

/* An item larger than a block: begins a block of its own and goes on in the next ones; all or nothing. */
TEL__NOINLINE bool tel__span_append_long(tel__span_tracer* t, tel__span_slot* slot, tel__attr_what what,
                                         const char* key, size_t key_size, tel_text value) {
    static const char zeros[16] = { 0 };
    tel__attr_item head = tel__attr_head(what, (uint8_t)TEL_TYPE_STRING, key_size, value.size);
    uint32_t tail = slot->tail, size = (uint32_t)tel__attr_item_size(key_size, value.size);
    uint32_t pad = size - (uint32_t)(sizeof head + key_size + 1 + value.size);
    uint32_t* next = tail ? &t->shared->blocks[tail - 1].next : &slot->next;
    if (tel__span_chain(t, slot) && tel__span_stream(t, slot, (const char*)&head, sizeof head) &&
        tel__span_stream(t, slot, key, key_size) && tel__span_stream(t, slot, zeros, 1) &&
        tel__span_stream(t, slot, value.data, value.size) && tel__span_stream(t, slot, zeros, pad)) {
        slot->total += size;
        return true;
    }
    tel__span_unchain(t, *next);
    *next = 0;
    slot->tail = tail;
    return false;
}

/* Room for an item of this size, contiguous when it fits a block; NULL: too large, or the pool is empty. */
TEL__INLINE char* tel__span_item(tel__span_tracer* t, tel__span_slot* slot, size_t key_size, size_t size) {
    tel__span_tail tail;
    char* at;
    if (TEL__LIKELY(slot->tail == 0 && size <= sizeof slot->data - slot->used && key_size <= TEL__SPAN_KEY)) {
        at = slot->data + slot->used;
        slot->used += (uint32_t)size;
        slot->total += (uint32_t)size;
        return at;
    }
    if (key_size > TEL__SPAN_KEY || size > t->shared->limit - slot->total || size > TEL__SPAN_DATA) { return NULL; }
    tail = tel__span_tail_of(t->shared, slot);
    if (TEL__UNLIKELY(tail.capacity - *tail.used < size)) {
        if (!tel__span_chain(t, slot)) { return NULL; }
        tail = tel__span_tail_of(t->shared, slot);
    }
    at = tail.data + *tail.used;
    *tail.used += (uint32_t)size;
    slot->total += (uint32_t)size;
    return at;
}

TEL__INLINE bool tel__span_append_number(tel__span_tracer* t, tel__span_slot* slot, tel__attr_what what, uint8_t type,
                                         const char* key, size_t key_size, uint64_t number) {
    char* at = tel__span_item(t, slot, key_size, tel__attr_item_size(key_size, 7));
    if (TEL__UNLIKELY(!at)) { return false; }
    tel__attr_write_number(at, what, type, key, key_size, number);
    return true;
}

/* false: too large, or the pool is empty. Nothing is written then. */
TEL__INLINE bool tel__span_append_string(tel__span_tracer* t, tel__span_slot* slot, tel__attr_what what,
                                         const char* key, size_t key_size, tel_text value) {
    size_t size = tel__attr_item_size(key_size, value.size);
    char* at = tel__span_item(t, slot, key_size, size);
    if (TEL__LIKELY(at != NULL)) {
        tel__attr_write_string(at, what, key, key_size, value);
        return true;
    }
    return key_size <= TEL__SPAN_KEY && value.size <= t->shared->limit && size > TEL__SPAN_DATA &&
           size <= t->shared->limit - slot->total && tel__span_append_long(t, slot, what, key, key_size, value);
}

/* The item of this kind and key that is not gone, NULL when there is none. An item's head and key are
   contiguous even when its value goes over several blocks. */
TEL__NOINLINE tel__attr_item* tel__span_find(tel__spans* p, tel__span_slot* slot, tel__attr_what what,
                                       const char* key, size_t key_size) {
    char* data = slot->data;
    uint32_t used = slot->used, next = slot->next, at = 0;
    for (;;) {
        while (at < used) {
            tel__attr_item* item = (tel__attr_item*)(void*)(data + at);
            if (item->what == what && item->key_size == key_size) {
                const char* have = data + at + sizeof *item + (item->type != TEL_TYPE_STRING ? 8 : 0);
                if (tel__attr_same_bytes(have, key, key_size)) { return item; }
            }
            at += (uint32_t)tel__attr_item_size(item->key_size, item->value_size);
        }
        at -= used;                     /* what a long item still has in the next block */
        if (!next) { return NULL; }
        data = p->blocks[next - 1].data;
        used = p->blocks[next - 1].used;
        next = p->blocks[next - 1].next;
    }
}

/* ---- verbs on a slot ---- */

TEL__NOINLINE bool tel__span_append(tel__span_tracer* t, tel__span_slot* slot, tel__attr_what what,
                                  const tel_attr* a, size_t key_size) {
    if (a->type == TEL_TYPE_STRING) {
        return tel__span_append_string(t, slot, what, a->key, key_size, tel__attr_string(a));
    }
    return tel__span_append_number(t, slot, what, (uint8_t)a->type, a->key, key_size, tel__attr_word(a));
}

/* A string without a key. */
TEL__FN bool tel__span_append_text(tel__span_tracer* t, tel__span_slot* slot, tel__attr_what what, tel_text text) {
    tel_attr a = tel_strn("", text.data, text.size);
    return tel__span_append(t, slot, what, &a, 0);
}

/* Overwrites a string in place when the new one packs into as many bytes; false: it has to be appended. */
TEL__NOINLINE bool tel__span_rewrite(tel__attr_item* old, tel_text value) {
    size_t size = old ? tel__attr_item_size(old->key_size, value.size) : 0;
    char* at;
    if (!old || old->type != TEL_TYPE_STRING || size > TEL__SPAN_DATA ||
        size != tel__attr_item_size(old->key_size, old->value_size)) { return false; }
    at = (char*)(old + 1) + old->key_size + 1;
    memcpy(at, value.data, value.size);
    at[value.size] = 0;
    old->value_size = (uint32_t)value.size;
    return true;
}

/* Sets a key that the span may have already. */
TEL__NOINLINE void tel__span_reset_attr(tel__span_tracer* t, tel__span_slot* slot, const tel_attr* a, size_t key_size) {
    tel__attr_item* old = tel__span_find(t->shared, slot, TEL__ITEM_ATTR, a->key, key_size);
    if (old && old->type != TEL_TYPE_STRING && a->type != TEL_TYPE_STRING) {
        uint64_t number = tel__attr_word(a);
        old->type = (uint8_t)a->type;
        memcpy(old + 1, &number, 8);
    } else if (a->type == TEL_TYPE_STRING && tel__span_rewrite(old, tel__attr_string(a))) {
        return;
    } else if ((!old && slot->attrs >= TEL__SPAN_MOST) || !tel__span_append(t, slot, TEL__ITEM_ATTR, a, key_size)) {
        slot->record.dropped_attrs++;
    } else if (old) {
        old->what = TEL__ITEM_GONE;
    } else {
        slot->attrs++;
    }
}

/* A bit of a small filter over the keys of a span: a key whose bit is not set is new. */
TEL__INLINE uint64_t tel__span_key_bit(const char* key, size_t size) {
    const unsigned char* k = (const unsigned char*)key;
    return (uint64_t)1 << ((k[0] + 7u * k[size - 1] + 13u * k[size / 2] + (uint32_t)size) & 63u);
}

TEL__CALL void tel__span_put_attr(tel__span_tracer* t, tel__span_slot* slot, const tel_attr* a) {
    size_t key_size = tel__attr_key_size(a);
    uint64_t bit;
    if (TEL__UNLIKELY(key_size == 0 || a->type == TEL_TYPE_NONE)) { return; }
    bit = tel__span_key_bit(a->key, key_size);
    if (TEL__LIKELY(!(slot->keys & bit) && slot->attrs < TEL__SPAN_MOST)) {
        bool fits = a->type == TEL_TYPE_STRING
                  ? tel__span_append_string(t, slot, TEL__ITEM_ATTR, a->key, key_size, tel__attr_string(a))
                  : tel__span_append_number(t, slot, TEL__ITEM_ATTR, (uint8_t)a->type, a->key, key_size,
                                            tel__attr_word(a));
        if (TEL__LIKELY(fits)) { slot->attrs++; slot->keys |= bit; } else { slot->record.dropped_attrs++; }
        return;
    }
    tel__span_reset_attr(t, slot, a, key_size);
}

/* The attributes of the event or link just appended. Returns how many of them did not fit. */
TEL__FN uint32_t tel__span_put_parts(tel__span_tracer* t, tel__span_slot* slot, tel_attrs attrs) {
    uint32_t kept = 0, lost = 0;
    size_t i;
    for (i = 0; i < attrs.count; i++) {
        const tel_attr* a = &attrs.items[i];
        size_t key_size = tel__attr_key_size(a);
        if (key_size == 0 || a->type == TEL_TYPE_NONE) { continue; }
        if (kept < TEL__SPAN_MOST && tel__span_append(t, slot, TEL__ITEM_PART, a, key_size)) { kept++; }
        else { lost++; }
    }
    return lost;
}

TEL__FN void tel__span_put_event(tel__span_tracer* t, tel__span_slot* slot, const char* name, tel_attrs attrs) {
    size_t size = name ? strlen(name) : 0;
    tel_attr head = tel_int(name, (int64_t)tel__clock_ticks(t->clock));
    if (size > TEL__SPAN_KEY) { size = tel__text_utf8_cut(name, size, TEL__SPAN_KEY); }
    if (slot->events >= TEL__SPAN_MOST || !tel__span_append(t, slot, TEL__ITEM_EVENT, &head, size)) {
        slot->record.dropped_events++;
        return;
    }
    slot->events++;
    head.as.i = tel__span_put_parts(t, slot, attrs);
    if (head.as.i && !tel__span_append(t, slot, TEL__ITEM_PART, &head, 0)) {
        slot->record.dropped_attrs += (uint32_t)head.as.i;      /* no room left to say it in the event */
    }
}

TEL__FN void tel__span_put_link(tel__span_tracer* t, tel__span_slot* slot, const tel_context* to, tel_attrs attrs) {
    tel_text value = tel__text_sized((const char*)to, sizeof *to);
    if (!tel__span_valid(to) && attrs.count == 0) { return; }
    if (slot->links >= TEL__SPAN_MOST || !tel__span_append_text(t, slot, TEL__ITEM_LINK, value)) {
        slot->record.dropped_links++;
        return;
    }
    slot->links++;
    slot->record.dropped_attrs += tel__span_put_parts(t, slot, attrs);      /* a tel_link has no count of its own */
}

/* Replaces the span's one text of this kind (name, status message); NULL takes it away. */
TEL__FN void tel__span_put_text(tel__span_tracer* t, tel__span_slot* slot, tel__attr_what what, const char* cstr) {
    tel__attr_item* old = tel__span_find(t->shared, slot, what, "", 0);
    tel_text value = tel__text_of(cstr);
    if (value.size > t->shared->limit / 2) { value.size = tel__text_utf8_cut(cstr, value.size, t->shared->limit / 2); }
    if (cstr && tel__span_rewrite(old, value)) { return; }
    if (!cstr || tel__span_append_text(t, slot, what, value)) {
        if (old) { old->what = TEL__ITEM_GONE; }
    }
}

TEL__FN void tel__span_put_status(tel__span_tracer* t, tel__span_slot* slot, tel_span_status_code code,
                                  const char* message) {
    tel_span_status_code now = (tel_span_status_code)slot->record.head.b;
    if (now == TEL_STATUS_OK || (code != TEL_STATUS_OK && code != TEL_STATUS_ERROR)) { return; }
    slot->record.head.b = (uint8_t)code;
    tel__span_put_text(t, slot, TEL__ITEM_MESSAGE, code == TEL_STATUS_ERROR ? message : NULL);
}

/* ---- start and end ---- */

TEL__INLINE bool tel__span_in_ratio(const tel__span_sampler* s, const uint8_t trace_id[16]) {
    uint64_t low = 0;
    int i;
    for (i = 9; i < 16; i++) { low = low << 8 | trace_id[i]; }
    return low >= s->threshold;
}

/* Ids on their way from the generator to the places that keep them: in registers, because a copy of bytes that were
   just stored in smaller pieces would wait for the stores. */
typedef struct tel__span_ids { uint64_t trace[2], span; } tel__span_ids;

/* Fills in a new context under parent (NULL: a root) and says whether it is sampled. The random flag goes on as
   it came (Trace Context Level 2, "Random Trace ID Flag"). */
TEL__INLINE bool tel__span_context(tel__span_tracer* t, const tel_context* parent, tel_context* out,
                                   tel__span_ids* ids) {
    const tel__span_sampler* s = &t->shared->sampler;
    bool sampled;
    if (parent) { memcpy(ids->trace, parent->trace_id, 16); }
    else { ids->trace[0] = tel__id_next(&t->generator); ids->trace[1] = tel__id_some(&t->generator); }
    ids->span = tel__id_some(&t->generator);
    memcpy(out->trace_id, &ids->trace[0], 8);
    memcpy(out->trace_id + 8, &ids->trace[1], 8);
    memcpy(out->span_id, &ids->span, 8);
    if (parent && s->parent_based) { sampled = (parent->flags & 1u) != 0; }
    else { sampled = TEL__LIKELY(s->threshold == 0) || tel__span_in_ratio(s, out->trace_id); }
    out->flags = (uint8_t)((parent ? parent->flags & 2u : 2u) | (sampled ? 1u : 0u));
    out->remote = 0;
    out->tel__reserved = 0;
    out->tel__extra = 0;
    return sampled;
}

TEL__NOINLINE void tel__span_pool_empty(tel__span_tracer* t) {
    tel__ring_count(&t->thread->books.recorded[TEL__BOOK_SPANS]);
    tel__ring_settle(&t->thread->books.dropped[TEL__BOOK_SPANS], 1);
    tel__diag_note(t->shared->diag, TEL__DIAG_SPAN_POOL, NULL);
}

/* Takes a slot for a sampled span and begins its record; the name is its first item. */
TEL__CALL tel__span_slot* tel__span_open(tel__span_tracer* t, tel_span* s, const tel__span_ids* ids,
                                           const tel_context* parent, const char* name) {
    tel__spans* p = t->shared;
    uint32_t i = tel__span_block_take(t);
    tel__span_slot* slot;
    tel__span_record* r;
    tel_text text;
    if (TEL__UNLIKELY(i == TEL__MEMORY_NO_SLOT)) { tel__span_pool_empty(t); return NULL; }
    slot = (tel__span_slot*)(void*)&p->blocks[i];
    s->tel__slot = i + 1;
    s->tel__generation = tel__atomic_load_u32(&slot->generation);
    r = &slot->record;                  /* zeroed in pieces: compilers make one long memset a slow string instruction */
    memset(&slot->next, 0, offsetof(tel__span_slot, record) - offsetof(tel__span_slot, next));
    memset(&r->head, 0, sizeof r->head);
    memset(r->parent_id, 0, sizeof r->parent_id);
    memset(&r->scope, 0, sizeof *r - offsetof(tel__span_record, scope));
    r->head.kind = TEL__RING_SPAN;
    r->head.a = (uint8_t)TEL_SPAN_INTERNAL;
    memcpy(r->trace_id, &ids->trace[0], 8);
    memcpy(r->trace_id + 8, &ids->trace[1], 8);
    memcpy(r->span_id, &ids->span, 8);
    if (parent) {
        memcpy(r->parent_id, parent->span_id, 8);
        r->head.c = parent->remote ? TEL__SPAN_PARENT_REMOTE : 0;
    }
    r->trace_flags = s->context.flags;
    text.data = name ? name : "";
    text.size = strlen(text.data);
    if (TEL__UNLIKELY(text.size > p->limit / 2)) { text.size = tel__text_utf8_cut(text.data, text.size, p->limit / 2); }
    if (TEL__UNLIKELY(!tel__span_append_string(t, slot, TEL__ITEM_NAME, "", 0, text))) {   /* no second block */
        text.size = tel__text_utf8_cut(text.data, text.size, sizeof slot->data - 16);
        tel__span_append_text(t, slot, TEL__ITEM_NAME, text);
    }
    tel__ring_count(&t->thread->books.started);
    r->start = tel__clock_ticks(t->clock);
    return slot;
}

TEL__INLINE const tel_context* tel__span_current(const tel__span_tracer* t) {
    const tel_context* c = t->depth ? &t->stack[t->depth - 1].context : NULL;
    return c && tel__span_valid(c) ? c : NULL;
}

TEL__INLINE tel_span tel__span_make(tel__span_tracer* t, const tel_context* parent, const char* name) {
    tel__span_ids ids;
    tel_span s;
    s.tel__slot = s.tel__generation = 0;
    if (tel__span_context(t, parent, &s.context, &ids)) { tel__span_open(t, &s, &ids, parent, name); }
    return s;
}

/* Apart, so that a span that nobody records is a short way. */
TEL__CALL tel_span tel__span_begin(tel__span_tracer* t, const tel_context* parent, const char* name) {
    return tel__span_make(t, parent, name);
}

TEL__FN tel_span tel__span_begin_desc(tel__span_tracer* t, const tel_span_desc* d) {
    const tel_context* parent = d->root ? NULL : d->parent ? d->parent : tel__span_current(t);
    tel_span s = tel__span_begin(t, parent && tel__span_valid(parent) ? parent : NULL, d->name);
    tel__span_slot* slot = s.tel__slot ? tel__span_slot_of(t->shared, &s) : NULL;
    size_t i;
    if (!slot) { return s; }
    slot->record.head.a = (uint8_t)d->kind;
    slot->record.scope = tel__attr_scope_find(t->shared->scopes, d->scope);
    for (i = 0; i < d->attrs.count; i++) { tel__span_put_attr(t, slot, &d->attrs.items[i]); }
    for (i = 0; i < d->link_count; i++) { tel__span_put_link(t, slot, &d->links[i].context, d->links[i].attrs); }
    if (d->start_unix_ns) {
        slot->record.start = d->start_unix_ns;
        slot->record.head.c |= TEL__SPAN_START_UNIX;
    }
    return s;
}

/* Copies the chained blocks behind the first one. */
TEL__NOINLINE void tel__span_pack_chain(const tel__spans* p, const tel__span_slot* slot, char* to) {
    uint32_t i;
    for (i = slot->next; i; i = p->blocks[i - 1].next) {
        memcpy(to, p->blocks[i - 1].data, p->blocks[i - 1].used);
        to += p->blocks[i - 1].used;
    }
}

/* Packs the slot into this thread's ring and gives it back. end 0: now. */
TEL__CALL void tel__span_finish(tel__span_tracer* t, tel_span* s, uint64_t end_unix_ns) {
    tel__spans* p = t->shared;
    tel__span_slot* slot = tel__span_slot_of(p, s);
    uint32_t size, generation;
    uint64_t end = end_unix_ns;
    char* to;
    if (TEL__UNLIKELY(!slot)) { return; }
    if (TEL__LIKELY(end == 0)) { end = tel__clock_ticks(t->clock); }
    else { slot->record.head.c |= TEL__SPAN_END_UNIX; }
    size = (uint32_t)sizeof(tel__span_record) + slot->total;
    to = tel__ring_begin(t->thread, size, TEL__BOOK_SPANS);
    if (TEL__LIKELY(to != NULL)) {
        memcpy(to + 4, (char*)&slot->record + 4, 4);        /* the first word, the size, comes last */
        memcpy(to + 8, (char*)&slot->record + 8, sizeof(tel__span_record) - 8);
        memcpy(to + offsetof(tel__span_record, end), &end, sizeof end);
        memcpy(to + sizeof(tel__span_record), slot->data, slot->used);
        if (TEL__UNLIKELY(slot->next != 0)) {
            tel__span_pack_chain(p, slot, to + sizeof(tel__span_record) + slot->used);
        }
        tel__ring_commit(t->thread->ring, to, size);
    }
    tel__ring_count(&t->thread->books.ended);
    generation = s->tel__generation + 1;
    tel__atomic_store_u32(&slot->generation, generation);
    if (TEL__UNLIKELY(slot->next != 0)) { tel__span_unchain(t, slot->next); }
    if (TEL__LIKELY(generation != UINT32_MAX)) { tel__span_block_put(t, s->tel__slot - 1); }
}

/* ---- the current context ---- */

TEL__INLINE tel_token tel__span_push(tel__span_tracer* t, const tel_span* s) {
    tel_token token;
    token.tel__thread = t->thread->id;
    token.tel__depth = t->depth < TEL__SPAN_STACK ? t->depth : TEL__SPAN_STACK;
    if (TEL__LIKELY(t->depth < TEL__SPAN_STACK)) { t->stack[t->depth++] = *s; }
    return token;
}

/* Pops down to the token's depth. What lies above was left without its end: scoped spans are ended, as leaked. */
TEL__INLINE void tel__span_pop(tel__span_tracer* t, tel_token token) {
    if (TEL__LIKELY(token.tel__thread == t->thread->id && token.tel__depth + 1 == t->depth)) { t->depth--; return; }
    if (token.tel__thread == t->thread->id && token.tel__depth == TEL__SPAN_STACK) { return; }
    tel__diag_note(t->shared->diag, TEL__DIAG_DETACH, NULL);
    if (token.tel__thread != t->thread->id) { return; }
    while (t->depth > token.tel__depth) {
        tel_span* s = &t->stack[--t->depth];
        if (t->depth > token.tel__depth && tel__span_slot_of(t->shared, s)) {
            tel__ring_count(&t->thread->books.leaked);
            tel__span_finish(t, s, 0);
        }
    }
}

/* In the child of fork, where only this thread lives: all live spans belong to the parent and end there. */
TEL__COLD void tel__span_restart(tel__spans* p) {
    p->generation += 0x40000000u;
    tel__atomic_store_u64(&p->slots.head, 0);
    tel__atomic_store_u32(&p->slots.fresh, 0);
}

/* ---- reading a record back ---- */

/* An attribute into a list without a key twice: the last value, the first place. */
TEL__FN void tel__span_view_attr(tel_attr* items, size_t* count, const tel_attr* a) {
    size_t i;
    if (!a->tel__key_size) { return; }
    for (i = 0; i < *count && !tel__attr_same_key(&items[i], a); i++) { }
    items[i] = *a;
    if (i == *count) { (*count)++; }
}

/* How much a record holds, for the sizes of its view. */
typedef struct tel__span_census { size_t attrs, events, links; } tel__span_census;

TEL__FN tel__span_census tel__span_count_items(tel__attr_reader r) {
    tel__span_census n = { 0, 0, 0 };
    tel__attr_got got;
    while (tel__attr_next(&r, &got)) {
        n.attrs += got.what == TEL__ITEM_ATTR || got.what == TEL__ITEM_PART || got.what == TEL__ITEM_GONE;
        n.events += got.what == TEL__ITEM_EVENT;
        n.links += got.what == TEL__ITEM_LINK && got.string.size == sizeof(tel_context);
    }
    return n;
}

typedef struct tel__span_reading {
    tel_span_view*  view;
    tel_attr*       attrs;              /* next free place for the attributes of events and links */
    tel_event_view* events;
    tel_link*       links;
    tel_attrs*      owner;              /* of the parts that follow */
    uint32_t*       owner_lost;
    const tel__clock* clock;
} tel__span_reading;

TEL__FN void tel__span_read_item(tel__span_reading* g, const tel__attr_got* got, tel_attr* own) {
    tel_span_view* v = g->view;
    switch (got->what) {
    case TEL__ITEM_GONE:                /* an attribute's place; its value comes later. Texts have no key */
    case TEL__ITEM_ATTR:
        tel__span_view_attr(own, &v->attrs.count, &got->attr);
        break;
    case TEL__ITEM_PART:
        if (got->attr.tel__key_size == 0) {
            if (g->owner_lost) { *g->owner_lost = (uint32_t)got->number; }
        } else if (g->owner) {
            tel_attr* list = g->attrs - g->owner->count;
            size_t before = g->owner->count;
            tel__span_view_attr(list, &g->owner->count, &got->attr);
            g->attrs += g->owner->count - before;
        }
        break;
    case TEL__ITEM_EVENT: {
        tel_event_view* e = &g->events[v->event_count++];
        memset(e, 0, sizeof *e);
        e->name = tel__text_sized(got->attr.key, got->attr.tel__key_size);
        e->unix_ns = tel__clock_unix_at(g->clock, got->number);
        e->attrs = tel__attrs(g->attrs, 0);
        g->owner = &e->attrs;
        g->owner_lost = &e->dropped_attrs;
        break;
    }
    case TEL__ITEM_LINK: {
        tel_link* l = &g->links[v->link_count];
        g->owner = NULL;
        if (got->attr.type != TEL_TYPE_STRING || got->string.size != sizeof l->context) { break; }
        v->link_count++;
        memcpy(&l->context, got->string.data, sizeof l->context);
        l->attrs = tel__attrs(g->attrs, 0);
        g->owner = &l->attrs;
        g->owner_lost = NULL;
        break;
    }
    case TEL__ITEM_NAME: v->name = got->string; break;
    case TEL__ITEM_MESSAGE: v->status_message = got->string; break;
    default: break;
    }
}

/* Turns a record into a view whose texts point into the record and whose lists lie in the arena. */
TEL__FN bool tel__span_read(const tel__span_record* r, const tel__clock* clock, const tel__attr_scopes* scopes,
                            tel__memory_arena* arena, tel_span_view* v) {
    tel__attr_reader items;
    tel__attr_got got;
    tel__span_census n;
    tel__span_reading g;
    tel_attr* own;
    items.at = (const char*)(r + 1);
    items.end = (const char*)r + r->head.size;
    n = tel__span_count_items(items);
    memset(v, 0, sizeof *v);
    memset(&g, 0, sizeof g);
    own = (tel_attr*)tel__memory_take(arena, (2 * n.attrs + 1) * sizeof(tel_attr));
    g.events = (tel_event_view*)tel__memory_take(arena, n.events * sizeof(tel_event_view) + 1);
    g.links = (tel_link*)tel__memory_take(arena, n.links * sizeof(tel_link) + 1);
    if (!own || !g.events || !g.links) { return false; }
    g.view = v;
    g.attrs = own + n.attrs;
    g.clock = clock;
    v->scope = tel__attr_scope_view(scopes, r->scope);
    memcpy(v->context.trace_id, r->trace_id, 16);
    memcpy(v->context.span_id, r->span_id, 8);
    v->context.flags = (uint8_t)r->trace_flags;
    memcpy(v->parent_span_id, r->parent_id, 8);
    v->parent_remote = (r->head.c & TEL__SPAN_PARENT_REMOTE) != 0;
    v->kind = (tel_span_kind)r->head.a;
    v->status = (tel_span_status_code)r->head.b;
    v->start_unix_ns = r->head.c & TEL__SPAN_START_UNIX ? r->start : tel__clock_unix_at(clock, r->start);
    v->end_unix_ns = r->head.c & TEL__SPAN_END_UNIX ? r->end : tel__clock_unix_at(clock, r->end);
    if (v->end_unix_ns < v->start_unix_ns) { v->end_unix_ns = v->start_unix_ns; }
    v->dropped_attrs = r->dropped_attrs;
    v->dropped_events = r->dropped_events;
    v->dropped_links = r->dropped_links;
    v->name.data = v->status_message.data = "";
    v->attrs.items = own;
    v->events = g.events;
    v->links = g.links;
    while (tel__attr_next(&items, &got)) { tel__span_read_item(&g, &got, own); }
    return true;
}

/* ==== R13 >>propagation ===============================================================================
   Carries a context between processes: the W3C `traceparent` header, read from and written to whatever
   the caller's headers are. A header is what a stranger sent: one that breaks a rule counts as absent,
   and the caller starts a new trace.

   Uses      R07 text, R12 spans.              Used by   R22.
   Threads   pure functions of their arguments, from any thread; the carrier runs on the calling thread.
   Holds     *out is all zero or a valid remote context, never between; of the flags only sampled and
             random enter or leave; what goes out is version 00 in lowercase, whatever came in.
   Tests     tests/rooms/propagation.c   fuzz: tests/fuzz/traceparent.c   bench: propagation.parse
*/

/* version "-" trace-id "-" parent-id "-" flags: the whole of version 00, the known part of later ones.
   W3C Trace Context Level 2, "Traceparent Header Field Values". */
enum {
    TEL__PROPAGATION_TRACE_AT  = 3,
    TEL__PROPAGATION_SPAN_AT   = 36,
    TEL__PROPAGATION_FLAGS_AT  = 53,
    TEL__PROPAGATION_LENGTH    = 55,
    TEL__PROPAGATION_FLAG_MASK = 0x03       /* sampled, random: the ones we understand and pass on */
};

/* Uppercase is no hex here: the specification makes such a header invalid. */
TEL__COLD bool tel__propagation_hex(const char* text, uint8_t* out, size_t bytes) {
    size_t i;
    for (i = 0; i < 2 * bytes; i++) {
        int digit = text[i] == tel__text_lower(text[i]) ? tel__text_hex_value(text[i]) : -1;
        if (digit < 0) { return false; }
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | digit);
    }
    return true;
}

/* The shape: dashes in place, a version we may read, and the length that this version allows. Version 00
   is exactly 55 characters; a later one may go on after a dash; ff is forbidden for ever. */
TEL__COLD bool tel__propagation_shape(tel_text t) {
    uint8_t version = 0xff;
    if (t.size < TEL__PROPAGATION_LENGTH) { return false; }
    if (t.data[TEL__PROPAGATION_TRACE_AT - 1] != '-' || t.data[TEL__PROPAGATION_SPAN_AT - 1] != '-'
        || t.data[TEL__PROPAGATION_FLAGS_AT - 1] != '-') { return false; }
    if (!tel__propagation_hex(t.data, &version, 1) || version == 0xff) { return false; }
    if (t.size == TEL__PROPAGATION_LENGTH) { return true; }
    return version != 0 && t.data[TEL__PROPAGATION_LENGTH] == '-';
}

/* TEL_OK and a remote context, or TEL_ERR_FORMAT and all zero. Blanks and tabs around the value are the
   transport's, not the value's. Flags of later versions keep the meaning of version 00. */
TEL__COLD tel_result tel__propagation_parse(tel_text text, tel_context* out) {
    tel_context c;
    uint8_t flags = 0;
    memset(out, 0, sizeof *out);
    memset(&c, 0, sizeof c);
    if (!text.data) { return TEL_ERR_FORMAT; }
    if (text.size == SIZE_MAX) { text = tel__text_of(text.data); }
    text = tel__text_trim(text);
    if (!tel__propagation_shape(text)
        || !tel__propagation_hex(text.data + TEL__PROPAGATION_TRACE_AT, c.trace_id, sizeof c.trace_id)
        || !tel__propagation_hex(text.data + TEL__PROPAGATION_SPAN_AT, c.span_id, sizeof c.span_id)
        || !tel__propagation_hex(text.data + TEL__PROPAGATION_FLAGS_AT, &flags, 1)
        || !tel__span_valid(&c)) {
        return TEL_ERR_FORMAT;
    }
    c.flags = (uint8_t)(flags & TEL__PROPAGATION_FLAG_MASK);
    c.remote = 1;
    *out = c;
    return TEL_OK;
}

/* Writes 55 characters and a NUL, for any context: whether it is valid is the caller's question. */
TEL__COLD void tel__propagation_format(const tel_context* c, char out[TEL_TRACEPARENT_SIZE]) {
    uint8_t flags = (uint8_t)(c->flags & TEL__PROPAGATION_FLAG_MASK);
    memset(out, '-', TEL__PROPAGATION_LENGTH);
    memset(out, '0', 2);
    tel__text_write_hex(out + TEL__PROPAGATION_TRACE_AT, c->trace_id, sizeof c->trace_id);
    tel__text_write_hex(out + TEL__PROPAGATION_SPAN_AT, c->span_id, sizeof c->span_id);
    tel__text_write_hex(out + TEL__PROPAGATION_FLAGS_AT, &flags, 1);
    out[TEL__PROPAGATION_LENGTH] = '\0';
}

/* Sets every header of a valid context, or none. A header without ids would make the receiver start a new
   trace and warn, so an invalid context is refused instead. */
TEL__COLD tel_result tel__propagation_inject(const tel_context* c, const tel_carrier* carrier) {
    char text[TEL_TRACEPARENT_SIZE];
    if (!c || !carrier || !carrier->set || !tel__span_valid(c)) { return TEL_ERR_ARGUMENT; }
    tel__propagation_format(c, text);
    carrier->set(carrier->user_data, "traceparent", text);
    return TEL_OK;
}

/* Never fails: absent or malformed is all zero. Headers that depend on the trace (tracestate) are to be read
   only after a traceparent that holds; those that do not (baggage) independently of it. */
TEL__COLD tel_context tel__propagation_extract(const tel_carrier* carrier) {
    tel_context c;
    memset(&c, 0, sizeof c);
    if (carrier && carrier->get) {
        (void)tel__propagation_parse(carrier->get(carrier->user_data, "traceparent"), &c);
    }
    return c;
}

/* ==== R14 >>logs ======================================================================================
   Log records go straight into the ring: measured, reserved, written, committed.

   Uses      R04, R07-R10, R12 spans.          Used by   R15, R22.
   Threads   any; a record is written by its own thread.
   Holds     a record carries the ids of the context given or current, whether sampled or not (Logs Data
             Model, "Trace Context Fields").
   Tests     tests/rooms/logs.c   fuzz: none   bench: log
*/
typedef struct tel__log_record {
    tel__ring_head head;                /* a: severity */
    uint8_t  trace_id[16], span_id[8];
    uint64_t ticks, unix_ns;            /* unix_ns 0: the time is ticks */
    uint32_t scope, trace_flags, dropped_attrs, reserved;
} tel__log_record;

/* The parts of a record, measured. */
typedef struct tel__log_parts {
    tel_text body, event_name;
    const char* format;                 /* instead of body.data: printed into the record */
    va_list* args;
    const tel_attr* attrs;
    size_t   attr_count;
    uint32_t dropped;
} tel__log_parts;

/* Copies attributes with their sizes measured; what is over the limit is counted. */
TEL__FN size_t tel__log_measure(tel_attrs attrs, tel_attr* out, size_t* bytes, uint32_t* dropped) {
    size_t n = 0, i;
    for (i = 0; i < attrs.count; i++) {
        tel_attr a = attrs.items[i];
        size_t key_size = tel__attr_key_size(&a);
        if (key_size == 0 || a.type == TEL_TYPE_NONE) { continue; }
        if (a.type == TEL_TYPE_STRING) { a.as.s = tel__attr_string(&a); }
        if (n == TEL__SPAN_MOST || key_size > TEL__SPAN_KEY || (a.type == TEL_TYPE_STRING && a.as.s.size > 0xffffffu)) {
            (*dropped)++;
            continue;
        }
        a.tel__key_size = (uint32_t)key_size;
        *bytes += tel__attr_item_size(key_size, a.type == TEL_TYPE_STRING ? a.as.s.size : 7);
        out[n++] = a;
    }
    return n;
}

TEL__INLINE char* tel__log_put_text(char* to, tel__attr_what what, tel_text text) {
    if (!text.data) { return to; }
    tel__attr_write_string(to, what, "", 0, text);
    return to + tel__attr_item_size(0, text.size);
}

/* The body of tel_logf: printed in place; the size was measured by a first print. */
TEL__FN char* tel__log_print(char* to, const tel__log_parts* parts) {
    tel_text empty = { "", 0 };
    tel__attr_item* item = (tel__attr_item*)(void*)to;
    tel__log_put_text(to, TEL__ITEM_NAME, empty);
    item->value_size = (uint32_t)parts->body.size;
    vsnprintf(to + sizeof *item + 1, parts->body.size + 1, parts->format, *parts->args);
    return to + tel__attr_item_size(0, parts->body.size);
}

/* Reserves, writes and commits one record. bytes: all packed items. */
TEL__CALL void tel__log_write(tel__span_tracer* t, const tel__log_record* head, const tel__log_parts* parts,
                                size_t bytes) {
    uint32_t size = bytes < 0x3fffffffu ? (uint32_t)(sizeof *head + bytes) : UINT32_MAX;
    char* record = tel__ring_begin(t->thread, size, TEL__BOOK_LOGS);
    char* to;
    size_t i;
    if (TEL__UNLIKELY(!record)) { return; }
    memcpy(record + 4, (const char*)head + 4, 4);
    memcpy(record + 8, (const char*)head + 8, sizeof *head - 8);
    to = record + sizeof *head;
    to = parts->format ? tel__log_print(to, parts) : tel__log_put_text(to, TEL__ITEM_NAME, parts->body);
    to = tel__log_put_text(to, TEL__ITEM_MESSAGE, parts->event_name);
    for (i = 0; i < parts->attr_count; i++) {
        const tel_attr* a = &parts->attrs[i];
        if (a->type == TEL_TYPE_STRING) {
            tel__attr_write_string(to, TEL__ITEM_ATTR, a->key, a->tel__key_size, a->as.s);
            to += tel__attr_item_size(a->tel__key_size, a->as.s.size);
        } else {
            tel__attr_write_number(to, TEL__ITEM_ATTR, (uint8_t)a->type, a->key, a->tel__key_size, tel__attr_word(a));
            to += tel__attr_item_size(a->tel__key_size, 7);
        }
    }
    tel__ring_commit(t->thread->ring, record, size);
}

TEL__INLINE void tel__log_head(tel__span_tracer* t, tel__log_record* r, tel__log_parts* parts, tel_severity sev,
                               const tel_context* c) {
    memset(parts, 0, sizeof *parts);
    memset(r, 0, sizeof *r);
    r->head.kind = TEL__RING_LOG;
    r->head.a = (uint8_t)(sev < 0 || sev > 24 ? 0 : sev);
    if (c) {
        memcpy(r->trace_id, c->trace_id, 16);
        memcpy(r->span_id, c->span_id, 8);
        r->trace_flags = c->flags;
    }
    r->ticks = tel__clock_ticks(t->clock);
}

TEL__INLINE size_t tel__log_text_bytes(tel_text t) { return t.data ? tel__attr_item_size(0, t.size) : 0; }

TEL__INLINE tel_text tel__log_text(const char* cstr) {
    tel_text t;
    t.data = cstr;
    t.size = cstr ? strlen(cstr) : 0;
    return t;
}

TEL__CALL void tel__log_attrs(tel__span_tracer* t, tel__log_record* r, tel__log_parts* parts, size_t bytes,
                                  tel_attrs attrs) {
    tel_attr items[TEL__SPAN_MOST];
    parts->attr_count = tel__log_measure(attrs, items, &bytes, &r->dropped_attrs);
    parts->attrs = items;
    tel__log_write(t, r, parts, bytes);
}

TEL__CALL void tel__log_add(tel__span_tracer* t, tel_severity sev, const char* body, tel_attrs attrs) {
    tel__log_record r;
    tel__log_parts parts;
    size_t bytes;
    tel__log_head(t, &r, &parts, sev, tel__span_current(t));
    parts.body = tel__log_text(body);
    bytes = tel__log_text_bytes(parts.body);
    if (attrs.count) { tel__log_attrs(t, &r, &parts, bytes, attrs); }
    else { tel__log_write(t, &r, &parts, bytes); }
}

TEL__FN void tel__log_add_desc(tel__span_tracer* t, const tel_log_desc* d) {
    tel__log_record r;
    tel__log_parts parts;
    const tel_context* c = d->context ? d->context : tel__span_current(t);
    tel__log_head(t, &r, &parts, d->severity, c && tel__span_valid(c) ? c : NULL);
    r.scope = tel__attr_scope_find(t->shared->scopes, d->scope);
    r.unix_ns = d->unix_ns;
    parts.body = tel__log_text(d->body);
    parts.event_name = tel__log_text(d->event_name);
    tel__log_attrs(t, &r, &parts, tel__log_text_bytes(parts.body) + tel__log_text_bytes(parts.event_name), d->attrs);
}

/* printf form: a body of up to 511 bytes is printed once, a longer one a second time, into the ring. */
TEL__FN void tel__log_add_format(tel__span_tracer* t, tel_severity sev, const char* format,
                                 va_list args) TEL__PRINTF(3, 0);
TEL__FN void tel__log_add_format(tel__span_tracer* t, tel_severity sev, const char* format, va_list args) {
    char text[512];
    va_list again;
    int n;
    va_copy(again, args);
    n = vsnprintf(text, sizeof text, format, args);
    if (n >= 0) {
        tel__log_record r;
        tel__log_parts parts;
        tel__log_head(t, &r, &parts, sev, tel__span_current(t));
        parts.body = tel__text_sized(text, (size_t)n);
        if ((size_t)n >= sizeof text) { parts.format = format; parts.args = &again; }
        tel__log_write(t, &r, &parts, tel__attr_item_size(0, (size_t)n));
    } else {                            /* an argument that the locale cannot print */
        tel__ring_count(&t->thread->books.recorded[TEL__BOOK_LOGS]);
        tel__ring_settle(&t->thread->books.dropped[TEL__BOOK_LOGS], 1);
    }
    va_end(again);
}

/* Turns a record into a view, as tel__span_read does. */
TEL__FN bool tel__log_read(const tel__log_record* r, const tel__clock* clock, const tel__attr_scopes* scopes,
                           tel__memory_arena* arena, tel_log_view* v) {
    tel__attr_reader items;
    tel__attr_got got;
    tel_attr* own;
    items.at = (const char*)(r + 1);
    items.end = (const char*)r + r->head.size;
    own = (tel_attr*)tel__memory_take(arena, (tel__span_count_items(items).attrs + 1) * sizeof(tel_attr));
    memset(v, 0, sizeof *v);
    if (!own) { return false; }
    v->scope = tel__attr_scope_view(scopes, r->scope);
    v->observed_unix_ns = tel__clock_unix_at(clock, r->ticks);
    v->unix_ns = r->unix_ns ? r->unix_ns : v->observed_unix_ns;
    v->severity = (tel_severity)r->head.a;
    memcpy(v->context.trace_id, r->trace_id, 16);
    memcpy(v->context.span_id, r->span_id, 8);
    v->context.flags = (uint8_t)r->trace_flags;
    v->dropped_attrs = r->dropped_attrs;
    v->attrs.items = own;
    while (tel__attr_next(&items, &got)) {
        if (got.what == TEL__ITEM_NAME) { v->body = got.string; }
        else if (got.what == TEL__ITEM_MESSAGE) { v->event_name = got.string; }
        else if (got.what == TEL__ITEM_ATTR) { tel__span_view_attr(own, &v->attrs.count, &got.attr); }
    }
    return true;
}

/* ==== R15 >>pipeline ==================================================================================
   Moves what was recorded to the sinks: drains rings into stages, seals a stage when it is large or old
   enough, offers it to every sink until the sink has taken it or its time is over, and collects metrics when
   they are due. Also the delivery queue with a worker, for sinks that send over a network.

   Uses      R02-R04, R06-R12, R14.            Used by   R19-R22.
   Threads   round, flush: any, one at a time: whoever sets `busy` works. drain: any, under p->stage. Books: any.
   Holds     p->stage (a mutex) guards the consumer end of every ring, the open stages and the lists of pending
             stages; nothing is called back and nothing blocks under it, so an ending thread may drain its own
             ring. p->mutex guards busy, stop and the thread's sleep. Order: p->mutex, then p->stage.
             A stage is a run of packed records of one signal, immutable once sealed; refs counts the sinks it
             is pending for. For each sink and signal: offered = accepted + dropped_full + dropped_failed + pending, and
             what was accepted is the sink's to account for (stats_fn).
             Delivery: a payload is queued, in flight, delivered or dropped, and counted as one of these
             under its mutex. Its object outlives a worker that cannot be stopped in time: whoever is last
             frees it.
   Tests     tests/rooms/pipeline.c   fuzz: none   bench: none
*/
#define TEL__PIPELINE_SINKS     16u
#define TEL__PIPELINE_PENDING   256u             /* stages waiting per sink and signal */
#define TEL__PIPELINE_BYTES     (1u << 20)      /* a stage this large is sealed */
#define TEL__PIPELINE_TICK_MIN  1000000u        /* ns between two looks at the rings */
#define TEL__PIPELINE_TICK_MAX  20000000u

typedef struct tel__pipeline_stage {
    struct tel__pipeline_stage* next;
    char*    data;
    size_t   capacity, size;
    uint32_t count, refs;
    int      signal;                    /* TEL__BOOK_SPANS, TEL__BOOK_LOGS */
    uint64_t first_mono;                /* when its first record came in */
} tel__pipeline_stage;

typedef struct tel__pipeline_queue {
    tel__pipeline_stage* at[TEL__PIPELINE_PENDING];
    uint32_t first, count;
    uint64_t records;
} tel__pipeline_queue;

/* Books by index of tel_stats: 0 metric points, 1 spans, 2 logs. */
typedef struct tel__pipeline_sink {
    tel_sink            sink;
    tel__pipeline_queue pending[2];
    tel__atomic_u64     accepted[3], dropped_full[3], dropped_failed[3], waiting[3];
    uint64_t            retry_at[2], backoff_ns[2], give_up_at[2];  /* of the oldest pending stages; 0: not tried */
    bool                closed;         /* under p->stats: last has the final books */
    tel_sink_stats      last;
} tel__pipeline_sink;

typedef struct tel__pipeline_limits { uint32_t delay_ms, batch, queue, timeout_ms; } tel__pipeline_limits;

typedef struct tel__pipeline {
    tel__memory*       memory;
    tel__diag*         diag;
    tel__clock*        clock;
    tel__ring_registry* registry;
    tel__metrics*      metrics;
    tel__attr_scopes*  scopes;
    tel_attrs          resource;
    tel__pipeline_limits limits[2];
    uint32_t           metric_interval_ms, metric_timeout_ms;
    tel__pipeline_sink* sinks;
    uint32_t           sink_count;
    tel__thread_mutex  mutex, stage;
    tel__thread_cond   cond;
    bool               busy, stop, running, orphan;
    bool               pushes_metrics;  /* to one sink at least */
    tel__thread_handle thread;
    void             (*left_fn)(struct tel__pipeline* p);   /* the export thread was left alone and ends now */
    tel__pipeline_stage* open[2];
    tel__memory_arena  arena;
    tel__atomic_u64    points;          /* collected for push sinks */
    tel__atomic_u64    staged[2];
    uint64_t           next_collect, tick_ns, said_dropped[2];
    tel__atomic_u32    fill;            /* of the fullest ring at the last drain, in 256ths */
    bool               in_round, closed;    /* the export thread is at work; the sinks are closed */
    uint32_t           sealed;          /* stages in this drain: the sinks are served before there are too many */
    bool               starved;         /* the last drain left something for want of memory */
    bool               behind;          /* and the last round for want of time */
    tel_result         collected;       /* what the last round's collection came to */
    uint64_t           until;           /* the time of the one who works */
    tel__thread_mutex  stats;           /* held over stats_fn, and while a sink's last books are taken */
} tel__pipeline;

/* ---- stages (under p->stage) ---- */

TEL__COLD void tel__pipeline_stage_drop(tel__pipeline* p, tel__pipeline_stage* s) {
    if (s->refs > 1) { s->refs--; return; }
    tel__memory_free(p->memory, s->data, s->capacity);
    tel__memory_free(p->memory, s, sizeof *s);
}

/* Room for `want` more bytes in the open stage; false: no memory. */
TEL__FN bool tel__pipeline_stage_room(tel__pipeline* p, int signal, size_t want) {
    tel__pipeline_stage* s = p->open[signal];
    size_t capacity = 16384;
    char* data;
    if (!s) {
        s = (tel__pipeline_stage*)tel__memory_alloc(p->memory, sizeof *s);
        if (!s) { return false; }
        s->signal = signal;
        s->first_mono = tel__clock_mono_ns();
        p->open[signal] = s;
    }
    if (s->capacity - s->size >= want) { return true; }
    while (capacity < s->size + want) { capacity *= 2; }
    data = (char*)tel__memory_alloc_raw(p->memory, capacity);
    if (!data) { return false; }
    if (s->size) { memcpy(data, s->data, s->size); }
    tel__memory_free(p->memory, s->data, s->capacity);
    s->data = data;
    s->capacity = capacity;
    return true;
}

TEL__COLD void tel__pipeline_queue_push(tel__pipeline* p, tel__pipeline_sink* k, tel__pipeline_stage* s) {
    tel__pipeline_queue* q = &k->pending[s->signal];
    uint32_t limit = p->limits[s->signal].queue;
    if (q->count == TEL__PIPELINE_PENDING || (q->records && q->records + s->count > limit)) {
        tel__atomic_add_u64(&k->dropped_full[1 + s->signal], s->count);
        tel__diag_note(p->diag, TEL__DIAG_QUEUE_FULL, k->sink.name);
        return;
    }
    q->at[(q->first + q->count++) % TEL__PIPELINE_PENDING] = s;
    q->records += s->count;
    tel__atomic_add_u64(&k->waiting[1 + s->signal], s->count);
    s->refs++;
}

TEL__COLD bool tel__pipeline_wants(const tel__pipeline_sink* k, int index) {
    uint32_t signals = k->sink.signal_mask ? k->sink.signal_mask : (uint32_t)TEL_ALL_SIGNALS;
    return (signals >> index & 1u) != 0;
}

/* Closes the open stage and puts it before every sink that wants its signal. */
TEL__CALL void tel__pipeline_seal(tel__pipeline* p, int signal) {
    tel__pipeline_stage* s = p->open[signal];
    uint32_t i;
    if (!s || !s->count) { return; }
    p->open[signal] = NULL;
    p->sealed++;
    s->refs = 1;
    for (i = 0; i < p->sink_count; i++) {
        if (tel__pipeline_wants(&p->sinks[i], 1 + signal)) { tel__pipeline_queue_push(p, &p->sinks[i], s); }
    }
    tel__atomic_store_u64(&p->staged[signal], 0);
    tel__pipeline_stage_drop(p, s);
}

TEL__FN bool tel__pipeline_keep(tel__pipeline* p, const tel__ring_head* h, uint32_t size) {
    int signal = h->kind == TEL__RING_SPAN ? TEL__BOOK_SPANS : TEL__BOOK_LOGS;
    tel__pipeline_stage* s;
    if (!tel__pipeline_stage_room(p, signal, size)) { return false; }
    s = p->open[signal];
    memcpy(s->data + s->size, h, size);
    s->size += size;
    s->count++;
    tel__atomic_store_u64(&p->staged[signal], s->count);
    if (s->count >= p->limits[signal].batch || s->size >= TEL__PIPELINE_BYTES) { tel__pipeline_seal(p, signal); }
    return true;
}

#define TEL__PIPELINE_AT_ONCE 2u         /* stages of one drain; all queues hold more */

/* Moves what one ring held when the round began (`fresh`: that is now) into the stages. What finds no memory, or
   would be too much at once for the queues of the sinks, stays in the ring. */
TEL__FN void tel__pipeline_drain_ring(tel__pipeline* p, tel__ring* r, tel__ring_books* books, bool fresh) {
    uint32_t at = tel__atomic_load_u32(&r->tail), kept = at, fill;
    uint64_t taken[2] = { 0, 0 };
    const tel__ring_head* h;
    if (!r->data) { return; }
    fill = (uint32_t)((uint64_t)tel__ring_used(r) * 256 / r->size);
    if (fill > tel__atomic_load_u32(&p->fill)) { tel__atomic_store_u32(&p->fill, fill); }
    if (fresh) { r->goal = tel__ring_written(r); }
    while ((h = tel__ring_next(r, &at, r->goal)) != NULL) {
        int signal = h->kind == TEL__RING_SPAN ? TEL__BOOK_SPANS : TEL__BOOK_LOGS;
        if (p->sealed >= TEL__PIPELINE_AT_ONCE) { break; }
        if (!tel__pipeline_keep(p, h, h->size)) {
            p->starved = true;
            tel__diag_note(p->diag, TEL__DIAG_MEMORY, NULL);
            break;
        }
        kept = at;
        taken[signal]++;
    }
    tel__ring_settle(&books->taken[0], taken[0]);
    tel__ring_settle(&books->taken[1], taken[1]);
    if (!h) { kept = at; }
    tel__ring_release(r, kept);
}

/* What an ending thread does for itself. */
TEL__FN void tel__pipeline_drain_thread(tel__pipeline* p, tel__ring_thread* t) {
    tel__thread_mutex_lock(&p->stage);
    do {
        p->sealed = 0;
        tel__pipeline_drain_ring(p, &t->own, &t->books, true);
    } while (p->sealed >= TEL__PIPELINE_AT_ONCE);
    tel__thread_mutex_unlock(&p->stage);
}

/* Drains the rings; true: there is more of what they held at the first drain (`fresh`) of the round. Who records
   as quickly as we drain so takes neither the turns of the other threads nor all of our time. Threads may come and
   go: the registry's mutex keeps the list still. */
TEL__FN bool tel__pipeline_drain(tel__pipeline* p, bool force, bool fresh) {
    tel__ring_thread* t;
    uint64_t now = tel__clock_mono_ns();
    bool more;
    int i;
    tel__thread_mutex_lock(&p->stage);
    p->starved = false;
    p->sealed = 0;
    tel__thread_mutex_lock(&p->registry->mutex);
    for (t = p->registry->threads; t; t = t->next) { tel__pipeline_drain_ring(p, &t->own, &t->books, fresh); }
    tel__pipeline_drain_ring(p, &p->registry->shared, &p->registry->ended, fresh);
    tel__thread_mutex_unlock(&p->registry->mutex);
    more = p->sealed >= TEL__PIPELINE_AT_ONCE;
    for (i = 0; i < 2 && !more; i++) {
        uint64_t delay = (uint64_t)p->limits[i].delay_ms * 1000000u;
        if (p->open[i] && (force || now >= p->open[i]->first_mono + delay)) { tel__pipeline_seal(p, i); }
    }
    tel__thread_mutex_unlock(&p->stage);
    return more;
}

/* ---- offering to a sink (by whoever is busy) ---- */

/* Calls export_fn; what the sink records meanwhile is ignored. */
TEL__COLD tel_result tel__pipeline_call(const tel_sink* sink, const tel_batch* batch) {
    tel__thread_local saved = tel__thread_quiet_begin();
    tel_result r = sink->export_fn(batch, sink->user_data);
    tel__thread_quiet_end(saved);
    return r;
}

TEL__COLD void tel__pipeline_frame(const tel__pipeline* p, tel_batch* batch, uint32_t timeout_ms, uint64_t until) {
    uint32_t left = tel__clock_left_ms(until);
    if (left < timeout_ms) { timeout_ms = left; }
    memset(batch, 0, sizeof *batch);
    batch->resource = p->resource;
    batch->deadline_unix_ns = tel__clock_unix_ns() + (uint64_t)timeout_ms * 1000000u;
}

/* The views of a stage, in the arena; false: no memory. */
TEL__FN bool tel__pipeline_views(tel__pipeline* p, const tel__pipeline_stage* s, tel_batch* batch) {
    const char* at = s->data;
    size_t each = s->signal == TEL__BOOK_SPANS ? sizeof(tel_span_view) : sizeof(tel_log_view);
    void* views;
    uint32_t i;
    tel__memory_rewind(&p->arena);
    views = tel__memory_take(&p->arena, s->count * each);
    if (!views) { return false; }
    for (i = 0; i < s->count; i++) {
        const void* r = at;
        bool ok = s->signal == TEL__BOOK_SPANS
                ? tel__span_read((const tel__span_record*)r, p->clock, p->scopes, &p->arena, (tel_span_view*)views + i)
                : tel__log_read((const tel__log_record*)r, p->clock, p->scopes, &p->arena, (tel_log_view*)views + i);
        if (!ok) { return false; }
        at += ((const tel__ring_head*)r)->size;
    }
    if (s->signal == TEL__BOOK_SPANS) { batch->spans = (const tel_span_view*)views; batch->span_count = s->count; }
    else { batch->logs = (const tel_log_view*)views; batch->log_count = s->count; }
    return true;
}

/* Takes the oldest stage off, and counts its records, in one hold of the lock. */
TEL__COLD void tel__pipeline_pop(tel__pipeline* p, tel__pipeline_sink* k, int signal, tel__atomic_u64* book) {
    tel__pipeline_queue* q = &k->pending[signal];
    tel__pipeline_stage* s = q->at[q->first];
    tel__thread_mutex_lock(&p->stage);
    if (q->count) {                     /* else the sink forked and we are in the child: all is forgotten */
        q->first = (q->first + 1) % TEL__PIPELINE_PENDING;
        q->count--;
        q->records -= s->count;
        tel__atomic_add_u64(&k->waiting[1 + signal], (uint64_t)0 - s->count);
        tel__atomic_add_u64(book, s->count);
        tel__pipeline_stage_drop(p, s);
    }
    tel__thread_mutex_unlock(&p->stage);
}

TEL__COLD tel__pipeline_stage* tel__pipeline_oldest(tel__pipeline* p, tel__pipeline_sink* k, int signal) {
    tel__pipeline_stage* s;
    tel__thread_mutex_lock(&p->stage);
    s = k->pending[signal].count ? k->pending[signal].at[k->pending[signal].first] : NULL;
    tel__thread_mutex_unlock(&p->stage);
    return s;
}

/* Offers the oldest pending stage of a signal. true: it is off the list, one way or the other. */
TEL__COLD bool tel__pipeline_offer(tel__pipeline* p, tel__pipeline_sink* k, int signal, tel__pipeline_stage* s) {
    uint64_t now = tel__clock_mono_ns();
    uint32_t forks = tel__thread_me.forks;
    tel_batch batch;
    tel_result r;
    tel__pipeline_frame(p, &batch, p->limits[signal].timeout_ms, p->until);
    r = tel__pipeline_views(p, s, &batch) ? tel__pipeline_call(&k->sink, &batch) : TEL_ERR_MEMORY;
    if (forks != tel__thread_me.forks) { return false; }       /* the sink forked: the child forgot the stage */
    if (!k->give_up_at[signal]) { k->give_up_at[signal] = now + (uint64_t)p->limits[signal].timeout_ms * 1000000u; }
    if ((r == TEL_ERR_IO || r == TEL_ERR_TIMEOUT) && now < k->give_up_at[signal]) {
        uint64_t backoff = k->backoff_ns[signal] ? k->backoff_ns[signal] * 2 : 5000000u;
        k->backoff_ns[signal] = backoff < (uint64_t)5 * 1000000000u ? backoff : (uint64_t)5 * 1000000000u;
        k->retry_at[signal] = now + k->backoff_ns[signal];
        return false;
    }
    if (r != TEL_OK) {
        tel__diag_report(p->diag, TEL__DIAG_SINK_FAILED, "%s: %s, %u %s dropped", k->sink.name, tel__diag_result(r),
                         (unsigned)s->count, signal == TEL__BOOK_SPANS ? "spans" : "log records");
    }
    k->retry_at[signal] = k->backoff_ns[signal] = k->give_up_at[signal] = 0;
    tel__pipeline_pop(p, k, signal, r == TEL_OK ? &k->accepted[1 + signal] : &k->dropped_failed[1 + signal]);
    return true;
}

/* Offers a sink all that is pending for it; stops at the first stage it cannot take now. */
TEL__COLD void tel__pipeline_serve(tel__pipeline* p, tel__pipeline_sink* k, bool force) {
    int signal;
    for (signal = 0; signal < 2; signal++) {
        tel__pipeline_stage* s;
        if (!force && k->retry_at[signal] && tel__clock_mono_ns() < k->retry_at[signal]) { continue; }
        while ((s = tel__pipeline_oldest(p, k, signal)) != NULL && tel__pipeline_offer(p, k, signal, s)) { }
    }
}

/* ---- metrics ---- */

/* Hands one batch of a collection to every sink that is pushed metrics. A sink's failure is its own. */
TEL__COLD tel_result tel__pipeline_emit(const tel_batch* batch, void* user_data) {
    tel__pipeline* p = (tel__pipeline*)user_data;
    uint32_t forks = tel__thread_me.forks;
    uint64_t points = 0;
    uint32_t i;
    for (i = 0; i < batch->metric_count; i++) { points += batch->metrics[i].point_count; }
    if (!points) { return TEL_OK; }
    tel__atomic_add_u64(&p->points, points);
    for (i = 0; i < p->sink_count; i++) {
        tel__pipeline_sink* k = &p->sinks[i];
        tel_result r;
        if (!tel__pipeline_wants(k, 0)) { continue; }
        r = tel__pipeline_call(&k->sink, batch);
        if (forks != tel__thread_me.forks) { return TEL_OK; }   /* the sink forked: these are the parent's points */
        tel__atomic_add_u64(r == TEL_OK ? &k->accepted[0] : &k->dropped_failed[0], points);
        if (r != TEL_OK) {
            tel__diag_report(p->diag, TEL__DIAG_SINK_FAILED, "%s: %s, metrics dropped", k->sink.name,
                             tel__diag_result(r));
        }
    }
    return TEL_OK;
}

/* While somebody else collects, a flush waits for the end of that, up to its deadline. A round of the export thread
   does not: the rings cannot wait, and the metrics stay due. */
TEL__COLD void tel__pipeline_metrics(tel__pipeline* p, bool force) {
    uint64_t now = tel__clock_mono_ns(), interval = (uint64_t)p->metric_interval_ms * 1000000u;
    bool late = force || now > p->next_collect + interval;
    tel_batch frame;
    p->collected = TEL_OK;
    if (!force && now < p->next_collect) { return; }
    if (p->pushes_metrics) {
        tel__pipeline_frame(p, &frame, p->metric_timeout_ms, p->until);
        p->collected = tel__metric_collect(p->metrics, &frame, force ? p->until : 0, tel__pipeline_emit, p);
    }
    if (p->collected != TEL_ERR_TIMEOUT) { p->next_collect = now + interval; }
    else if (!late) { return; }
    if (p->collected == TEL_OK) { return; }
    tel__diag_report(p->diag, TEL__DIAG_COLLECTING, "%s", tel__diag_result(p->collected));
}

/* ---- rounds ---- */

/* Becomes the one who works; false: not by the deadline. */
TEL__CALL bool tel__pipeline_enter(tel__pipeline* p, uint64_t deadline) {
    bool entered;
    tel__thread_mutex_lock(&p->mutex);
    while (p->busy && tel__clock_mono_ns() < deadline) { tel__thread_cond_wait(&p->cond, &p->mutex, deadline); }
    entered = !p->busy;
    if (entered) { p->busy = true; }
    tel__thread_mutex_unlock(&p->mutex);
    return entered;
}

TEL__COLD void tel__pipeline_leave(tel__pipeline* p) {
    tel__thread_mutex_lock(&p->mutex);
    p->busy = false;
    tel__thread_cond_broadcast(&p->cond);
    tel__thread_mutex_unlock(&p->mutex);
}

TEL__COLD void tel__pipeline_say_drops(tel__pipeline* p) {
    uint32_t threads;
    tel__ring_books sum = tel__ring_totals(p->registry, &threads);
    uint64_t spans = tel__atomic_load_u64(&sum.dropped[0]), logs = tel__atomic_load_u64(&sum.dropped[1]);
    if (spans > p->said_dropped[0] || logs > p->said_dropped[1]) {
        tel__diag_report(p->diag, TEL__DIAG_DROPPED, "%llu spans and %llu log records so far: rings full "
                         "(tel_desc.ring_bytes), records too large, or span pool empty (max_live_spans)",
                         (unsigned long long)spans, (unsigned long long)logs);
        p->said_dropped[0] = spans;
        p->said_dropped[1] = logs;
    }
}

/* One round by the one who works. Where nobody waits for its end it goes on while much comes, or the rings overflow. */
TEL__CALL void tel__pipeline_round(tel__pipeline* p, bool force, uint64_t until) {
    uint32_t i, turns = 0, pass = 0;
    if (p->closed) { return; }
    p->until = until;
    tel__clock_sync(p->clock);
    tel__atomic_store_u32(&p->fill, 0);
    for (p->behind = true; p->behind && (turns < 256 || tel__clock_mono_ns() < until); turns++) {
        p->behind = tel__pipeline_drain(p, force, turns == pass);
        for (i = 0; i < p->sink_count; i++) { tel__pipeline_serve(p, &p->sinks[i], force); }
        if (!p->behind && !force && turns > pass && turns < 256) { p->behind = true; pass = turns + 1; }
    }
    tel__pipeline_metrics(p, force);
    tel__memory_rewind(&p->arena);
    tel__pipeline_say_drops(p);
    tel__diag_flush(p->diag);
}

/* The next pause: short while rings fill, long while they are empty. A ring has to survive one of them. */
TEL__COLD uint64_t tel__pipeline_pause(tel__pipeline* p) {
    uint32_t fill = tel__atomic_load_u32(&p->fill);
    if (fill > 48) { p->tick_ns /= 2; }
    else if (fill < 12) { p->tick_ns += p->tick_ns / 4; }
    if (p->tick_ns < TEL__PIPELINE_TICK_MIN) { p->tick_ns = TEL__PIPELINE_TICK_MIN; }
    if (p->tick_ns > TEL__PIPELINE_TICK_MAX) { p->tick_ns = TEL__PIPELINE_TICK_MAX; }
    return p->tick_ns;
}

TEL__COLD void tel__pipeline_run(void* arg) {
    tel__pipeline* p = (tel__pipeline*)arg;
    bool orphan;
    tel__thread_mutex_lock(&p->mutex);
    while (!p->stop) {
        uint64_t until = tel__clock_mono_ns() + tel__pipeline_pause(p);
        while (!p->stop && tel__thread_cond_wait(&p->cond, &p->mutex, until)) { }
        if (p->stop || p->busy) { continue; }
        p->busy = p->in_round = true;
        tel__thread_mutex_unlock(&p->mutex);
        tel__pipeline_round(p, false, UINT64_MAX);
        tel__thread_mutex_lock(&p->mutex);
        p->busy = p->in_round = false;
        tel__thread_cond_broadcast(&p->cond);
    }
    p->running = false;
    orphan = p->orphan;
    tel__thread_cond_broadcast(&p->cond);
    tel__thread_mutex_unlock(&p->mutex);
    if (orphan) { p->left_fn(p); }
}

TEL__COLD bool tel__pipeline_start(tel__pipeline* p) {
    p->stop = false;
    p->running = true;
    if (!tel__thread_start(&p->thread, tel__pipeline_run, p)) { p->running = false; }
    return p->running;
}

/* Ends the export thread; false: it is inside a sink and did not come back by the deadline. Then it is left
   alone, p must stay, and left_fn tells when it need not any more. */
TEL__COLD bool tel__pipeline_stop(tel__pipeline* p, uint64_t deadline) {
    bool ended;
    tel__thread_mutex_lock(&p->mutex);
    p->stop = true;
    tel__thread_cond_broadcast(&p->cond);
    while (p->running && (!p->in_round || tel__clock_mono_ns() < deadline)) {
        tel__thread_cond_wait(&p->cond, &p->mutex, p->in_round ? deadline : tel__clock_deadline(100));
    }
    ended = !p->running;
    p->orphan = !ended;
    tel__thread_mutex_unlock(&p->mutex);
    if (ended) { tel__thread_join(&p->thread); } else { tel__thread_detach(&p->thread); }
    return ended;
}

TEL__COLD bool tel__pipeline_pending(const tel__pipeline* p) {
    uint32_t i;
    int signal;
    for (i = 0; i < p->sink_count; i++) {
        for (signal = 1; signal < 3; signal++) {
            if (tel__atomic_load_u64(&p->sinks[i].waiting[signal])) { return true; }
        }
    }
    return false;
}

/* Lets every sink deliver what it accepted. A dead one spends the time, but the others work meanwhile. */
TEL__COLD tel_result tel__pipeline_flush_sinks(tel__pipeline* p, uint64_t deadline) {
    tel_result worst = TEL_OK;
    uint32_t i;
    for (i = 0; i < p->sink_count; i++) {
        const tel_sink* sink = &p->sinks[i].sink;
        tel__thread_local saved;
        tel_result r;
        if (!sink->flush_fn) { continue; }
        saved = tel__thread_quiet_begin();
        r = sink->flush_fn(tel__clock_left_ms(deadline), sink->user_data);
        tel__thread_quiet_end(saved);
        if (r != TEL_OK) { worst = r; }
    }
    return worst;
}

/* Drains, collects, offers and waits until all sinks have delivered, or the deadline. */
TEL__CALL tel_result tel__pipeline_flush(tel__pipeline* p, uint64_t deadline) {
    tel_result r;
    if (!tel__pipeline_enter(p, deadline)) { return TEL_ERR_TIMEOUT; }
    if (p->closed) { tel__pipeline_leave(p); return TEL_ERR_STATE; }
    tel__pipeline_round(p, true, deadline);
    for (;;) {
        uint64_t now = tel__clock_mono_ns();
        uint32_t i;
        r = tel__pipeline_flush_sinks(p, deadline);
        if (!tel__pipeline_pending(p)) { break; }
        if (now >= deadline) { r = TEL_ERR_TIMEOUT; break; }
        tel__thread_sleep_ns(deadline - now < 2000000u ? deadline - now : 2000000u);
        for (i = 0; i < p->sink_count; i++) { tel__pipeline_serve(p, &p->sinks[i], false); }
    }
    if (r == TEL_OK) { r = p->behind ? TEL_ERR_TIMEOUT : p->starved ? TEL_ERR_MEMORY : p->collected; }
    tel__memory_rewind(&p->arena);
    tel__pipeline_leave(p);
    return r;
}

/* ---- life ---- */

TEL__COLD void tel__pipeline_sync_init(tel__pipeline* p) {
    tel__thread_mutex_init(&p->mutex);
    tel__thread_mutex_init(&p->stage);
    tel__thread_mutex_init(&p->stats);
    tel__thread_cond_init(&p->cond);
}

TEL__COLD tel_result tel__pipeline_init(tel__pipeline* p, const tel_sink* sinks, size_t count) {
    size_t i;
    tel__pipeline_sync_init(p);
    p->arena.memory = p->memory;
    p->tick_ns = TEL__PIPELINE_TICK_MAX;
    p->next_collect = tel__clock_mono_ns() + (uint64_t)p->metric_interval_ms * 1000000u;
    if (!count) { return TEL_OK; }
    p->sinks = (tel__pipeline_sink*)tel__memory_alloc(p->memory, count * sizeof *p->sinks);
    if (!p->sinks) { return TEL_ERR_MEMORY; }
    p->sink_count = (uint32_t)count;
    for (i = 0; i < count; i++) {
        p->sinks[i].sink = sinks[i];
        if (!p->sinks[i].sink.name) { p->sinks[i].sink.name = "sink"; }
        p->pushes_metrics = p->pushes_metrics || tel__pipeline_wants(&p->sinks[i], 0);
    }
    return TEL_OK;
}

/* Forgets everything that is staged or pending. */
TEL__CALL void tel__pipeline_discard(tel__pipeline* p) {
    uint32_t i;
    int signal;
    for (signal = 0; signal < 2; signal++) {
        if (p->open[signal]) { p->open[signal]->refs = 1; tel__pipeline_stage_drop(p, p->open[signal]); }
        p->open[signal] = NULL;
        tel__atomic_store_u64(&p->staged[signal], 0);
        for (i = 0; i < p->sink_count; i++) {
            tel__pipeline_sink* k = &p->sinks[i];
            while (k->pending[signal].count) { tel__pipeline_pop(p, k, signal, &k->dropped_failed[1 + signal]); }
        }
    }
}

TEL__COLD void tel__pipeline_free(tel__pipeline* p) {
    tel__pipeline_discard(p);
    tel__memory_release(&p->arena);
    tel__memory_free(p->memory, p->sinks, p->sink_count * sizeof *p->sinks);
    tel__thread_mutex_destroy(&p->mutex);
    tel__thread_mutex_destroy(&p->stage);
    tel__thread_mutex_destroy(&p->stats);
    tel__thread_cond_destroy(&p->cond);
}

/* One sink's books, with what it says of the things it accepted. */
TEL__CALL void tel__pipeline_sink_stats(tel__pipeline* p, tel__pipeline_sink* k, tel_sink_stats* out) {
    tel_sink_stats later;
    int i;
    memset(out, 0, sizeof *out);
    memset(&later, 0, sizeof later);
    tel__thread_mutex_lock(&p->stats);
    if (k->closed) { later = k->last; }
    else if (k->sink.stats_fn) {
        tel__thread_local saved = tel__thread_quiet_begin();
        k->sink.stats_fn(&later, k->sink.user_data);
        tel__thread_quiet_end(saved);
    }
    tel__thread_mutex_unlock(&p->stats);
    snprintf(out->name, sizeof out->name, "%s", k->sink.name);
    tel__thread_mutex_lock(&p->stage);          /* no stage goes from one book to another meanwhile */
    for (i = 0; i < 3; i++) {
        uint64_t accepted = tel__atomic_load_u64(&k->accepted[i]);
        uint64_t gone = later.queued[i] + later.dropped_full[i] + later.dropped_failed[i];
        out->delivered[i] = accepted > gone ? accepted - gone : 0;
        out->queued[i] = later.queued[i] + tel__atomic_load_u64(&k->waiting[i]);
        out->dropped_full[i] = later.dropped_full[i] + tel__atomic_load_u64(&k->dropped_full[i]);
        out->dropped_failed[i] = later.dropped_failed[i] + tel__atomic_load_u64(&k->dropped_failed[i]);
    }
    tel__thread_mutex_unlock(&p->stage);
}

/* Closes every sink, by the one who works. What a sink had not delivered by then is lost with it. */
TEL__CALL void tel__pipeline_close(tel__pipeline* p) {
    uint32_t i;
    int j;
    p->closed = true;
    for (i = 0; i < p->sink_count; i++) {
        tel__pipeline_sink* k = &p->sinks[i];
        tel__thread_local saved = tel__thread_quiet_begin();
        tel__thread_mutex_lock(&p->stats);
        if (k->sink.stats_fn) { k->sink.stats_fn(&k->last, k->sink.user_data); }
        for (j = 0; j < 3; j++) {
            k->last.dropped_failed[j] += k->last.queued[j];
            k->last.queued[j] = 0;
        }
        k->closed = true;
        tel__thread_mutex_unlock(&p->stats);
        if (k->sink.close_fn) { k->sink.close_fn(k->sink.user_data); }
        tel__thread_quiet_end(saved);
    }
}

/* ---- delivery: payloads, a worker, retries ---- */

typedef struct tel__pipeline_payload {
    struct tel__pipeline_payload* next;
    int      signal;                    /* index of tel_stats */
    uint64_t items;
    size_t   size, capacity, charged;   /* charged: what the queue counts for it, whatever becomes of data */
    char*    data;
    bool     packed;                    /* data is compressed */
    uint64_t give_up_at, retry_at, pause_ns;    /* set by the first attempt */
} tel__pipeline_payload;

/* What one attempt to send came to. */
typedef struct tel__pipeline_sent {
    tel_result result;                  /* TEL_ERR_IO, TEL_ERR_TIMEOUT: try again; other failures: final */
    uint64_t   retry_after_ms;          /* UINT64_MAX: the receiver did not say */
    uint64_t   rejected;                /* with TEL_OK: items that the receiver did not take */
} tel__pipeline_sent;

typedef struct tel__pipeline_delivery {
    tel__memory*       memory;
    tel__thread_mutex  mutex;
    tel__thread_cond   cond;
    tel__pipeline_payload *first, *last;
    bool               flying, worker, abandoned, no_thread;
    uint64_t           until;           /* no_thread: the time of the caller that we send in; 0: any */
    tel__atomic_u32    stop;
    tel__thread_handle thread;
    size_t             bytes, max_bytes;
    uint64_t           queued[3], dropped[3];
    uint32_t           timeout_ms[3];
    tel__id_generator  jitter;
    tel__pipeline_sent (*send_fn)(struct tel__pipeline_delivery* d, tel__pipeline_payload* payload, uint64_t deadline);
    void             (*free_fn)(struct tel__pipeline_delivery* d);   /* of what user_data holds, and d itself */
    void*              user_data;
} tel__pipeline_delivery;

TEL__COLD void tel__pipeline_delivery_init(tel__pipeline_delivery* d) {
    tel__thread_mutex_init(&d->mutex);
    tel__thread_cond_init(&d->cond);
    tel__id_seed(&d->jitter);
}

#define TEL__PIPELINE_PAUSE 1000000000u     /* nanoseconds, before the first repetition; it grows with each */

/* One attempt to send. true: settled, and *lost of its items did not arrive. false: again from retry_at on, with
   exponential backoff and jitter or when the receiver asked for it (OTLP specification, "Failures"); "now" counts
   once, or the two would spin. `until` cuts the attempt short, not the payload's own time. Without d->mutex. */
TEL__COLD bool tel__pipeline_attempt(tel__pipeline_delivery* d, tel__pipeline_payload* payload, uint64_t until,
                                     uint64_t* lost) {
    uint32_t timeout = d->timeout_ms[payload->signal];
    tel__pipeline_sent sent;
    uint64_t now, wait;
    if (!payload->give_up_at) {
        payload->give_up_at = tel__clock_deadline(timeout ? timeout : TEL_FOREVER);
        payload->pause_ns = TEL__PIPELINE_PAUSE;
    }
    sent = d->send_fn(d, payload, payload->give_up_at < until ? payload->give_up_at : until);
    now = tel__clock_mono_ns();
    *lost = payload->items;
    if (sent.result == TEL_OK) {
        if (sent.rejected < *lost) { *lost = sent.rejected; }
        return true;
    }
    if (sent.result != TEL_ERR_IO && sent.result != TEL_ERR_TIMEOUT) { return true; }
    wait = payload->pause_ns * (80 + tel__id_next(&d->jitter) % 41) / 100;
    if (sent.retry_after_ms != UINT64_MAX && (sent.retry_after_ms || payload->pause_ns == TEL__PIPELINE_PAUSE)) {
        wait = sent.retry_after_ms < 3600000u ? sent.retry_after_ms * 1000000u : payload->give_up_at;
    }
    if (now >= payload->give_up_at || wait >= payload->give_up_at - now) { return true; }
    payload->retry_at = now + wait;
    payload->pause_ns = payload->pause_ns < (uint64_t)3333333333u ? payload->pause_ns * 3 / 2 : (uint64_t)5000000000u;
    return false;
}

/* Takes the oldest payload off the list and settles its books. */
TEL__COLD void tel__pipeline_delivery_settle(tel__pipeline_delivery* d, uint64_t lost) {
    tel__pipeline_payload* payload = d->first;
    d->first = payload->next;
    if (!d->first) { d->last = NULL; }
    d->bytes -= payload->charged;
    d->queued[payload->signal] -= payload->items;
    d->dropped[payload->signal] += lost;
    tel__memory_free(d->memory, payload->data, payload->capacity);
    tel__memory_free(d->memory, payload, sizeof *payload);
    tel__thread_cond_broadcast(&d->cond);
}

/* Drops what is queued, but not the payload that is in flight: whoever flies it settles it. */
TEL__COLD void tel__pipeline_delivery_discard(tel__pipeline_delivery* d) {
    tel__pipeline_payload* flying = d->flying ? d->first : NULL;
    if (flying) { d->first = flying->next; }
    while (d->first) { tel__pipeline_delivery_settle(d, d->first->items); }
    d->first = d->last = flying;
    if (flying) { flying->next = NULL; }
}

/* Sends the oldest payload, which stays first until it is settled. Under d->mutex, which it gives up meanwhile; a
   close in between takes the list over and leaves this one to us. */
TEL__COLD bool tel__pipeline_delivery_next(tel__pipeline_delivery* d, uint64_t until) {
    tel__pipeline_payload* payload = d->first;
    uint64_t lost;
    bool settled;
    d->flying = true;
    tel__thread_mutex_unlock(&d->mutex);
    settled = tel__pipeline_attempt(d, payload, until, &lost);
    tel__thread_mutex_lock(&d->mutex);
    d->flying = false;
    if (!settled && tel__atomic_load_u32(&d->stop)) { settled = true; }
    if (settled) { tel__pipeline_delivery_settle(d, lost); }
    return settled;
}

/* Without a worker: sends what is due, here and now, while there is time. Under d->mutex. */
TEL__COLD void tel__pipeline_delivery_turn(tel__pipeline_delivery* d, uint64_t until) {
    while (d->first) {
        uint64_t now = tel__clock_mono_ns();
        if (now >= until || d->first->retry_at > now) { return; }
        tel__pipeline_delivery_next(d, until);
    }
}

TEL__COLD void tel__pipeline_delivery_run(void* arg) {
    tel__pipeline_delivery* d = (tel__pipeline_delivery*)arg;
    uint64_t until;
    bool orphan;
    tel__thread_mutex_lock(&d->mutex);
    while (!tel__atomic_load_u32(&d->stop)) {
        if (!d->first) { tel__thread_cond_wait(&d->cond, &d->mutex, UINT64_MAX); continue; }
        if (tel__pipeline_delivery_next(d, UINT64_MAX)) { continue; }
        until = d->first->retry_at;
        while (!tel__atomic_load_u32(&d->stop) && tel__thread_cond_wait(&d->cond, &d->mutex, until)) { }
    }
    tel__pipeline_delivery_discard(d);
    d->worker = false;
    orphan = d->abandoned;
    tel__thread_cond_broadcast(&d->cond);
    tel__thread_mutex_unlock(&d->mutex);
    if (orphan) {
        tel__memory* memory = d->memory;
        d->free_fn(d);
        tel__memory_unpin(memory);
    }
}

/* Whether one more payload may be queued: a queue with nothing in it takes any. */
TEL__COLD bool tel__pipeline_delivery_room(tel__pipeline_delivery* d) {
    bool room;
    tel__thread_mutex_lock(&d->mutex);
    room = d->bytes < d->max_bytes;
    tel__thread_mutex_unlock(&d->mutex);
    return room;
}

/* Takes over a payload. The first one (in the child of a fork: again) starts the worker; without one it is sent now. */
TEL__COLD void tel__pipeline_delivery_push(tel__pipeline_delivery* d, tel__pipeline_payload* payload) {
    tel__thread_mutex_lock(&d->mutex);
    payload->next = NULL;
    if (d->last) { d->last->next = payload; } else { d->first = payload; }
    d->last = payload;
    payload->charged = payload->capacity;
    d->bytes += payload->charged;
    d->queued[payload->signal] += payload->items;
    if (!d->worker && !d->no_thread) {
        d->worker = true;
        d->worker = tel__thread_start(&d->thread, tel__pipeline_delivery_run, d);
    }
    if (d->worker) { tel__thread_cond_broadcast(&d->cond); }
    else { tel__pipeline_delivery_turn(d, d->until ? d->until : UINT64_MAX); }
    tel__thread_mutex_unlock(&d->mutex);
}

/* Items of an accepted batch that could not be queued after all. */
TEL__COLD void tel__pipeline_delivery_lose(tel__pipeline_delivery* d, int signal, uint64_t items) {
    tel__thread_mutex_lock(&d->mutex);
    d->dropped[signal] += items;
    tel__thread_mutex_unlock(&d->mutex);
}

TEL__COLD void tel__pipeline_delivery_free(tel__pipeline_delivery* d) {
    tel__thread_mutex_destroy(&d->mutex);
    tel__thread_cond_destroy(&d->cond);
}

/* flush_fn, close_fn and stats_fn of a sink whose user_data is a delivery, or a struct that begins with one. */

TEL__COLD tel_result tel__pipeline_delivery_flush(uint32_t timeout_ms, void* user_data) {
    tel__pipeline_delivery* d = (tel__pipeline_delivery*)user_data;
    uint64_t deadline = tel__clock_deadline(timeout_ms);
    bool left;
    tel__thread_mutex_lock(&d->mutex);
    while (d->first && tel__clock_mono_ns() < deadline) {
        uint64_t until = tel__clock_deadline(2);
        if (!d->worker) { tel__pipeline_delivery_turn(d, deadline); }
        if (d->first) { tel__thread_cond_wait(&d->cond, &d->mutex, until < deadline ? until : deadline); }
    }
    left = d->first != NULL;
    tel__thread_mutex_unlock(&d->mutex);
    return left ? TEL_ERR_TIMEOUT : TEL_OK;
}

/* Drops what is left, stops the worker and frees all by free_fn. A worker that does not come back within 300 ms
   (a resolver, a post_fn that blocks) is left to itself and frees all when it does. */
TEL__NOINLINE void tel__pipeline_delivery_close(void* user_data) {
    tel__pipeline_delivery* d = (tel__pipeline_delivery*)user_data;
    uint64_t deadline = tel__clock_deadline(300);
    bool gone;
    tel__thread_mutex_lock(&d->mutex);
    tel__pipeline_delivery_discard(d);
    tel__atomic_store_u32(&d->stop, 1);
    tel__thread_cond_broadcast(&d->cond);
    while (d->worker && tel__clock_mono_ns() < deadline) { tel__thread_cond_wait(&d->cond, &d->mutex, deadline); }
    gone = !d->worker;
    d->abandoned = !gone;
    if (!gone) {                        /* once the mutex is free the worker may free d */
        tel__memory_pin(d->memory);
        tel__thread_detach(&d->thread);
    }
    tel__thread_mutex_unlock(&d->mutex);
    if (!gone) { return; }
    tel__thread_join(&d->thread);
    d->free_fn(d);
}

TEL__COLD void tel__pipeline_delivery_stats(tel_sink_stats* out, void* user_data) {
    tel__pipeline_delivery* d = (tel__pipeline_delivery*)user_data;
    tel__thread_mutex_lock(&d->mutex);
    memcpy(out->queued, d->queued, sizeof d->queued);
    memcpy(out->dropped_failed, d->dropped, sizeof d->dropped);
    tel__thread_mutex_unlock(&d->mutex);
}

/* Without workers, by the one who works: sends again what is due. A round would do so only when it has something new
   to export, and time does not stand still until then. */
TEL__COLD void tel__pipeline_resend(tel__pipeline* p, uint64_t until) {
    tel__thread_local saved = tel__thread_quiet_begin();
    uint32_t i;
    for (i = 0; i < p->sink_count && !p->closed; i++) {
        tel__pipeline_delivery* d = (tel__pipeline_delivery*)p->sinks[i].sink.user_data;
        if (p->sinks[i].sink.flush_fn != tel__pipeline_delivery_flush || !d->no_thread) { continue; }
        tel__thread_mutex_lock(&d->mutex);
        tel__pipeline_delivery_turn(d, until);
        tel__thread_mutex_unlock(&d->mutex);
    }
    tel__thread_quiet_end(saved);
}

/* In the child of fork: the queue is the parent's, the worker is not here. What was in flight stays allocated. */
TEL__COLD void tel__pipeline_delivery_fork(tel__pipeline_delivery* d) {
    tel__pipeline_delivery_init(d);
    tel__pipeline_delivery_discard(d);
    d->first = d->last = NULL;
    memset(d->queued, 0, sizeof d->queued);
    memset(d->dropped, 0, sizeof d->dropped);
    d->bytes = 0;
    d->flying = d->worker = d->thread.started = false;
}

/* ==== R16 >>otlp ======================================================================================
   Encodes one signal of a batch as one OTLP JSON document: the body of an Export request, and a line of
   an OTLP file. Reads the small answer that a receiver gives. One walker goes over the batch and speaks
   in fields of the OTLP messages; the functions that write a field are the only ones that know JSON.

   Uses      R07 text, R09 attrs, the batch views of P8.             Used by   R19.
   Threads   any; everything lives in the arguments and on the stack.
   Holds     names, numbers and wire types in the table are those of opentelemetry-proto 1.11; nothing is
             read of a batch but its views; a document that lost a byte is reported, never passed on as
             whole; an answer of any bytes is read in one pass, 33 calls deep at most, without allocation.
   Tests     tests/rooms/otlp.c, tests/peers/otlp_schema.py   fuzz: otlp_response   bench: otlp.span
*/

/* ---- Fields -------------------------------------------------------------------------------------- */

/* X(message, JSON name, protobuf number, protobuf wire type). JSON has no use for the last two: they stand
   here so that a protobuf emitter needs no second walker and no second table, and a test compares all four
   columns with the .proto files. The envelopes of the three signals come first, six rows each. */
#define TEL__OTLP_FIELDS(X)                                                                                          \
    X(TracesData, resourceSpans, 1, 2) X(ResourceSpans, resource, 1, 2) X(ResourceSpans, scopeSpans, 2, 2)           \
    X(ScopeSpans, scope, 1, 2) X(ScopeSpans, spans, 2, 2) X(ScopeSpans, schemaUrl, 3, 2)                             \
    X(MetricsData, resourceMetrics, 1, 2) X(ResourceMetrics, resource, 1, 2) X(ResourceMetrics, scopeMetrics, 2, 2)  \
    X(ScopeMetrics, scope, 1, 2) X(ScopeMetrics, metrics, 2, 2) X(ScopeMetrics, schemaUrl, 3, 2)                     \
    X(LogsData, resourceLogs, 1, 2) X(ResourceLogs, resource, 1, 2) X(ResourceLogs, scopeLogs, 2, 2)                 \
    X(ScopeLogs, scope, 1, 2) X(ScopeLogs, logRecords, 2, 2) X(ScopeLogs, schemaUrl, 3, 2)                           \
    X(Resource, attributes, 1, 2) X(InstrumentationScope, name, 1, 2) X(InstrumentationScope, version, 2, 2)         \
    X(InstrumentationScope, attributes, 3, 2) X(KeyValue, key, 1, 2) X(KeyValue, value, 2, 2)                        \
    X(AnyValue, stringValue, 1, 2) X(AnyValue, boolValue, 2, 0) X(AnyValue, intValue, 3, 0)                          \
    X(AnyValue, doubleValue, 4, 1) X(Span, traceId, 1, 2) X(Span, spanId, 2, 2) X(Span, parentSpanId, 4, 2)          \
    X(Span, name, 5, 2) X(Span, kind, 6, 0) X(Span, startTimeUnixNano, 7, 1) X(Span, endTimeUnixNano, 8, 1)          \
    X(Span, attributes, 9, 2) X(Span, droppedAttributesCount, 10, 0) X(Span, events, 11, 2)                          \
    X(Span, droppedEventsCount, 12, 0) X(Span, links, 13, 2) X(Span, droppedLinksCount, 14, 0)                       \
    X(Span, status, 15, 2) X(Span, flags, 16, 5) X(Event, timeUnixNano, 1, 1) X(Event, name, 2, 2)                   \
    X(Event, attributes, 3, 2) X(Event, droppedAttributesCount, 4, 0) X(Link, traceId, 1, 2) X(Link, spanId, 2, 2)   \
    X(Link, attributes, 4, 2) X(Link, flags, 6, 5) X(Status, message, 2, 2) X(Status, code, 3, 0)                    \
    X(Metric, name, 1, 2) X(Metric, description, 2, 2) X(Metric, unit, 3, 2) X(Metric, gauge, 5, 2)                  \
    X(Metric, sum, 7, 2) X(Metric, histogram, 9, 2) X(Gauge, dataPoints, 1, 2) X(Sum, dataPoints, 1, 2)              \
    X(Sum, aggregationTemporality, 2, 0) X(Sum, isMonotonic, 3, 0) X(Histogram, dataPoints, 1, 2)                    \
    X(Histogram, aggregationTemporality, 2, 0) X(NumberDataPoint, attributes, 7, 2)                                  \
    X(NumberDataPoint, startTimeUnixNano, 2, 1) X(NumberDataPoint, timeUnixNano, 3, 1)                               \
    X(NumberDataPoint, asDouble, 4, 1) X(NumberDataPoint, asInt, 6, 1) X(HistogramDataPoint, attributes, 9, 2)       \
    X(HistogramDataPoint, startTimeUnixNano, 2, 1) X(HistogramDataPoint, timeUnixNano, 3, 1)                         \
    X(HistogramDataPoint, count, 4, 1) X(HistogramDataPoint, sum, 5, 1) X(HistogramDataPoint, bucketCounts, 6, 2)    \
    X(HistogramDataPoint, explicitBounds, 7, 2) X(HistogramDataPoint, min, 11, 1) X(HistogramDataPoint, max, 12, 1)  \
    X(LogRecord, timeUnixNano, 1, 1) X(LogRecord, severityNumber, 2, 0) X(LogRecord, severityText, 3, 2)             \
    X(LogRecord, body, 5, 2) X(LogRecord, attributes, 6, 2) X(LogRecord, droppedAttributesCount, 7, 0)               \
    X(LogRecord, flags, 8, 5) X(LogRecord, traceId, 9, 2) X(LogRecord, spanId, 10, 2)                                \
    X(LogRecord, observedTimeUnixNano, 11, 1) X(LogRecord, eventName, 12, 2)

#define TEL__OTLP_ENUM(message, name, number, wire) TEL__OTLP_##message##_##name,
#define TEL__OTLP_ROW(message, name, number, wire) \
    { (uint16_t)offsetof(tel__otlp_keys_of, message##_##name), (uint8_t)(sizeof #name + 2), number, wire },
#define TEL__OTLP_PLACE(message, name, number, wire) char message##_##name[sizeof #name + 3];
#define TEL__OTLP_TEXT(message, name, number, wire) "\"" #name "\":",
typedef enum tel__otlp_field_index { TEL__OTLP_FIELDS(TEL__OTLP_ENUM) TEL__OTLP_FIELD_COUNT } tel__otlp_field_index;
typedef struct tel__otlp_field { uint16_t key; uint8_t key_size, number, wire; } tel__otlp_field;
typedef struct tel__otlp_keys_of { TEL__OTLP_FIELDS(TEL__OTLP_PLACE) char end[28]; } tel__otlp_keys_of;
static const tel__otlp_keys_of tel__otlp_keys = { TEL__OTLP_FIELDS(TEL__OTLP_TEXT) "" };
static const tel__otlp_field tel__otlp_fields[] = { TEL__OTLP_FIELDS(TEL__OTLP_ROW) };
#undef TEL__OTLP_ENUM
#undef TEL__OTLP_ROW
#undef TEL__OTLP_PLACE
#undef TEL__OTLP_TEXT
#define TEL__OTLP(message, name) (&tel__otlp_fields[TEL__OTLP_##message##_##name])

/* ---- Emitter ------------------------------------------------------------------------------------- */

/* A cursor into the text under construction. `before` is what the next member or element starts with: an
   opening bracket that nothing has followed yet, or a comma. So a bracket is never written that must be
   taken back, which text handed on early would not allow. */
typedef struct tel__otlp_emitter {
    tel__text_out* out;
    char* at;
    char* end;
    char before;
} tel__otlp_emitter;

TEL__INLINE void tel__otlp_load(tel__otlp_emitter* e) {
    e->at = e->out->data + e->out->size;
    e->end = e->out->data + e->out->capacity;
}

TEL__INLINE void tel__otlp_save(tel__otlp_emitter* e) { e->out->size = (size_t)(e->at - e->out->data); }

TEL__NOINLINE tel__otlp_emitter tel__otlp_grow(tel__otlp_emitter e, size_t size) {
    tel__otlp_save(&e);
    if (!tel__text_reserve(e.out, size)) {
        e.end = e.at;
        return e;
    }
    tel__otlp_load(&e);
    return e;
}

/* Whether size bytes may be written at the cursor. False leaves them counted as lost. */
TEL__INLINE bool tel__otlp_room(tel__otlp_emitter* e, size_t size) {
    if (TEL__LIKELY((size_t)(e->end - e->at) >= size)) { return true; }
    *e = tel__otlp_grow(*e, size);
    return (size_t)(e->end - e->at) >= size;
}

/* The name of a field, with what stands before it; afterwards there is room for size bytes more. As many bytes are
   copied as no name is longer than: one size for all is a few moves, where its own would be a call. */
TEL__INLINE bool tel__otlp_name(tel__otlp_emitter* e, const tel__otlp_field* f, size_t size) {
    if (!tel__otlp_room(e, 1u + sizeof tel__otlp_keys.end + size)) { return false; }
    *e->at = e->before;
    memcpy(e->at + 1, (const char*)&tel__otlp_keys + f->key, sizeof tel__otlp_keys.end);
    e->at += 1 + f->key_size;
    e->before = ',';
    return true;
}

/* What follows is what an emitter consists of: the walker below writes through these functions only. In
   protobuf begin and item write a tag and leave room for a length, end fills it in, and the list
   brackets write nothing, which is why item repeats the field of its list. */

TEL__CALL void tel__otlp_begin(tel__otlp_emitter* e, const tel__otlp_field* f) {
    if (tel__otlp_name(e, f, 0)) { e->before = '{'; }
}

TEL__CALL void tel__otlp_begin_list(tel__otlp_emitter* e, const tel__otlp_field* f) {
    if (tel__otlp_name(e, f, 0)) { e->before = '['; }
}

TEL__CALL void tel__otlp_begin_item(tel__otlp_emitter* e, const tel__otlp_field* f) {
    (void)f;
    if (!tel__otlp_room(e, 1)) { return; }
    *e->at++ = e->before;
    e->before = '{';
}

TEL__CALL void tel__otlp_close(tel__otlp_emitter* e, char open, char close) {
    if (!tel__otlp_room(e, 2)) { return; }
    if (e->before == open) { *e->at++ = open; }
    *e->at++ = close;
    e->before = ',';
}
TEL__INLINE void tel__otlp_end(tel__otlp_emitter* e)      { tel__otlp_close(e, '{', '}'); }
TEL__INLINE void tel__otlp_end_list(tel__otlp_emitter* e) { tel__otlp_close(e, '[', ']'); }

/* enum, uint32, fixed32 */
TEL__CALL void tel__otlp_put_u32(tel__otlp_emitter* e, const tel__otlp_field* f, uint32_t v) {
    if (!tel__otlp_name(e, f, 20)) { return; }
    e->at = tel__text_write_u64(e->at, v);
}

TEL__CALL void tel__otlp_put_bool(tel__otlp_emitter* e, const tel__otlp_field* f, bool v) {
    if (!tel__otlp_name(e, f, 5)) { return; }
    memcpy(e->at, v ? "true" : "false", v ? 4 : 5);
    e->at += v ? 4 : 5;
}

/* fixed64: a string in JSON, as are all 64-bit integers */
TEL__CALL void tel__otlp_put_u64(tel__otlp_emitter* e, const tel__otlp_field* f, uint64_t v) {
    if (!tel__otlp_name(e, f, 22)) { return; }
    *e->at++ = '"';
    e->at = tel__text_write_u64(e->at, v);
    *e->at++ = '"';
}

/* int64, sfixed64 */
TEL__CALL void tel__otlp_put_i64(tel__otlp_emitter* e, const tel__otlp_field* f, int64_t v) {
    if (!tel__otlp_name(e, f, 22)) { return; }
    *e->at++ = '"';
    e->at = tel__text_write_i64(e->at, v);
    *e->at++ = '"';
}

TEL__CALL void tel__otlp_put_double(tel__otlp_emitter* e, const tel__otlp_field* f, double v) {
    if (!tel__otlp_name(e, f, 0)) { return; }
    tel__otlp_save(e);
    tel__text_put_json_double(e->out, v);
    tel__otlp_load(e);
}

/* A trace or span id: hexadecimal and not base64, the one exception that OTLP makes for bytes in JSON */
TEL__CALL void tel__otlp_put_id(tel__otlp_emitter* e, const tel__otlp_field* f, const uint8_t* id, size_t size) {
    if (!tel__otlp_name(e, f, 2 + 2 * size)) { return; }
    *e->at++ = '"';
    e->at = tel__text_write_hex(e->at, id, size);
    *e->at++ = '"';
}

TEL__CALL void tel__otlp_put_string(tel__otlp_emitter* e, const tel__otlp_field* f, const char* data, size_t size) {
    if (!tel__otlp_name(e, f, 0)) { return; }
    tel__otlp_save(e);
    tel__text_put_json_string(e->out, data, size);
    tel__otlp_load(e);
}

/* repeated fixed64 or, where v is NULL, repeated double */
TEL__CALL void tel__otlp_put_list(tel__otlp_emitter* e, const tel__otlp_field* f, const uint64_t* v,
                                    const double* d, size_t n) {
    size_t i;
    tel__otlp_begin_list(e, f);
    for (i = 0; i < n && tel__otlp_room(e, v ? 23 : 1); i++) {
        *e->at++ = e->before;
        if (v) {
            *e->at++ = '"';
            e->at = tel__text_write_u64(e->at, v[i]);
            *e->at++ = '"';
        } else {
            tel__otlp_save(e);
            tel__text_put_json_double(e->out, d[i]);
            tel__otlp_load(e);
        }
        e->before = ',';
    }
    tel__otlp_end_list(e);
}

/* ---- Walker: what all signals share ---------------------------------------------------------------- */

/* Views that a program built by hand may hold NULL, or SIZE_MAX for "up to the NUL". */
TEL__INLINE size_t tel__otlp_size(tel_text t) {
    if (!t.data) { return 0; }
    return TEL__LIKELY(t.size != SIZE_MAX) ? t.size : strlen(t.data);
}

/* A string that may be left out when empty, as proto3 allows for all that are not in a oneof. */
TEL__INLINE void tel__otlp_put_text(tel__otlp_emitter* e, const tel__otlp_field* f, tel_text t) {
    size_t size = tel__otlp_size(t);
    if (size) { tel__otlp_put_string(e, f, t.data, size); }
}

TEL__INLINE void tel__otlp_put_count(tel__otlp_emitter* e, const tel__otlp_field* f, uint32_t n) {
    if (n) { tel__otlp_put_u32(e, f, n); }
}

TEL__INLINE void tel__otlp_put_time(tel__otlp_emitter* e, const tel__otlp_field* f, uint64_t unix_ns) {
    if (unix_ns) { tel__otlp_put_u64(e, f, unix_ns); }
}

TEL__INLINE bool tel__otlp_any_set(const uint8_t* id, size_t size) {
    static const uint8_t none[16] = { 0 };
    return memcmp(id, none, size) != 0;
}

/* A member of a oneof is written even at its default. An attribute without a type is the empty value. */
TEL__CALL void tel__otlp_put_value(tel__otlp_emitter* e, const tel_attr* a) {
    switch (a->type) {
    case TEL_TYPE_BOOL:   tel__otlp_put_bool(e, TEL__OTLP(AnyValue, boolValue), a->as.b); break;
    case TEL_TYPE_INT:    tel__otlp_put_i64(e, TEL__OTLP(AnyValue, intValue), a->as.i); break;
    case TEL_TYPE_DOUBLE: tel__otlp_put_double(e, TEL__OTLP(AnyValue, doubleValue), a->as.d); break;
    case TEL_TYPE_STRING:
        tel__otlp_put_string(e, TEL__OTLP(AnyValue, stringValue), a->as.s.data, tel__otlp_size(a->as.s));
        break;
    default: break;
    }
}

TEL__FN tel__otlp_emitter tel__otlp_put_attrs(tel__otlp_emitter e, const tel__otlp_field* f, tel_attrs attrs) {
    size_t i;
    if (!attrs.count) { return e; }
    tel__otlp_begin_list(&e, f);
    for (i = 0; i < attrs.count && !e.out->lost; i++) {
        const tel_attr* a = &attrs.items[i];
        tel__otlp_begin_item(&e, f);
        tel__otlp_put_string(&e, TEL__OTLP(KeyValue, key), a->key, tel__attr_key_size(a));
        tel__otlp_begin(&e, TEL__OTLP(KeyValue, value));
        tel__otlp_put_value(&e, a);
        tel__otlp_end(&e);
        tel__otlp_end(&e);
    }
    tel__otlp_end_list(&e);
    return e;
}

/* ---- Walker: spans --------------------------------------------------------------------------------- */

/* Bits 0-7 are the W3C trace flags. Bit 8 says that bit 9 is known; bit 9, that the parent of a span, or
   what a link points to, is in another process (trace.proto, SpanFlags). */
TEL__INLINE uint32_t tel__otlp_flags(const tel_context* c, bool remote) {
    return c->flags | 0x100u | (remote ? 0x200u : 0u);
}

TEL__FN tel__otlp_emitter tel__otlp_put_events(tel__otlp_emitter e, const tel_span_view* s) {
    const tel__otlp_field* list = TEL__OTLP(Span, events);
    size_t i;
    tel__otlp_begin_list(&e, list);
    for (i = 0; i < s->event_count && !e.out->lost; i++) {
        const tel_event_view* event = &s->events[i];
        tel__otlp_begin_item(&e, list);
        tel__otlp_put_time(&e, TEL__OTLP(Event, timeUnixNano), event->unix_ns);
        tel__otlp_put_text(&e, TEL__OTLP(Event, name), event->name);
        e = tel__otlp_put_attrs(e, TEL__OTLP(Event, attributes), event->attrs);
        tel__otlp_put_count(&e, TEL__OTLP(Event, droppedAttributesCount), event->dropped_attrs);
        tel__otlp_end(&e);
    }
    tel__otlp_end_list(&e);
    return e;
}

TEL__FN tel__otlp_emitter tel__otlp_put_links(tel__otlp_emitter e, const tel_span_view* s) {
    const tel__otlp_field* list = TEL__OTLP(Span, links);
    size_t i;
    tel__otlp_begin_list(&e, list);
    for (i = 0; i < s->link_count && !e.out->lost; i++) {
        const tel_context* c = &s->links[i].context;
        tel__otlp_begin_item(&e, list);
        tel__otlp_put_id(&e, TEL__OTLP(Link, traceId), c->trace_id, sizeof c->trace_id);
        tel__otlp_put_id(&e, TEL__OTLP(Link, spanId), c->span_id, sizeof c->span_id);
        e = tel__otlp_put_attrs(e, TEL__OTLP(Link, attributes), s->links[i].attrs);
        tel__otlp_put_u32(&e, TEL__OTLP(Link, flags), tel__otlp_flags(c, c->remote != 0));
        tel__otlp_end(&e);
    }
    tel__otlp_end_list(&e);
    return e;
}

TEL__FN tel__otlp_emitter tel__otlp_put_span(tel__otlp_emitter e, const tel_span_view* s) {
    const tel_context* c = &s->context;
    uint32_t kind = (uint32_t)s->kind;
    tel__otlp_begin_item(&e, TEL__OTLP(ScopeSpans, spans));
    tel__otlp_put_id(&e, TEL__OTLP(Span, traceId), c->trace_id, sizeof c->trace_id);
    tel__otlp_put_id(&e, TEL__OTLP(Span, spanId), c->span_id, sizeof c->span_id);
    if (tel__otlp_any_set(s->parent_span_id, sizeof s->parent_span_id)) {
        tel__otlp_put_id(&e, TEL__OTLP(Span, parentSpanId), s->parent_span_id, sizeof s->parent_span_id);
    }
    tel__otlp_put_text(&e, TEL__OTLP(Span, name), s->name);
    tel__otlp_put_u32(&e, TEL__OTLP(Span, kind), kind <= (uint32_t)TEL_SPAN_CONSUMER ? kind + 1 : 1);
    tel__otlp_put_u64(&e, TEL__OTLP(Span, startTimeUnixNano), s->start_unix_ns);
    tel__otlp_put_u64(&e, TEL__OTLP(Span, endTimeUnixNano), s->end_unix_ns);
    e = tel__otlp_put_attrs(e, TEL__OTLP(Span, attributes), s->attrs);
    tel__otlp_put_count(&e, TEL__OTLP(Span, droppedAttributesCount), s->dropped_attrs);
    if (s->event_count) { e = tel__otlp_put_events(e, s); }
    tel__otlp_put_count(&e, TEL__OTLP(Span, droppedEventsCount), s->dropped_events);
    if (s->link_count) { e = tel__otlp_put_links(e, s); }
    tel__otlp_put_count(&e, TEL__OTLP(Span, droppedLinksCount), s->dropped_links);
    if (s->status != TEL_STATUS_UNSET) {
        tel__otlp_begin(&e, TEL__OTLP(Span, status));
        tel__otlp_put_text(&e, TEL__OTLP(Status, message), s->status_message);
        tel__otlp_put_u32(&e, TEL__OTLP(Status, code), (uint32_t)s->status);
        tel__otlp_end(&e);
    }
    tel__otlp_put_u32(&e, TEL__OTLP(Span, flags), tel__otlp_flags(c, s->parent_remote));
    tel__otlp_end(&e);
    return e;
}

/* ---- Walker: logs ---------------------------------------------------------------------------------- */

/* The short name of a severity number, "" outside 1 to 24 (log data model, displaying severity). */
TEL__FN tel_text tel__otlp_severity(uint32_t number) {
    static const char names[24][7] = {
        "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4", "INFO", "INFO2", "INFO3", "INFO4",
        "WARN", "WARN2", "WARN3", "WARN4", "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4"
    };
    return tel__text_of(number - 1 < 24 ? names[number - 1] : "");
}

/* A body with data is written even when empty; data NULL is a record without a body. */
TEL__FN tel__otlp_emitter tel__otlp_put_log(tel__otlp_emitter e, const tel_log_view* l) {
    const tel_context* c = &l->context;
    tel_text severity = tel__otlp_severity((uint32_t)l->severity);
    tel__otlp_begin_item(&e, TEL__OTLP(ScopeLogs, logRecords));
    tel__otlp_put_time(&e, TEL__OTLP(LogRecord, timeUnixNano), l->unix_ns);
    tel__otlp_put_u64(&e, TEL__OTLP(LogRecord, observedTimeUnixNano), l->observed_unix_ns);
    if (severity.size) {
        tel__otlp_put_u32(&e, TEL__OTLP(LogRecord, severityNumber), (uint32_t)l->severity);
        tel__otlp_put_string(&e, TEL__OTLP(LogRecord, severityText), severity.data, severity.size);
    }
    if (l->body.data) {
        tel__otlp_begin(&e, TEL__OTLP(LogRecord, body));
        tel__otlp_put_string(&e, TEL__OTLP(AnyValue, stringValue), l->body.data, tel__otlp_size(l->body));
        tel__otlp_end(&e);
    }
    e = tel__otlp_put_attrs(e, TEL__OTLP(LogRecord, attributes), l->attrs);
    tel__otlp_put_count(&e, TEL__OTLP(LogRecord, droppedAttributesCount), l->dropped_attrs);
    if (tel__otlp_any_set(c->trace_id, sizeof c->trace_id)) {
        tel__otlp_put_count(&e, TEL__OTLP(LogRecord, flags), c->flags);
        tel__otlp_put_id(&e, TEL__OTLP(LogRecord, traceId), c->trace_id, sizeof c->trace_id);
        if (tel__otlp_any_set(c->span_id, sizeof c->span_id)) {
            tel__otlp_put_id(&e, TEL__OTLP(LogRecord, spanId), c->span_id, sizeof c->span_id);
        }
    }
    tel__otlp_put_text(&e, TEL__OTLP(LogRecord, eventName), l->event_name);
    tel__otlp_end(&e);
    return e;
}

/* ---- Walker: metrics ------------------------------------------------------------------------------- */

/* What a histogram's point has of its own. Extremes of nothing, or unknown ones (NaN), are left out. */
TEL__INLINE void tel__otlp_put_histogram(tel__otlp_emitter* e, const tel_point* p) {
    size_t n = p->bound_count;
    tel__otlp_put_u64(e, TEL__OTLP(HistogramDataPoint, count), p->count);
    tel__otlp_put_double(e, TEL__OTLP(HistogramDataPoint, sum), p->d);
    if (p->buckets) {
        tel__otlp_put_list(e, TEL__OTLP(HistogramDataPoint, bucketCounts), p->buckets, NULL, n + 1);
        if (n) { tel__otlp_put_list(e, TEL__OTLP(HistogramDataPoint, explicitBounds), NULL, p->bounds, n); }
    }
    if (p->count && p->min <= p->max) {
        tel__otlp_put_double(e, TEL__OTLP(HistogramDataPoint, min), p->min);
        tel__otlp_put_double(e, TEL__OTLP(HistogramDataPoint, max), p->max);
    }
}

/* `first` are the fields that number and histogram points have in common, three rows of the table. */
TEL__CALL tel__otlp_emitter tel__otlp_put_points(tel__otlp_emitter e, const tel__otlp_field* list,
                                                   const tel__otlp_field* first, const tel_metric_view* m,
                                                   bool histogram) {
    size_t i;
    tel__otlp_begin_list(&e, list);
    for (i = 0; i < m->point_count && !e.out->lost; i++) {
        const tel_point* p = &m->points[i];
        tel__otlp_begin_item(&e, list);
        e = tel__otlp_put_attrs(e, &first[0], p->attrs);
        tel__otlp_put_time(&e, &first[1], p->start_unix_ns);
        tel__otlp_put_u64(&e, &first[2], p->unix_ns);
        if (histogram) {
            tel__otlp_put_histogram(&e, p);
        } else if (m->integer) {
            tel__otlp_put_i64(&e, TEL__OTLP(NumberDataPoint, asInt), p->i);
        } else {
            tel__otlp_put_double(&e, TEL__OTLP(NumberDataPoint, asDouble), p->d);
        }
        tel__otlp_end(&e);
    }
    tel__otlp_end_list(&e);
    return e;
}

/* Kinds without a case here are refused by tel__otlp_item_scope: a Metric must have data. */
TEL__FN tel__otlp_emitter tel__otlp_put_metric(tel__otlp_emitter e, const tel_metric_view* m) {
    uint32_t temporality = m->cumulative ? 2 : 1;       /* metrics.proto, AggregationTemporality */
    tel__otlp_begin_item(&e, TEL__OTLP(ScopeMetrics, metrics));
    tel__otlp_put_text(&e, TEL__OTLP(Metric, name), m->name);
    tel__otlp_put_text(&e, TEL__OTLP(Metric, description), m->description);
    tel__otlp_put_text(&e, TEL__OTLP(Metric, unit), m->unit);
    if (m->kind == TEL_HISTOGRAM) {
        tel__otlp_begin(&e, TEL__OTLP(Metric, histogram));
        e = tel__otlp_put_points(e, TEL__OTLP(Histogram, dataPoints), TEL__OTLP(HistogramDataPoint, attributes),
                                 m, true);
        tel__otlp_put_u32(&e, TEL__OTLP(Histogram, aggregationTemporality), temporality);
    } else {
        bool sum = m->kind == TEL_SUM;
        tel__otlp_begin(&e, sum ? TEL__OTLP(Metric, sum) : TEL__OTLP(Metric, gauge));
        e = tel__otlp_put_points(e, sum ? TEL__OTLP(Sum, dataPoints) : TEL__OTLP(Gauge, dataPoints),
                                 TEL__OTLP(NumberDataPoint, attributes), m, false);
        if (sum) { tel__otlp_put_u32(&e, TEL__OTLP(Sum, aggregationTemporality), temporality); }
        if (sum && m->monotonic) { tel__otlp_put_bool(&e, TEL__OTLP(Sum, isMonotonic), true); }
    }
    tel__otlp_end(&e);
    tel__otlp_end(&e);
    return e;
}

/* ---- Walker: one document -------------------------------------------------------------------------- */

/* The three signals have envelopes of one shape: six rows of the table from `names` on. */
enum {
    TEL__OTLP_RESOURCES, TEL__OTLP_RESOURCE, TEL__OTLP_SCOPES, TEL__OTLP_SCOPE, TEL__OTLP_ITEMS, TEL__OTLP_SCHEMA
};

typedef struct tel__otlp_document {
    const tel_batch* batch;
    tel_signal signal;
    size_t count;
    const tel__otlp_field* names;
} tel__otlp_document;

/* Items of one scope are collected over the whole batch for so many scopes. Past them the work would grow
   with their square, and what is left goes out in runs of neighbours. */
#define TEL__OTLP_GROUPS 32

/* False for an item that has no form in OTLP. */
TEL__INLINE bool tel__otlp_item_scope(const tel__otlp_document* d, size_t i, const tel_scope_view** scope) {
    const tel_metric_view* m;
    if (d->signal != TEL_METRICS) {
        *scope = d->signal == TEL_SPANS ? d->batch->spans[i].scope : d->batch->logs[i].scope;
        return true;
    }
    m = &d->batch->metrics[i];
    *scope = m->scope;
    return m->point_count && (m->kind == TEL_SUM || m->kind == TEL_GAUGE || m->kind == TEL_HISTOGRAM);
}

/* The items of one scope from first on: all of them, or as far as no item of another lies between. */
TEL__FN tel__otlp_emitter tel__otlp_put_group(tel__otlp_emitter e, const tel__otlp_document* d,
                                              const tel_scope_view* scope, size_t first, bool all) {
    const tel__otlp_field* names = d->names;
    size_t i;
    tel__otlp_begin_item(&e, &names[TEL__OTLP_SCOPES]);
    if (scope) {
        tel__otlp_begin(&e, &names[TEL__OTLP_SCOPE]);
        tel__otlp_put_text(&e, TEL__OTLP(InstrumentationScope, name), scope->name);
        tel__otlp_put_text(&e, TEL__OTLP(InstrumentationScope, version), scope->version);
        e = tel__otlp_put_attrs(e, TEL__OTLP(InstrumentationScope, attributes), scope->attrs);
        tel__otlp_end(&e);
    }
    tel__otlp_begin_list(&e, &names[TEL__OTLP_ITEMS]);
    for (i = first; i < d->count && !e.out->lost; i++) {
        const tel_scope_view* other;
        if (!tel__otlp_item_scope(d, i, &other)) { continue; }
        if (other != scope && !all) { break; }
        if (other != scope) { continue; }
        if (d->signal == TEL_SPANS) { e = tel__otlp_put_span(e, &d->batch->spans[i]); }
        else if (d->signal == TEL_LOGS) { e = tel__otlp_put_log(e, &d->batch->logs[i]); }
        else { e = tel__otlp_put_metric(e, &d->batch->metrics[i]); }
    }
    tel__otlp_end_list(&e);
    if (scope) { tel__otlp_put_text(&e, &names[TEL__OTLP_SCHEMA], scope->schema_url); }
    tel__otlp_end(&e);
    return e;
}

/* The envelope is opened with the first group. The last place of `done` holds the scope of the last run. */
TEL__FN tel__otlp_emitter tel__otlp_put_groups(tel__otlp_emitter e, const tel__otlp_document* d) {
    const tel_scope_view* done[TEL__OTLP_GROUPS + 1];
    const tel_scope_view* scope;
    size_t i, k, count = 0;
    for (i = 0; i < d->count && !e.out->lost; i++) {
        if (!tel__otlp_item_scope(d, i, &scope)) { continue; }
        for (k = count; k > 0 && done[k - 1] != scope; k--) { }
        if (k) { continue; }
        if (!count) {
            tel__otlp_begin_list(&e, &d->names[TEL__OTLP_RESOURCES]);
            tel__otlp_begin_item(&e, &d->names[TEL__OTLP_RESOURCES]);
            tel__otlp_begin(&e, &d->names[TEL__OTLP_RESOURCE]);
            e = tel__otlp_put_attrs(e, TEL__OTLP(Resource, attributes), d->batch->resource);
            tel__otlp_end(&e);
            tel__otlp_begin_list(&e, &d->names[TEL__OTLP_SCOPES]);
        }
        if (count <= TEL__OTLP_GROUPS) { count++; }
        done[count - 1] = scope;
        e = tel__otlp_put_group(e, d, scope, i, count <= TEL__OTLP_GROUPS);
    }
    if (count) {
        tel__otlp_end_list(&e);
        tel__otlp_end(&e);
        tel__otlp_end_list(&e);
    }
    return e;
}

/* Appends one whole document for one signal: no newline, no blank between tokens, "{}" when the batch holds
   nothing of it. Items of one scope share one scope object, wherever they lie in the batch. TEL_ERR_MEMORY
   when the text is not whole, also because it was not before; a fixed buffer may be found full up to 64
   bytes before its end, and one that hands its text on needs as many. Not one signal: TEL_ERR_ARGUMENT. */
TEL__CALL tel_result tel__otlp_encode(const tel_batch* batch, tel_signal signal, tel__text_out* out) {
    tel__otlp_document d;
    tel__otlp_emitter e;
    d.batch = batch;
    d.signal = signal;
    switch (signal) {
    case TEL_SPANS:   d.names = TEL__OTLP(TracesData, resourceSpans);    d.count = batch->span_count;   break;
    case TEL_LOGS:    d.names = TEL__OTLP(LogsData, resourceLogs);       d.count = batch->log_count;    break;
    case TEL_METRICS: d.names = TEL__OTLP(MetricsData, resourceMetrics); d.count = batch->metric_count; break;
    default:          return TEL_ERR_ARGUMENT;
    }
    if (!tel__text_reserve(out, 64)) { return TEL_ERR_MEMORY; }
    e.out = out;
    e.before = '{';
    tel__otlp_load(&e);
    e = tel__otlp_put_groups(e, &d);
    tel__otlp_end(&e);
    tel__otlp_save(&e);
    return out->lost ? TEL_ERR_MEMORY : TEL_OK;
}

/* ---- The answer of a receiver ---------------------------------------------------------------------- */

/* Looks for a few texts in a JSON document that anybody may have sent. Brackets, commas and quotes must be in
   order; words and escapes are not examined, because nothing hangs on them. The texts found stay as they are
   spelled; the one that matters is decoded when all is read. */
typedef struct tel__otlp_reader {
    const char* at;
    const char* end;
    tel_text rejected, why;                 /* of partialSuccess */
    tel_text status;                        /* the message of a google.rpc.Status */
} tel__otlp_reader;

/* The first byte of the next token, 0 at the end. */
TEL__FN char tel__otlp_read_peek(tel__otlp_reader* r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) { r->at++; }
    return r->at < r->end ? *r->at : '\0';
}

TEL__FN bool tel__otlp_read_char(tel__otlp_reader* r, char c) {
    if (tel__otlp_read_peek(r) != c || r->at == r->end) { return false; }
    r->at++;
    return true;
}

/* A string without its quotes, or a bare word: a number, true, false; null is "". */
TEL__FN bool tel__otlp_read_scalar(tel__otlp_reader* r, tel_text* text) {
    bool quoted = tel__otlp_read_char(r, '"');
    text->data = r->at;
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        if ((unsigned char)*r->at < 0x20 || (!quoted && strchr(" ,:[]{}", *r->at))) { break; }
        if (*r->at == '\\' && r->end - r->at > 1) { r->at++; }
    }
    text->size = (size_t)(r->at - text->data);
    if (quoted) { return r->at < r->end && *r->at++ == '"'; }
    if (text->size == 4 && memcmp(text->data, "null", 4) == 0) { text->size = 0; }
    return r->at > text->data;
}

/* One value at a depth of 0 to 32; partial: it is that of partialSuccess. *text is what a scalar says. */
TEL__FN bool tel__otlp_read_value(tel__otlp_reader* r, unsigned depth, bool partial, tel_text* text) {
    const tel_text rejected = tel__text_of("rejected");
    char open = tel__otlp_read_peek(r);
    char close = open == '{' ? '}' : ']';
    if (open != '{' && open != '[') { return depth > 0 && tel__otlp_read_scalar(r, text); }
    r->at++;
    if (depth > 32 || (depth == 0 && open == '[')) { return false; }
    if (tel__otlp_read_char(r, close)) { return true; }
    do {
        tel_text key = tel__text_of(""), ignored;
        tel_text* to = &ignored;
        bool inner = false;
        if (open == '{') {
            if (tel__otlp_read_peek(r) != '"' || !tel__otlp_read_scalar(r, &key)) { return false; }
            if (!tel__otlp_read_char(r, ':')) { return false; }
            inner = depth == 0 && tel__text_equal(key, tel__text_of("partialSuccess"));
            if (depth == 0 && tel__text_equal(key, tel__text_of("message"))) { to = &r->status; }
            if (partial && tel__text_equal(key, tel__text_of("errorMessage"))) { to = &r->why; }
            if (partial && key.size > 8 && memcmp(key.data, rejected.data, 8) == 0) { to = &r->rejected; }
        }
        if (!tel__otlp_read_value(r, depth + 1, inner, to)) { return false; }
    } while (tel__otlp_read_char(r, ','));
    return tel__otlp_read_char(r, close);
}

/* The next character of a string, decoded, as 1 to 4 bytes. Control characters become blanks, because the text
   goes to a terminal or a log; what is no character, and a half of a surrogate pair, a question mark. */
TEL__FN size_t tel__otlp_unescape(tel__otlp_reader* r, char out[4]) {
    size_t i, bad, n = tel__text_utf8_one(r->at, (size_t)(r->end - r->at), &bad);
    uint32_t c = (unsigned char)*r->at;
    memcpy(out, n ? r->at : "?", n ? n : 1);
    r->at += n ? n : bad;
    if (c == '\\' && r->at < r->end) {
        c = (unsigned char)*r->at++;
        if (c == 'u') {
            for (i = 0, c = 0; i < 4 && r->at < r->end && tel__text_hex_value(*r->at) >= 0; i++) {
                c = c * 16 + (uint32_t)tel__text_hex_value(*r->at++);
            }
            if (c >= 0xD800 && c <= 0xDFFF) { c = '?'; }
        } else if (c >= 'a') {
            c = ' ';                        /* b f n r t */
        }
        n = c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
        for (i = n; --i > 0; c >>= 6) { out[i] = (char)(unsigned char)(0x80 | (c & 0x3F)); }
        out[0] = (char)(unsigned char)(n == 1 ? c : (0xF0u << (4 - n) | c));
    }
    if ((unsigned char)out[0] >= 0x20 && out[0] != 0x7F
        && ((unsigned char)out[0] != 0xC2 || (unsigned char)out[1] >= 0xA0)) { return n ? n : 1; }
    out[0] = ' ';
    return 1;
}

/* Reads the body of an answer: *rejected items of the request were refused, and message, cut between
   characters, says why (partialSuccess) or is that of a google.rpc.Status, which failures carry. An empty body
   and {} are a full success. Never fails for what it does not know. On TEL_ERR_FORMAT (no JSON object, nested
   deeper than 32, a count that is not a count) *rejected is 0 and message is "", but what a document whose end is
   missing has said until then counts. */
TEL__FN tel_result tel__otlp_read_response(const char* json, size_t size, int64_t* rejected,
                                           char* message, size_t message_capacity) {
    tel__otlp_reader r;
    tel_text none = tel__text_of(""), text;
    uint64_t count = 0;
    size_t n, used = 0;
    bool well, said;
    r.rejected = r.why = r.status = none;
    r.at = json ? json : "";
    r.end = r.at + (json ? size : 0);
    well = (!tel__otlp_read_peek(&r) && r.at == r.end)
        || (tel__otlp_read_value(&r, 0, false, &text) && !tel__otlp_read_peek(&r) && r.at == r.end);
    said = well || r.at == r.end;
    if (r.rejected.size && tel__text_parse_u64(r.rejected, INT64_MAX, &count) != TEL_OK) { well = said = false; }
    *rejected = said && (well || r.rejected.data + r.rejected.size < r.end) ? (int64_t)count : 0;
    text = !said ? none : r.why.size ? r.why : r.status;
    r.at = text.data;
    r.end = text.data + text.size;
    while (message_capacity && r.at < r.end) {
        char piece[4];
        n = tel__otlp_unescape(&r, piece);
        if (used + n >= message_capacity) { break; }
        memcpy(message + used, piece, n);
        used += n;
    }
    if (message_capacity) { message[used] = '\0'; }
    return well ? TEL_OK : TEL_ERR_FORMAT;
}

/* ==== R17 >>prometheus ================================================================================
   Writes metric views as Prometheus text 0.0.4. One exposition is a stream: begin, any number of batches,
   end. Names follow the OpenTelemetry document "Prometheus and OpenMetrics Compatibility" with its
   default strategy: underscores, unit and type suffixes.

   Uses      R06 memory, R07 text, R08 diag, R09 attrs.          Used by   R19, R22.
   Threads   one render at a time over the same series: the caller serialises, for the memos' sake.
   Holds     a family's lines are contiguous, under one HELP and one TYPE; a label name occurs once in a
             sample; the +Inf bucket is _count; what stands in memo->data is complete and depends on
             nothing but its series, its scope and the rules of this room.
   Tests     tests/rooms/prometheus.c   fuzz: tests/fuzz/prometheus_names.c   bench: prometheus.scrape
*/
enum {
    TEL__PROMETHEUS_NAME_MAX  = 512,        /* a family name with its suffixes; a longer one is dropped */
    TEL__PROMETHEUS_UNIT_MAX  = 128,
    TEL__PROMETHEUS_LABEL_MAX = 160,        /* labels of one series, those of its scope included */
    TEL__PROMETHEUS_CLAIM_MAX = 1 << 17     /* places for names and scopes in one exposition: 2 MiB */
};

typedef enum tel__prometheus_type {
    TEL__PROMETHEUS_NONE, TEL__PROMETHEUS_COUNTER, TEL__PROMETHEUS_GAUGE, TEL__PROMETHEUS_HISTOGRAM
} tel__prometheus_type;

/* What was said once and must not be said otherwise: a sample name belongs to one family; a family has one
   metric from each scope. 64-bit hashes stand for the texts: when two clash a metric is dropped and reported. */
typedef struct tel__prometheus_claim { uint64_t key, value; } tel__prometheus_claim;

/* One label before it is written. rank 0: one of the three otel_scope_ names, which yield to nobody. */
typedef struct tel__prometheus_label {
    tel_attr attr;
    size_t   key, key_size;                 /* the sanitised key, in the render's `keys` */
    uint32_t rank;
} tel__prometheus_label;

typedef struct tel__prometheus_labels {
    tel__prometheus_label items[TEL__PROMETHEUS_LABEL_MAX];
    size_t count;
    bool histogram;
} tel__prometheus_labels;

typedef struct tel__prometheus_render {
    tel__text_out* out;
    tel__memory*   memory;
    tel__diag*     diag;
    tel__text_out  keys, labels, le;        /* scratch: sanitised keys, one label text, the le of one metric */
    const double*  bounds;                  /* what `le` was made from; NULL: nothing yet in this view */
    size_t         bound_count;
    tel__prometheus_claim* claims;
    size_t         claim_capacity, claim_count;
    uint64_t       families;
    char           name[TEL__PROMETHEUS_NAME_MAX + 8];      /* of the open family, with room for _bucket */
    size_t         name_size;               /* 0: no family is open */
    uint64_t       help;                    /* hash of its description */
    tel__prometheus_type type;
    bool           begun;                   /* the first batch was seen, target_info is settled */
    uint64_t       written, dropped;        /* points */
} tel__prometheus_render;

TEL__FN void tel__prometheus_begin(tel__prometheus_render* r, tel__text_out* out, tel__memory* memory,
                                   tel__diag* diag) {
    memset(r, 0, sizeof *r);
    r->out = out;
    r->memory = memory;
    r->diag = diag;
    r->keys = r->labels = r->le = tel__text_heap(memory);
}

TEL__FN void tel__prometheus_end(tel__prometheus_render* r) {
    if (r->claims) { tel__memory_free(r->memory, r->claims, r->claim_capacity * sizeof *r->claims); }
    tel__text_heap_free(&r->keys);
    tel__text_heap_free(&r->labels);
    tel__text_heap_free(&r->le);
}

TEL__INLINE tel_text tel__prometheus_text(const char* data, size_t size) {
    tel_text t = { data, size };
    return t;
}

TEL__INLINE tel_text tel__prometheus_open_name(const tel__prometheus_render* r) {
    return tel__prometheus_text(r->name, r->name_size);
}

/* What is left out, or not as the program said it. Of foreign text 120 bytes are shown. */
TEL__FN void tel__prometheus_say(const tel__prometheus_render* r, tel__diag_item item, tel_text what,
                                 const char* why, tel_text who) {
    tel__diag_report(r->diag, item, "\"%.*s\" %s%s%.*s", what.size < 120 ? (int)what.size : 120,
                     what.size ? what.data : "", why,
                     who.size ? " " : "", who.size < 120 ? (int)who.size : 120, who.data);
}

/* ---- names ------------------------------------------------------------------------------------------ */

/* The specification's table. KBy is no UCUM, but what the reference translator reads as kilobytes. */
static const char tel__prometheus_units[] =
    "1\0\0%\0percent\0d\0days\0h\0hours\0min\0minutes\0s\0seconds\0ms\0milliseconds\0us\0microseconds\0"
    "ns\0nanoseconds\0By\0bytes\0KiBy\0kibibytes\0MiBy\0mebibytes\0GiBy\0gibibytes\0TiBy\0tebibytes\0"
    "kBy\0kilobytes\0KBy\0kilobytes\0MBy\0megabytes\0GBy\0gigabytes\0TBy\0terabytes\0m\0meters\0V\0volts\0"
    "A\0amperes\0J\0joules\0W\0watts\0g\0grams\0Cel\0celsius\0Hz\0hertz\0";
static const char tel__prometheus_per_units[] =
    "s\0second\0m\0minute\0h\0hour\0d\0day\0w\0week\0mo\0month\0y\0year\0";

TEL__INLINE bool tel__prometheus_legal(char c, bool colon) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (colon && c == ':');
}

/* Appends t with every run outside [a-zA-Z0-9] (and ':' where allowed) as one '_', also across the seam.
   Bytes do as well as code points, since a run of either is one '_'. Returns whether anything else came. */
TEL__FN bool tel__prometheus_clean(tel__text_out* o, tel_text t, bool colon) {
    char* p = tel__text_reserve(o, t.size);
    bool any = false;
    size_t i;
    if (!p) { return false; }
    for (i = 0; i < t.size; i++) {
        char c = t.data[i];
        if (tel__prometheus_legal(c, colon)) {
            *p++ = c;
            any = true;
        } else if (p == o->data || p[-1] != '_') { *p++ = '_'; }
    }
    o->size = (size_t)(p - o->data);
    return any;
}

/* How much shorter the text is without the word that it is or, behind a '_', ends with. */
TEL__FN size_t tel__prometheus_ends(const tel__text_out* o, tel_text word) {
    size_t rest = o->size - word.size;
    if (!word.size || o->size < word.size || memcmp(o->data + rest, word.data, word.size) != 0) { return 0; }
    return rest == 0 ? word.size : o->data[rest - 1] == '_' ? word.size + 1 : 0;
}

TEL__FN void tel__prometheus_append(tel__text_out* o, tel_text word) {
    if (word.size && o->size && o->data[o->size - 1] != '_') { tel__text_put_char(o, '_'); }
    tel__text_put(o, word.data, word.size);
}

/* Appends the word for one side of a unit: from the table, else the unit itself made legal. */
TEL__FN void tel__prometheus_unit_word(tel__text_out* o, tel_text unit, const char* list) {
    size_t before = o->size;
    const char* word;
    unit = tel__text_trim(unit);
    word = tel__platform_word(list, unit.data, unit.size);
    if (word) { tel__text_put_cstr(o, word); return; }
    while (unit.size && !tel__prometheus_legal(*unit.data, true)) { unit.data++; unit.size--; }
    tel__prometheus_clean(o, unit, true);
    if (o->size > before && o->data[o->size - 1] == '_') { o->size--; }
}

/* "By/s" to "bytes" and "per_second". What stands in braces is a remark and no unit. */
TEL__FN void tel__prometheus_unit(tel_text unit, tel__text_out* whole, tel__text_out* per) {
    char data[TEL__PROMETHEUS_UNIT_MAX];
    tel__text_out plain = tel__text_fixed(data, sizeof data);
    tel_text rest, side;
    size_t i;
    bool inside = false;
    for (i = 0; i < unit.size; i++) {
        inside = inside || unit.data[i] == '{';
        if (!inside) { tel__text_put_char(&plain, unit.data[i]); }
        inside = inside && unit.data[i] != '}';
    }
    rest = tel__prometheus_text(data, plain.size);
    tel__text_split(&rest, '/', &side);
    tel__prometheus_unit_word(whole, side, tel__prometheus_units);
    whole->lost += plain.lost;
    if (!rest.data) { return; }
    TEL__TEXT_LIT(per, "per_");
    tel__prometheus_unit_word(per, rest, tel__prometheus_per_units);
    if (per->size == 4) { per->size = 0; }
}

/* The family name; false when the metric has none or it is too long. The order is name, unit, per-unit, type;
   no suffix is repeated: "foo_total" in By becomes foo_bytes_total. _ratio is not in the specification, but
   what its reference translator and the Collector make of a gauge in "1". */
TEL__FN bool tel__prometheus_name(const tel_metric_view* m, tel__prometheus_type type, tel__text_out* out) {
    char whole_data[TEL__PROMETHEUS_UNIT_MAX], per_data[TEL__PROMETHEUS_UNIT_MAX];
    tel__text_out whole = tel__text_fixed(whole_data, sizeof whole_data);
    tel__text_out per = tel__text_fixed(per_data, sizeof per_data);
    tel_text unit, rate, kind = tel__text_of(type == TEL__PROMETHEUS_COUNTER ? "total" : "");
    if (m->kind == TEL_GAUGE && tel__text_equal(m->unit, tel__text_of("1"))) { kind = tel__text_of("ratio"); }
    if (!tel__prometheus_clean(out, m->name, true)) { return false; }
    tel__prometheus_unit(m->unit, &whole, &per);
    unit = tel__prometheus_text(whole_data, whole.size);
    rate = tel__prometheus_text(per_data, per.size);
    out->size -= tel__prometheus_ends(out, kind);
    out->size -= tel__prometheus_ends(out, rate);
    if (!tel__prometheus_ends(out, unit)) { tel__prometheus_append(out, unit); }
    tel__prometheus_append(out, rate);
    tel__prometheus_append(out, kind);
    if (out->size && out->data[0] >= '0' && out->data[0] <= '9') {
        tel__text_put_char(out, '_');
        memmove(out->data + 1, out->data, out->size - 1);
        out->data[0] = '_';
    }
    return out->lost == 0 && whole.lost == 0 && per.lost == 0;
}

/* ---- labels ----------------------------------------------------------------------------------------- */

/* Bytes of a foreign string: broken UTF-8 repaired; backslash, line feed and, in quotes, '"' escaped. */
TEL__FN void tel__prometheus_escape(tel__text_out* o, tel_text t, bool quoted) {
    size_t from = 0, i;
    for (i = 0; i < t.size; i++) {
        char c = t.data[i];
        if (c != '\\' && c != '\n' && (c != '"' || !quoted)) { continue; }
        tel__text_put_utf8(o, t.data + from, i - from);
        tel__text_put_char(o, '\\');
        tel__text_put_char(o, c == '\n' ? 'n' : c);
        from = i + 1;
    }
    if (t.size > from) { tel__text_put_utf8(o, t.data + from, t.size - from); }
}

/* Numbers as in JSON, but the ones JSON lacks bare: "AnyValue representation for non-OTLP protocols". */
TEL__FN void tel__prometheus_value(tel__text_out* o, const tel_attr* a) {
    double d = a->type == TEL_TYPE_DOUBLE ? a->as.d : 0;
    if (a->type == TEL_TYPE_STRING) { tel__prometheus_escape(o, tel__attr_string(a), true); }
    if (a->type == TEL_TYPE_BOOL) { tel__text_put_cstr(o, a->as.b ? "true" : "false"); }
    if (a->type == TEL_TYPE_INT) { tel__text_put_i64(o, a->as.i); }
    if (d - d != 0) { tel__text_put_cstr(o, d > 0 ? "Infinity" : d < 0 ? "-Infinity" : "NaN"); }
    else if (a->type == TEL_TYPE_DOUBLE) { tel__text_put_double(o, d); }
}

/* The order of label names. */
TEL__FN int tel__prometheus_compare(const tel__prometheus_render* r, const tel__prometheus_label* a,
                                    const tel__prometheus_label* b) {
    int c = memcmp(r->keys.data + a->key, r->keys.data + b->key, a->key_size < b->key_size ? a->key_size : b->key_size);
    return c ? c : a->key_size < b->key_size ? -1 : a->key_size > b->key_size;
}

/* The order of writing: by label name, then so that a collision joins in the order of the original keys. */
TEL__FN bool tel__prometheus_before(const tel__prometheus_render* r, const tel__prometheus_label* a,
                                    const tel__prometheus_label* b) {
    int c = tel__prometheus_compare(r, a, b);
    if (c == 0 && a->rank == b->rank) { c = tel__attr_order(&a->attr, &b->attr); }
    return c < 0 || (c == 0 && a->rank < b->rank);
}

/* Sanitises the key into r->keys; false when nothing legal is in it. A digit in front gets "key_", as the
   reference translator does it; on a histogram "le" belongs to the buckets and becomes exported_le. */
TEL__FN bool tel__prometheus_key(tel__prometheus_render* r, tel__prometheus_label* l, const char* prefix,
                                 bool histogram) {
    tel_text original = tel__prometheus_text(l->attr.key, tel__attr_key_size(&l->attr));
    tel__text_out* keys = &r->keys;
    bool any;
    tel__text_put_char(keys, ' ');          /* a leading '_' must not melt into the key before */
    l->key = keys->size;
    tel__text_put_cstr(keys, prefix);
    if (!*prefix && original.size && *original.data >= '0' && *original.data <= '9') { TEL__TEXT_LIT(keys, "key_"); }
    any = tel__prometheus_clean(keys, original, false);
    if (histogram && keys->size - l->key == 2 && memcmp(keys->data + l->key, "le", 2) == 0) {
        keys->size = l->key;
        TEL__TEXT_LIT(keys, "exported_le");
    }
    l->key_size = keys->size - l->key;
    return any;
}

/* Puts one attribute in its place. Few labels: an insertion sort. */
TEL__FN void tel__prometheus_label_add(tel__prometheus_render* r, tel__prometheus_labels* set,
                                       const char* prefix, const tel_attr* attr, uint32_t rank) {
    tel__prometheus_label* l = &set->items[set->count];
    size_t at;
    bool full = set->count == TEL__PROMETHEUS_LABEL_MAX;
    if (!full) {
        l->attr = *attr;
        l->rank = rank;
    }
    if (full || !attr->key || !tel__prometheus_key(r, l, prefix, set->histogram)) {
        tel__prometheus_say(r, TEL__DIAG_PROMETHEUS, tel__prometheus_text(attr->key, tel__attr_key_size(attr)),
                            "makes no label of", tel__prometheus_open_name(r));
        return;
    }
    if (r->keys.lost) { return; }
    for (at = set->count++; at > 0 && tel__prometheus_before(r, &set->items[at], &set->items[at - 1]); at--) {
        tel__prometheus_label moved = set->items[at];
        set->items[at] = set->items[at - 1];
        set->items[at - 1] = moved;
    }
}

/* Who recorded ("Instrumentation Scope"). The program's own scope has no name and gives no label. */
TEL__FN void tel__prometheus_scope(tel__prometheus_render* r, tel__prometheus_labels* set,
                                   const tel_scope_view* s) {
    static const char keys[][24] = { "otel_scope_name", "otel_scope_version", "otel_scope_schema_url" };
    size_t i;
    if (!s || !s->name.size) { return; }
    for (i = 0; i < 3; i++) {
        tel_text value = i == 0 ? s->name : i == 1 ? s->version : s->schema_url;
        tel_attr a = tel_strn(keys[i], value.data, value.size);
        if (value.size) { tel__prometheus_label_add(r, set, "", &a, 0); }
    }
    for (i = 0; i < s->attrs.count; i++) { tel__prometheus_label_add(r, set, "otel_scope_", &s->attrs.items[i], 1); }
}

/* Makes r->labels: `{k="v",k="v",` with the comma, so that `le` can follow. Keys that became the same label
   are joined with ';', except with a scope label, which stays as it is. False: out of memory. */
TEL__FN bool tel__prometheus_label_text(tel__prometheus_render* r, const tel_scope_view* scope, tel_attrs attrs,
                                        bool histogram) {
    tel__prometheus_labels set;
    tel__text_out* o = &r->labels;
    size_t i;
    set.count = 0;
    set.histogram = histogram;
    r->keys.size = r->keys.lost = o->size = o->lost = 0;
    tel__prometheus_scope(r, &set, scope);
    for (i = 0; i < attrs.count; i++) { tel__prometheus_label_add(r, &set, "", &attrs.items[i], 2); }
    tel__text_put_char(o, '{');
    for (i = 0; i < set.count; i++) {
        const tel__prometheus_label* l = &set.items[i];
        bool same = i > 0 && tel__prometheus_compare(r, l, l - 1) == 0;
        if (same && set.items[i - 1].rank == 0) {
            set.items[i].rank = 0;
            continue;
        }
        if (!same) {
            if (i > 0) { TEL__TEXT_LIT(o, "\","); }
            tel__text_put(o, r->keys.data + l->key, l->key_size);
        }
        tel__text_put_cstr(o, same ? ";" : "=\"");
        tel__prometheus_value(o, &l->attr);
    }
    if (set.count > 0) { TEL__TEXT_LIT(o, "\","); }
    return r->keys.lost == 0 && o->lost == 0;
}

/* Turns `{k="v",` into `{k="v"} ` and a lone brace into the blank before the value. */
TEL__FN void tel__prometheus_label_close(tel__text_out* o) {
    o->size--;
    if (o->size) { tel__text_put_char(o, '}'); }
    tel__text_put_char(o, ' ');
}

/* The labels of a point: from its series' memo, which is made here the first time. Of a histogram the open
   form, else what stands between name and value. Without memory for the memo the scratch serves. */
TEL__FN bool tel__prometheus_point_labels(tel__prometheus_render* r, const tel_metric_view* m,
                                          const tel_point* p, tel_text* labels) {
    tel_point_memo* memo = p->tel__memo;
    bool histogram = m->kind == TEL_HISTOGRAM;
    if (TEL__LIKELY(memo && memo->data)) {
        labels->data = memo->data;
        labels->size = memo->size;
        return true;
    }
    if (!tel__prometheus_label_text(r, m->scope, p->attrs, histogram)) { return false; }
    if (!histogram) { tel__prometheus_label_close(&r->labels); }
    if (r->labels.lost) { return false; }
    *labels = tel__prometheus_text(r->labels.data, r->labels.size);
    if (memo && labels->size <= UINT32_MAX) {
        char* data = (char*)tel__memory_alloc_raw(r->memory, labels->size);
        if (data) {
            memcpy(data, labels->data, labels->size);
            memo->data = data;
            memo->size = (uint32_t)labels->size;
        }
    }
    return true;
}

/* ---- families --------------------------------------------------------------------------------------- */

/* FNV-1a, continued from `hash`, so that a name and a suffix hash like the whole. */
TEL__FN uint64_t tel__prometheus_hash(uint64_t hash, tel_text t) {
    size_t i;
    if (!hash) { hash = UINT64_C(0xcbf29ce484222325); }
    for (i = 0; i < t.size; i++) { hash = (hash ^ (uint8_t)t.data[i]) * UINT64_C(0x100000001b3); }
    return hash ? hash : 1;
}

/* The slot of a key, or the empty one where it would go. Call it only while a slot is free. */
TEL__FN tel__prometheus_claim* tel__prometheus_slot(tel__prometheus_claim* claims, size_t capacity, uint64_t key) {
    size_t at = (size_t)(key ^ (key >> 32)) & (capacity - 1);
    while (claims[at].key && claims[at].key != key) { at = (at + 1) & (capacity - 1); }
    return &claims[at];
}

/* Says that key stands for value, if it is free. Returns what it stands for; 0: no memory to remember it. */
TEL__FN uint64_t tel__prometheus_claim_take(tel__prometheus_render* r, uint64_t key, uint64_t value) {
    tel__prometheus_claim* slot = r->claims ? tel__prometheus_slot(r->claims, r->claim_capacity, key) : NULL;
    if (slot && slot->key) { return slot->value; }
    if (r->claim_count >= r->claim_capacity - r->claim_capacity / 4) {
        size_t capacity = r->claim_capacity ? 2 * r->claim_capacity : 64, size = capacity * sizeof *slot, i;
        tel__prometheus_claim* claims = capacity > TEL__PROMETHEUS_CLAIM_MAX ? NULL
                                      : (tel__prometheus_claim*)tel__memory_alloc(r->memory, size);
        if (!claims) { return 0; }
        for (i = 0; i < r->claim_capacity; i++) {
            if (r->claims[i].key) { *tel__prometheus_slot(claims, capacity, r->claims[i].key) = r->claims[i]; }
        }
        if (r->claims) { tel__memory_free(r->memory, r->claims, size / 2); }
        r->claims = claims;
        r->claim_capacity = capacity;
        slot = tel__prometheus_slot(claims, capacity, key);
    }
    slot->key = key;
    slot->value = value;
    r->claim_count++;
    return value;
}

/* NONE: text 0.0.4 cannot say it. A sum of deltas is no counter there; exponential buckets have no text form
   ("Exponential Histograms" of the compatibility document: should be dropped). */
TEL__FN tel__prometheus_type tel__prometheus_type_of(const tel_metric_view* m) {
    if (m->kind == TEL_GAUGE) { return TEL__PROMETHEUS_GAUGE; }
    if (!m->cumulative) { return TEL__PROMETHEUS_NONE; }
    if (m->kind == TEL_HISTOGRAM) { return TEL__PROMETHEUS_HISTOGRAM; }
    if (m->kind != TEL_SUM) { return TEL__PROMETHEUS_NONE; }
    return m->monotonic ? TEL__PROMETHEUS_COUNTER : TEL__PROMETHEUS_GAUGE;
}

static const char tel__prometheus_types[][12] = { "no memory", "counter", "gauge", "histogram" };

TEL__FN void tel__prometheus_comment(tel__prometheus_render* r, const char* what, tel_text text) {
    tel__text_put_cstr(r->out, what);
    tel__text_put(r->out, r->name, r->name_size);
    tel__text_put_char(r->out, ' ');
    tel__prometheus_escape(r->out, text, false);
    tel__text_put_char(r->out, '\n');
}

/* Opens a family: claims its name and, for a histogram, those of its samples, and writes the header. */
TEL__FN bool tel__prometheus_open(tel__prometheus_render* r, tel_text name, tel__prometheus_type type,
                                  tel_text help) {
    static const char parts[][8] = { "", "_bucket", "_sum", "_count" };
    size_t n = type == TEL__PROMETHEUS_HISTOGRAM ? TEL__ARRAY_SIZE(parts) : 1, i;
    uint64_t base = tel__prometheus_hash(0, name), self = ++r->families << 2 | (uint64_t)type, was = self;
    for (i = 0; i < n && was == self; i++) {
        was = tel__prometheus_claim_take(r, tel__prometheus_hash(base, tel__text_of(parts[i])), self);
    }
    if (was != self) {
        tel__prometheus_say(r, was ? TEL__DIAG_FAMILY : TEL__DIAG_MEMORY, name, "is taken:",
                            tel__text_of(tel__prometheus_types[was & 3]));
        return false;
    }
    memcpy(r->name, name.data, name.size);
    r->name_size = name.size;
    r->type = type;
    r->help = tel__prometheus_hash(0, help);
    if (help.size) { tel__prometheus_comment(r, "# HELP ", help); }
    tel__prometheus_comment(r, "# TYPE ", tel__text_of(tel__prometheus_types[type]));
    return true;
}

/* Whether a metric may join the open family: of the same type, and from a scope that did not put another metric there
   ("a.b" and "a_b", or one name in "{a}" and "{b}"): their samples would be the same. A metric is known by where its
   name lies, which stays from batch to batch. "Metric Metadata": it goes for its TYPE, never for its HELP. */
TEL__FN bool tel__prometheus_join(tel__prometheus_render* r, const tel_metric_view* m, tel__prometheus_type type) {
    tel_text name = tel__prometheus_open_name(r);
    uint64_t key = tel__prometheus_hash(0, name), was = 1;
    uint64_t self = (uint64_t)(uintptr_t)m->name.data * 8 + (uint64_t)m->kind;
    if (r->type == type) {
        if (m->description.size && tel__prometheus_hash(0, m->description) != r->help) {
            tel__prometheus_say(r, TEL__DIAG_PROMETHEUS, m->name, "has another description than", name);
        }
        if (!tel__prometheus_label_text(r, m->scope, tel__attrs(NULL, 0), false)) { return false; }
        key = tel__prometheus_hash(key, tel__prometheus_text(r->labels.data, r->labels.size));
        was = tel__prometheus_claim_take(r, key, self);
        if (was == self) { return true; }
    }
    tel__prometheus_say(r, was ? TEL__DIAG_FAMILY : TEL__DIAG_MEMORY, m->name, "cannot join the family", name);
    return false;
}

/* Makes the family of a metric the open one. False: the metric is dropped, and a diagnostic said why. */
TEL__FN bool tel__prometheus_enter(tel__prometheus_render* r, const tel_metric_view* m) {
    char data[TEL__PROMETHEUS_NAME_MAX];
    tel__text_out name = tel__text_fixed(data, sizeof data);
    tel__prometheus_type type = tel__prometheus_type_of(m);
    tel_text full;
    if (type == TEL__PROMETHEUS_NONE || !tel__prometheus_name(m, type, &name)) {
        tel__prometheus_say(r, TEL__DIAG_FAMILY, m->name, type == TEL__PROMETHEUS_NONE
                            ? "is delta or exponential" : "makes no Prometheus name", tel__text_of(""));
        return false;
    }
    full = tel__prometheus_text(data, name.size);
    if (!tel__text_equal(full, tel__prometheus_open_name(r))
        && !tel__prometheus_open(r, full, type, m->description)) { return false; }
    return tel__prometheus_join(r, m, type);
}

/* ---- samples ---------------------------------------------------------------------------------------- */

/* One line. What does not fit goes the slow way, which counts to the byte what a fixed buffer lacks. */
TEL__CALL void tel__prometheus_line(tel__text_out* o, tel_text name, tel_text labels, tel_text tail,
                                      const char* value, size_t size) {
    size_t n = name.size + labels.size + tail.size + size + 1;
    char* p;
    if (TEL__UNLIKELY(!tel__text_fits(o, n))) {
        tel__text_put(o, name.data, name.size);
        tel__text_put(o, labels.data, labels.size);
        tel__text_put(o, tail.data, tail.size);
        tel__text_put(o, value, size);
        tel__text_put_char(o, '\n');
        return;
    }
    p = o->data + o->size;
    memcpy(p, name.data, name.size);
    p += name.size;
    memcpy(p, labels.data, labels.size);
    p += labels.size;
    if (tail.size) { memcpy(p, tail.data, tail.size); }
    p += tail.size;
    memcpy(p, value, size);
    p[size] = '\n';
    o->size += n;
}

/* Makes r->le: for each bound one byte of length and `le="0.5"} `, length 0 for a bound that does not rise
   (its bucket goes into the next) or is not finite. Made once per metric, since its points share the bounds. */
TEL__FN bool tel__prometheus_bounds(tel__prometheus_render* r, const tel_point* p) {
    size_t i, last = p->bound_count;
    if (r->bounds == p->bounds && r->bound_count == p->bound_count) { return true; }
    r->bounds = NULL;
    r->le.size = r->le.lost = 0;
    for (i = 0; i < p->bound_count; i++) {
        double bound = p->bounds[i];
        char text[48];
        char* end = text + 1;
        if (bound - bound == 0 && (last == p->bound_count || bound > p->bounds[last])) {
            memcpy(end, "le=\"", 4);
            end = tel__text_write_double(end + 4, bound);
            memcpy(end, "\"} ", 3);
            end += 3;
            last = i;
        }
        text[0] = (char)(end - text - 1);
        tel__text_put(&r->le, text, (size_t)(end - text));
    }
    if (r->le.lost) { return false; }
    r->bounds = p->bounds;
    r->bound_count = p->bound_count;
    return true;
}

/* The name of a sample of the open family. */
TEL__FN tel_text tel__prometheus_part(tel__prometheus_render* r, const char* suffix, size_t size) {
    memcpy(r->name + r->name_size, suffix, size);
    return tel__prometheus_text(r->name, r->name_size + size);
}

/* The buckets are the truth: _count is their total, also where the view says otherwise. */
TEL__FN void tel__prometheus_histogram(tel__prometheus_render* r, const tel_point* p, tel_text labels) {
    tel_text part = tel__prometheus_part(r, "_bucket", 7), tail;
    const char* le = r->le.data;
    uint64_t total = 0;
    char value[40];
    size_t i, size;
    for (i = 0; i < p->bound_count && p->buckets; i++) {
        tail = tel__prometheus_text(le + 1, (unsigned char)*le);
        le = tail.data + tail.size;
        total += p->buckets[i];
        size = (size_t)(tel__text_write_u64(value, total) - value);
        if (tail.size) { tel__prometheus_line(r->out, part, labels, tail, value, size); }
    }
    total = p->buckets ? total + p->buckets[p->bound_count] : p->count;
    size = (size_t)(tel__text_write_u64(value, total) - value);
    tel__prometheus_line(r->out, part, labels, tel__text_of("le=\"+Inf\"} "), value, size);
    tail = tel__text_of(labels.size > 1 ? "} " : " ");
    labels.size--;                          /* the comma, or the brace that holds nothing */
    tel__prometheus_line(r->out, tel__prometheus_part(r, "_count", 6), labels, tail, value, size);
    size = (size_t)(tel__text_write_double(value, p->d) - value);
    tel__prometheus_line(r->out, tel__prometheus_part(r, "_sum", 4), labels, tail, value, size);
}

TEL__FN void tel__prometheus_points(tel__prometheus_render* r, const tel_metric_view* m) {
    tel_text name = tel__prometheus_open_name(r), none = tel__text_of("");
    bool histogram = m->kind == TEL_HISTOGRAM;
    size_t i;
    r->bounds = NULL;
    for (i = 0; i < m->point_count; i++) {
        const tel_point* p = &m->points[i];
        tel_text labels;
        char value[40];
        char* end;
        if ((histogram && !tel__prometheus_bounds(r, p)) || !tel__prometheus_point_labels(r, m, p, &labels)) {
            r->dropped++;
            tel__prometheus_say(r, TEL__DIAG_MEMORY, name, "lost a sample", none);
            continue;
        }
        r->written++;
        if (histogram) {
            tel__prometheus_histogram(r, p, labels);
            continue;
        }
        end = m->integer ? tel__text_write_i64(value, p->i) : tel__text_write_double(value, p->d);
        tel__prometheus_line(r->out, name, labels, none, value, (size_t)(end - value));
    }
}

/* ---- the stream ------------------------------------------------------------------------------------- */

/* "Resource Attributes": the resource is told once, as the labels of one gauge, and not on every series. The
   family is closed at once, so that a metric of the program that has its name is none of it. */
TEL__FN void tel__prometheus_target(tel__prometheus_render* r, tel_attrs resource) {
    if (!resource.count || !tel__prometheus_label_text(r, NULL, resource, false)) { return; }
    tel__prometheus_label_close(&r->labels);
    if (r->labels.lost || !tel__prometheus_open(r, tel__text_of("target_info"), TEL__PROMETHEUS_GAUGE,
                                                tel__text_of("Target metadata"))) { return; }
    tel__prometheus_line(r->out, tel__prometheus_open_name(r),
                         tel__prometheus_text(r->labels.data, r->labels.size), tel__text_of(""), "1", 1);
    r->name_size = 0;
}

/* Renders the metrics of one batch behind those before. They should come so that one family's metrics are
   neighbours: what comes back to a closed family is dropped and counted. */
TEL__CALL void tel__prometheus_batch(tel__prometheus_render* r, const tel_batch* batch) {
    size_t i;
    if (!r->begun) {
        r->begun = true;
        tel__prometheus_target(r, batch->resource);
    }
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* m = &batch->metrics[i];
        if (!m->point_count) { continue; }
        if (tel__prometheus_enter(r, m)) { tel__prometheus_points(r, m); }
        else { r->dropped += m->point_count; }
    }
}

/* ==== R18 >>http ======================================================================================
   As much HTTP/1.1 as telemetry needs: a client that POSTs over one kept connection, and a listener that
   answers GET and HEAD for a scraper. No TLS, no proxy, no redirect. Whoever is at the other end is taken
   to be hostile: every length, count and time has a limit.

   Uses      R02 atomics, R03 threads, R04 clock, R06 memory, R07 text.      Used by   R19, R20.
   Threads   a client belongs to one thread at a time. A listener runs on one thread of its own, where
             the handler is called; close and forget: one caller, once, never from the handler.
   Holds     every socket is non-blocking and close-on-exec, and no write raises SIGPIPE. A thread waits
             in poll only, in slices that see `stop`; on Linux it also wakes the listener. The one call
             that can block and cannot be interrupted is getaddrinfo, for host names.
             A connection's request slices are dead once its handler has returned.
   Tests     tests/rooms/http.c   fuzz: url.c http_response.c http_request.c   bench: none
*/

/* ---- urls ------------------------------------------------------------------------------------------- */

typedef struct tel__http_url {
    bool     tls, ipv6;                     /* ipv6: host is an address that was written in brackets */
    uint16_t port;
    char     host[256];
    char     path[1024];                    /* begins with '/', has the query, lacks the fragment */
} tel__http_url;

TEL__COLD tel_text tel__http_slice(const char* data, size_t size) {
    tel_text t = { data, size };
    return t;
}
TEL__COLD tel_text tel__http_rest(tel_text t, size_t n) { return tel__http_slice(t.data + n, t.size - n); }
TEL__COLD bool tel__http_is(tel_text t, const char* word) { return tel__text_equal_nocase(t, tel__text_of(word)); }

/* Where the first of these characters stands; t.size when none does. */
TEL__COLD size_t tel__http_find(tel_text t, const char* any) {
    size_t i = 0;
    while (i < t.size && !memchr(any, t.data[i], strlen(any))) { i++; }
    return i;
}

/* Printable ASCII; a line may also have blanks and bytes above, but no NUL and no lone CR: some readers stop there. */
TEL__COLD bool tel__http_is_clean(tel_text t, bool line) {
    size_t i;
    for (i = 0; i < t.size; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (c == 0x7f || (line ? c < ' ' && c != '\t' : c <= ' ' || c > '~')) { return false; }
    }
    return true;
}

TEL__COLD bool tel__http_is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

TEL__COLD bool tel__http_is_token(tel_text t) {        /* RFC 9110 5.6.2 */
    size_t i = 0;
    while (i < t.size && (tel__http_is_alnum(t.data[i]) || memchr("!#$%&'*+-.^_`|~", t.data[i], 15))) { i++; }
    return i > 0 && i == t.size;
}

/* Letters of a host name, or hexadecimal digits and colons: nothing that a shell, a resolver or a header escapes. */
TEL__COLD bool tel__http_host_ok(tel_text host, bool ipv6) {
    size_t i, colons = 0;
    for (i = 0; i < host.size; i++) {
        char c = host.data[i];
        if (ipv6 && c == ':') { colons++; continue; }
        if (ipv6 && tel__http_is_alnum(c) && (c | 0x20) > 'f') { return false; }
        if (!tel__http_is_alnum(c) && c != '.' && (ipv6 || (c != '-' && c != '_'))) { return false; }
    }
    return host.size > 0 && (!ipv6 || colons >= 2);
}

/* host, host:port, [address] or [address]:port. RFC 3986 3.2.3: an empty port is the default one. User
   information is refused by its '@': a password in a URL ends up in logs. */
TEL__COLD tel_result tel__http_url_authority(tel_text text, tel__http_url* out) {
    uint64_t port = out->tls ? 443 : 80;
    size_t n;
    out->ipv6 = text.size > 0 && text.data[0] == '[';
    if (out->ipv6) { text = tel__http_rest(text, 1); }
    n = tel__http_find(text, out->ipv6 ? "]" : ":");
    if (!tel__http_host_ok(tel__http_slice(text.data, n), out->ipv6)) { return TEL_ERR_FORMAT; }
    if (n >= sizeof out->host) { return TEL_ERR_LIMIT; }
    memcpy(out->host, text.data, n);
    if (out->ipv6 && n++ == text.size) { return TEL_ERR_FORMAT; }
    text = tel__http_rest(text, n);
    if (text.size > 0 && *text.data != ':') { return TEL_ERR_FORMAT; }
    if (text.size > 1 && tel__text_parse_u64(tel__http_rest(text, 1), 65535, &port) != TEL_OK) { port = 0; }
    out->port = (uint16_t)port;
    return port > 0 ? TEL_OK : TEL_ERR_FORMAT;
}

/* Reads an absolute http or https URL. TEL_ERR_FORMAT: not one, or one with user information or with a
   character outside printable ASCII; TEL_ERR_LIMIT: host or path too long. *out is whole or all zero. */
TEL__COLD tel_result tel__http_url_parse(tel_text text, tel__http_url* out) {
    size_t n = tel__http_find(text, ":"), slash;
    tel_text scheme = tel__http_slice(text.data, n);
    tel_result r = TEL_ERR_FORMAT;
    memset(out, 0, sizeof *out);
    out->tls = tel__http_is(scheme, "https");
    if ((out->tls || tel__http_is(scheme, "http")) && tel__http_is_clean(text, false)
        && text.size - n >= 3 && memcmp(text.data + n, "://", 3) == 0) {
        text = tel__http_rest(text, n + 3);
        text.size = tel__http_find(text, "#");
        n = tel__http_find(text, "/?");
        r = tel__http_url_authority(tel__http_slice(text.data, n), out);
        text = tel__http_rest(text, n);
    }
    slash = text.size > 0 && *text.data == '/' ? 0 : 1;
    if (r == TEL_OK && slash + text.size >= sizeof out->path) { r = TEL_ERR_LIMIT; }
    out->path[0] = '/';
    if (r == TEL_OK) { memcpy(out->path + slash, text.data, text.size); }
    else { memset(out, 0, sizeof *out); }
    return r;
}

/* ---- what came back, however it was sent ------------------------------------------------------------- */

#define TEL__HTTP_BODY_MAX (4u * 1024 * 1024)       /* OTLP/HTTP: clients cap what they read at 4 MiB */

typedef struct tel__http_response {
    int      status;                /* 0: no status line was read. Kept when the rest of the answer is lost */
    uint64_t retry_after_ms;        /* UINT64_MAX: none. 0: now */
    bool     keep_alive;
    bool     too_large;             /* the body is over 4 MiB and was not read to its end: do not retry */
    uint64_t total;                 /* bytes of body so far */
    size_t   body_size;             /* of body; what an answer says beyond that is read and thrown away */
    char     body[4096];            /* the first bytes, NUL-terminated */
} tel__http_response;

TEL__COLD void tel__http_response_reset(tel__http_response* out) {
    memset(out, 0, sizeof *out);
    out->retry_after_ms = UINT64_MAX;
}

TEL__COLD void tel__http_response_add(tel__http_response* out, const char* data, size_t n) {
    size_t room = sizeof out->body - 1 - out->body_size;
    size_t part = room < n ? room : n;
    memcpy(out->body + out->body_size, data, part);
    out->body_size += part;
    out->body[out->body_size] = 0;
    out->total += n;
}

#if !TEL_NO_HTTP

enum {
    TEL__HTTP_HEAD_MAX        = 16 * 1024,              /* one head of a response, or its trailers */
    TEL__HTTP_HEADERS_MAX     = 100,
    TEL__HTTP_INTERIM_MAX     = 8,                      /* 1xx answers before the real one */
    TEL__HTTP_RETRY_MAX_MS    = 24 * 3600 * 1000,       /* a longer Retry-After counts as this */
    TEL__HTTP_SLICE_MS        = 50,                     /* how soon `stop` is seen */
    TEL__HTTP_ADDRESSES       = 8,
    TEL__HTTP_CONNECTIONS     = 16,
    TEL__HTTP_REQUEST_MAX     = 8 * 1024,
    TEL__HTTP_TARGET_MAX      = 4 * 1024,
    TEL__HTTP_READ_MS         = 5000,
    TEL__HTTP_WRITE_MS        = 10000,
    TEL__HTTP_LINGER_MS       = 1000,
    TEL__HTTP_LOOK_MS         = 250,                    /* how soon a listener that is not woken sees it */
    TEL__HTTP_GRACE_MS        = 100                     /* how long a new connection cannot be pushed out */
};

/* ---- heads and dates: what requests and responses share ---------------------------------------------- */

typedef struct tel__http_head {             /* all slices point into the head */
    tel_text start;                         /* the first line */
    tel_text retry_after, accept_encoding;
    uint32_t hosts, encodings;              /* how many Host and Transfer-Encoding fields */
    bool     chunked, close, length_known;
    uint64_t length;
} tel__http_head;

/* Takes one line off *rest, if it is whole, without its end: CRLF or a bare LF (RFC 9112 2.2). */
TEL__COLD bool tel__http_line_take(tel_text* rest, tel_text* line) {
    const char* end = rest->size > 0 ? (const char*)memchr(rest->data, '\n', rest->size) : NULL;
    size_t n = end ? (size_t)(end - rest->data) : 0;
    if (!end) { return false; }
    *line = tel__http_slice(rest->data, n > 0 && end[-1] == '\r' ? n - 1 : n);
    *rest = tel__http_rest(*rest, n + 1);
    return true;
}

/* Cuts "Name: value". A name that is no token is refused, and with it what two readers could disagree about:
   blanks before the colon and folded lines (RFC 9112 5.1, 5.2). */
TEL__COLD bool tel__http_header_cut(tel_text line, tel_text* name, tel_text* value) {
    size_t n = tel__http_find(line, ":");
    *name = tel__http_slice(line.data, n);
    if (n == line.size || !tel__http_is_token(*name) || !tel__http_is_clean(line, true)) { return false; }
    *value = tel__text_trim(tel__http_rest(line, n + 1));
    return true;
}

/* false: malformed, or a Content-Length that is no number or not the number said before. A list of equal
   ones is what some proxies make of two (RFC 9110 8.6). */
TEL__COLD bool tel__http_head_add(tel__http_head* h, tel_text line) {
    tel_text name, value, item;
    uint64_t n = 0;
    if (!tel__http_header_cut(line, &name, &value)) { return false; }
    if (tel__http_is(name, "host")) { h->hosts++; }
    if (tel__http_is(name, "retry-after")) { h->retry_after = value; }
    if (tel__http_is(name, "accept-encoding")) { h->accept_encoding = value; }
    if (tel__http_is(name, "transfer-encoding")) {
        h->encodings++;
        h->chunked = tel__http_is(value, "chunked");
    }
    if (tel__http_is(name, "connection")) {
        while (tel__text_split(&value, ',', &item)) {
            h->close = h->close || tel__http_is(tel__text_trim(item), "close");
        }
    }
    if (tel__http_is(name, "content-length")) {
        while (tel__text_split(&value, ',', &item)) {
            if (tel__text_parse_u64(tel__text_trim(item), UINT64_MAX, &n) != TEL_OK) { return false; }
            if (h->length_known && n != h->length) { return false; }
            h->length_known = true;
            h->length = n;
        }
    }
    return true;
}

/* Reads a first line, headers and the empty line. 200: taken off *in. 0: not complete; *in is as it was,
   and only out->start means something, once its line is whole. Else malformed: 400, or 431, too many. */
TEL__COLD int tel__http_head_read(tel_text* in, tel__http_head* out) {
    tel_text rest = *in, line;
    uint32_t headers = 0;
    memset(out, 0, sizeof *out);
    if (!tel__http_line_take(&rest, &out->start)) { return 0; }
    if (!tel__http_is_clean(out->start, true)) { return 400; }
    while (tel__http_line_take(&rest, &line)) {
        if (line.size == 0) {
            *in = rest;
            return 200;
        }
        if (++headers > TEL__HTTP_HEADERS_MAX) { return 431; }
        if (!tel__http_head_add(out, line)) { return 400; }
    }
    return 0;
}

/* The three forms of RFC 9110 5.6.7, told apart by their words; between these stands any of " ,-:". A year
   of two digits is the one that is at most 50 years ahead. */
TEL__COLD bool tel__http_date_parse(tel_text text, uint64_t now_unix_s, int64_t* unix_s) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const uint64_t most[] = { 9999, 12, 31, 23, 59, 60 };
    static const size_t places[2][6] = { { 3, 2, 1, 4, 5, 6 }, { 6, 1, 2, 3, 4, 5 } };  /* year to second */
    tel_text words[8];
    uint64_t f[6] = { 0, 0, 0, 0, 0, 0 }, this_year = 1970 + now_unix_s / 31556952u;
    size_t i, n, count = 0;
    int64_t year, day;
    for (; text.size > 0; text = tel__http_rest(text, n)) {
        for (n = 0; n < text.size && tel__http_is_alnum(text.data[n]); n++) { }
        if (n > 0 && count == 8) { return false; }
        if (n > 0) { words[count++] = tel__http_slice(text.data, n); }
        else if (tel__http_find(text, " ,-:") > 0) { return false; }
        else { n = 1; }
    }
    if (count != 7 && (count != 8 || !tel__text_equal(words[7], tel__text_of("GMT")))) { return false; }
    for (i = 0; i < 6; i++) {
        tel_text word = words[places[count == 7][i]];
        if (i == 1) {
            while (f[1] < 12 && !tel__text_equal(word, tel__http_slice(months + 3 * f[1], 3))) { f[1]++; }
            f[1]++;
        } else if (tel__text_parse_u64(word, most[i], &f[i]) != TEL_OK) {
            return false;
        }
    }
    n = words[places[count == 7][0]].size;
    if (f[1] > 12 || f[2] == 0 || (n != 2 && n != 4)) { return false; }
    if (n == 2) { f[0] += this_year / 100 * 100; }
    if (n == 2 && f[0] > this_year + 50) { f[0] -= 100; }
    year = (int64_t)f[0] - (f[1] < 3 ? 1 : 0);                  /* years begin in March: the leap day is last */
    day = 365 * year + year / 4 - year / 100 + year / 400 + (int64_t)((153 * ((f[1] + 9) % 12) + 2) / 5 + f[2]);
    *unix_s = (day - 719469) * 86400 + (int64_t)(f[3] * 3600 + f[4] * 60 + f[5]);
    return true;
}

/* Retry-After, seconds or a date, in milliseconds. 0: a date that has passed. UINT64_MAX: neither of both. */
TEL__COLD uint64_t tel__http_retry_after(tel_text value, uint64_t now_unix_s) {
    uint64_t seconds = 0, most = (uint64_t)TEL__HTTP_RETRY_MAX_MS / 1000;
    int64_t date = 0;
    tel_result r = tel__text_parse_u64(value, most, &seconds);
    if (r == TEL_ERR_LIMIT) { seconds = most; }
    if (r == TEL_ERR_FORMAT) {
        if (!tel__http_date_parse(value, now_unix_s, &date)) { return UINT64_MAX; }
        if (date > 0 && (uint64_t)date > now_unix_s) { seconds = (uint64_t)date - now_unix_s; }
    }
    return (seconds < most ? seconds : most) * 1000;
}

/* ---- responses -------------------------------------------------------------------------------------- */

enum { TEL__HTTP_HEAD, TEL__HTTP_CHUNK_SIZE, TEL__HTTP_CHUNK_END, TEL__HTTP_BODY, TEL__HTTP_BODY_TO_CLOSE,
       TEL__HTTP_DONE };

typedef struct tel__http_parser {           /* zero before the first byte */
    int      state;
    uint32_t interim;
    bool     chunked;
    uint64_t left;                  /* bytes that this body or chunk still lacks */
    size_t   size;                  /* of data: received and not read yet */
    char     data[TEL__HTTP_HEAD_MAX];
} tel__http_parser;

/* "HTTP/1.1 200 OK"; the reason may be missing, and its blank with it. How the body ends: RFC 9112 6.3.
   Both lengths at once is how messages are smuggled, and 101 answers a question that was not asked. */
TEL__COLD tel_result tel__http_parser_head(tel__http_parser* p, tel_text* in, uint64_t now_unix_s,
                                         tel__http_response* out) {
    tel__http_head h;
    int read = tel__http_head_read(in, &h);
    tel_text s = h.start;
    uint64_t status = 0;
    if (!s.data) { return TEL_OK; }
    if (s.size < 12 || memcmp(s.data, "HTTP/1.", 7) != 0 || s.data[8] != ' ') { return TEL_ERR_FORMAT; }
    if ((s.data[7] != '0' && s.data[7] != '1') || (s.size > 12 && s.data[12] != ' ')) { return TEL_ERR_FORMAT; }
    if (tel__text_parse_u64(tel__http_slice(s.data + 9, 3), 999, &status) != TEL_OK) { return TEL_ERR_FORMAT; }
    if (status < 100) { return TEL_ERR_FORMAT; }
    out->status = (int)status;
    if (read != 200) { return read == 0 ? TEL_OK : TEL_ERR_FORMAT; }
    if (h.encodings > 0 && (h.encodings > 1 || !h.chunked || h.length_known)) { return TEL_ERR_FORMAT; }
    if (status < 200) { return status == 101 || ++p->interim > TEL__HTTP_INTERIM_MAX ? TEL_ERR_FORMAT : TEL_OK; }
    if (h.retry_after.size > 0) { out->retry_after_ms = tel__http_retry_after(h.retry_after, now_unix_s); }
    out->keep_alive = !h.close && s.data[7] == '1';
    p->chunked = h.chunked;
    p->left = h.length_known ? h.length : UINT64_MAX;
    p->state = h.chunked ? TEL__HTTP_CHUNK_SIZE : h.length_known ? TEL__HTTP_BODY : TEL__HTTP_BODY_TO_CLOSE;
    if (status == 204 || status == 304 || p->left == 0) { p->state = TEL__HTTP_DONE; }
    if (p->state == TEL__HTTP_BODY_TO_CLOSE) { out->keep_alive = false; }
    return TEL_OK;
}

/* The lines around chunks: the end of one, or "1a2b" with an optional ";extension". The size 0 is the
   first line of a head: the trailers, which have to be in order and say nothing. */
TEL__COLD tel_result tel__http_parser_chunk(tel__http_parser* p, tel_text* in) {
    tel_text rest = *in, line;
    tel__http_head trailers;
    size_t i;
    int read;
    if (!tel__http_line_take(&rest, &line)) { return TEL_OK; }
    if (p->state == TEL__HTTP_CHUNK_END) {
        *in = rest;
        p->state = TEL__HTTP_CHUNK_SIZE;
        return line.size == 0 ? TEL_OK : TEL_ERR_FORMAT;
    }
    p->left = 0;
    for (i = 0; i < line.size && tel__text_hex_value(line.data[i]) >= 0; i++) {
        if (p->left >> 60 != 0) { return TEL_ERR_FORMAT; }
        p->left = p->left * 16 + (uint64_t)tel__text_hex_value(line.data[i]);
    }
    if (i == 0 || !tel__http_is_clean(line, true)) { return TEL_ERR_FORMAT; }
    line = tel__text_trim(tel__http_rest(line, i));
    if (line.size > 0 && *line.data != ';') { return TEL_ERR_FORMAT; }
    if (p->left > 0) {
        *in = rest;
        p->state = TEL__HTTP_BODY;
        return TEL_OK;
    }
    read = tel__http_head_read(in, &trailers);
    if (read == 200) { p->state = TEL__HTTP_DONE; }
    return read == 0 || read == 200 ? TEL_OK : TEL_ERR_FORMAT;
}

TEL__COLD void tel__http_parser_body(tel__http_parser* p, tel_text* in, tel__http_response* out) {
    size_t n = in->size < p->left ? in->size : (size_t)p->left;
    tel__http_response_add(out, in->data, n);
    *in = tel__http_rest(*in, n);
    p->left -= n;
    if (p->left == 0) { p->state = p->chunked ? TEL__HTTP_CHUNK_END : TEL__HTTP_DONE; }
}

/* Reads what has been added to p->data, until the response is complete or malformed. Of a line or head
   that is not whole the beginning stays there; one that does not fit is malformed. */
TEL__COLD tel_result tel__http_parser_run(tel__http_parser* p, uint64_t now_unix_s, tel__http_response* out) {
    tel_text in = tel__http_slice(p->data, p->size);
    size_t before = SIZE_MAX;
    tel_result r = TEL_OK;
    while (r == TEL_OK && p->state != TEL__HTTP_DONE && in.size > 0 && in.size < before) {
        before = in.size;
        if (p->state >= TEL__HTTP_BODY) { tel__http_parser_body(p, &in, out); }
        else if (p->state == TEL__HTTP_HEAD) { r = tel__http_parser_head(p, &in, now_unix_s, out); }
        else { r = tel__http_parser_chunk(p, &in); }
        if (out->total > TEL__HTTP_BODY_MAX
            || (p->state == TEL__HTTP_BODY && p->left > TEL__HTTP_BODY_MAX - out->total)) {
            out->too_large = true;
            out->keep_alive = false;
            p->state = TEL__HTTP_DONE;
        }
    }
    if (in.size == sizeof p->data) { r = TEL_ERR_FORMAT; }
    memmove(p->data, in.data, in.size);
    p->size = in.size;
    return r;
}

/* The peer closed. TEL_ERR_IO: before the end of the response. */
TEL__COLD tel_result tel__http_parser_finish(tel__http_parser* p) {
    if (p->state == TEL__HTTP_BODY_TO_CLOSE) { p->state = TEL__HTTP_DONE; }
    return p->state == TEL__HTTP_DONE ? TEL_OK : TEL_ERR_IO;
}

/* ---- sockets: the only place that sees the platform -------------------------------------------------- */

#if TEL__WINDOWS
typedef SOCKET tel__http_socket;
typedef int tel__http_size, tel__http_socklen;
#define TEL__HTTP_NO_SOCKET  INVALID_SOCKET
#define TEL__HTTP_CLOSE      closesocket
#define TEL__HTTP_PORT_TAKEN() (WSAGetLastError() == WSAEADDRINUSE)
#define TEL__HTTP_POLL       WSAPoll
#define TEL__HTTP_OWN_PORT   SO_EXCLUSIVEADDRUSE
/* Whether the last call that failed only means: not now. */
TEL__COLD bool tel__http_socket_waits(void) {
    int e = WSAGetLastError();
    return e == WSAEWOULDBLOCK || e == WSAEINPROGRESS || e == WSAEINTR;
}
#else
typedef int tel__http_socket;
typedef size_t tel__http_size;
typedef socklen_t tel__http_socklen;
#define TEL__HTTP_NO_SOCKET  (-1)
#define TEL__HTTP_CLOSE      close
#define TEL__HTTP_PORT_TAKEN() (errno == EADDRINUSE)
#define TEL__HTTP_POLL       poll
#define TEL__HTTP_OWN_PORT   SO_REUSEADDR       /* gives a restarted program its port back */
TEL__COLD bool tel__http_socket_waits(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == EINPROGRESS;
}
#endif
#if TEL__WINDOWS || TEL__APPLE
#define TEL__HTTP_STREAM     SOCK_STREAM
#define TEL__HTTP_SEND_FLAGS 0
#else
#define TEL__HTTP_STREAM     (SOCK_STREAM | SOCK_CLOEXEC)  /* no moment in which a fork could keep the port */
#define TEL__HTTP_SEND_FLAGS MSG_NOSIGNAL
#endif

enum { TEL__HTTP_SHUT_WRITE = 1, TEL__HTTP_SHUT_BOTH = 2 };    /* shutdown's numbers on every system */

typedef struct tel__http_address {
    struct sockaddr_storage where;
    tel__http_socklen       size;
} tel__http_address;

/* Non-blocking, closed on exec, mute about broken pipes, without Nagle's delay. */
TEL__COLD tel__http_socket tel__http_socket_prepare(tel__http_socket s) {
    int on = 1;
#if TEL__WINDOWS
    u_long yes = 1;
    ioctlsocket(s, (long)FIONBIO, &yes);        /* no socket: every call fails and does no harm */
    SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
#else
    fcntl(s, F_SETFD, FD_CLOEXEC);
    fcntl(s, F_SETFL, fcntl(s, F_GETFL) | O_NONBLOCK);
#endif
#if defined(SO_NOSIGPIPE)
    setsockopt(s, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char*)&on, sizeof on);
    return s;
}

/* How many bytes. 0: none now; -1: the connection has ended. */
TEL__COLD int tel__http_socket_receive(tel__http_socket s, char* data, size_t size, int flags) {
    int n = (int)recv(s, data, (tel__http_size)size, flags);
    return n > 0 ? n : n < 0 && tel__http_socket_waits() ? 0 : -1;
}

/* Sends what fits of the pieces and takes it off them; *left remains. They are copied so that a head and a
   small body travel in one packet. false: the connection has ended. */
TEL__COLD bool tel__http_socket_send(tel__http_socket s, tel_text* pieces, size_t count, size_t* left) {
    char packet[16 * 1024];
    size_t i, n, size = 0;
    int sent;
    packet[0] = 0;                              /* nothing to send is no error */
    for (i = 0, *left = 1; i < count; i++) {
        n = sizeof packet - size < pieces[i].size ? sizeof packet - size : pieces[i].size;
        if (n > 0) { memcpy(packet + size, pieces[i].data, n); }
        size += n;
    }
    sent = (int)send(s, packet, (tel__http_size)size, TEL__HTTP_SEND_FLAGS);
    if (sent < 0) { return tel__http_socket_waits(); }
    for (i = *left = 0, size = (size_t)sent; i < count; i++) {
        n = size < pieces[i].size ? size : pieces[i].size;
        if (n > 0) { pieces[i] = tel__http_rest(pieces[i], n); }    /* an empty one may have no data */
        size -= n;
        *left += pieces[i].size;
    }
    return true;
}

TEL__COLD void tel__http_poll_add(struct pollfd* items, size_t* count, tel__http_socket s, int events) {
    items[*count].fd = s;
    items[*count].events = (short)events;
    items[(*count)++].revents = 0;
}

/* How many are ready. A signal counts as a timeout; when poll itself fails, sleep keeps callers from spinning. */
TEL__COLD int tel__http_socket_poll(struct pollfd* items, size_t count, int timeout_ms) {
    int n = TEL__HTTP_POLL(items, (unsigned)count, timeout_ms);
    if (n < 0 && !tel__http_socket_waits()) { tel__thread_sleep_ns((uint64_t)TEL__HTTP_SLICE_MS * 1000000u); }
    return n > 0 ? n : 0;
}

/* A name takes as long as the resolver takes: the limits are its own (resolv.conf), and neither a deadline
   nor `stop` can end it. Addresses never ask one. */
TEL__COLD size_t tel__http_lookup(const char* host, uint16_t port, tel__http_address* out, size_t most) {
    char service[24];
    struct addrinfo want, *list = NULL, *at;
    size_t n = 0;
#if TEL__WINDOWS
    WSADATA ignored;
    WSAStartup(MAKEWORD(2, 2), &ignored);       /* before anything else; the system counts */
#endif
    *tel__text_write_u64(service, port) = 0;
    memset(&want, 0, sizeof want);
    want.ai_socktype = SOCK_STREAM;             /* and the family AF_UNSPEC, which is 0 */
    if (getaddrinfo(host, service, &want, &list) != 0) { return 0; }
    for (at = list; at && n < most; at = at->ai_next) {
        if (at->ai_addrlen > sizeof out[n].where) { continue; }
        memset(&out[n], 0, sizeof out[n]);
        memcpy(&out[n].where, at->ai_addr, at->ai_addrlen);
        out[n++].size = (tel__http_socklen)at->ai_addrlen;
    }
    freeaddrinfo(list);
    return n;
}

TEL__COLD size_t tel__http_resolve(const char* host, uint16_t port, tel__http_address* out, size_t most) {
    size_t n;
    if (!tel__http_is(tel__text_of(host), "localhost")) { return tel__http_lookup(host, port, out, most); }
    n = tel__http_lookup("127.0.0.1", port, out, most);
    return n + tel__http_lookup("::1", port, out + n, most - n);
}

/* ---- client ----------------------------------------------------------------------------------------- */

typedef struct tel__http_client {           /* one connection, kept between requests; zero: none */
    bool             open;
    tel__http_socket socket;
    uint16_t         port;          /* where the connection leads */
    size_t           last;          /* which address answered last: it is tried first next time */
    char             host[256];
} tel__http_client;

typedef struct tel__http_limit {
    uint64_t                 deadline_mono_ns;
    const tel__atomic_u32*   stop;
} tel__http_limit;

/* For the child of a fork: lets go of the descriptor; the parent's connection lives on. */
TEL__COLD void tel__http_client_forget(tel__http_client* c) {
    if (c->open) { TEL__HTTP_CLOSE(c->socket); }
    c->open = false;
}

/* Ends the connection for every process that holds it. */
TEL__COLD void tel__http_client_close(tel__http_client* c) {
    if (c->open) { shutdown(c->socket, TEL__HTTP_SHUT_BOTH); }
    tel__http_client_forget(c);
}

TEL__COLD bool tel__http_over(const tel__http_limit* limit) {
    if (limit->stop && tel__atomic_load_u32(limit->stop) != 0) { return true; }
    return tel__clock_left_ms(limit->deadline_mono_ns) == 0;
}

/* Until one of the events (or trouble, which counts as all of them) or TEL_ERR_TIMEOUT. */
TEL__COLD tel_result tel__http_wait(tel__http_socket s, int events, const tel__http_limit* limit, int* ready) {
    while (!tel__http_over(limit)) {
        uint32_t left = tel__clock_left_ms(limit->deadline_mono_ns);
        struct pollfd item;
        size_t count = 0;
        tel__http_poll_add(&item, &count, s, events);
        if (tel__http_socket_poll(&item, 1, left < TEL__HTTP_SLICE_MS ? (int)left : TEL__HTTP_SLICE_MS) > 0) {
            *ready = item.revents & ~(POLLIN | POLLOUT) ? events : item.revents;
            return TEL_OK;
        }
    }
    return TEL_ERR_TIMEOUT;
}

/* Tries every address in turn. One with others behind it gets half of the time that is left and at most two
   seconds, so that a dead IPv6 route costs a little and not everything. */
TEL__COLD tel_result tel__http_client_connect(tel__http_client* c, const tel__http_url* url,
                                            const tel__http_limit* limit) {
    tel__http_address list[TEL__HTTP_ADDRESSES];
    size_t i, count = tel__http_resolve(url->host, url->port, list, TEL__HTTP_ADDRESSES);
    tel_result r = TEL_ERR_IO;
    for (i = 0; i < count && r != TEL_OK && !tel__http_over(limit); i++) {
        const tel__http_address* to = &list[(c->last + i) % count];
        const void* where = &to->where;
        tel__http_socklen size = (tel__http_socklen)sizeof(int);
        uint32_t half = tel__clock_left_ms(limit->deadline_mono_ns) / 2;
        tel__http_limit share = *limit;
        int ready, error = 0;
        if (i + 1 < count) { share.deadline_mono_ns = tel__clock_deadline(half < 2000 ? half : 2000); }
        r = TEL_ERR_IO;
        c->socket = tel__http_socket_prepare(socket(to->where.ss_family, TEL__HTTP_STREAM, 0));
        if (c->socket == TEL__HTTP_NO_SOCKET) { continue; }
        if (connect(c->socket, (const struct sockaddr*)where, to->size) == 0 || tel__http_socket_waits()) {
            r = tel__http_wait(c->socket, POLLOUT, &share, &ready);
        }
        getsockopt(c->socket, SOL_SOCKET, SO_ERROR, (char*)&error, &size);
        if (r == TEL_OK && error != 0) { r = TEL_ERR_IO; }
        if (r != TEL_OK) { TEL__HTTP_CLOSE(c->socket); }
    }
    if (r != TEL_OK) { return tel__http_over(limit) ? TEL_ERR_TIMEOUT : r; }
    c->open = true;
    c->port = url->port;
    c->last = (c->last + i - 1) % count;
    memcpy(c->host, url->host, sizeof c->host);
    return TEL_OK;
}

/* Sends and reads at the same time: a server that refuses early is heard, one that stops reading cannot
   block. *touched: the server has said something, so the request must not be sent again. */
TEL__COLD tel_result tel__http_exchange(tel__http_socket s, tel_text pieces[4], const tel__http_limit* limit,
                                      tel__http_response* out, bool* touched) {
    tel__http_parser p;
    bool sending = true;
    size_t left = 1;
    memset(&p, 0, sizeof p);
    while (p.state != TEL__HTTP_DONE) {
        int ready = 0;
        tel_result r = tel__http_wait(s, sending ? POLLIN | POLLOUT : POLLIN, limit, &ready);
        if (r == TEL_OK && (ready & POLLIN)) {
            int got = tel__http_socket_receive(s, p.data + p.size, sizeof p.data - p.size, 0);
            if (got < 0) { r = tel__http_parser_finish(&p); }
            if (got > 0) {
                *touched = true;
                p.size += (size_t)got;
                r = tel__http_parser_run(&p, tel__clock_unix_ns() / 1000000000u, out);
            }
        }
        if (r != TEL_OK) { return r; }
        if (sending && (ready & POLLOUT) && p.state != TEL__HTTP_DONE) {
            sending = tel__http_socket_send(s, pieces, 4, &left) && left > 0;
        }
    }
    if (left > 0 || p.size > 0) { out->keep_alive = false; }
    return TEL_OK;
}

/* Complete "Name: value\r\n" lines and nothing that could end the head early. */
TEL__COLD bool tel__http_lines_ok(tel_text lines) {
    tel_text line, name, value;
    while (tel__http_line_take(&lines, &line)) {
        if (line.data[line.size] != '\r' || !tel__http_header_cut(line, &name, &value)) { return false; }
    }
    return lines.size == 0;
}

/* POSTs and reads the whole answer. TEL_OK: out holds one, of any status. TEL_ERR_IO: nobody there, no
   such host, or the connection broke; TEL_ERR_TIMEOUT: the deadline passed or *stop became nonzero (stop
   may be NULL); TEL_ERR_FORMAT: what came back is not HTTP; TEL_ERR_ARGUMENT: https, or bad header lines.
   After an error out->status is what was read before it, or 0. `headers` are complete lines; Host and
   Content-Length are added. A kept connection that turns out to be dead before the first byte of an
   answer is replaced and the request sent once more: the server may then see it twice. */
TEL__COLD tel_result tel__http_post(tel__http_client* c, const tel__http_url* url, tel_text headers,
                                  const void* body, size_t size, uint64_t deadline_mono_ns,
                                  const tel__atomic_u32* stop, tel__http_response* out) {
    char start[sizeof url->path + sizeof url->host + 128], byte;
    tel__text_out head = tel__text_fixed(start, sizeof start);
    tel__http_limit limit = { deadline_mono_ns, stop };
    tel_result r = TEL_ERR_IO;
    tel__http_response_reset(out);
    if (url->tls || !tel__http_lines_ok(headers)) { return TEL_ERR_ARGUMENT; }
    TEL__TEXT_LIT(&head, "POST ");
    tel__text_put_cstr(&head, url->path);
    tel__text_put_cstr(&head, url->ipv6 ? " HTTP/1.1\r\nHost: [" : " HTTP/1.1\r\nHost: ");
    tel__text_put_cstr(&head, url->host);
    tel__text_put_cstr(&head, url->ipv6 ? "]:" : ":");
    tel__text_put_u64(&head, url->port);
    TEL__TEXT_LIT(&head, "\r\nContent-Length: ");
    tel__text_put_u64(&head, size);
    TEL__TEXT_LIT(&head, "\r\n");
    for (;;) {
        bool touched = false, reused = c->open && c->port == url->port && strcmp(c->host, url->host) == 0;
        tel_text pieces[4];
        /* Bytes that nobody asked for, or an end, make a kept connection useless. */
        reused = reused && tel__http_socket_receive(c->socket, &byte, 1, MSG_PEEK) == 0;
        if (!reused) {
            tel__http_client_close(c);
            r = tel__http_client_connect(c, url, &limit);
        }
        if (!c->open) { return r; }
        pieces[0] = tel__http_slice(head.data, head.size);
        pieces[1] = headers;
        pieces[2] = tel__text_of("\r\n");
        pieces[3] = tel__http_slice((const char*)body, size);
        r = tel__http_exchange(c->socket, pieces, &limit, out, &touched);
        if (r == TEL_OK && out->keep_alive) { return r; }
        tel__http_client_close(c);
        if (r != TEL_ERR_IO || !reused || touched) { return r; }
    }
}

/* ---- requests --------------------------------------------------------------------------------------- */

typedef struct tel__http_request {          /* all slices point into the connection's buffer */
    tel_text path, query;                   /* path is as sent: neither decoded nor normalised */
    tel_text accept_encoding;
    bool     head;
} tel__http_request;

/* Reads one request. 0: it is not complete. 200: *out is filled and it took *used bytes. Otherwise the status
   to refuse with, after which nothing else can be read from this connection. Targets of proxies (RFC 9112
   3.2.2 to 3.2.4) name no page. A body is refused: its bytes must not be taken for the next request. */
TEL__COLD int tel__http_request_parse(tel_text data, tel__http_request* out, bool* keep_alive, size_t* used) {
    tel_text rest = data, method, target, version;
    tel__http_head h;
    bool minor_1;
    int status;
    memset(out, 0, sizeof *out);
    *keep_alive = false;
    *used = 0;
    while (rest.size > 0 && (*rest.data == '\r' || *rest.data == '\n')) {   /* RFC 9112 2.2 */
        rest = tel__http_rest(rest, 1);
    }
    status = tel__http_head_read(&rest, &h);
    if (status == 0 && data.size < TEL__HTTP_REQUEST_MAX) { return 0; }
    if (!h.start.data || h.start.size > TEL__HTTP_TARGET_MAX) { return 414; }
    version = h.start;
    if (!tel__text_split(&version, ' ', &method) || !tel__http_is_token(method)) { return 400; }
    if (!tel__text_split(&version, ' ', &target) || version.size != 8) { return 400; }
    if (memcmp(version.data, "HTTP/1.", 7) != 0 || version.data[7] < '0' || version.data[7] > '9') { return 400; }
    out->head = tel__text_equal(method, tel__text_of("HEAD"));
    if (status != 200) { return status == 0 ? 431 : status; }
    minor_1 = version.data[7] != '0';
    if (h.hosts > 1 || (minor_1 && h.hosts == 0)) { return 400; }
    if (h.encodings > 0 && (h.length_known || !minor_1)) { return 400; }
    if (!out->head && !tel__text_equal(method, tel__text_of("GET"))) { return 405; }
    if (h.encodings > 0) { return 411; }
    if (h.length > 0) { return 413; }
    if (!tel__http_is_clean(target, false) || target.size == 0 || *target.data != '/') { return 400; }
    out->path = tel__http_slice(target.data, tel__http_find(target, "?"));
    out->query = tel__http_rest(target, out->path.size);
    if (out->query.size > 0) { out->query = tel__http_rest(out->query, 1); }
    out->accept_encoding = h.accept_encoding;
    *keep_alive = !h.close && minor_1;
    *used = data.size - rest.size;
    return 200;
}

/* ---- listener --------------------------------------------------------------------------------------- */

typedef struct tel__http_reply {
    int           status;               /* 200 unless the handler says otherwise */
    const char*   content_type;         /* static text */
    const char*   extra_headers;        /* complete lines; static text */
    tel__text_out body;                 /* empty, on the heap; the listener frees it */
} tel__http_reply;

typedef void (*tel__http_handler)(const tel__http_request* request, tel__http_reply* reply, void* user_data);

enum { TEL__HTTP_READING, TEL__HTTP_WRITING, TEL__HTTP_LINGERING };

typedef struct tel__http_connection {
    tel__http_socket socket;
    int              phase;
    bool             keep_alive;
    uint64_t         until_ns;          /* when this phase is over at the latest */
    tel__text_out    body;
    tel_text         out[2];            /* what is still to be written: head, body */
    size_t           size;              /* of in */
    char             in[TEL__HTTP_REQUEST_MAX];
    char             head[1024];
} tel__http_connection;

typedef struct tel__http_listener {
    tel__memory*          memory;
    tel__http_handler     handler;
    void*                 user_data;
    tel__thread_handle    thread;
    tel__atomic_u32       stop;
    tel__http_socket      socket;
    uint16_t              port;
    size_t                place;                /* for a newcomer, see tel__http_listener_prepare */
    tel__http_connection* connections[TEL__HTTP_CONNECTIONS];
} tel__http_listener;

TEL__COLD void tel__http_connection_phase(tel__http_connection* c, int phase, uint64_t ms) {
    c->phase = phase;
    c->until_ns = tel__clock_mono_ns() + ms * 1000000u;
}

/* Lays an answer out for writing; false when the head is too long. The body must stay where it is. */
TEL__COLD bool tel__http_connection_reply(tel__http_connection* c, int status, const char* type, const char* extra,
                                        tel_text body, bool without_body) {
    tel__text_out o = tel__text_fixed(c->head, sizeof c->head);
    TEL__TEXT_LIT(&o, "HTTP/1.1 ");
    tel__text_put_u64(&o, (uint64_t)status);
    tel__text_put_cstr(&o, status == 200 ? " OK\r\nContent-Type: " : " Refused\r\nContent-Type: ");
    tel__text_put_cstr(&o, type);
    TEL__TEXT_LIT(&o, "\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ");
    tel__text_put_u64(&o, body.size);
    tel__text_put_cstr(&o, c->keep_alive ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n");
    tel__text_put_cstr(&o, extra);
    TEL__TEXT_LIT(&o, "\r\n");
    c->out[0] = tel__http_slice(o.data, o.size);
    c->out[1] = tel__http_slice(body.data, without_body ? 0 : body.size);
    tel__http_connection_phase(c, TEL__HTTP_WRITING, TEL__HTTP_WRITE_MS);
    return o.lost == 0;
}

TEL__COLD void tel__http_connection_refuse(tel__http_connection* c, int status, bool without_body) {
    c->keep_alive = false;
    (void)tel__http_connection_reply(c, status, "text/plain; charset=utf-8",
                                     status == 405 ? "Allow: GET, HEAD\r\n" : "",
                                     tel__text_of("The request was refused, see the status.\n"), without_body);
}

/* The slot is emptied first and the phase left before the body goes: a fork at any moment between leaves
   the child a leak at worst. The child (`forked`) has no word for peers, who still talk to the parent, and
   frees a body only in the one phase in which nobody can have been at work on it when the fork came. */
TEL__COLD void tel__http_connection_drop(tel__http_listener* l, size_t slot, bool forked) {
    tel__http_connection* c = l->connections[slot];
    l->connections[slot] = NULL;
    if (!c) { return; }
    if (!forked) { shutdown(c->socket, TEL__HTTP_SHUT_BOTH); }
    TEL__HTTP_CLOSE(c->socket);
    if (!forked || c->phase == TEL__HTTP_WRITING) { tel__text_heap_free(&c->body); }
    tel__memory_free(l->memory, c, sizeof *c);
}

/* Looks for a request in what has been read and answers it. Pipelined ones stay for the next rounds, to take
   turns with everybody else. Of a body that did not fit into memory no part is sent. */
TEL__COLD void tel__http_connection_answer(tel__http_listener* l, tel__http_connection* c) {
    tel__http_request request;
    tel__http_reply reply;
    size_t used = 0;
    int status = tel__http_request_parse(tel__http_slice(c->in, c->size), &request, &c->keep_alive, &used);
    if (status == 0) { return; }
    if (status == 200) {
        reply.status = 200;
        reply.content_type = "text/plain; charset=utf-8";
        reply.extra_headers = "";
        reply.body = tel__text_heap(l->memory);
        l->handler(&request, &reply, l->user_data);
        c->body = reply.body;
        if (reply.body.lost > 0
            || !tel__http_connection_reply(c, reply.status, reply.content_type, reply.extra_headers,
                                           tel__http_slice(c->body.data, c->body.size), request.head)) {
            status = 500;
        }
    }
    if (status != 200) { tel__http_connection_refuse(c, status, request.head); }
    c->size -= used;
    memmove(c->in, c->in + used, c->size);
}

/* Takes what the peer has sent; false when it is gone. A head is looked at for every line, not every byte.
   After our last word reading only keeps the close from resetting an answer that is still on its way. */
TEL__COLD bool tel__http_connection_read(tel__http_listener* l, tel__http_connection* c) {
    size_t at = c->phase == TEL__HTTP_LINGERING ? 0 : c->size;
    int got = tel__http_socket_receive(c->socket, c->in + at, sizeof c->in - at, 0);
    if (got <= 0 || c->phase == TEL__HTTP_LINGERING) { return got >= 0; }
    if (at == 0) { tel__http_connection_phase(c, TEL__HTTP_READING, TEL__HTTP_READ_MS); }
    c->size += (size_t)got;
    if (c->size == sizeof c->in || memchr(c->in + at, '\n', (size_t)got)) { tel__http_connection_answer(l, c); }
    return true;
}

/* Writes what fits; at the end the next request is looked for, or the connection says goodbye. */
TEL__COLD bool tel__http_connection_write(tel__http_listener* l, tel__http_connection* c) {
    size_t left;
    if (!tel__http_socket_send(c->socket, c->out, 2, &left)) { return false; }
    if (left > 0) { return true; }
    tel__http_connection_phase(c, c->keep_alive ? TEL__HTTP_READING : TEL__HTTP_LINGERING,
                               c->keep_alive ? TEL__HTTP_READ_MS : TEL__HTTP_LINGER_MS);
    tel__text_heap_free(&c->body);
    if (!c->keep_alive) { shutdown(c->socket, TEL__HTTP_SHUT_WRITE); }
    else if (c->size > 0) { tel__http_connection_answer(l, c); }
    return true;
}

TEL__COLD void tel__http_connection_serve(tel__http_listener* l, size_t slot, bool ready) {
    tel__http_connection* c = l->connections[slot];
    bool alive = true;
    if (ready && c->phase != TEL__HTTP_WRITING) { alive = tel__http_connection_read(l, c); }
    if (ready && alive && c->phase == TEL__HTTP_WRITING) { alive = tel__http_connection_write(l, c); }
    if (alive && tel__clock_mono_ns() < c->until_ns) { return; }
    if (alive && c->phase == TEL__HTTP_READING && c->size > 0) {
        tel__http_connection_refuse(c, 408, false);
        if (tel__http_connection_write(l, c)) { return; }
    }
    tel__http_connection_drop(l, slot, false);
}

/* Out of descriptors or memory the thread rests, so that it cannot spin. */
TEL__COLD void tel__http_listener_admit(tel__http_listener* l) {
    tel__http_connection* c = l->connections[l->place];
    tel__http_socket s;
    if (c && c->phase == TEL__HTTP_WRITING) { return; }         /* it has asked meanwhile */
    s = tel__http_socket_prepare(accept(l->socket, NULL, NULL));
    if (s != TEL__HTTP_NO_SOCKET) {
        tel__http_connection_drop(l, l->place, false);
        c = (tel__http_connection*)tel__memory_alloc(l->memory, sizeof *c);
        if (c) {
            c->socket = s;
            c->body = tel__text_heap(l->memory);
            tel__http_connection_phase(c, TEL__HTTP_READING, TEL__HTTP_READ_MS);
            l->connections[l->place] = c;
            return;
        }
        TEL__HTTP_CLOSE(s);
    }
    tel__thread_sleep_ns((uint64_t)TEL__HTTP_SLICE_MS * 1000000u);
}

/* Fills the set for poll, without empty items (it may have no more than the process may have descriptors): the
   connections in order, and the listening socket if a newcomer can have a place. That is a free one, or that
   of the peer that has been silent or slow in asking for longest. Everybody keeps a place for a moment in
   which to ask, and for the answer; until then newcomers wait in the system's queue. Thus a flood of silent
   peers cannot push out the one that speaks at once. The answer: how many milliseconds to wait. */
TEL__COLD int tel__http_listener_prepare(tel__http_listener* l, struct pollfd* items, size_t* count) {
    uint64_t now = tel__clock_mono_ns(), vacant = UINT64_MAX, first = now + (uint64_t)TEL__HTTP_LOOK_MS * 1000000u;
    uint64_t slack = (uint64_t)(TEL__HTTP_READ_MS - TEL__HTTP_GRACE_MS) * 1000000u;
    size_t i;
    for (i = *count = 0; i < TEL__HTTP_CONNECTIONS; i++) {
        const tel__http_connection* c = l->connections[i];
        uint64_t from = !c ? 0 : c->phase == TEL__HTTP_READING ? c->until_ns - slack : c->until_ns;
        if (from < vacant) {
            vacant = from;
            l->place = i;
        }
        if (!c) { continue; }
        tel__http_poll_add(items, count, c->socket, c->phase == TEL__HTTP_WRITING ? POLLOUT : POLLIN);
        if (c->until_ns < first) { first = c->until_ns; }
    }
    if (now >= vacant) { tel__http_poll_add(items, count, l->socket, POLLIN); }
    else if (vacant < first) { first = vacant; }
    return first > now ? (int)((first - now) / 1000000u) + 1 : 0;
}

TEL__COLD void tel__http_listener_run(void* arg) {
    tel__http_listener* l = (tel__http_listener*)arg;
    struct pollfd items[1 + TEL__HTTP_CONNECTIONS];
    size_t i, at, count;
    while (tel__atomic_load_acquire_u32(&l->stop) == 0) {
        int timeout = tel__http_listener_prepare(l, items, &count);
        (void)tel__http_socket_poll(items, count, timeout);
        for (i = at = 0; i < TEL__HTTP_CONNECTIONS; i++) {
            if (l->connections[i]) { tel__http_connection_serve(l, i, items[at++].revents != 0); }
        }
        if (at < count && (items[at].revents & POLLIN)) { tel__http_listener_admit(l); }
    }
    for (i = 0; i < TEL__HTTP_CONNECTIONS; i++) { tel__http_connection_drop(l, i, false); }
}

TEL__COLD uint16_t tel__http_listener_port(const tel__http_listener* l) { return l->port; }

TEL__COLD void tel__http_listener_free(tel__http_listener* l) {
    if (l->socket != TEL__HTTP_NO_SOCKET) { TEL__HTTP_CLOSE(l->socket); }
    tel__memory_free(l->memory, l, sizeof *l);
}

/* Waits for a handler that is running and for nothing else: unfinished answers are cut off. */
TEL__COLD void tel__http_listener_close(tel__http_listener* l) {
    tel__atomic_store_release_u32(&l->stop, 1);
    shutdown(l->socket, TEL__HTTP_SHUT_BOTH);       /* Linux wakes the thread for it; others let it look up */
    tel__thread_join(&l->thread);
    tel__http_listener_free(l);
}

/* For the child of a fork, where the thread does not exist: lets go of descriptors and memory. */
TEL__COLD void tel__http_listener_forget(tel__http_listener* l) {
    size_t i;
    for (i = 0; i < TEL__HTTP_CONNECTIONS; i++) { tel__http_connection_drop(l, i, true); }
    tel__http_listener_free(l);
}

/* Listens on the first address of the host (an address, "localhost" or a name) that can be bound, without
   SO_REUSEPORT, which would let two programs share it, and answers with what the handler writes. Port 0: any
   free one, see tel__http_listener_port. TEL_ERR_IO: the address cannot be had (port taken, not ours, not
   allowed); TEL_ERR_MEMORY: no memory or no thread. */
TEL__COLD tel_result tel__http_listen(tel__memory* m, const char* host, uint16_t port, tel__http_handler handler,
                                    void* user_data, tel__http_listener** out) {
    tel__http_address list[TEL__HTTP_ADDRESSES];
    size_t i, count = tel__http_resolve(host, port, list, TEL__HTTP_ADDRESSES);
    tel__http_listener* l = (tel__http_listener*)tel__memory_alloc(m, sizeof *l);
    tel_result r = TEL_ERR_IO;
    struct sockaddr_in v4;                      /* the port has the same place in both families */
    int on = 1;
    bool taken = false;
    *out = NULL;
    if (!l) { return TEL_ERR_MEMORY; }
    l->memory = m;
    l->handler = handler;
    l->user_data = user_data;
    l->socket = TEL__HTTP_NO_SOCKET;
    for (i = 0; i < count && r == TEL_ERR_IO && !taken; i++) {
        void* where = &list[i].where;
        if (l->socket != TEL__HTTP_NO_SOCKET) { TEL__HTTP_CLOSE(l->socket); }
        l->socket = tel__http_socket_prepare(socket(list[i].where.ss_family, TEL__HTTP_STREAM, 0));
        setsockopt(l->socket, SOL_SOCKET, TEL__HTTP_OWN_PORT, (const char*)&on, sizeof on);
        if (bind(l->socket, (struct sockaddr*)where, list[i].size) == 0 && listen(l->socket, 64) == 0
            && getsockname(l->socket, (struct sockaddr*)where, &list[i].size) == 0) {
            memcpy(&v4, where, sizeof v4);
            l->port = ntohs(v4.sin_port);
            r = tel__thread_start(&l->thread, tel__http_listener_run, l) ? TEL_OK : TEL_ERR_MEMORY;
        } else {
            taken = TEL__HTTP_PORT_TAKEN();     /* the other family's port would not be the one asked for */
        }
    }
    if (r != TEL_OK) { tel__http_listener_free(l); }
    else { *out = l; }
    return r;
}

#endif
/* ==== R19 >>sinks =====================================================================================
   The built-in destinations: OTLP over HTTP, the Prometheus endpoint, JSON lines, console, memory.

   Uses      R06-R08, R11, R15-R18.            Used by   R21, R22.
   Threads   export: whoever works in the pipeline. OTLP send: its worker. Scrape: the listener's thread.
   Holds     a sink object is made by open and freed by close; what open was given (URLs, header lines) is
             copied. An OTLP sink counts every item it accepted as queued, delivered or dropped.
   Tests     tests/rooms/sinks.c   fuzz: none   bench: otlp.encode, prometheus.render
*/

/* ---- OTLP ---- */

#define TEL__SINK_BODY ((size_t)4 << 20)        /* a larger body is split: the Collector takes 20 MiB */
#define TEL__SINK_GZIP_LINE "Content-Encoding: gzip\r\n"

typedef struct tel__sink_target {       /* of one signal; index of tel_stats */
    char*    url;
    char*    headers;                   /* behind it; the first line, Content-Encoding, is for what is packed */
    size_t   size;                      /* of both */
    bool     gzip;
} tel__sink_target;

typedef struct tel__sink_otlp {
    tel__pipeline_delivery delivery;    /* first: the worker and most callbacks get this */
    tel__diag*       diag;
    tel__sink_target targets[3];
    tel__atomic_u32  most[3];           /* items per body; halved by a 413 */
    uint64_t         round;             /* deadline_unix_ns of the collection whose beginning was taken last */
    int            (*post_fn)(const char* url, const char* headers, const void* body, size_t size,
                              uint32_t timeout_ms, void* user_data);
    void*            post_user_data;
#if !TEL_NO_HTTP
    tel__http_client client;
#endif
#if TEL__CURL
    CURL*            curl;
#endif
} tel__sink_otlp;

static const char tel__sink_nouns[3][16] = { "metric points", "spans", "log records" };

/* Reads an answer as the specification wants it (OTLP specification, "Failures"); result is of the transport. A final
   status is the receiver's word, also when the rest of its answer is lost: what it took must not come twice. */
TEL__COLD tel__pipeline_sent tel__sink_judge(tel__sink_otlp* o, const tel__pipeline_payload* payload,
                                             tel_result result, const tel__http_response* a) {
    const tel__sink_target* target = &o->targets[payload->signal];
    tel__pipeline_sent sent = { result, a->retry_after_ms, 0 };
    char message[256];
    int64_t rejected = 0;
    if (result != TEL_OK && (a->status < 200 || (result != TEL_ERR_IO && result != TEL_ERR_TIMEOUT))) {
        if (tel__atomic_load_u32(&o->delivery.stop)) { return sent; }
        tel__diag_report(o->diag, TEL__DIAG_SEND, "%s: %s (is a collector listening there?)", target->url,
                         tel__diag_result(result));
        return sent;
    }
    message[0] = 0;
    tel__otlp_read_response(a->body, a->body_size, &rejected, message, sizeof message);
    if (a->status >= 200 && a->status < 300) {
        sent.result = TEL_OK;
        sent.rejected = rejected > 0 ? (uint64_t)rejected : 0;
        if (sent.rejected) {
            tel__diag_report(o->diag, TEL__DIAG_REJECTED, "%s: %llu %s: %s", target->url,
                             (unsigned long long)sent.rejected,
                             tel__sink_nouns[payload->signal], message);
        } else if (message[0]) {
            tel__diag_report(o->diag, TEL__DIAG_RECEIVER, "%s: %s", target->url, message);
        }
        return sent;
    }
    tel__diag_report(o->diag, TEL__DIAG_SEND, "%s answered %d %s", target->url, a->status, message);
    if (!a->too_large && (a->status == 429 || a->status == 502 || a->status == 503 || a->status == 504)) {
        sent.result = TEL_ERR_IO;
        return sent;
    }
    sent.result = TEL_ERR_FORMAT;
    if (a->status == 413) {
        uint32_t most = payload->items > 1 ? (uint32_t)(payload->items / 2) : 1;
        if (most < tel__atomic_load_u32(&o->most[payload->signal])) {
            tel__atomic_store_u32(&o->most[payload->signal], most);
        }
    }
    return sent;
}

#if TEL__ZLIB
/* Puts its gzip in the place of what was allocated; false: no memory, or it would not be smaller. */
TEL__COLD bool tel__sink_gzip(tel__memory* memory, char** data, size_t* size, size_t* capacity) {
    z_stream z;
    size_t room = *size;
    char* out;
    int r;
    memset(&z, 0, sizeof z);
    if (room < 128 || room > 0x7fffffffu || deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return false;
    }
    out = (char*)tel__memory_alloc_raw(memory, room);
    z.next_in = (Bytef*)*data;
    z.next_out = (Bytef*)out;
    z.avail_in = z.avail_out = (uInt)room;
    r = out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
    deflateEnd(&z);
    if (r != Z_STREAM_END) {
        tel__memory_free(memory, out, room);
        return false;
    }
    tel__memory_free(memory, *data, *capacity);
    *data = out;
    *size = (size_t)z.total_out;
    *capacity = room;
    return true;
}
#endif

#if TEL__CURL

TEL__COLD size_t tel__sink_curl_write(char* data, size_t one, size_t n, void* user_data) {
    tel__http_response* a = (tel__http_response*)user_data;
    (void)one;
    tel__http_response_add(a, data, n);
    return a->total > TEL__HTTP_BODY_MAX ? 0 : n;
}

TEL__COLD int tel__sink_curl_progress(void* user_data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)a; (void)b; (void)c; (void)d;
    return tel__atomic_load_u32(&((tel__sink_otlp*)user_data)->delivery.stop) != 0;
}

TEL__COLD struct curl_slist* tel__sink_curl_headers(tel_text lines) {
    struct curl_slist* list = curl_slist_append(NULL, "Expect:");
    tel_text rest = lines, line;
    char text[8192];
    size_t n;
    while (rest.size && tel__text_split(&rest, '\n', &line)) {
        struct curl_slist* more;
        if (line.size < 2 || line.size >= sizeof text) { continue; }
        memcpy(text, line.data, line.size - 1);
        text[line.size - 1] = 0;
        n = strcspn(text, ":") + 1;                     /* a header without a value is "Name;" for curl */
        if (n < line.size && text[n + strspn(text + n, " ")] == 0) { text[n - 1] = ';'; text[n] = 0; }
        more = curl_slist_append(list, text);
        if (more) { list = more; }
    }
    return list;
}

TEL__COLD tel_result tel__sink_curl_post(tel__sink_otlp* o, const tel__pipeline_payload* payload, tel_text headers,
                                         uint64_t deadline, tel__http_response* a) {
    struct curl_slist* list;
    long status = 0;
    curl_off_t after = 0;
    uint32_t left = tel__clock_left_ms(deadline);
    CURLcode code;
    if (!o->curl) { o->curl = curl_easy_init(); }
    if (!o->curl) { return TEL_ERR_MEMORY; }
    curl_easy_reset(o->curl);
    list = tel__sink_curl_headers(headers);
    curl_easy_setopt(o->curl, CURLOPT_URL, o->targets[payload->signal].url);
    curl_easy_setopt(o->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(o->curl, CURLOPT_POSTFIELDS, payload->data);
    curl_easy_setopt(o->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)payload->size);
    curl_easy_setopt(o->curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(o->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(o->curl, CURLOPT_WRITEFUNCTION, tel__sink_curl_write);
    curl_easy_setopt(o->curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(o->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(o->curl, CURLOPT_XFERINFOFUNCTION, tel__sink_curl_progress);
    curl_easy_setopt(o->curl, CURLOPT_XFERINFODATA, o);
    if (left != UINT32_MAX) { curl_easy_setopt(o->curl, CURLOPT_TIMEOUT_MS, (long)(left ? left : 1)); }
    code = curl_easy_perform(o->curl);
    curl_slist_free_all(list);
    curl_easy_getinfo(o->curl, CURLINFO_RESPONSE_CODE, &status);
    a->status = (int)status;
    if (curl_easy_getinfo(o->curl, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0) {
        a->retry_after_ms = (uint64_t)after * 1000u;
    }
    return code == CURLE_OK ? TEL_OK : code == CURLE_OPERATION_TIMEDOUT ? TEL_ERR_TIMEOUT
         : code == CURLE_WRITE_ERROR ? TEL_ERR_FORMAT : TEL_ERR_IO;
}

#endif

/* One attempt, over whatever transport there is. */
TEL__COLD tel__pipeline_sent tel__sink_send(tel__pipeline_delivery* d, tel__pipeline_payload* payload,
                                          uint64_t deadline) {
    tel__sink_otlp* o = (tel__sink_otlp*)d;
    tel__sink_target* target = &o->targets[payload->signal];
    tel_text headers = tel__text_of(target->headers);
    tel_result r = TEL_ERR_ARGUMENT;
    tel__http_response a;
    tel__http_response_reset(&a);
#if TEL__ZLIB
    if (target->gzip && !payload->packed) {     /* what cannot be compressed goes as it is */
        payload->packed = tel__sink_gzip(o->delivery.memory, &payload->data, &payload->size, &payload->capacity);
    }
#endif
    if (!payload->packed) { headers = tel__http_rest(headers, sizeof TEL__SINK_GZIP_LINE - 1); }
    if (o->post_fn) {
        uint32_t left = tel__clock_left_ms(deadline);
        a.status = o->post_fn(target->url, headers.data, payload->data, payload->size, left, o->post_user_data);
        return tel__sink_judge(o, payload, a.status < 0 ? TEL_ERR_IO : TEL_OK, &a);
    }
#if TEL__CURL
    r = tel__sink_curl_post(o, payload, headers, deadline, &a);
#elif !TEL_NO_HTTP
    {
        tel__http_url url;
        r = tel__http_url_parse(tel__text_of(target->url), &url);
        if (r == TEL_OK) {
            r = tel__http_post(&o->client, &url, headers, payload->data, payload->size, deadline, &d->stop, &a);
        }
    }
#endif
    return tel__sink_judge(o, payload, r, &a);
}

TEL__COLD size_t tel__sink_count(const tel_batch* b, int signal) {
    return signal == 0 ? b->metric_count : signal == 1 ? b->span_count : b->log_count;
}

/* Items [from, from + count) of one signal; what the batch has of the others is not looked at. */
TEL__COLD tel_batch tel__sink_part(const tel_batch* batch, int signal, size_t from, size_t count, uint64_t* items) {
    tel_batch part = *batch;
    size_t i;
    *items = count;
    if (signal == 1) { part.spans += from; part.span_count = count; }
    else if (signal == 2) { part.logs += from; part.log_count = count; }
    else {
        part.metrics += from;
        part.metric_count = count;
        for (*items = 0, i = 0; i < count; i++) { *items += part.metrics[i].point_count; }
    }
    return part;
}

/* A body was built by doubling; what waits in a queue takes no more room than it must. */
TEL__COLD void tel__sink_fit(tel__memory* memory, tel__pipeline_payload* payload) {
    char* data = (char*)tel__memory_alloc_raw(memory, payload->size);
    if (!data) { return; }
    memcpy(data, payload->data, payload->size);
    tel__memory_free(memory, payload->data, payload->capacity);
    payload->data = data;
    payload->capacity = payload->size;
}

/* Encodes such a part and queues it. One over the limit, of bytes or of items, goes in two halves; of a single metric
   the points are halved. What finds no memory is counted as dropped. */
TEL__COLD void tel__sink_push(tel__sink_otlp* o, const tel_batch* batch, int signal, size_t from, size_t count) {
    uint64_t items;
    tel_batch part = tel__sink_part(batch, signal, from, count, &items);
    tel__text_out out = tel__text_heap(o->delivery.memory);
    tel__pipeline_payload* payload = NULL;
    bool many = items > tel__atomic_load_u32(&o->most[signal]);
    tel_result r = many ? TEL_ERR_LIMIT : tel__otlp_encode(&part, (tel_signal)(TEL_METRICS << signal), &out);
    if (items > 1 && (many || out.size > TEL__SINK_BODY)) {
        tel__text_heap_free(&out);
        if (count > 1) {
            tel__sink_push(o, batch, signal, from, count / 2);
            tel__sink_push(o, batch, signal, from + count / 2, count - count / 2);
        } else {
            tel_metric_view half = part.metrics[0];
            part.metrics = &half;
            half.point_count = (size_t)items / 2;
            tel__sink_push(o, &part, signal, 0, 1);
            half.points += half.point_count;
            half.point_count = (size_t)items - half.point_count;
            tel__sink_push(o, &part, signal, 0, 1);
        }
        return;
    }
    if (r == TEL_OK) { payload = (tel__pipeline_payload*)tel__memory_alloc(o->delivery.memory, sizeof *payload); }
    if (!payload) {
        tel__text_heap_free(&out);
        tel__diag_report(o->diag, TEL__DIAG_MEMORY, "%s", o->targets[signal].url);
        tel__pipeline_delivery_lose(&o->delivery, signal, items);
        return;
    }
    payload->signal = signal;
    payload->items = items;
    payload->data = out.data;
    payload->size = out.size;
    payload->capacity = out.capacity;
    tel__sink_fit(o->delivery.memory, payload);
    tel__pipeline_delivery_push(&o->delivery, payload);
}

/* A full queue takes nothing (spans and logs are offered again); else all of it is ours to account for. A collection
   of metrics comes quicker than it can be sent: begun, it goes in whole, or the same series were lost every time. */
TEL__COLD tel_result tel__sink_otlp_export(const tel_batch* batch, void* user_data) {
    tel__sink_otlp* o = (tel__sink_otlp*)user_data;
    bool goes_on;
    int signal;
    if (!o) { return TEL_ERR_STATE; }
    if (o->delivery.no_thread && batch->deadline_unix_ns) {
        uint64_t now = tel__clock_unix_ns();
        uint64_t left = batch->deadline_unix_ns > now ? batch->deadline_unix_ns - now : 0;
        o->delivery.until = tel__clock_mono_ns() + left;
    }
    goes_on = batch->metric_count && batch->deadline_unix_ns && batch->deadline_unix_ns == o->round;
    if (!goes_on && !tel__pipeline_delivery_room(&o->delivery)) { return TEL_ERR_TIMEOUT; }
    if (batch->metric_count) { o->round = batch->deadline_unix_ns; }
    for (signal = 0; signal < 3; signal++) {
        size_t count = tel__sink_count(batch, signal);
        if (count) { tel__sink_push(o, batch, signal, 0, count); }
    }
    return TEL_OK;
}

TEL__COLD void tel__sink_otlp_fork(void* user_data) {
    tel__sink_otlp* o = (tel__sink_otlp*)user_data;
    tel__pipeline_delivery_fork(&o->delivery);
#if !TEL_NO_HTTP
    tel__http_client_forget(&o->client);
#endif
#if TEL__CURL
    o->curl = NULL;
#endif
}

TEL__COLD void tel__sink_otlp_free(tel__pipeline_delivery* d) {
    tel__sink_otlp* o = (tel__sink_otlp*)d;
    int i;
    for (i = 0; i < 3; i++) { tel__memory_free(d->memory, o->targets[i].url, o->targets[i].size); }
#if !TEL_NO_HTTP
    tel__http_client_close(&o->client);
#endif
#if TEL__CURL
    if (o->curl) { curl_easy_cleanup(o->curl); }
#endif
    tel__pipeline_delivery_free(d);
    tel__memory_free(d->memory, o, sizeof *o);
}

/* How to reach the receiver of one signal; headers are complete lines of the user's, whose User-Agent, if there is one,
   takes the place of ours: twice it must not stand (RFC 9110 5.3). */
TEL__COLD bool tel__sink_otlp_target(tel__sink_otlp* o, int signal, const char* url, const char* headers,
                                   uint32_t timeout_ms, bool gzip) {
    static const char ours[] = TEL__SINK_GZIP_LINE "Content-Type: application/json\r\n";
    const char* agent = "User-Agent: OTel-OTLP-Exporter-C/" TEL_VERSION_STRING "\r\n";
    tel__sink_target* target = &o->targets[signal];
    tel_text rest = tel__text_of(headers), line;
    size_t url_size = strlen(url) + 1, headers_size;
    while (tel__text_split(&rest, '\n', &line)) {
        if (line.size > 11 && tel__http_is(tel__http_slice(line.data, 11), "User-Agent:")) { agent = ""; }
    }
    headers_size = sizeof ours + strlen(agent) + strlen(headers);
    target->size = url_size + headers_size;
    target->url = (char*)tel__memory_alloc_raw(o->delivery.memory, target->size);
    if (!target->url) { return false; }
    target->headers = target->url + url_size;
    memcpy(target->url, url, url_size);
    snprintf(target->headers, headers_size, "%s%s%s", ours, agent, headers);
    target->gzip = gzip;
    o->delivery.timeout_ms[signal] = timeout_ms;
    return true;
}

/* An OTLP sink without targets yet; the caller gives it three, or frees it. */
TEL__COLD tel__sink_otlp* tel__sink_otlp_make(tel__memory* memory, tel__diag* diag, const tel_otlp_desc* desc,
                                            bool no_thread) {
    tel__sink_otlp* o = (tel__sink_otlp*)tel__memory_alloc(memory, sizeof *o);
    int i;
    if (!o) { return NULL; }
    o->diag = diag;
    o->delivery.memory = memory;
    o->delivery.max_bytes = desc && desc->queue_bytes ? desc->queue_bytes : (size_t)8 << 20;
    o->delivery.no_thread = no_thread;
    o->delivery.send_fn = tel__sink_send;
    o->delivery.free_fn = tel__sink_otlp_free;
    if (desc) { o->post_fn = desc->post_fn; o->post_user_data = desc->user_data; }
    for (i = 0; i < 3; i++) { tel__atomic_store_u32(&o->most[i], UINT32_MAX); }
    tel__pipeline_delivery_init(&o->delivery);
    return o;
}

/* ---- Prometheus ---- */

/* Where a renderer finds the metrics of an instance. */
typedef struct tel__sink_source {
    tel__metrics*    metrics;
    tel__memory*     memory;
    tel__diag*       diag;
    const tel_attrs* resource;
    tel__atomic_u64  page;              /* bytes of the last page: the next one finds its room at once */
} tel__sink_source;

TEL__COLD tel_result tel__sink_render_batch(const tel_batch* batch, void* user_data) {
    tel__prometheus_batch((tel__prometheus_render*)user_data, batch);
    return TEL_OK;
}

TEL__COLD tel_result tel__sink_render(tel__sink_source* source, tel__text_out* out) {
    tel__prometheus_render render;
    tel_batch frame;
    tel_result r;
    memset(&frame, 0, sizeof frame);
    frame.resource = *source->resource;
    frame.deadline_unix_ns = UINT64_MAX;
    if (out->more_fn) { out->more_fn(out, (size_t)tel__atomic_load_u64(&source->page)); }
    tel__prometheus_begin(&render, out, source->memory, source->diag);
    r = tel__metric_collect(source->metrics, &frame, UINT64_MAX, tel__sink_render_batch, &render);
    tel__prometheus_end(&render);
    tel__atomic_store_u64(&source->page, out->size + out->lost);
    return r == TEL_OK && out->lost ? TEL_ERR_MEMORY : r;
}

#if !TEL_NO_HTTP

typedef struct tel__sink_prometheus {
    tel__sink_source     source;
    tel__http_listener*  listener;
} tel__sink_prometheus;

#if TEL__ZLIB
TEL__COLD bool tel__sink_accepts_gzip(tel_text accept) {
    tel_text item;
    while (accept.data && tel__text_split(&accept, ',', &item)) {
        tel_text name, quality = tel__text_trim(item);
        double q = 1;
        if (!tel__text_split(&quality, ';', &name)) { continue; }
        if (!tel__text_equal_nocase(tel__text_trim(name), tel__text_of("gzip"))) { continue; }
        quality = tel__text_trim(quality.data ? quality : tel__text_of(""));
        if (quality.size > 2 && (quality.data[0] == 'q' || quality.data[0] == 'Q') && quality.data[1] == '=') {
            quality.data += 2;
            quality.size -= 2;
            if (tel__text_parse_double(quality, &q) != TEL_OK) { q = 0; }
        }
        return q > 0;
    }
    return false;
}
#endif

TEL__COLD void tel__sink_scrape(const tel__http_request* request, tel__http_reply* reply, void* user_data) {
    tel__sink_prometheus* s = (tel__sink_prometheus*)user_data;
    tel__text_out* body = &reply->body;
    if (tel__text_equal(request->path, tel__text_of("/"))) {
        reply->content_type = "text/html; charset=utf-8";
        tel__text_put_cstr(body, "<html><body><a href=\"/metrics\">metrics</a></body></html>\n");
    } else if (!tel__text_equal(request->path, tel__text_of("/metrics"))) {
        reply->status = 404;
        tel__text_put_cstr(body, "not found, try /metrics\n");
    } else if (tel__sink_render(&s->source, body) != TEL_OK) {
        tel__text_heap_free(body);
        reply->status = 500;
        tel__text_put_cstr(body, "out of memory (tel_desc.memory_limit)\n");
    } else {
        reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
#if TEL__ZLIB
        if (tel__sink_accepts_gzip(request->accept_encoding)
            && tel__sink_gzip(s->source.memory, &body->data, &body->size, &body->capacity)) {
            reply->extra_headers = "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n";
        }
#endif
    }
}

TEL__COLD tel_result tel__sink_prometheus_open(tel_sink* self, const tel__sink_source* source, const char* host,
                                             uint16_t port) {
    tel__sink_prometheus* s = (tel__sink_prometheus*)tel__memory_alloc(source->memory, sizeof *s);
    tel_result r;
    if (!s) { return TEL_ERR_MEMORY; }
    s->source = *source;
    r = tel__http_listen(source->memory, host, port, tel__sink_scrape, s, &s->listener);
    if (r != TEL_OK) {
        tel__diag_report(source->diag, TEL__DIAG_LISTEN, "%s:%u: %s", host, (unsigned)port, tel__diag_result(r));
        tel__memory_free(source->memory, s, sizeof *s);
        return r;
    }
    self->user_data = s;
    return TEL_OK;
}

TEL__COLD void tel__sink_prometheus_close(void* user_data) {
    tel__sink_prometheus* s = (tel__sink_prometheus*)user_data;
    if (s->listener) { tel__http_listener_close(s->listener); }
    tel__memory_free(s->source.memory, s, sizeof *s);
}

TEL__COLD void tel__sink_prometheus_fork(void* user_data) {
    tel__sink_prometheus* s = (tel__sink_prometheus*)user_data;
    if (s->listener) { tel__http_listener_forget(s->listener); }
    s->listener = NULL;
}

#endif

/* A scrape sink has nothing pushed to it. */
TEL__COLD tel_result tel__sink_prometheus_export(const tel_batch* batch, void* user_data) {
    (void)batch; (void)user_data;
    return TEL_OK;
}

/* ---- bytes to a writer ---- */

TEL__COLD bool tel__sink_write_stdout(const void* data, size_t size, void* user_data) {
    (void)user_data;
    return fwrite(data, 1, size, stdout) == size && fflush(stdout) == 0;
}

typedef struct tel__sink_text {         /* JSON lines and console */
    tel__memory*  memory;
    tel_writer    writer;
    tel__text_out out;
} tel__sink_text;

TEL__COLD tel_result tel__sink_text_open(tel_sink* self, tel__memory* memory) {
    const tel_writer* w = (const tel_writer*)self->config;
    tel__sink_text* t = (tel__sink_text*)tel__memory_alloc(memory, sizeof *t);
    if (!t) { return TEL_ERR_MEMORY; }
    t->memory = memory;
    if (w && w->write) { t->writer = *w; } else { t->writer.write = tel__sink_write_stdout; }
    t->out = tel__text_heap(memory);
    self->user_data = t;
    return TEL_OK;
}

TEL__COLD void tel__sink_text_close(void* user_data) {
    tel__sink_text* t = (tel__sink_text*)user_data;
    tel__text_heap_free(&t->out);
    tel__memory_free(t->memory, t, sizeof *t);
}

/* Hands over what was built in one call and starts anew. */
TEL__COLD tel_result tel__sink_text_write(tel__sink_text* t) {
    tel_result r = t->out.lost ? TEL_ERR_MEMORY : TEL_OK;
    if (r == TEL_OK && t->out.size && !t->writer.write(t->out.data, t->out.size, t->writer.user_data)) {
        r = TEL_ERR_STATE;
    }
    t->out.size = t->out.lost = 0;
    return r;
}

/* One line per signal present (OTLP File Exporter). */
TEL__COLD tel_result tel__sink_jsonl_export(const tel_batch* batch, void* user_data) {
    tel__sink_text* t = (tel__sink_text*)user_data;
    int i;
    if (!t) { return TEL_ERR_STATE; }
    for (i = 0; i < 3; i++) {
        if (!tel__sink_count(batch, i)) { continue; }
        tel__otlp_encode(batch, (tel_signal)(TEL_METRICS << i), &t->out);
        tel__text_put_char(&t->out, '\n');
    }
    return tel__sink_text_write(t);
}

/* ---- console: for humans ---- */

TEL__COLD void tel__sink_put_clean(tel__text_out* o, tel_text t) {
    size_t i, from = 0;
    for (i = 0; i < t.size; i++) {
        unsigned char c = (unsigned char)t.data[i], d = (unsigned char)(i + 1 < t.size ? t.data[i + 1] : 0);
        size_t n = c < 0x20 || c == 0x7f ? 1 : c == 0xc2 && d >= 0x80 && d < 0xa0 ? 2 : 0;
        if (!n) { continue; }               /* no control character reaches a terminal, U+0080 to U+009F neither */
        tel__text_put_utf8(o, t.data + from, i - from);
        tel__text_put_char(o, '?');
        from = i + n;
        i += n - 1;
    }
    tel__text_put_utf8(o, t.data + from, t.size - from);
}

TEL__COLD void tel__sink_put_attr(tel__text_out* o, const tel_attr* a) {
    tel__sink_put_clean(o, tel__http_slice(a->key, tel__attr_key_size(a)));
    tel__text_put_char(o, '=');
    if (a->type == TEL_TYPE_STRING) { tel__sink_put_clean(o, tel__attr_string(a)); }
    else { tel__prometheus_value(o, a); }
}

TEL__COLD void tel__sink_put_attrs(tel__text_out* o, tel_attrs attrs, const char* before, const char* between) {
    size_t i;
    for (i = 0; i < attrs.count; i++) {
        tel__text_put_cstr(o, i ? between : before);
        tel__sink_put_attr(o, &attrs.items[i]);
    }
}

TEL__COLD void tel__sink_put_ids(tel__text_out* o, const tel_context* c) {
    if (!tel__span_valid(c)) { return; }
    tel__text_put_cstr(o, " trace=");
    tel__text_put_hex(o, c->trace_id, 16);
    tel__text_put_cstr(o, " span=");
    tel__text_put_hex(o, c->span_id, 8);
}

TEL__COLD void tel__sink_console_span(tel__text_out* o, const tel_span_view* s) {
    static const char kinds[][12] = { "internal", "server", "client", "producer", "consumer" };
    size_t i;
    tel__text_put_cstr(o, "span    ");
    tel__sink_put_clean(o, s->name);
    tel__text_put_char(o, ' ');
    tel__text_put_double(o, (double)((s->end_unix_ns - s->start_unix_ns) / 1000) / 1000.0);
    tel__text_put_cstr(o, "ms ");
    tel__text_put_cstr(o, kinds[(unsigned)s->kind < 5 ? s->kind : 0]);
    if (s->status != TEL_STATUS_UNSET) { tel__text_put_cstr(o, s->status == TEL_STATUS_OK ? " ok" : " error"); }
    if (s->status_message.size) { tel__text_put_char(o, ':'); tel__sink_put_clean(o, s->status_message); }
    tel__sink_put_attrs(o, s->attrs, " ", " ");
    tel__sink_put_ids(o, &s->context);
    if (memcmp(s->parent_span_id, "\0\0\0\0\0\0\0", 8) != 0) {
        tel__text_put_cstr(o, " parent=");
        tel__text_put_hex(o, s->parent_span_id, 8);
    }
    tel__text_put_char(o, '\n');
    for (i = 0; i < s->event_count; i++) {
        tel__text_put_cstr(o, "  event ");
        tel__sink_put_clean(o, s->events[i].name);
        tel__sink_put_attrs(o, s->events[i].attrs, " ", " ");
        tel__text_put_char(o, '\n');
    }
}

TEL__COLD void tel__sink_console_log(tel__text_out* o, const tel_log_view* l) {
    static const char names[][8] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };
    tel__text_put_cstr(o, "log     ");
    tel__text_put_cstr(o, l->severity >= 1 && l->severity <= 24 ? names[((int)l->severity - 1) / 4] : "-");
    if (l->event_name.data) { tel__text_put_cstr(o, " event="); tel__sink_put_clean(o, l->event_name); }
    if (l->body.data) { tel__text_put_char(o, ' '); tel__sink_put_clean(o, l->body); }
    tel__sink_put_attrs(o, l->attrs, " ", " ");
    tel__sink_put_ids(o, &l->context);
    tel__text_put_char(o, '\n');
}

TEL__COLD void tel__sink_console_point(tel__text_out* o, const tel_metric_view* m, const tel_point* p) {
    tel__text_put_cstr(o, "metric  ");
    tel__sink_put_clean(o, m->name);
    tel__sink_put_attrs(o, p->attrs, "{", ",");
    if (p->attrs.count) { tel__text_put_char(o, '}'); }
    tel__text_put_char(o, ' ');
    if (m->kind == TEL_HISTOGRAM) {
        tel__text_put_cstr(o, "count=");
        tel__text_put_u64(o, p->count);
        tel__text_put_cstr(o, " sum=");
        tel__text_put_double(o, p->d);
        if (p->count) {
            tel__text_put_cstr(o, " min=");
            tel__text_put_double(o, p->min);
            tel__text_put_cstr(o, " max=");
            tel__text_put_double(o, p->max);
        }
    } else if (m->integer) {
        tel__text_put_i64(o, p->i);
    } else {
        tel__text_put_double(o, p->d);
    }
    if (m->unit.size) { tel__text_put_char(o, ' '); tel__sink_put_clean(o, m->unit); }
    tel__text_put_char(o, '\n');
}

TEL__COLD tel_result tel__sink_console_export(const tel_batch* batch, void* user_data) {
    tel__sink_text* t = (tel__sink_text*)user_data;
    size_t i, j;
    if (!t) { return TEL_ERR_STATE; }
    for (i = 0; i < batch->span_count; i++) { tel__sink_console_span(&t->out, &batch->spans[i]); }
    for (i = 0; i < batch->log_count; i++) { tel__sink_console_log(&t->out, &batch->logs[i]); }
    for (i = 0; i < batch->metric_count; i++) {
        for (j = 0; j < batch->metrics[i].point_count; j++) {
            tel__sink_console_point(&t->out, &batch->metrics[i], &batch->metrics[i].points[j]);
        }
    }
    return tel__sink_text_write(t);
}

/* ---- memory: for tests ---- */

typedef struct tel__sink_list { void* items; size_t count, room; } tel__sink_list;

typedef struct tel__sink_store {
    tel__memory       memory;           /* of its own: it outlives the instance */
    tel__thread_mutex mutex;
    tel__memory_arena records, metrics;
    tel_attrs         resource;
    uint64_t          round;            /* deadline_unix_ns of the collection in metrics */
    tel__sink_list    spans, logs, views;
    bool              failed;
} tel__sink_store;

TEL__COLD void* tel__sink_store_take(tel__sink_store* s, tel__memory_arena* arena, const void* from, size_t size) {
    void* p = tel__memory_take(arena, size + 1);
    if (!p) { s->failed = true; return NULL; }
    if (size) { memcpy(p, from, size); }
    return p;
}

TEL__COLD tel_text tel__sink_store_text(tel__sink_store* s, tel__memory_arena* arena, tel_text t) {
    char* p = t.data ? (char*)tel__sink_store_take(s, arena, t.data, t.size) : NULL;
    if (p) { p[t.size] = 0; } else { t.size = 0; }
    t.data = p;
    return t;
}

TEL__COLD tel_attrs tel__sink_store_attrs(tel__sink_store* s, tel__memory_arena* arena, tel_attrs attrs) {
    tel_attr* items = (tel_attr*)tel__memory_take(arena, attrs.count * sizeof(tel_attr) + 1);
    char* text = (char*)tel__memory_take(arena, tel__attr_text_size(attrs.items, attrs.count) + 1);
    if (!items || !text) { s->failed = true; return tel__attrs(NULL, 0); }
    tel__attr_copy_list(attrs.items, attrs.count, items, text);
    return tel__attrs(items, attrs.count);
}

TEL__COLD const tel_scope_view* tel__sink_store_scope(tel__sink_store* s, tel__memory_arena* arena,
                                                    const tel_scope_view* from) {
    tel_scope_view* v = (tel_scope_view*)tel__sink_store_take(s, arena, from, sizeof *from);
    if (!v) { return from; }
    v->name = tel__sink_store_text(s, arena, from->name);
    v->version = tel__sink_store_text(s, arena, from->version);
    v->schema_url = tel__sink_store_text(s, arena, from->schema_url);
    v->attrs = tel__sink_store_attrs(s, arena, from->attrs);
    return v;
}

/* A copy of one more element, at the end of the list; NULL: no memory. Old arrays stay in the arena. */
TEL__COLD void* tel__sink_store_add(tel__sink_store* s, tel__memory_arena* arena, tel__sink_list* list,
                                    const void* from, size_t each) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        void* p = tel__memory_take(arena, room * each);
        if (!p) { s->failed = true; return NULL; }
        if (list->count) { memcpy(p, list->items, list->count * each); }
        list->items = p;
        list->room = room;
    }
    return memcpy((char*)list->items + list->count++ * each, from, each);
}

TEL__COLD void tel__sink_store_span(tel__sink_store* s, const tel_span_view* from) {
    tel__memory_arena* a = &s->records;
    tel_span_view* v = (tel_span_view*)tel__sink_store_add(s, a, &s->spans, from, sizeof *from);
    tel_event_view* events;
    tel_link* links;
    size_t i;
    if (!v) { return; }
    v->scope = tel__sink_store_scope(s, a, from->scope);
    v->name = tel__sink_store_text(s, a, from->name);
    v->status_message = tel__sink_store_text(s, a, from->status_message);
    v->attrs = tel__sink_store_attrs(s, a, from->attrs);
    events = (tel_event_view*)tel__sink_store_take(s, a, from->events, from->event_count * sizeof *events);
    links = (tel_link*)tel__sink_store_take(s, a, from->links, from->link_count * sizeof *links);
    for (i = 0; events && i < v->event_count; i++) {
        events[i].name = tel__sink_store_text(s, a, events[i].name);
        events[i].attrs = tel__sink_store_attrs(s, a, events[i].attrs);
    }
    for (i = 0; links && i < v->link_count; i++) { links[i].attrs = tel__sink_store_attrs(s, a, links[i].attrs); }
    v->events = events;
    v->links = links;
}

TEL__COLD void tel__sink_store_log(tel__sink_store* s, const tel_log_view* from) {
    tel__memory_arena* a = &s->records;
    tel_log_view* v = (tel_log_view*)tel__sink_store_add(s, a, &s->logs, from, sizeof *from);
    if (!v) { return; }
    v->scope = tel__sink_store_scope(s, a, from->scope);
    v->body = tel__sink_store_text(s, a, from->body);
    v->event_name = tel__sink_store_text(s, a, from->event_name);
    v->attrs = tel__sink_store_attrs(s, a, from->attrs);
}

TEL__COLD void tel__sink_store_metric(tel__sink_store* s, const tel_metric_view* from) {
    tel__memory_arena* a = &s->metrics;
    tel_metric_view* v = (tel_metric_view*)tel__sink_store_add(s, a, &s->views, from, sizeof *from);
    tel_point* points;
    size_t i;
    if (!v) { return; }
    v->scope = tel__sink_store_scope(s, a, from->scope);
    v->name = tel__sink_store_text(s, a, from->name);
    v->unit = tel__sink_store_text(s, a, from->unit);
    v->description = tel__sink_store_text(s, a, from->description);
    points = (tel_point*)tel__sink_store_take(s, a, from->points, from->point_count * sizeof *points);
    for (i = 0; points && i < v->point_count; i++) {
        size_t n = points[i].bound_count;
        points[i].attrs = tel__sink_store_attrs(s, a, points[i].attrs);
        points[i].tel__memo = NULL;
        if (!points[i].buckets) { continue; }
        points[i].bounds = (const double*)tel__sink_store_take(s, a, points[i].bounds, n * sizeof(double));
        points[i].buckets = (const uint64_t*)tel__sink_store_take(s, a, points[i].buckets, (n + 1) * sizeof(uint64_t));
    }
    v->points = points;
}

TEL__COLD tel_result tel__sink_memory_export(const tel_batch* batch, void* user_data) {
    tel__sink_store* s = user_data ? (tel__sink_store*)((tel_memory*)user_data)->tel__store : NULL;
    size_t i;
    if (!s) { return TEL_ERR_STATE; }
    tel__thread_mutex_lock(&s->mutex);
    s->failed = false;
    if (!s->resource.count) { s->resource = tel__sink_store_attrs(s, &s->records, batch->resource); }
    for (i = 0; i < batch->span_count; i++) { tel__sink_store_span(s, &batch->spans[i]); }
    for (i = 0; i < batch->log_count; i++) { tel__sink_store_log(s, &batch->logs[i]); }
    if (batch->metric_count && batch->deadline_unix_ns != s->round) {
        s->round = batch->deadline_unix_ns;
        s->views.count = s->views.room = 0;
        tel__memory_rewind(&s->metrics);
    }
    for (i = 0; i < batch->metric_count; i++) { tel__sink_store_metric(s, &batch->metrics[i]); }
    tel__thread_mutex_unlock(&s->mutex);
    return s->failed ? TEL_ERR_MEMORY : TEL_OK;
}

TEL__COLD tel_result tel__sink_memory_open(tel_sink* self, const tel_allocator* a) {
    tel_memory* handle = (tel_memory*)self->user_data;
    tel__memory memory;
    tel__sink_store* s;
    if (!handle) { return TEL_ERR_ARGUMENT; }
    if (handle->tel__store) { return TEL_OK; }
    tel__memory_init(&memory, a, (uint64_t)1 << 30);
    s = (tel__sink_store*)tel__memory_alloc(&memory, sizeof *s);
    if (!s) { return TEL_ERR_MEMORY; }
    s->memory = memory;
    s->records.memory = s->metrics.memory = &s->memory;
    tel__thread_mutex_init(&s->mutex);
    handle->tel__store = s;
    return TEL_OK;
}

TEL__COLD void tel__sink_memory_clear(tel_memory* handle) {
    tel__sink_store* s = (tel__sink_store*)handle->tel__store;
    tel__memory memory;
    if (!s) { return; }
    tel__memory_release(&s->records);
    tel__memory_release(&s->metrics);
    tel__thread_mutex_destroy(&s->mutex);
    memory = s->memory;
    tel__memory_free(&memory, s, sizeof *s);
    handle->tel__store = NULL;
}

TEL__COLD tel_batch tel__sink_memory_read(const tel_memory* handle) {
    const tel__sink_store* s = (const tel__sink_store*)handle->tel__store;
    tel_batch b;
    memset(&b, 0, sizeof b);
    if (!s) { return b; }
    b.resource = s->resource;
    b.spans = (const tel_span_view*)s->spans.items;
    b.span_count = s->spans.count;
    b.logs = (const tel_log_view*)s->logs.items;
    b.log_count = s->logs.count;
    b.metrics = (const tel_metric_view*)s->views.items;
    b.metric_count = s->views.count;
    return b;
}

/* ==== R20 >>config ====================================================================================
   Turns what the user said into plain values: the field set in code, then the environment variable, then
   the default. Everything below reads these structs; nobody else reads the environment. A variable that
   cannot be used is named in one diagnostic, with its text, and counts as unset; a field that cannot be
   used fails, because the author of the code is there to mend it.

   Uses      R01 platform, R05-R09, R15 pipeline (limits), R18 http (URLs).            Used by   R21.
   Threads   called from tel_init and, in the child of fork, from the one thread that is left.
   Holds     every text in a resolved struct is NUL-terminated and within its array; a timeout is never 0
             (TEL_FOREVER: none); batch <= queue; header lines hold no CR, LF or NUL but their ends;
             values of headers never reach a diagnostic: they are credentials.
   Tests     tests/rooms/config.c   fuzz: tests/fuzz/env_headers.c, tests/fuzz/resource_attributes.c   bench: none
*/

#define TEL__CONFIG_NEVER ((uint64_t)1 << 56)       /* a threshold that no 56-bit number reaches */

enum {
    TEL__CONFIG_URL_SIZE     = 1536,   /* more than scheme, host, port and path of R18 and v1/metrics */
    TEL__CONFIG_HEADERS_SIZE = 8192,
    TEL__CONFIG_ENV_LIMIT    = 32768,   /* a list variable longer than this is not looked at */
    TEL__CONFIG_ENV_PAIRS    = 256,     /* and neither is one with more pairs */
    TEL__CONFIG_DESC_ATTRS   = 1024,
    TEL__CONFIG_OWN_ATTRS    = 24,      /* what the SDK itself may add to a resource */
    TEL__CONFIG_SHOWN        = 64       /* bytes of a bad value that a diagnostic repeats */
};

typedef struct tel__config {
    bool      disabled;                     /* OTEL_SDK_DISABLED */
    const char* service_name;               /* never NULL; in block, like service_version */
    const char* service_version;            /* "" when nobody named one */
    bool      parent_based;                 /* children follow their parent's sampled flag */
    uint64_t  threshold;                    /* sample iff the low 56 bits of the trace id are >= this */
    double    sample_ratio;                 /* what threshold was made of; 0: never */
    tel__pipeline_limits limits[2];         /* of spans, of logs */
    uint32_t  metric_interval_ms, metric_timeout_ms;
    uint32_t  ring_bytes, max_threads, max_series, max_live_spans;
    size_t    memory_limit;
    tel_attrs resource;                     /* merged, no key twice; points into block */
    tel_attr* attrs;                        /* resource.items, writable */
    char*     block;                        /* attributes, then the text they point at */
    size_t    block_size, text_at;
    char*     instance_id;                  /* the generated service.instance.id; NULL: the user named one */
} tel__config;

typedef struct tel__config_otlp_signal {
    char     url[TEL__CONFIG_URL_SIZE];         /* the full URL to post to */
    char     headers[TEL__CONFIG_HEADERS_SIZE]; /* "Name: value\r\n" for each */
    uint32_t timeout_ms;
    bool     gzip;
} tel__config_otlp_signal;

/* About 40 KiB: not for a small stack. In the order of tel_stats: metrics, spans, logs; then all of them. */
enum { TEL__CONFIG_ALL = 3 };
typedef struct tel__config_otlp { tel__config_otlp_signal signals[TEL__CONFIG_ALL + 1]; } tel__config_otlp;

/* Where variables come from and where complaints go. */
typedef struct tel__config_source {
    bool        ignore_env;
    tel__diag*  diag;
} tel__config_source;

/* ---- variables -------------------------------------------------------------------------------------- */

/* The one place that reads the environment. { NULL, 0 }: unset, empty, or not to be read (an empty variable
   is an unset one, OpenTelemetry "Configuration, Parsing empty value"). Valid until somebody calls setenv. */
TEL__COLD tel_text tel__config_env(const tel__config_source* s, const char* name) {
    tel_text none = { NULL, 0 };
    const char* value = s->ignore_env ? NULL : getenv(name);
    return value && value[0] ? tel__text_of(value) : none;
}

/* One diagnostic: the variable, its text, what was expected. */
TEL__COLD void tel__config_bad(const tel__config_source* s, const char* name, tel_text value, const char* want) {
    int shown = (int)tel__text_utf8_cut(value.data, value.size, TEL__CONFIG_SHOWN);
    tel__diag_report(s->diag, TEL__DIAG_ENV, "%s=\"%.*s%s\" is not %s", name, shown, value.data,
                     (size_t)shown < value.size ? "..." : "", want);
}

/* Whole decimal numbers only: no sign, no unit. */
TEL__COLD uint32_t tel__config_number(const tel__config_source* s, const char* name, uint32_t least, uint32_t most,
                                    uint32_t fallback) {
    tel_text v = tel__config_env(s, name);
    uint64_t n = 0;
    char want[64];
    if (!v.data) { return fallback; }
    if (tel__text_parse_u64(tel__text_trim(v), most, &n) == TEL_OK && n >= least) { return (uint32_t)n; }
    snprintf(want, sizeof want, "a whole number from %u to %u", (unsigned)least, (unsigned)most);
    tel__config_bad(s, name, v, want);
    return fallback;
}

/* A timeout of 0 means none. */
TEL__COLD uint32_t tel__config_timeout(const tel__config_source* s, const char* name, uint32_t fallback) {
    uint32_t ms = tel__config_number(s, name, 0, INT32_MAX, fallback);
    return ms ? ms : TEL_FOREVER;
}

/* The index of the variable's word in a list "a\0b\0", without case; -1 when unset or unknown. */
TEL__COLD int tel__config_choice(const tel__config_source* s, const char* name, const char* words,
                               const char* want) {
    tel_text v = tel__config_env(s, name);
    int i;
    if (!v.data) { return -1; }
    for (i = 0; *words; i++, words += strlen(words) + 1) {
        if (tel__text_equal_nocase(tel__text_trim(v), tel__text_of(words))) { return i; }
    }
    tel__config_bad(s, name, v, want);
    return -1;
}

/* How much the SDK says about itself: 0 nothing, then the levels of tel_diag. Asked for before anything
   else is resolved, so that it governs what resolving has to say. Unset is 2, warnings and errors. */
TEL__COLD int tel__config_log_level(const tel_desc* desc, tel__diag* diag) {
    tel__config_source s = { desc->ignore_env, diag };
    int i = tel__config_choice(&s, "OTEL_LOG_LEVEL", "none\0error\0warn\0info\0debug\0trace\0",
                               "none, error, warn, info, debug or trace");
    return i < 0 ? 2 : i > 4 ? 4 : i;
}

/* ---- the resource ----------------------------------------------------------------------------------- */

/* Appends a NUL-terminated copy to the block. The block was measured for all that can come. */
TEL__COLD char* tel__config_keep(tel__config* c, const char* data, size_t size) {
    char* at = c->block + c->text_at;
    if (size) { memcpy(at, data, size); }
    at[size] = '\0';
    c->text_at += size + 1;
    return at;
}

/* Sets an attribute whose key and text are already kept: the later one wins (Resource SDK, "Merge"). */
TEL__COLD void tel__config_merge(tel__config* c, tel_attr a) {
    size_t i;
    a.tel__key_size = (uint32_t)strlen(a.key);
    for (i = 0; i < c->resource.count; i++) {
        if (strcmp(c->attrs[i].key, a.key) == 0) { break; }
    }
    c->attrs[i] = a;
    if (i == c->resource.count) { c->resource.count++; }
}

/* A string of the SDK's own; an empty one is not known and not set. key is static. */
TEL__COLD char* tel__config_set(tel__config* c, const char* key, const char* value) {
    size_t size = value ? strlen(value) : 0;
    char* kept;
    if (!size) { return NULL; }
    kept = tel__config_keep(c, value, size);
    tel__config_merge(c, tel_strn(key, kept, size));
    return kept;
}

/* A random UUID, version 4 (RFC 9562, 5.4), 36 characters and a NUL. */
TEL__COLD void tel__config_uuid(char out[37]) {
    uint8_t bytes[16];
    size_t i;
    tel__id_random(bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) { *out++ = '-'; }
        out = tel__text_write_hex(out, bytes + i, 1);
    }
    *out = '\0';
}

/* The lowest layer: what the SDK is and what it can see by itself (semantic conventions, "Resource"). */
TEL__COLD void tel__config_detect(tel__config* c) {
    tel__platform_facts facts;
    char service[300] = "unknown_service", id[37];
    const char* exe;
    const char* p;
    tel__platform_detect(&facts);
    for (p = exe = facts.exe_path; *p; p++) {
        if (*p == '/' || *p == '\\') { exe = p + 1; }
    }
    if (*exe) { snprintf(service, sizeof service, "unknown_service:%.200s", exe); }
    tel__config_uuid(id);
    tel__config_set(c, "service.name", service);
    c->instance_id = tel__config_set(c, "service.instance.id", id);
    tel__config_set(c, "telemetry.sdk.name", "telemetry.h");
    tel__config_set(c, "telemetry.sdk.language", "c");
    tel__config_set(c, "telemetry.sdk.version", TEL_VERSION_STRING);
    tel__config_merge(c, tel_int("process.pid", (int64_t)facts.pid));
    tel__config_set(c, "process.executable.name", exe);
    tel__config_set(c, "process.executable.path", facts.exe_path);
    tel__config_set(c, "host.name", facts.host_name);
    tel__config_set(c, "host.id", facts.host_id);
    tel__config_set(c, "host.arch", facts.host_arch);
    tel__config_set(c, "os.type", facts.os_type);
    tel__config_set(c, "os.version", facts.os_version);
    tel__config_set(c, "os.description", facts.os_description);
}

/* Decodes one side of a pair into the block; NULL when an escape is broken. */
TEL__COLD char* tel__config_decode(tel__config* c, tel_text t, size_t* size) {
    char* at = c->block + c->text_at;
    if (tel__text_percent_decode(tel__text_trim(t), at, t.size, size) != TEL_OK) { return NULL; }
    at[*size] = '\0';
    c->text_at += *size + 1;
    return at;
}

/* OTEL_RESOURCE_ATTRIBUTES, all or nothing: an error at the end leaves no trace of the beginning (Resource SDK,
   "Specifying resource information via an environment variable"). Only what was detected is there before. */
TEL__COLD bool tel__config_pairs(tel__config* c, tel_text list) {
    tel_attr before[TEL__CONFIG_OWN_ATTRS];
    size_t count = c->resource.count, text_at = c->text_at;
    tel_text item, key;
    memcpy(before, c->attrs, count * sizeof before[0]);
    while (tel__text_split(&list, ',', &item)) {
        bool pair = memchr(item.data, '=', item.size) != NULL;
        size_t key_size = 0, size = 0;
        char* name = NULL;
        char* value;
        if (tel__text_trim(item).size == 0) { continue; }
        if (pair && tel__text_split(&item, '=', &key)) { name = tel__config_decode(c, key, &key_size); }
        value = name ? tel__config_decode(c, item, &size) : NULL;
        if (!value || key_size == 0 || strlen(name) != key_size) {
            memcpy(c->attrs, before, count * sizeof before[0]);
            c->resource.count = count;
            c->text_at = text_at;
            return false;
        }
        tel__config_merge(c, tel_strn(name, value, size));
    }
    return true;
}

/* The variable, when it is one that may be looked at; { NULL, 0 } otherwise. */
TEL__COLD tel_text tel__config_resource_env(const tel__config_source* s) {
    tel_text v = tel__config_env(s, "OTEL_RESOURCE_ATTRIBUTES"), none = { NULL, 0 };
    size_t i, pairs = 1;
    for (i = 0; i < v.size && pairs <= TEL__CONFIG_ENV_PAIRS; i++) { pairs += v.data[i] == ','; }
    if (v.size <= TEL__CONFIG_ENV_LIMIT && pairs <= TEL__CONFIG_ENV_PAIRS) { return v; }
    tel__diag_report(s->diag, TEL__DIAG_RESOURCE,
                     "OTEL_RESOURCE_ATTRIBUTES has more than %u bytes or %u pairs",
                     (unsigned)TEL__CONFIG_ENV_LIMIT, (unsigned)TEL__CONFIG_ENV_PAIRS);
    return none;
}

/* One block for all attributes and texts; every layer's worst case is counted in. */
TEL__COLD tel_result tel__config_reserve(tel__config* c, tel__memory* m, const tel_desc* desc, tel_text env,
                                       size_t names) {
    size_t count = desc->resource.count + TEL__CONFIG_OWN_ATTRS, i;
    size_t text = sizeof(tel__platform_facts) + 2048 + env.size + names;
    text += desc->service_name ? strlen(desc->service_name) : 0;
    text += desc->service_version ? strlen(desc->service_version) : 0;
    for (i = 0; i < env.size; i++) {
        if (env.data[i] == ',') { count++; text += 2; }
    }
    for (i = 0; i < desc->resource.count; i++) {
        const tel_attr* a = &desc->resource.items[i];
        text += (a->key ? strlen(a->key) : 0) + (a->type == TEL_TYPE_STRING ? tel__attr_string(a).size : 0) + 2;
    }
    c->text_at = (count + 1) * sizeof(tel_attr);
    c->block_size = c->text_at + text;
    c->block = (char*)tel__memory_alloc(m, c->block_size);
    if (!c->block) { return TEL_ERR_MEMORY; }
    c->attrs = (tel_attr*)(void*)c->block;
    c->resource.items = c->attrs;
    return TEL_OK;
}

/* The highest layer. An attribute without a key is none (tel_attr). */
TEL__COLD void tel__config_own(tel__config* c, const tel_desc* desc) {
    size_t i;
    for (i = 0; i < desc->resource.count; i++) {
        tel_attr a = desc->resource.items[i];
        if (!a.key || !a.key[0] || a.type == TEL_TYPE_NONE) { continue; }
        a.key = tel__config_keep(c, a.key, strlen(a.key));
        if (a.type == TEL_TYPE_STRING) {
            a.as.s = tel__attr_string(&a);
            a.as.s.data = tel__config_keep(c, a.as.s.data, a.as.s.size);
        }
        tel__config_merge(c, a);
    }
    tel__config_set(c, "service.version", desc->service_version);
    tel__config_set(c, "service.name", desc->service_name);
}

/* The text of a string attribute, "" without one. */
TEL__COLD const char* tel__config_string(const tel__config* c, const char* key) {
    size_t i;
    for (i = 0; i < c->resource.count; i++) {
        if (strcmp(c->attrs[i].key, key) == 0 && c->attrs[i].type == TEL_TYPE_STRING) { return c->attrs[i].as.s.data; }
    }
    return "";
}

/* desc over OTEL_SERVICE_NAME over OTEL_RESOURCE_ATTRIBUTES over what was detected. */
TEL__COLD tel_result tel__config_resource(tel__config* c, tel__memory* m, const tel_desc* desc,
                                        const tel__config_source* s) {
    tel_text env = tel__config_resource_env(s), name = tel__config_env(s, "OTEL_SERVICE_NAME");
    tel_result r = tel__config_reserve(c, m, desc, env, name.size);
    if (r != TEL_OK) { return r; }
    tel__config_detect(c);
    if (env.data && !tel__config_pairs(c, env)) {
        tel__config_bad(s, "OTEL_RESOURCE_ATTRIBUTES", env, "a list of key=value with %XX escapes");
    }
    if (name.data) { tel__config_set(c, "service.name", name.data); }
    tel__config_own(c, desc);
    c->service_name = tel__config_string(c, "service.name");
    c->service_version = tel__config_string(c, "service.version");
    if (tel__config_string(c, "service.instance.id") != c->instance_id) { c->instance_id = NULL; }
    return TEL_OK;
}

/* In the child of fork: a process of its own has an id of its own (semantic conventions, service.instance.id:
   "each worker needs its own"). An id that the user chose stays. Allocates nothing. */
TEL__COLD void tel__config_refork(tel__config* c) {
    size_t i;
    if (c->instance_id) { tel__config_uuid(c->instance_id); }
    for (i = 0; i < c->resource.count; i++) {
        if (strcmp(c->attrs[i].key, "process.pid") == 0 && c->attrs[i].type == TEL_TYPE_INT) {
            c->attrs[i].as.i = (int64_t)tel__platform_pid();
        }
    }
}

/* ---- the desc --------------------------------------------------------------------------------------- */

/* T = 2^56 - p * 2^56, rounded (OpenTelemetry "TraceState: Probability Sampling"). */
TEL__COLD uint64_t tel__config_threshold(double ratio) {
    return TEL__CONFIG_NEVER - (uint64_t)(ratio * (double)TEL__CONFIG_NEVER + 0.5);
}

/* OTEL_TRACES_SAMPLER_ARG counts only beside a sampler that takes one. */
TEL__COLD void tel__config_sampler(tel__config* c, const tel_desc* desc, const tel__config_source* s) {
    static const char words[] = "parentbased_always_on\0always_on\0parentbased_always_off\0always_off\0"
                                "parentbased_traceidratio\0traceidratio\0";
    double ratio = desc->sample_ratio < 0 ? 0 : desc->sample_ratio > 0 ? desc->sample_ratio : 1;
    int i = desc->sample_ratio == 0 ? tel__config_choice(s, "OTEL_TRACES_SAMPLER", words, "a sampler of this SDK "
        "(always_on, always_off, traceidratio or parentbased_ and one of these)") : -1;
    tel_text arg = tel__config_env(s, "OTEL_TRACES_SAMPLER_ARG");
    if (i == 2 || i == 3) { ratio = 0; }
    if (i >= 4 && arg.data
        && (tel__text_parse_double(tel__text_trim(arg), &ratio) != TEL_OK || !(ratio >= 0 && ratio <= 1))) {
        tel__config_bad(s, "OTEL_TRACES_SAMPLER_ARG", arg, "a number from 0 to 1");
        ratio = 1;
    }
    c->parent_based = i < 0 || i % 2 == 0;
    c->sample_ratio = ratio;
    c->threshold = tel__config_threshold(ratio);
}

/* One family of batch variables. A batch larger than its queue would never fill. */
TEL__COLD void tel__config_batch(const tel__config_source* s, const char names[4][32], uint32_t delay,
                                 tel__pipeline_limits* out) {
    out->delay_ms = tel__config_number(s, names[0], 0, INT32_MAX, delay);
    out->timeout_ms = tel__config_timeout(s, names[1], 30000);
    out->queue = tel__config_number(s, names[2], 1, INT32_MAX, 2048);
    out->batch = tel__config_number(s, names[3], 1, INT32_MAX, 512);
    if (out->batch <= out->queue) { return; }
    if (tel__config_env(s, names[3]).data) {
        tel__config_bad(s, names[3], tel__config_env(s, names[3]), "within the queue size (cut to it)");
    }
    out->batch = out->queue;
}

TEL__COLD void tel__config_times(tel__config* c, const tel_desc* desc, const tel__config_source* s) {
    static const char spans[][32] = { "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT",
        "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" };
    static const char logs[][32] = { "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BLRP_EXPORT_TIMEOUT",
        "OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE" };
    tel__config_batch(s, spans, 5000, &c->limits[0]);
    tel__config_batch(s, logs, 1000, &c->limits[1]);
    c->metric_interval_ms = tel__config_number(s, "OTEL_METRIC_EXPORT_INTERVAL", 1, INT32_MAX, 60000);
    c->metric_timeout_ms = tel__config_timeout(s, "OTEL_METRIC_EXPORT_TIMEOUT", 30000);
    if (desc->batch_interval_ms) { c->limits[0].delay_ms = c->limits[1].delay_ms = desc->batch_interval_ms; }
    if (desc->metric_interval_ms) { c->metric_interval_ms = desc->metric_interval_ms; }
}

/* What is wrong with the desc, or NULL. Written for the one who wrote the code. */
TEL__COLD const char* tel__config_fault(const tel_desc* d) {
    size_t i;
    if (d->tel__canary_begin || d->tel__canary_end) { return "was not zeroed"; }
    if (!(d->sample_ratio <= 1 && (d->sample_ratio >= 0 || d->sample_ratio == TEL_NEVER))) {
        return "sample_ratio is neither TEL_NEVER nor from 0 to 1";
    }
    if (d->ring_bytes && (d->ring_bytes < 4096 || d->ring_bytes > (64u << 20)
                          || (d->ring_bytes & (d->ring_bytes - 1)))) {
        return "ring_bytes is no power of two from 4 KiB to 64 MiB";
    }
    if (!d->allocator.alloc_fn != !d->allocator.free_fn) { return "allocator needs both functions or neither"; }
    if (d->resource.count > TEL__CONFIG_DESC_ATTRS) { return "resource has more than 1024 attributes"; }
    if (d->resource.count && !d->resource.items) { return "resource.items is NULL"; }
    if (d->sink_count > 16) { return "sink_count is more than 16"; }
    if (d->sink_count && !d->sinks) { return "sinks is NULL"; }
    for (i = 0; i < d->sink_count; i++) {
        if (!d->sinks[i].export_fn && !d->sinks[i].open_fn && d->sinks[i].signal_mask != TEL_PULL) {
            return "a sink in sinks has no export_fn";
        }
    }
    return NULL;
}

/* Everything but the sinks. On failure nothing is held; on success tel__config_free gives it back. */
TEL__COLD tel_result tel__config_resolve(const tel_desc* desc, tel__memory* m, tel__diag* diag, tel__config* out) {
    tel__config_source s = { desc->ignore_env, diag };
    const char* fault = tel__config_fault(desc);
    memset(out, 0, sizeof *out);
    if (fault) {
        tel__diag_report(diag, TEL__DIAG_DESC, "%s", fault);
        return TEL_ERR_ARGUMENT;
    }
    out->disabled = tel__config_choice(&s, "OTEL_SDK_DISABLED", "false\0true\0", "true or false (taken as false)") == 1;
    tel__config_sampler(out, desc, &s);
    tel__config_times(out, desc, &s);
    out->ring_bytes = desc->ring_bytes ? desc->ring_bytes : 256u << 10;
    out->max_threads = desc->max_threads ? desc->max_threads : 128;
    out->max_series = desc->max_series ? desc->max_series : 2000;
    out->max_live_spans = desc->max_live_spans ? desc->max_live_spans : 4096;
    out->memory_limit = desc->memory_limit ? desc->memory_limit : (size_t)64 << 20;
    return tel__config_resource(out, m, desc, &s);
}

TEL__COLD void tel__config_free(tel__config* c, tel__memory* m) {
    if (c->block) { tel__memory_free(m, c->block, c->block_size); }
    memset(c, 0, sizeof *c);
}

/* ---- OTLP ------------------------------------------------------------------------------------------- */

/* The variable of a signal's setting, or of the one for all signals; the text is in name. */
TEL__COLD const char* tel__config_otlp_var(char name[64], int signal, const char* setting) {
    static const char signals[][12] = { "METRICS_", "TRACES_", "LOGS_", "" };
    snprintf(name, 64, "OTEL_EXPORTER_OTLP_%s%s", signals[signal], setting);
    return name;
}

/* The URL as text again. path NULL: as it is, an empty path being "/" by now. Otherwise a base, which loses its
   query and gains the path (OTLP exporter, "Endpoint URLs for OTLP/HTTP"). Everything fits. */
TEL__COLD void tel__config_url(const tel__http_url* u, const char* path, char out[TEL__CONFIG_URL_SIZE]) {
    size_t size = path ? strcspn(u->path, "?") : strlen(u->path);
    char port[8] = "";
    if (u->port != (u->tls ? 443 : 80)) { snprintf(port, sizeof port, ":%u", (unsigned)u->port); }
    snprintf(out, TEL__CONFIG_URL_SIZE, "%s%s%s%s%s%.*s%s%s", u->tls ? "https://" : "http://", u->ipv6 ? "[" : "",
             u->host, u->ipv6 ? "]" : "", port, (int)size, u->path, path && u->path[size - 1] != '/' ? "/" : "",
             path ? path : "");
}

/* False when the variable is unset or holds no URL. One with an '@' may hold a password: it is not repeated. */
TEL__COLD bool tel__config_endpoint(const tel__config_source* s, const char* name, tel__http_url* url) {
    tel_text v = tel__config_env(s, name);
    if (!v.data) { return false; }
    if (tel__http_url_parse(tel__text_trim(v), url) == TEL_OK) { return true; }
    if (strchr(v.data, '@')) { v = tel__text_of("(not shown)"); }
    tel__config_bad(s, name, v, "a URL like http://localhost:4318, without a user");
    return false;
}

/* Whether a later entry of the list sets the same header: the last one counts. */
TEL__COLD bool tel__config_named_again(tel_text rest, tel_text name) {
    tel_text item, key;
    while (tel__text_split(&rest, ',', &item)) {
        if (!memchr(item.data, '=', item.size) || !tel__text_split(&item, '=', &key)) { continue; }
        if (tel__text_equal_nocase(tel__text_trim(key), name)) { return true; }
    }
    return false;
}

/* Appends one "Name: value\r\n", or returns what is wrong with the entry. What the client itself must say is
   not taken: the request would no longer mean what it says. */
TEL__COLD const char* tel__config_header(tel_text name, tel_text value, tel__text_out* o) {
    static const char ours[][20] = { "Content-Type", "Content-Length", "Content-Encoding", "Host",
                                     "Transfer-Encoding", "Connection", "Accept-Encoding" };
    size_t i, size = 0, room = o->capacity - o->size;
    char* at = o->data + o->size + name.size + 2;
    if (!tel__http_is_token(name)) { return "its name is not a header name"; }
    for (i = 0; i < TEL__ARRAY_SIZE(ours); i++) {
        if (tel__text_equal_nocase(name, tel__text_of(ours[i]))) { return "the exporter sets this one itself"; }
    }
    if (room < name.size + value.size + 4) { return "all headers together are too long"; }
    if (tel__text_percent_decode(value, at, value.size, &size) != TEL_OK) {
        return "its value has a broken %XX escape";
    }
    if (!tel__http_is_clean(tel__http_slice(at, size), true)) { return "its value has a control character"; }
    tel__text_put(o, name.data, name.size);
    TEL__TEXT_LIT(o, ": ");
    o->size += size;
    TEL__TEXT_LIT(o, "\r\n");
    return NULL;
}

/* "k=v,k2=v2" to header lines. A bad entry is skipped and named by its place and, where it has one, its name:
   the value may be a secret (OTLP exporter, "Specifying headers via environment variables"). */
TEL__COLD void tel__config_headers(const tel__config_source* s, const char* origin, tel_text list,
                                 char out[TEL__CONFIG_HEADERS_SIZE]) {
    tel__text_out o = tel__text_fixed(out, TEL__CONFIG_HEADERS_SIZE - 1);
    tel_text item;
    unsigned place = 0;
    out[0] = '\0';
    if (list.size > TEL__CONFIG_ENV_LIMIT) {
        tel__diag_report(s->diag, TEL__DIAG_HEADERS, "%s is longer than %u bytes, none is sent", origin,
                         (unsigned)TEL__CONFIG_ENV_LIMIT);
        return;
    }
    while (tel__text_split(&list, ',', &item)) {
        const char* fault = "it has no '='";
        tel_text name = tel__text_of("");
        place++;
        if (tel__text_trim(item).size == 0) { continue; }
        if (memchr(item.data, '=', item.size)) {
            tel__text_split(&item, '=', &name);
            name = tel__text_trim(name);
            if (tel__config_named_again(list, name)) { continue; }
            fault = tel__config_header(name, tel__text_trim(item), &o);
        }
        if (!fault) { continue; }
        if (!tel__http_is_token(name)) { name.size = 0; }
        tel__diag_report(s->diag, TEL__DIAG_HEADERS, "%s, entry %u%s%.*s: %s", origin, place,
                         name.size ? " " : "", name.size > 64 ? 64 : (int)name.size, name.data, fault);
    }
    out[o.size] = '\0';
}

/* gzip only where zlib was compiled in. */
TEL__COLD bool tel__config_gzip(const tel__config_source* s, const char* origin, bool wanted) {
    if (!wanted || TEL__ZLIB) { return wanted; }
    tel__diag_report(s->diag, TEL__DIAG_COMPRESSION, "%s: gzip needs TELEMETRY_ZLIB", origin);
    return false;
}

/* Where code left something open: the variable of one signal, or that for all, over what *to has from the level
   above. Protocols but http/json are not honoured; so that nobody waits at a gRPC port in vain, that is said. */
TEL__COLD void tel__config_otlp_level(const tel__config_source* s, const tel_otlp_desc* code, int signal,
                                    tel__config_otlp_signal* to) {
    char name[64];
    int choice;
    if (!code->headers) {
        tel_text list = tel__config_env(s, tel__config_otlp_var(name, signal, "HEADERS"));
        if (list.data) { tel__config_headers(s, name, list, to->headers); }
    }
    if (!code->compression) {
        tel__config_otlp_var(name, signal, "COMPRESSION");
        choice = tel__config_choice(s, name, "none\0gzip\0", "none or gzip");
        if (choice >= 0) { to->gzip = tel__config_gzip(s, name, choice == 1); }
    }
    if (!code->timeout_ms) {
        to->timeout_ms = tel__config_timeout(s, tel__config_otlp_var(name, signal, "TIMEOUT"), to->timeout_ms);
    }
    tel__config_otlp_var(name, signal, "PROTOCOL");
    choice = tel__config_choice(s, name, "http/json\0http/protobuf\0grpc\0", "http/json, http/protobuf or grpc");
    if (choice > 0) {
        tel__diag_report(s->diag, TEL__DIAG_ENV_PROTOCOL, "%s=%s", name, choice == 1 ? "http/protobuf" : "grpc");
    }
}

/* What code says, which holds for all signals; its endpoint is a base, like that of the general variable. */
TEL__COLD tel_result tel__config_otlp_code(const tel__config_source* s, const tel_otlp_desc* code,
                                         tel__config_otlp_signal* to, tel__http_url* base) {
    tel_text word = tel__text_of(code->compression ? code->compression : "none");
    bool gzip = tel__text_equal_nocase(word, tel__text_of("gzip"));
    const char* endpoint = code->endpoint ? code->endpoint : "http://localhost:4318";
    if (tel__http_url_parse(tel__text_trim(tel__text_of(endpoint)), base) != TEL_OK) {
        tel__diag_report(s->diag, TEL__DIAG_URL, "tel_otlp_desc.endpoint is not a URL like http://localhost:4318");
        return TEL_ERR_ARGUMENT;
    }
    if (!gzip && !tel__text_equal_nocase(word, tel__text_of("none"))) {
        tel__diag_report(s->diag, TEL__DIAG_DESC, "tel_otlp_desc.compression is neither gzip nor none");
        return TEL_ERR_ARGUMENT;
    }
    to->gzip = tel__config_gzip(s, "tel_otlp_desc.compression", gzip);
    to->timeout_ms = code->timeout_ms ? code->timeout_ms : 10000;
    if (code->headers) {
        tel__config_headers(s, "tel_otlp_desc.headers", tel__text_of(code->headers), to->headers);
    }
    return TEL_OK;
}

/* Everything an OTLP sink needs. desc may be NULL. For each setting: code, then the variable of the signal,
   then the general one, then the default. TEL_ERR_ARGUMENT: a field cannot be used, and a diagnostic names it. */
TEL__COLD tel_result tel__config_otlp_resolve(const tel_otlp_desc* desc, bool ignore_env, tel__diag* diag,
                                            tel__config_otlp* out) {
    static const char paths[][12] = { "v1/metrics", "v1/traces", "v1/logs" };
    tel__config_source s = { ignore_env, diag };
    tel__config_otlp_signal* all = &out->signals[TEL__CONFIG_ALL];
    tel__http_url base, own;
    tel_otlp_desc d;
    tel_result r;
    char name[64];
    int i;
    memset(&d, 0, sizeof d);
    memset(out, 0, sizeof *out);
    if (desc) { d = *desc; }
    if (d.endpoint && !d.endpoint[0]) { d.endpoint = NULL; }
    if (d.headers && !d.headers[0]) { d.headers = NULL; }
    if (d.compression && !d.compression[0]) { d.compression = NULL; }
    r = tel__config_otlp_code(&s, &d, all, &base);
    if (r != TEL_OK) { return r; }
    for (i = TEL__CONFIG_ALL; i >= 0; i--) {
        bool found = !d.endpoint && tel__config_endpoint(&s, tel__config_otlp_var(name, i, "ENDPOINT"), &own);
        if (i == TEL__CONFIG_ALL) {
            if (found) { base = own; }
            tel__config_otlp_level(&s, &d, i, all);
            continue;
        }
        out->signals[i] = *all;
        tel__config_otlp_level(&s, &d, i, &out->signals[i]);
        tel__config_url(found ? &own : &base, found ? NULL : paths[i], out->signals[i].url);
    }
    return TEL_OK;
}

/* ---- Prometheus ------------------------------------------------------------------------------------- */

typedef struct tel__config_prometheus {
    char     host[256];
    uint32_t port;                          /* 0: the system picks one */
} tel__config_prometheus;

/* A name or an address as R18 takes them; one with a colon is IPv6. */
TEL__COLD bool tel__config_is_host(tel_text t) {
    return t.size > 0 && t.size < 256 && tel__http_host_ok(t, memchr(t.data, ':', t.size) != NULL);
}

/* desc may be NULL. TEL_ERR_ARGUMENT: a field cannot be used, and a diagnostic names it. */
TEL__COLD tel_result tel__config_prometheus_resolve(const tel_prometheus_desc* desc, bool ignore_env, tel__diag* diag,
                                                  tel__config_prometheus* out) {
    tel__config_source s = { ignore_env, diag };
    tel_text host = tel__text_of(desc ? desc->host : NULL), v;
    memset(out, 0, sizeof *out);
    out->port = desc ? desc->port : 0;
    if ((out->port > 65535 && out->port != TEL_ANY_PORT) || (host.size && !tel__config_is_host(host))) {
        tel__diag_report(diag, TEL__DIAG_DESC, "tel_prometheus_desc.%s cannot be used",
                         host.size && !tel__config_is_host(host) ? "host" : "port");
        return TEL_ERR_ARGUMENT;
    }
    if (!host.size) {
        v = tel__config_env(&s, "OTEL_EXPORTER_PROMETHEUS_HOST");
        host = tel__text_trim(v);
        if (v.data && !tel__config_is_host(host)) {
            tel__config_bad(&s, "OTEL_EXPORTER_PROMETHEUS_HOST", v, "a host name or address");
            host.size = 0;
        }
        if (!host.size) { host = tel__text_of("localhost"); }
    }
    memcpy(out->host, host.data, host.size);
    if (!out->port) { out->port = tel__config_number(&s, "OTEL_EXPORTER_PROMETHEUS_PORT", 0, 65535, 9464); }
    if (out->port == TEL_ANY_PORT) { out->port = 0; }
    return TEL_OK;
}

/* ==== R21 >>lifecycle =================================================================================
   The one instance of this module: made by tel_init, given up by tel_shutdown, freed when the last thread
   that recorded into it has let go. Registration of threads, their end, fork, exit, adoption.

   Uses      all rooms above.                  Used by   R22.
   Threads   enter, acquire: any. start, stop: any, one at a time. Fork hooks: the forking thread.
   Holds     tel__root is the only writable variable beside tel__thread_me. root.mutex guards current, refs
             taken through it, and start and stop; it is held for moments only, never over a callback. An
             instance's refs are one for the root, one for each registered thread, one for each call under way;
             whoever takes the last one frees it. After `closed` is set (under gate) nobody drains into the pipeline,
             and cells and tracers of all threads refuse, so a late record misses and comes here.
             Order of locks: root.mutex, gate, pipeline.stage, registry.mutex, metrics.mutex, scopes.mutex. fork
             takes all of them, so the child inherits them whole.
   Tests     tests/api/lifecycle.c, tests/api/fork.c, tests/api/threads.c   fuzz: none   bench: idle
*/
#define TEL__LIFECYCLE_MAGIC (0x74656c00u ^ TEL__BUILD_TAG)
#define TEL__LIFECYCLE_EXIT_MS 2000u

/* What the SDK's own observers are given. */
typedef struct tel__lifecycle_self { tel_instance* inst; int signal; } tel__lifecycle_self;

struct tel_instance {
    uint32_t           magic;           /* another copy of this header adopts only what it understands */
    tel__atomic_u32    refs, closed, drained;   /* drained: the last drain is done, who ends now is too late */
    bool               dormant;         /* child of fork: the export thread waits for the first record */
    bool               no_thread, no_atexit;
    tel__thread_mutex  gate;
    tel__memory        memory;
    tel__diag          diag;
    tel__clock         clock;
    tel__config        config;
    tel__attr_scopes   scopes;
    tel__ring_registry registry;
    tel__metrics       metrics;
    tel__spans         spans;
    tel__pipeline      pipeline;
    tel__sink_source   source;          /* of Prometheus pages */
    tel__lifecycle_self self[3];
    tel_sink           sinks[TEL__PIPELINE_SINKS];
    char               sink_names[TEL__PIPELINE_SINKS][32];     /* the caller's are borrowed until tel_init returns */
    uint32_t           prometheus_port;
    tel__atomic_u64    ignored, unregistered[2];
    tel_desc           desc;            /* as tel_query_desc tells it */
};

static struct tel__lifecycle_root {
    tel__thread_mutex     mutex;
    tel__atomic_ptr       current;      /* tel_instance, or NULL */
    tel__thread_exit_hook hook;
    bool                  hooked, changing, adopted;
    uint32_t              next_id, epoch;   /* both begin at random: two copies of this header may meet by adoption */
    tel_stats             last;         /* the books of the instance that was shut down last */
    tel_instance*         closing;      /* the instance that is being shut down, until its sinks are closed */
    tel_instance*         opening;      /* the instance whose sinks are being opened */
    const tel_desc*       opening_desc;
} tel__root = {
    TEL__THREAD_MUTEX_INIT, { NULL }, { 0, false }, false, false, false, 0, 0,
    { { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, 0, 0, 0, 0, 0, 0, 0 }, NULL, NULL, NULL
};

/* ---- references ---- */

/* By the last who goes: who destroys it, or a worker that came back later. */
TEL__COLD void tel__lifecycle_free(tel__memory* of_instance) {
    tel_instance* inst = (tel_instance*)(void*)((char*)of_instance - offsetof(tel_instance, memory));
    tel__memory memory;
    tel__pipeline_free(&inst->pipeline);
    tel__metric_close(&inst->metrics);
    tel__span_free(&inst->spans);
    tel__memory_free(&inst->memory, inst->registry.shared.data, inst->registry.shared.size);
    tel__thread_mutex_destroy(&inst->registry.mutex);
    tel__attr_scopes_free(&inst->scopes);
    tel__config_free(&inst->config, &inst->memory);
    tel__thread_mutex_destroy(&inst->gate);
    memory = inst->memory;
    tel__memory_free(&memory, inst, sizeof *inst);
}

TEL__COLD void tel__lifecycle_destroy(tel_instance* inst) {
    if (!inst->pipeline.closed) { tel__pipeline_close(&inst->pipeline); }
    if (tel__memory_orphan(&inst->memory, tel__lifecycle_free)) { tel__lifecycle_free(&inst->memory); }
}

TEL__NOINLINE void tel__lifecycle_release(tel_instance* inst) {
    if (tel__atomic_add_u32(&inst->refs, (uint32_t)-1) == 1) { tel__lifecycle_destroy(inst); }
}

/* The export thread came out of a sink after tel_shutdown had given up on it. */
TEL__COLD void tel__lifecycle_left(tel__pipeline* p) { tel__lifecycle_release((tel_instance*)p->registry->owner); }

/* The current instance, held until release; NULL when there is none. Then it takes no lock: those who ask again and
   again would keep it from a thread that starts or stops. */
TEL__NOINLINE tel_instance* tel__lifecycle_acquire(void) {
    tel_instance* inst;
    if (!tel__atomic_load_ptr(&tel__root.current)) { return NULL; }
    tel__thread_mutex_lock(&tel__root.mutex);
    inst = (tel_instance*)tel__atomic_load_ptr(&tel__root.current);
    if (inst) { tel__atomic_add_u32(&inst->refs, 1); }
    tel__thread_mutex_unlock(&tel__root.mutex);
    return inst;
}

/* Adopts another module's instance, or gives it up (NULL). false: we have our own, or adopted another than `only`. */
TEL__COLD bool tel__lifecycle_follow(tel_instance* other, const tel_instance* only) {
    tel_instance* before;
    bool well;
    tel__thread_mutex_lock(&tel__root.mutex);
    before = (tel_instance*)tel__atomic_load_ptr(&tel__root.current);
    well = (!before || tel__root.adopted) && (!only || before == only);
    if (well) {
        if (before) {                   /* its ids stay in our instruments: none of ours may be the same */
            uint32_t end = before->metrics.base + tel__atomic_load_u32(&before->metrics.by_id.count) + 0x10000u;
            if (tel__root.next_id < end) { tel__root.next_id = end; }
        }
        if (other) { tel__atomic_add_u32(&other->refs, 1); }
        tel__root.adopted = other != NULL;
        tel__atomic_store_release_ptr(&tel__root.current, other);
    }
    tel__thread_mutex_unlock(&tel__root.mutex);
    if (well && before) { tel__lifecycle_release(before); }
    return well;
}

/* ---- threads ---- */

/* Takes a thread out of its instance: what its ring holds is drained, its cells are folded, its memory freed. Runs
   on the thread itself as it ends or finds its instance gone, and for threads that a fork left behind. */
TEL__NOINLINE void tel__lifecycle_leave(tel__ring_thread* t) {
    tel_instance* inst = (tel_instance*)t->registry->owner;
    tel__thread_mutex_lock(&inst->gate);
    if (!tel__atomic_load_u32(&inst->drained)) { tel__pipeline_drain_thread(&inst->pipeline, t); }
    tel__thread_mutex_unlock(&inst->gate);
    tel__ring_thread_unlink(t);
    if (t->cells) { tel__metric_cells_end(t->cells); }
    if (t->tracer) { tel__span_tracer_end(t->tracer); }
    tel__ring_thread_free(t);
    tel__lifecycle_release(inst);
}

TEL__COLD void tel__lifecycle_forget_me(void) {
    tel__thread_me.cells = NULL;
    tel__thread_me.tracer = NULL;
    tel__thread_me.ring = NULL;
}

TEL__NOINLINE void tel__lifecycle_depart(tel__ring_thread* mine) {
    tel__thread_exit_arm(&tel__root.hook, NULL);
    tel__lifecycle_forget_me();
    tel__lifecycle_leave(mine);
}
TEL__COLD void tel__lifecycle_thread_exit(void* value) { tel__lifecycle_depart((tel__ring_thread*)value); }

/* Registers the calling thread with inst, whose reference it takes over; false: no memory, and then the
   reference is given back. Recording begins with wake. */
TEL__NOINLINE bool tel__lifecycle_join(tel_instance* inst) {
    tel__ring_thread* t = tel__ring_thread_add(&inst->registry);
    if (t) {
        tel__metric_cells* cells = tel__metric_cells_add(&inst->metrics);
        tel__span_tracer* tracer = tel__span_tracer_add(&inst->spans, t);
        tel__thread_mutex_lock(&inst->registry.mutex);      /* shut_gate may be looking */
        t->cells = cells;
        t->tracer = tracer;
        tel__thread_mutex_unlock(&inst->registry.mutex);
    }
    if (!t || !t->cells || !t->tracer || !tel__thread_exit_arm(&tel__root.hook, t)) {
        if (t) { tel__lifecycle_leave(t); } else { tel__lifecycle_release(inst); }
        return false;
    }
    tel__thread_mutex_lock(&inst->gate);        /* closed in between: it would not have seen this thread */
    if (tel__atomic_load_u32(&inst->closed)) {
        tel__atomic_store_u32(&t->closed, 1);
        tel__atomic_store_u32(&t->tracer->closed, 1);
        tel__thread_mutex_lock(&inst->metrics.mutex);
        tel__metric_cells_shut(t->cells);
        tel__thread_mutex_unlock(&inst->metrics.mutex);
    }
    tel__thread_mutex_unlock(&inst->gate);
    tel__thread_me.ring = t;
    tel__atomic_add_u64(&inst->ignored, tel__thread_me.idle);
    tel__thread_me.idle = 0;
    return true;
}

/* Lets this thread record; in the child of fork, at its first record: the export thread. Under the gate, because
   two copies of this header may come at once, and an instance that shuts down must not get a thread any more. */
TEL__COLD void tel__lifecycle_wake(tel_instance* inst) {
    bool well = true;
    tel__thread_me.cells = tel__thread_me.ring->cells;
    tel__thread_me.tracer = tel__thread_me.ring->tracer;
    tel__thread_mutex_lock(&inst->gate);
    if (inst->dormant && !tel__atomic_load_u32(&inst->closed)) {
        inst->dormant = false;
        well = inst->no_thread || tel__pipeline_start(&inst->pipeline);
    }
    tel__thread_mutex_unlock(&inst->gate);
    if (!well) { tel__diag_report(&inst->diag, TEL__DIAG_THREAD, "in the child of fork"); }
}

/* The usual answer before tel_init and after tel_shutdown, told without a call: nothing records here. */
TEL__INLINE bool tel__lifecycle_idle(void) {
    if (TEL__LIKELY(tel__atomic_load_ptr(&tel__root.current) != NULL)) { return false; }
    tel__thread_me.idle++;
    return true;
}

/* The instance this thread records into, with tel__thread_me filled in; NULL: none, inside a sink, or no memory. It
   stays valid while the thread does, or until the thread itself shuts down. */
TEL__NOINLINE tel_instance* tel__lifecycle_enter(int signal) {
    tel__ring_thread* t = tel__thread_me.ring;
    tel_instance* inst;
    if (tel__thread_me.quiet) { return NULL; }
    if (t && !tel__atomic_load_u32(&t->closed)) {
        inst = (tel_instance*)t->registry->owner;
        if (TEL__UNLIKELY(!tel__thread_me.cells || !tel__thread_me.tracer)) { tel__lifecycle_wake(inst); }
        return inst;
    }
    if (tel__lifecycle_idle()) { return NULL; }
    if (t) { tel__lifecycle_depart(t); }
    inst = tel__lifecycle_acquire();
    if (inst && tel__atomic_load_u32(&inst->closed)) {      /* shut down by its owner: later records end in idle */
        tel__lifecycle_follow(NULL, inst);
        tel__lifecycle_release(inst);
        inst = NULL;
    }
    if (!inst) { tel__thread_me.idle++; return NULL; }
    tel__atomic_add_u32(&inst->refs, 1);
    if (!tel__lifecycle_join(inst)) {
        if (signal >= 0) { tel__atomic_add_u64(&inst->unregistered[signal], 1); }
        tel__diag_note(&inst->diag, TEL__DIAG_MEMORY, NULL);
        tel__lifecycle_release(inst);
        return NULL;
    }
    tel__lifecycle_wake(inst);
    tel__lifecycle_release(inst);
    return inst;
}

/* ---- books ---- */

TEL__NOINLINE void tel__lifecycle_stats(tel_instance* inst, tel_stats* out) {
    uint32_t threads, k;
    tel__ring_books sum;
    uint64_t started, ended, staged[2];
    int i;
    memset(out, 0, sizeof *out);
    tel__thread_mutex_lock(&inst->pipeline.stage);      /* nothing goes from a ring to a stage meanwhile */
    sum = tel__ring_totals(&inst->registry, &threads);
    for (i = 0; i < 2; i++) { staged[i] = tel__atomic_load_u64(&inst->pipeline.staged[i]); }
    tel__thread_mutex_unlock(&inst->pipeline.stage);
    started = tel__atomic_load_u64(&sum.started);
    ended = tel__atomic_load_u64(&sum.ended);
    out->recorded[0] = tel__atomic_load_u64(&inst->pipeline.points);
    for (i = 0; i < 2; i++) {
        uint64_t lost = tel__atomic_load_u64(&inst->unregistered[i]);
        out->recorded[1 + i] = tel__atomic_load_u64(&sum.recorded[i]) + lost;
        out->dropped[1 + i] = tel__atomic_load_u64(&sum.dropped[i]) + lost;
        out->queued[1 + i] = tel__atomic_load_u64(&sum.recorded[i]) - tel__atomic_load_u64(&sum.dropped[i])
                           - tel__atomic_load_u64(&sum.taken[i]) + staged[i];
    }
    for (k = 0; k < inst->pipeline.sink_count; k++) {
        tel_sink_stats s;
        tel__pipeline_sink_stats(&inst->pipeline, &inst->pipeline.sinks[k], &s);
        for (i = 0; i < 3; i++) {
            out->exported[i] += s.delivered[i];
            out->failed[i] += s.dropped_full[i] + s.dropped_failed[i];
        }
    }
    out->series = tel__atomic_load_u32(&inst->metrics.by_id.count) - 2;
    out->series_overflow = tel__atomic_load_u64(&inst->metrics.overflowed);
    out->spans_live = started > ended ? started - ended : 0;
    out->spans_leaked = tel__atomic_load_u64(&sum.leaked);
    out->bytes_allocated = tel__atomic_load_u64(&inst->memory.used);
    out->threads = threads;
    out->ignored = tel__atomic_load_u64(&inst->ignored) + tel__thread_me.idle;
}

static const tel_scope tel__lifecycle_scope = { "telemetry.h", TEL_VERSION_STRING, NULL, { NULL, 0 } };

TEL__COLD void tel__lifecycle_observe(tel_observation* o, uint64_t v, const char* type, const char* name,
                                    const char* error) {
    tel_attr items[3];
    size_t n = 0;
    items[n++] = tel_str("otel.component.type", type);
    items[n++] = tel_str("otel.component.name", name);
    if (error) { items[n++] = tel_str("error.type", error); }
    tel__metric_observe(o, 0, (int64_t)v, tel__attrs(items, n));
}

/* otel.sdk.processor.*.processed: what left the rings, and what never did (semantic conventions, "SDK metrics"). */
TEL__COLD void tel__lifecycle_observe_processed(tel_observation* o, void* user_data) {
    const tel__lifecycle_self* self = (const tel__lifecycle_self*)user_data;
    int signal = self->signal;
    const char* type = signal == 1 ? "batching_span_processor" : "batching_log_processor";
    const char* name = signal == 1 ? "batching_span_processor/0" : "batching_log_processor/0";
    tel_stats s;
    tel__lifecycle_stats(self->inst, &s);
    tel__lifecycle_observe(o, s.recorded[signal] - s.dropped[signal] - s.queued[signal], type, name, NULL);
    if (s.dropped[signal]) { tel__lifecycle_observe(o, s.dropped[signal], type, name, "queue_full"); }
}

TEL__COLD void tel__lifecycle_observe_exported(tel_observation* o, void* user_data) {
    const tel__lifecycle_self* self = (const tel__lifecycle_self*)user_data;
    tel__pipeline* p = &self->inst->pipeline;
    int signal = self->signal;
    uint32_t k;
    for (k = 0; k < p->sink_count; k++) {
        tel__pipeline_sink* sink = &p->sinks[k];
        tel_sink_stats s;
        char type[64], name[80];
        if (!tel__pipeline_wants(sink, signal)) { continue; }
        tel__pipeline_sink_stats(p, sink, &s);
        snprintf(type, sizeof type, "%s_%s_exporter", s.name, signal == 0 ? "metric" : signal == 1 ? "span" : "log");
        snprintf(name, sizeof name, "%s/%u", type, (unsigned)k);
        tel__lifecycle_observe(o, s.delivered[signal], type, name, NULL);
        if (s.dropped_full[signal]) { tel__lifecycle_observe(o, s.dropped_full[signal], type, name, "queue_full"); }
        if (s.dropped_failed[signal]) { tel__lifecycle_observe(o, s.dropped_failed[signal], type, name, "rejected"); }
    }
}

TEL__COLD void tel__lifecycle_self_metrics(tel_instance* inst) {
    static const struct { const char* name; const char* unit; int signal; } list[] = {
        { "otel.sdk.processor.span.processed", "{span}", 1 },
        { "otel.sdk.processor.log.processed", "{log_record}", 2 },
        { "otel.sdk.exporter.span.exported", "{span}", 1 },
        { "otel.sdk.exporter.log.exported", "{log_record}", 2 },
        { "otel.sdk.exporter.metric_data_point.exported", "{data_point}", 0 }
    };
    size_t i;
    for (i = 0; i < TEL__ARRAY_SIZE(list); i++) {
        tel__lifecycle_self* self = &inst->self[list[i].signal];
        tel_observer_desc d;
        self->inst = inst;
        self->signal = list[i].signal;
        memset(&d, 0, sizeof d);
        d.kind = TEL_OBSERVE_COUNTER;
        d.name = list[i].name;
        d.unit = list[i].unit;
        d.description = "The SDK about itself";
        d.scope = &tel__lifecycle_scope;
        d.func = i < 2 ? tel__lifecycle_observe_processed : tel__lifecycle_observe_exported;
        d.user_data = self;
        tel__metric_observer_add(&inst->metrics, &d, false);
    }
}

/* ---- opening the built-in sinks: their config, then R19 ---- */

TEL__COLD bool tel__lifecycle_otlp_reachable(const tel_otlp_desc* desc, const char* url) {
    tel__http_url parsed;
    if (TEL__CURL || (desc && desc->post_fn)) { return true; }
    if (!TEL_NO_HTTP && tel__http_url_parse(tel__text_of(url), &parsed) == TEL_OK && !parsed.tls) { return true; }
    tel__diag_report(&tel__root.opening->diag, TEL_NO_HTTP ? TEL__DIAG_URL : TEL__DIAG_NO_TLS, "%s",
                     TEL_NO_HTTP ? "built with TEL_NO_HTTP, OTLP needs tel_otlp_desc.post_fn" : url);
    return false;
}

TEL__COLD tel_result tel__lifecycle_open_otlp(tel_sink* self, const tel_allocator* a) {
    tel_instance* inst = tel__root.opening;
    const tel_otlp_desc* desc = (const tel_otlp_desc*)self->config;
    tel__config_otlp* c = (tel__config_otlp*)tel__memory_alloc(&inst->memory, sizeof *c);
    tel__sink_otlp* o = NULL;
    tel_result r = TEL_ERR_MEMORY;
    int i;
    (void)a;
    if (c) { r = tel__config_otlp_resolve(desc, tel__root.opening_desc->ignore_env, &inst->diag, c); }
    if (r == TEL_OK) {
        o = tel__sink_otlp_make(&inst->memory, &inst->diag, desc, inst->no_thread);
        if (!o) { r = TEL_ERR_MEMORY; }
    }
    for (i = 0; r == TEL_OK && i < 3; i++) {
        const tel__config_otlp_signal* s = &c->signals[i];
        uint32_t timeout = s->timeout_ms == TEL_FOREVER ? 0 : s->timeout_ms;
        if (!tel__lifecycle_otlp_reachable(desc, s->url)) { r = TEL_ERR_ARGUMENT; }
        else if (!tel__sink_otlp_target(o, i, s->url, s->headers, timeout, s->gzip)) { r = TEL_ERR_MEMORY; }
    }
    tel__memory_free(&inst->memory, c, sizeof *c);
    if (r != TEL_OK && o) { tel__sink_otlp_free(&o->delivery); }
    if (r == TEL_OK) { self->user_data = o; }
    return r;
}

TEL__COLD tel_result tel__lifecycle_open_prometheus(tel_sink* self, const tel_allocator* a) {
    tel_instance* inst = tel__root.opening;
    tel__config_prometheus c;
    tel_result r = tel__config_prometheus_resolve((const tel_prometheus_desc*)self->config,
                                                  tel__root.opening_desc->ignore_env, &inst->diag, &c);
    (void)a;
    if (r != TEL_OK) { return r; }
#if TEL_NO_HTTP
    tel__diag_report(&inst->diag, TEL__DIAG_LISTEN, "built with TEL_NO_HTTP");
    return TEL_ERR_STATE;
#else
    r = tel__sink_prometheus_open(self, &inst->source, c.host, (uint16_t)c.port);
    if (r == TEL_OK && !inst->prometheus_port) {
        inst->prometheus_port = tel__http_listener_port(((tel__sink_prometheus*)self->user_data)->listener);
    }
    return r;
#endif
}

TEL__COLD tel_result tel__lifecycle_open_text(tel_sink* self, const tel_allocator* a) {
    (void)a;
    return tel__sink_text_open(self, &tel__root.opening->memory);
}

TEL__COLD tel_sink tel__lifecycle_sink(const char* name, const void* config,
                                       tel_result (*open_fn)(tel_sink* self, const tel_allocator* a),
                                       tel_result (*export_fn)(const tel_batch* batch, void* user_data),
                                       void (*close_fn)(void* user_data)) {
    tel_sink s;
    memset(&s, 0, sizeof s);
    s.name = name;
    s.config = config;
    s.open_fn = open_fn;
    s.export_fn = export_fn;
    s.close_fn = close_fn;
    return s;
}

TEL__COLD tel_sink tel__lifecycle_sink_otlp(const tel_otlp_desc* desc) {
    tel_sink s = tel__lifecycle_sink("otlp_http_json", desc, tel__lifecycle_open_otlp, tel__sink_otlp_export,
                                     tel__pipeline_delivery_close);
    s.flush_fn = tel__pipeline_delivery_flush;
    s.stats_fn = tel__pipeline_delivery_stats;
    s.fork_fn = tel__sink_otlp_fork;
    return s;
}

/* ---- fork ---- */

TEL__COLD void tel__lifecycle_fork_locks(tel_instance* inst, void (*turn)(tel__thread_mutex* m)) {
    turn(&inst->gate);
    turn(&inst->pipeline.stage);
    turn(&inst->registry.mutex);
    turn(&inst->metrics.mutex);
    turn(&inst->scopes.mutex);
}

/* The instance this copy of the header has to see through a fork; an adopted one is its owner's. */
TEL__COLD tel_instance* tel__lifecycle_forkable(void) {
    tel_instance* inst = (tel_instance*)tel__atomic_load_ptr(&tel__root.current);
    return tel__root.adopted ? NULL : inst ? inst : tel__root.closing;
}

TEL__COLD void tel__lifecycle_fork_before(void) {
    tel_instance* inst;
    tel__thread_mutex_lock(&tel__root.mutex);
    inst = tel__lifecycle_forkable();
    if (inst) { tel__lifecycle_fork_locks(inst, tel__thread_mutex_lock); }
    tel__atomic_lock();
}

TEL__COLD void tel__lifecycle_fork_parent(void) {
    tel_instance* inst;
    tel__atomic_unlock();
    inst = tel__lifecycle_forkable();
    if (inst) { tel__lifecycle_fork_locks(inst, tel__thread_mutex_unlock); }
    tel__thread_mutex_unlock(&tel__root.mutex);
}

/* Empties the registry but for the forking thread, whose ring and books start anew. */
TEL__COLD void tel__lifecycle_fork_threads(tel_instance* inst) {
    tel__ring_thread *t, *next, *mine = NULL;
    uint32_t at;
    for (t = inst->registry.threads; t; t = next) {
        next = t->next;
        if (t == tel__thread_me.ring) { mine = t; continue; }
        tel__memory_free(&inst->memory, t->tracer, sizeof *t->tracer);
        tel__ring_thread_free(t);
        tel__atomic_add_u32(&inst->refs, (uint32_t)-1);
    }
    inst->registry.threads = mine;
    inst->registry.count = mine ? 1 : 0;
    inst->registry.rings = mine && mine->own.data ? 1 : 0;
    memset(&inst->registry.ended, 0, sizeof inst->registry.ended);
    if (inst->registry.shared.data) {
        memset(inst->registry.shared.data, 0, inst->registry.shared.size);
        tel__atomic_store_u32(&inst->registry.shared.head, 0);
        tel__atomic_store_u32(&inst->registry.shared.tail, 0);
        inst->registry.shared.goal = 0;
    }
    if (!mine) { return; }
    mine->next = NULL;
    memset(&mine->books, 0, sizeof mine->books);
    at = tel__atomic_load_u32(&mine->own.head);
    tel__atomic_store_u32(&mine->own.tail, at);
    mine->own.seen_tail = mine->own.reserved = mine->own.goal = at;
    tel__id_seed(&mine->tracer->generator);
    mine->tracer->cached = 0;
    for (at = 0; at < mine->tracer->depth; at++) { mine->tracer->stack[at].tel__slot = 0; }
    mine->cells = tel__metric_cells_add(&inst->metrics);
}

TEL__COLD void tel__lifecycle_fork_sinks(tel_instance* inst) {
    uint32_t i;
    int j;
    for (i = 0; i < inst->pipeline.sink_count; i++) {
        tel__pipeline_sink* k = &inst->pipeline.sinks[i];
        memset(k->accepted, 0, sizeof k->accepted);
        memset(k->dropped_full, 0, sizeof k->dropped_full);
        memset(k->dropped_failed, 0, sizeof k->dropped_failed);
        for (j = 0; j < 2; j++) { k->retry_at[j] = k->backoff_ns[j] = k->give_up_at[j] = 0; }
        if (k->sink.fork_fn) { k->sink.fork_fn(k->sink.user_data); }
    }
}

/* The child: one thread, whole locks, nothing recorded. Allocates little and makes no thread. */
TEL__NOINLINE void tel__lifecycle_fork_child(void) {
    tel_instance* inst;
    tel__pipeline* p;
    tel__lifecycle_fork_parent();
    inst = tel__lifecycle_forkable();
    tel__root.changing = false;
    tel__root.hooked = true;            /* also where the parent had not come to say so */
    tel__thread_me.forks++;
    if (tel__thread_me.ring && (tel__root.adopted || !inst || tel__thread_me.ring->registry != &inst->registry)) {
        /* The owner's hook frees it, or its instance was being shut down and nobody does. */
        tel__thread_exit_arm(&tel__root.hook, NULL);
        tel__lifecycle_forget_me();
    }
    if (!inst) { return; }
    p = &inst->pipeline;
    tel__pipeline_sync_init(p);
    p->busy = p->running = p->in_round = p->thread.started = false;
    p->arena.chunks = NULL;             /* perhaps in use at the fork: left alone */
    tel__pipeline_discard(p);
    tel__metric_restart(&inst->metrics);
    tel__span_restart(&inst->spans);
    tel__lifecycle_fork_threads(inst);
    tel__lifecycle_fork_sinks(inst);
    tel__config_refork(&inst->config);
    tel__atomic_store_u64(&p->points, 0);
    tel__atomic_store_u64(&inst->ignored, 0);
    memset(inst->unregistered, 0, sizeof inst->unregistered);
    p->said_dropped[0] = p->said_dropped[1] = 0;
    p->next_collect = tel__clock_mono_ns() + (uint64_t)p->metric_interval_ms * 1000000u;
    inst->prometheus_port = 0;
    inst->dormant = true;
    tel__thread_me.cells = NULL;
    tel__thread_me.tracer = NULL;
}

/* ---- start ---- */

TEL__COLD void tel__lifecycle_at_exit(void);

TEL__COLD bool tel__lifecycle_hooks(void) {
    if (!tel__thread_exit_hook_make(&tel__root.hook, tel__lifecycle_thread_exit)) { return false; }
    if (tel__root.hooked) { return true; }
    atexit(tel__lifecycle_at_exit);     /* first: what has the fork hooks has all */
    if (!tel__thread_fork_hooks(tel__lifecycle_fork_before, tel__lifecycle_fork_parent, tel__lifecycle_fork_child)) {
        return false;
    }
    tel__root.hooked = true;
    return true;
}

/* Opens the sinks in order; on a failure those that were opened are closed again. */
TEL__COLD tel_result tel__lifecycle_open_sinks(tel_instance* inst, const tel_desc* desc) {
    tel_sink fallback;
    const tel_sink* list = desc->sinks;
    size_t count = desc->sink_count, i;
    tel_result r = TEL_OK;
    uint32_t said;
    if (!count) {
        fallback = tel__lifecycle_sink_otlp(NULL);
        list = &fallback;
        count = 1;
    }
    tel__root.opening = inst;
    tel__root.opening_desc = desc;
    for (i = 0; i < count && r == TEL_OK; i++) {
        tel_sink* sink = &inst->sinks[i];
        *sink = list[i];
        said = tel__atomic_load_u32(&inst->diag.errors);
        if (sink->open_fn) { r = sink->open_fn(sink, &inst->memory.allocator); }
        if (r != TEL_OK && said == tel__atomic_load_u32(&inst->diag.errors)) {
            tel__diag_report(&inst->diag, TEL__DIAG_SINK_OPEN, "%s: %s", sink->name ? sink->name : "sink",
                             tel__diag_result(r));
        }
        if (r == TEL_OK && !sink->export_fn && sink->signal_mask != TEL_PULL) {
            if (sink->close_fn) { sink->close_fn(sink->user_data); }
            r = TEL_ERR_ARGUMENT;
            tel__diag_report(&inst->diag, TEL__DIAG_SINK_OPEN, "%s has no export_fn", sink->name ? sink->name : "sink");
        }
        sink->config = NULL;
        snprintf(inst->sink_names[i], sizeof inst->sink_names[i], "%s", sink->name ? sink->name : "sink");
        sink->name = inst->sink_names[i];
    }
    tel__root.opening = NULL;
    tel__root.opening_desc = NULL;
    if (tel__pipeline_init(&inst->pipeline, inst->sinks, r == TEL_OK ? count : 0) != TEL_OK) {
        r = TEL_ERR_MEMORY;
        i++;                            /* the last one is open too */
    }
    while (r != TEL_OK && --i > 0) {
        if (inst->sinks[i - 1].close_fn) { inst->sinks[i - 1].close_fn(inst->sinks[i - 1].user_data); }
    }
    return r;
}

TEL__COLD void tel__lifecycle_remember(tel_instance* inst, const tel_desc* desc) {
    const tel__config* c = &inst->config;
    tel_desc* d = &inst->desc;
    *d = *desc;
    d->service_name = c->service_name;
    d->service_version = c->service_version;
    d->resource = c->resource;
    d->sinks = inst->sinks;
    d->sink_count = inst->pipeline.sink_count;
    d->sample_ratio = c->sample_ratio > 0 ? c->sample_ratio : TEL_NEVER;
    d->ring_bytes = c->ring_bytes;
    d->max_threads = c->max_threads;
    d->max_series = c->max_series;
    d->max_live_spans = c->max_live_spans;
    d->metric_interval_ms = c->metric_interval_ms;
    d->batch_interval_ms = c->limits[0].delay_ms;
    d->memory_limit = c->memory_limit;
    d->allocator = inst->memory.allocator;
}

TEL__COLD void tel__lifecycle_wire(tel_instance* inst) {
    tel__pipeline* p = &inst->pipeline;
    const tel__config* c = &inst->config;
    inst->source.resource = &c->resource;
    inst->source.metrics = p->metrics = &inst->metrics;
    inst->source.memory = p->memory = &inst->memory;
    inst->source.diag = p->diag = &inst->diag;
    p->clock = &inst->clock;
    p->registry = &inst->registry;
    p->left_fn = tel__lifecycle_left;
    p->scopes = &inst->scopes;
    p->resource = c->resource;
    p->metric_interval_ms = c->metric_interval_ms;
    p->metric_timeout_ms = c->metric_timeout_ms;
    p->limits[0] = c->limits[0];
    p->limits[1] = c->limits[1];
}

/* Builds the rooms of an instance whose config is resolved. What was built on a failure is freed by destroy. */
TEL__COLD tel_result tel__lifecycle_build(tel_instance* inst, const tel_desc* desc) {
    const tel__config* c = &inst->config;
    tel_result r, s, o;
    tel__clock_init(&inst->clock, desc->clock_ns, desc->clock_user_data);
    tel__attr_scopes_init(&inst->scopes, &inst->memory);
    tel__ring_registry_init(&inst->registry, &inst->memory, c->ring_bytes, c->max_threads, inst);
    r = tel__metric_init(&inst->metrics, &inst->memory, &inst->diag, &inst->clock, &inst->scopes,
                         tel__root.next_id, c->max_series);
    s = tel__span_init(&inst->spans, &inst->memory, &inst->diag, &inst->clock, &inst->scopes, c->max_live_spans,
                       c->ring_bytes, c->max_threads, ++tel__root.epoch);
    inst->spans.sampler.parent_based = c->parent_based;
    inst->spans.sampler.threshold = c->threshold;
    inst->no_thread = desc->no_thread;
    inst->no_atexit = desc->no_atexit;
    tel__lifecycle_wire(inst);
    o = tel__lifecycle_open_sinks(inst, desc);
    if (o == TEL_OK && r == TEL_OK && s == TEL_OK) {
        if (!desc->no_self_metrics) { tel__lifecycle_self_metrics(inst); }
        tel__lifecycle_remember(inst, desc);
    }
    return r != TEL_OK ? r : s != TEL_OK ? s : o;
}

/* Says why tel_init fails, unless that was said already. */
TEL__COLD tel_result tel__lifecycle_failed(tel__diag* d, tel_result r) {
    if (r != TEL_OK && !tel__atomic_load_u32(&d->errors)) {
        tel__diag_report(d, TEL__DIAG_INIT, "%s%s", tel__diag_result(r),
                         r == TEL_ERR_MEMORY ? " (tel_desc.memory_limit, or its allocator)" : "");
    }
    return r;
}

/* Makes an instance; *out stays NULL when the environment disables the SDK. */
TEL__COLD tel_result tel__lifecycle_make(const tel_desc* desc, tel_instance** out) {
    size_t limit = desc->memory_limit ? desc->memory_limit : (size_t)64 << 20;
    bool own = desc->allocator.alloc_fn && desc->allocator.free_fn;
    tel__memory boot;
    tel_instance* inst;
    tel_result r;
    tel__memory_init(&boot, own ? &desc->allocator : NULL, limit);
    inst = (tel_instance*)tel__memory_alloc(&boot, sizeof *inst);
    if (!inst) {
        tel__diag early;
        tel__diag_init(&early, &desc->diag);
        early.max_level = tel__config_log_level(desc, &early);
        return tel__lifecycle_failed(&early, TEL_ERR_MEMORY);
    }
    inst->memory = boot;
    inst->magic = TEL__LIFECYCLE_MAGIC;
    tel__atomic_store_u32(&inst->refs, 1);
    tel__thread_mutex_init(&inst->gate);
    tel__diag_init(&inst->diag, &desc->diag);
    inst->diag.max_level = tel__config_log_level(desc, &inst->diag);
    r = tel__config_resolve(desc, &inst->memory, &inst->diag, &inst->config);
    if (r == TEL_OK && !inst->config.disabled) {
        r = tel__lifecycle_build(inst, desc);
        if (r == TEL_OK) { *out = inst; return TEL_OK; }
        tel__pipeline_close(&inst->pipeline);
        tel__lifecycle_failed(&inst->diag, r);
        tel__lifecycle_release(inst);
        return r;
    }
    tel__lifecycle_failed(&inst->diag, r);
    tel__config_free(&inst->config, &inst->memory);
    tel__thread_mutex_destroy(&inst->gate);
    boot = inst->memory;
    tel__memory_free(&boot, inst, sizeof *inst);
    return r;
}

/* Takes the right to start or stop; false: somebody else has it. */
TEL__COLD bool tel__lifecycle_begin_change(void) {
    bool mine;
    tel__thread_mutex_lock(&tel__root.mutex);
    mine = !tel__root.changing;
    if (mine) { tel__root.changing = true; }
    tel__thread_mutex_unlock(&tel__root.mutex);
    return mine;
}

TEL__COLD void tel__lifecycle_end_change(tel_instance* publish) {
    tel__thread_mutex_lock(&tel__root.mutex);
    if (publish) { tel__atomic_store_release_ptr(&tel__root.current, publish); }
    tel__root.changing = false;
    tel__thread_mutex_unlock(&tel__root.mutex);
}

TEL__NOINLINE tel_result tel__lifecycle_start(const tel_desc* desc) {
    tel_instance* inst = NULL;
    tel_result r = TEL_ERR_MEMORY;
    if (!tel__lifecycle_begin_change()) { return TEL_ERR_STATE; }
    if (tel__atomic_load_acquire_ptr(&tel__root.current)) {
        tel__lifecycle_end_change(NULL);
        return TEL_ERR_STATE;
    }
    if (!tel__root.next_id) {
        tel__id_random((uint8_t*)&tel__root.next_id, sizeof tel__root.next_id);
        tel__root.epoch = tel__root.next_id;
        tel__root.next_id = (tel__root.next_id & 0x1fffffffu) + 1;
    }
    if (tel__root.next_id > 0x40000000u) { r = TEL_ERR_LIMIT; }
    else if (tel__lifecycle_hooks()) { r = tel__lifecycle_make(desc, &inst); }
    if (inst && !inst->no_thread && !tel__pipeline_start(&inst->pipeline)) {
        tel__diag_report(&inst->diag, TEL__DIAG_THREAD, "the system refused one");
        inst->no_thread = true;
    }
    tel__lifecycle_end_change(inst);
    return r;
}

/* ---- stop ---- */

/* From here on nothing is recorded into inst. */
TEL__COLD void tel__lifecycle_shut_gate(tel_instance* inst) {
    tel__metric_cells* k;
    tel__ring_thread* t;
    tel__thread_mutex_lock(&inst->gate);
    tel__atomic_store_u32(&inst->closed, 1);
    tel__thread_mutex_lock(&inst->registry.mutex);
    for (t = inst->registry.threads; t; t = t->next) {
        tel__atomic_store_u32(&t->closed, 1);
        if (t->tracer) { tel__atomic_store_u32(&t->tracer->closed, 1); }
    }
    tel__thread_mutex_unlock(&inst->registry.mutex);
    tel__thread_mutex_lock(&inst->metrics.mutex);
    for (k = inst->metrics.cells; k; k = k->next) { tel__metric_cells_shut(k); }
    tel__thread_mutex_unlock(&inst->metrics.mutex);
    tel__thread_mutex_unlock(&inst->gate);
}

TEL__COLD void tel__lifecycle_say_lost(tel_instance* inst, tel_result* r) {
    uint64_t lost[3];
    tel_stats s;
    uint32_t k;
    int i;
    tel__lifecycle_stats(inst, &s);
    for (i = 0; i < 3; i++) { lost[i] = s.failed[i] + s.dropped[i] + s.queued[i]; }
    for (k = 0; k < inst->pipeline.sink_count; k++) {
        tel_sink_stats later;
        tel__pipeline_sink_stats(&inst->pipeline, &inst->pipeline.sinks[k], &later);
        for (i = 0; i < 3; i++) { lost[i] += later.queued[i]; }
    }
    if (*r == TEL_OK && (lost[0] || lost[1] || lost[2])) { *r = TEL_ERR_IO; }
    if (*r != TEL_OK) {
        tel__diag_report(&inst->diag, TEL__DIAG_SHUTDOWN,
                         "%s: %llu metric points, %llu spans, %llu log records not delivered",
                         tel__diag_result(*r), (unsigned long long)lost[0], (unsigned long long)lost[1],
                         (unsigned long long)lost[2]);
    }
}

TEL__COLD tel_result tel__lifecycle_finish(tel_instance* inst, uint64_t deadline) {
    tel_result r;
    bool ended, entered;
    tel_stats last;
    uint32_t series, metrics;
    tel__lifecycle_shut_gate(inst);
    r = inst->dormant ? TEL_OK : tel__pipeline_flush(&inst->pipeline, deadline);   /* a child that recorded nothing */
    tel__thread_mutex_lock(&inst->gate);
    tel__atomic_store_u32(&inst->drained, 1);
    tel__thread_mutex_unlock(&inst->gate);
    tel__atomic_add_u32(&inst->refs, 1);        /* for the export thread, should it stay behind */
    ended = tel__pipeline_stop(&inst->pipeline, deadline);
    if (ended) { tel__atomic_add_u32(&inst->refs, (uint32_t)-1); }
    entered = ended && tel__pipeline_enter(&inst->pipeline, deadline);
    if (!tel__metric_seal(&inst->metrics, deadline) && r == TEL_OK) { r = TEL_ERR_TIMEOUT; }
    tel__lifecycle_say_lost(inst, &r);
    tel__thread_mutex_lock(&tel__root.mutex);       /* from here on no child of fork may touch the sinks */
    tel__root.closing = NULL;
    tel__thread_mutex_unlock(&tel__root.mutex);
    if (entered) {
        tel__pipeline_close(&inst->pipeline);
        tel__pipeline_leave(&inst->pipeline);
    } else {
        r = TEL_ERR_TIMEOUT;            /* somebody is inside a sink and holds a reference: the last closes the sinks */
    }
    tel__diag_flush(&inst->diag);
    tel__lifecycle_stats(inst, &last);
    tel__thread_mutex_lock(&tel__root.mutex);
    tel__root.last = last;
    tel__thread_mutex_unlock(&tel__root.mutex);
    series = tel__atomic_load_u32(&inst->metrics.by_id.count);
    metrics = tel__atomic_load_u32(&inst->metrics.metric_by_id.count);
    tel__root.next_id += series > metrics ? series : metrics;
    return r;
}

TEL__NOINLINE tel_result tel__lifecycle_stop(uint32_t timeout_ms) {
    uint64_t deadline = tel__clock_deadline(timeout_ms);
    tel__ring_thread* mine = tel__thread_me.ring;
    tel_instance* inst;
    tel_result r;
    if (!tel__lifecycle_begin_change()) { return TEL_ERR_STATE; }
    tel__thread_mutex_lock(&tel__root.mutex);
    inst = (tel_instance*)tel__atomic_load_ptr(&tel__root.current);
    if (tel__root.adopted) { inst = NULL; }
    if (inst) { tel__atomic_store_release_ptr(&tel__root.current, NULL); tel__root.closing = inst; }
    tel__thread_mutex_unlock(&tel__root.mutex);
    if (!inst) { tel__lifecycle_end_change(NULL); return TEL_ERR_STATE; }
    r = tel__lifecycle_finish(inst, deadline);
    if (mine && mine->registry == &inst->registry) { tel__lifecycle_depart(mine); }
    tel__lifecycle_release(inst);
    tel__lifecycle_end_change(NULL);
    return r;
}

TEL__COLD void tel__lifecycle_at_exit(void) {
    tel_instance* inst = tel__lifecycle_acquire();
    bool flush = inst && !inst->no_atexit;     /* an adopted one is refused */
    if (inst) { tel__lifecycle_release(inst); }
    if (flush) { tel__lifecycle_stop(TEL__LIFECYCLE_EXIT_MS); }
}

/* ---- adoption ---- */

TEL__NOINLINE tel_result tel__lifecycle_adopt(tel_instance* other) {
    tel__ring_thread* t = tel__thread_me.ring;
    if (other && other->magic != TEL__LIFECYCLE_MAGIC) { return TEL_ERR_BUILD; }
    if (!tel__lifecycle_begin_change()) { return TEL_ERR_STATE; }
    if ((other && !tel__lifecycle_hooks()) || !tel__lifecycle_follow(other, NULL)) {
        tel__lifecycle_end_change(NULL);
        return TEL_ERR_STATE;
    }
    if (t && t->registry->owner != other) { tel__lifecycle_depart(t); }
    if (!other) { tel__thread_exit_hook_drop(&tel__root.hook); }
    tel__lifecycle_end_change(NULL);
    return TEL_OK;
}

/* ==== R22 >>api =======================================================================================
   The public functions: check, find what the thread needs, forward. Promises stand at the declarations.

   Uses      all rooms above.                  Used by   you.
   Threads   as the manual's table says.
   Holds     nothing of its own.
   Tests     tests/api/   fuzz: none   bench: all
*/
TEL_API const char* tel_result_string(tel_result r) { return tel__diag_result(r); }

/* Inside a sink or an observer, where waiting for a round or a collection would be waiting for oneself. */
TEL__INLINE bool tel__api_called_back(void) { return tel__thread_me.quiet || tel__thread_me.observing; }

/* ---- setup ---- */

TEL_API tel_result tel__init(const tel_desc* desc, uint32_t build_tag) {
    tel_desc zero;
    tel__diag diag;
    tel__diag_init(&diag, NULL);
    if (build_tag != TEL__BUILD_TAG) {
        tel__diag_report(&diag, TEL__DIAG_BUILD, "tags %08x and %08x", (unsigned)build_tag, (unsigned)TEL__BUILD_TAG);
        return TEL_ERR_BUILD;
    }
    memset(&zero, 0, sizeof zero);
    if (desc && (desc->tel__canary_begin || desc->tel__canary_end)) {
        tel__diag_report(&diag, TEL__DIAG_DESC, "was not zeroed");
        return TEL_ERR_ARGUMENT;
    }
    if (tel__api_called_back()) { return TEL_ERR_STATE; }
    return tel__lifecycle_start(desc ? desc : &zero);
}

TEL_API tel_result tel_flush(uint32_t timeout_ms) {
    uint64_t deadline = tel__clock_deadline(timeout_ms);
    tel_instance* inst = tel__api_called_back() ? NULL : tel__lifecycle_acquire();
    tel_result r;
    if (!inst) { return TEL_ERR_STATE; }
    r = tel__pipeline_flush(&inst->pipeline, deadline);
    tel__lifecycle_release(inst);
    return r;
}

TEL_API tel_result tel_shutdown(uint32_t timeout_ms) {
    return tel__api_called_back() ? TEL_ERR_STATE : tel__lifecycle_stop(timeout_ms);
}

TEL_API tel_result tel_pump(uint32_t timeout_ms) {
    uint64_t deadline = tel__clock_deadline(timeout_ms);
    tel_instance* inst = tel__api_called_back() ? NULL : tel__lifecycle_acquire();
    tel_result r = TEL_ERR_TIMEOUT;
    if (!inst) { return TEL_ERR_STATE; }
    if (tel__pipeline_enter(&inst->pipeline, deadline)) {
        tel__pipeline_round(&inst->pipeline, false, deadline);
        tel__pipeline_resend(&inst->pipeline, deadline);
        tel__pipeline_leave(&inst->pipeline);
        r = TEL_OK;
    }
    tel__lifecycle_release(inst);
    return r;
}

TEL_API bool tel_enabled(void) { return tel__atomic_load_ptr(&tel__root.current) != NULL; }

TEL_API tel_desc tel_query_desc(void) {
    tel_instance* inst = tel__lifecycle_acquire();
    tel_desc d;
    memset(&d, 0, sizeof d);
    if (inst) {
        d = inst->desc;
        tel__lifecycle_release(inst);
    }
    return d;
}

TEL_API tel_instance* tel_get_instance(void) { return (tel_instance*)tel__atomic_load_acquire_ptr(&tel__root.current); }
TEL_API tel_result tel_adopt_instance(tel_instance* other) { return tel__lifecycle_adopt(other); }

/* ---- metrics ---- */

#define TEL__API_INSTRUMENT(p) ((tel__metric_instrument*)(void*)(p))

TEL__INLINE uint32_t tel__api_cell_id(const void* instrument) {
    return tel__metric_cell_of((const tel__metric_instrument*)instrument);
}

/* Everything that is not the common case: first use, no instance, wrong value, other number type. */
TEL__NOINLINE void tel__api_add(tel__metric_instrument* inst, tel__metric_kind kind, int64_t i, double d,
                                bool is_real) {
    tel_instance* in = tel__lifecycle_enter(-1);
    if (!in) { return; }
    tel__metric_series_add_any(&in->metrics, tel__metric_own_series(&in->metrics, inst, kind), i, d, is_real);
}

TEL_API void tel_counter_add(tel_counter* c, int64_t n) {
    tel__atomic_u64* cell = c ? tel__metric_cell(tel__api_cell_id(c)) : NULL;
    if (TEL__LIKELY(cell && n >= 0)) { tel__metric_bump(cell, n); return; }
    if (tel__lifecycle_idle()) { return; }
    tel__api_add(c, TEL__METRIC_COUNTER, n, 0, false);
}

TEL_API void tel_updown_add(tel_updown* c, int64_t n) {
    tel__atomic_u64* cell = c ? tel__metric_cell(tel__api_cell_id(c)) : NULL;
    if (TEL__LIKELY(cell != NULL)) { tel__metric_bump(cell, n); return; }
    if (tel__lifecycle_idle()) { return; }
    tel__api_add(TEL__API_INSTRUMENT(c), TEL__METRIC_UPDOWN, n, 0, false);
}

TEL_API void tel_counter_addf(tel_counter* c, double n) {
    tel__atomic_u64* cell = c ? tel__metric_cell(tel__api_cell_id(c) ^ TEL__METRIC_REAL) : NULL;
    if (TEL__LIKELY(cell && tel__metric_recordable(n))) { tel__metric_bump_real(cell, n); return; }
    if (tel__lifecycle_idle()) { return; }
    tel__api_add(c, TEL__METRIC_COUNTER, 0, n, true);
}

/* The same for a gauge, which takes any number, or a histogram. */
TEL__NOINLINE void tel__api_put(tel__metric_instrument* inst, tel__metric_kind kind, double v) {
    tel_instance* in = tel__lifecycle_idle() ? NULL : tel__lifecycle_enter(-1);
    tel__metric_series* s;
    if (!in) { return; }
    s = tel__metric_own_series(&in->metrics, inst, kind);
    if (kind == TEL__METRIC_GAUGE ? v != v : !tel__metric_recordable(v)) {
        tel__diag_note(&in->diag, TEL__DIAG_VALUE, s->metric->name);
    } else if (kind == TEL__METRIC_GAUGE) {
        tel__metric_series_set(s, v);
    } else {
        tel__metric_series_record(s, v);
    }
}

TEL_API void tel_gauge_set(tel_gauge* g, double v) {
    const tel__metric_cells* k = tel__thread_me.cells;
    uint32_t i = g && k ? tel__api_cell_id(g) - k->base : UINT32_MAX;
    if (TEL__LIKELY(i != UINT32_MAX && v == v && !tel__atomic_load_u32(&tel__thread_me.ring->closed)) &&
        TEL__LIKELY(i < tel__atomic_load_acquire_u32(&k->m->by_id.count))) {
        tel__metric_series_set((tel__metric_series*)tel__metric_list_at(&k->m->by_id, i), v);
        return;
    }
    tel__api_put(TEL__API_INSTRUMENT(g), TEL__METRIC_GAUGE, v);
}

TEL_API void tel_histogram_record(tel_histogram* h, double v) {
    tel__atomic_u64* cell = h ? tel__metric_cell(tel__api_cell_id(h)) : NULL;
    tel__metric_block* b = TEL__LIKELY(cell != NULL) ? (tel__metric_block*)(uintptr_t)tel__atomic_load_u64(cell) : NULL;
    if (TEL__LIKELY(b && tel__metric_recordable(v))) { tel__metric_block_record(b, v); return; }
    if (tel__lifecycle_idle()) { return; }
    tel__api_put(TEL__API_INSTRUMENT(h), TEL__METRIC_HISTOGRAM, v);
}

/* The series of an instrument with attributes; NULL: nothing is initialised. */
TEL__NOINLINE tel__metric_series* tel__api_series_slow(tel__metric_instrument* inst, tel__metric_kind kind,
                                                       tel_attrs attrs) {
    tel_instance* in = tel__lifecycle_idle() ? NULL : tel__lifecycle_enter(-1);
    if (!in) { return NULL; }
    return tel__metric_series_of(&in->metrics, tel__metric_resolve(&in->metrics, inst, kind), attrs);
}

TEL__INLINE tel__metric_series* tel__api_series(tel__metric_instrument* inst, tel__metric_kind kind, tel_attrs attrs) {
    tel__metric_series* s = inst ? tel__metric_find(inst, attrs) : NULL;
    return TEL__LIKELY(s != NULL) ? s : tel__api_series_slow(inst, kind, attrs);
}

TEL__NOINLINE void tel__api_bad_value(const tel__metric_series* s) {
    tel_instance* in = tel__lifecycle_enter(-1);
    if (in) { tel__diag_note(&in->diag, TEL__DIAG_VALUE, s->metric->name); }
}

TEL__NOINLINE void tel__api_add_real(tel__metric_series* s, int64_t n) {
    tel_instance* in = tel__lifecycle_enter(-1);
    if (in) { tel__metric_series_add_any(&in->metrics, s, n, 0, false); }
}

TEL_API void tel_counter_add_with(tel_counter* c, int64_t n, tel_attrs attrs) {
    tel__metric_series* s = tel__api_series(c, TEL__METRIC_COUNTER, attrs);
    if (!s) { return; }
    if (TEL__UNLIKELY(n < 0 || s->metric->real)) { tel__api_add_real(s, n); return; }
    tel__metric_series_add_int(s, n);
}

TEL_API void tel_updown_add_with(tel_updown* c, int64_t n, tel_attrs attrs) {
    tel__metric_series* s = tel__api_series(TEL__API_INSTRUMENT(c), TEL__METRIC_UPDOWN, attrs);
    if (!s) { return; }
    if (TEL__UNLIKELY(s->metric->real)) { tel__api_add_real(s, n); return; }
    tel__metric_series_add_int(s, n);
}

TEL_API void tel_gauge_set_with(tel_gauge* g, double v, tel_attrs attrs) {
    tel__metric_series* s = tel__api_series(TEL__API_INSTRUMENT(g), TEL__METRIC_GAUGE, attrs);
    if (!s) { return; }
    if (v != v) { tel__api_bad_value(s); return; }
    tel__metric_series_set(s, v);
}

TEL_API void tel_histogram_record_with(tel_histogram* h, double v, tel_attrs attrs) {
    tel__metric_series* s = tel__api_series(TEL__API_INSTRUMENT(h), TEL__METRIC_HISTOGRAM, attrs);
    if (!s) { return; }
    if (TEL__UNLIKELY(!tel__metric_recordable(v))) { tel__api_bad_value(s); return; }
    tel__metric_series_record(s, v);
}

TEL__COLD void* tel__api_bind(void* inst, tel__metric_kind kind, tel_attrs attrs) {
    tel_instance* in = tel__lifecycle_enter(-1);
    return in ? tel__metric_bind(&in->metrics, (tel__metric_instrument*)inst, kind, attrs) : tel__metric_bind_nothing();
}
TEL_API tel_counter* tel_counter_bind(tel_counter* c, tel_attrs attrs) {
    return (tel_counter*)tel__api_bind(c, TEL__METRIC_COUNTER, attrs);
}
TEL_API tel_updown* tel_updown_bind(tel_updown* c, tel_attrs attrs) {
    return (tel_updown*)tel__api_bind(c, TEL__METRIC_UPDOWN, attrs);
}
TEL_API tel_gauge* tel_gauge_bind(tel_gauge* g, tel_attrs attrs) {
    return (tel_gauge*)tel__api_bind(g, TEL__METRIC_GAUGE, attrs);
}
TEL_API tel_histogram* tel_histogram_bind(tel_histogram* h, tel_attrs attrs) {
    return (tel_histogram*)tel__api_bind(h, TEL__METRIC_HISTOGRAM, attrs);
}

TEL__COLD tel_result tel__api_observer(const tel_observer_desc* desc, const char* gone) {
    tel_instance* inst = tel__api_called_back() ? NULL : tel__lifecycle_acquire();
    tel_result r;
    if (!inst) { return TEL_ERR_STATE; }
    r = gone ? tel__metric_observer_remove(&inst->metrics, gone) : tel__metric_observer_add(&inst->metrics, desc, true);
    tel__lifecycle_release(inst);
    return r;
}
TEL_API tel_result tel_observer_add(const tel_observer_desc* desc) { return tel__api_observer(desc, NULL); }
TEL_API tel_result tel_observer_remove(const char* name) {
    return name ? tel__api_observer(NULL, name) : TEL_ERR_ARGUMENT;
}

TEL_API void tel_observe(tel_observation* o, double v, tel_attrs attrs) {
    if (o) { tel__metric_observe(o, v, 0, attrs); }
}

/* ---- spans ---- */

/* This thread's tracer; NULL: nothing is initialised. signal: what is lost when there is no memory for it. */
TEL__INLINE tel__span_tracer* tel__api_tracer(int signal) {
    tel__span_tracer* t = tel__thread_me.tracer;
    if (TEL__LIKELY(t && !tel__atomic_load_u32(&t->closed))) { return t; }
    if (tel__lifecycle_idle()) { return NULL; }
    return tel__lifecycle_enter(signal) ? tel__thread_me.tracer : NULL;
}

/* Without an SDK a span carries its parent's context on (Trace API, "... in the absence of an installed SDK"). */
TEL__INLINE tel_span tel__api_no_span(const tel_span_desc* d) {
    tel_span s;
    memset(&s, 0, sizeof s);
    if (d && d->parent && !d->root) { s.context = *d->parent; }
    return s;
}

TEL__NOINLINE tel_span tel__api_begin_first(const char* name) {
    return tel__lifecycle_enter(TEL__BOOK_SPANS) ? tel_span_start(name) : tel__api_no_span(NULL);
}

TEL_API tel_span tel_span_start(const char* name) {
    tel__span_tracer* t = tel__thread_me.tracer;
    if (TEL__LIKELY(t && !tel__atomic_load_u32(&t->closed))) { return tel__span_begin(t, tel__span_current(t), name); }
    if (!tel__lifecycle_idle()) { return tel__api_begin_first(name); }
    return tel__api_no_span(NULL);
}

TEL_API tel_span tel_span_start_ex(const tel_span_desc* desc) {
    tel__span_tracer* t = tel__api_tracer(TEL__BOOK_SPANS);
    if (!t || !desc) { return tel__api_no_span(desc); }
    return tel__span_begin_desc(t, desc);
}

TEL_API void tel_span_end_at(tel_span* s, uint64_t unix_ns) {
    tel__span_tracer* t = s && s->tel__slot ? tel__api_tracer(-1) : NULL;
    if (t) { tel__span_finish(t, s, unix_ns); }
}
TEL_API void tel_span_end(tel_span* s) { if (s && s->tel__slot) { tel_span_end_at(s, 0); } }

/* The slot of a live span, and this thread's tracer. */
TEL__INLINE tel__span_slot* tel__api_slot(const tel_span* s, tel__span_tracer** t) {
    *t = s && s->tel__slot ? tel__api_tracer(-1) : NULL;
    return *t ? tel__span_slot_of((*t)->shared, s) : NULL;
}

/* The same two for verbs that have more to do themselves. */
TEL__CALL tel__span_tracer* tel__api_tracer_now(int signal) { return tel__api_tracer(signal); }
TEL__CALL tel__span_slot* tel__api_slot_now(const tel_span* s, tel__span_tracer** t) { return tel__api_slot(s, t); }

TEL_API bool tel_span_recording(const tel_span* s) { tel__span_tracer* t; return tel__api_slot_now(s, &t) != NULL; }

/* By address: a struct by value would be copied in halves that the CPU cannot forward from its stores. */
TEL_API void tel__span_set(tel_span* s, const tel_attr* attr) {
    tel__span_tracer* t;
    tel__span_slot* slot = tel__api_slot(s, &t);
    if (slot) { tel__span_put_attr(t, slot, attr); }
}

TEL_API void tel_span_set_all(tel_span* s, tel_attrs attrs) {
    tel__span_tracer* t;
    tel__span_slot* slot = tel__api_slot(s, &t);
    size_t i;
    if (!slot) { return; }
    for (i = 0; i < attrs.count; i++) { tel__span_put_attr(t, slot, &attrs.items[i]); }
}

TEL_API void tel_span_event(tel_span* s, const char* name, tel_attrs attrs) {
    tel__span_tracer* t;
    tel__span_slot* slot = tel__api_slot_now(s, &t);
    if (slot) { tel__span_put_event(t, slot, name, attrs); }
}

TEL_API void tel_span_link(tel_span* s, const tel_context* to, tel_attrs attrs) {
    tel__span_tracer* t;
    tel__span_slot* slot = tel__api_slot_now(s, &t);
    if (slot && to) { tel__span_put_link(t, slot, to, attrs); }
}

TEL_API void tel_span_status(tel_span* s, tel_span_status_code code, const char* message) {
    tel__span_tracer* t;
    tel__span_slot* slot = tel__api_slot_now(s, &t);
    if (slot) { tel__span_put_status(t, slot, code, message); }
}

TEL_API void tel_span_rename(tel_span* s, const char* name) {
    tel__span_tracer* t;
    tel__span_slot* slot = tel__api_slot_now(s, &t);
    if (slot) { tel__span_put_text(t, slot, TEL__ITEM_NAME, name ? name : ""); }
}

TEL_API tel_context tel_current(void) {
    tel__span_tracer* t = tel__api_tracer_now(-1);
    tel_context c;
    if (t && t->depth) { return t->stack[t->depth - 1].context; }
    memset(&c, 0, sizeof c);
    return c;
}

TEL_API tel_token tel_attach(const tel_context* c) {
    tel__span_tracer* t = tel__api_tracer_now(-1);
    tel_token none = { 0, 0 };
    tel_span s;
    if (!t) { return none; }
    memset(&s, 0, sizeof s);
    if (c) { s.context = *c; }
    return tel__span_push(t, &s);
}

TEL_API void tel_detach(tel_token token) {
    tel__span_tracer* t = token.tel__thread ? tel__api_tracer_now(-1) : NULL;
    if (t) { tel__span_pop(t, token); }
}

/* ---- propagation ---- */

TEL_API tel_result tel_inject(const tel_context* c, const tel_carrier* out) {
    tel_context current;
    if (!c) { current = tel_current(); c = &current; }
    return tel__propagation_inject(c, out);
}
TEL_API tel_context tel_extract(const tel_carrier* in) { return tel__propagation_extract(in); }

TEL_API tel_result tel_traceparent_format(const tel_context* c, char out[TEL_TRACEPARENT_SIZE]) {
    if (!c || !out || !tel__span_valid(c)) { if (out) { out[0] = 0; } return TEL_ERR_ARGUMENT; }
    tel__propagation_format(c, out);
    return TEL_OK;
}
TEL_API tel_result tel_traceparent_parse(tel_text text, tel_context* out) {
    return out ? tel__propagation_parse(text, out) : TEL_ERR_ARGUMENT;
}

/* ---- logs ---- */

TEL__NOINLINE void tel__api_log_first(tel_severity sev, const char* body, tel_attrs attrs) {
    if (tel__lifecycle_enter(TEL__BOOK_LOGS)) { tel_log(sev, body, attrs); }
}

TEL_API void tel_log(tel_severity sev, const char* body, tel_attrs attrs) {
    tel__span_tracer* t = tel__thread_me.tracer;
    if (TEL__LIKELY(t && !tel__atomic_load_u32(&t->closed))) { tel__log_add(t, sev, body, attrs); }
    else if (!tel__lifecycle_idle()) { tel__api_log_first(sev, body, attrs); }
}

TEL_API void tel_vlogf(tel_severity sev, const char* format, va_list args) {
    tel__span_tracer* t = tel__api_tracer_now(TEL__BOOK_LOGS);
    if (t && format) { tel__log_add_format(t, sev, format, args); }
}

TEL_API void tel_logf(tel_severity sev, const char* format, ...) {
    va_list args;
    va_start(args, format);
    tel_vlogf(sev, format, args);
    va_end(args);
}

TEL_API void tel_log_ex(const tel_log_desc* desc) {
    tel__span_tracer* t = tel__api_tracer_now(TEL__BOOK_LOGS);
    if (t && desc) { tel__log_add_desc(t, desc); }
}

TEL_API bool tel_log_enabled(tel_severity sev) { (void)sev; return tel_enabled() && !tel__thread_me.quiet; }

/* ---- sinks ---- */

TEL_API tel_sink tel_sink_otlp(const tel_otlp_desc* desc) { return tel__lifecycle_sink_otlp(desc); }

TEL_API tel_sink tel_sink_prometheus(const tel_prometheus_desc* desc) {
    tel_sink s = tel__lifecycle_sink("prometheus_http_text_exporter", desc, tel__lifecycle_open_prometheus,
                                     tel__sink_prometheus_export, NULL);
    s.signal_mask = TEL_PULL;
#if !TEL_NO_HTTP
    s.close_fn = tel__sink_prometheus_close;
    s.fork_fn = tel__sink_prometheus_fork;
#endif
    return s;
}

TEL_API tel_sink tel_sink_jsonl(const tel_writer* out) {
    return tel__lifecycle_sink("otlp_file_exporter", out, tel__lifecycle_open_text, tel__sink_jsonl_export,
                               tel__sink_text_close);
}
TEL_API tel_sink tel_sink_console(const tel_writer* out) {
    return tel__lifecycle_sink("console", out, tel__lifecycle_open_text, tel__sink_console_export,
                               tel__sink_text_close);
}

TEL_API tel_sink tel_sink_memory(tel_memory* memory) {
    tel_sink s = tel__lifecycle_sink("memory", NULL, tel__sink_memory_open, tel__sink_memory_export, NULL);
    s.user_data = memory;
    return s;
}
TEL_API tel_batch tel_memory_read(tel_memory* memory) { return tel__sink_memory_read(memory); }
TEL_API void tel_memory_clear(tel_memory* memory) { tel__sink_memory_clear(memory); }

/* ---- query ---- */

TEL__COLD tel_result tel__api_emit(const tel_batch* batch, void* user_data) {
    return tel__pipeline_call((const tel_sink*)user_data, batch);
}

TEL_API tel_result tel_collect(const tel_sink* into) {
    tel_instance* inst;
    tel_batch frame;
    tel_result r;
    if (!into || !into->export_fn) { return TEL_ERR_ARGUMENT; }
    inst = tel__api_called_back() ? NULL : tel__lifecycle_acquire();
    if (!inst) { return TEL_ERR_STATE; }
    tel__pipeline_frame(&inst->pipeline, &frame, inst->pipeline.metric_timeout_ms, UINT64_MAX);
    r = tel__metric_collect(&inst->metrics, &frame, UINT64_MAX, tel__api_emit, (void*)(uintptr_t)into);
    tel__lifecycle_release(inst);
    return r;
}

/* The writer is called when the collection is over: a slow one delays nobody else. */
TEL_API tel_result tel_prometheus_render(tel_writer out) {
    tel_instance* inst = tel__api_called_back() ? NULL : tel__lifecycle_acquire();
    tel_result r = TEL_ERR_ARGUMENT;
    tel__text_out o;
    if (!inst) { return out.write ? TEL_ERR_STATE : r; }
    o = tel__text_heap(&inst->memory);
    if (out.write) { r = tel__sink_render(&inst->source, &o); }
    if (r == TEL_OK && o.size && !out.write(o.data, o.size, out.user_data)) { r = TEL_ERR_IO; }
    tel__text_heap_free(&o);
    tel__lifecycle_release(inst);
    return r;
}

TEL_API size_t tel_prometheus_print(char* out, size_t size) {
    char none[1];
    tel__text_out o = tel__text_fixed(size ? out : none, size ? size - 1 : 0);
    tel_instance* inst = tel__api_called_back() ? NULL : tel__lifecycle_acquire();
    if (inst) {
        tel__sink_render(&inst->source, &o);
        tel__lifecycle_release(inst);
    }
    if (size) { out[o.size] = 0; }
    return o.size + o.lost;
}

TEL_API uint32_t tel_prometheus_port(void) {
    tel_instance* inst = tel__lifecycle_acquire();
    uint32_t port = inst ? inst->prometheus_port : 0;
    if (inst) { tel__lifecycle_release(inst); }
    return port;
}

TEL_API tel_stats tel_query_stats(void) {
    tel_instance* inst = tel__lifecycle_acquire();
    tel_stats s;
    if (inst) {
        tel__lifecycle_stats(inst, &s);
        tel__lifecycle_release(inst);
        return s;
    }
    tel__thread_mutex_lock(&tel__root.mutex);
    s = tel__root.last;
    tel__thread_mutex_unlock(&tel__root.mutex);
    return s;
}

TEL_API bool tel_query_sink(size_t index, tel_sink_stats* out) {
    tel_instance* inst = tel__lifecycle_acquire();
    bool known = inst && out && index < inst->pipeline.sink_count;
    if (known) { tel__pipeline_sink_stats(&inst->pipeline, &inst->pipeline.sinks[index], out); }
    if (inst) { tel__lifecycle_release(inst); }
    return known;
}

/* ---- scopes ---- */

TEL_API tel_span_scope tel_span_scope_begin(const char* name) {
    tel__span_tracer* t = tel__api_tracer(TEL__BOOK_SPANS);
    tel_span_scope s;
    s.open = true;
    if (TEL__UNLIKELY(!t)) {
        memset(&s.token, 0, sizeof s.token);
        s.span = tel__api_no_span(NULL);
        return s;
    }
    s.span = tel__span_make(t, tel__span_current(t), name);
    s.token = tel__span_push(t, &s.span);
    return s;
}

TEL_API void tel_span_scope_end(tel_span_scope* s) {
    tel__span_tracer* t;
    if (!s->open) { return; }
    s->open = false;
    t = s->token.tel__thread ? tel__api_tracer(-1) : NULL;
    if (!t) { return; }
    tel__span_pop(t, s->token);
    if (s->span.tel__slot) { tel__span_finish(t, &s->span, 0); }
}

TEL_API tel_time_scope tel_time_scope_begin(tel_histogram* h) {
    tel__span_tracer* t = tel__api_tracer(-1);
    tel_time_scope s;
    s.histogram = h;
    s.open = true;
    s.tel__begin = t ? tel__clock_ticks(t->clock) : 0;
    return s;
}

TEL_API void tel_time_scope_end(tel_time_scope* s) {
    tel__span_tracer* t;
    if (!s->open) { return; }
    s->open = false;
    t = s->tel__begin ? tel__api_tracer(-1) : NULL;
    if (t) {
        tel_histogram_record(s->histogram, tel__clock_seconds(t->clock, s->tel__begin, tel__clock_ticks(t->clock)));
    }
}

TEL_API tel_with_scope tel_with_scope_begin(const tel_context* c) {
    tel_with_scope s;
    s.token = tel_attach(c);
    s.open = true;
    return s;
}

TEL_API void tel_with_scope_end(tel_with_scope* s) {
    if (!s->open) { return; }
    s->open = false;
    tel_detach(s->token);
}

#if defined(__clang__) && defined(__cplusplus)
#pragma clang diagnostic pop
#endif
#endif /* TELEMETRY_IMPLEMENTATION */

/* RELEASES
   0.1.0  2026-11-21  The whole road once: counters, gauges, histograms, spans, logs; OTLP/HTTP JSON, Prometheus text,
                      JSON lines, console, memory and your own sinks; Linux and POSIX.

   telemetry.h is available under two licences; choose the one you prefer.
   ALTERNATIVE A - MIT No Attribution (MIT-0)
   Copyright (c) 2026 The telemetry.h authors
   Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
   documentation files (the "Software"), to deal in the Software without restriction, including without limitation
   the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and
   to permit persons to whom the Software is furnished to do so.
   THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO
   THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
   AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF
   CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS
   IN THE SOFTWARE.
   ALTERNATIVE B - Public Domain (www.unlicense.org)
   This is free and unencumbered software released into the public domain.
   Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either in source code
   form or as a compiled binary, for any purpose, commercial or non-commercial, and by any means.
   In jurisdictions that recognize copyright laws, the author or authors of this software dedicate any and all
   copyright interest in the software to the public domain. We make this dedication for the benefit of the public at
   large and to the detriment of our heirs and successors. We intend this dedication to be an overt act of
   relinquishment in perpetuity of all present and future rights to this software under copyright law.
   THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO
   THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
   AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
   ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
