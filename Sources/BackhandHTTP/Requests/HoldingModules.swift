// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Modules of httpd of which no request holds what another one would wait for without limit, from its first hook to its
/// handler. Read in httpd 2.4.
///
/// mod_dbd, mod_lua (scope `server`) and what needs them are not among them: their requests hold one of a limited
/// number of connections or states until they end. What is not known is not among them either.
private let harmless: StaticString = """
    core http_core so unixd event worker prefork backhand \
    access_compat actions alias allowmethods asis auth_basic auth_digest auth_form authn_anon authn_core authn_dbm \
    authn_file authn_socache authnz_fcgi authnz_ldap authz_core authz_dbm authz_groupfile authz_host authz_owner \
    authz_user autoindex brotli buffer cache cache_disk cache_socache cern_meta cgi cgid charset_lite dav dav_fs \
    dav_lock deflate dir dumpio env expires ext_filter file_cache filter headers heartbeat heartmonitor http2 ident \
    imagemap include info lbmethod_backhand lbmethod_bybusyness lbmethod_byrequests lbmethod_bytraffic \
    lbmethod_heartbeat ldap log_config log_debug log_forensic logio macro md mime mime_magic negotiation proxy \
    proxy_ajp proxy_balancer proxy_connect proxy_express proxy_fcgi proxy_fdpass proxy_ftp proxy_hcheck proxy_html \
    proxy_http proxy_http2 proxy_scgi proxy_uwsgi proxy_wstunnel ratelimit reflector remoteip reqtimeout request \
    rewrite sed session session_cookie session_crypto setenvif slotmem_plain slotmem_shm socache_dbm socache_memcache \
    socache_redis socache_shmcb speling ssl status substitute suexec systemd tls unique_id userdir usertrack version \
    vhost_alias watchdog xml2enc
    """

/// Whether requests of a module hold nothing that others may wait for.
///
/// - Parameter module: its name as httpd has it, such as "mod_alias.c".
public func holdsNothing(module: UnsafePointer<CChar>) -> Bool {
    var name = Piece(module)
    guard name.ends(with: ".c") else { return false }
    name = name.prefix(name.count &- 2)
    _ = name.take("mod_")
    var rest = Piece(harmless)
    while true {
        let word = rest.upTo(UInt8(ascii: " "))
        if word.isSame(as: name) { return true }
        guard word.count < rest.count else { return false }
        rest = rest.dropping(word.count &+ 1)
    }
}
