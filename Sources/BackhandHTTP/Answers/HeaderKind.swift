// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What two servers' values of one header are to each other: the table of docs/answers.md.
enum HeaderKind {
    /// There is one value, and the server's stays: every header that the table does not name.
    case single
    /// Elements with commas: the front adds those that the server has not.
    case list
    /// The same, but "max-age=60" and "max-age=5" are one.
    case directives
    /// Each line stands for itself: the front adds those that the server has not.
    case lines
    /// The same by name, domain and path.
    case cookies
    /// It describes the body: filters of this front that have changed the body have changed it.
    case content
    /// Between two hops: left to mod_proxy and this httpd.
    case ours

    /// Whether a line has elements.
    var isList: Bool { self == .list || self == .directives }

    /// Whether there may be several lines.
    var isOfLines: Bool { self == .lines || self == .cookies }

    /// The kind of a header by its name.
    @inline(never)
    static func of(_ name: Piece) -> HeaderKind {
        for (known, kind) in kinds where known.utf8CodeUnitCount == name.count && name.equals(Piece(known)) {
            return kind
        }
        var rest = name
        return rest.take(anyCase: "Backhand-") ? .ours : .single
    }
}

private let kinds: [(StaticString, HeaderKind)] = [
    ("Accept-CH", .list),
    ("Accept-Patch", .list),
    ("Accept-Post", .list),
    ("Access-Control-Allow-Headers", .list),
    ("Access-Control-Allow-Methods", .list),
    ("Access-Control-Expose-Headers", .list),
    ("Allow", .list),
    ("Clear-Site-Data", .list),
    ("Link", .list),
    ("Server-Timing", .list),
    ("Timing-Allow-Origin", .list),
    ("Vary", .list),
    ("Cache-Control", .directives),
    ("Pragma", .directives),
    ("Content-Security-Policy", .lines),
    ("Content-Security-Policy-Report-Only", .lines),
    ("Proxy-Authenticate", .lines),
    ("Warning", .lines),
    ("WWW-Authenticate", .lines),
    ("Set-Cookie", .cookies),
    ("Set-Cookie2", .cookies),
    ("Accept-Ranges", .content),
    ("Content-Encoding", .content),
    ("Content-Language", .content),
    ("Content-Length", .content),
    ("Content-MD5", .content),
    ("Content-Range", .content),
    ("Content-Type", .content),
    ("Digest", .content),
    ("ETag", .content),
    ("Last-Modified", .content),
    ("Alt-Svc", .ours),
    ("Connection", .ours),
    ("Keep-Alive", .ours),
    ("TE", .ours),
    ("Trailer", .ours),
    ("Transfer-Encoding", .ours),
    ("Upgrade", .ours),
    ("Via", .ours),
]
