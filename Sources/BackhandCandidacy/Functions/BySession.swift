// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText
internal import CBackhand

extension CandidacyFunction {
    /// Keeps only the server whose address begins the client's session id; all, if there is none.
    static var bySession: CandidacyFunction {
        CandidacyFunction("bySession", .text(sessionIdentifier)) { candidates, argument in
            let identifier = argument.text ?? usualIdentifier.characters
            // A comma is what httpd puts between several Cookie headers.
            guard
                let place = candidates.ownerOfSession(in: candidates.cookie, separatedBy: UInt8(ascii: ","), identifier)
                    ?? candidates.ownerOfSession(in: candidates.query, separatedBy: UInt8(ascii: "&"), identifier)
            else { return }
            candidates.list[0] = candidates.list[place]
            candidates.count = 1
        }
    }

    private static var sessionIdentifier: TextRule {
        TextRule(
            what: "an identifier of 1 to 64 printable characters without blanks, quotes, ',', ';' and '&'",
            allows: isIdentifier)
    }
}

/// PHP's name for its session's cookie.
private var usualIdentifier: StaticString { "PHPSESSID=" }

private func isIdentifier(_ text: UnsafePointer<CChar>) -> Bool {
    var length = 0
    while text[length] != 0 {
        let byte = UInt8(bitPattern: text[length])
        guard byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "\""), !endsValue(byte), length < 64 else { return false }
        length += 1
    }
    return length > 0
}
