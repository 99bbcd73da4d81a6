/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* ProxySet lbmethod=backhand: mod_backhand's core chooses the members of a balancer:// group.
 *
 * What mod_proxy_balancer decides stays its own: routes of sessions, members that are not usable, sets, spares and
 * standbys. The core chooses among those of which mod_proxy_balancer would take one.
 */

#include "doors/mb_doors.h"

#include "apr_fnmatch.h"
#include "apr_hash.h"
#include "apr_strings.h"
#include "http_config.h"
#include "http_log.h"
#include "http_main.h"
#include "mod_proxy.h"

extern module AP_MODULE_DECLARE_DATA lbmethod_backhand_module;

#define NAME "backhand"

/* NULL: mod_backhand is not loaded, or is another version's. */
static const backhand_core *core;
/* mod_proxy itself says how often it tries, and where: only where the first server has refused the request. */
static const backhand_door door = {.owner = &lbmethod_backhand_module, .retries = 16, .most_us = UINT64_MAX};

static APR_OPTIONAL_FN_TYPE(proxy_balancer_get_best_worker) * collect_best;
static __typeof__(&proxy_run_scheme_handler) run_schemes;

/* Of this configuration; NULL: no group has this method. Each is its worker's context. */
static bh_named_t *members, *members_end;
/* Whether there is a group with it, which may have members later. */
static int has_groups;
/* MB_DISTINCT for all groups, or 0. */
static int distinct;

static int is_member(const bh_named_t *named) { return named >= members && named < members_end; }

/* Members that the balancer-manager has added have the rows that are reserved for such. */
static const bh_named_t *newcomer_of(const proxy_worker *worker) {
    return members ? core->newcomer(worker->s->hash.fnv | 1) : NULL;
}

static const bh_named_t *member_of(const proxy_worker *worker) {
    return is_member(worker->context) ? worker->context : newcomer_of(worker);
}

/* ---- A choice ---- */

/* What mod_proxy_balancer would take. */
typedef struct usable {
    proxy_worker **workers;
    bh_member_t *candidates; /* row 0: it has none */
    int count, room;
    int all;    /* not the first set alone */
    int others; /* some are newcomers */
} usable;

/* What note() returns. */
static int takes(const usable *usable, const proxy_worker *best) { return !best && !usable->all; }

/* Not within note(), so that it saves no registers for the call. */
__attribute__((noinline)) static int note_newcomer(usable *usable, const proxy_worker *worker,
                                                   const proxy_worker *best) {
    const bh_named_t *member = newcomer_of(worker);
    usable->others = 1;
    usable->candidates[usable->count - 1].row = member ? member->row : 0;
    return takes(usable, best);
}

/* Asked for each: only one set of members, with its spares, or the standbys. If none of a set is taken, the others
 * follow. */
static int note(proxy_worker *worker, proxy_worker *best, void *baton) {
    usable *usable = baton;
    int at = usable->count;
    if (at == usable->room) return 0;
    usable->count = at + 1;
    usable->workers[at] = worker;
    usable->candidates[at].weight = (uint32_t)worker->s->lbfactor;
    const bh_named_t *named = worker->context;
    if (!is_member(named)) return note_newcomer(usable, worker, best);
    usable->candidates[at].row = named->row;
    return takes(usable, best);
}

/* By what mod_proxy counts, where the core cannot say: without shared memory, or with a full table. */
static proxy_worker *least_busy(const usable *usable) {
    static uint32_t turn;
    int first = (int)(__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % (uint32_t)usable->count);
    const proxy_worker *best = usable->workers[first];
    int at = first;
    for (int i = 0; i < usable->count; i++) {
        const proxy_worker *other = usable->workers[i];
        if ((other->s->busy + 1) * (apr_size_t)best->s->lbfactor
            >= (best->s->busy + 1) * (apr_size_t)other->s->lbfactor)
            continue;
        best = other;
        at = i;
    }
    return usable->workers[at];
}

/* ---- Where the first set has no member for the request ---- */

/* Members with the same are chosen from at once. */
static int rank_of(const proxy_worker *worker) {
    return worker->s->lbset * 4 + (worker->s->status & PROXY_WORKER_HOT_STANDBY ? 2 : 0)
           + (worker->s->status & PROXY_WORKER_HOT_SPARE ? 1 : 0);
}

/* The next set: those of the lowest rank above the last one. */
static usable set_after(const usable *all, int *rank) {
    usable set = {.room = 0, .workers = all->workers + all->room};
    set.candidates = all->candidates + all->room;
    int next = INT_MAX;
    for (int i = 0; i < all->count; i++)
        if (rank_of(all->workers[i]) > *rank && rank_of(all->workers[i]) < next) next = rank_of(all->workers[i]);
    for (int i = 0; i < all->count; i++) {
        if (rank_of(all->workers[i]) != next) continue;
        set.workers[set.count] = all->workers[i];
        set.candidates[set.count++] = all->candidates[i];
    }
    *rank = next;
    return set;
}

/* Lists with room for all members; with two, a part of them fits after the whole. */
static usable make(const request_rec *r, int room, int lists) {
    usable made = {.room = room};
    made.workers = apr_palloc(r->pool, (size_t)(lists * room) * (sizeof *made.workers + sizeof *made.candidates));
    made.candidates = (bh_member_t *)(void *)(made.workers + lists * room);
    return made;
}

/* mod_proxy_balancer gives as many as there are members that it cannot use. */
static void add_spares(const proxy_balancer *balancer, usable *all) {
    int known = all->count;
    for (int i = 0; i < balancer->workers->nelts; i++) {
        proxy_worker *worker = APR_ARRAY_IDX(balancer->workers, i, proxy_worker *);
        int place = 0;
        while (place < known && all->workers[place] != worker) place++;
        if (place == known && PROXY_WORKER_IS_SPARE(worker) && PROXY_WORKER_IS_USABLE(worker)
            && !PROXY_WORKER_IS_DRAINING(worker))
            note(worker, NULL, all);
    }
}

/* The core refuses members that mod_proxy_balancer takes for usable: a spare, a standby or the next set comes before
 * the last resort. */
static proxy_worker *find_elsewhere(proxy_balancer *balancer, request_rec *r, int has_last_resort) {
    usable all = make(r, balancer->workers->nelts, 2);
    all.all = 1;
    collect_best(balancer, r, note, &all);
    add_spares(balancer, &all);
    int last = 0, chosen = MB_NOBODY;
    do {
        for (int rank = -1;;) {
            usable set = set_after(&all, &rank);
            if (!set.count) break;
            chosen = core->choose(&door, r, balancer->context, set.candidates, set.count, last ? MB_LAST : 0);
            if (chosen >= 0) return set.workers[chosen];
            has_last_resort |= chosen == MB_LAST_RESORT;
        }
    } while (has_last_resort && !last++);
    return NULL;
}

static proxy_worker *find(proxy_balancer *balancer, request_rec *r) {
    usable usable = make(r, balancer->workers->nelts, 1);
    if (!collect_best(balancer, r, note, &usable)) return NULL;
    int chosen =
        core->choose(&door, r, balancer->context, usable.candidates, usable.count, usable.others ? 0 : distinct);
    return chosen >= 0              ? usable.workers[chosen]
           : chosen == MB_UNDECIDED ? least_busy(&usable)
                                    : find_elsewhere(balancer, r, chosen == MB_LAST_RESORT);
}

static apr_status_t reset(proxy_balancer *balancer, server_rec *server) { return APR_SUCCESS; }
static apr_status_t age(proxy_balancer *balancer, server_rec *server) { return APR_SUCCESS; }

static const proxy_balancer_method method = {.name = NAME, .finder = find, .reset = reset, .age = age};

/* ---- What comes of it ---- */

/* The group that the request is for; worker->balancer may be an older copy of it. NULL: none with this method. */
static const proxy_balancer *group_of(const request_rec *r, const proxy_server_conf *conf) {
    const char *name = apr_table_get(r->subprocess_env, "BALANCER_NAME");
    for (int i = 0; name && i < conf->balancers->nelts; i++) {
        const proxy_balancer *group = &APR_ARRAY_IDX(conf->balancers, i, proxy_balancer);
        if (group->lbmethod == &method && strcmp(group->s->name, name) == 0) return group;
    }
    return NULL;
}

/* Around the module that speaks the scheme, once for each attempt, and outside of the balancer's lock. The member that
 * a session's route has chosen counts as well. */
static int ask(request_rec *r, proxy_worker *worker, proxy_server_conf *conf, char *url, const char *host,
               apr_port_t port) {
    /* A part of a page knows the group that the page came from, and may be for a server of none. */
    if (!has_groups || !worker->balancer) return DECLINED;
    const proxy_balancer *group = NULL;
    mb_stage stage = core->stage(&door, r);
    if (stage == MB_UNDER_WAY || (stage != MB_CHOSEN && !(group = group_of(r, conf)))) return DECLINED;
    const bh_named_t *member = member_of(worker);
    if (!member || !core->begin(&door, r, group ? group->context : NULL, member, 0)) return DECLINED;
    void *kept = host ? NULL : core->keep(&door, r, worker); /* the connection is to another proxy */
    int result = run_schemes(r, worker, conf, url, host, port);
    core->release(r, kept);
    int seen = core->end(&door, r, result == DECLINED ? HTTP_INTERNAL_SERVER_ERROR : result);
    return result == DECLINED ? DECLINED : seen;
}

/* ---- Configuration ---- */

static int complain(server_rec *server, const char *what) {
    ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, server,
                 "BH0160: mod_lbmethod_backhand needs %s, which is not loaded: add its LoadModule line", what);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int find_functions(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    collect_best = APR_RETRIEVE_OPTIONAL_FN(proxy_balancer_get_best_worker);
    if (!core) return complain(server, "mod_backhand");
    if (!collect_best) return complain(server, "mod_proxy");
    return OK;
}

/* mod_proxy may be loaded after this module, which cannot be linked with it for that reason. */
static int hook_schemes(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    const module *proxy = ap_find_linked_module("mod_proxy.c");
    APR_OPTIONAL_FN_TYPE(backhand_core_of) *core_of = APR_RETRIEVE_OPTIONAL_FN(backhand_core_of);
    __typeof__(&proxy_hook_scheme_handler) add;
    core = core_of ? core_of(BH_BORDER_VERSION) : NULL;
    if (!proxy || !core) return OK;
    BACKHAND_FIND(core, add, proxy, "proxy_hook_scheme_handler");
    BACKHAND_FIND(core, run_schemes, proxy, "proxy_run_scheme_handler");
    if (add && run_schemes) add(ask, NULL, NULL, APR_HOOK_REALLY_FIRST);
    return OK;
}

/* As mod_proxy resolves it: a name may have several addresses, and the first counts. NULL: it has none now. */
static apr_sockaddr_t *resolve(apr_pool_t *ptemp, const proxy_worker *worker) {
    apr_sockaddr_t *address;
    apr_status_t failed =
        apr_sockaddr_info_get(&address, worker->s->hostname_ex, APR_UNSPEC, worker->s->port, 0, ptemp);
    if (!failed) return address;
    ap_log_error(
        APLOG_MARK, APLOG_NOTICE, failed, ap_server_conf,
        "BH0162: BalancerMember %s has no address now: what it announces does not count until the next restart",
        worker->s->name_ex);
    return NULL;
}

static void name_worker(apr_pool_t *pconf, apr_pool_t *ptemp, proxy_worker *worker, bh_named_t *named) {
    const char *socket = worker->s->uds_path, *place = *socket ? socket : worker->s->name_ex;
    apr_ssize_t length = APR_HASH_KEY_STRING;
    core->name(pconf, named, *socket ? socket : worker->s->hostname_ex, *socket ? NULL : resolve(ptemp, worker),
               worker->s->port, apr_hashfunc_default(place, &length));
    worker->context = named;
}

/* The section of a group that has a chain; NULL: `default`. A name that begins with this one is another group's. */
static ap_conf_vector_t *section_of(const proxy_server_conf *conf, const char *name) {
    ap_conf_vector_t *found = NULL;
    const module *proxy = ap_find_linked_module("mod_proxy.c");
    for (int i = 0; i < conf->sec_proxy->nelts; i++) {
        ap_conf_vector_t *section = APR_ARRAY_IDX(conf->sec_proxy, i, ap_conf_vector_t *);
        const proxy_dir_conf *of = ap_get_module_config(section, proxy);
        size_t length = of->p ? strlen(of->p) : 0;
        while (length && of->p[length - 1] == '/') length--;
        int is_it = of->r              ? !ap_regexec(of->r, name, 0, NULL, 0)
                    : of->p_is_fnmatch ? apr_fnmatch(of->p, name, 0) == APR_SUCCESS
                                       : ap_cstr_casecmpn(of->p, name, length) == 0 && !name[length];
        if (is_it && core->has_chain(section)) found = section;
    }
    return found;
}

/* A virtual host has its own copy of a group as soon as it has lines of mod_proxy, and the method is not copied. */
static void look_for_copy(const server_rec *server, const proxy_balancer *balancer) {
    if (!balancer->lbmethod || !balancer->workers->nelts) return;
    const proxy_worker *worker = APR_ARRAY_IDX(balancer->workers, 0, const proxy_worker *);
    if (is_member(worker->context))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0144: %s has the method %s in this virtual host: mod_proxy does not inherit lbmethod=backhand, "
                     "so write it in the host's ProxyPass line too",
                     balancer->s->name, balancer->lbmethod->name);
}

/* Members of the server's groups with this method; named NULL: only how many there are. */
static size_t name_workers(apr_pool_t *pconf, apr_pool_t *ptemp, const server_rec *server, bh_named_t *named) {
    const proxy_server_conf *conf = ap_get_module_config(server->module_config, ap_find_linked_module("mod_proxy.c"));
    size_t count = 0;
    for (int i = 0; i < conf->balancers->nelts; i++) {
        proxy_balancer *balancer = &APR_ARRAY_IDX(conf->balancers, i, proxy_balancer);
        if (balancer->lbmethod != &method) {
            look_for_copy(server, balancer);
            continue;
        }
        has_groups = 1;
        balancer->context = section_of(conf, balancer->s->name);
        for (int j = 0; j < balancer->workers->nelts; j++, count++)
            if (named) name_worker(pconf, ptemp, APR_ARRAY_IDX(balancer->workers, j, proxy_worker *), &named[count]);
    }
    return count;
}

static int name_all(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    size_t done = 0;
    size_t count = 0;
    members = members_end = NULL;
    has_groups = 0;
    if (!collect_best || ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) return OK;
    for (server_rec *each = server; each; each = each->next) count += name_workers(pconf, ptemp, each, NULL);
    if (!has_groups) return OK;
    members = apr_pcalloc(pconf, (count + 1) * sizeof *members);
    members_end = members + count;
    for (server_rec *each = server; each; each = each->next) done += name_workers(pconf, ptemp, each, members + done);
    core->reserve(pconf);
    return OK;
}

/* When mod_backhand has given them. */
static int look_for_rows(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    unsigned long lost = 0;
    uint32_t last = 0;
    distinct = MB_DISTINCT;
    for (const bh_named_t *member = members; member < members_end; last = member++->row) {
        lost += !member->row;
        if (member->row <= last) distinct = 0;
    }
    if (lost)
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, server,
            "BH0161: the table of servers has no row left for %lu of %lu members: in their groups, mod_proxy's "
            "counts of requests decide",
            lost, (unsigned long)(members_end - members));
    return OK;
}

static void register_hooks(apr_pool_t *pool) {
    ap_register_provider(pool, PROXY_LBMETHOD, NAME, "0", &method);
    ap_hook_check_config(find_functions, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(name_all, NULL, NULL, APR_HOOK_LAST);
    ap_hook_post_config(look_for_rows, NULL, NULL, APR_HOOK_REALLY_LAST + 1);
    ap_hook_pre_config(hook_schemes, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(lbmethod_backhand) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
                                        AP_MODULE_FLAG_NONE};
