/* A module with an instance of its own, loaded, recorded through by a thread of the host that lives on, and unloaded. Built twice:
   with -DMODULE as the shared object, without as the host, which is given the path of the object and the way to leave it:
   0 unloads it as it runs, 1 after tel_shutdown, 2 also after tel_adopt_instance(NULL). Ends with 0 when the thread could end. */
#if defined(MODULE)
#define TELEMETRY_STATIC
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"

static tel_counter hits = TEL_INSTRUMENT("module.hits", NULL, NULL);
static tel_result take(const tel_batch* batch, void* user_data) { (void)batch; (void)user_data; return TEL_OK; }

int module_init(void);
int module_end(int way);
void module_work(void);
int module_init(void) {
    tel_sink sink;
    tel_desc d;
    memset(&sink, 0, sizeof sink);
    sink.export_fn = take;
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = true;
    return (int)tel_init(&d);
}
int module_end(int way) {
    tel_result r = way >= 1 ? tel_shutdown(5000) : TEL_OK;
    if (way == 2 && r == TEL_OK) { r = tel_adopt_instance(NULL); }
    return (int)r;
}
void module_work(void) {
    tel_counter_add(&hits, 1);
    TEL_SPAN(s, "in the module") { tel_log(TEL_INFO, "hello", TEL_NOATTRS); }
}

#else
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void (*work)(void);
static sem_t go, done;
static void* host_thread(void* arg) {
    (void)arg;
    sem_wait(&go);
    work();
    sem_post(&done);
    sem_wait(&go);
    return NULL;
}

static void* find(void* module, const char* name) {
    void* p = dlsym(module, name);
    if (!p) { printf("no %s\n", name); exit(3); }
    return p;
}

int main(int argc, char** argv) {
    int (*init)(void);
    int (*end)(int way);
    pthread_t thread;
    void *module, *at;
    int way = argc > 2 ? atoi(argv[2]) : 0;
    module = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!module) { printf("%s\n", dlerror()); return 2; }
    sem_init(&go, 0, 0);
    sem_init(&done, 0, 0);
    pthread_create(&thread, NULL, host_thread, NULL);
    at = find(module, "module_init");
    memcpy(&init, &at, sizeof init);
    at = find(module, "module_end");
    memcpy(&end, &at, sizeof end);
    at = find(module, "module_work");
    memcpy(&work, &at, sizeof work);
    if (init() != 0) { printf("init\n"); return 4; }
    sem_post(&go);
    sem_wait(&done);
    if (end(way) != 0) { printf("end\n"); return 5; }
    if (dlclose(module) != 0) { printf("dlclose\n"); return 6; }
    sem_post(&go);
    pthread_join(thread, NULL);
    return 0;
}
#endif
