/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Where mod_backhand's data are in this process. The dynamic linker knows it: mod_backhand is loaded again at each
 * restart, at any address. A child ends at a restart, so there they stay where they are.
 */

#include "ab.h"

#include <dlfcn.h>
#include <unistd.h>

#include "http_core.h"

/* The variable of mod_backhand's that has this name. */
static void *variable(pTHX_ const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (!found)
        croak("Apache::Backhand works only in an httpd with mod_backhand, whose LoadModule line must come before the "
              "line that loads Apache::Backhand.\n");
    return found;
}

/* Whether children serve requests, and this is one of them: in the parent no Perl code runs then. */
static bool is_child(void) {
    __typeof__(ap_state_query) *state = dlsym(RTLD_DEFAULT, "ap_state_query");
    return state && state(AP_SQ_MAIN_STATE) == AP_SQ_MS_RUN_MPM;
}

serverstat *ab_table(pTHX) {
    static serverstat *kept; /* in children only: asking the linker takes longer than all else */
    if (kept) return kept;
    serverstat *rows = *(serverstat **)variable(aTHX_ "serverstats");
    if (!rows)
        croak("serverstats of mod_backhand is not there yet: use it from PerlChildInitHandler on, in an httpd with "
              "MulticastStats and UnixSocketDir.\n");
    if (is_child()) kept = rows;
    return rows;
}

/* The segment is mapped from a page's beginning. Another build's has the rows elsewhere in it, so that this may not
 * even be memory. */
bh_segment_t *ab_segment(pTHX) {
    char *rows = (char *)ab_table(aTHX);
    bh_segment_t *segment = (bh_segment_t *)(void *)(rows - offsetof(bh_segment_t, public_rows));
    if ((uintptr_t)segment % (uintptr_t)sysconf(_SC_PAGESIZE) || segment->magic != BH_SEGMENT_MAGIC
        || segment->layout != BH_SEGMENT_LAYOUT)
        croak("Apache::Backhand was built for another version of mod_backhand: install both from the same version.\n");
    return segment;
}

int *ab_table_arriba(pTHX) { return variable(aTHX_ "mod_backhand_personal_arriba"); }
