// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// The header of an answer that both the server and this front have a say in: of what both set, the server's stays.
public struct HeaderMerge {
    private let sent: Lines
    private let now: Lines
    private let edits: Bool
    private let result: bh_header_t

    /// The answer's header as it was and as it is, and the one that the lines are added to.
    public init(_ answer: bh_answer_header_t, into result: bh_header_t) {
        (sent, now) = (Lines(answer.sent), Lines(answer.now))
        (edits, self.result) = (answer.edits, result)
    }

    /// Adds what the front has set beside the server's header; httpd would add it.
    ///
    /// A name that the front has unset in the server's is the front's.
    public func addBeside(_ beside: bh_fields_t) {
        for line in Lines(beside) {
            let kind = HeaderKind.of(Piece(line.name))
            if kind == .ours || !sent.names(line) || !now.names(line) {
                result.add(line)
            } else if kind.isList {
                let more = result.text { writeElements(beyondServer: line, kind, &$0) }
                if more.pointee != 0 { result.add(line, more) }
            } else if kind.isOfLines, !sent.has(line, kind) {
                result.add(line)
            }
        }
    }

    /// Adds what the front has made of the server's header itself; nothing if it has not touched it, which is the
    /// common case.
    public func addWithin() {
        guard !isUntouched else { return }
        for (place, line) in now.enumerated() {
            let kind = HeaderKind.of(Piece(line.name))
            if kind == .ours || kind == .content || !sent.names(line) {
                result.add(line)
            } else if !Lines(rebasing: now[..<place]).names(line) {
                addAll(of: line, kind)
            }
        }
    }

    private var isUntouched: Bool {
        guard now.count == sent.count else { return false }
        for (line, before) in zip(now, sent) where line.value != before.value { return false }
        return true
    }

    /// The server's lines of one name, and what the front's have beyond them: in the first line of a list, as lines of
    /// their own otherwise.
    private func addAll(of name: bh_field_t, _ kind: HeaderKind) {
        var isFirst = true
        for line in sent where line.isNamed(as: name) {
            if kind.isList, isFirst {
                result.add(line, withElements(line, kind))
            } else {
                result.add(line, kind == .cookies && edits ? withAttributes(line) : line.value)
            }
            isFirst = false
        }
        guard kind.isOfLines else { return }
        for line in now where line.isNamed(as: name) && !sent.has(line, kind) { result.add(line) }
    }

    private func withElements(_ line: bh_field_t, _ kind: HeaderKind) -> UnsafePointer<CChar> {
        result.text { writer in
            writer.add(Piece(line.value))
            for other in now where other.isNamed(as: line) { writeElements(beyondServer: other, kind, &writer) }
        }
    }

    private func writeElements(beyondServer line: bh_field_t, _ kind: HeaderKind, _ writer: inout Writer) {
        let byName = kind == .directives
        BackhandHTTP.writeElements(of: Piece(line.value), byName: byName, into: &writer) { element in
            sent.contains { $0.isNamed(as: line) && Piece($0.value).has(element, byName) }
        }
    }

    /// The server's cookie, with attributes that the front's line of the same cookie has beyond it ("Header edit
    /// Set-Cookie ... Secure"). Its value stays.
    private func withAttributes(_ line: bh_field_t) -> UnsafePointer<CChar> {
        var cookie = line.value
        for other in now where other.isNamed(as: line) && isSameCookie(cookie, other.value) {
            let before = cookie
            cookie = result.text { writeCookie(before, attributesOf: other.value, into: &$0) }
        }
        return cookie
    }
}

/// Adds the server's lines to another header, without this front's cookies: mod_proxy puts those that were there before
/// in front of the server's.
public func addLines(of sent: bh_fields_t, withoutCookiesOf own: bh_fields_t, to result: bh_header_t) {
    let own = Lines(own)
    var cookies = own.reduce(0) { $0 + (isCookie($1) ? 1 : 0) }
    for line in Lines(sent) {
        if cookies > 0, isCookie(line), own.has(line, .lines) {
            cookies &-= 1
        } else {
            result.add(line)
        }
    }
}

private func isCookie(_ line: bh_field_t) -> Bool { Piece(line.name).equals(Piece("Set-Cookie")) }
