// Licensed under the Apache License, Version 2.0; see LICENSE.

// What strangers send: the calls of http.h.

internal import BackhandHTTP
public import CBackhand

/// NULL is an empty text.
private func text(_ text: UnsafePointer<CChar>?) -> UnsafePointer<CChar> { text ?? bh_text_empty() }

@c @implementation
public func bh_claim_read(_ value: UnsafePointer<CChar>?) -> bh_claim_t {
    readClaim(text(value))
}

@c @implementation
public func bh_claim_make(_ client: UnsafePointer<CChar>?, _ second: Int64) -> bh_claim_t {
    makeClaim(client: text(client), second: second)
}

@c @implementation
public func bh_claim_text(
    _ claim: UnsafePointer<bh_claim_t>?, _ method: UnsafePointer<CChar>?, _ path: UnsafePointer<CChar>?,
    _ room: UnsafeMutablePointer<CChar>?, _ size: Int
) -> Int {
    guard let claim else { return 0 }
    var writer = Writer(room, size)
    writeSignedText(claim.pointee, method: text(method), path: text(path), into: &writer)
    return writer.end()
}

@c @implementation
public func bh_claim_write(
    _ claim: UnsafePointer<bh_claim_t>?, _ room: UnsafeMutablePointer<CChar>?, _ size: Int
) -> Int {
    guard let claim else { return 0 }
    var writer = Writer(room, size)
    writeClaim(claim.pointee, into: &writer)
    return writer.end()
}

@c @implementation
public func bh_hops_read(_ value: UnsafePointer<CChar>?, _ most: Int32) -> Int32 {
    guard let value else { return 0 }
    return readHops(value, most: most)
}

@c @implementation
public func bh_target_path(_ target: UnsafePointer<CChar>?) -> bh_piece_t {
    pathOfTarget(text(target)).crossing
}

@c @implementation
public func bh_max_forwards(_ value: UnsafePointer<CChar>?) -> Int64 {
    readMaxForwards(text(value)) ?? 0
}

@c @implementation
public func bh_module_holds_nothing(_ name: UnsafePointer<CChar>?) -> Bool {
    holdsNothing(module: text(name))
}

@c @implementation
public func bh_filter_runs_in_both(_ name: UnsafePointer<CChar>?) -> Bool {
    runsInBoth(filter: text(name))
}

@c @implementation
public func bh_line_is_for_proxy(_ line: UnsafePointer<CChar>?) -> Bool {
    isForProxy(line: text(line))
}

@c @implementation
public func bh_tokens_name(_ list: UnsafePointer<CChar>?, _ names: UnsafePointer<UnsafePointer<CChar>?>?) -> Bool {
    guard let list, let names else { return false }
    return listNames(list, oneOf: names)
}

@c @implementation
public func bh_tokens_without(
    _ list: UnsafePointer<CChar>?, _ names: UnsafePointer<UnsafePointer<CChar>?>?, _ room: UnsafeMutablePointer<CChar>?,
    _ size: Int
) -> Int {
    guard let list, let names else { return 0 }
    var writer = Writer(room, size)
    writeList(list, without: names, into: &writer)
    return writer.end()
}

@c @implementation
public func bh_dav_url(
    _ url: UnsafePointer<CChar>?, _ host: UnsafePointer<CChar>?, _ tls: Bool, _ room: UnsafeMutablePointer<CChar>?,
    _ size: Int
) -> Int {
    guard let url, let host else { return 0 }
    var writer = Writer(room, size)
    return renameURL(url, to: SiteName(host: host, tls: tls), into: &writer) ? writer.end() : 0
}

@c @implementation
public func bh_dav_tags(
    _ value: UnsafePointer<CChar>?, _ host: UnsafePointer<CChar>?, _ tls: Bool, _ room: UnsafeMutablePointer<CChar>?,
    _ size: Int
) -> Int {
    guard let value, let host else { return 0 }
    var writer = Writer(room, size)
    return renameTags(value, to: SiteName(host: host, tls: tls), into: &writer) ? writer.end() : 0
}

@c @implementation
public func bh_location_path(
    _ url: UnsafePointer<CChar>?, _ server: UnsafePointer<bh_facts_t>?, _ site: UnsafePointer<CChar>?, _ tls: Bool
) -> UnsafePointer<CChar>? {
    guard let url, let server else { return nil }
    return pathAtServer(url, AskedServer(server, site: site), tls: tls)?.characters
}

@c @implementation
public func bh_cookie_domain(
    _ cookie: UnsafePointer<CChar>?, _ server: UnsafePointer<bh_facts_t>?, _ site: UnsafePointer<CChar>?
) -> bh_piece_t {
    guard let cookie, let server, let domain = serverDomain(in: cookie, AskedServer(server, site: site)) else {
        return bh_piece_t()
    }
    return domain.crossing
}

@c @implementation
public func bh_list_has(_ list: UnsafePointer<CChar>?, _ element: UnsafePointer<CChar>?, _ byName: Bool) -> Bool {
    listHas(text(list), text(element), byName: byName)
}

@c @implementation
public func bh_keepalive_timeout(_ line: UnsafePointer<CChar>?, _ seconds: UnsafeMutablePointer<UInt32>?) -> Bool {
    guard let line, let seconds, let timeout = readKeepAliveTimeout(line) else { return false }
    seconds.pointee = timeout
    return true
}

@c @implementation
public func bh_merge_within(_ answer: UnsafePointer<bh_answer_header_t>?, _ result: UnsafePointer<bh_header_t>?) {
    guard let answer, let result else { return }
    HeaderMerge(answer.pointee, into: result.pointee).addWithin()
}

@c @implementation
public func bh_merge_beside(
    _ answer: UnsafePointer<bh_answer_header_t>?, _ beside: bh_fields_t, _ result: UnsafePointer<bh_header_t>?
) {
    guard let answer, let result else { return }
    HeaderMerge(answer.pointee, into: result.pointee).addBeside(beside)
}

@c @implementation
public func bh_merge_sent(_ sent: bh_fields_t, _ own: bh_fields_t, _ result: UnsafePointer<bh_header_t>?) {
    guard let result else { return }
    addLines(of: sent, withoutCookiesOf: own, to: result.pointee)
}
