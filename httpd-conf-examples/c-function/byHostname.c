/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* byHostname: keeps the servers whose announced hostname matches a regular expression. The worked example of a
 * candidacy function of one's own:
 *
 *     BackhandFromSO modules/byHostname.so byHostname (sun|alpha)
 */

#include "httpd.h"
#include "http_log.h"
#include "apr_strings.h"

#include "mod_backhand.h"

int byHostname(request_rec *r, ServerSlot *servers, int *n, char *arg);

int byHostname(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    ap_regex_t *pattern = arg ? ap_pregcomp(r->pool, arg, AP_REG_EXTENDED | AP_REG_NOSUB) : NULL;
    int kept = 0;
    if (!pattern) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "byHostname: '%s' is not a regular expression", arg ? arg : "");
        return *n;
    }
    for (int i = 0; i < *n; i++) {
        /* The moderator may be writing the name: look at a copy that surely ends. */
        char name[sizeof serverstats->hostname];
        apr_cpystrn(name, serverstats[servers[i].id].hostname, sizeof name);
        if (ap_regexec(pattern, name, 0, NULL, 0) == 0) servers[kept++] = servers[i];
    }
    *n = kept;
    return kept;
}
