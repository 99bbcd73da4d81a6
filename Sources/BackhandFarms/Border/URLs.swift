// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of farms.h for URLs and cookies.

internal import BackhandText
public import CBackhand

@c @implementation
public func bh_ath_url_split(_ text: UnsafePointer<CChar>?, _ url: UnsafeMutablePointer<bh_ath_url_t>?) -> Bool {
    guard let text, let url, let parts = FarmURL(Word(text)) else { return false }
    url.pointee = bh_ath_url_t(
        origin: parts.origin.crossing, scheme: parts.scheme.crossing, host: parts.host.crossing,
        rest: parts.rest.crossing, port: parts.port)
    return true
}

@c @implementation
public func bh_ath_names_equal(_ left: bh_piece_t, _ right: bh_piece_t) -> Bool {
    guard let left = Word(left, most: .max), let right = Word(right, most: .max) else { return false }
    return left.equals(right, ignoringCase: true)
}

@c @implementation
public func bh_ath_cookie_domain(_ cookie: UnsafePointer<CChar>?) -> bh_piece_t {
    guard let cookie, let domain = cookieDomain(Word(cookie)) else { return bh_piece_t() }
    return domain.crossing
}
