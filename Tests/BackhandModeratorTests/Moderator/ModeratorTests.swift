// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import BackhandWire
import Foundation
import Testing

@testable import BackhandModerator

// Moderators on loopback, announcing every 100 ms. Three announcements may be needed, and a busy machine is slow.
private let soon: UInt64 = 10_000

/// One after the other: they share the machine's time.
@Suite(.serialized) struct ModeratorTests {
    @Test func theyFindEachOtherByMulticast() throws {
        let group = "239.255.77.1:\(try freePort())"
        let one = try RunningModerator(Setting(own: "127.0.0.2:8080", destinations: [group], hostname: "one")).start()
        let two = try RunningModerator(Setting(own: "127.0.0.3:8081", destinations: [group], hostname: "two")).start()
        defer { one.finish(); two.finish() }
        let start = monotonicMilliseconds()
        #expect(eventually(within: soon) { one.others == ["127.0.0.3:8081"] && two.others == ["127.0.0.2:8080"] })
        #expect(monotonicMilliseconds() - start <= 200 + 300, "at most the measuring of arriba and three announcements")

        var facts = try #require(two.facts(1))
        #expect(String(cString: bh_facts_hostname(&facts)) == "one")
        #expect(facts.boot_id == one.segment.pointee.boot_id)
        #expect(facts.workers == 8 && facts.idle_workers == 5)
        #expect(facts.worker_memory > 0 && facts.total_memory > 0 && facts.ncpu > 0 && facts.arriba > 0)
        #expect(facts.load_hwm >= 1000)
        #expect(facts.address.text == "127.0.0.2" && facts.port == 8080)

        let own = try #require(one.facts(0))
        #expect(own.address.text == "127.0.0.2" && own.port == 8080)
        #expect(bh_segment_public(one.segment, 0).pointee.nservers == 8)
        #expect(one.segment.pointee.arriba == own.arriba)
        #expect(eventually(within: soon) { one.counter(BH_COUNT_OWN) > 1 }, "it hears itself")
        #expect(eventually(within: soon) { one.segment.pointee.beat_ms > start })
        #expect(one.log.allSatisfy { $0.level >= Int32(BH_LOG_NOTICE.rawValue) })
    }

    /// With one key they prove themselves to each other; with another, or with none, they do not.
    @Test(arguments: [(UInt(7), UInt(7), true), (7, 8, false), (7, 0, false)])
    func keys(first: UInt, second: UInt, areFriends: Bool) throws {
        let group = "239.255.77.9:\(try freePort())"
        let one = try RunningModerator(Setting(own: "127.0.0.2:8080", destinations: [group], key: first)).start()
        let two = try RunningModerator(Setting(own: "127.0.0.3:8081", destinations: [group], key: second)).start()
        defer { one.finish(); two.finish() }
        if areFriends {
            #expect(eventually(within: soon) { one.others == ["127.0.0.3:8081"] && two.others == ["127.0.0.2:8080"] })
            #expect(
                eventually(within: soon) {
                    one.counter(BH_COUNT_CHALLENGED) > 0 && one.counter(BH_COUNT_ANSWERED) > 0
                })
            let heard = one.counter(BH_COUNT_ACCEPTED)
            #expect(
                eventually(within: soon) { one.counter(BH_COUNT_ACCEPTED) > heard + 2 },
                "announcements are enough from then on")
            #expect(one.facts(1)?.proven == 1)
        } else {
            let counter = second == 0 ? BH_COUNT_UNSIGNED : BH_COUNT_BAD_SIGNATURE
            #expect(eventually(within: soon) { one.counter(counter) > 3 })
            #expect(one.others == [] && one.counter(BH_COUNT_CHALLENGED) == 0)
            #expect(one.log.filter { [323, 324].contains($0.number) }.count == 1)
            let believed: Set<String> = second == 0 ? ["127.0.0.2:8080"] : []
            #expect(eventually(within: soon) { two.others == believed }, "who has no key believes everybody")
            if second == 0 { #expect(eventually(within: soon) { two.log.contains { $0.number == 353 } }) }
            #expect(two.log.filter { $0.number == 353 }.count == (second == 0 ? 1 : 0))
        }
    }

    @Test func aLineForEachNetworkIsOneServer() throws {
        let port = try freePort()
        let groups = ["239.255.77.2:\(port)", "239.255.77.3:\(port)"]
        let one = try RunningModerator(Setting(own: "127.0.0.2", destinations: groups, port: 90)).start()
        let two = try RunningModerator(Setting(own: "127.0.0.3", destinations: groups, port: 91)).start()
        defer { one.finish(); two.finish() }
        #expect(eventually(within: soon) { one.others == ["127.0.0.3:91"] })
        #expect(eventually(within: soon) { one.counter(BH_COUNT_REPEATED) > 0 })
        #expect(one.others.count == 1)
    }

    /// Each virtual host with a line is one server more, at its own address, with its machine's facts.
    @Test func sitesAreServersOfTheirOwn() throws {
        let port = try freePort()
        let (group, other) = ("239.255.77.12:\(port)", "239.255.77.13:\(port)")
        let one = try RunningModerator(
            Setting(
                own: "127.0.0.2:1", destinations: [group],
                vhosts: [("127.0.1.2:1", group), ("127.0.2.2:2", other), ("127.0.0.2:1", other)])
        ).start()
        let two = try RunningModerator(Setting(own: "127.0.0.3:1", destinations: [group], hostname: "two")).start()
        let three = try RunningModerator(Setting(own: "127.0.0.4:1", destinations: [other])).start()
        defer { one.finish(); two.finish(); three.finish() }
        #expect(
            eventually(within: soon) {
                one.others == ["127.0.0.3:1", "127.0.0.4:1"] && two.others == ["127.0.0.2:1", "127.0.1.2:1"]
                    && three.others == ["127.0.2.2:2", "127.0.0.2:1"]
            })
        #expect(one.selves == ["127.0.0.2:1", "127.0.1.2:1", "127.0.2.2:2"] && two.selves == ["127.0.0.3:1"])
        #expect(eventually(within: soon) { one.counter(BH_COUNT_ANNOUNCED) >= 20 })
        #expect(two.others.count == 2 && two.counter(BH_COUNT_REPEATED) == 0, "they do not take each other's rows")
        #expect(one.counter(BH_COUNT_OWN_ADDRESS) == 0 && one.counter(BH_COUNT_OWN) > 3)
        let heard = try (1...2).map { try #require(two.facts($0)) }
        #expect(
            heard[0].boot_id != heard[1].boot_id && heard[0].sequence.distance(to: heard[1].sequence).magnitude <= 1)
        #expect(heard.allSatisfy { $0.total_memory == heard[0].total_memory && $0.workers == 8 })
    }

    @Test(arguments: ["127.0.0.3", "127.255.255.255"])
    func theyFindEachOtherWithoutMulticast(destination: String) throws {
        let port = try freePort()
        let back = destination == "127.0.0.3" ? "127.0.0.2" : destination
        let one = try RunningModerator(Setting(own: "127.0.0.2:1", destinations: ["\(destination):\(port)"])).start()
        let two = try RunningModerator(Setting(own: "127.0.0.3:2", destinations: ["\(back):\(port)"])).start()
        defer { one.finish(); two.finish() }
        #expect(eventually(within: soon) { one.others == ["127.0.0.3:2"] && two.others == ["127.0.0.2:1"] })
    }

    @Test func aForeignSenderIsCountedAndToldOnce() throws {
        let group = "239.255.77.4:\(try freePort())"
        let one = try RunningModerator(
            Setting(own: "127.0.0.2:1", destinations: [group], accepted: ["127.0.0.4"])
        ).start()
        let foreign = try RunningModerator(Setting(own: "127.0.0.3:2", destinations: [group])).start()
        let friend = try RunningModerator(Setting(own: "127.0.0.4:3", destinations: [group])).start()
        defer { one.finish(); foreign.finish(); friend.finish() }
        #expect(eventually(within: soon) { one.counter(BH_COUNT_NOT_ACCEPTED) >= 3 && one.others == ["127.0.0.4:3"] })
        #expect(eventually(within: soon) { one.counter(BH_COUNT_OWN) > 0 }, "its own are not foreign")
        #expect(one.others == ["127.0.0.4:3"])
        #expect(
            one.log.filter { $0.number == 310 }.map(\.text) == [
                "a datagram from 127.0.0.3 was dropped: the sender is outside AcceptStats (1 since the last line)"
            ])
    }

    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 1201), BH_COUNT_OVERSIZED, 312),
            ([UInt8](repeating: 7, count: 200), BH_COUNT_FOREIGN, 313),
            ([], BH_COUNT_TRUNCATED, 311),
            ([0x42, 0x4b, 0x48, 0x44, 2, 0, 0, 96] + [UInt8](repeating: 0, count: 88), BH_COUNT_VERSION, 314),
        ] as [([UInt8], bh_counter_t, Int32)])
    func rubbishIsCountedByKindAndToldOnce(bytes: [UInt8], counter: bh_counter_t, number: Int32) throws {
        let port = try freePort()
        let one = try RunningModerator(Setting(own: "127.0.0.2:1", destinations: ["239.255.77.5:\(port)"])).start()
        defer { one.finish() }
        let sender = try UDPSocket(address: 0x7f00_0009, port: 0, shared: false)
        defer { sender.close() }
        try sender.sendMulticast(interface: 0x7f00_0009, hops: 1)
        #expect(eventually(within: soon) { one.log.contains { $0.number == 300 } })
        for _ in 0..<5 {
            let padded = bytes.isEmpty ? [0x42, 0x4b, 0x48, 0x44, 1] : bytes
            try padded.withUnsafeBytes { try sender.send($0, to: 0xefff_4d05, port: port) }
        }
        #expect(eventually(within: soon) { one.counter(counter) == 5 })
        #expect(one.others.isEmpty)
        #expect(one.log.filter { $0.level <= Int32(BH_LOG_WARNING.rawValue) }.map(\.number) == [number])
    }

    /// Our own place, announced by somebody else, is not a server to which requests may go.
    @Test func anotherHttpdInOurPlaceIsRefused() throws {
        let port = try freePort()
        let one = try RunningModerator(Setting(own: "127.0.0.2:1", destinations: ["239.255.77.5:\(port)"])).start()
        defer { one.finish() }
        let two = try RunningModerator(Setting(own: "127.0.0.2:1", destinations: ["239.255.77.5:\(port)"])).start()
        defer { two.finish() }
        #expect(
            eventually(within: soon) { one.counter(BH_COUNT_OWN_ADDRESS) > 0 && two.counter(BH_COUNT_OWN_ADDRESS) > 0 })
        #expect(one.others.isEmpty && two.others.isEmpty)
        // The line comes after the count.
        #expect(eventually(within: soon) { one.log.contains { $0.number == 318 } })
        #expect(one.log.filter { $0.number == 318 }.count == 1)
    }

    /// Announcing to a group, we hear those too who send to us alone.
    @Test func aServerThatSendsToUsAloneIsHeard() throws {
        let port = try freePort()
        let group = try RunningModerator(Setting(own: "127.0.0.2:1", destinations: ["239.255.77.6:\(port)"])).start()
        defer { group.finish() }
        let alone = try RunningModerator(Setting(own: "127.0.0.3:2", destinations: ["127.0.0.2:\(port)"])).start()
        defer { alone.finish() }
        #expect(eventually(within: soon) { group.others == ["127.0.0.3:2"] })
    }

    /// It stays, says so once, and has the port as soon as that is free.
    @Test func aTakenPortIsTriedAgain() throws {
        let port = try freePort()
        let foreign = try UDPSocket(address: 0x7f00_0002, port: port, shared: false)
        let one = try RunningModerator(Setting(own: "127.0.0.2:1", destinations: ["127.0.0.3:\(port)"])).start()
        defer { one.finish() }
        #expect(eventually(within: 5000) { one.log.contains { $0.number == 335 } })
        pause(milliseconds: 1500)
        foreign.close()
        #expect(eventually(within: 4000) { one.log.contains { $0.number == 336 } })
        #expect(throws: SystemError.addressInUse) {
            try UDPSocket(address: 0x7f00_0002, port: port, shared: false).close()
        }
        let lines = one.log.filter { $0.number == 335 || $0.number == 336 }.map(\.text)
        #expect(
            lines == [
                "MulticastStats 127.0.0.3:\(port) does not work: UDP 127.0.0.2:\(port) is taken by another program; "
                    + "tried again every second",
                "MulticastStats 127.0.0.3:\(port) works again: announcing 127.0.0.2:1",
            ])
    }

    @Test func aPortThatIsGivenUpIsTaken() throws {
        let port = try freePort()
        let leaving = try UDPSocket(address: 0x7f00_0002, port: port, shared: false)
        Thread.detachNewThread {
            pause(milliseconds: 150)
            leaving.close()
        }
        let one = try RunningModerator(Setting(own: "127.0.0.2:1", destinations: ["127.0.0.3:\(port)"])).start()
        defer { one.finish() }
        #expect(eventually(within: soon) { one.log.contains { $0.number == 300 } })
        #expect(one.log.allSatisfy { $0.number != 335 })
    }

    /// Another httpd may have it for good. A child that was forked a moment before a restart gives it up as soon as it
    /// runs.
    @Test(arguments: [(UInt32(60), true), (3000, false)])
    func aPortThatWeCanDoWithout(held: UInt32, gets: Bool) throws {
        let port = try freePort()
        let holder = try UDPSocket(address: 0x7f00_0002, port: port, shared: false)
        Thread.detachNewThread {
            pause(milliseconds: held)
            holder.close()
        }
        let one = try RunningModerator(Setting(own: "127.0.0.2:1", destinations: ["239.255.77.8:\(port)"])).start()
        defer { one.finish() }
        pause(milliseconds: held + 1200)
        let other = try? UDPSocket(address: 0x7f00_0002, port: port, shared: false)
        other?.close()
        #expect((other == nil) == gets)
        #expect(one.log.allSatisfy { $0.number != 335 })
    }

    /// One line that does not work does not stop the others, and is said once.
    @Test func anAddressThatIsNotOursIsTold() throws {
        let port = try freePort()
        let one = try RunningModerator(
            Setting(
                own: "127.0.0.2:1", destinations: ["239.255.77.6:\(port)"],
                vhosts: [("192.0.2.1:1", "239.255.77.6:\(port)")])
        ).start()
        defer { one.finish() }
        let two = try RunningModerator(Setting(own: "127.0.0.3:1", destinations: ["239.255.77.6:\(port)"])).start()
        defer { two.finish() }
        #expect(eventually(within: soon) { one.others == ["127.0.0.3:1"] && two.others == ["127.0.0.2:1"] })
        #expect(eventually(within: soon) { one.log.contains { $0.number == 335 } })
        pause(milliseconds: 1200)
        let lines = one.log.filter { $0.number == 335 }
        #expect(lines.count == 1 && lines[0].text.contains("192.0.2.1 is not one of this machine"))
    }

    /// Moderators of one httpd, one after the other: what is announced between them waits, and nothing stays bound that
    /// was closed.
    @Test func theListenersAreHandedOver() throws {
        let port = try freePort()
        let held = try HeldSockets()
        let segment = makeSegment(bootID: 78)
        defer { UnsafeMutableRawPointer(segment).deallocate() }
        let setting = Setting(
            own: "127.0.0.2:1", destinations: ["239.255.77.9:\(port)", "127.0.0.3:\(port)"], segment: segment,
            held: held)
        let first = try RunningModerator(setting).start()
        #expect(eventually(within: soon) { bh_word_load(&segment.pointee.sequence) >= 2 })
        first.finish()
        // Both sockets are there, though no moderator is.
        #expect(throws: SystemError.addressInUse) {
            try UDPSocket(address: 0x7f00_0002, port: port, shared: false).close()
        }
        let before = bh_counter_load(segment, BH_COUNT_RECEIVED.rawValue)
        let sender = try UDPSocket(address: 0x7f00_0009, port: 0, shared: false)
        defer { sender.close() }
        try sender.sendMulticast(interface: 0x7f00_0009, hops: 1)
        for target in [UInt32(0xefff_4d09), 0x7f00_0002] {
            for _ in 0..<3 { try [UInt8](1...9).withUnsafeBytes { try sender.send($0, to: target, port: port) } }
        }
        let second = try RunningModerator(setting).start()
        #expect(
            eventually(within: soon) {
                bh_counter_load(segment, BH_COUNT_TRUNCATED.rawValue)
                    + bh_counter_load(segment, BH_COUNT_FOREIGN.rawValue) == 6
            })
        #expect(bh_counter_load(segment, BH_COUNT_RECEIVED.rawValue) >= before + 6)
        // And it hears what is sent to the group now.
        try [UInt8](1...9).withUnsafeBytes { try sender.send($0, to: 0xefff_4d09, port: port) }
        #expect(
            eventually(within: soon) {
                bh_counter_load(segment, BH_COUNT_TRUNCATED.rawValue)
                    + bh_counter_load(segment, BH_COUNT_FOREIGN.rawValue) == 7
            })
        #expect(second.log.allSatisfy { $0.number != 335 })
        second.finish()
        held.close()
        let free = try UDPSocket(address: 0x7f00_0002, port: port, shared: false)
        free.close()
    }

    @Test func anotherModeratorTakesOver() throws {
        let segment = makeSegment(bootID: 77)
        defer { UnsafeMutableRawPointer(segment).deallocate() }
        let group = "239.255.77.7:\(try freePort())"
        let setting = Setting(own: "127.0.0.2:1", destinations: [group], segment: segment)
        let old = try RunningModerator(setting).start()
        #expect(eventually(within: soon) { bh_word_load(&segment.pointee.sequence) >= 2 })
        let before = bh_word_load(&segment.pointee.sequence)
        let new = try RunningModerator(setting).start()
        #expect(eventually(within: soon) { old.hasEnded })
        #expect(old.log.last?.number == 301)
        #expect(eventually(within: soon) { bh_word_load(&segment.pointee.sequence) > before })
        #expect(segment.pointee.boot_id == 77)
        #expect(!new.hasEnded)
        old.close()
        new.finish()
    }

    @Test func itWorksAloneWithoutDestinations() throws {
        let one = try RunningModerator(Setting(port: 8123)).start()
        defer { one.finish() }
        #expect(eventually(within: soon) { one.facts(0)?.port == 8123 })
        #expect(one.facts(0)?.address.text == "127.0.0.1")
    }

    @Test func aPlantedArribaIsTaken() throws {
        try withTemporaryDirectory { directory in
            try "4711".write(toFile: directory + "/mod_backhand-Arriba", atomically: true, encoding: .utf8)
            let one = try RunningModerator(Setting(directory: directory)).start()
            defer { one.finish() }
            #expect(eventually(within: soon) { one.facts(0)?.arriba == 4711 })
            #expect(one.log.allSatisfy { $0.number != 302 }, "nothing was measured")
        }
    }

    @Test(arguments: ["", "fast\n", "0\n", "99999999999\n", "4711 or so\n"])
    func nonsenseIsMeasuredAgainAndReplaced(text: String) throws {
        try withTemporaryDirectory { directory in
            let file = directory + "/mod_backhand-Arriba"
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            let one = try RunningModerator(Setting(directory: directory)).start()
            defer { one.finish() }
            #expect(eventually(within: soon) { one.facts(0) != nil })
            let arriba = try #require(one.facts(0)?.arriba)
            #expect(arriba > 0 && arriba != 4711)
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "\(arriba)\n")
        }
    }

    @Test func aDirectoryThatCannotBeWrittenIsOneWarning() throws {
        let one = try RunningModerator(Setting(directory: "/does/not/exist")).start()
        defer { one.finish() }
        #expect(
            eventually(within: soon) {
                (one.facts(0)?.arriba ?? 0) > 0 && bh_word_load(&one.segment.pointee.sequence) > 2
            })
        #expect(
            one.log.filter { $0.level <= Int32(BH_LOG_WARNING.rawValue) }.map(\.text) == [
                "cannot write /does/not/exist/mod_backhand-Arriba: No such file or directory; "
                    + "the speed of this machine is measured at each start"
            ])
        #expect(one.log.filter { $0.number == 303 }.count == 1)
    }

    /// Children write back-offs while the moderator looks at them: what it has read once is what it works with. It goes
    /// on for a second.
    @Test func wordsThatChangeWhileTheyAreReadEndNobody() throws {
        let one = try RunningModerator(Setting())
        let now = monotonicMilliseconds()
        for id in UInt32(1)..<UInt32(BH_ROWS) {
            let row = bh_segment_row_mutable(one.segment, id)
            row.pointee.facts.address = bh_address_t(ipv4: 0x0a00_0000 + id)
            row.pointee.facts.port = 80
            row.pointee.facts.boot_id = UInt64(id)
            bh_word_store(&row.pointee.heard_ms, now + 60_000)
        }
        bh_half_store(&one.segment.pointee.rows, UInt32(BH_ROWS))
        _ = one.start()
        defer { one.finish() }
        #expect(eventually(within: soon) { one.facts(0) != nil })
        let begun = bh_word_load(&one.segment.pointee.sequence)
        while monotonicMilliseconds() < now + 1500
            || (bh_word_load(&one.segment.pointee.sequence) <= begun + 2 && monotonicMilliseconds() < now + soon)
        {
            for end in [monotonicMilliseconds() + 5000, 0] {
                for id in UInt32(1)..<UInt32(BH_ROWS) {
                    bh_word_store(&bh_segment_row_mutable(one.segment, id).pointee.backoff_until_ms, end)
                }
            }
        }
        #expect(bh_word_load(&one.segment.pointee.sequence) > begun + 2)
    }
}
