// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandSystem
import Testing

@testable import BackhandModerator

private typealias Finding = DrainFileState.Finding
private typealias Action = DrainFileState.Action

private let denied = Finding.failure(.denied)
private let otherFailure = Finding.failure(.isFolder)

@Suite struct DrainFileStateTests {
    /// One look a second: what each finds, what is to be done, and whether the file is there then.
    @Test(
        arguments: [
            (false, [(.nothing, .nothing, false), (.file, .begin, true), (.file, .nothing, true)]),
            (false, [(.file, .begin, true), (.nothing, .end, false), (.file, .begin, true)]),
            // As the moderator before has left it.
            (true, [(.file, .nothing, true), (.nothing, .end, false), (.nothing, .nothing, false)]),
            (true, [(.nothing, .end, false)]),
            // A failure says nothing, neither of the file nor of its lack.
            (false, [(denied, .complain(.denied), false), (.nothing, .nothing, false), (.file, .begin, true)]),
            (true, [(denied, .complain(.denied), true), (.file, .nothing, true), (.nothing, .end, false)]),
            (true, [(denied, .complain(.denied), true), (.nothing, .end, false)]),
            // Failures of all kinds together are one line a minute.
            (true, [(denied, .complain(.denied), true), (denied, .nothing, true), (otherFailure, .nothing, true)]),
            (false, [(.file, .begin, true), (otherFailure, .complain(.isFolder), true), (.file, .nothing, true)]),
        ] as [(Bool, [(Finding, Action, Bool)])])
    fileprivate func looks(before: Bool, looks: [(finding: Finding, action: Action, isThere: Bool)]) {
        var state = DrainFileState(isThere: before)
        for (second, look) in looks.enumerated() {
            let action = state.note(look.finding, now: UInt64(second) * 1000)
            #expect(action == look.action && state.isThere == look.isThere, "in second \(second)")
        }
    }

    @Test func aFailureIsOneLineAMinute() {
        var state = DrainFileState(isThere: true)
        var due: [UInt64] = []
        for second in 0..<150 as Range<UInt64> {
            if state.note(denied, now: second * 1000) != .nothing { due.append(second) }
            // That it works in between does not make it two.
            if second % 7 == 3 { #expect(state.note(.file, now: second * 1000) == .nothing) }
        }
        #expect(due == [0, 60, 120])
    }
}
