// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandCandidacy

/// What a function may do to the candidates beside sorting them, in the order of the ids. A new function needs a line
/// here, so that `drops` and `chooses` are not forgotten.
@Suite struct FunctionClassTests {
    enum Class { case sorts, changesSelf, drops, chooses }

    static let all: [(name: String, does: Class)] = [
        ("addSelf", .changesSelf), ("removeSelf", .changesSelf), ("byAge", .drops), ("byLoad", .sorts),
        ("byBusyChildren", .sorts), ("byCPU", .sorts), ("byLogWindow", .chooses), ("byRandom", .sorts),
        ("byCost", .sorts), ("addPrediction", .sorts), ("bySession", .drops), ("HTTPRedirectToIP", .sorts),
        ("HTTPRedirectToName", .sorts), ("byLeastTime", .sorts), ("byForecast", .sorts), ("bySample", .chooses),
        ("default", .chooses), ("byHealth", .chooses), ("byResource", .drops),
    ]

    @Test func everyFunctionHasItsClass() {
        #expect(Self.all.count == Int(CandidacyFunction.lastID))
        #expect(CandidacyFunction.of(id: CandidacyFunction.lastID + 1) == nil)
    }

    @Test(arguments: 1...CandidacyFunction.lastID)
    func theClassIsTheOneOfTheTable(id: Int32) throws {
        let expected = try #require(Self.all.indices.contains(Int(id) - 1) ? Self.all[Int(id) - 1] : nil)
        #expect(try #require(CandidacyFunction.of(id: id)).name.description == expected.name)
        #expect(CandidacyFunction.drops(id) == (expected.does == .drops))
        #expect(CandidacyFunction.chooses(id) == (expected.does == .chooses))
        #expect(
            [CandidacyFunction.addsSelf, CandidacyFunction.removesSelf].contains(id) == (expected.does == .changesSelf))
    }
}
