// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// What a built-in function takes after its name.
enum ArgumentRule {
    case none
    /// otherwise: what a missing number means, as stored; nil: it must be given.
    case number(NumberRule, otherwise: Int32?)
    /// Used as it is written, and may be missing.
    case text(TextRule)
    /// A condition over what a server announces.
    case condition

    /// A number with up to three decimals, stored in thousandths. Bounds are in units.
    static func decimal(
        _ what: StaticString, above: UInt32? = nil, from: UInt32 = 0, through: UInt32, otherwise: Int32?
    ) -> ArgumentRule {
        .number(NumberRule(what: what, decimals: 3, above: above, from: from, through: through), otherwise: otherwise)
    }

    /// A number without decimals.
    static func whole(_ what: StaticString, from: UInt32, through: UInt32, otherwise: Int32?) -> ArgumentRule {
        .number(NumberRule(what: what, from: from, through: through), otherwise: otherwise)
    }
}

/// Which texts are allowed.
struct TextRule {
    /// With its article, as the sentence "... is not" goes on.
    let what: StaticString
    /// Of C, so that a rule has nothing to release: a decision makes the rules of its functions, and drops them.
    let allows: @convention(c) (UnsafePointer<CChar>) -> Bool
}
