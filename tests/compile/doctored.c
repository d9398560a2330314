/* Sees a telemetry.h that is not the one the implementation came from (compile.sh makes doctored.h: another version, or another
   member in tel_desc). tel_init must say TEL_ERR_BUILD and start nothing. */
#include "doctored.h"
#include "../check.h"

static int said;
static void diag(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line; (void)user_data;
    said++;
}

int main(void) {
    tel_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.service_name = "doctored";
    desc.ignore_env = true;
    desc.diag.report_fn = diag;
    CHECK_INT(tel_init(&desc), TEL_ERR_BUILD);
    CHECK(!tel_enabled());
    CHECK_INT(tel_shutdown(0), TEL_ERR_STATE);
    CHECK_INT(said, 0);             /* a desc of unknown layout must not be read, its diag function above all */
    return check_done();
}
