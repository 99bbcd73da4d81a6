/* Licensed under the Apache License, Version 2.0; see LICENSE. */

#include "ab.h"

/* The only symbol that others see. */
XS_EXTERNAL(boot_Apache__Backhand) __attribute__((visibility("default")));

MODULE = Apache::Backhand    PACKAGE = Apache::Backhand    PREFIX = ab_

PROTOTYPES: DISABLE

BOOT:
    (void)ab_table_arriba(aTHX); /* croaks without mod_backhand */
    HV *stash = gv_stashpvs("Apache::Backhand", GV_ADD);
    newCONSTSUB(stash, "MAXSERVERS", newSViv(MAXSERVERS));
    newCONSTSUB(stash, "MAXSESSIONSPERSERVER", newSViv(MAXSESSIONSPERSERVER));
    newCONSTSUB(stash, "SERVER_TIMEOUT", newSViv(SERVER_TIMEOUT));

SV *
ab_tied_rows()
    C_ARGS: aTHX

SV *
ab_load_personal_arriba()
    C_ARGS: aTHX

SV *
ab_server(id)
    IV id
    C_ARGS: aTHX_ id

void
ab_child_repeat(name, ...)
    const char *name
    C_ARGS: aTHX_ name, &ST(1), (int)items - 1
