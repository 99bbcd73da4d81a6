/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Warnings of lines that are missing, and of those that do nothing. */

#include "config/mb_config.h"

void mb_gaps_warn(server_rec *server) {
    const mb_server *main = mb_main_server();
    int announced = 0, believes = 0;
    for (server_rec *each = server; each; each = each->next) {
        const mb_server *settings = mb_server_of(each);
        if (each->is_virtual && settings == main) continue;
        if (!settings->destinations->nelts) continue;
        announced = 1;
        if (mb_vhost_networks(each)->nelts) {
            believes = 1;
            continue;
        }
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, each,
            "BH0102: MulticastStats without AcceptStats: no announcement is accepted, this server stays alone");
    }
    if (announced && !main->directory)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "BH0103: MulticastStats without UnixSocketDir: the moderator is not started, "
                     "every request is served here");
    if (mb_line_first(MB_FIRST_PREDICTION))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0120: addPrediction at %s does nothing: its lines may be removed",
                     mb_line_first(MB_FIRST_PREDICTION));
    if (believes && !main->keys)
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, server,
            "BH0110: no BackhandKey: announcements of every host inside AcceptStats are accepted, and forged ones too; "
            "see docs/threat-model.md");
    if (mb_key_is_optional(main->keys))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0121: BackhandKey is Optional: what is not signed is accepted as if there were no key");
}
