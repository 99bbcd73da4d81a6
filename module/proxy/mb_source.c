/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The address from which a server is connected. Where there is no key, servers know this httpd by the addresses that it
 * announces; the kernel may choose another one of a machine that has several. Then mod_proxy binds to an announced one:
 * that is its ProxySourceAddress, set in a copy of its configuration, which a copy of httpd's server_rec leads to. The
 * copy has another log level, too: mb_quiet.c.
 */

#include "proxy/mb_proxy.h"

#include "apr_thread_mutex.h"

/* Milliseconds after which routes and addresses are looked at again. They change at most that long unnoticed; the three
 * system calls are then nothing. */
#define LOOK_EVERY_MS 5000
/* mod_proxy's configuration of one server, with one address to bind to. Never freed: kept connections point to it. */
typedef struct bound {
    const server_rec *of;
    bh_address_t address; /* zero: none */
    mb_copy copy;
    struct bound *next;
} bound;

struct mb_source {
    const server_rec *of;
    server_rec *server; /* NULL: no copy is needed */
    uint64_t until_ms;
    mb_source *next;
};

static bound *all; /* under the lock */

static void set_source(apr_pool_t *pool, server_rec *copy, const bh_address_t *address) {
    const proxy_server_conf *old = ap_get_module_config(copy->module_config, mb_mp.proxy);
    proxy_server_conf *changed = apr_pmemdup(pool, old, sizeof *changed);
    changed->source_address = mb_address_for_apr(pool, address);
    changed->source_address_set = 1;
    copy->module_config = apr_pmemdup(pool, copy->module_config, mb_mp.vector);
    ap_set_module_config(copy->module_config, mb_mp.proxy, changed);
}

/* With the lock. address zero: the kernel chooses. */
static server_rec *copy_for(apr_pool_t *pool, server_rec *server, bh_address_t address) {
    for (bound *each = all; each; each = each->next)
        if (each->of == server && bh_address_equals(each->address, address)) return &each->copy.server;
    bound *made = apr_pcalloc(pool, sizeof *made);
    *made = (bound){.of = server, .address = address, .copy = {.server = *server}, .next = all};
    if (!bh_address_is_zero(address)) set_source(pool, &made->copy.server, &address);
    if (mb_quiet_wants(server)) mb_quiet_make(pool, &made->copy);
    all = made;
    return &made->copy.server;
}

static mb_source *find(mb_source **list, const server_rec *server) {
    for (mb_source *each = __atomic_load_n(list, __ATOMIC_ACQUIRE); each; each = each->next)
        if (each->of == server) return each;
    return NULL;
}

server_rec *mb_source_find(request_rec *r, mb_source **list, const bh_facts_t *server, apr_pool_t *pool,
                           apr_pool_t *for_ever, apr_thread_mutex_t *lock) {
    const proxy_server_conf *settings = ap_get_module_config(r->server->module_config, mb_mp.proxy);
    mb_source *known = find(list, r->server);
    uint64_t now = mb_now_ms();
    if (!known || bh_word_load(&known->until_ms) <= now) {
        bh_address_t address = {0, 0};
        /* With ProxySourceAddress the administrator has chosen; a newer mod_proxy has a configuration that is not
         * copied. */
        int may_bind = !mb_mp.is_newer && !settings->source_address_set;
        int is_needed =
            (may_bind && bh_source_choose(mb_segment, mb_self_row(r), server, &address)) || mb_quiet_wants(r->server);
        apr_thread_mutex_lock(lock);
        known = find(list, r->server);
        if (!known) {
            known = apr_pcalloc(pool, sizeof *known);
            *known = (mb_source){.of = r->server, .next = *list};
            __atomic_store_n(list, known, __ATOMIC_RELEASE);
        }
        __atomic_store_n(&known->server, is_needed ? copy_for(for_ever, r->server, address) : NULL, __ATOMIC_RELEASE);
        bh_word_store(&known->until_ms, now + LOOK_EVERY_MS);
        apr_thread_mutex_unlock(lock);
    }
    server_rec *found = __atomic_load_n(&known->server, __ATOMIC_ACQUIRE);
    return found ? found : r->server;
}
