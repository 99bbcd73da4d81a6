// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// The argument of a function in the configuration, as it was read.
struct StepArgument {
    /// As its rule stores it; 0 for functions that take no number.
    let number: Int32
    /// As it was written; nil: nothing.
    let text: UnsafePointer<CChar>?
    /// What an expression was made into; nil: nothing.
    let program: UnsafePointer<UInt64>?

    init(number: Int32, text: UnsafePointer<CChar>?, program: UnsafePointer<UInt64>? = nil) {
        self.number = number
        self.text = text
        self.program = program
    }
}

/// A built-in candidacy function: its word in the configuration, what it takes there, and what it does to the
/// candidates.
struct CandidacyFunction {
    /// What does the work, with the step's argument as the rule stores it.
    typealias Work = (inout Candidates, StepArgument) -> Void

    let name: StaticString
    let argument: ArgumentRule
    let apply: Work

    init(_ name: StaticString, _ argument: ArgumentRule = .none, apply: @escaping Work) {
        self.name = name
        self.argument = argument
        self.apply = apply
    }
}

extension CandidacyFunction {
    /// All of them by their ids, which count from 1; nil past the last.
    ///
    /// A switch, not an array: a global array would be made on first use, on the heap, in the middle of a request.
    static func of(id: Int32) -> CandidacyFunction? { made(id) }

    /// What one of them does: for requests, which need none of the rest.
    static func work(of id: Int32) -> Work? { made(id)?.apply }

    @inline(__always)
    private static func made(_ id: Int32) -> CandidacyFunction? {
        switch id {
        case 1: .addSelf
        case 2: .removeSelf
        case 3: .byAge
        case 4: .byLoad
        case 5: .byBusyChildren
        case 6: .byCPU
        case 7: .byLogWindow
        case 8: .byRandom
        case 9: .byCost
        case 10: .addPrediction
        case BH_FUNCTION_BY_SESSION: .bySession
        case 12: .redirectToIP
        case 13: .redirectToName
        case 14: .byLeastTime
        case 15: .byForecast
        case 16: .bySample
        case 17: .recommended
        case 18: .byHealth
        case 19: .byResource
        default: nil
        }
    }

    /// Whether the function drops servers because others seem better, not because they are wrong for the request:
    /// byLogWindow, bySample, default, byHealth.
    static func chooses(_ id: Int32) -> Bool { id == 7 || (id >= 16 && id <= 18) }

    /// Whether it may drop servers as wrong for the request: byAge, bySession, byResource.
    static func drops(_ id: Int32) -> Bool { id == 3 || id == 11 || id == 19 }

    /// Whether it compares what servers announce: byLoad, byBusyChildren, byCPU, byCost. Without what one of them has,
    /// the order stays as it is.
    static func compares(_ id: Int32) -> Bool { (id >= 4 && id <= 6) || id == 9 }

    /// The id of byBusyChildren.
    static let comparesWorkers: Int32 = 5
    /// Whether servers may push what it compares: byLoad, byCPU; and the id of byLoad.
    static func comparesPushed(_ id: Int32) -> Bool { id == comparesLoad || id == 6 }
    static let comparesLoad: Int32 = 4

    /// The ids of addSelf and removeSelf.
    static let addsSelf: Int32 = 1
    static let removesSelf: Int32 = 2

    /// The last id that has a function; ids have no gaps.
    static let lastID: Int32 = 19
}
