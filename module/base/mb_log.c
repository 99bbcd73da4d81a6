/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The core's lines for httpd's log. */

#include "base/mb_base.h"

void mb_log_line(void *server, int32_t level, int32_t number, const char *text) {
    if (number) ap_log_error(APLOG_MARK, level, 0, (server_rec *)server, "BH%04d: %s", number, text);
    else ap_log_error(APLOG_MARK, level, 0, (server_rec *)server, "%s", text);
}
