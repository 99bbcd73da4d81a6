// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

// URLs in lines of httpd's modules, which say where requests go. They may have variables, which requests have values
// for.

/// A URL in the arguments of such a line.
struct LineURL {
    /// What stands before it in the arguments.
    private let before: Word
    /// Whether it is a member of a balancer:// group, or the group.
    private let isOfGroup: Bool
    /// As it is in the URLs of requests. "$1" after it is a part of it if the path comes later, else it is the path.
    let host: Word
    /// nil: none is written.
    private let port: Word?

    /// The first one from a place in the arguments on; nil: there is none.
    fileprivate init?(in arguments: Word, from start: Int, isMember: Bool) {
        let places = start..<max(start, arguments.bytes.count)
        guard let mark = places.first(where: { arguments.dropping($0).prefix(3).equals("://") }) else { return nil }
        let (head, tail) = (arguments.prefix(mark), arguments.dropping(mark &+ 3))
        let scheme = head.dropping((head.bytes.lastIndex(where: isBeforeScheme) ?? -1) &+ 1)
        isOfGroup = isMember || scheme.equals("balancer", ignoringCase: true)
        before = head.prefix(head.bytes.count &- scheme.bytes.count)
        let url = tail.prefix(tail.bytes.firstIndex(where: isAroundURL) ?? tail.bytes.count)
        let authority = FarmURL.authority(of: url)
        let hasPath = url.dropping(authority.bytes.count).bytes.first == UInt8(ascii: "/")
        let place = FarmURL.withoutUser(authority)
        let end = place.bytes.firstIndex { isVariable($0) || $0 == UInt8(ascii: ":") } ?? place.bytes.count
        let isWhole = hasPath || !areVariables(place.dropping(end))
        (host, port) = isWhole ? place.split(at: UInt8(ascii: ":")) : (place.prefix(end), nil)
    }

    /// Why the host cannot be a farm; nil: it can.
    var reason: StaticString? {
        if before.bytes.last == UInt8(ascii: "|"), hasSocket { return "a URL with a socket is for one server" }
        if isOfGroup { return "a balancer:// group has servers, not farms" }
        return hasPort ? nil : "its port is not a number from 1 to 65535"
    }

    /// "unix:/run/php.sock|", "proxy:unix:php.sock|".
    private var hasSocket: Bool {
        before.bytes.indices.contains { before.dropping($0).prefix(5).equals("unix:", ignoringCase: true) }
    }

    /// Whether the port is one, or may become one.
    private var hasPort: Bool {
        guard let port, !port.bytes.isEmpty else { return true }
        return port.number(in: 1...65535) != nil || port.bytes.contains(where: isVariable)
    }
}

/// The next URL of a line that sends requests to it; nil: there is none.
///
/// - Parameter last: where the host before it begins in the arguments; nil: the first one is wanted.
func nextURL(_ directive: Word, _ arguments: Word, after last: Int?) -> LineURL? {
    let isMember = directive.equals("BalancerMember", ignoringCase: true)
    guard isMember || sendsRequests(directive, arguments) else { return nil }
    // A URL in the query of another one is not where requests go.
    let start =
        last.map { $0 &+ (arguments.dropping($0).bytes.firstIndex(where: isAroundURL) ?? arguments.bytes.count) } ?? 0
    return LineURL(in: arguments, from: start, isMember: isMember)
}

private func sendsRequests(_ directive: Word, _ arguments: Word) -> Bool {
    var names = Word(("ProxyPass ProxyPassMatch SetHandler AddHandler" as StaticString).bytes).pieces(at: Ascii.space)
    while let name = names.next() {
        if directive.equals(name, ignoringCase: true) { return true }
    }
    return directive.equals("RewriteRule", ignoringCase: true) && isProxied(rule: arguments)
}

/// Whether the rule has the flag P. Others redirect clients, whose names for servers are not farms.
private func isProxied(rule: Word) -> Bool {
    guard let start = rule.bytes.lastIndex(of: UInt8(ascii: "[")), start > 0, isAroundURL(rule.bytes[start - 1]) else {
        return false
    }
    var flags = rule.dropping(start &+ 1).split(at: UInt8(ascii: "]")).head.pieces(at: UInt8(ascii: ","))
    while let flag = flags.next().map(trimmed) {
        if flag.equals("P", ignoringCase: true) || flag.equals("proxy", ignoringCase: true) { return true }
    }
    return false
}

/// "$1", "%1", "%{REQUEST_URI}", "${map:$1}", and nothing else.
private func areVariables(_ text: Word) -> Bool {
    var rest = text
    while let first = rest.bytes.first {
        let next = rest.dropping(1)
        guard isVariable(first), let second = next.bytes.first else { return false }
        if second == UInt8(ascii: "{"), let end = next.bytes.firstIndex(of: UInt8(ascii: "}")) {
            rest = next.dropping(end &+ 1)
        } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(second) {
            rest = next.dropping(1)
        } else {
            return false
        }
    }
    return true
}

private func isVariable(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "$") || byte == UInt8(ascii: "%") }

/// What a URL does not have, and what stands before or after one.
private func isAroundURL(_ byte: UInt8) -> Bool {
    byte <= Ascii.space || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "|")
        || byte == UInt8(ascii: ">")
}

/// "proxy:" may stand before it, too.
private func isBeforeScheme(_ byte: UInt8) -> Bool { isAroundURL(byte) || byte == UInt8(ascii: ":") }
