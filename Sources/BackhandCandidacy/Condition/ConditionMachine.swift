// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// What a program's words mean: with the upper bit a code, without it the bits of a number, which is never negative.
///
/// A program is a condition in the order in which it is worked out: "amem > 512" is amem, 512, greater. Numbers are
/// those of IEEE 754, a condition is 1 or 0; nothing can trap: what is divided by 0 is infinite, or no number, which
/// makes each comparison false but "!=". What is not known is a number that stays what it is under all operations, and
/// makes each comparison a condition that is not known.
enum Instruction {
    static var bit: UInt64 { 1 << 63 }
    /// Codes above are resources.
    static var resources: Int32 { 64 }
    /// The place of a statistic's bits in its word, beside the code.
    static var statistic: UInt64 { 32 }
    /// What is not known: one of the NaN values, which processors hand on as it is.
    static var unknown: Double { Double(bitPattern: 0x7ff8_0000_0000_0b4d) }
    /// Words that may be waiting for their operation; a power of two.
    static var depth: Int { 16 }
}

/// Operations by their codes.
enum Operation: Int32 {
    case or = 1, and, less, atMost, greater, atLeast, equal, unequal, plus, minus, times, over
    case not, negative
}

/// Whether the program's condition holds for the server. The stack is the caller's, because it is the same for all
/// servers.
func holds(
    _ program: UnsafePointer<UInt64>, _ candidates: Candidates, _ slot: ServerSlot,
    _ stack: inout InlineArray<16, Double>
) -> Bool {
    var top = 0
    // Masks: no program leaves its space, wherever it comes from.
    func at(_ depth: Int) -> Int { depth & (Instruction.depth &- 1) }
    let words = min(program[0], UInt64(BH_PROGRAM_WORDS &- 1))
    guard words > 0 else { return true }
    for index in 1...Int(words) {
        let word = program[index]
        guard word & Instruction.bit != 0 else {
            stack[at(top)] = Double(bitPattern: word)
            top &+= 1
            continue
        }
        let code = Int32(truncatingIfNeeded: word)
        if code >= Instruction.resources {
            stack[at(top)] = Resource.value(code &- Instruction.resources, candidates, slot, word)
            top &+= 1
            continue
        }
        let right = stack[at(top &- 1)]
        switch Operation(rawValue: code) {
        case .not: stack[at(top &- 1)] = 1 - right
        case .negative: stack[at(top &- 1)] = 0 - right
        case .some(let operation):
            top &-= 1
            stack[at(top &- 1)] = operation.result(stack[at(top &- 1)], right)
        case nil: return true
        }
    }
    return stack[at(top &- 1)] != 0
}

extension Operation {
    fileprivate func result(_ left: Double, _ right: Double) -> Double {
        let holds: Bool
        // Of conditions: 0 is false, 1 is true, a half is not known, and in the end not a reason to drop the server.
        switch self {
        case .plus: return left + right
        case .minus: return left - right
        case .times: return left * right
        case .over: return left / right
        case .or: return left > right ? left : right
        case .and: return left < right ? left : right
        case .less: holds = left < right
        case .atMost: holds = left <= right
        case .greater: holds = left > right
        case .atLeast: holds = left >= right
        case .equal: holds = left == right
        case .unequal, .not, .negative: holds = left != right
        }
        if left.isNaN || right.isNaN, isUnknown(left) || isUnknown(right) { return 0.5 }
        return holds ? 1 : 0
    }
}

/// Whether it comes from a value that is not known; of 0 / 0 it is known that it is NaN.
@inline(never)
private func isUnknown(_ number: Double) -> Bool {
    number.bitPattern << 1 == Instruction.unknown.bitPattern << 1
}
