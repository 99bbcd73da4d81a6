// Licensed under the Apache License, Version 2.0; see LICENSE.

@testable import BackhandHTTP
import CBackhand

/// Values of headers and request targets: each function ends, stays within its text, and says what a second, simpler
/// reading says.
func fuzzHeader(_ bytes: UnsafeRawBufferPointer) {
    var source = Source(bytes)
    let kind = source.byte()
    let text = source.text()
    // Exactly as long as it is, so that AddressSanitizer sees a byte too many.
    let memory = UnsafeMutablePointer<CChar>.allocate(capacity: text.count)
    memory.initialize(from: text, count: text.count)
    defer { memory.deallocate() }
    let value = Array(memory[..<Int(strlen(memory))])
    switch kind % 9 {
    case 0: claim(memory, value)
    case 1: hops(memory, value)
    case 2: tokens(memory, value)
    case 3: target(memory, value)
    case 4: cookie(memory, value)
    case 5: tags(memory, value)
    case 6: origin(memory, value)
    case 7: list(memory, value)
    default: cookies(memory, value)
    }
}

extension UnsafeMutablePointer<CChar> {
    fileprivate subscript(range: PartialRangeUpTo<Int>) -> UnsafeBufferPointer<CChar> {
        UnsafeBufferPointer(start: self, count: range.upperBound)
    }
}

private func ascii(_ text: StaticString) -> [CChar] { text.withUTF8Buffer { $0.map { CChar(bitPattern: $0) } } }

private func bytes(_ piece: bh_piece_t) -> [CChar] {
    Array(UnsafeBufferPointer(start: piece.start, count: piece.length))
}

private func bytes(_ piece: Piece) -> [CChar] { bytes(piece.crossing) }

/// The text that a call writes into a room that is just large enough; it may not write behind it, and nothing where the
/// room is too small.
private func written(_ write: (UnsafeMutablePointer<CChar>?, Int) -> Int) -> [CChar] {
    let length = write(nil, 0)
    guard length > 0 else { return [] }
    let room = UnsafeMutablePointer<CChar>.allocate(capacity: length + 1)
    defer { room.deallocate() }
    promise(write(room, length) == length, "another length in a room that is too small")
    promise(write(room, length + 1) == length && room[length] == 0, "another length")
    return Array(room[..<length])
}

/// What we would have written ourselves, or no signature at all.
private func claim(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let claim = bh_claim_read(text)
    let client = bytes(claim.client)
    promise(client == Array(value.prefix { $0 != ascii(";")[0] }), "the address ends at the first ';'")
    let plain = Array(client[..<claim.plain])
    let parts = client.split(separator: ascii("%")[0], maxSplits: 1, omittingEmptySubsequences: false)
    let hasZone = parts.count == 2 && parts[0].contains(ascii(":")[0])
    promise(plain == (hasZone ? Array(parts[0]) : client), "the zone, and nothing else, is cut off")
    var address = bh_address_t()
    let isAddress = bh_address_parse(plain + [0], &address) == BH_OK
    promise(
        claim.has_address == isAddress && claim.address.high == address.high && claim.address.low == address.low,
        "another address")
    guard claim.is_signed else { return }
    promise(
        withUnsafePointer(to: claim) { claim in written { bh_claim_write(claim, $0, $1) } } == value,
        "a signed header is written in one way only")
    let signed = withUnsafePointer(to: claim) { claim in written { bh_claim_text(claim, text, text, $0, $1) } }
    let seconds = value.dropFirst(client.count + 4).prefix { $0 != ascii(";")[0] }
    let newline = ascii("\n")[0]
    promise(
        signed == ascii("Backhand-Proxied") + [newline] + value + [newline] + value + [newline] + client + [newline]
            + seconds, "another signed text")
}

private func hops(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let expected: [[CChar]: Int32] = [ascii("0"): 0, ascii("1"): 1, ascii("2"): 2]
    promise(bh_hops_read(text, 3) == expected[value] ?? 3, "another count of hops")
}

/// A list cut as mod_proxy cuts it: at ',', ';' and blanks, but not in quotes.
private func cut(_ list: [CChar]) -> [[CChar]] {
    var quoted = false
    var tokens: [[CChar]] = [[]]
    for byte in list {
        if !quoted && ascii(",; \t\n\u{b}\u{c}\r").contains(byte) {
            tokens.append([])
        } else {
            tokens[tokens.count - 1].append(byte)
            if byte == ascii("\"")[0] { quoted.toggle() }
        }
    }
    return tokens.filter { !$0.isEmpty }
}

private func lowered(_ token: [CChar]) -> [CChar] { token.map { $0 >= 65 && $0 <= 90 ? $0 | 32 : $0 } }

nonisolated(unsafe) private let names: [UnsafePointer<CChar>?] =
    (["a", "Backhand-Proxied"] as [StaticString]).map {
        UnsafeRawPointer($0.utf8Start).assumingMemoryBound(to: CChar.self)
    } + [nil]

private func tokens(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let all = cut(value)
    let others = all.filter { lowered($0) != ascii("a") && lowered($0) != ascii("backhand-proxied") }
    names.withUnsafeBufferPointer { names in
        promise(bh_tokens_name(text, names.baseAddress) == (others.count < all.count), "a name is seen, or not")
        let kept = written { bh_tokens_without(text, names.baseAddress, $0, $1) }
        promise(kept.count <= 2 * value.count, "more than twice the list")
        promise(kept == Array(others.joined(separator: ascii(", "))), "other names than without ours")
        promise(!bh_tokens_name(kept + [0], names.baseAddress), "one of ours is left")
    }
}

/// Both a request target and an authority.
private func target(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let path = bh_target_path(text)
    let offset = UnsafePointer(text).distance(to: path.start!)
    promise(offset >= 0 && offset + path.length <= value.count, "a path outside of its text")
    promise(!bytes(path).contains(ascii("#")[0]), "a path with a fragment")
    promise(offset > 0 || path.length == value.count || value[path.length] == ascii("#")[0], "a path that ends early")
    guard let authority = Authority(Piece(text), usual: 80) else { return }
    let start = UnsafePointer(text).distance(to: authority.host.characters)
    promise(
        start >= 0 && start + authority.host.count <= value.count && (0...99999).contains(authority.port),
        "an authority outside of its text")
}

private func cookie(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    guard let domain = domain(of: Piece(text)) else { return }
    let offset = UnsafePointer(text).distance(to: domain.characters)
    promise(offset >= 8 && offset + domain.count <= value.count, "a domain outside of its text")
    promise(!bytes(domain).contains(ascii(";")[0]), "a domain of two attributes")
}

/// URLs between '<' and '>', one behind the other, and none in a list's parentheses.
private func tags(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    var rest = Piece(text)
    var end = 0
    while let tag = nextTag(rest) {
        let offset = UnsafePointer(text).distance(to: tag.characters)
        let now = offset + tag.count + 1
        promise(offset > end && now <= value.count, "a tag outside of its text")
        promise(value[offset - 1] == ascii("<")[0] && value[now - 1] == ascii(">")[0], "a tag without its brackets")
        promise(!bytes(tag).contains(ascii(">")[0]), "two tags in one")
        end = now
        rest = Piece(start: tag.start + tag.count, count: value.count - now + 1)
    }
    let renamed = written { bh_dav_tags(text, "shop.test", true, $0, $1) }
    promise(renamed.isEmpty || bh_dav_tags(renamed + [0], "shop.test", true, nil, 0) == 0, "a URL that was left out")
}

/// The value's first line is the header Host, the rest a URL.
private func origin(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let host = Array(value.prefix { $0 != ascii("\n")[0] })
    let url = Array(value.dropFirst(host.count + 1))
    let length = (url + [0]).withUnsafeBufferPointer { url in
        (host + [0]).withUnsafeBufferPointer {
            origin(of: Piece(url.baseAddress!), host: Piece($0.baseAddress!))?.count ?? 0
        }
    }
    guard length > 0 else { return }
    promise(length <= url.count, "an origin longer than its URL")
    let lower = lowered(Array(url[..<length]))
    promise(
        lower.starts(with: ascii("http://")) || lower.starts(with: ascii("https://")),
        "an origin without a scheme of ours")
    promise(length == url.count || ascii("/?#").contains(url[length]), "an origin that ends in the middle")
    guard !host.contains(ascii("[")[0]) else { return }
    let authority = lower.drop { $0 != ascii("/")[0] }.dropFirst(2)
    promise(authority.starts(with: lowered(Array(host.prefix { $0 != ascii(":")[0] }))), "another host's origin")
}

/// A list has each element that it has beyond nothing, and nothing beyond itself.
private func list(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    for byName in [false, true] {
        let all = elements(of: value, byName) { _ in false }
        promise(all.count <= 2 * value.count, "more than twice the list")
        for list in [value, all] {
            let beyond = elements(of: list, byName) { Piece(UnsafePointer(text)).has($0, byName) }
            promise(beyond.isEmpty, "an element that is not in its list")
        }
    }
}

private func elements(of list: [CChar], _ byName: Bool, unless isKnown: (Piece) -> Bool) -> [CChar] {
    (list + [0]).withUnsafeBufferPointer { list in
        written { room, size in
            var writer = Writer(room, size)
            writeElements(of: Piece(list.baseAddress!), byName: byName, into: &writer, unless: isKnown)
            return writer.end()
        }
    }
}

private func cookie(_ cookie: [CChar], with line: [CChar]) -> [CChar] {
    written { room, size in
        var writer = Writer(room, size)
        writeCookie(cookie, attributesOf: line, into: &writer)
        return writer.end()
    }
}

/// Two values of Set-Cookie, with a line's end between them: to be the same is mutual, and every cookie is itself.
private func cookies(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let left = Array(value.prefix { $0 != ascii("\n")[0] }) + [0]
    let right = Array(value.dropFirst(left.count)) + [0]
    promise(isSameCookie(left, left), "a cookie that is not itself")
    promise(isSameCookie(left, right) == isSameCookie(right, left), "the same in one direction only")
    let with = cookie(left, with: right)
    promise(with.count <= left.count - 1 + 2 * right.count, "more than there is room for")
    promise(cookie(with + [0], with: right) == with, "attributes twice")
}
