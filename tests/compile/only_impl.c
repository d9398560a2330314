/* The two lines that make telemetry.c out of telemetry.h, as the manual recommends. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
