/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Addresses between httpd and the core. As numbers: APR's text of a link-local address has a zone ("fe80::1%eth0"),
 * which is only the sending machine's own name for an interface. */

#include "base/mb_base.h"

#include <arpa/inet.h>

int mb_address_of(const apr_sockaddr_t *name, bh_address_t *address) {
    uint32_t words[4] = {0, 0, htonl(0xffff), 0};
    if (name->family == APR_INET) words[3] = name->sa.sin.sin_addr.s_addr;
    else if (name->family == APR_INET6) memcpy(words, &name->sa.sin6.sin6_addr, sizeof words);
    else return 0;
    address->high = (uint64_t)ntohl(words[0]) << 32 | ntohl(words[1]);
    address->low = (uint64_t)ntohl(words[2]) << 32 | ntohl(words[3]);
    return 1;
}

/* By hand: apr_sockaddr_info_get asks getaddrinfo, which takes longer than the rest of the request, and would look a
 * name up. */
void mb_address_fill(apr_sockaddr_t *name, const bh_address_t *address, uint16_t port) {
    uint32_t words[4] = {htonl((uint32_t)(address->high >> 32)), htonl((uint32_t)address->high),
                         htonl((uint32_t)(address->low >> 32)), htonl((uint32_t)address->low)};
    memset(name, 0, sizeof *name);
    name->port = port;
    if (bh_address_is_ipv4(*address)) {
        name->family = name->sa.sin.sin_family = AF_INET;
        name->sa.sin.sin_port = htons(port);
        name->sa.sin.sin_addr.s_addr = words[3];
        name->salen = sizeof name->sa.sin;
        name->ipaddr_len = sizeof name->sa.sin.sin_addr;
        name->ipaddr_ptr = &name->sa.sin.sin_addr;
        name->addr_str_len = 16; /* as APR does it */
        return;
    }
    name->family = name->sa.sin6.sin6_family = AF_INET6;
    name->sa.sin6.sin6_port = htons(port);
    memcpy(&name->sa.sin6.sin6_addr, words, sizeof words);
    name->salen = sizeof name->sa.sin6;
    name->ipaddr_len = sizeof name->sa.sin6.sin6_addr;
    name->ipaddr_ptr = &name->sa.sin6.sin6_addr;
    name->addr_str_len = 46;
}

apr_sockaddr_t *mb_address_for_apr(apr_pool_t *pool, const bh_address_t *address) {
    apr_sockaddr_t *name = apr_palloc(pool, sizeof *name);
    mb_address_fill(name, address, 0);
    name->pool = pool;
    return name;
}

const char *mb_endpoint(apr_pool_t *pool, const bh_address_t *address, uint16_t port) {
    char text[BH_ADDRESS_SIZE];
    if (bh_address_format(address, text, sizeof text) != BH_OK) return "unknown";
    return apr_psprintf(pool, strchr(text, ':') ? "[%s]:%d" : "%s:%d", text, port);
}
