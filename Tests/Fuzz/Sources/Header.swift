// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import CText

/// Values of headers and request targets, by the very C that the module has: each function ends, stays within its text, and says what a second,
/// simpler reading says.
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

private func bytes(_ piece: mb_piece) -> [CChar] { Array(UnsafeBufferPointer(start: piece.start, count: piece.length)) }

/// What we would have written ourselves, or no signature at all.
private func claim(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    var claim = mb_claim_read(text)
    let client = bytes(claim.client)
    promise(client == Array(value.prefix { $0 != ascii(";")[0] }), "the address ends at the first ';'")
    let plain = bytes(mb_claim_address(claim.client))
    let parts = client.split(separator: ascii("%")[0], maxSplits: 1, omittingEmptySubsequences: false)
    let hasZone = parts.count == 2 && parts[0].contains(ascii(":")[0])
    promise(plain == (hasZone ? Array(parts[0]) : client), "the zone, and nothing else, is cut off")
    var address = bh_address_t()
    _ = bh_address_parse(plain + [0], &address)
    guard claim.is_signed != 0 else { return }
    let seconds = bytes(claim.seconds)
    let digits = ascii("0123456789abcdef")
    let signature = withUnsafeBytes(of: &claim.signature) { $0.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] } }
    promise(client + ascii("; t=") + seconds + ascii("; s=") + signature == value, "a signed header is written in one way only")
    promise(seconds.reduce(Int64(0)) { $0 * 10 + Int64($1) - 48 } == claim.signed_s, "another number than its digits")
}

private func hops(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let expected: [[CChar]: CInt] = [ascii("0"): 0, ascii("1"): 1, ascii("2"): 2]
    promise(mb_claim_hops(text, 3) == expected[value] ?? 3, "another count of hops")
}

/// A list cut as mod_proxy cuts it: at ',', ';' and blanks, but not in quotes.
private func cut(_ list: [CChar]) -> [[CChar]] {
    var quoted = false
    var tokens: [[CChar]] = [[]]
    for byte in list {
        if !quoted && ascii(",; \t\n\u{b}\u{c}\r").contains(byte) { tokens.append([]) }
        else {
            tokens[tokens.count - 1].append(byte)
            if byte == ascii("\"")[0] { quoted.toggle() }
        }
    }
    return tokens.filter { !$0.isEmpty }
}

private func lowered(_ token: [CChar]) -> [CChar] { token.map { $0 >= 65 && $0 <= 90 ? $0 | 32 : $0 } }

nonisolated(unsafe) private let names: [UnsafePointer<CChar>?] = (["a", "Backhand-Proxied"] as [StaticString]).map {
    UnsafeRawPointer($0.utf8Start).assumingMemoryBound(to: CChar.self)
} + [nil]

private func tokens(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let all = cut(value)
    let others = all.filter { lowered($0) != ascii("a") && lowered($0) != ascii("backhand-proxied") }
    let room = UnsafeMutablePointer<CChar>.allocate(capacity: 2 * value.count + 1)
    defer { room.deallocate() }
    names.withUnsafeBufferPointer { names in
        promise((mb_tokens_name(text, names.baseAddress!) != 0) == (others.count < all.count), "a name is seen, or not")
        let length = mb_tokens_without(text, names.baseAddress!, room)
        promise(length == Int(strlen(room)), "another length")
        promise(Array(room[..<length]) == Array(others.joined(separator: ascii(", "))), "other names than without ours")
        promise(mb_tokens_name(room, names.baseAddress!) == 0, "one of ours is left")
    }
}

/// Both a request target and an authority.
private func target(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let path = mb_target_path(text)
    let offset = text.distance(to: UnsafeMutablePointer(mutating: path.start))
    promise(offset >= 0 && offset + path.length <= value.count, "a path outside of its text")
    promise(!bytes(path).contains(ascii("#")[0]), "a path with a fragment")
    promise(offset > 0 || path.length == value.count || value[path.length] == ascii("#")[0], "a path that ends early")
    var host = mb_piece()
    var port: CInt = 0
    guard mb_target_authority(mb_piece(start: text, length: value.count), 80, &host, &port) != 0 else { return }
    let start = text.distance(to: UnsafeMutablePointer(mutating: host.start))
    promise(start >= 0 && start + host.length <= value.count && (0...99999).contains(port), "an authority outside of its text")
}

private func cookie(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let domain = mb_target_cookie_domain(text)
    guard let start = domain.start else { return promise(domain.length == 0, "a length without a text") }
    let offset = text.distance(to: UnsafeMutablePointer(mutating: start))
    promise(offset >= 8 && offset + domain.length <= value.count, "a domain outside of its text")
    promise(!bytes(domain).contains(ascii(";")[0]), "a domain of two attributes")
}

/// URLs between '<' and '>', one behind the other, and none in a list's parentheses.
private func tags(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    var at: UnsafePointer<CChar>? = UnsafePointer(text)
    var end = 0
    while true {
        let tag = mb_url_next_tag(&at)
        let now = UnsafePointer(text).distance(to: at!)
        guard let start = tag.start else { return promise(now == value.count, "the last tag, before the end") }
        let offset = UnsafePointer(text).distance(to: start)
        promise(offset > end && offset + tag.length + 1 == now && now <= value.count, "a tag outside of its text")
        promise(value[offset - 1] == ascii("<")[0] && value[now - 1] == ascii(">")[0], "a tag without its brackets")
        promise(!bytes(tag).contains(ascii(">")[0]), "two tags in one")
        end = now
    }
}

/// The value's first line is the header Host, the rest a URL.
private func origin(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let host = Array(value.prefix { $0 != ascii("\n")[0] })
    let url = Array(value.dropFirst(host.count + 1))
    let length = url.withUnsafeBufferPointer { url in
        // An empty array may have no memory.
        mb_url_origin(mb_piece(start: url.baseAddress ?? UnsafePointer(text), length: url.count), host + [0])
    }
    guard length > 0 else { return }
    promise(length <= url.count, "an origin longer than its URL")
    let lower = lowered(Array(url[..<length]))
    promise(lower.starts(with: ascii("http://")) || lower.starts(with: ascii("https://")), "an origin without a scheme of ours")
    promise(length == url.count || ascii("/?#").contains(url[length]), "an origin that ends in the middle")
    guard !host.contains(ascii("[")[0]) else { return }
    let authority = lower.drop { $0 != ascii("/")[0] }.dropFirst(2)
    promise(authority.starts(with: lowered(Array(host.prefix { $0 != ascii(":")[0] }))), "another host's origin")
}

/// Elements within their text, and found in the list that they are of.
private func list(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    var at: UnsafePointer<CChar>? = UnsafePointer(text)
    var end = 0
    while true {
        let element = mb_field_next(&at)
        let now = UnsafePointer(text).distance(to: at!)
        guard element.length > 0 else { return promise(now == value.count, "the last element, before the end") }
        let offset = UnsafePointer(text).distance(to: element.start)
        promise(offset >= end && offset + element.length <= now && now <= value.count, "an element outside of its text")
        promise(mb_field_has(text, element, 0) != 0 && mb_field_has(text, element, 1) != 0, "an element that is not in its list")
        end = now
    }
}

/// Two values of Set-Cookie, with a line's end between them: to be the same is mutual, and every cookie is itself.
private func cookies(_ text: UnsafeMutablePointer<CChar>, _ value: [CChar]) {
    let left = Array(value.prefix { $0 != ascii("\n")[0] }) + [0]
    let right = Array(value.dropFirst(left.count)) + [0]
    promise(mb_field_same_cookie(left, left) != 0, "a cookie that is not itself")
    promise(mb_field_same_cookie(left, right) == mb_field_same_cookie(right, left), "the same in one direction only")
}
