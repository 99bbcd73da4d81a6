/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Waits, as an application does that asks a database: so many milliseconds as the path's last part says (/default/50).
 * `SetHandler pause`. */

#include "httpd.h"

#include "http_config.h"
#include "http_protocol.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int pause_a_while(request_rec *r) {
    if (!r->handler || strcmp(r->handler, "pause") != 0) return DECLINED;
    const char *part = strrchr(r->uri, '/');
    long ms = part ? strtol(part + 1, NULL, 10) : 0;
    if (ms > 0 && ms <= 10000) usleep((useconds_t)ms * 1000);
    apr_table_setn(r->headers_out, "X-Server", r->server->server_hostname);
    ap_set_content_type(r, "text/plain");
    ap_rputs("done\n", r);
    return OK;
}

static void register_hooks(apr_pool_t *pool) {
    (void)pool;
    ap_hook_handler(pause_a_while, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(pause) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0};
