/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The members of a farm: servers that the configuration names, and servers that announce a name that it wants. */

#include "athena/ma_athena.h"

uint32_t ma_members_weigh(const void *baton, uint32_t row, const char *name) {
    const ma_farm *farm = baton;
    for (int i = 0; i < farm->members->nelts; i++)
        if (APR_ARRAY_IDX(farm->members, i, const ma_member *)->named.row == row) return 0;
    for (int i = 0; i < farm->patterns->nelts; i++) {
        const ma_pattern *pattern = &APR_ARRAY_IDX(farm->patterns, i, ma_pattern);
        if (ap_regexec(pattern->regex, name, 0, NULL, 0) != 0) continue;
        const backhand_core *core = mb_passage_core();
        bh_farm_join(*core->segment, farm->config.number, row, (bh_piece_t){name, strlen(name)}, core->now_us() / 1000);
        return pattern->weight;
    }
    return 0;
}

ma_choice ma_choice_make(apr_pool_t *pool, const ma_farm *farm) {
    int named = farm->members->nelts, others = 0;
    ma_choice choice = {.farm = farm};
    if (farm->patterns->nelts) choice.heard = mb_heard_now(farm->heard, pool, &others);
    choice.count = named + others;
    choice.candidates = apr_palloc(pool, (size_t)choice.count * sizeof *choice.candidates);
    for (int i = 0; i < named; i++) {
        const ma_member *member = APR_ARRAY_IDX(farm->members, i, const ma_member *);
        choice.candidates[i] = (bh_member_t){member->named.row, member->weight};
    }
    for (int i = 0; i < others; i++) choice.candidates[named + i] = choice.heard[i].member;
    return choice;
}

const ma_member *ma_choice_member(apr_pool_t *pool, const ma_choice *choice, int index) {
    int named = choice->farm->members->nelts;
    if (index < named) return APR_ARRAY_IDX(choice->farm->members, index, const ma_member *);
    const mb_heard *heard = &choice->heard[index - named];
    ma_member *member = apr_pcalloc(pool, sizeof *member);
    member->text = mb_heard_text(pool, &heard->place, &member->host);
    member->port = heard->place.port;
    member->named = (bh_named_t){.place = heard->place, .name = member->text, .row = heard->member.row};
    return member;
}

int ma_choice_index(const ma_choice *choice, int member) {
    for (int i = 0; i < choice->count; i++)
        if (choice->places[i] == (uint32_t)member) return i;
    return -1;
}

const char *ma_member_forward(const ma_choice *choice, int index) {
    const ma_member *member = APR_ARRAY_IDX(choice->farm->members, index, const ma_member *);
    const backhand_core *core = mb_passage_core();
    if (!member->forward
        || bh_member_standing(*core->segment, choice->farm->config.number, member->named.row, core->now_us() / 1000)
               == BH_STANDING_FARM_OFF)
        return NULL;
    return ma_choice_index(choice, index) < 0 || mb_passage_is_out(&member->named) ? member->forward : NULL;
}

const char *ma_farm_forward(const ma_choice *choice) {
    const char *forward = NULL;
    for (int i = 0; i < choice->farm->members->nelts && !forward; i++) forward = ma_member_forward(choice, i);
    return forward;
}
