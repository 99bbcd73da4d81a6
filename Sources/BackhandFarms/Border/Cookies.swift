// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of farms.h for cookies of applications.

internal import BackhandText
public import CBackhand

@c @implementation
public func bh_ath_cookie_read(
    _ rules: UnsafePointer<bh_ath_cookie_rules_t>?, _ header: UnsafePointer<CChar>?,
    _ cookie: UnsafeMutablePointer<bh_ath_cookie_t>?
) -> UInt32 {
    guard let rules, let cookie else { return 0 }
    cookie.pointee = bh_ath_cookie_t()
    guard let header else { return 0 }
    var values = CookieValues(of: Word(rules.pointee.name), in: Word(header))
    var refused: UInt32 = 0
    // Each is a signature to check, and a stranger may send a thousand.
    while refused < UInt32(BH_ATH_COOKIES_MOST), let value = values.next() {
        if let found = FarmCookie(value), found.counts(rules.pointee) {
            cookie.pointee = bh_ath_cookie_t(steer: found.steer, target: found.target.crossing)
            return refused
        }
        refused &+= 1
    }
    return refused
}

@c @implementation
public func bh_ath_cookie_name_check(_ name: UnsafePointer<CChar>?) -> Bool {
    guard let name else { return false }
    return isCookieName(Word(name))
}
