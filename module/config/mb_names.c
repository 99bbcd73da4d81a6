/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Host names in MulticastStats, which the original had on its list of things to do. They are looked up while the
 * configuration is read, and never again: what runs depends on no name server. */

#include "config/mb_config.h"

#include "apr_lib.h"

/* Whether it is a name, and no address gone wrong: it has letters, and no colons as IPv6 has them. */
static int is_name(const char *host, const char *rest) {
    if (*rest == ':' && strchr(rest + 1, ':')) return 0;
    while (*host && !apr_isalpha(*host)) host++;
    return *host != 0;
}

const char *mb_names_resolve(cmd_parms *cmd, const char *text, const char **resolved) {
    size_t length = strcspn(text, ":,");
    const char *host = apr_pstrmemdup(cmd->temp_pool, text, length);
    apr_sockaddr_t *found;
    char address[16], why[120];
    *resolved = text;
    if (!is_name(host, text + length)) return NULL;
    apr_status_t status = apr_sockaddr_info_get(&found, host, APR_INET, 0, 0, cmd->temp_pool);
    if (status == APR_SUCCESS) status = apr_sockaddr_ip_getbuf(address, sizeof address, found);
    if (status != APR_SUCCESS)
        return mb_line_complain(cmd, "no IPv4 address is found for the name '%.64s': %s", host,
                                apr_strerror(status, why, sizeof why));
    *resolved = apr_pstrcat(cmd->pool, address, text + length, NULL);
    return NULL;
}
