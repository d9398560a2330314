/* Included ahead of a test under the memory sanitizer, which does not see what a raw system call writes: without the call's
   number the header takes its fallback, read() from /dev/urandom, which it does see. */
#include <sys/syscall.h>
#undef SYS_getrandom
