/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A request that another module sends to one of its servers, through mod_proxy: the core decides, and sees what comes
 * of it. */

#include "doors/mb_doors.h"
#include "balance/mb_balance.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A section's chain. */
typedef struct chain {
    const bh_step_t *steps;
    size_t count;
    uint32_t number;
    const char *cookie; /* that bySession sets; NULL: none */
} chain;

/* `default`, where the members' section has no chain. */
static bh_step_t default_step;

/* One request. */
typedef struct passage {
    request_rec *r;
    chain chain;
    bh_retry_t retry;
    bool repeatable;
    uint16_t port;        /* where it is sent, if the server has no port of its own; else 0 */
    bool chosen;          /* it goes to a server that the core has chosen */
    uint64_t boot_id;     /* of the server's announcement then */
    int status;           /* of the request then: another one than 200 is that of what an ErrorDocument explains */
    const char *line;     /* and its line */
    const bh_named_t *at; /* the server that has it; NULL: none */
    mb_hold *hold;        /* of mb_hold.c; NULL: none */
    uint64_t mark;        /* what mb_spent_end wants */
    bh_result_t shown;
} passage;

/* Only where a chain sets a cookie. */
static ap_filter_rec_t *answer_filter;

/* ---- Servers ---- */

#define NEWCOMERS 16
/* NULL: none were reserved. */
static const bh_named_t *newcomers;

/* The discard prefix (RFC 6666): no server is there, so that the rest can be any number. */
#define NOWHERE (UINT64_C(0x0100) << 48)
#define FIRST_NEWCOMER (UINT64_C(1) << 32)

void mb_passage_name(apr_pool_t *pconf, bh_named_t *named, const char *name, const apr_sockaddr_t *address,
                     uint16_t port, uint32_t key) {
    *named = (bh_named_t){.place = {{NOWHERE, key}, *name == '/' ? 1 : port}, .name = name};
    if (address && mb_address_of(address, &named->place.address)) named->place.port = port;
    mb_members_name(pconf, named);
}

void mb_passage_reserve(apr_pool_t *pconf) {
    bh_named_t *named = apr_pcalloc(pconf, NEWCOMERS * sizeof *named);
    for (uint32_t i = 0; i < NEWCOMERS; i++) {
        named[i] = (bh_named_t){
            .place = {{NOWHERE, FIRST_NEWCOMER + i}, 1}, .name = "(added since the start)", .reserved = true};
        mb_members_name(pconf, &named[i]);
    }
    newcomers = named;
}

const bh_named_t *mb_passage_newcomer(uint32_t key) {
    for (int i = 0; newcomers && mb_segment && i < NEWCOMERS && newcomers[i].row; i++)
        if (bh_row_claim(bh_segment_row_mutable(mb_segment, newcomers[i].row), key)) return &newcomers[i];
    return NULL;
}

int mb_passage_is_out(const bh_named_t *named) {
    return mb_segment && named->row && bh_row_state(bh_segment_row(mb_segment, named->row)) != BH_STATE_UP;
}

/* ---- What comes of a request ---- */

/* Whether a socket in the file system refuses connections. Of other servers without an address, that is not known. */
static int is_closed(const char *path) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (*path != '/' || length >= sizeof name.sun_path) return 0;
    memcpy(name.sun_path, path, length);
    int socket_of = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_of < 0) return 0;
    int failed = connect(socket_of, (struct sockaddr *)&name, sizeof name) ? errno : 0;
    close(socket_of);
    return failed == ECONNREFUSED || failed == ENOENT;
}

int mb_passage_is_nameless(const request_rec *r) {
    const char *note = apr_table_get(r->notes, "error-notes");
    return note && strstr(note, "DNS lookup failure");
}

/* The address that its name has now, if it is another one than at the start, and mod_proxy may have asked there. */
static int has_moved(const passage *way, bh_address_t *address) {
    char *host, *zone;
    apr_port_t port;
    apr_sockaddr_t *now;
    bh_address_t before = *address;
    const char *name = way->at->name;
    int is_literal = strchr(name, ':') != strrchr(name, ':'); /* of version 6 */
    return !is_literal && apr_parse_addr_port(&host, &zone, &port, name, way->r->pool) == APR_SUCCESS && host
           && apr_sockaddr_info_get(&now, host, APR_UNSPEC, 0, 0, way->r->pool) == APR_SUCCESS
           && mb_address_of(now, address) && !bh_address_equals(before, *address);
}

/* mod_proxy says the same where this process has no connection left for the server, and where the server has one and
 * does not know what is asked for: the kernel knows whether it refuses connections. */
static void explain(passage *way) {
    int32_t why;
    const bh_named_t *at = way->at;
    bh_result_t *shown = &way->shown;
    bh_facts_t facts = {.address = at->place.address, .port = way->port ? way->port : at->place.port};
    int has_address = facts.address.high != NOWHERE, nameless = mb_passage_is_nameless(way->r);
    if (has_address) bh_connection_explain(shown, &facts, nameless, &why);
    else if (nameless) shown->lacks = bh_shortage_is_near();
    else shown->reached = at->reserved || *at->name != '/' || !is_closed(at->name);
    if (!shown->reached || at->reserved || *at->name == '/' || !has_moved(way, &facts.address)) return;
    shown->reached = false;
    bh_connection_explain(shown, &facts, false, &why);
}

static void end(passage *way, bh_outcome_t outcome, int complete) {
    bh_segment_t *segment = mb_segment;
    bh_result_t *shown = &way->shown;
    shown->outcome = outcome;
    shown->complete = complete;
    shown->ended_us = mb_now_us();
    shown->parts_us = mb_spent_end(way->mark, shown->ended_us - shown->began_us);
    if (outcome == BH_OUTCOME_REFUSED) explain(way);
    bh_feedback_end(segment, mb_child_slot, shown->id, shown->ended_us);
    bh_feedback_report(segment, shown);
    way->at = NULL;
}

/* What the server has answered. mod_proxy may leave an ErrorDocument the status of what it explains, and its line,
 * which httpd has of its own for most. */
static int status_of(const passage *way) {
    const request_rec *r = way->r;
    int is_kept =
        r->status == way->status && (r->status_line == way->line || r->status_line == ap_get_status_line(r->status));
    return is_kept ? HTTP_OK : r->status;
}

/* The request ends before mod_proxy has said how, as with a tunnel, or a client that is gone. */
static apr_status_t abandon(void *data) {
    passage *way = data;
    if (!way->at) return APR_SUCCESS;
    way->shown.client_failed = true;
    way->shown.status = status_of(way);
    way->mark = mb_spent_us; /* this may be another thread */
    end(way, BH_OUTCOME_ANSWERED, 0);
    return APR_SUCCESS;
}

static passage *passage_of(const backhand_door *door, const request_rec *r) {
    return ap_get_module_config(r->request_config, door->owner);
}

/* The section's lines; or `default`. */
static chain chain_of(const ap_conf_vector_t *section) {
    const mb_directory *settings = section ? ap_get_module_config(section, &backhand_module) : NULL;
    settings = settings ? settings->of_members : NULL; /* NULL: the section has no line of ours */
    if (!settings || !settings->steps) return (chain){&default_step, 1, 0, NULL};
    return (chain){(const bh_step_t *)(void *)settings->steps->elts, (size_t)settings->steps->nelts, settings->chain,
                   settings->cookie};
}

/* BackhandRetries and BackhandRetryTimeout of the section, or what its module has. */
static bh_retry_rules_t rules_of(const backhand_door *door, const ap_conf_vector_t *section, const passage *way) {
    const mb_directory *settings = section ? ap_get_module_config(section, &backhand_module) : NULL;
    bh_retry_rules_t rules = {
        .most_us = door->most_us, .retries = door->retries, .chain = way->chain.number, .repeatable = way->repeatable};
    if (settings && settings->retries != MB_UNSET) rules.retries = (uint32_t)settings->retries;
    if (settings && settings->retry_timeout_s != MB_UNSET)
        rules.most_us = UINT64_C(1000000) * (uint32_t)settings->retry_timeout_s;
    return rules;
}

static passage *begin_passage(const backhand_door *door, request_rec *r, const ap_conf_vector_t *section) {
    passage *way = passage_of(door, r);
    if (way) return way;
    way = apr_palloc(r->pool, sizeof *way);
    way->r = r;
    way->at = NULL;
    way->hold = NULL;
    way->chosen = false;
    way->shown.free = false;
    way->chain = chain_of(section);
    way->repeatable = mb_attempt_is_repeatable(r);
    bh_retry_begin(&way->retry, rules_of(door, section, way));
    ap_set_module_config(r->request_config, door->owner, way);
    apr_pool_pre_cleanup_register(r->pool, way, abandon);
    if (way->chain.cookie) ap_add_output_filter_handle(answer_filter, way, r, r->connection);
    return way;
}

/* The first piece of an answer: of a server, if one has the request. */
static apr_status_t keep_session(ap_filter_t *filter, apr_bucket_brigade *brigade) {
    const passage *way = filter->ctx;
    if (way->at) mb_session_keep(filter->r, filter->r->headers_out, way->chain.cookie, way->at->row);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

void mb_passage_register(void) {
    bh_step_parse("default", NULL, &default_step, NULL, 0);
    answer_filter = ap_register_output_filter("BACKHAND_MEMBER_SESSION", keep_session, NULL, AP_FTYPE_RESOURCE - 1);
}

/* What comes next. */
static bh_retry_action_t fail(passage *way, bh_outcome_t outcome) {
    end(way, outcome, 0);
    bh_failure_t failure = {.outcome = way->shown.outcome,
                            .id = way->shown.id,
                            .boot_id = way->boot_id,
                            .began_us = way->shown.began_us,
                            .now_us = way->shown.ended_us,
                            .lacks = way->shown.lacks};
    bh_retry_action_t action = bh_retry_failed(&way->retry, mb_segment, &failure);
    if (action != BH_RETRY_WAIT) return action;
    failure.recovered = bh_shortage_is_over();
    failure.now_us = mb_now_us();
    return bh_retry_failed(&way->retry, mb_segment, &failure);
}

/* ---- A choice ---- */

typedef enum kind { KIND_UNKNOWN, KIND_SHARED, KIND_SINGLE } kind;

/* Whether each has a row, and one of its own. */
static kind kind_of(const bh_member_t *candidates, int count) {
    /* As they are given to a new configuration: each has a higher one than the last. */
    uint32_t last = 0;
    int i = 0;
    while (i < count && candidates[i].row > last) last = candidates[i++].row;
    if (i == count) return KIND_SINGLE;
    for (i = 0; i < count; i++)
        if (!candidates[i].row) return KIND_UNKNOWN;
    uint64_t seen[BH_ROWS / 64] = {0};
    for (i = 0; i < count; i++) {
        uint64_t *word = &seen[candidates[i].row / 64], bit = UINT64_C(1) << candidates[i].row % 64;
        if (*word & bit) return KIND_SHARED;
        *word |= bit;
    }
    return KIND_SINGLE;
}

/* Each row once, with what all that share it are to get. */
static int merge(const bh_member_t *candidates, int count, bh_member_t *members) {
    int merged = 0;
    for (int i = 0; i < count; i++) {
        int place = 0;
        while (place < merged && members[place].row != candidates[i].row) place++;
        if (place == merged) members[merged++] = (bh_member_t){candidates[i].row, 0};
        members[place].weight += candidates[i].weight;
    }
    return merged;
}

/* Of those that share the row, as two paths of one server do, each in its turn. */
static int index_of(const bh_member_t *candidates, int count, kind kind, uint32_t row) {
    static uint32_t turn;
    uint32_t weight = 0, at;
    /* Those of one configuration follow each other, as a rule. */
    uint32_t guess = row - candidates[0].row;
    if (kind == KIND_SINGLE && guess < (uint32_t)count && candidates[guess].row == row) return (int)guess;
    int first = 0;
    while (first < count && candidates[first].row != row) first++;
    if (first == count) return MB_NOBODY;
    if (kind == KIND_SINGLE) return first;
    for (int i = first; i < count; i++)
        if (candidates[i].row == row) weight += candidates[i].weight;
    if (weight == candidates[first].weight) return first;
    at = __atomic_fetch_add(&turn, 100, __ATOMIC_RELAXED) % weight;
    for (int i = first;; i++) {
        if (candidates[i].row != row) continue;
        if (at < candidates[i].weight) return i;
        at -= candidates[i].weight;
    }
}

/* Candidates as the core wants them. 0: it cannot choose among them. */
static int list(request_rec *r, const bh_member_t *candidates, int count, kind kind, const bh_member_t **members) {
    *members = candidates;
    if (kind != KIND_SHARED) return kind == KIND_SINGLE ? count : 0;
    bh_member_t *merged = apr_palloc(r->pool, (size_t)count * sizeof *merged);
    *members = merged;
    return merge(candidates, count, merged);
}

static int decide(passage *way, const bh_member_t *members, uint32_t count, bh_decision_t *decision) {
    bh_request_t request = {.tried = way->retry.tried,
                            .tried_count = way->retry.tried_count,
                            .members = members,
                            .member_count = count,
                            .chain = way->chain.number,
                            .repeatable = way->repeatable};
    way->retry.stage = BH_STAGE_DECIDED;
    return mb_decide_members(way->r, way->chain.steps, way->chain.count, &request, decision);
}

int mb_passage_choose(const backhand_door *door, request_rec *r, const ap_conf_vector_t *section,
                      const bh_member_t *candidates, int count, int known) {
    const bh_member_t *members;
    if (!count) return MB_NOBODY;
    kind kind = !mb_segment ? KIND_UNKNOWN : known & MB_DISTINCT ? KIND_SINGLE : kind_of(candidates, count);
    int listed = list(r, candidates, count, kind, &members);
    if (!listed) return MB_UNDECIDED;
    passage *way = begin_passage(door, r, section);
    bh_decision_t decision;
    bh_retry_action_t action;
    do {
        if (!decide(way, members, (uint32_t)listed, &decision)) return MB_UNDECIDED;
        if (decision.last_resort && !(known & MB_LAST)) return MB_LAST_RESORT;
        uint64_t now = bh_retry_needs_time(&way->retry, decision.probe) ? mb_now_us() : 0;
        action = bh_retry_next(&way->retry, mb_segment, &decision, now);
    } while (action == BH_RETRY_DECIDE);
    if (action != BH_RETRY_ASK) return MB_NOBODY;
    way->shown.free = way->retry.attempt.free;
    way->chosen = true;
    return index_of(candidates, count, kind, (uint32_t)decision.servers[way->retry.attempt.place].id);
}

static const char *trace(request_rec *r, const chain *chain, const bh_decision_t *decision) {
    const char *text = "";
    for (size_t i = 0; decision->counts && i < chain->count; i++) {
        int from = decision->counts[i], to = decision->counts[i + 1];
        text = apr_psprintf(r->pool, from == to ? "%s%s%s:%d" : "%s%s%s:%d>%d", text, i ? "," : "",
                            chain->steps[i].name, from, to);
    }
    return text;
}

int mb_passage_best(request_rec *r, const ap_conf_vector_t *section, const bh_member_t *candidates, int count,
                    int known, const char **why) {
    const bh_member_t *members;
    bh_decision_t decision;
    kind kind = mb_segment ? kind_of(candidates, count) : KIND_UNKNOWN;
    int listed = list(r, candidates, count, kind, &members);
    if (!listed) return MB_UNDECIDED;
    passage way = {.r = r, .chain = chain_of(section), .repeatable = true};
    if (!decide(&way, members, (uint32_t)listed, &decision)) return MB_UNDECIDED;
    *why = trace(r, &way.chain, &decision);
    if (!decision.count) return MB_NOBODY;
    if (decision.last_resort && !(known & MB_LAST)) return MB_LAST_RESORT;
    /* A server that is in doubt is probed by requests whose end is seen here. */
    int place = decision.probe && decision.count > 1;
    return index_of(candidates, count, kind, (uint32_t)decision.servers[place].id);
}

/* ---- mod_proxy at work ---- */

int mb_passage_has_chain(const ap_conf_vector_t *section) { return chain_of(section).steps != &default_step; }

mb_stage mb_passage_stage(const backhand_door *door, const request_rec *r) {
    const passage *way = passage_of(door, r);
    return !way ? MB_NO_STAGE : way->at ? MB_UNDER_WAY : way->chosen ? MB_CHOSEN : MB_NO_STAGE;
}

int mb_passage_begin(const backhand_door *door, request_rec *r, const ap_conf_vector_t *section,
                     const bh_named_t *member, uint16_t port) {
    if (!mb_segment || !member->row) return 0;
    passage *way = begin_passage(door, r, section);
    if (way->at) return 0;
    way->at = member;
    way->port = port;
    way->chosen = false;
    way->mark = mb_spent_us;
    way->status = r->status;
    way->line = r->status_line;
    way->boot_id = bh_word_load(&bh_segment_row_mutable(mb_segment, member->row)->facts.boot_id);
    way->shown = (bh_result_t){.id = member->row,
                               .chain = way->chain.number,
                               .free = way->shown.free,
                               .has_body = !way->repeatable && mb_attempt_has_body(r),
                               .began_us = mb_now_us()};
    if (way->shown.free) way->shown.asked = mb_local_asked(r);
    bh_feedback_begin(mb_segment, mb_child_slot, member->row, way->shown.began_us);
    return 1;
}

void *mb_passage_keep(const backhand_door *door, request_rec *r, struct proxy_worker *worker) {
    const passage *way = mb_segment ? passage_of(door, r) : NULL;
    return way && way->at ? mb_guest_begin(r, way->at->row, way->port ? way->port : way->at->place.port, worker) : NULL;
}

void mb_passage_release(request_rec *r, void *kept) {
    if (kept) mb_guest_end(r, kept);
}

int mb_passage_may_retry(const backhand_door *door, const request_rec *r) {
    const passage *way = mb_segment ? passage_of(door, r) : NULL;
    return way && way->at && way->retry.attempt.may_retry;
}

mb_hold **mb_passage_hold(const backhand_door *door, const request_rec *r) {
    passage *way = mb_segment ? passage_of(door, r) : NULL;
    return way ? &way->hold : NULL;
}

int mb_passage_lost(const backhand_door *door, const request_rec *r) {
    passage *way = passage_of(door, r);
    if (!mb_passage_may_retry(door, r)) return 0;
    bh_retry_action_t action = fail(way, BH_OUTCOME_FAILED);
    return action != BH_RETRY_ANSWER && action != BH_RETRY_GIVE_UP;
}

int mb_passage_end(const backhand_door *door, const request_rec *r, int result) {
    passage *way = mb_segment ? passage_of(door, r) : NULL;
    if (!way || !way->at) return result;
    /* mod_proxy thinks that no other server can have the request. */
    if (result == HTTP_INTERNAL_SERVER_ERROR && mb_passage_is_nameless(r)) result = HTTP_SERVICE_UNAVAILABLE;
    /* With ProxyErrorOverride mod_proxy returns what the server has answered, and says OK in the request. */
    int is_replaced = result != OK && apr_table_get(r->notes, "proxy-error-override");
    int is_answer = result < HTTP_INTERNAL_SERVER_ERROR || is_replaced;
    bh_outcome_t outcome = is_answer                            ? BH_OUTCOME_ANSWERED
                           : result == HTTP_SERVICE_UNAVAILABLE ? BH_OUTCOME_REFUSED
                                                                : BH_OUTCOME_NO_RETRY;
    /* What has no answer, and does not count as the server's failure, is the client's doing. */
    way->shown.client_failed = !is_replaced && result > OK && result < HTTP_INTERNAL_SERVER_ERROR;
    way->shown.status = is_replaced ? result : status_of(way);
    if (outcome == BH_OUTCOME_REFUSED) {
        fail(way, outcome);
        return result;
    }
    int is_broken_off = result == DONE && !r->connection->aborted && r->status != HTTP_SWITCHING_PROTOCOLS;
    end(way, outcome, is_answer && !is_broken_off);
    return result;
}
