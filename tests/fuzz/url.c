/* Promise: *out is all zero or a URL that is safe to write into a request line and a Host header; written
   out again it reads as the same URL. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static tel__net_url url, again, zero;
    static char text[2048];
    tel_text t;
    const char* p;
    t.data = (const char*)data;
    t.size = size;
    memset(&url, 0xa5, sizeof url);
    if (tel__net_url_parse(t, &url) != TEL_OK) {
        REQUIRE(memcmp(&url, &zero, sizeof url) == 0);
        return 0;
    }
    REQUIRE(url.port != 0 && url.path[0] == '/' && url.host[0] != 0);
    REQUIRE(memchr(url.host, 0, sizeof url.host) && memchr(url.path, 0, sizeof url.path));
    for (p = url.path; *p; p++) { REQUIRE(*p > ' ' && *p <= '~' && *p != '#'); }
    for (p = url.host; *p; p++) { REQUIRE(!strchr("/?#@[]%\\ ", *p) && (url.ipv6 || *p != ':')); }
    snprintf(text, sizeof text, "%s://%s%s%s:%u%s", url.tls ? "https" : "http", url.ipv6 ? "[" : "", url.host,
             url.ipv6 ? "]" : "", (unsigned)url.port, url.path);
    REQUIRE(tel__net_url_parse(tel__text_of(text), &again) == TEL_OK);
    REQUIRE(memcmp(&url, &again, sizeof url) == 0);
    return 0;
}
