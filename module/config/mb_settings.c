/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The settings of servers and sections, and how sections merge. */

#include "config/mb_config.h"

/* Seconds of silence after which a server is forgotten: an hour shows which servers are missing after a night's reboot,
 * and lets no sender fill the table for long. */
#define DEFAULT_EXPIRE_S 3600

static mb_server *main_server;

const char *const mb_scheme_names[MB_SCHEMES + 1] = {"http", "https", "h2c", "h2", NULL};

mb_server *mb_main_server(void) { return main_server; }

mb_server *mb_server_of(const server_rec *server) {
    mb_server *settings = ap_get_module_config(server->module_config, &backhand_module);
    return settings ? settings : main_server;
}

void *mb_server_create(apr_pool_t *pool, server_rec *server) {
    mb_server *settings = apr_pcalloc(pool, sizeof *settings);
    settings->destinations = apr_array_make(pool, 2, sizeof(bh_destination_t));
    settings->accepted = apr_array_make(pool, 2, sizeof(bh_network_t));
    settings->socket_group = (gid_t)-1;
    settings->expire_s = DEFAULT_EXPIRE_S;
    settings->response_field_size = MB_RESPONSE_FIELD_DEFAULT;
    if (!server->is_virtual) main_server = settings;
    return settings;
}

void *mb_directory_create(apr_pool_t *pool, char *path) {
    mb_directory *settings = apr_pcalloc(pool, sizeof *settings);
    (void)path;
    settings->trace = settings->observe = settings->unavailable = settings->walk = settings->self_redirect =
        settings->filters = MB_UNSET;
    settings->pools = MB_UNSET;
    settings->retries = settings->retry_timeout_s = settings->slow_start_s = settings->scheme = MB_UNSET;
    return settings;
}

static mb_switch merged(mb_switch base, mb_switch add) { return add == MB_UNSET ? base : add; }

/* A section with lines of its own replaces the chain that it inherits. */
void *mb_directory_merge(apr_pool_t *pool, void *base_pointer, void *add_pointer) {
    const mb_directory *base = base_pointer, *add = add_pointer;
    mb_directory *result = apr_palloc(pool, sizeof *result);
    result->steps = add->steps ? add->steps : base->steps;
    result->chain = add->steps ? add->chain : base->chain;
    result->place = add->steps ? add->place : base->place;
    result->trace = merged(base->trace, add->trace);
    result->observe = merged(base->observe, add->observe);
    result->unavailable = merged(base->unavailable, add->unavailable);
    result->walk = merged(base->walk, add->walk);
    result->pools = add->pools == MB_UNSET ? base->pools : add->pools;
    result->filters = merged(base->filters, add->filters);
    result->scheme = add->scheme == MB_UNSET ? base->scheme : add->scheme;
    result->retries = add->retries == MB_UNSET ? base->retries : add->retries;
    result->retry_timeout_s = add->retry_timeout_s == MB_UNSET ? base->retry_timeout_s : add->retry_timeout_s;
    result->self_redirect = merged(base->self_redirect, add->self_redirect);
    result->redirect_status = add->redirect_status ? add->redirect_status : base->redirect_status;
    result->slow_start_s = add->slow_start_s == MB_UNSET ? base->slow_start_s : add->slow_start_s;
    return result;
}
