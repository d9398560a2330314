/* Room test of >>sink_trace: what a program recorded stands in the file, each event on a line of its own that is whole JSON;
   the array is closed at the end; a refused write leaves the file openable; a child of fork has a file of its own. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../api/capture.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static tel_counter hits = TEL_INSTRUMENT("trace.hits", "{hit}", NULL);
static tel_histogram sizes = TEL_INSTRUMENT("trace.sizes", "By", NULL);
static char file[1 << 16];

static const char* slurp(const char* path) {
    FILE* f = fopen(path, "r");
    size_t n = f ? fread(file, 1, sizeof file - 1, f) : 0;
    file[n] = 0;
    if (f) { fclose(f); }
    return file;
}
static int count_of(const char* in, const char* what) {
    int n = 0;
    while ((in = strstr(in, what)) != NULL) { n++; in += strlen(what); }
    return n;
}

/* Whether every line of the file is the bracket, an event, or an event and a comma. */
static int wrong_lines(const char* text) {
    int wrong = strncmp(text, "[\n", 2) != 0;
    const char *line = text + 2, *end;
    for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        size_t size = (size_t)(end - line);
        if (size == 1 && *line == ']') { continue; }
        if (size && line[size - 1] == ',') { size--; }
        wrong += !json_sound(line, size);
    }
    return wrong;
}

static void record(const char* name) {
    TEL_SPAN(s, name) {
        tel_span_set(s, tel_str("quote\"d", "a\nb"));
        tel_span_set(s, tel_int("n", -3));
        tel_span_event(s, "cached", TEL_ATTRS(tel_bool("hit", true)));
        tel_log(TEL_WARN, "half way", TEL_ATTRS(tel_double("part", 0.5)));
        tel_span_status(s, TEL_STATUS_ERROR, "it broke");
    }
    tel_counter_add(&hits, 1);
    tel_counter_add_with(&hits, 2, TEL_ATTRS(tel_str("k", "v")));
    tel_histogram_record(&sizes, 7);
}

static tel_desc trace_desc(tel_sink* sink, const tel_trace_desc* t) {
    tel_desc d;
    *sink = tel_sink_trace(t);
    d = test_desc(sink, 1);
    d.no_thread = true;
    return d;
}

/* Every time is one that a double keeps to the nanosecond: microseconds of at most two days and some. */
static void check_times(const char* text) {
    const char* p = text;
    int n = 0, lost = 0;
    while ((p = strstr(p, "\"ts\":")) != NULL) {
        char again[64];
        p += 5;
        snprintf(again, sizeof again, "%.3f,", strtod(p, NULL));
        lost += strncmp(p, again, strlen(again)) != 0 || strtod(p, NULL) < 86400e6 || strtod(p, NULL) > 3 * 86400e6;
        n++;
    }
    CHECK(n > 0);
    CHECK_INT(lost, 0);
}

static void check_file(const char* text, const char* name) {
    char span[200];
    check_times(text);
    snprintf(span, sizeof span, "{\"ph\":\"X\",\"name\":\"%s\",\"pid\":%d,\"tid\":", name, (int)getpid());
    CHECK_INT(count_of(text, span), 1);
    CHECK_INT(wrong_lines(text), 0);
    CHECK_INT(count_of(text, "\"status\":\"it broke\",\"quote\\\"d\":\"a\\nb\",\"n\":-3}}"), 1);
    CHECK_INT(count_of(text, "{\"ph\":\"i\",\"name\":\"cached\","), 1);
    CHECK_INT(count_of(text, "{\"ph\":\"i\",\"name\":\"half way\","), 1);
    CHECK_INT(count_of(text, "\"status\":\"WARN\",\"part\":0.5}}"), 1);
    CHECK_INT(count_of(text, "\"id\":\"k=\\\"v\\\"\",\"args\":{\"value\":2}}"), 2);
    CHECK(strstr(text, "{\"ph\":\"C\",\"name\":\"trace.sizes\",") != NULL);
    CHECK(strstr(text, "\"args\":{\"count\":1}}") != NULL);
#ifdef __linux__
    CHECK_INT(count_of(text, "{\"ph\":\"M\",\"name\":\"thread_name\","), 1);
#endif
}

static void test_file(void) {
    tel_trace_desc t = { "trace.json", { NULL, NULL } };
    tel_sink sink;
    tel_desc d = trace_desc(&sink, &t);
    pid_t child;
    where = "file";
    CHECK_INT(tel_init(&d), TEL_OK);
    record("parent");
    CHECK_INT(tel_flush(10000), TEL_OK);
    slurp("trace.json");
    CHECK(strstr(file, "\n]") == NULL);                 /* still open, and whole lines so far */
    strcat(file, "\n");
    CHECK_INT(wrong_lines(file), 0);
    child = fork();
    if (child == 0) {
        record("child");
        _exit(tel_shutdown(10000) == TEL_OK ? 0 : 1);
    }
    CHECK_INT(child_exit(child), 0);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    slurp("trace.json");
    check_file(file, "parent");
    CHECK(strlen(file) > 3 && strcmp(file + strlen(file) - 3, "\n]\n") == 0);
    CHECK_INT(count_of(file, "child"), 0);
    CHECK_INT(wrong_lines(file), 0);
    {
        char path[64], name[64];
        snprintf(path, sizeof path, "trace.json.%d", (int)child);
        slurp(path);
        CHECK_INT(wrong_lines(file), 0);
        snprintf(name, sizeof name, "\"name\":\"child\",\"pid\":%d,", (int)child);
        CHECK_INT(count_of(file, name), 1);
        remove(path);
    }
    remove("trace.json");
}

/* ---- a writer that refuses ---- */

typedef struct paper { char data[1 << 16]; size_t size; bool refuse; } paper;
static paper page;
static bool paper_write(const void* data, size_t size, void* user_data) {
    paper* p = (paper*)user_data;
    if (p->refuse || size > sizeof p->data - 1 - p->size) { return false; }
    memcpy(p->data + p->size, data, size);
    p->size += size;
    return true;
}

static void test_writer(void) {
    tel_trace_desc t;
    tel_sink sink;
    tel_desc d;
    memset(&t, 0, sizeof t);
    t.out.write_fn = paper_write;
    t.out.user_data = &page;
    d = trace_desc(&sink, &t);
    where = "writer";
    page.refuse = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    record("again");
    CHECK(tel_flush(100) != TEL_OK);
    page.refuse = false;
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    CHECK_INT(count_of(page.data, "\"ph\":\"X\""), 1);
    CHECK(strncmp(page.data, "[\n", 2) == 0);
}

/* ---- slices that overlap ---- */

/* Records a span in the order of ends; parent: a byte of its id, 0: a root; times in microseconds. */
static void slice(const char* name, int parent, unsigned begin, unsigned end) {
    tel_context c;
    tel_span_desc d;
    tel_span s;
    memset(&c, 0, sizeof c);
    memset(c.trace_id, 1, sizeof c.trace_id);
    memset(c.span_id, parent, sizeof c.span_id);
    c.flags = 1;
    memset(&d, 0, sizeof d);
    d.name = name;
    d.parent = parent ? &c : NULL;
    d.start_unix_ns = 1700000000000000000u + begin * 1000u;
    s = tel_span_start_ex(&d);
    tel_span_end_at(&s, 1700000000000000000u + end * 1000u);
}
static void* slice_there(void* arg) {
    slice("there", 0, 12, 18);
    return arg;
}

/* Viewers drop a slice that lies neither within others of its thread nor apart from them. */
static void test_overlaps(void) {
    tel_trace_desc t;
    tel_sink sink;
    tel_desc d;
    pthread_t thread;
    unsigned i;
    memset(&t, 0, sizeof t);
    memset(&page, 0, sizeof page);
    t.out.write_fn = paper_write;
    t.out.user_data = &page;
    d = trace_desc(&sink, &t);
    where = "overlaps";
    CHECK_INT(tel_init(&d), TEL_OK);
    slice("slice", 0, 10, 20);
    slice("own", 0, 15, 30);
    CHECK_INT(pthread_create(&thread, NULL, slice_there, NULL), 0);
    pthread_join(thread, NULL);
    slice("slice", 0, 25, 40);
    slice("slice", 0, 40, 45);
    for (i = 0; i < 40; i++) { slice("slice", 7, 101 + 2 * i, 102 + 2 * i); }
    slice("own", 0, 99, 100);                           /* the clock was set back */
    slice("slice", 0, 100, 200);
    CHECK_INT(tel_flush(10000), TEL_OK);
    slice("own", 0, 150, 210);
    slice("own", 9, 199, 199);
    slice("slice", 0, 5, 300);
    /* Each within one more span. There is room for 11 more times: those of the older ones become one, around which the last lies. */
    for (i = 0; i < 40; i++) { slice("slice", (int)i + 1, 400 + 2 * i, 401 + 2 * i); }
    for (i = 40; i-- > 0; ) { slice(i > 29 || i == 0 ? "slice" : "own", (int)i, 399 + 2 * i, 500); }
    slice("own", 0, 499, 501);
    /* The slice that overlaps is older than the room is large. */
    slice("slice", 50, 600, 620);
    for (i = 0; i < 40; i++) { slice("slice", 51 + (int)(i & 1), 621 + 2 * i, 622 + 2 * i); }
    slice("own", 0, 615, 900);
    slice("slice", 0, 599, 901);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    CHECK_INT(count_of(page.data, "{\"ph\":\"X\",\"name\":\"slice\""), 3 + 40 + 2 + 40 + 11 + 1 + 40 + 1);
    CHECK_INT(count_of(page.data, "{\"ph\":\"X\",\"name\":\"there\""), 1);
    CHECK_INT(count_of(page.data, "{\"ph\":\"b\",\"name\":\"own\""), 5 + 29 + 1);
    CHECK_INT(count_of(page.data, "{\"ph\":\"e\",\"name\":\"own\""), 5 + 29 + 1);
    CHECK_INT(count_of(page.data, "\"id\":\""), 2 * (5 + 29 + 1));
    CHECK_INT(wrong_lines(page.data), 0);
    check_times(page.data);
}

/* The disk is full in the middle of a line: that is blanked, and what comes later can be read. */
static void test_full(void) {
    char path[] = "/tmp/telemetry-trace-XXXXXX";
    int fd = mkstemp(path);
    struct rlimit was, now;
    tel_trace_desc t;
    tel_sink sink;
    tel_desc d;
    struct stat st;
    int i;
    CHECK(fd >= 0);
    if (fd < 0) { return; }
    close(fd);
    memset(&t, 0, sizeof t);
    t.path = path;
    d = trace_desc(&sink, &t);
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(tel_init(&d), TEL_OK);
    record("before");
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &was), 0);
    for (i = 0; i < 3; i++) {
        now = was;
        now.rlim_cur = (rlim_t)st.st_size + 100 + 37 * (rlim_t)i;
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &now), 0);
        record("meanwhile");
        (void)tel_flush(50);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &was), 0);
        CHECK(strstr(slurp(path), "\"meanwhile\"") == NULL || i > 0);
        CHECK_INT(wrong_lines(slurp(path)), 0);         /* whatever was torn is gone */
        (void)tel_flush(5000);
        CHECK_INT(stat(path, &st), 0);
    }
    record("after");
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(wrong_lines(slurp(path)), 0);
    CHECK_INT(count_of(slurp(path), "{\"ph\":\"X\",\"name\":\"before\""), 1);
    CHECK_INT(count_of(slurp(path), "{\"ph\":\"X\",\"name\":\"meanwhile\""), 3);
    CHECK_INT(count_of(slurp(path), "{\"ph\":\"X\",\"name\":\"after\""), 1);
    unlink(path);
}

/* A folder that does not exist: the sink is left out, and the others would run. */
static void test_no_folder(void) {
    tel_trace_desc t = { "no/such/folder/trace.json", { NULL, NULL } };
    tel_sink sink;
    tel_desc d = trace_desc(&sink, &t);
    where = "no_folder";
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_IO);
    CHECK(heard("no/such/folder/trace.json"));
    tel_shutdown(1000);
}

int main(void) {
    capture_watchdog(60);
    test_file();
    test_writer();
    test_overlaps();
    test_full();
    test_no_folder();
    return check_done();
}
