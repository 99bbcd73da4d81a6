/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What the moderator is given when it is made: the configuration, what this httpd is, and functions to call back. */

#include "moderator/mb_moderator.h"

static const char *announced_name(apr_pool_t *pool, const char *given) {
    char *name = apr_palloc(pool, BH_NAME_SIZE);
    bh_announced_name(given, name, BH_NAME_SIZE);
    return name;
}

/* What the default server does with URLs, as bh_facts_t has it. */
static uint32_t slashes_of(const server_rec *server) {
    const core_dir_config *directory = ap_get_core_module_config(server->lookup_defaults);
    const core_server_config *core = ap_get_core_module_config(server->module_config);
    uint32_t encoded = !directory->allow_encoded_slashes ? 1 : directory->decode_encoded_slashes ? 2 : 3;
    return encoded << 8 | (core->merge_slashes == AP_CORE_CONFIG_OFF ? 1 : 2);
}

/* What a connection costs this httpd that waits for its next request. */
static uint32_t idle_cost(const server_rec *server) {
    if (!server->keep_alive || server->keep_alive_timeout <= 0) return BH_IDLE_CLOSED;
    return mb_mpm_is_async() ? BH_IDLE_FREE : BH_IDLE_WORKER;
}

bh_moderator_config_t mb_describe(apr_pool_t *pool, server_rec *server, const mb_control *control) {
    const mb_server *settings = mb_main_server();
    mb_vhost_prepare(server);
    apr_array_header_t *destinations = mb_vhost_destinations(pool, server);
    apr_array_header_t *accepted = mb_vhost_accepted(pool, server);
    apr_array_header_t *checks = mb_vhost_checks(pool, server);
    return (bh_moderator_config_t){
        .segment = mb_segment,
        .destinations = (const bh_destination_t *)(void *)destinations->elts,
        .destination_count = (size_t)destinations->nelts,
        .accepted = (const bh_network_t *)(void *)accepted->elts,
        .accepted_count = (size_t)accepted->nelts,
        .directory = settings->directory,
        .drain_file = settings->drain_file,
        .hostname = announced_name(pool, server->server_hostname),
        .control_fd = mb_control_fd(control),
        .port = mb_own_port(settings),
        .interval_ms = 1000,
        .log = mb_log_line,
        .workers = mb_scoreboard_workers,
        .shutdown = mb_shutdown_ask,
        .queues = mb_pool_queues(),
        .baton = server,
        .keys = settings->keys ? &settings->keys->all : NULL,
        .sign = csignature_make,
        .verify = csignature_check,
        .keys_optional = settings->keys && settings->keys->optional,
        .expire_s = (uint32_t)settings->expire_s,
        .capacity = (uint32_t)settings->capacity,
        .slashes = slashes_of(server),
        .idle_cost = idle_cost(server),
        .keepalive_ms = (uint32_t)apr_time_as_msec(server->keep_alive_timeout),
        .keepalive_requests = (uint32_t)server->keep_alive_max,
        .checks = (const bh_check_t *)(void *)checks->elts,
        .check_count = (size_t)checks->nelts,
        .extension = mb_extension,
    };
}
