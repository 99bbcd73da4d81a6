/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The core for other modules. */

#include "doors/mb_doors.h"
#include "balance/mb_balance.h"

static const char *read_key(apr_pool_t *pconf, const char *file, const void **keys) {
    mb_keys *read = NULL;
    const char *path = ap_server_root_relative(pconf, file);
    if (!path) return apr_psprintf(pconf, "'%s' is not a valid path", file);
    const char *wrong = mb_key_read(pconf, file, path, &read);
    if (read) *keys = &read->all;
    return wrong;
}

static void show_farms(int is_mirrored) {
    static const bh_extension_t farms = {.command = bh_farms_command, .page = bh_farms_page};
    static const bh_extension_t mirrored = {
        .command = bh_farms_command, .page = bh_farms_page, .announce = bh_farms_announce, .hear = bh_farms_hear};
    mb_extension = is_mirrored ? &mirrored : &farms;
}

static const backhand_core core = {
    .version = BH_BORDER_VERSION,
    .segment = &mb_segment,
    .name = mb_passage_name,
    .reserve = mb_passage_reserve,
    .newcomer = mb_passage_newcomer,
    .is_out = mb_passage_is_out,
    .has_chain = mb_passage_has_chain,
    .choose = mb_passage_choose,
    .best = mb_passage_best,
    .stage = mb_passage_stage,
    .begin = mb_passage_begin,
    .keep = mb_passage_keep,
    .release = mb_passage_release,
    .end = mb_passage_end,
    .send = mb_send,
    .give = mb_hold_give,
    .heard_make = mb_heard_make,
    .heard_now = mb_heard_now,
    .heard_text = mb_heard_text,
    .find = mb_find,
    .line_server = mb_lines_server,
    .lines_have = mb_lines_have,
    .line_chain = mb_lines_chain,
    .unavailable = mb_dispatch_unavailable,
    .number = mb_line_number,
    .show_farms = show_farms,
    .read_key = read_key,
    .verify = csignature_check,
    .now_ms = mb_now_ms,
    .minute_passed = mb_minute_passed,
    .max_forwards = bh_max_forwards,
    .answer_make = bh_ath_answer_make,
    .answer_write = bh_ath_answer_write,
    .farm_name_check = bh_ath_farm_name_check,
    .line_read = bh_ath_line_read,
    .line_host = bh_ath_line_host,
    .is_of_browsers = bh_ath_is_of_browsers,
    .cookie_domain = bh_ath_cookie_domain,
    .cookie_name_check = bh_ath_cookie_name_check,
    .cookie_read = bh_ath_cookie_read,
    .names_equal = bh_ath_names_equal,
    .url_split = bh_ath_url_split,
    .farm_join = bh_farm_join,
    .farm_select = bh_farm_select,
    .farms_write = bh_farms_write,
    .member_standing = bh_member_standing,
};

static const backhand_core *backhand_core_of(uint32_t version) { return version == core.version ? &core : NULL; }

static void find_farms(void) { mb_balance_is_for_farm = APR_RETRIEVE_OPTIONAL_FN(backhand_is_for_farm); }

void mb_doors_register(apr_pool_t *pool) {
    mb_passage_register();
    mb_origin_register();
    mb_hold_register();
    APR_REGISTER_OPTIONAL_FN(backhand_core_of);
    ap_hook_optional_fn_retrieve(find_farms, NULL, NULL, APR_HOOK_MIDDLE);
}
