/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Finds the sub of a line: Package::function, Package->method, $object->method, or sub {…}. An argument may follow a
 * name, after a blank.
 *
 * A function is looked up with each call, so that one that was defined again counts. What needs more is made once in
 * each interpreter, by Apache::Backhand::byPerl: a package that is to be loaded, code that is to be compiled.
 */

#include "byPerl.h"

/* Subs of lines that are no plain functions, by the text of the line. perl copies them with an interpreter. */
static HV *made(pTHX) { return get_hv("Apache::Backhand::byPerl::made", GV_ADD | GV_ADDMULTI); }

/* What Apache::Backhand::byPerl finds or makes for the name: a reference to code. NULL: $@ says why there is none. */
static SV *make(pTHX_ const char *name) {
    dSP;
    SV *code = eval_pv("require Apache::Backhand::byPerl; \\&Apache::Backhand::byPerl::sub_of", FALSE);
    if (SvROK(ERRSV) || SvTRUE(ERRSV)) return NULL;
    PUSHMARK(SP);
    XPUSHs(sv_2mortal(newSVpv(name, 0)));
    PUTBACK;
    call_sv(code, G_SCALAR | G_EVAL);
    SPAGAIN;
    code = POPs;
    PUTBACK;
    return SvROK(ERRSV) || SvTRUE(ERRSV) || !SvROK(code) || SvTYPE(SvRV(code)) != SVt_PVCV ? NULL : code;
}

/* Ends the name where an argument follows, which is returned; NULL: none does, or it is an anonymous sub. */
static const char *cut_argument(char *name) {
    char *end = name + strcspn(name, " \t");
    if (!*end || strnEQ(name, "sub{", 4) || strnEQ(name, "sub ", 4)) return NULL;
    *end++ = '\0';
    return end + strspn(end, " \t");
}

const char *bp_sub_find(pTHX_ apr_pool_t *pool, const char *text, bp_sub *sub) {
    char *name = apr_pstrdup(pool, text);
    sub->argument = cut_argument(name);
    CV *function = get_cv(name, 0);
    if (function && (CvROOT(function) || CvXSUB(function))) {
        sub->code = (SV *)function;
        return NULL;
    }
    SV **known = hv_fetch(made(aTHX), name, (I32)strlen(name), 0);
    SV *code = known ? *known : make(aTHX_ name);
    if (!code) return bp_call_error(aTHX_ pool);
    if (!known) (void)hv_store(made(aTHX), name, (I32)strlen(name), newSVsv(code), 0);
    sub->code = SvRV(code);
    return NULL;
}
