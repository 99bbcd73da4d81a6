// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
public import CBackhand

/// Reads one Backhand line: the function's word and its argument, which are kept in the step and not copied.
///
/// Words match exactly. "off" is not a function: the caller handles it before.
public func parseStep(
    name: UnsafePointer<CChar>, argument: UnsafePointer<CChar>?
) throws(ConfigurationError) -> bh_step_t {
    for id in 1...CandidacyFunction.lastID {
        guard let function = CandidacyFunction.of(id: id), function.name.equals(name) else { continue }
        var step = bh_step_t()
        step.function = id
        step.number = try function.read(argument)
        step.name = name
        step.argument = argument
        if case .condition = function.argument, let argument {
            try readCondition(argument, into: bh_step_program_mutable(&step), for: function.name)
        }
        return step
    }
    if offWord.equals(name) { throw Message("off is not a function: it ends the chain and stands in none").error }
    throw unknownFunction(name)
}

extension CandidacyFunction {
    /// The step's number for an argument of the configuration; 0 if the function takes none. A text is only checked.
    func read(_ argument: UnsafePointer<CChar>?) throws(ConfigurationError) -> Int32 {
        switch (self.argument, argument) {
        case (.none, nil), (.text, nil), (.condition, .some):
            return 0
        case (.none, .some(let text)):
            var message = Message(name)
            message.add(" takes no argument, but was given ")
            message.quote(Word(text))
            throw message.error
        case (.number(let rule, let otherwise), nil):
            guard let otherwise else {
                var message = needsArgument
                message.add(rule)
                throw message.error
            }
            return otherwise
        case (.condition, nil):
            var message = needsArgument
            message.add("a condition, such as \"amem > 512\"")
            throw message.error
        case (.number(let rule, _), .some(let text)):
            guard let number = rule.read(Word(text)).flatMap({ Int32(exactly: $0) }) else {
                var message = isNot(text)
                message.add(rule)
                throw message.error
            }
            return number
        case (.text(let rule), .some(let text)):
            guard rule.allows(text) else {
                var message = isNot(text)
                message.add(rule.what)
                throw message.error
            }
            return 0
        }
    }

    private var needsArgument: Message {
        var message = Message(name)
        message.add(" needs an argument: ")
        return message
    }

    private func isNot(_ text: UnsafePointer<CChar>) -> Message {
        var message = Message(name)
        message.add(": ")
        message.quote(Word(text))
        message.add(" is not ")
        return message
    }
}
