// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import CBackhand
import Foundation
import Testing

@testable import BackhandFarms

/// The farms of a segment as an engine sees them, and its answers.
private final class FarmEngine {
    let farms: FarmSegment
    /// The member that each farm would choose; below 0: none.
    var choices: [Int32]
    var accepts = true
    var isBrowsers = false
    private let names: [UnsafeMutablePointer<CChar>]
    private let members: [[UnsafeMutablePointer<CChar>]]

    init(_ named: [FarmSegment.Named]) {
        farms = FarmSegment(named)
        choices = named.map { _ in 0 }
        names = named.map { strdup($0.name) }
        members = named.map { $0.members.map { strdup($0) } }
    }

    deinit { (names + members.flatMap { $0 }).forEach { free($0) } }

    private static func itself(_ baton: UnsafeMutableRawPointer?) -> FarmEngine {
        Unmanaged<FarmEngine>.fromOpaque(baton!).takeUnretainedValue()
    }

    private func member(_ farm: UInt32, _ place: UInt32) -> bh_ath_member_t {
        let entry = bh_farm_member(bh_segment_farm(farms.segment, farm + 1), place)
        return bh_ath_member_t(
            text: members[Int(farm)][Int(place)], weight: 100, row: bh_half_load(&entry.pointee.row))
    }

    private var engine: bh_ath_engine_t {
        bh_ath_engine_t(
            baton: Unmanaged.passUnretained(self).toOpaque(),
            farm: { baton, place in
                let own = FarmEngine.itself(baton)
                return bh_ath_farm_t(name: own.names[Int(place)], members: UInt32(own.members[Int(place)].count))
            },
            member: { baton, farm, place in FarmEngine.itself(baton).member(farm, place) },
            choose: { baton, farm, _ in FarmEngine.itself(baton).choices[Int(farm)] },
            farms: UInt32(names.count), accepts: accepts, is_browsers: isBrowsers, segment: farms.segment,
            now_ms: farms.now, wall_s: 1_700_000_000, keys: nil, verify: nil)
    }

    func ask(_ path: String, _ query: String, accept: String? = nil) -> (status: Int32, text: String) {
        let answer = UnsafeMutablePointer<bh_ath_answer_t>.allocate(capacity: 1)
        defer { answer.deallocate() }
        var (engine, body) = (engine, Data())
        let pieces = [path, query].map { UnsafeMutableBufferPointer<CChar>.copy(Array($0.utf8)) }
        defer { pieces.forEach { $0.deallocate() } }
        let status = bh_ath_answer_make(&engine, pieces[0].piece, pieces[1].piece, accept, answer)
        let isWhole = withUnsafeMutablePointer(to: &body) { body in
            bh_ath_answer_write(
                &engine, answer,
                { baton, bytes, count in
                    baton!.assumingMemoryBound(to: Data.self).pointee.append(Data(bytes: bytes, count: count))
                    return true
                }, body)
        }
        #expect(isWhole)
        return (status, String(decoding: body, as: UTF8.self))
    }

    func lines(_ path: String, _ query: String) -> [Substring] { ask(path, query).text.split(separator: "\n") }
}

@Suite struct EngineTests {
    private let engine = FarmEngine([
        ("one", 0, ["10.0.0.4:8080", "10.0.0.5"]), ("two", 0, ["10.0.0.5", "10.0.0.6"]),
    ])

    /// Which farms and members a query is about.
    @Test(arguments: [
        ("", ["10.0.0.4:8080 one", "10.0.0.5 one", "10.0.0.5 two", "10.0.0.6 two"]),
        ("n=TWO", ["10.0.0.5 two", "10.0.0.6 two"]), ("h=10.0.0.5", ["10.0.0.5 one", "10.0.0.5 two"]),
        ("n=two,h=10.0.0.5", ["10.0.0.5 two"]),
    ])
    func selects(query: String, found: [String]) {
        let asked = (query.isEmpty ? "" : query + ",") + "f=\"%h %n\""
        #expect(engine.lines("/status/phys/", asked).map(String.init) == found)
    }

    @Test func selectsFarms() {
        #expect(engine.lines("/status/farm", "f=\"%n\"") == ["one", "two"])
        #expect(engine.lines("/status/farm", "n=two,f=\"%n\"") == ["two"])
        #expect(engine.lines("/status/engine/", "f=\"%o\"").count == 1)
    }

    @Test(arguments: [
        ("/status/phys/", "n=three", Int32(404), "'three' is not a farm here\n"),
        ("/status/phys/", "h=10.0.0.9", 404, "'10.0.0.9' is not a member here\n"),
        ("/status/phys/", "n=one,h=10.0.0.6", 404, "'10.0.0.6' is not a member here\n"),
        ("/balance/", "one,three", 404, "'three' is not a farm here\n"), ("/nowhere/", "", 404, nil),
        ("/status/phys/", "x=1", 400, nil),
    ])
    func refuses(path: String, query: String, status: Int32, text: String?) {
        let answer = engine.ask(path, query)
        #expect(answer.status == status)
        #expect(text == nil || answer.text == text)
        #expect(answer.text.filter { $0 == "\n" }.count == 1, "one line says why")
    }

    /// A member of several farms is one server.
    @Test func updatesTheServer() {
        #expect(engine.ask("/update/phys/", "h=10.0.0.5,o=off,l=0.75,s=threads:40").status == 200)
        #expect(engine.farms.standing(2) == BH_STANDING_OFF && engine.farms.standing(2, farm: 2) == BH_STANDING_OFF)
        #expect(engine.farms.standing(1) == BH_STANDING_ABLE)
        #expect(engine.lines("/status/phys/", "n=one,h=10.0.0.5,f=\"%l %{threads}s\"") == ["0.75 40"])
        #expect(engine.ask("/update/farm", "n=one,o=off").status == 200)
        #expect(engine.farms.standing(1) == BH_STANDING_FARM_OFF)
    }

    /// Not without permission, and not for a browser; nor if only a part of it can be done.
    @Test func whatChangesNothing() {
        engine.isBrowsers = true
        #expect(engine.ask("/update/phys/", "h=10.0.0.5,o=off").status == 403)
        (engine.isBrowsers, engine.accepts) = (false, false)
        #expect(engine.ask("/update/phys/", "h=10.0.0.5,o=off").status == 403)
        #expect(engine.ask("/status/phys/", "h=10.0.0.5").status == 200)
        engine.accepts = true
        let statistics = (1...17).map { "s=s\($0):1" }.joined(separator: ",")
        #expect(engine.ask("/update/phys/", "h=10.0.0.5,o=off,\(statistics)").status != 200)
        #expect(engine.farms.standing(2) == BH_STANDING_ABLE)
    }

    /// An answer counts if the client is trusted.
    @Test func countsAnswers() {
        engine.choices = [1, 0]
        #expect(engine.ask("/balance/", "two,one").text == "10.0.0.5\n10.0.0.5\n")
        #expect(bh_answers_in_flight(engine.farms.segment, 2, engine.farms.now) == 2000)
        engine.accepts = false
        #expect(engine.ask("/balance/", "one").status == 200)
        #expect(bh_answers_in_flight(engine.farms.segment, 2, engine.farms.now) == 2000)
        engine.choices = [1, -1]
        let answer = engine.ask("/balance/", "two")
        #expect(answer == (503, "'two' has no member that can take requests now\n"))
    }

    /// An answer for two farms is one answer: if it has no member for one of them, no member gets a request by it.
    @Test func countsNoHalfOfAnAnswer() {
        func inFlight() -> [UInt32] {
            (1...3).map { bh_answers_in_flight(engine.farms.segment, $0, engine.farms.now) }
        }
        #expect(engine.ask("/balance/", "one").status == 200)
        engine.choices = [0, -1]
        for query in ["one,two", "one,one,two", "two,one"] {
            let answer = engine.ask("/balance/", query, accept: "application/json")
            #expect(answer == (503, "'two' has no member that can take requests now\n"))
        }
        #expect(inFlight() == [1000, 0, 0])
        engine.choices = [1, 0]
        #expect(engine.ask("/balance/", "one,two").status == 200)
        #expect(inFlight() == [1000, 2000, 0])
    }

    @Test func answersInJSON() throws {
        engine.farms.row(1).pointee.recent_us = 12_500
        engine.accepts = false
        let answer = engine.ask("/balance/", "one,two", accept: "application/json")
        #expect(
            answer.text
                == #"{"farms":[{"farm":"one","member":"10.0.0.4:8080","reason":"best of 2","in_flight":0,"#
                + #""mean_ms":12.500},{"farm":"two","member":"10.0.0.5","reason":"best of 2","in_flight":0}]}"# + "\n")
        _ = try JSONSerialization.jsonObject(with: Data(answer.text.utf8))
    }
}
