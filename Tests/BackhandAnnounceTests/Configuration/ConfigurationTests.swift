// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import BackhandText
import Testing

@testable import BackhandAnnounce

/// The configuration of a text.
private func configuration(_ text: String) throws(ConfigurationError) -> AnnounceConfiguration {
    var reader = ConfigurationReader(Message("/etc/backhand/announce.conf"))
    var table = DirectiveTable(absolute: reader.absolute)
    try reader.read(Array(text.utf8), Message("F")) { line throws(ConfigurationError) in try table.take(line) }
    return try table.finish()
}

private func error(_ text: String) -> String? {
    do throws(ConfigurationError) {
        _ = try configuration(text)
        return nil
    } catch {
        return error.text
    }
}

@Suite struct ConfigurationTests {
    @Test func linesGoOnAfterABackslashButNotAfterTwo() throws {
        #expect(try configuration("Workers \\\n 7\n").defaults.workers == 7)
        #expect(error("Workers 7\\\\\n") == #"F:1: Workers: '7\' is not a whole number from 1 to 1000000"#)
    }

    @Test func aNameOfAValueIsReplacedWhereItIsKnown() throws {
        #expect(try configuration("Define N 3\nWorkers ${N}${N}\n").defaults.workers == 33)
        #expect(
            error("Workers ${NOT_DEFINED}\n")
                == "F:1: Workers: '${NOT_DEFINED}' is not a whole number from 1 to 1000000")
        #expect(error("Workers ${\n") == "F:1: Workers: '${' is not a whole number from 1 to 1000000")
        #expect(error("Define\n") == "F:1: Define: takes a name, and perhaps a value")
    }

    @Test func aServerHasItsOwnValuesAndElseThoseOfAll() throws {
        let text = """
            <Server 10.0.0.5:80>
                Workers 2
            </Server>
            <Server 10.0.0.5:81>
            </Server>
            Workers 9
            BackhandCapacity 100
            """
        let found = try configuration(text)
        #expect(found.values(of: 0).workers == 2)
        #expect(found.values(of: 1).workers == 9)
        #expect(found.values(of: 0).capacity == 100)
        #expect(found.values(of: 7).workers == 9)
    }

    @Test func eachServerIsAnnouncedAlongEachLineOnce() throws {
        let text = """
            MulticastStats 10.0.0.5:80 239.255.0.1:4445
            MulticastStats 239.255.0.1:4445,3
            MulticastStats 10.0.0.9:4445
            <Server 10.0.0.6:80>
            </Server>
            """
        let routes = try configuration(text).routes.map {
            "\($0.vhost) \($0.own.low & 0xff):\($0.own_port) \($0.group.low & 0xff) \($0.ttl)"
        }
        #expect(routes == ["0 5:80 1 1", "0 5:80 9 0", "1 6:80 1 3", "1 6:80 9 0"])
    }

    @Test func aPathIsBesideTheMainFile() {
        let reader = ConfigurationReader(Message("/etc/backhand/announce.conf"))
        #expect(reader.absolute(Array("key".utf8)).text == "/etc/backhand/key")
        #expect(reader.absolute(Array("/key".utf8)).text == "/key")
        #expect(ConfigurationReader(Message("announce.conf")).absolute(Array("key".utf8)).text == "key")
    }
}

@Suite struct BootFileTests {
    @Test(
        arguments: [
            ("7 2", BootFile.Content(bootID: 7, state: 2)), ("7 0\nx", BootFile.Content(bootID: 7, state: 0)),
            ("7", nil),
            ("0 0", nil), ("7 9", nil), ("99999999999999999999999 0", nil), ("", nil), ("a b", nil),
        ] as [(String, BootFile.Content?)])
    func whatIsKept(_ text: String, _ content: BootFile.Content?) {
        let bytes = Array(text.utf8)
        #expect(bytes.withUnsafeBufferPointer { BootFile.parse(Word($0)) } == content)
    }
}

@Suite struct IdleCostTests {
    @Test(
        arguments: [
            (nil, 5, BH_IDLE_UNKNOWN), (false, nil, BH_IDLE_UNKNOWN), (false, 5, BH_IDLE_FREE),
            (true, nil, BH_IDLE_WORKER),
            (true, 5, BH_IDLE_WORKER),
        ] as [(Bool?, UInt32?, bh_idle_t)])
    func whatAKeptConnectionCosts(_ holds: Bool?, _ timeout: UInt32?, _ cost: bh_idle_t) {
        #expect(ServerValues(idleHoldsWorker: holds, keepAliveTimeout: timeout).idleCost == cost)
    }
}

@Suite struct IdleWorkersTests {
    @Test(
        arguments: [
            (true, 0, 0, 5), (true, 3, 0, 2), (true, 9, 4, 0), (false, 3, 0, 5), (false, 3, 1, 0), (nil, 9, 0, 5),
            (nil, 9, 1, 0),
        ] as [(Bool?, UInt32, UInt32, UInt32)])
    func workersThatNothingHolds(_ holds: Bool?, _ open: UInt32, _ waiting: UInt32, _ idle: UInt32) {
        let values = ServerValues(workers: 5, idleHoldsWorker: holds)
        #expect(values.idleWorkers(of: 5, .init(open: open, waiting: waiting)) == idle)
        #expect(values.idleWorkers(of: 5, nil) == 5)
    }

    /// A check that waits to be accepted counts as a sign, and not as traffic.
    @Test(
        arguments: [
            (0, 0, 0, false), (4, 0, 0, false), (5, 0, 0, true), (0, 1, 0, true), (0, 0, 1, true),
        ] as [(UInt32, UInt32, UInt32, Bool)])
    func whatMakesAServerFull(_ open: UInt32, _ waiting: UInt32, _ checks: UInt32, _ isFull: Bool) {
        let connections = Connections(open: open, waiting: waiting, waitingChecks: checks)
        #expect(ServerValues(workers: 5).isFull(connections) == isFull)
        #expect(ServerValues(workers: 5).idleWorkers(of: 5, connections) == (waiting > 0 ? 0 : 5))
        #expect(ServerValues().isFull(connections) && ServerValues(workers: 5).isFull(nil))
    }
}
