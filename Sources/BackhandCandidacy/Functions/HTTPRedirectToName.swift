// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

extension CandidacyFunction {
    /// Sends the client to a name of whichever candidate is chosen, made from the format in the argument.
    static var redirectToName: CandidacyFunction {
        CandidacyFunction("HTTPRedirectToName", .text(nameFormat)) { candidates, argument in
            candidates.redirect(argument.text ?? wholeName.characters)
        }
    }

    private static var nameFormat: TextRule {
        TextRule(
            what: "a format of letters, digits, '.', '-', '_' and %#S, %-#S, %#H, %-#H, where # is 1 to 99",
            allows: isNameFormat)
    }
}

/// The announced name: no name has 99 parts.
private var wholeName: StaticString { "%99S" }
