/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_athena: farms by name, and an oracle that says which of their members is best. */

#include "athena/ma_athena.h"

static void register_hooks(apr_pool_t *pool) {
    ma_check_register(pool);
    ma_config_register(pool);
    ma_table_register(pool);
    ma_request_register(pool);
    ma_reverse_register(pool);
    ma_engine_register(pool);
}

AP_DECLARE_MODULE(athena) = {STANDARD20_MODULE_STUFF, ma_section_create, NULL,           ma_server_create,
                             ma_server_merge,         ma_commands,       register_hooks, AP_MODULE_FLAG_NONE};
