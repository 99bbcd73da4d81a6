/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The members of a farm: servers that the configuration names, and servers that announce a name that it wants. */

#include "athena/ma_athena.h"

uint32_t ma_members_weigh(const void *baton, uint32_t row, const char *name) {
    const ma_farm *farm = baton;
    for (int i = 0; i < farm->members->nelts; i++)
        if (ma_member_at(farm, i)->named.row == row) return 0;
    for (int i = 0; i < farm->patterns->nelts; i++) {
        const ma_pattern *pattern = &APR_ARRAY_IDX(farm->patterns, i, ma_pattern);
        if (ap_regexec(pattern->regex, name, 0, NULL, 0) != 0) continue;
        ma_core->farm_join(*ma_core->segment, farm->config.number, row, (bh_piece_t){name, strlen(name)},
                           ma_core->now_ms());
        return pattern->weight;
    }
    return 0;
}

ma_choice ma_choice_make(apr_pool_t *pool, const ma_farm *farm) {
    int named = farm->members->nelts, others = 0;
    ma_choice choice = {.farm = farm};
    if (farm->patterns->nelts) choice.heard = ma_core->heard_now(farm->heard, pool, &others);
    choice.count = named + others;
    choice.candidates = apr_palloc(pool, (size_t)choice.count * (sizeof *choice.candidates + sizeof *choice.places));
    choice.places = (uint32_t *)(void *)(choice.candidates + choice.count);
    for (int i = 0; i < named; i++) {
        const ma_member *member = ma_member_at(farm, i);
        choice.candidates[i] = (bh_member_t){member->named.row, member->weight};
    }
    for (int i = 0; i < others; i++) choice.candidates[named + i] = choice.heard[i].member;
    return choice;
}

int ma_choice_narrow(ma_choice *choice) {
    choice->count = (int)ma_core->farm_select(*ma_core->segment, choice->farm->config.number, ma_core->now_ms(),
                                              choice->candidates, choice->places, (uint32_t)choice->count);
    return choice->count;
}

int ma_choice_turn(int count) {
    static uint32_t turn;
    return (int)(__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % (uint32_t)count);
}

const ma_member *ma_choice_member(apr_pool_t *pool, const ma_choice *choice, int index) {
    int named = choice->farm->members->nelts;
    if (index < named) return ma_member_at(choice->farm, index);
    const mb_heard *heard = &choice->heard[index - named];
    ma_member *member = apr_pcalloc(pool, sizeof *member);
    member->text = ma_core->heard_text(pool, &heard->place, &member->host);
    member->port = heard->place.port;
    member->named = (bh_named_t){.place = heard->place, .name = member->text, .row = heard->member.row};
    return member;
}

int ma_choice_index(const ma_choice *choice, int member) {
    for (int i = 0; i < choice->count; i++)
        if (choice->places[i] == (uint32_t)member) return i;
    return -1;
}

/* Of the member at a place of the farm; NULL: its requests go to itself. */
static const char *forward_of(const ma_choice *choice, int place) {
    const ma_member *member = ma_member_at(choice->farm, place);
    if (!member->forward
        || ma_core->member_standing(*ma_core->segment, choice->farm->config.number, member->named.row,
                                    ma_core->now_ms())
               == BH_STANDING_FARM_OFF)
        return NULL;
    return ma_choice_index(choice, place) < 0 || ma_core->is_out(&member->named) ? member->forward : NULL;
}

const char *ma_choice_forward(const ma_choice *choice, int member) {
    const char *forward = member < 0 ? NULL : forward_of(choice, member);
    int count = choice->farm->has_forwards ? choice->farm->members->nelts : 0;
    for (int i = 0; i < count && !forward; i++) forward = forward_of(choice, i);
    return forward;
}
