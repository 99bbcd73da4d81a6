// Licensed under the Apache License, Version 2.0; see LICENSE.

// Addresses, networks, destinations and numbers of backhand.h. Bodies check, convert, call and convert back.

internal import BackhandText
public import CBackhand
internal import BackhandModerator
internal import BackhandServerStats

@c @implementation
public func bh_border_version() -> UInt32 {
    UInt32(BH_BORDER_VERSION)
}

@c @implementation
public func bh_address_parse(
    _ text: UnsafePointer<CChar>?, _ address: UnsafeMutablePointer<bh_address_t>?
) -> bh_status_t {
    guard let text, let address else { return BH_EINVAL }
    guard let parsed = parseAddress(text) else { return BH_ESYNTAX }
    address.pointee = parsed
    return BH_OK
}

@c @implementation
public func bh_address_format(
    _ address: UnsafePointer<bh_address_t>?, _ text: UnsafeMutablePointer<CChar>?, _ size: Int
) -> bh_status_t {
    guard let address, let text, size > 0 else { return BH_EINVAL }
    return formatAddress(address.pointee, into: UnsafeMutableBufferPointer(start: text, count: size)) > 0
        ? BH_OK : BH_ESPACE
}

@c @implementation
public func bh_network_parse(
    _ text: UnsafePointer<CChar>?, _ network: UnsafeMutablePointer<bh_network_t>?,
    _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let text, let network else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        network.pointee = try parseNetwork(text)
    }
}

@c @implementation
public func bh_network_contains(
    _ networks: UnsafePointer<bh_network_t>?, _ count: Int, _ address: UnsafePointer<bh_address_t>?
) -> Bool {
    guard let networks, let address, count > 0 else { return false }
    for network in UnsafeBufferPointer(start: networks, count: count) where network.contains(address.pointee) {
        return true
    }
    return false
}

@c @implementation
public func bh_destination_parse(
    _ own: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?, _ destination: UnsafeMutablePointer<bh_destination_t>?,
    _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let text, let destination else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        destination.pointee = try parseDestination(own: own, text)
    }
}

@c @implementation
public func bh_name_length(_ text: UnsafePointer<CChar>?) -> Int {
    text.map { Word($0).hostNameLength } ?? 0
}

@c @implementation
public func bh_number_parse(
    _ text: UnsafePointer<CChar>?, _ unit: bh_unit_t, _ least: UInt32, _ most: UInt32,
    _ number: UnsafeMutablePointer<UInt32>?,
    _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let text, let number, least <= most else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        number.pointee = UInt32(clamping: try NumberRule(what: unit.what, from: least, through: most).parse(Word(text)))
    }
}

@c @implementation
public func bh_word_choose(
    _ text: UnsafePointer<CChar>?, _ words: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int, _ ignoringCase: Bool,
    _ chosen: UnsafeMutablePointer<UInt32>?, _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let text, let words, let chosen, count > 0 else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        let choice = Choice(UnsafeBufferPointer(start: words, count: count))
        chosen.pointee = UInt32(clamping: try choice.parse(Word(text), ignoringCase: ignoringCase))
    }
}

@c @implementation
public func bh_loglevel_read(
    _ before: UInt32, _ text: UnsafePointer<CChar>?, _ bits: UnsafeMutablePointer<UInt32>?,
    _ highest: UnsafeMutablePointer<UInt32>?, _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let text, let bits, let highest else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        var facilities = LogFacilities(bits: before)
        try facilities.take(Word(text))
        (bits.pointee, highest.pointee) = (facilities.bits, facilities.highest)
    }
}

extension bh_unit_t {
    /// With its article, as the sentence "... is not" goes on.
    fileprivate var what: StaticString {
        switch self {
        case BH_UNIT_SECONDS: "a number of seconds"
        case BH_UNIT_BYTES: "a number of bytes"
        default: "a whole number"
        }
    }
}

@c @implementation
public func bh_advice_tell(_ advice: UnsafePointer<bh_advice_t>?) {
    guard let advice else { return }
    adviseOnConfiguration(advice.pointee)
}

@c @implementation
public func bh_destinations_complete(
    _ lines: UnsafeMutablePointer<bh_destination_t>?, _ count: Int, _ vhost: UInt16, _ own: bh_address_t,
    _ ownPort: UInt16
) {
    UnsafeMutableBufferPointer(start: lines, count: lines == nil ? 0 : count)
        .complete(vhost: vhost, own: own, port: ownPort)
}

@c @implementation
public func bh_check_parse(
    _ args: UnsafePointer<CChar>?, _ room: UnsafeMutablePointer<CChar>?, _ size: Int,
    _ check: UnsafeMutablePointer<bh_check_t>?, _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let args, let room, let check, size > 0 else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        let bytes = UnsafeMutableRawPointer(room).assumingMemoryBound(to: UInt8.self)
        let end = try splitWords(Word(args), into: UnsafeMutableBufferPointer(start: bytes, count: size))
        check.pointee = try parseCheck(UnsafeBufferPointer(start: bytes, count: end))
    }
}

@c @implementation
public func bh_check_is_own(_ segment: UnsafePointer<bh_segment_t>?, _ value: UnsafePointer<CChar>?) -> Bool {
    guard let segment, let value else { return false }
    return isCheckSecret(value, of: segment)
}
