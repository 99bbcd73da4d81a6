/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The engine's own path: which member is best, for those who send the request themselves; the members' numbers and
 * states, and their updates. The core reads the requests and makes the answers. */

#include "athena/ma_athena.h"

/* What follows the engine's path; NULL: the request is not for it. */
static const char *rest_of(const request_rec *r) {
    const ma_server *settings = ma_server_of(r->server);
    if (settings->engine != 1 || r->proxyreq == PROXYREQ_PROXY || !r->uri) return NULL;
    const char *path = settings->path ? settings->path : MA_PATH_DEFAULT;
    size_t length = strlen(path);
    if (strncmp(r->uri, path, length) != 0) return NULL;
    return r->uri[length] == '/' || !r->uri[length] ? r->uri + length : NULL;
}

static bh_piece_t piece(const char *text) { return (bh_piece_t){text, text ? strlen(text) : 0}; }

/* ---- The farms, for the core ---- */

/* What a request sees of the farms: the same at its end as at its beginning. */
typedef struct ma_view {
    request_rec *r;
    ma_choice *choices; /* of all farms; those that were not looked at yet have no candidates */
} ma_view;

static const ma_choice *choice_at(const ma_view *view, uint32_t place) {
    ma_choice *choice = &view->choices[place];
    if (!choice->farm) *choice = ma_choice_make(view->r->pool, ma_farm_at((int)place));
    return choice;
}

static bh_ath_farm_t describe_farm(void *view, uint32_t place) {
    return (bh_ath_farm_t){ma_farm_at((int)place)->config.name, (uint32_t)choice_at(view, place)->count};
}

static bh_ath_member_t describe_member(void *baton, uint32_t farm, uint32_t place) {
    const ma_view *view = baton;
    const ma_choice *choice = choice_at(view, farm);
    const bh_member_t *candidate = &choice->candidates[place];
    return (bh_ath_member_t){ma_choice_member(view->r->pool, choice, (int)place)->text, candidate->weight,
                             candidate->row};
}

static int32_t choose(void *baton, uint32_t place, const char **reason) {
    request_rec *r = ((ma_view *)baton)->r;
    const ma_farm *farm = ma_farm_at((int)place);
    ma_choice choice = *choice_at(baton, place);
    choice.candidates = apr_pmemdup(r->pool, choice.candidates, (size_t)choice.count * sizeof *choice.candidates);
    if (!ma_choice_narrow(&choice)) return MB_NOBODY;
    int chosen = ma_core->best(r, farm->section, choice.candidates, choice.count,
                               ma_choice_forward(&choice, -1) ? 0 : MB_LAST, reason);
    if (chosen == MB_UNDECIDED) chosen = ma_choice_turn(choice.count);
    return chosen < 0 ? chosen : (int32_t)choice.places[chosen];
}

/* ---- The client ---- */

static int is_accepted(const request_rec *r, const apr_array_header_t *networks) {
    for (int i = 0; networks && i < networks->nelts; i++)
        if (apr_ipsubnet_test(APR_ARRAY_IDX(networks, i, apr_ipsubnet_t *), r->useragent_addr)) return 1;
    return 0;
}

static int look_for_browsers(void *found, const char *header, const char *value) {
    *(bool *)found = ma_core->is_of_browsers(header);
    return !*(bool *)found;
}

/* ---- Answers ---- */

static bool put(void *r, const char *text, size_t length) { return ap_rwrite(text, (int)length, r) >= 0; }

static void begin(request_rec *r, int status, bool is_json) {
    r->status = status;
    ap_set_content_type(r, is_json ? "application/json" : "text/plain; charset=us-ascii");
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
}

static int say(request_rec *r, int status, const char *line) {
    begin(r, status, false);
    ap_rputs(line, r);
    return OK;
}

static int answer(request_rec *r, bh_piece_t query) {
    static uint64_t next_refusal;
    const ma_server *settings = ma_server_of(r->server);
    bh_ath_answer_t *made = apr_palloc(r->pool, sizeof *made);
    ma_view view = {r, apr_pcalloc(r->pool, (size_t)ma_farm_count() * sizeof *view.choices)};
    bh_ath_engine_t engine = {.baton = &view,
                              .farm = describe_farm,
                              .member = describe_member,
                              .choose = choose,
                              .farms = (uint32_t)ma_farm_count(),
                              .accepts = is_accepted(r, settings->updaters),
                              .segment = *ma_core->segment,
                              .now_ms = ma_core->now_ms(),
                              .wall_s = apr_time_sec(r->request_time),
                              .keys = settings->keys,
                              .verify = ma_core->verify};
    apr_table_do(look_for_browsers, &engine.is_browsers, r->headers_in, NULL);
    int status = ma_core->answer_make(&engine, piece(rest_of(r)), query, apr_table_get(r->headers_in, "Accept"), made);
    if (status == HTTP_FORBIDDEN && ma_core->minute_passed(&next_refusal))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0172: an update from %s is refused: %s", r->useragent_ip,
                      made->error);
    begin(r, status, made->is_json);
    ma_core->answer_write(&engine, made, put, r);
    return OK;
}

/* The body of a POST is a query; lines that it ends with are not a part of it. */
static int answer_body(request_rec *r) {
    char *body = apr_palloc(r->pool, BH_ATH_QUERY_MOST + 1);
    apr_size_t length = 0;
    long more = 1;
    int wrong = ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK);
    if (wrong) return wrong;
    if (!ap_should_client_block(r)) return answer(r, piece(NULL));
    while (length <= BH_ATH_QUERY_MOST
           && (more = ap_get_client_block(r, body + length, BH_ATH_QUERY_MOST + 1 - length)) > 0)
        length += (apr_size_t)more;
    if (more < 0) return HTTP_BAD_REQUEST;
    if (length > BH_ATH_QUERY_MOST) return say(r, HTTP_REQUEST_ENTITY_TOO_LARGE, "the body has more than 8192 bytes\n");
    while (length && (body[length - 1] == '\n' || body[length - 1] == '\r')) length--;
    return answer(r, (bh_piece_t){body, length});
}

/* ---- Requests ---- */

/* Ahead of ProxyPass and RewriteRule, which may be for all paths. */
static int take_path(request_rec *r) {
    if (!rest_of(r)) return DECLINED;
    r->filename = apr_pstrdup(r->pool, r->uri);
    return OK;
}

/* Its files are not there. */
static int skip_walk(request_rec *r) { return rest_of(r) ? OK : DECLINED; }

static int handle(request_rec *r) {
    if (!rest_of(r)) return DECLINED;
    if (r->method_number == M_GET || (r->method_number == M_POST && r->args && *r->args))
        return answer(r, piece(r->args));
    if (r->method_number == M_POST) return answer_body(r);
    apr_table_setn(r->err_headers_out, "Allow", "GET, HEAD, POST");
    return say(r, HTTP_METHOD_NOT_ALLOWED, "GET, HEAD or POST is wanted\n");
}

void ma_engine_register(apr_pool_t *pool) {
    static const char *const ahead[] = {"mod_proxy.c", "mod_rewrite.c", "mod_alias.c", "mod_backhand.c", NULL};
    ap_hook_translate_name(take_path, NULL, ahead, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(skip_walk, NULL, ahead, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(handle, NULL, ahead, APR_HOOK_REALLY_FIRST);
}
