/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What mod_proxy writes of servers that it cannot connect to.
 *
 * For each it has two lines at error level: one of the connection (AH00957), for the server_rec, and one of the request
 * (AH01114, with HTTP/2 AH03352). A request that seven servers refuse would have fourteen. Ours says it once for the
 * request, with the system's reasons. So while mod_proxy works for us, these lines are written only where LogLevel for
 * mod_proxy is info or finer: the first because it gets a copy of the server_rec (mb_source.c) with another level, the
 * second because the request has another level until there is a connection.
 */

#include "proxy/mb_proxy.h"

/* The request that this thread has made quiet. */
static __thread __attribute__((tls_model("initial-exec"))) struct {
    request_rec *r;                /* NULL: none */
    const struct ap_logconf *loud; /* what its lines go by as soon as there is a connection */
} now;

static int level_of(const struct ap_logconf *log, const module *of) {
    int level = log->module_levels ? log->module_levels[of->module_index] : -1;
    return level < 0 ? log->level : level; /* negative: as all modules */
}

/* A LogLevel that asks mod_proxy for more, or for less than this, is left as it is. */
static int is_plain(int level) { return level < APLOG_INFO && level > APLOG_CRIT; }

/* In a newer httpd a server_rec may be longer than we know, and is not copied. */
int mb_quiet_wants(const server_rec *server) {
    return !mb_mp.is_newer && is_plain(level_of(&server->log, mb_mp.proxy));
}

/* Levels of a request, with lines of the modules that connect only above error. */
static const struct ap_logconf *mute(apr_pool_t *pool, const struct ap_logconf *log) {
    struct ap_logconf *muted = ap_new_log_config(pool, log);
    ap_set_module_loglevel(pool, muted, mb_mp.http->module_index, APLOG_CRIT);
    if (mb_mp.http2) ap_set_module_loglevel(pool, muted, mb_mp.http2->module_index, APLOG_CRIT);
    return muted;
}

void mb_quiet_make(apr_pool_t *pool, mb_copy *copy) {
    copy->muted = *mute(pool, &copy->server.log);
    copy->server.log = *ap_new_log_config(pool, &copy->server.log);
    ap_set_module_loglevel(pool, &copy->server.log, mb_mp.proxy->module_index, APLOG_CRIT);
}

const struct ap_logconf *mb_quiet_begin(request_rec *r, const server_rec *own, const server_rec *from) {
    const struct ap_logconf *before = r->log;
    if (from == own) return before;
    const struct ap_logconf *of = r->log ? r->log : r->connection->log ? r->connection->log : &own->log;
    r->log = of; /* what is written of the request does not go by the copy */
    if (!mb_quiet_wants(own) || !is_plain(level_of(of, mb_mp.proxy)) || !is_plain(level_of(of, mb_mp.http)))
        return before;
    r->log = of == &own->log ? &((const mb_copy *)(const void *)from)->muted /* its first member */ : mute(r->pool, of);
    now.r = r;
    now.loud = of;
    return before;
}

void mb_quiet_connected(void) {
    if (!now.r) return;
    now.r->log = now.loud;
    now.r = NULL;
}

int mb_quiet_end(request_rec *r, const struct ap_logconf *before) {
    int is_unconnected = now.r != NULL;
    r->log = before;
    now.r = NULL;
    return is_unconnected;
}
