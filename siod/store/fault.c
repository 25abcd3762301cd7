#include <stdarg.h>
#include <stdio.h>

#include "siod/store/backend.h"

enum err store_fault_set(struct store_fault *fault, const char *format, ...)
{
    va_list args;

    if (fault->set) {
        return ERR_STORE;
    }
    va_start(args, format);
    vsnprintf(fault->reason, sizeof(fault->reason), format, args);
    va_end(args);
    fault->set = true;
    return ERR_STORE;
}
