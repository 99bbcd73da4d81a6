// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
public import CBackhand

/// Reads one Backhand line: the function's word and its argument, which are kept in the step and not copied.
///
/// Words match exactly. "off" is no function: the caller handles it before.
public func parseStep(
    name: UnsafePointer<CChar>, argument: UnsafePointer<CChar>?
) throws(ConfigurationError) -> bh_step_t {
    for id in 1...CandidacyFunction.lastID {
        guard let function = CandidacyFunction.of(id: id), function.name.equals(name) else { continue }
        let number = try function.read(argument)
        return bh_step_t(function: id, number: number, call: nil, name: name, argument: argument, broken: nil)
    }
    if offWord.equals(name) { throw ConfigurationError("off is no function: it ends the chain and stands in none") }
    throw unknownFunction(name)
}

/// The word of a built-in function, ended by a NUL; nil for ids that none has.
public func functionName(_ id: Int32) -> UnsafePointer<CChar>? {
    CandidacyFunction.of(id: id)?.name.characters
}

extension CandidacyFunction {
    /// The step's number for an argument of the configuration; 0 if the function takes none. A text is only checked.
    func read(_ argument: UnsafePointer<CChar>?) throws(ConfigurationError) -> Int32 {
        switch (self.argument, argument) {
        case (.none, nil):
            return 0
        case (.none, .some(let text)):
            throw ConfigurationError("\(name.text) takes no argument, but was given '\(quotable(text))'")
        case (.number(let rule), nil):
            guard let number = rule.otherwise else {
                throw ConfigurationError("\(name.text) needs an argument: \(rule.words)")
            }
            return number
        case (.number(let rule), .some(let text)):
            guard let number = rule.read(text) else {
                throw ConfigurationError("\(name.text): '\(quotable(text))' is not \(rule.words)")
            }
            return number
        case (.text, nil):
            return 0
        case (.text(let rule), .some(let text)):
            guard rule.allows(text) else {
                throw ConfigurationError("\(name.text): '\(quotable(text))' is not \(rule.what.text)")
            }
            return 0
        }
    }
}
