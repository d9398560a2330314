/* Room test of >>platform: macros are 0 or 1, the two clocks, the tick counter, entropy, what host and process
   this is, and the bucket search that every histogram rests on. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

static void test_macros(void) {
    CHECK(TEL__WINDOWS + TEL__POSIX == 1);
    CHECK((TEL__LINUX | 1) == 1 && (TEL__APPLE | 1) == 1 && (TEL__GNU | 1) == 1 && (TEL__X86 | 1) == 1 &&
          (TEL__ARM64 | 1) == 1 && (TEL__INT128 | 1) == 1 && (TEL__CURL | 1) == 1 && (TEL__ZLIB | 1) == 1);
    CHECK(!(TEL__LINUX && TEL__WINDOWS) && !(TEL__X86 && TEL__ARM64));
    CHECK_INT(TEL__ROUND((size_t)0, 8), 0);
    CHECK_INT(TEL__ROUND((size_t)1, 8), 8);
    CHECK_INT(TEL__ROUND((size_t)8, 8), 8);
    CHECK_INT(TEL__ROUND((size_t)129, TEL__LINE), 256);
}

static void test_clocks(void) {
    uint64_t last = tel__platform_mono_ns(), wall = tel__platform_unix_ns();
    int i, backward = 0;
    for (i = 0; i < 1000; i++) {
        uint64_t now = tel__platform_mono_ns();
        backward += now < last;
        last = now;
    }
    CHECK_INT(backward, 0);
    CHECK(wall > (uint64_t)1577836800 * 1000000000u);       /* after 2020, in nanoseconds */
    CHECK(wall < (uint64_t)7258118400 * 1000000000u);       /* before 2200 */
}

static void test_ticks(void) {
#if defined(TEL_FORCE_NO_TICKS)
    CHECK(!tel__platform_ticks_reliable());
#endif
#if TEL__X86 || TEL__ARM64
    uint64_t a = tel__platform_ticks(), from = tel__platform_mono_ns();
    while (tel__platform_mono_ns() < from + 1000000u) { tel__platform_pause(); }
    CHECK(tel__platform_ticks() != a);
#else
    CHECK_INT(tel__platform_ticks(), 0);
    CHECK(!tel__platform_ticks_reliable());
#endif
}

static void test_entropy(void) {
#if TEL__POSIX
    uint8_t a[64], b[64];
    size_t i, zeros = 0;
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    CHECK(tel__platform_entropy(a, sizeof a));
    CHECK(tel__platform_entropy(b, sizeof b));
    CHECK(memcmp(a, b, sizeof a) != 0);
    for (i = 0; i < sizeof a; i++) { zeros += a[i] == 0; }
    CHECK(zeros < 16);                                      /* 64 random bytes: less than one in 10^20 fails */
#endif
}

static void test_files(void) {
    char line[16];
    FILE* f = fopen("platform.tmp", "w");
    CHECK(f != NULL);
    if (!f) { return; }
    fputs("tsc\r\nsecond line\n", f);
    fclose(f);
    tel__platform_first_line("platform.tmp", line, sizeof line);
    CHECK_STR(line, "tsc");
    tel__platform_first_line("platform.tmp", line, 3);      /* cut, and still a string */
    CHECK_STR(line, "ts");
    strcpy(line, "before");
    tel__platform_first_line("platform.none", line, sizeof line);
    CHECK_STR(line, "");
    remove("platform.tmp");
}

static void test_spelling(void) {
    static const char list[] = "x86_64\0amd64\0Sun\0solaris\0";
    char out[8];
    tel__platform_spelling("x86_64", list, out, sizeof out);
    CHECK_STR(out, "amd64");
    tel__platform_spelling("Linux", list, out, sizeof out);
    CHECK_STR(out, "linux");
    tel__platform_spelling("LongerThanThat", list, out, sizeof out);
    CHECK_STR(out, "longert");
    tel__platform_spelling("", list, out, sizeof out);
    CHECK_STR(out, "");
    CHECK_STR(tel__platform_word(list, "Sun", 3), "solaris");
    CHECK(!tel__platform_word(list, "solaris", 7));         /* a value is no key */
    CHECK(!tel__platform_word(list, "Su", 2));
}

static bool terminated(const char* text, size_t size) { return memchr(text, 0, size) != NULL; }

static void test_detect(void) {
    tel__platform_facts f;
    memset(&f, 0x5a, sizeof f);
    tel__platform_detect(&f);
    CHECK(f.pid == tel__platform_pid() && f.pid != 0);
    CHECK(terminated(f.exe_path, sizeof f.exe_path) && terminated(f.host_name, sizeof f.host_name));
    CHECK(terminated(f.host_id, sizeof f.host_id) && terminated(f.host_arch, sizeof f.host_arch));
    CHECK(terminated(f.os_type, sizeof f.os_type) && terminated(f.os_version, sizeof f.os_version));
    CHECK(terminated(f.os_description, sizeof f.os_description));
    CHECK(strchr(f.os_description, '\n') == NULL && strchr(f.host_id, '\n') == NULL);
#if TEL__LINUX
    CHECK_STR(f.os_type, "linux");
    CHECK(f.exe_path[0] == '/' && f.os_version[0] && f.host_arch[0]);
#endif
}

#ifdef __linux__
/* Lines of /proc/self/cgroup and mountinfo as container runtimes and Kubernetes make them. */
static void test_container(void) {
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    tel__platform_facts f;
    memset(&f, 0, sizeof f);
    tel__platform_container_line("0::/user.slice/user-1000.slice/session-2.scope\n", &f);
    tel__platform_container_line("0::/\n", &f);
    tel__platform_container_line("1:name=systemd:/docker/0123456789abcdef\n", &f);
    CHECK_STR(f.container_id, "");
    tel__platform_container_line("12:pids:/docker/" ID "\n", &f);
    CHECK_STR(f.container_id, ID);
    CHECK_STR(f.pod_uid, "");
    memset(&f, 0, sizeof f);
    tel__platform_container_line("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_0000_1111_2222_333344445555"
                                 ".slice/cri-containerd-" ID ".scope\n", &f);
    CHECK_STR(f.container_id, ID);
    CHECK_STR(f.pod_uid, "0a1b2c3d-0000-1111-2222-333344445555");
    memset(&f, 0, sizeof f);
    tel__platform_container_line("983 961 0:37 /containers/" ID "/hostname /etc/hostname rw", &f);
    CHECK_STR(f.container_id, ID);
#undef ID
}
#else
static void test_container(void) { }
#endif

int main(void) {
    test_macros();
    test_clocks();
    test_ticks();
    test_entropy();
    test_files();
    test_spelling();
    test_detect();
    test_container();
    return check_done();
}
