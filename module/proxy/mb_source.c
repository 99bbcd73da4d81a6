/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The address from which a server is connected. Where there is no key, servers know this httpd by the addresses that it
 * announces; the kernel may choose another one of a machine that has several. Then mod_proxy binds to an announced one:
 * that is its ProxySourceAddress, set in a copy of its configuration, which a copy of httpd's server_rec leads to. The
 * copy has another log level, too: mb_quiet.c.
 */

#include "proxy/mb_proxy.h"

#include "apr_thread_mutex.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* Whether packets can leave for the server, from an address or (NULL) from any; sends none. used: the address that they
 * then have. */
static int can_leave(const bh_facts_t *server, const bh_address_t *from, bh_address_t *used) {
    apr_sockaddr_t to, own, name;
    socklen_t size = sizeof name.sa;
    mb_address_fill(&to, &server->address, server->port);
    int fd = socket(to.family, SOCK_DGRAM | SOCK_CLOEXEC, 0), can = fd >= 0;
    if (can && from) {
        mb_address_fill(&own, from, 0);
        can = bind(fd, (const struct sockaddr *)(const void *)&own.sa, own.salen) == 0;
    }
    name.family = to.family;
    can = can && connect(fd, (const struct sockaddr *)(const void *)&to.sa, to.salen) == 0
          && getsockname(fd, (struct sockaddr *)(void *)&name.sa, &size) == 0 && mb_address_of(&name, used);
    if (fd >= 0) close(fd);
    return can;
}

/* 0: the kernel's choice is right, or nothing is better. An address behind a NAT is not of this machine: binding to it
 * fails. */
static int choose(request_rec *r, const bh_facts_t *server, bh_address_t *chosen) {
    bh_address_t sources[BH_SOURCES_MOST], used;
    if (!can_leave(server, NULL, &used)) return 0;
    uint32_t count = bh_sources_find(mb_segment, mb_self_row(r), server->address, used, sources);
    for (uint32_t i = 0; i < count; i++) {
        if (!can_leave(server, &sources[i], &used) || !bh_address_equals(sources[i], used)) continue;
        *chosen = sources[i];
        return 1;
    }
    return 0;
}

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
        int is_needed = (may_bind && choose(r, server, &address)) || mb_quiet_wants(r->server);
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
