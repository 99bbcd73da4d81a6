/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandDirectoryWalk Off: what ProxyPass always does. httpd walks through the folders of each request, and merges
 * <Directory> and <Files> sections and .htaccess files on the way: a request for a server whose files are elsewhere
 * needs none of it. Then the chain, which a <Location> or a server has, is run before the walk; if another server comes
 * first, the walk is left out. A request that ends here after all begins again, so that what protects local files is
 * always asked.
 */

#include "balance/mb_balance.h"

/* Whether the sections that were found for the URL are still those of the request: no module has rewritten it. (httpd
 * undoes escapes in both.) */
static int is_as_sent(const request_rec *r) { return r->parsed_uri.path && strcmp(r->parsed_uri.path, r->uri) == 0; }

/* The last moment at which <Location> sections are known and nothing has been walked. Others may still translate the
 * URL after us. */
static int decide_early(request_rec *r) {
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    if (settings->walk != MB_OFF || settings->observe == MB_ON || !is_as_sent(r) || !mb_scope_wants(r, settings))
        return DECLINED;
    bh_decision_t *decision = apr_palloc(r->pool, sizeof *decision);
    if (!mb_decide(r, settings, NULL, 0, decision)) return DECLINED;
    /* With BackhandSelfRedirect nothing is served here, what is left to this server neither. */
    if (settings->self_redirect == MB_ON || (decision->count && !mb_self_is((uint32_t)decision->servers[0].id))) {
        mb_request *kept = mb_request_make(r);
        kept->decided = decision;
        kept->steps = settings->steps;
    }
    return DECLINED;
}

/* Not for what modules ask for on the way. */
static int is_left_out(request_rec *r) {
    const mb_request *kept = r->main || r->prev ? NULL : mb_request_find(r);
    return kept && kept->decided;
}

/* Instead of the core's walk. */
static int leave_out(request_rec *r) { return is_left_out(r) ? OK : DECLINED; }

/* No module has looked whether the file exists. Modules that help out where one is missing (FallbackResource,
 * CheckSpelling, MultiViews) must not take that for a missing file: the other server's files are not ours, and the
 * names of ours must not become known. "Something, but neither file nor folder" makes all of them keep quiet. */
static int hide_file(request_rec *r) {
    if (is_left_out(r)) r->finfo.filetype = APR_CHR;
    return DECLINED;
}

int mb_early_serve_here(request_rec *r) {
    mb_request_find(r)->decided = NULL;
    ap_internal_redirect(mb_request_as_sent(r), r);
    return OK;
}

void mb_early_register(apr_pool_t *pool) {
    ap_hook_translate_name(decide_early, NULL, NULL, APR_HOOK_LAST);
    /* Before the core's, which walks. */
    ap_hook_map_to_storage(leave_out, NULL, NULL, APR_HOOK_FIRST);
    /* The first phase after access control; those modules come in it or after it. */
    ap_hook_type_checker(hide_file, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
