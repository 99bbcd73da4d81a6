/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Custom candidacy functions: BackhandFromSO loads them when the configuration is read. */

#include "config/mb_config.h"

#include "apr_dso.h"

#include <dlfcn.h>
#include <sys/mman.h>

#define BROKEN_WORDS "mod_backhand.broken"

static apr_status_t unmap(void *word) {
    munmap(word, sizeof(uint32_t));
    return APR_SUCCESS;
}

/* The word that says of a function that it has damaged memory: the same for all its lines, and for all children of a
 * configuration. The next restart begins with new ones. NULL: there is no memory for it, and the function goes on. */
static uint32_t *word_of(apr_pool_t *pool, const char *path, const char *name) {
    void *words = NULL;
    const char *key = apr_pstrcat(pool, path, " ", name, NULL);
    apr_pool_userdata_get(&words, BROKEN_WORDS, pool);
    if (!words) apr_pool_userdata_setn(words = apr_hash_make(pool), BROKEN_WORDS, NULL, pool);
    uint32_t *word = apr_hash_get(words, key, APR_HASH_KEY_STRING);
    if (word) return word;
    void *memory = mmap(NULL, sizeof *word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    apr_pool_cleanup_register(pool, memory, unmap, apr_pool_cleanup_null);
    apr_hash_set(words, key, APR_HASH_KEY_STRING, memory);
    return memory;
}

/* httpd's folder of modules: where this one is, or mod_proxy. NULL: they are built into httpd. */
static const char *folder_of(apr_pool_t *pool, const void *inside) {
    Dl_info object;
    const char *slash = inside && dladdr(inside, &object) && object.dli_fname ? strrchr(object.dli_fname, '/') : NULL;
    return slash ? apr_pstrmemdup(pool, object.dli_fname, (apr_size_t)(slash - object.dli_fname)) : NULL;
}

static int is_there(const char *path, apr_pool_t *pool) {
    apr_finfo_t info;
    return apr_stat(&info, path, APR_FINFO_TYPE, pool) == APR_SUCCESS;
}

/* The object's path: below ServerRoot, else by its last part in a folder of modules, since old configurations name a
 * folder of their time. looked: the places where it was not, for messages. NULL: it is nowhere. */
static const char *find_object(apr_pool_t *pool, const char *file, const char **looked) {
    const void *inside[] = {&backhand_module, ap_find_linked_module("mod_proxy.c")};
    const char *path = ap_server_root_relative(pool, file), *slash = strrchr(file, '/');
    *looked = path;
    if (!path || *file == '/' || is_there(path, pool)) return path;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        const char *folder = folder_of(pool, inside[i]);
        if (!folder) continue;
        path = apr_pstrcat(pool, folder, "/", slash ? slash + 1 : file, NULL);
        if (is_there(path, pool)) return path;
        if (!ap_strstr_c(*looked, path)) *looked = apr_pstrcat(pool, *looked, "' and '", path, NULL);
    }
    return NULL;
}

const char *mb_loaded_find(cmd_parms *cmd, const char *file, const char *name, const char *argument, bh_step_t *step) {
    char error[BH_ERROR_SIZE];
    apr_dso_handle_t *object;
    apr_dso_handle_sym_t symbol;
    const char *looked, *path = find_object(cmd->pool, file, &looked);
    if (!looked) return mb_line_complain(cmd, "'%s' is not a valid path", file);
    if (!path) return mb_line_complain(cmd, "cannot load '%s': it is not there; looked for '%s'", file, looked);
    /* The linker counts how often an object is opened, and the pool closes it: loading it again for each line is right.
     */
    if (apr_dso_load(&object, path, cmd->pool) != APR_SUCCESS)
        return mb_line_complain(cmd, "cannot load '%s': %s", path, apr_dso_error(object, error, sizeof error));
    if (apr_dso_sym(&symbol, object, name) != APR_SUCCESS)
        return mb_line_complain(cmd, "no function '%s' in '%s': %s", name, path,
                                apr_dso_error(object, error, sizeof error));
    memset(step, 0, sizeof *step);
    step->function = BH_FUNCTION_LOADED;
    step->name = apr_pstrdup(cmd->pool, name);
    step->argument = argument ? apr_pstrdup(cmd->pool, argument) : NULL;
    step->broken = word_of(cmd->pool, path, name);
    /* ISO C has no conversion from data to function pointers; POSIX promises that it works. */
    memcpy(&step->call, &symbol, sizeof symbol);
    return NULL;
}

void mb_loaded_fault(request_rec *r, const bh_step_t *step, bh_fault_t fault) {
    static uint64_t next_ms;
    if (fault == BH_FAULT_CANARY) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "BH0420: candidacy function %s wrote past the end of the list, memory of this child may be "
                      "damaged: the function is not called any more until httpd is restarted",
                      step->name);
        return;
    }
    if (!mb_minute_passed(&next_ms)) return;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0401: candidacy function %s %s: its result is ignored", step->name,
                  bh_fault_text(fault));
}
