/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The core for other modules. */

#include "doors/mb_doors.h"
#include "balance/mb_balance.h"

static backhand_chain chain_of(const ap_conf_vector_t *section) {
    const mb_directory *settings = ap_get_module_config(section, &backhand_module);
    settings = settings ? settings->of_members : NULL; /* NULL: the section has no line of ours */
    if (!settings || !settings->steps) return (backhand_chain){NULL, 0, 0, NULL};
    return (backhand_chain){(const bh_step_t *)(void *)settings->steps->elts, (size_t)settings->steps->nelts,
                            settings->chain, settings->cookie};
}

static const char *read_key(apr_pool_t *pconf, const char *given, const char *path, const void **keys) {
    mb_keys *read = NULL;
    const char *wrong = mb_key_read(pconf, given, path, &read);
    if (read) *keys = &read->all;
    return wrong;
}

static const backhand_core *backhand_core_of(uint32_t version) {
    static const backhand_core core = {.version = BH_BORDER_VERSION,
                                       .segment = &mb_segment,
                                       .child = &mb_child_slot,
                                       .address_of = mb_address_of,
                                       .name = mb_members_name,
                                       .chain_of = chain_of,
                                       .decide = mb_decide_members,
                                       .extension = &mb_extension,
                                       .read_key = read_key,
                                       .verify = csignature_check,
                                       .is_repeatable = mb_attempt_is_repeatable,
                                       .has_body = mb_attempt_has_body,
                                       .asked = mb_local_asked,
                                       .keep_session = mb_session_keep,
                                       .now_us = mb_now_us,
                                       .minute_passed = mb_minute_passed,
                                       .max_forwards = bh_max_forwards,
                                       .parse = bh_step_parse,
                                       .next = bh_retry_next,
                                       .failed = bh_retry_failed,
                                       .report = bh_feedback_report,
                                       .explain = bh_connection_explain};
    return version == core.version ? &core : NULL;
}

static void find_farms(void) { mb_balance_is_for_farm = APR_RETRIEVE_OPTIONAL_FN(backhand_is_for_farm); }

void mb_doors_register(apr_pool_t *pool) {
    APR_REGISTER_OPTIONAL_FN(backhand_core_of);
    ap_hook_optional_fn_retrieve(find_farms, NULL, NULL, APR_HOOK_MIDDLE);
}
