// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct HoldingModulesTests {
    @Test(
        arguments: [
            "core.c", "http_core.c", "event.c", "mod_access_compat.c", "mod_so.c", "mod_proxy_http.c", "mod_ssl.c",
            "mod_log_config.c", "mod_backhand.c", "mod_xml2enc.c", "mod_watchdog.c",
        ])
    func modulesOfHttpd(name: String) {
        let name = TextOfC(name)
        #expect(holdsNothing(module: name.start))
    }

    @Test(
        arguments: [
            "mod_dbd.c", "mod_authn_dbd.c", "mod_lua.c", "mod_perl.c", "mod_php7.c", "mod_wsgi.c", "mod_proxy_.c",
            "mod_alia.c", "mod_aliases.c", "mod_alias", "alias core.c", "mod_.c", ".c", "c", "",
        ])
    func thoseThatMayHoldAndThoseThatAreNotKnown(name: String) {
        let name = TextOfC(name)
        #expect(!holdsNothing(module: name.start))
    }
}
