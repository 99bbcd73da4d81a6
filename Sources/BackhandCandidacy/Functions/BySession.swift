// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandHTTP
internal import BackhandServerStats
internal import BackhandText
internal import CBackhand

extension CandidacyFunction {
    /// Keeps only the server that the client's session names, by its address in front of the session's id or by a
    /// cookie of ours; all, if there is none.
    static var bySession: CandidacyFunction {
        CandidacyFunction("bySession", .text(sessionIdentifier)) { candidates, argument in
            let identifier = argument.text ?? usualIdentifier.characters
            let request = candidates.request.pointee
            // A comma is what httpd puts between several Cookie headers.
            let comma = UInt8(ascii: ",")
            if let line = bh_session_line(identifier) {
                guard let sessions = request.sessions else { return }
                _ = candidates.keepSession(in: request.cookie, separatedBy: comma, line, sessions)
            } else if !candidates.keepSession(in: request.cookie, separatedBy: comma, identifier) {
                _ = candidates.keepSession(in: request.query, separatedBy: UInt8(ascii: "&"), identifier)
            }
        }
    }

    private static var sessionIdentifier: TextRule {
        TextRule(
            what: """
                an identifier of 1 to 64 printable characters without blanks, quotes, ',', ';' and '&', or \
                cookie=NAME; Path=/
                """,
            allows: isIdentifier)
    }
}

/// PHP's name for its session's cookie.
private var usualIdentifier: StaticString { "PHPSESSID=" }

private func isIdentifier(_ text: UnsafePointer<CChar>) -> Bool {
    if let line = bh_session_line(text) { return isSessionCookie(line) }
    return isSessionText(Piece(text))
}
