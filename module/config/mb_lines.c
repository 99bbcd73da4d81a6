/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Lines of the configuration where they stand, for messages about several of them. */

#include "config/mb_config.h"

const server_rec *mb_lines_server(const server_rec *all, const ap_directive_t *line) {
    for (const ap_directive_t *each = line->parent; each; each = each->parent) {
        if (ap_cstr_casecmp(each->directive, "<VirtualHost") != 0) continue;
        for (const server_rec *host = all->next; host; host = host->next)
            if (host->defn_line_number == (unsigned)each->line_num && strcmp(host->defn_name, each->filename) == 0)
                return host;
    }
    return all;
}

int mb_lines_have(const ap_directive_t *line, const char *name) {
    for (; line; line = line->next)
        if (ap_cstr_casecmp(line->directive, name) == 0
            || (line->first_child && mb_lines_have(line->first_child, name)))
            return 1;
    return 0;
}

/* The first line of a chain among these; "Backhand off" is none. */
static const ap_directive_t *chain_among(const ap_directive_t *line) {
    for (; line; line = line->next)
        if (ap_cstr_casecmp(line->directive, "Backhand") == 0 && ap_cstr_casecmp(line->args, "off") != 0) return line;
    return NULL;
}

static char *first_word(apr_pool_t *pool, const char *arguments) {
    char *word = ap_getword_conf(pool, &arguments);
    size_t length = strlen(word);
    if (length && word[length - 1] == '>') word[length - 1] = '\0';
    return word;
}

const ap_directive_t *mb_lines_chain(apr_pool_t *ptemp, const ap_directive_t *line) {
    const ap_directive_t *around = line->parent;
    if (around && ap_cstr_casecmp(around->directive, "<VirtualHost") != 0) return chain_among(around->first_child);
    const ap_directive_t *found = NULL, *each = around ? around->first_child : ap_conftree;
    const char *path = first_word(ptemp, line->args);
    for (; each && !found; each = each->next)
        if (ap_cstr_casecmp(each->directive, "<Location") == 0 && strcmp(first_word(ptemp, each->args), path) == 0)
            found = chain_among(each->first_child);
    return found;
}
