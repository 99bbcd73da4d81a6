/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What is kept with a client's request, and what the client asked for. */

#include "request/mb_request.h"

mb_request *mb_request_make(request_rec *r) {
    mb_request *kept = mb_request_find(r);
    if (kept) return kept;
    kept = apr_pcalloc(mb_request_first(r)->pool, sizeof *kept);
    ap_set_module_config(mb_request_first(r)->request_config, &backhand_module, kept);
    return kept;
}

/* The path and query exactly as the client sent them; what other modules made of them here is not what is forwarded.
 * Not r->parsed_uri: httpd has undone the escapes in it. A fragment is nothing that a server may get. */
const char *mb_request_as_sent(request_rec *r) {
    while (r->prev) r = r->prev;
    bh_piece_t path = bh_target_path(r->unparsed_uri);
    const char *text = path.start[path.length] ? apr_pstrmemdup(r->pool, path.start, path.length) : path.start;
    return *text == '/' ? text : apr_pstrcat(r->pool, "/", text, NULL);
}
