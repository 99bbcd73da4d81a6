/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Request targets that clients send, URLs and cookies that servers answer with. */

#include "mb_text.h"

#include <string.h>

/* Where the path begins. */
static const char *path_in(const char *target) {
    if (*target == '/') return target;
    size_t scheme = strcspn(target, ":/?#");
    if (target[scheme] != ':' || scheme == 0) return target;
    target += scheme + 1;
    if (target[0] != '/' || target[1] != '/') return target;
    target += 2;
    return target + strcspn(target, "/?#");
}

mb_piece mb_target_path(const char *target) {
    const char *path = path_in(target);
    return (mb_piece){path, strcspn(path, "#")};
}

static int read_port(const char *text, const char *end, int *port) {
    if (end - text > 5) return 0;
    for (*port = 0; text < end; text++) {
        if (*text < '0' || *text > '9') return 0;
        *port = *port * 10 + (*text - '0');
    }
    return 1;
}

int mb_target_authority(mb_piece authority, int usual, mb_piece *host, int *port) {
    const char *start = authority.start, *end = start + authority.length, *rest;
    if (authority.length && *start == '[') {
        const char *close = memchr(start, ']', authority.length);
        if (!close) return 0;
        *host = (mb_piece){start + 1, (size_t)(close - start - 1)};
        rest = close + 1;
    }
    else {
        rest = memchr(start, ':', authority.length);
        if (!rest) rest = end;
        *host = (mb_piece){start, (size_t)(rest - start)};
    }
    *port = usual;
    if (rest == end) return 1;
    if (*rest != ':') return 0;
    return rest + 1 == end || read_port(rest + 1, end, port);
}

mb_piece mb_target_cookie_domain(const char *cookie) {
    static const char head[] = "domain=";
    mb_piece found = {NULL, 0};
    while ((cookie = strchr(cookie, ';'))) {
        cookie++;
        cookie += strspn(cookie, " \t\n\v\f\r");
        if (!mb_text_equals((mb_piece){cookie, sizeof head - 1}, head)) continue; /* looks no further than the NUL */
        found.start = cookie + sizeof head - 1;
        if (*found.start == '.') found.start++;
        found.length = strcspn(found.start, "; \t");
    }
    return found;
}
