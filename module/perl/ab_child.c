/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* PerlChildInit with several interpreters. mod_perl runs its handlers in one interpreter of each child, and copies that
 * one when it needs another. But those of PerlInterpStart are copies that the parent process has made before: a global
 * variable that a handler sets is undefined in them. So a handler that loads serverstats runs once more in each of
 * them, while the child still has one thread. What else it does is done there, too.
 */

#include "ab.h"

#include <dlfcn.h>

#include "apr.h"
/* mod_perl declares functions inline that it defines elsewhere: as C89 has it, and C99 does not. */
#undef APR_INLINE
#define APR_INLINE
#include "mod_perl.h"

#ifdef USE_ITHREADS

/* By name, because perl outside of httpd has no function of mod_perl's. */
#define OF_MOD_PERL(name) __typeof__(name) *of_##name = dlsym(RTLD_DEFAULT, #name)

static bool is_repeating;

/* A word that a handler gets, for another interpreter: an object of mod_perl's, which is an address, or a text. */
static SV *translated(PerlInterpreter *from, PerlInterpreter *to, SV *word) {
    dTHXa(from);
    const char *class = sv_isobject(word) ? HvNAME(SvSTASH(SvRV(word))) : NULL;
    void *object = class && SvIOK(SvRV(word)) ? INT2PTR(void *, SvIVX(SvRV(word))) : NULL;
    const char *text = object ? NULL : SvPV_nolen(word);
    aTHX = to;
    return object ? sv_setref_pv(sv_newmortal(), class, object) : sv_2mortal(newSVpv(text, 0));
}

/* The interpreter is idle. If it has no such sub, it has not loaded the package: a virtual host with PerlOptions
 * +Parent.
 */
static void run_in(modperl_interp_t *interpreter, PerlInterpreter *from, const char *name, SV **words, int count) {
    OF_MOD_PERL(modperl_thx_interp_set);
    pTHX = interpreter->perl;
    PERL_SET_CONTEXT(aTHX);
    CV *code = aTHX == from ? NULL : get_cv(name, 0);
    if (!code) return;
    dSP;
    ENTER;
    SAVETMPS;
    PUSHMARK(SP);
    EXTEND(SP, count);
    for (int i = 0; i < count; i++) PUSHs(translated(from, aTHX, words[i]));
    PUTBACK;
    /* As mod_perl does it where it selects an interpreter. */
    of_modperl_thx_interp_set(aTHX_ interpreter);
    interpreter->refcnt++;
    call_sv((SV *)code, G_SCALAR | G_EVAL | G_DISCARD);
    /* Not warn: what $SIG{__WARN__} does is not under eval here, and would end the child. */
    if (SvROK(ERRSV)) PerlIO_printf(PerlIO_stderr(), "%s, in another interpreter: died with an object\n", name);
    else if (SvTRUE(ERRSV)) PerlIO_printf(PerlIO_stderr(), "%s, in another interpreter: %s", name, SvPV_nolen(ERRSV));
    /* The standard error of a copy has a buffer: what it says would wait for a request that this copy gets. */
    PerlIO_flush(PerlIO_stderr());
    interpreter->refcnt--;
    FREETMPS;
    LEAVE;
}

void ab_child_repeat(pTHX_ const char *name, SV **words, int count) {
    const module *perl = dlsym(RTLD_DEFAULT, "perl_module");
    const SV *phase = get_sv("Apache2::__CurrentCallback", 0); /* mod_perl's name of the handlers that it runs */
    if (is_repeating || !phase || !SvPOK(phase) || strNE(SvPVX(phase), "PerlChildInitHandler")) return;
    OF_MOD_PERL(modperl_thx_interp_get);
    const modperl_interp_t *interpreter = of_modperl_thx_interp_get ? of_modperl_thx_interp_get(aTHX) : NULL;
    /* A handler may load the table twice. */
    HV *repeated = get_hv("Apache::Backhand::repeated", GV_ADD | GV_ADDMULTI);
    if (!interpreter || interpreter != interpreter->mip->parent || hv_exists(repeated, name, (I32)strlen(name))) return;
    (void)hv_store(repeated, name, (I32)strlen(name), newSViv(1), 0);
    is_repeating = true;
    for (const server_rec *server = interpreter->mip->server; server; server = server->next) {
        const modperl_config_srv_t *settings = ap_get_module_config(server->module_config, perl);
        const modperl_interp_pool_t *pool = settings ? settings->mip : NULL;
        if (!pool || pool->server != server) continue; /* most virtual hosts have the main server's */
        run_in(pool->parent, aTHX, name, words, count);
        for (const modperl_list_t *idle = pool->tipool ? pool->tipool->idle : NULL; idle; idle = idle->next)
            run_in(idle->data, aTHX, name, words, count);
    }
    is_repeating = false;
    PERL_SET_CONTEXT(aTHX);
}

#else

void ab_child_repeat(pTHX_ const char *name, SV **words, int count) {}

#endif
