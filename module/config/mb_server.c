/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Directives of whole servers. */

#include "config/mb_config.h"

#include <sys/un.h>

/* The longest name that we put into UnixSocketDir. */
#define LONGEST_SOCKET "/backhand-65535.sock"

static mb_server *server_settings(cmd_parms *cmd) { return mb_server_of(cmd->server); }

const char *mb_server_set_directory(cmd_parms *cmd, void *unused, const char *path) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    if (wrong) return wrong;
    const char *full = ap_server_root_relative(cmd->pool, path);
    if (!full) return mb_line_complain(cmd, "'%s' is not a valid path", path);
    size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof LONGEST_SOCKET;
    if (strlen(full) > longest)
        return mb_line_complain(cmd, "'%s' is too long: a socket's path leaves room for %lu characters", full,
                                (unsigned long)longest);
    server_settings(cmd)->directory = full;
    return NULL;
}

static int is_directory(const char *path, apr_pool_t *pool) {
    apr_finfo_t info;
    return apr_stat(&info, path, APR_FINFO_TYPE, pool) == APR_SUCCESS && info.filetype == APR_DIR;
}

static const char *set_file(cmd_parms *cmd, const char *path, const char *full, const char **file) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    if (wrong) return wrong;
    if (!full) return mb_line_complain(cmd, "'%s' is not a valid path", path);
    if (is_directory(full, cmd->temp_pool)) return mb_line_complain(cmd, "'%s' is a directory", path);
    *file = full;
    return NULL;
}

const char *mb_server_set_pid_file(cmd_parms *cmd, void *unused, const char *path) {
    /* As PidFile. */
    return set_file(cmd, path, ap_runtime_dir_relative(cmd->pool, path), &server_settings(cmd)->pid_file);
}

const char *mb_server_set_drain_file(cmd_parms *cmd, void *unused, const char *path) {
    return set_file(cmd, path, ap_server_root_relative(cmd->pool, path), &server_settings(cmd)->drain_file);
}

/* 240.0.0.0/4 is neither multicast nor in use. Old manuals show it. */
static void warn_of_reserved(cmd_parms *cmd, const bh_destination_t *destination) {
    uint32_t group = (uint32_t)destination->group.low;
    if (mb_line_is_first_reading() || group >> 28 != 0xf || group == UINT32_MAX) return;
    ap_log_error(
        APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, cmd->server,
        "BH0104: MulticastStats at %s:%d announces to a reserved address, which is not a multicast group: most systems "
        "and "
        "routers drop what is sent there; use a group of 239.255.0.0/16",
        cmd->directive->filename, cmd->directive->line_num);
}

const char *mb_server_add_destination(cmd_parms *cmd, void *unused, const char *first, const char *second) {
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    const char *own = NULL, *target;
    char error[BH_ERROR_SIZE];
    bh_destination_t destination;
    if (!wrong && second) wrong = mb_names_resolve(cmd, first, &own);
    if (!wrong) wrong = mb_names_resolve(cmd, second ? second : first, &target);
    if (wrong) return wrong;
    if (bh_destination_parse(own, target, &destination, error, sizeof error) != BH_OK)
        return mb_line_complain(cmd, "%s", error);
    warn_of_reserved(cmd, &destination);
    APR_ARRAY_PUSH(server_settings(cmd)->destinations, bh_destination_t) = destination;
    return NULL;
}

const char *mb_server_add_accepted(cmd_parms *cmd, void *unused, const char *text) {
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    char error[BH_ERROR_SIZE];
    bh_network_t network;
    if (wrong) return wrong;
    if (bh_network_parse(text, &network, error, sizeof error) != BH_OK) return mb_line_complain(cmd, "%s", error);
    APR_ARRAY_PUSH(server_settings(cmd)->accepted, bh_network_t) = network;
    return NULL;
}

const char *mb_server_add_check(cmd_parms *cmd, void *unused, const char *arguments) {
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    size_t size = strlen(arguments) + 1;
    char error[BH_ERROR_SIZE], *words = apr_palloc(cmd->pool, size);
    static int count; /* of this configuration */
    bh_check_t check;
    if (wrong) return wrong;
    if (bh_check_parse(arguments, words, size, &check, error, sizeof error) != BH_OK)
        return mb_line_complain(cmd, "%s", error);
    if (!mb_line_first(MB_FIRST_CHECK)) count = 0;
    if (++count > BH_CHECKS) return mb_line_complain(cmd, "an httpd has at most %d checks", BH_CHECKS);
    APR_ARRAY_PUSH(server_settings(cmd)->checks, bh_check_t) = check;
    mb_line_note(cmd, MB_FIRST_CHECK);
    return NULL;
}

const char *mb_server_set_socket_group(cmd_parms *cmd, void *unused, const char *name) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    char error[BH_ERROR_SIZE];
    if (wrong) return wrong;
    if (bh_group_find(name, &server_settings(cmd)->socket_group, error, sizeof error) == BH_OK) return NULL;
    return mb_line_complain(cmd, "%s", error);
}

const char *mb_server_set_key(cmd_parms *cmd, void *unused, const char *file, const char *optional) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    mb_server *settings = server_settings(cmd);
    if (wrong) return wrong;
    if (settings->keys) return mb_line_complain(cmd, "there is one already; its file has room for a second key");
    const char *path = ap_server_root_relative(cmd->pool, file);
    if (!path) return mb_line_complain(cmd, "'%s' is not a valid path", file);
    if (optional && ap_cstr_casecmp(optional, "Optional") != 0) /* which may be a part of the key: it is not repeated */
        return mb_line_complain(cmd, "after the file may stand only the word Optional");
    wrong = mb_key_read(cmd->pool, file, path, &settings->keys);
    if (wrong) return mb_line_complain(cmd, "%s", wrong);
    if (optional) settings->keys->optional = true;
    return NULL;
}
