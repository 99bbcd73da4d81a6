/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Requests of other modules (mb_doors.h), which go over workers of mod_proxy's configuration: there too, as many
 * connections are kept as the server can spare.
 *
 * A worker of ours keeps its connections or closes them, and there are two for each server. Here one does both: a
 * request without a right says "Connection: close" by mod_proxy's own variable. With threads, mod_proxy has a stack of
 * records for each worker, some with a connection and some without, and takes the upper one. So the right kind of
 * record is put on top first. A thread that comes in between gets it instead; then one connection more is kept, or one
 * less, until the next request finds that.
 */

#include "proxy/mb_proxy.h"

#include "apr_portable.h"

#include <stdlib.h>

#define CLOSE_IT "proxy-nokeepalive"

/* Records that are looked at for one request: as many as threads of a child are at one server as a rule. */
#define MOST_LOOKED_AT 64

/* Milliseconds. A server waits for seconds before it closes a connection. */
#define LOOK_MS 1000

/* What this child keeps by one worker, for as long as the child lives: connections point to it. */
typedef struct account {
    const proxy_worker *worker;
    mb_kept kept;
    uint64_t look_ms; /* when connections that servers have closed are looked for next */
    struct account *next;
} account;

/* By the server's row. They are only added. */
static account *accounts[BH_ROWS];

struct mb_guest {
    mb_route way;
    mb_kept *kept; /* NULL: the connection is closed after the request */
    uint32_t row;
    bh_facts_t server;
    /* Of a request of which this one is a part. */
    mb_keeping outer;
    mb_guest *before;
};

/* The one that this thread works on: a part of a page may be one within another. */
static __thread __attribute__((tls_model("initial-exec"))) mb_guest *now;

/* NULL: there is no memory. */
static account *account_of(uint32_t row, const proxy_worker *worker) {
    account *made = NULL, *first = __atomic_load_n(&accounts[row], __ATOMIC_ACQUIRE);
    do {
        for (account *each = first; each; each = each->next)
            if (each->worker == worker) {
                free(made);
                return each;
            }
        if (!made && !(made = calloc(1, sizeof *made))) return NULL;
        made->worker = worker;
        made->next = first;
    } while (!__atomic_compare_exchange_n(&accounts[row], &first, made, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE));
    return made;
}

/* ---- Records of mod_proxy's ---- */

typedef struct taken {
    proxy_conn_rec *records[MOST_LOOKED_AT];
    int count;
} taken;

/* 0: there was enough, or that might wait for another request to end. */
static int take(const request_rec *r, proxy_worker *worker, taken *taken) {
    apr_reslist_t *list = worker->cp->res;
    int held = taken->count;
    if (held == MOST_LOOKED_AT || (!list && held)) return 0;
    if (list && (int)apr_reslist_acquired_count(list) + (held > 0) >= worker->s->hmax) return 0;
    if (mb_mp.acquire_connection(worker->s->scheme, &taken->records[held], worker, r->server) != OK) return 0;
    taken->count++;
    return 1;
}

/* They come to lie as they were: the one that was taken last goes first. */
static void give_back(const request_rec *r, proxy_worker *worker, const taken *taken) {
    for (int i = taken->count; i--;) mb_mp.release_connection(worker->s->scheme, taken->records[i], r->server);
}

static void put_on_top(const request_rec *r, proxy_worker *worker, int is_connected) {
    taken taken = {.count = 0};
    if (!worker->cp->res) return;
    while (take(r, worker, &taken)) {
        int last = taken.count - 1;
        proxy_conn_rec *found = taken.records[last];
        if ((found->sock != NULL) != is_connected) continue;
        taken.records[last] = taken.records[0];
        taken.records[0] = found;
        break;
    }
    give_back(r, worker, &taken);
}

/* Whether the server has closed it: it has nothing to say between two requests. */
static int is_closed(const proxy_conn_rec *record) {
    apr_os_sock_t socket;
    return record->sock && apr_os_sock_get(&socket, record->sock) == APR_SUCCESS
           && bh_socket_is_ready(socket, false, 0);
}

/* Of the connections that no request has, all, or those that the server has closed. */
static void close_idle(const request_rec *r, proxy_worker *worker, const mb_kept *kept, int are_all) {
    uint32_t open = bh_half_load(&kept->open), in_use = bh_half_load(&kept->in_use), found = 0;
    taken taken = {.count = 0};
    while (open > in_use + found && take(r, worker, &taken)) {
        proxy_conn_rec *record = taken.records[taken.count - 1];
        found += record->sock != NULL;
        record->close |= are_all || is_closed(record);
    }
    give_back(r, worker, &taken);
}

/* Those that lie under others for long: the server closes them, and their rights can be of use. Once a second. */
static void look_for_closed(const request_rec *r, proxy_worker *worker, account *account, uint64_t now_ms) {
    uint64_t due = bh_word_load(&account->look_ms);
    if (now_ms >= due && worker->cp->res
        && __atomic_compare_exchange_n(&account->look_ms, &due, now_ms + LOOK_MS, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED))
        close_idle(r, worker, &account->kept, 0);
}

/* ---- A request ---- */

/* Over a connection that could be kept: the administrator has not said otherwise, and mod_proxy can. With max= and ttl=
 * he has: requests that wait for a record cannot know whether they get one with a connection, and one that is looked at
 * counts as used. */
static int is_for_us(const request_rec *r, const proxy_worker *worker) {
    return mb_mp.proxy && worker->cp && (!worker->cp->res || worker->s->hmax >= mb_mpm_threads()) && !worker->s->ttl
           && PROXY_WORKER_IS_USABLE(worker) && worker->s->is_address_reusable && !worker->s->disablereuse
           && (!strcmp(worker->s->scheme, "http") || !strcmp(worker->s->scheme, "https"))
           && !apr_table_get(r->subprocess_env, CLOSE_IT)
           && !apr_table_get(r->subprocess_env, "force-proxy-request-1.0");
}

static mb_pooling pooling_of(const request_rec *r, const mb_guest *guest) {
    if (r->main) return MB_POOL_NONE; /* mod_proxy closes connections of subrequests */
    mb_pooling pooling =
        mb_forward_pooling(r, ap_get_module_config(r->per_dir_config, &backhand_module), &guest->server);
    /* TLS has more of a connection than its socket. */
    int is_tls = strcmp(guest->way.worker->s->scheme, "https") == 0;
    return pooling == MB_POOL_SHARED && is_tls ? MB_POOL_AUTO : pooling;
}

static mb_keep choose(const request_rec *r, mb_guest *guest, account *account, int *lent) {
    mb_pooling pooling = pooling_of(r, guest);
    proxy_worker *worker = guest->way.worker;
    mb_kept *kept = &account->kept;
    uint64_t now_ms = mb_now_ms();
    if (pooling == MB_POOL_NONE) return MB_KEEP_NONE;
    guest->way.shared = mb_keep_is_shared(pooling);
    if (mb_keep_is_expired(kept, &guest->server, now_ms)) close_idle(r, worker, kept, 1);
    look_for_closed(r, worker, account, now_ms);
    mb_keep keep = mb_keep_choose(kept, guest->row, &guest->server, pooling, now_ms, lent);
    if (keep != MB_KEEP_RENEW) return keep;
    close_idle(r, worker, kept, 1);
    return mb_keep_choose(kept, guest->row, &guest->server, pooling, now_ms, lent);
}

static mb_guest *make(request_rec *r, uint32_t row, const bh_facts_t *server, proxy_worker *worker) {
    mb_guest *guest = apr_palloc(r->pool, sizeof *guest);
    *guest = (mb_guest){.way = {.worker = worker, .from = r->server},
                        .row = row,
                        .server = *server,
                        .outer = mb_keep_leave(),
                        .before = now};
    return now = guest;
}

mb_guest *mb_guest_begin(request_rec *r, uint32_t row, uint16_t port, proxy_worker *worker) {
    bh_facts_t server;
    int lent = -1;
    const bh_row_t *known = bh_segment_row(mb_segment, row);
    /* Users of servers that announce nothing have mod_proxy as it is. */
    if (!bh_row_heard(known) || !is_for_us(r, worker) || !bh_row_copy(known, &server) || server.port != port)
        return NULL;
    account *account = account_of(row, worker);
    if (!account) return NULL;
    mb_guest *guest = make(r, row, &server, worker);
    if (choose(r, guest, account, &lent) == MB_KEEP) guest->kept = &account->kept;
    else apr_table_setn(r->subprocess_env, CLOSE_IT, "1");
    put_on_top(r, worker, guest->kept && !mb_keep_is_new());
    if (lent >= 0) mb_lend_begin(&guest->way, lent);
    return guest;
}

void mb_guest_end(request_rec *r, mb_guest *guest) {
    mb_keeping left = mb_keep_leave();
    uint64_t now_ms = mb_now_ms();
    now = guest->before;
    if (guest->kept) {
        mb_keep_return(left.kept == guest->kept ? left : (mb_keeping){.kept = guest->kept});
        if (guest->way.shared) mb_lend_end(&guest->way, guest->row, &guest->server, now_ms);
        mb_keep_end(now_ms);
    } else {
        apr_table_unset(r->subprocess_env, CLOSE_IT);
    }
    mb_keep_return(guest->outer);
}

/* Connections of others, such as those for parts of a page, come on this thread, too. */
static int count(conn_rec *c, void *socket) {
    apr_sockaddr_t *other;
    bh_address_t address;
    if (!now || !now->kept || apr_socket_addr_get(&other, APR_REMOTE, socket) != APR_SUCCESS
        || other->port != now->server.port || !mb_address_of(other, &address)
        || !bh_address_equals(address, now->server.address))
        return DECLINED;
    mb_keep_connected(c);
    return DECLINED;
}

void mb_guest_register(apr_pool_t *pool) {
    static const char *const before[] = {"core.c", NULL};
    ap_hook_pre_connection(count, NULL, before, APR_HOOK_REALLY_LAST);
}
