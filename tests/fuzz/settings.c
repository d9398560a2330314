/* Promise: a document is read whole or refused with one report; every text of a tree ends with a NUL and is valid UTF-8, and
   the bounds of >>settings hold; all memory comes back. */
#include "fuzz.h"

static int reports;
static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)line; (void)user_data;
    REQUIRE(item == TEL_DIAG_CONFIG && message[0]);
    reports++;
}
static tel_text env(const void* source, const char* name) {
    (void)source;
    REQUIRE(name[0] && strlen(name) < 128);
    return name[0] == 'N' ? tel__text_sized(NULL, 0) : tel__text_of("$x{");
}

static void walk(const tel_settings* root) {
    const tel_settings* s = root;
    uint32_t values = 0;
    while (s) {
        size_t at, n, bad;
        int depth = 0;
        const tel_settings* p;
        for (p = s; p->parent; p = p->parent) { depth++; }
        REQUIRE(depth <= TEL__SETTINGS_DEPTH);
        REQUIRE(s->text.data[s->text.size] == 0 && strlen(s->text.data) == s->text.size);
        for (at = 0; at < s->text.size; at += n) {
            n = tel__text_utf8_one(s->text.data + at, s->text.size - at, &bad);
            REQUIRE(n > 0);
        }
        REQUIRE(!s->parent || s->parent->kind == TEL__SETTINGS_LIST || s->key[0]);
        REQUIRE(!s->first || s->kind >= TEL__SETTINGS_LIST);
        values++;
        s = s->first ? s->first : tel__settings_after(s, root);
    }
    REQUIRE(values <= TEL__SETTINGS_VALUES);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static tel__memory memory;
    static tel__diag diag;
    tel__settings_tree tree;
    tel_diag user;
    tel_text json;
    memset(&user, 0, sizeof user);
    user.report_fn = report;
    tel__memory_init(&memory, NULL, 1 << 24);
    tel__diag_init(&diag, &user);
    reports = 0;
    json.data = (const char*)data;
    json.size = size;
    REQUIRE(tel__settings_init(&tree, &memory, &diag, "f") == TEL_OK);
    tree.env_fn = env;
    if (tel__settings_json_read(&tree, json) == TEL_OK) {
        REQUIRE(reports == 0);
        walk(tree.root);
        (void)tel_setting_int(tree.root, "a/b", 0, 9, 0);
        (void)tel_setting_real(tree.root, "a", 0, 9, 0);
        (void)tel_setting_text(tree.root, "b", NULL);
        (void)tel_setting_item(tree.root, "a", 1);
        (void)tel__settings_unread(tree.root);
    } else {
        REQUIRE(reports == 1);
    }
    tel__settings_free(&tree);
    REQUIRE(tel__atomic_load_u64(&memory.used) == 0);
    return 0;
}
