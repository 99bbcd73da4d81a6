/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Requests that wait for their answer without a thread.
 *
 * mod_proxy's handler holds its thread until the answer is there. So it runs twice. The first time it sends the
 * request, and as soon as it would wait for the answer, the filter on the server's connection ends the attempt with an
 * error that is not logged; before that, the connection is taken out of mod_proxy's record, so that it stays open. The
 * second time, when the answer is there, mod_proxy finds the connection in the record, as if it were one that is kept
 * alive; the filter drops the request, which was sent already, and the answer is read as always.
 *
 * In between, the MPM waits for the answer in the place of the client (CONN_STATE_ASYNC_WAITIO): the client's socket
 * has the descriptor of a set (epoll), in which are the server's socket and a timer.
 *
 * mod_proxy gets a copy of the worker with a pool of one connection, which is the record that the worker has given us.
 */

#include "proxy/mb_proxy.h"

#include "apr_portable.h"

#include "scoreboard.h"

#include <pthread.h>
#include <unistd.h>

#define SCHEME "http"

/* Milliseconds for which a thread waits all the same: an answer that comes at once is not worth the way. */
#define SHORT_MS 1

/* Seconds that a Timeout must have: one is between two looks at a silent server. */
#define LEAST_TIMEOUT apr_time_from_sec(3)

/* To the next look at a silent server. */
#define LOOK apr_time_from_sec(1)

struct mb_park {
    proxy_worker worker;
    proxy_conn_pool pool;
    proxy_conn_rec *record; /* of the server's worker, until the request is over */
    const mb_route *way;    /* to it */
    mb_park *next, **before;
    mb_exchange now; /* of the thread that has sent the request */
    mb_keeping keeping;
    /* The connection, while it is not in the record. */
    apr_pool_t *scpool;
    apr_socket_t *socket;
    conn_rec *connection; /* NULL: it is there, or there is none */
    apr_bucket_brigade *brigade;
    bh_wait_t wait;
    int client;        /* the client's descriptor, while its socket has wait.set */
    uint64_t since_ms; /* when it began to wait */
    unsigned seconds;  /* of silence after which the server was looked at last */
};

static const struct ap_logconf mute = {.level = APLOG_EMERG};

static int can_wait, threads, thread_limit;
static uint32_t waiting, most_waiting;

/* A module that may hold what other threads wait for. NULL: there is none. */
static const char *holder;

/* Of this process, all that wait. */
static mb_park *all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int process_of(const conn_rec *c) { return (int)(c->id / thread_limit); }

static __thread __attribute__((tls_model("initial-exec"))) const conn_rec *served;

void mb_park_serve(const conn_rec *c) { served = c; }

/* Whether less than half of the threads of the connection's process is idle. */
int mb_park_wants(const conn_rec *c) {
    uint32_t half = ((uint32_t)threads + 1) / 2;
    return mb_scoreboard_idle_of(process_of(c), threads, half) < half;
}

/* Of a process that ends: its listener may have ended already, if it has counted no connection, and nothing would wait.
 */
static int is_ending(const conn_rec *c) { return ap_scoreboard_image->parent[process_of(c)].quiescing; }

int mb_park_is_possible(void) { return can_wait; }

/* Whether mod_proxy finds the connection as it was left. */
static int is_plain(request_rec *r) {
    static const char *const others[] = {"proxy-initial-not-pooled", "proxy-nokeepalive", "force-proxy-request-1.0"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (apr_table_get(r->subprocess_env, others[i])) return 0;
    return !r->expecting_100 && !apr_table_get(r->headers_in, "Upgrade");
}

static int is_allowed(const mb_directory *settings) {
    return (settings->scheme == MB_UNSET || settings->scheme == MB_HTTP) && settings->async != MB_OFF
           && (settings->async == MB_ON || !holder);
}

int mb_park_can(request_rec *r, const mb_directory *settings) {
    const conn_rec *c = r->connection;
    if (c != served || mb_mp.is_newer || !is_allowed(settings) || c->clogging_input_filters || c->data_in_output_filters
        || r->main || r->prev)
        return 0;
    const mb_request *kept = mb_request_find(r);
    return !(kept && kept->waited) && is_plain(r) && r->server->timeout >= LEAST_TIMEOUT
           && c->base_server->timeout >= LEAST_TIMEOUT && bh_half_load(&waiting) < most_waiting;
}

mb_park *mb_park_make(request_rec *r, const mb_directory *settings, const mb_route *way) {
    /* Until mod_proxy's worker has an address, each copy of it would look for one, and keep it. */
    if (way->shared || !way->worker->cp->res || !way->worker->cp->addr || !mb_park_can(r, settings)
        || !mb_park_wants(r->connection) || is_ending(r->connection))
        return NULL;
    mb_park *park = apr_pcalloc(r->pool, sizeof *park);
    park->worker = *way->worker;
    park->pool = *way->worker->cp;
    park->pool.res = NULL;
    park->worker.cp = &park->pool;
    return park;
}

/* ---- The first time ---- */

int mb_park_leaves(apr_socket_t *socket) {
    mb_park *park = mb_now.park;
    proxy_conn_rec *record = park->record;
    int server;
    mb_now.park = NULL;
    if (record->sock != socket || !record->connection || apr_os_sock_get(&server, socket) != APR_SUCCESS
        || bh_socket_is_ready(server, false, SHORT_MS) || !bh_wait_open(&park->wait, server))
        return 0;
    park->scpool = record->scpool;
    park->socket = socket;
    park->connection = record->connection;
    park->brigade = record->tmp_bb;
    apr_pool_create(&record->scpool, record->pool);
    record->sock = NULL;
    record->connection = NULL;
    record->tmp_bb = NULL;
    mb_now.parked = 1;
    mb_now.r->log = &mute;
    return 1;
}

/* ---- The second time ---- */

static void put_back(mb_park *park) {
    proxy_conn_rec *record = park->record;
    apr_pool_destroy(record->scpool);
    record->scpool = park->scpool;
    record->sock = park->socket;
    record->connection = park->connection;
    record->tmp_bb = park->brigade;
    park->connection->keepalive = AP_CONN_UNKNOWN;
    park->connection = NULL;
}

static void release(mb_park *park, const mb_route *way) {
    proxy_conn_rec *record = park->record;
    park->record = NULL;
    if (!record) return;
    if (mb_keep_has_enough()) record->close = 1;
    record->worker = way->worker;
    mb_mp.release_connection(SCHEME, record, way->from);
}

int mb_park_run(mb_park *park, request_rec *r, const mb_route *way, proxy_server_conf *settings, char *url) {
    if (!park) return mb_mp.run_scheme_handler(r, way->worker, settings, url, NULL, 0);
    if (park->connection) put_back(park);
    else {
        int status = mb_mp.acquire_connection(SCHEME, &park->record, way->worker, way->from);
        if (status != OK) return status;
        mb_now.park = park;
    }
    park->pool.conn = park->record;
    int result = mb_mp.run_scheme_handler(r, &park->worker, settings, url, NULL, 0);
    mb_now.park = NULL;
    if (park->pool.conn != park->record) park->record = NULL; /* should not be */
    if (!mb_now.parked) release(park, way);
    return result;
}

/* ---- In between ---- */

/* This thread has nothing to do with the request any more. */
void mb_park_begin(mb_park *park) {
    park->now = mb_now;
    park->keeping = mb_keep_leave();
    park->since_ms = mb_now_ms();
    mb_now = (mb_exchange){.r = NULL};
    pthread_mutex_lock(&lock);
    bh_half_store(&waiting, waiting + 1);
    park->next = all;
    park->before = &all;
    if (all) all->before = &park->next;
    all = park;
    pthread_mutex_unlock(&lock);
}

void mb_park_move(mb_park *park, const mb_attempt *attempt) {
    park->now.attempt = attempt;
    park->way = &attempt->way;
}

static apr_interval_time_t timeout_of(const mb_park *park) {
    apr_interval_time_t timeout;
    return apr_socket_timeout_get(park->socket, &timeout) == APR_SUCCESS ? timeout : 0;
}

static void set_timer(const mb_park *park) {
    apr_interval_time_t next = timeout_of(park) - apr_time_from_msec(mb_now_ms() - park->since_ms);
    if (next > LOOK) next = LOOK;
    if (next < SHORT_MS * 1000) next = SHORT_MS * 1000;
    bh_wait_wake(park->wait, (uint64_t)next);
}

void mb_park_wait(mb_park *park, conn_rec *c) {
    set_timer(park);
    apr_socket_t *socket = ap_get_conn_socket(c);
    apr_os_sock_get(&park->client, socket);
    apr_os_sock_put(&socket, &park->wait.set, c->pool);
    mb_mpm_wait(c);
}

void mb_park_return(mb_park *park, conn_rec *c) {
    apr_socket_t *socket = ap_get_conn_socket(c);
    apr_os_sock_t now;
    if (apr_os_sock_get(&now, socket) == APR_SUCCESS && now == park->wait.set) {
        apr_os_sock_put(&socket, &park->client, c->pool);
        return;
    }
    /* The MPM could not wait for it, and has closed it. */
    close(park->client);
    park->wait.set = -1;
}

mb_park_state mb_park_look(mb_park *park, unsigned *second) {
    int server;
    *second = 0;
    if (apr_os_sock_get(&server, park->socket) != APR_SUCCESS) return MB_PARK_ENDED;
    bh_answer_t answer = bh_answer_look(server);
    if (answer == BH_ANSWER_UNREACHABLE) mb_park_give_up(park);
    if (answer != BH_ANSWER_AWAITED) return answer == BH_ANSWER_THERE ? MB_PARK_ANSWERED : MB_PARK_ENDED;
    uint64_t silent_ms = mb_now_ms() - park->since_ms;
    if (apr_time_from_msec(silent_ms) >= timeout_of(park)) return MB_PARK_LATE;
    if (silent_ms / 1000 > park->seconds) *second = ++park->seconds;
    return MB_PARK_WAITS;
}

void mb_park_give_up(mb_park *park) { park->now.gone = 1; }

apr_socket_t *mb_park_socket(const mb_park *park) { return park->socket; }

/* This thread goes on with the request. */
void mb_park_end(mb_park *park, mb_park_state state) {
    pthread_mutex_lock(&lock);
    bh_half_store(&waiting, waiting - 1);
    *park->before = park->next;
    if (park->next) park->next->before = park->before;
    pthread_mutex_unlock(&lock);
    bh_wait_close(park->wait);
    mb_keep_return(park->keeping);
    mb_now = park->now;
    mb_now.parked = 0;
    mb_now.resumed = 1;
    mb_now.begun = 0;
    mb_now.late = state == MB_PARK_LATE;
    mb_now.ended = 1;
}

void mb_park_close(mb_park *park, const mb_route *way) {
    if (park->connection) {
        park->connection->aborted = 1;
        put_back(park);
        park->record->close = 1;
    }
    release(park, way);
}

/* The process ends at once, and has no threads any more: mod_proxy's workers must have their records back before they
 * go. */
static apr_status_t end_child(void *nothing) {
    can_wait = 0;
    for (mb_park *park = all; park; park = park->next) mb_park_close(park, park->way);
    return APR_SUCCESS;
}

static void prepare(apr_pool_t *pool, server_rec *server) {
    can_wait = mb_mpm_can_wait();
    apr_pool_pre_cleanup_register(pool, NULL, end_child);
    threads = mb_mpm_threads();
    thread_limit = mb_mpm_most_threads();
    most_waiting = (uint32_t)threads * MB_PARK_MOST;
}

static int find_holder(apr_pool_t *pool, apr_pool_t *log, apr_pool_t *temporary, server_rec *server) {
    holder = NULL;
    for (const module *each = ap_top_module; each && !holder; each = each->next)
        if (!bh_module_holds_nothing(each->name)) holder = each->name;
    if (holder && mb_mpm_can_wait() && ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG)
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, server,
                     "BackhandAsync Auto means Off, because requests may hold what others wait for in %s", holder);
    return OK;
}

void mb_park_register(apr_pool_t *pool) {
    ap_hook_post_config(find_holder, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(prepare, NULL, NULL, APR_HOOK_MIDDLE);
}
