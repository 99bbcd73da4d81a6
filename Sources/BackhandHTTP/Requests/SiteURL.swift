// Licensed under the Apache License, Version 2.0; see LICENSE.

// WebDAV's requests name resources of the site in full (RFC 4918, 10.3 and 10.4): Destination with a URL, If with URLs
// as tags of its lists. They are named by another scheme here: with the header Host as it is, because a URL may have
// its scheme's port, which is not the other scheme's.

/// The scheme by which the site is named, and its header Host.
public struct SiteName {
    let host: Piece
    let scheme: StaticString

    /// The site of a request with this header Host.
    public init(host: UnsafePointer<CChar>, tls: Bool) {
        self.host = Piece(host)
        scheme = tls ? "https" : "http"
    }
}

/// Writes Destination with the site's scheme; false if the URL is not of the site, or has that scheme.
public func renameURL(_ value: UnsafePointer<CChar>, to site: SiteName, into writer: inout Writer) -> Bool {
    rename(Piece(value), site, &writer)
}

/// Writes If with the site's scheme in each tag; false if no tag has changed.
public func renameTags(_ value: UnsafePointer<CChar>, to site: SiteName, into writer: inout Writer) -> Bool {
    var rest = Piece(value)
    var changed = false
    while let tag = nextTag(rest) {
        writer.add(rest.prefix(rest.start.distance(to: tag.start)))
        if rename(tag, site, &writer) { changed = true }
        rest = rest.dropping(rest.start.distance(to: tag.end))
    }
    writer.add(rest)
    return changed
}

private func rename(_ url: Piece, _ site: SiteName, _ writer: inout Writer) -> Bool {
    guard let origin = origin(of: url, host: site.host), !url.upTo(UInt8(ascii: ":")).equals(Piece(site.scheme)) else {
        writer.add(url)
        return false
    }
    writer.add(site.scheme)
    writer.add("://")
    writer.add(site.host)
    writer.add(url.dropping(origin.count))
    return true
}

/// "http://shop.example:8080" at the beginning of the URL, if the scheme is http or https, and host and port are those
/// of the header Host; nil if it is not a URL of the site.
func origin(of url: Piece, host: Piece) -> Piece? {
    var rest = url
    let usual: Int
    if rest.take(anyCase: "https:") {
        usual = 443
    } else if rest.take(anyCase: "http:") {
        usual = 80
    } else {
        return nil
    }
    guard rest.take("//") else { return nil }
    let text = rest.upTo(anyOf: "/?#")
    guard let named = Authority(text, usual: usual), let asked = Authority(host, usual: usual), !named.host.isEmpty,
        named.port == asked.port, named.host.equals(asked.host)
    else { return nil }
    return url.prefix(url.start.distance(to: text.end))
}

/// The next URL that a value of If tags lists with: "<URL> (<token> [etag]) …", from here on; nil if there is none.
func nextTag(_ text: Piece) -> Piece? {
    var rest = text
    while !rest.isEmpty, rest.start.pointee != UInt8(ascii: "<") {
        if rest.start.pointee == UInt8(ascii: "(") { skipList(&rest) }
        if !rest.isEmpty { rest = rest.dropping(1) }
    }
    guard !rest.isEmpty, let end = rest.place(of: UInt8(ascii: ">")) else { return nil }
    return rest.dropping(1).prefix(end &- 1)
}

/// To the end of the list that begins here; an entity tag in it may have any byte between its quotes.
private func skipList(_ rest: inout Piece) {
    var isQuoted = false
    while !rest.isEmpty, isQuoted || rest.start.pointee != UInt8(ascii: ")") {
        if rest.start.pointee == UInt8(ascii: "\"") { isQuoted.toggle() }
        rest = rest.dropping(1)
    }
}
