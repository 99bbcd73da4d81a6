/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The settings of servers and sections, and how sections merge. */

#include "config/mb_config.h"

/* Seconds of silence after which a server is forgotten: an hour shows which servers are missing after a night's reboot,
 * and lets no sender fill the table for long. */
#define DEFAULT_EXPIRE_S 3600

static mb_server *main_server;

const char *const mb_scheme_names[MB_SCHEMES] = {"http", "https", "h2c", "h2"};

mb_server *mb_main_server(void) { return main_server; }

mb_server *mb_server_of(const server_rec *server) {
    mb_server *settings = ap_get_module_config(server->module_config, &backhand_module);
    return settings ? settings : main_server;
}

void *mb_server_create(apr_pool_t *pool, server_rec *server) {
    mb_server *settings = apr_pcalloc(pool, sizeof *settings);
    settings->destinations = apr_array_make(pool, 2, sizeof(bh_destination_t));
    settings->accepted = apr_array_make(pool, 2, sizeof(bh_network_t));
    settings->checks = apr_array_make(pool, 1, sizeof(bh_check_t));
    settings->socket_group = UINT32_MAX;
    settings->expire_s = DEFAULT_EXPIRE_S;
    settings->response_field_size = MB_RESPONSE_FIELD_DEFAULT;
    if (!server->is_virtual) main_server = settings;
    return settings;
}

/* What a section inherits one by one: the members of mb_directory from this on. */
enum { INHERITED = offsetof(mb_directory, trace), INHERITEDS = (sizeof(mb_directory) - INHERITED) / sizeof(int) };

void *mb_directory_create(apr_pool_t *pool, char *path) {
    mb_directory *settings = apr_pcalloc(pool, sizeof *settings);
    int *inherited = (int *)(void *)((char *)settings + INHERITED);
    for (size_t i = 0; i < INHERITEDS; i++) inherited[i] = MB_UNSET;
    return settings;
}

/* A section with lines of its own replaces the chain that it inherits. */
void *mb_directory_merge(apr_pool_t *pool, void *base_pointer, void *add_pointer) {
    const mb_directory *base = base_pointer, *add = add_pointer;
    mb_directory *result = apr_pmemdup(pool, add, sizeof *result);
    int *inherited = (int *)(void *)((char *)result + INHERITED);
    const int *given = (const int *)(const void *)((const char *)base + INHERITED);
    if (!add->steps) {
        result->steps = base->steps;
        result->chain = base->chain;
        result->place = base->place;
        result->cookie = base->cookie;
    }
    if (!add->of_members) result->of_members = base->of_members;
    for (size_t i = 0; i < INHERITEDS; i++)
        if (inherited[i] == MB_UNSET) inherited[i] = given[i];
    return result;
}
