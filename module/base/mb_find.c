/* Licensed under the Apache License, Version 2.0; see LICENSE. */

#include "base/mb_base.h"

#include "apr_dso.h"

#include <dlfcn.h>

void *mb_find(const module *host, const char *name) {
    apr_dso_handle_sym_t symbol;
    if (!host->dynamic_load_handle) return dlsym(RTLD_DEFAULT, name); /* linked into httpd */
    return apr_dso_sym(&symbol, host->dynamic_load_handle, name) == APR_SUCCESS ? symbol : NULL;
}
