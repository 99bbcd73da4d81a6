/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* URLs in headers of requests: those of WebDAV name resources of the site in full (RFC 4918, 10.3 and 10.4). */

#include "mb_text.h"

#include <string.h>

/* The length of "http:" or "https:" at its beginning; 0: it has another scheme, or none. */
static size_t scheme_of(mb_piece url) {
    static const char *const schemes[] = {"http", "https"};
    const char *colon = memchr(url.start, ':', url.length);
    if (!colon) return 0;
    mb_piece scheme = {url.start, (size_t)(colon - url.start)};
    for (int i = 0; i < 2; i++)
        if (mb_text_equals(scheme, schemes[i])) return scheme.length + 1;
    return 0;
}

size_t mb_url_origin(mb_piece url, const char *host) {
    size_t scheme = scheme_of(url), end = scheme + 2;
    if (!scheme || url.length < end || url.start[scheme] != '/' || url.start[scheme + 1] != '/') return 0;
    while (end < url.length && !memchr("/?#", url.start[end], 3)) end++;
    int usual = scheme == sizeof "https:" - 1 ? 443 : 80, port, asked_port;
    mb_piece name, asked;
    if (!mb_target_authority((mb_piece){url.start + scheme + 2, end - scheme - 2}, usual, &name, &port)) return 0;
    if (!mb_target_authority((mb_piece){host, strlen(host)}, usual, &asked, &asked_port)) return 0;
    return name.length && port == asked_port && mb_pieces_equal(name, asked) ? end : 0;
}

/* Past the list that begins here; an entity tag in it may have any byte between its quotes. */
static const char *past_list(const char *at) {
    int quoted = 0;
    for (; *at && (quoted || *at != ')'); at++)
        if (*at == '"') quoted = !quoted;
    return at;
}

mb_piece mb_url_next_tag(const char **value) {
    const char *at = *value;
    mb_piece tag = {NULL, 0};
    while (*at && *at != '<') {
        if (*at == '(') at = past_list(at);
        if (*at) at++;
    }
    const char *end = *at ? strchr(at, '>') : NULL;
    if (!end) {
        *value = at + strlen(at);
        return tag;
    }
    tag = (mb_piece){at + 1, (size_t)(end - at - 1)};
    *value = end + 1;
    return tag;
}
