// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Output filters that run on the server and on its front: what mod_headers sets is merged, caches keep what they are
/// told to, mod_security guards each httpd for itself, and the handler's own buffer belongs to it.
private let ofBoth: [StaticString] = ["backhand_", "fixup_headers_", "cache_", "modsecurity", "old_write"]

/// Whether a filter runs in both.
///
/// - Parameter name: its name as httpd has it.
public func runsInBoth(filter name: UnsafePointer<CChar>) -> Bool { begins(name, withOneOf: ofBoth) }

/// Lines of an answer's header that mod_proxy itself understands.
private let ofProxy: [StaticString] = [
    "HTTP/", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade",
]

/// Whether mod_proxy must get the whole line of a header.
public func isForProxy(line: UnsafePointer<CChar>) -> Bool { begins(line, withOneOf: ofProxy) }

@inline(never)
private func begins(_ text: UnsafePointer<CChar>, withOneOf beginnings: [StaticString]) -> Bool {
    for beginning in beginnings {
        var rest = Piece(text)
        if rest.take(anyCase: beginning) { return true }
    }
    return false
}
