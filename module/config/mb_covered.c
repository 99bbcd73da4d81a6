/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Chains that a ProxyPass line hides. httpd looks at no <Directory>, <DirectoryMatch> or <Files> section for a URL that
 * ProxyPass takes, so that a chain in one of them would silently never decide on it. The check of the configuration
 * names both lines. A chain in a <Location>, a virtual host or the main server decides before the ProxyPass. */

#include "config/mb_config.h"

/* What one scope, the main server or a virtual host, has of a directive. */
typedef struct lines {
    const ap_directive_t *scope; /* the <VirtualHost> section; NULL: the main server */
    const char *root;            /* its DocumentRoot; NULL: that of the main server */
    apr_array_header_t *passes;  /* pass */
    apr_array_header_t *chains;  /* chain */
} lines;

typedef struct pass {
    const ap_directive_t *line;
    const char *path; /* URL path */
} pass;

typedef struct chain {
    const ap_directive_t *line;
    const char *folder;
} chain;

static int is(const ap_directive_t *line, const char *name) { return ap_cstr_casecmp(line->directive, name) == 0; }

/* A section's argument: "<Directory" has "/var/www/app>" or the same in quotes. */
static const char *section_argument(apr_pool_t *pool, const ap_directive_t *section) {
    const char *args = section->args;
    const char *word = ap_getword_conf(pool, &args);
    size_t length = strlen(word);
    return length && word[length - 1] == '>' ? apr_pstrmemdup(pool, word, length - 1) : word;
}

static const ap_directive_t *enclosing(const ap_directive_t *line, const char *section) {
    for (const ap_directive_t *each = line->parent; each; each = each->parent)
        if (is(each, section)) return each;
    return NULL;
}

/* The URL path that the line takes; NULL: none, or one that only a regular expression says. */
static const char *path_of(apr_pool_t *pool, const ap_directive_t *line) {
    const char *args = line->args;
    const char *first = ap_getword_conf(pool, &args), *second = ap_getword_conf(pool, &args);
    const ap_directive_t *location = enclosing(line, "<Location");
    if (location) return strcmp(first, "!") == 0 ? NULL : section_argument(pool, location);
    return *first == '/' && *second && strcmp(second, "!") != 0 ? first : NULL;
}

static void look_at(apr_pool_t *pool, const ap_directive_t *line, lines *found) {
    const ap_directive_t *folder;
    const char *path;
    if (is(line, "DocumentRoot")) {
        const char *args = line->args;
        found->root = ap_server_root_relative(pool, ap_getword_conf(pool, &args));
    } else if (is(line, "ProxyPass") && (path = path_of(pool, line)))
        *(pass *)apr_array_push(found->passes) = (pass){line, path};
    else if ((is(line, "Backhand") || is(line, "BackhandFromSO")) && (folder = enclosing(line, "<Directory"))) {
        const char *name = section_argument(pool, folder);
        /* "~" begins a regular expression. */
        if (*name == '/' && ap_cstr_casecmpn(line->args, "off", 3) != 0)
            *(chain *)apr_array_push(found->chains) = (chain){line, name};
    }
}

static lines *new_scope(apr_array_header_t *scopes, const ap_directive_t *section) {
    lines *found = apr_array_push(scopes);
    *found = (lines){section, NULL, apr_array_make(scopes->pool, 4, sizeof(pass)),
                     apr_array_make(scopes->pool, 4, sizeof(chain))};
    return found;
}

/* scope: its index, because the array may move. */
static void collect(const ap_directive_t *first, apr_array_header_t *scopes, int scope) {
    for (const ap_directive_t *line = first; line; line = line->next) {
        look_at(scopes->pool, line, &APR_ARRAY_IDX(scopes, scope, lines));
        if (!line->first_child) continue;
        if (is(line, "<VirtualHost")) {
            new_scope(scopes, line);
            collect(line->first_child, scopes, scopes->nelts - 1);
        } else collect(line->first_child, scopes, scope);
    }
}

/* Whether one path is the other or lies in it. */
static int is_within(const char *path, const char *outer) {
    size_t length = strlen(outer);
    while (length > 1 && outer[length - 1] == '/') length--;
    if (length == 1 && *outer == '/') return *path == '/';
    return strncmp(path, outer, length) == 0 && (!path[length] || path[length] == '/');
}

static void warn(server_rec *server, const chain *hidden, const pass *by) {
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, 0, server,
        "BH0130: the Backhand chain of <Directory %s> at %s:%d never decides on what ProxyPass %s at %s:%d takes, "
        "because httpd "
        "looks at no directory for that: put the chain into a <Location %s>",
        hidden->folder, hidden->line->filename, hidden->line->line_num, by->path, by->line->filename,
        by->line->line_num, by->path);
}

/* One line a chain and ProxyPass: further lines of the same section are the same chain. */
static void compare(server_rec *server, const lines *of_chains, const lines *of_passes, const char *root) {
    const char *last = NULL;
    for (int i = 0; root && i < of_chains->chains->nelts; i++) {
        const chain *hidden = &APR_ARRAY_IDX(of_chains->chains, i, chain);
        if (last && strcmp(last, hidden->folder) == 0) continue;
        last = hidden->folder;
        for (int j = 0; j < of_passes->passes->nelts; j++) {
            const pass *by = &APR_ARRAY_IDX(of_passes->passes, j, pass);
            const char *taken = apr_pstrcat(of_passes->passes->pool, root, by->path, NULL);
            if (is_within(taken, hidden->folder) || is_within(hidden->folder, taken)) warn(server, hidden, by);
        }
    }
}

void mb_covered_warn(apr_pool_t *pool, server_rec *server) {
    apr_array_header_t *scopes = apr_array_make(pool, 4, sizeof(lines));
    new_scope(scopes, NULL);
    collect(ap_conftree, scopes, 0);
    for (int i = 0; i < scopes->nelts; i++) {
        const lines *main = &APR_ARRAY_IDX(scopes, 0, lines), *scope = &APR_ARRAY_IDX(scopes, i, lines);
        const char *root = scope->root ? scope->root : main->root;
        compare(server, scope, scope, root);
        if (!i) continue;
        /* A virtual host has the main server's <Directory> sections and ProxyPass lines too. */
        compare(server, main, scope, root);
        if (root != main->root) compare(server, scope, main, root);
    }
}
