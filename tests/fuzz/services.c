/* Promise: whatever path, query and body come to the services below /api/, they get one answer, which is JSON, and no byte
   beyond the request is read. */
#include "fuzz.h"

static tel__sink_listener listener;
static tel_listener_desc services;

static void hush(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line; (void)user_data;
}
static void start(void) {
    tel_desc d;
    tel_instance* inst;
    static tel__ingest ingest;
    memset(&d, 0, sizeof d);
    d.exporters = "none";
    d.ignore_env = d.no_thread = d.no_atexit = true;
    d.recent_bytes = 1 << 14;
    d.diag.report_fn = hush;
    memset(&ingest, 0, sizeof ingest);
    REQUIRE(tel_init(&d) == TEL_OK);
    inst = tel__instance_acquire();
    REQUIRE(inst != NULL);
    listener.source.memory = inst->pipeline.memory;
    listener.services = &services;
    listener.state = &ingest;
    services.query = services.ingest = true;
    services.ingest_per_second = 1000000000;
    tel__instance_release(inst);
}

/* A copy of exactly this size, so that a read past the end is seen. */
static tel_text copy_of(const uint8_t* data, size_t size) {
    char* copy = (char*)malloc(size ? size : 1);
    REQUIRE(copy != NULL);
    if (size) { memcpy(copy, data, size); }
    return tel__text_sized(copy, size);
}

/* The first byte: bit 0 a POST. Then the path with its query up to a line feed; the rest is the body. */
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static uint32_t runs;
    tel__server_request request;
    tel__server_reply reply;
    tel__text_out out;
    tel_text target, answer;
    tel__memory* memory;
    const uint8_t* line;
    size_t head;
    if (!size) { return 0; }
    if (!tel_enabled()) { start(); }
    memory = listener.source.memory;
    line = (const uint8_t*)memchr(data + 1, '\n', size - 1);
    head = line ? (size_t)(line - data) - 1 : size - 1;
    if (head > TEL__NET_TARGET_MAX) { head = TEL__NET_TARGET_MAX; }
    target = copy_of(data + 1, head);
    memset(&request, 0, sizeof request);
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    request.path = tel__net_slice(target.data, tel__net_find(target, "?"));
    request.query = tel__net_rest(target, request.path.size);
    if (request.query.size > 0) { request.query = tel__net_rest(request.query, 1); }
    request.body = tel__text_of("");
    request.post = data[0] & 1;
    request.content_type = tel__text_of("application/json");
    if (line) { request.body = copy_of(line + 1, size - head - 2 < TEL__NET_REQUEST_MAX && size > head + 2 ? size - head - 2 : 0); }
    out = tel__text_heap(memory);
    tel__service_answer(&listener, &request, &reply, &out);
    answer = reply.text.data ? reply.text : tel__text_sized(out.data, out.size);
    REQUIRE(answer.size > 2 && answer.data[0] == '{' && answer.data[answer.size - 1] == '\n');
    REQUIRE(reply.status == 200 || reply.status == 202 || reply.text.data || request.post);
    REQUIRE(out.lost == 0);
    {
        tel__settings_tree tree;
        REQUIRE(tel__settings_init(&tree, memory, NULL, "") == TEL_OK);
        REQUIRE(answer.size > 60000 || tel__settings_json_read(&tree, answer) == TEL_OK);
        tel__settings_free(&tree);
    }
    tel__text_heap_free(&out);
    free((char*)(uintptr_t)target.data);
    if (line) { free((char*)(uintptr_t)request.body.data); }
    if (++runs % 64 == 0) { (void)tel_pump(0); }
    if (runs % 4096 == 0) { (void)tel_shutdown(1000); }
    return 0;
}
