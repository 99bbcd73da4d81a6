// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

@Suite struct ReplyLimitTests {
    private func address(_ number: Int) -> bh_address_t { bh_address_t(ipv4: 0x0a00_0000 + UInt32(number)) }

    /// 20,000 copies a second of one recording, by so many hosts: how many are answered in ten seconds, and whether a
    /// new server is, then.
    @Test(arguments: [(1, 23...25), (4, 46...50), (1000, 46...50)])
    func oneRecording(hosts: Int, answered: ClosedRange<Int>) {
        var limit = ReplyLimit(secret: 7)
        var taken = 0
        for now in UInt64(1000)..<11_000 {
            for copy in 0..<20 where limit.take(77, address((Int(now) * 20 + copy) % hosts), now: now) { taken += 1 }
        }
        #expect(answered.contains(taken))
        let (another, home) = (
            limit.take(78, address(2000), now: 11_000), limit.take(77, address(2001), isAtHome: true, now: 11_000)
        )
        #expect(another && home, "another server, and the one that was recorded, at its own address")
    }

    /// Recordings of many boots, by one host: the others keep what it may not have.
    @Test func manyRecordings() {
        var limit = ReplyLimit(secret: 7)
        var taken = 0
        for now in UInt64(1000)..<11_000 {
            for copy in 0..<20 where limit.take(UInt64(copy) << 32 | now, address(1), now: now) { taken += 1 }
        }
        #expect((281...283).contains(taken), "32, and 25 a second")
        let others = (2...33).filter { limit.take(UInt64($0), address($0), now: 11_000) }
        #expect(others.count == 32)
    }

    /// All servers of a full table may be new at once; after that 250 a second, whoever they are.
    @Test func aWholeCluster() {
        var limit = ReplyLimit(secret: 7)
        let first = (0..<5000).filter {
            limit.take(UInt64($0) &* 0x9e37_79b9_7f4a_7c15, address($0), isAtHome: true, now: 1)
        }.count
        #expect((2000...2048).contains(first))
        let later = (5000..<6000).filter {
            limit.take(UInt64($0) &* 0x9e37_79b9_7f4a_7c15, address($0), isAtHome: true, now: 1001)
        }.count
        #expect((240...250 + 48).contains(later))
    }

    /// A new server announces itself once a second, while its last announcement is played back 20,000 times a second:
    /// from its own address, from three others, from all of a network, as soon as it was heard. Each of its own is
    /// answered, and of the recordings few.
    @Test(arguments: [(1, true), (3, false), (254, false), (254, true)] as [(Int, Bool)]) func aNewServersOwn(
        hosts: Int, home: Bool
    ) {
        var limit = ReplyLimit(secret: 7)
        var (ofServer, ofRecording, last) = (0, 0, UInt64(1))
        for now in UInt64(1000)..<11_000 {
            // Not at the moment at which a bucket gets its next token.
            if now % 1000 == 137 {
                last += 1
                // Its sender is not the address that it announces.
                let isAllowed = limit.allows(77, address(2001), sequence: last, now: now)
                if isAllowed, limit.take(77, address(2001), sequence: last, now: now) { ofServer += 1 }
            }
            for copy in 0..<20 {
                let sender = home ? address(2001) : address((Int(now) * 20 + copy) % hosts)
                if limit.take(77, sender, isAtHome: home, sequence: last, now: now) { ofRecording += 1 }
            }
        }
        #expect(ofServer == 10)
        #expect(ofRecording <= 50)
    }

    /// Whoever has a day's recordings of a server that is gone, each newer than the one before: no more than with one.
    @Test func aDaysRecordings() {
        var limit = ReplyLimit(secret: 7)
        var taken = 0
        for number in UInt64(1)...86_400 where limit.take(77, address(1), sequence: number, now: 1000 + number / 20) {
            taken += 1
        }
        #expect((20...30).contains(taken), "4.3 s: two bursts of 4, and two a second of each")
        let another = (1...3).filter { limit.take(78, address(2), sequence: UInt64($0), now: 5320) }.count
        #expect(another == 3)
        // And none of it is new a second time.
        for number in UInt64(1)...86_400 { _ = limit.take(77, address(1), sequence: number, now: 5320) }
        let own = limit.take(77, address(3), sequence: 86_401, now: 7320)
        #expect(own, "the server is back")
    }

    /// What cannot be taken need not be checked, and asking takes nothing.
    @Test func asking() {
        var limit = ReplyLimit(secret: 7)
        for _ in 0..<100 { #expect(limit.allows(1, address(1), now: 1)) }
        for _ in 0..<4 {
            let taken = limit.take(1, address(1), now: 1)
            #expect(taken)
        }
        #expect(!limit.allows(1, address(1), now: 1) && limit.allows(1, address(2), now: 1))
        #expect(!limit.allows(1, address(1), now: 500) && limit.allows(1, address(1), now: 501))
    }
}
