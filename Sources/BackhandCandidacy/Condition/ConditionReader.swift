// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Reads a condition and writes its program of at most BH_PROGRAM_WORDS words, the first of which says how many follow.
func readCondition(
    _ text: UnsafePointer<CChar>, into program: UnsafeMutablePointer<UInt64>, for function: StaticString
) throws(ConfigurationError) {
    var reader = ConditionReader(text, program)
    do throws(ConditionError) {
        try reader.readAll()
    } catch {
        var message = Message(function)
        message.add(": ")
        message.add(error.what)
        if error.isUnknownName { reader.tellName(&message) }
        message.add(", at character ")
        message.add(error.at + 1)
        message.add(" of ")
        message.quote(Word(text), most: 200)
        throw message.error
    }
}

private struct ConditionError: Error {
    let what: StaticString
    /// Counts from 0.
    let at: Int
    var isUnknownName = false
}

/// What an operation takes, or makes.
private enum Kind {
    case number, condition
}

/// Reads from left to right; the stack of calls holds what waits for its right side.
///
///     condition  = condition "||" condition | condition "&&" condition | "!" condition | "(" condition ")"
///                | number ("<" | "<=" | ">" | ">=" | "==" | "!=") number
///     number     = number ("+" | "-" | "*" | "/") number | "-" number | "(" number ")" | digits ["." digits] | name
///                | "stat(" characters ")"
///
/// From the loosest to the tightest: ||, &&, comparisons, + and -, * and /, ! and the - of one number.
private struct ConditionReader {
    private let text: UnsafePointer<CChar>
    private let program: UnsafeMutablePointer<UInt64>
    private var next = 0
    private var words = 0
    /// Values that wait where the program is now.
    private var waiting = 0
    /// The name that was read last.
    private var nameBytes: [CChar] = []

    init(_ text: UnsafePointer<CChar>, _ program: UnsafeMutablePointer<UInt64>) {
        self.text = text
        self.program = program
    }

    mutating func readAll() throws(ConditionError) {
        let kind = try expression(1, 0)
        guard text[next] == 0 else {
            throw ConditionError(what: "an operator is missing: || && < <= > >= == != + - * /", at: next)
        }
        guard kind == .condition else { throw ConditionError(what: "a number alone is not a condition", at: 0) }
        program[0] = UInt64(truncatingIfNeeded: words)
    }

    /// Says which name is not known, and which may be meant.
    func tellName(_ message: inout Message) {
        nameBytes.withUnsafeBufferPointer { name in
            message.quote(Word(name.baseAddress!))
            guard let near = nearestWord(to: name.baseAddress!, Resource.words + 1...Resource.words + Resource.last)
            else { return }
            message.add(" (did you mean ")
            message.add(near.bytes)
            message.add("?)")
        }
    }

    /// Reads operands and operators that bind at least so tightly. nesting: calls that are waiting, so that no text
    /// exhausts the stack.
    private mutating func expression(_ least: Int, _ nesting: Int) throws(ConditionError) -> Kind {
        var left = try operand(nesting)
        while let (operation, length) = peekOperation(), operation.tightness >= least {
            let at = next
            next += length
            let right = try expression(operation.tightness + 1, nesting + 1)
            let takes: Kind = operation.tightness <= 2 ? .condition : .number
            guard left == takes, right == takes else {
                throw ConditionError(
                    what: takes == .condition
                        ? "&& and || stand between conditions" : "this operator stands between numbers", at: at)
            }
            try emit(Instruction.bit | UInt64(truncatingIfNeeded: operation.rawValue), waits: -1)
            left = operation.tightness <= 3 ? .condition : .number
        }
        return left
    }

    private mutating func operand(_ nesting: Int) throws(ConditionError) -> Kind {
        skipBlanks()
        let at = next
        let byte = UInt8(bitPattern: text[at])
        guard nesting < 2 * Instruction.depth else { throw tooLong }
        switch byte {
        case UInt8(ascii: "("):
            next += 1
            let kind = try expression(1, nesting + 1)
            guard text[next] == CChar(bitPattern: UInt8(ascii: ")")) else {
                throw ConditionError(what: "a ')' is missing", at: next)
            }
            next += 1
            skipBlanks()
            return kind
        case UInt8(ascii: "!"), UInt8(ascii: "-"):
            next += 1
            let wanted: Kind = byte == UInt8(ascii: "!") ? .condition : .number
            guard try operand(nesting + 1) == wanted else {
                throw ConditionError(
                    what: wanted == .condition
                        ? "! stands before a condition in parentheses" : "- stands before a number", at: at)
            }
            try emit(
                Instruction.bit
                    | UInt64(truncatingIfNeeded: (wanted == .condition ? Operation.not : .negative).rawValue), waits: 0)
            return wanted
        case UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            try resource()
        default: throw ConditionError(what: "a number, a name or '(' is missing", at: at)
        }
        skipBlanks()
        return .number
    }

    /// Digits, perhaps a point and more digits: together at most 15, which a Double holds exactly.
    private mutating func number() throws(ConditionError) {
        let most = 15
        var scanner = Scanner(Word(text + next).bytes)
        guard let number = scanner.decimal(places: most), number.count <= most, number.places != 0 else {
            throw ConditionError(what: "a number has 1 to 15 digits, and a point between them", at: next)
        }
        next += scanner.position
        var scale = 1.0
        for _ in 0..<(number.places ?? 0) { scale *= 10 }
        try emit((Double(number.value) / scale).bitPattern, waits: 1)
    }

    private mutating func resource() throws(ConditionError) {
        let at = next
        nameBytes = []
        while isPartOfName(UInt8(bitPattern: text[next])) {
            if nameBytes.count < 64 { nameBytes.append(text[next]) }
            next += 1
        }
        nameBytes.append(0)
        for code in 1...Resource.last {
            guard
                nameBytes.withUnsafeBufferPointer({
                    Resource.name(code)?.equals(Word($0.baseAddress!), ignoringCase: false)
                }) == true
            else {
                continue
            }
            return try emit(
                Instruction.bit | (code == Resource.statistic ? try statistic() << Instruction.statistic : 0)
                    | UInt64(truncatingIfNeeded: code + Instruction.resources), waits: 1)
        }
        throw ConditionError(what: "there is no value ", at: at, isUnknownName: true)
    }

    /// The bits of the name in the parentheses that begin here.
    private mutating func statistic() throws(ConditionError) -> UInt64 {
        let start = next + 1
        var end = next
        while text[end] != 0, text[end] != CChar(bitPattern: UInt8(ascii: ")")) { end += 1 }
        guard text[next] == CChar(bitPattern: UInt8(ascii: "(")), text[end] != 0, end > start,
            end - start < Int(BH_STATISTIC_NAME_SIZE)
        else { throw ConditionError(what: "stat takes the name of a statistic in parentheses", at: next) }
        next = end + 1
        return bh_statistic_hash(text + start, end - start) >> UInt64(BH_STATISTIC_SHIFT)
    }

    private mutating func emit(_ word: UInt64, waits change: Int) throws(ConditionError) {
        words += 1
        waiting += change
        guard words < Int(BH_PROGRAM_WORDS), waiting <= Instruction.depth else { throw tooLong }
        program[words] = word
    }

    private var tooLong: ConditionError { ConditionError(what: "the condition is too long", at: next) }

    private mutating func skipBlanks() {
        while text[next] == CChar(bitPattern: UInt8(ascii: " ")) || text[next] == CChar(bitPattern: UInt8(ascii: "\t"))
        { next += 1 }
    }

    /// The operator that stands here, and its length.
    private func peekOperation() -> (Operation, Int)? {
        let second = UInt8(bitPattern: text[next] == 0 ? 0 : text[next + 1])
        let isEqual = second == UInt8(ascii: "=")
        switch UInt8(bitPattern: text[next]) {
        case UInt8(ascii: "|") where second == UInt8(ascii: "|"): return (.or, 2)
        case UInt8(ascii: "&") where second == UInt8(ascii: "&"): return (.and, 2)
        case UInt8(ascii: "="): return isEqual ? (.equal, 2) : nil
        case UInt8(ascii: "!"): return isEqual ? (.unequal, 2) : nil
        case UInt8(ascii: "<"): return isEqual ? (.atMost, 2) : (.less, 1)
        case UInt8(ascii: ">"): return isEqual ? (.atLeast, 2) : (.greater, 1)
        case UInt8(ascii: "+"): return (.plus, 1)
        case UInt8(ascii: "-"): return (.minus, 1)
        case UInt8(ascii: "*"): return (.times, 1)
        case UInt8(ascii: "/"): return (.over, 1)
        default: return nil
        }
    }
}

private func isPartOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
    default: false
    }
}

extension Operation {
    /// 1: the loosest.
    fileprivate var tightness: Int {
        switch self {
        case .or: 1
        case .and: 2
        case .less, .atMost, .greater, .atLeast, .equal, .unequal: 3
        case .plus, .minus: 4
        case .times, .over, .not, .negative: 5
        }
    }
}
