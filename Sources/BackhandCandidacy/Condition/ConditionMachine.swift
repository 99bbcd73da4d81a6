// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// What a program's words mean: with the upper bit a code, without it the bits of a number, which is never negative.
///
/// A program is a condition in the order in which it is worked out: "amem > 512" is amem, 512, greater. Numbers are
/// those of IEEE 754, a condition is 1 or 0; nothing can trap: what is divided by 0 is infinite, or no number, which
/// makes each comparison false but "!=".
enum Instruction {
    static var bit: UInt64 { 1 << 63 }
    /// Codes above are resources.
    static var resources: Int32 { 64 }
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
            stack[at(top)] = Resource.value(code &- Instruction.resources, candidates, slot)
            top &+= 1
            continue
        }
        let right = stack[at(top &- 1)]
        switch Operation(rawValue: code) {
        case .not: stack[at(top &- 1)] = right == 0 ? 1 : 0
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
        switch self {
        case .plus: return left + right
        case .minus: return left - right
        case .times: return left * right
        case .over: return left / right
        case .or: holds = left != 0 || right != 0
        case .and: holds = left != 0 && right != 0
        case .less: holds = left < right
        case .atMost: holds = left <= right
        case .greater: holds = left > right
        case .atLeast: holds = left >= right
        case .equal: holds = left == right
        case .unequal, .not, .negative: holds = left != right
        }
        return holds ? 1 : 0
    }
}
