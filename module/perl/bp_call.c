/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The call of a sub, as mod_perl calls its handlers: in scalar context, under eval. */

#include "byPerl.h"

const char *bp_call_error(pTHX_ apr_pool_t *pool) {
    /* An object may be asked for its text by Perl code, which may die, too: so this is under eval. */
    SV *error = get_sv("Apache::Backhand::byPerl::error", GV_ADD | GV_ADDMULTI);
    sv_setsv(error, ERRSV);
    SV *said = eval_pv("qq[$Apache::Backhand::byPerl::error]", FALSE);
    char *text = apr_pstrdup(pool, SvOK(said) && !SvROK(said) ? SvPV_nolen(said) : "with an object that has no text");
    for (char *end = text + strlen(text); end > text && apr_isspace(end[-1]);) *--end = '\0';
    sv_setsv(error, &PL_sv_undef); /* an object of the request must not outlive it */
    return text;
}

/* exit() of mod_perl is an error of its own class, by which it is known. */
static int is_exit(pTHX_ SV *error) {
    if (!SvROK(error) || !sv_isobject(error) || !sv_derived_from(error, "APR::Error")) return 0;
    SV **code = SvTYPE(SvRV(error)) == SVt_PVHV ? hv_fetchs((HV *)SvRV(error), "rc", 0) : NULL;
    return code && SvIV(*code) == MODPERL_RC_EXIT;
}

static AV *ids_of(pTHX_ const ServerSlot *servers, int n) {
    AV *ids = newAV();
    av_extend(ids, n);
    for (int i = 0; i < n; i++) av_push(ids, newSViv(servers[i].id));
    return ids;
}

/* What the sub returned, which lives until the caller's FREETMPS. */
static SV *result_of(pTHX_ request_rec *r, const bp_sub *sub, const ServerSlot *servers, int n) {
    dSP;
    SV *result;
    PUSHMARK(SP);
    EXTEND(SP, 3);
    PUSHs(sv_2mortal(modperl_ptr2obj(aTHX_ "Apache2::RequestRec", r)));
    PUSHs(sv_2mortal(newRV_noinc((SV *)ids_of(aTHX_ servers, n))));
    if (sub->argument) PUSHs(sv_2mortal(newSVpv(sub->argument, 0)));
    PUTBACK;
    call_sv(sub->code, G_SCALAR | G_EVAL);
    SPAGAIN;
    result = POPs;
    PUTBACK;
    return result;
}

static const char *call(pTHX_ request_rec *r, const char *text, ServerSlot *servers, int *n) {
    bp_sub sub;
    const char *wrong = bp_sub_find(aTHX_ r->pool, text, &sub);
    if (wrong) return wrong;
    SV *result = result_of(aTHX_ r, &sub, servers, *n), *error = ERRSV;
    if (is_exit(aTHX_ error)) return "called exit()";
    if (SvROK(error) || SvTRUE(error)) return apr_pstrcat(r->pool, "died: ", bp_call_error(aTHX_ r->pool), NULL);
    if (!SvROK(result) || SvTYPE(SvRV(result)) != SVt_PVAV) return "returned no reference to an array";
    return bp_ids_take(aTHX_ r->pool, (AV *)SvRV(result), servers, n);
}

const char *bp_call(pTHX_ request_rec *r, const char *text, ServerSlot *servers, int *n) {
    /* What one call has tainted is not for the next one. */
    TAINT_NOT;
    ENTER;
    SAVETMPS;
    save_scalar(PL_errgv); /* $@ stays that of the Perl code that this request may be in */
    const char *wrong = call(aTHX_ r, text, servers, n);
    FREETMPS;
    LEAVE;
    TAINT_NOT;
    return wrong;
}
