/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A server's work for the bench: a request takes as long as its header X-Demand says, in microseconds, times how slow
 * this server is now.
 *
 *     DemandControl FILE    what the bench tells and hears while all runs, in shared memory: struct control
 *     DemandWorkers N       requests worked on at once, others wait in their order; 0: as many as httpd has threads
 *     DemandMode sleep|burn what it does meanwhile: nothing (so it is by default), or using so much time of a CPU
 *     DemandName NAME       told in the header X-Server
 *     SetHandler demand
 *
 * A server that burns is as fast as the CPU that it gets: its control group makes it slower, not slowness alone.
 *
 * Such a worker stands for an application's process behind httpd (PHP-FPM, a database connection): httpd has more
 * threads than there are.
 */

#include "httpd.h"

#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Python writes and reads it as "=qqq" (farm.py). */
typedef struct control {
    int64_t slowness; /* thousandths: 1000 works as fast as demands say */
    int64_t fails;    /* 1: everything is answered 503, at once */
    int64_t working;  /* requests here now, waiting ones too */
} control;

/* One that waits for a worker. */
typedef struct waiter {
    pthread_cond_t turn;
    int has_turn;
    struct waiter *next;
} waiter;

typedef struct settings {
    const char *file, *name;
    int workers, burns;
} settings;

module AP_MODULE_DECLARE_DATA demand_module;

static control *shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int free_workers;
static waiter *first, **last = &first;

/* ---- Workers ---- */

static void take_worker(void) {
    pthread_mutex_lock(&lock);
    if (free_workers > 0) free_workers--;
    else {
        waiter me = {.turn = PTHREAD_COND_INITIALIZER};
        *last = &me;
        last = &me.next;
        while (!me.has_turn) pthread_cond_wait(&me.turn, &lock);
    }
    pthread_mutex_unlock(&lock);
}

/* The worker goes to the one that has waited longest. */
static void give_worker(void) {
    pthread_mutex_lock(&lock);
    waiter *next = first;
    if (next) {
        first = next->next;
        if (!first) last = &first;
        next->has_turn = 1;
        pthread_cond_signal(&next->turn);
    } else free_workers++;
    pthread_mutex_unlock(&lock);
}

/* ---- Work ---- */

static void sleep_for(int64_t us) {
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) continue;
}

static int64_t slowed(int64_t demand_us) {
    return demand_us * __atomic_load_n(&shared->slowness, __ATOMIC_RELAXED) / 1000;
}

/* CPU that this thread has used. */
static int64_t used_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* Some microseconds: looking at the clock is a system call, which would otherwise be most of the work. */
static void spin(void) {
    for (volatile int rounds = 0; rounds < 10000; rounds++) continue;
}

/* Slowness may become 0 meanwhile: the bench ends what is left of a run. */
static void burn_for(int64_t demand_us) {
    int64_t begin = used_us();
    while (used_us() - begin < slowed(demand_us)) spin();
}

static void work(const settings *server, int64_t demand_us) {
    if (server->burns) burn_for(demand_us);
    else sleep_for(slowed(demand_us));
}

static int64_t demand_of(request_rec *r) {
    const char *text = apr_table_get(r->headers_in, "X-Demand");
    int64_t us = text ? strtoll(text, NULL, 10) : 0;
    return us < 0 ? 0 : us > 60000000 ? 60000000 : us;
}

static int handle(request_rec *r) {
    const settings *server = ap_get_module_config(r->server->module_config, &demand_module);
    if (!r->handler || strcmp(r->handler, "demand") != 0 || !shared) return DECLINED;
    ap_discard_request_body(r);
    apr_table_setn(r->headers_out, "X-Server", server->name);
    ap_set_content_type(r, "text/plain");
    if (__atomic_load_n(&shared->fails, __ATOMIC_RELAXED)) {
        r->status = HTTP_SERVICE_UNAVAILABLE;
        ap_rputs("broken\n", r);
        return OK;
    }
    __atomic_fetch_add(&shared->working, 1, __ATOMIC_RELAXED);
    if (server->workers) take_worker();
    work(server, demand_of(r));
    if (server->workers) give_worker();
    __atomic_fetch_sub(&shared->working, 1, __ATOMIC_RELAXED);
    ap_rputs("done\n", r);
    return OK;
}

/* ---- Configuration ---- */

static void *create_settings(apr_pool_t *pool, server_rec *server) {
    (void)server;
    return apr_pcalloc(pool, sizeof(settings));
}

static settings *of(cmd_parms *command) { return ap_get_module_config(command->server->module_config, &demand_module); }

static const char *set_control(cmd_parms *command, void *directory, const char *path) {
    (void)directory;
    of(command)->file = path;
    return NULL;
}

static const char *set_name(cmd_parms *command, void *directory, const char *name) {
    (void)directory;
    of(command)->name = name;
    return NULL;
}

static const char *set_workers(cmd_parms *command, void *directory, const char *number) {
    (void)directory;
    of(command)->workers = atoi(number);
    return NULL;
}

static const char *set_mode(cmd_parms *command, void *directory, const char *word) {
    (void)directory;
    of(command)->burns = strcmp(word, "burn") == 0;
    return of(command)->burns || strcmp(word, "sleep") == 0 ? NULL : "DemandMode: neither sleep nor burn";
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("DemandControl", set_control, NULL, RSRC_CONF, "file of the bench's orders"),
    AP_INIT_TAKE1("DemandMode", set_mode, NULL, RSRC_CONF, "sleep or burn"),
    AP_INIT_TAKE1("DemandName", set_name, NULL, RSRC_CONF, "value of X-Server"),
    AP_INIT_TAKE1("DemandWorkers", set_workers, NULL, RSRC_CONF, "requests worked on at once"),
    {.name = NULL}};

/* In the child: there is one, and it alone counts. */
static void begin(apr_pool_t *pool, server_rec *server) {
    (void)pool;
    const settings *what = ap_get_module_config(server->module_config, &demand_module);
    free_workers = what->workers;
    int file = what->file ? open(what->file, O_RDWR | O_CLOEXEC) : -1;
    void *memory = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (memory != MAP_FAILED) shared = memory;
    else
        ap_log_error(APLOG_MARK, APLOG_ERR, errno, server, "mod_demand: cannot use %s",
                     what->file ? what->file : "DemandControl");
}

static void register_hooks(apr_pool_t *pool) {
    (void)pool;
    ap_hook_child_init(begin, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(demand) = {STANDARD20_MODULE_STUFF, NULL, NULL, create_settings, NULL, commands, register_hooks, 0};
