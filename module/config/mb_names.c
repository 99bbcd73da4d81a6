/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Host names in MulticastStats, which the original had on its list of things to do. They are looked up while the
 * configuration is read, and never again: what runs depends on no name server. */

#include "config/mb_config.h"

const char *mb_names_resolve(cmd_parms *cmd, const char *text, const char **resolved) {
    size_t length = bh_name_length(text);
    const char *host = apr_pstrmemdup(cmd->temp_pool, text, length);
    apr_sockaddr_t *found;
    char address[16], why[120];
    *resolved = text;
    if (!length) return NULL;
    apr_status_t status = apr_sockaddr_info_get(&found, host, APR_INET, 0, 0, cmd->temp_pool);
    if (status == APR_SUCCESS) status = apr_sockaddr_ip_getbuf(address, sizeof address, found);
    if (status != APR_SUCCESS)
        return mb_line_complain(cmd, "no IPv4 address is found for the name '%.64s': %s", host,
                                apr_strerror(status, why, sizeof why));
    *resolved = apr_pstrcat(cmd->pool, address, text + length, NULL);
    return NULL;
}
