// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The path and query in a request target: "/path?query", "http://host/path", or what apr_uri_parse makes of
/// "http:/path"; no fragment.
///
/// It must be the path that access was decided for: no "://" in a query begins another one. What does not begin with
/// '/' wants one.
public func pathOfTarget(_ text: UnsafePointer<CChar>) -> Piece {
    afterAuthority(Piece(text)).upTo(UInt8(ascii: "#"))
}

private func afterAuthority(_ target: Piece) -> Piece {
    guard !target.isEmpty, target.start.pointee != UInt8(ascii: "/") else { return target }
    let scheme = target.upTo(anyOf: ":/?#")
    var rest = target.dropping(scheme.count)
    guard !scheme.isEmpty, !rest.isEmpty, rest.start.pointee == UInt8(ascii: ":") else { return target }
    rest = rest.dropping(1)
    guard rest.take("//") else { return rest }
    return rest.dropping(rest.upTo(anyOf: "/?#").count)
}
