// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import Foundation
import Testing

@testable import BackhandModerator

/// An empty directory that is removed when the body returns.
func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/backhand-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// Waits until the condition holds, at most so long; tells whether it does.
func eventually(within milliseconds: UInt64, _ condition: () -> Bool) -> Bool {
    let deadline = monotonicMilliseconds() + milliseconds
    while !condition() {
        if monotonicMilliseconds() >= deadline { return false }
        pause(milliseconds: 2)
    }
    return true
}

/// A UDP port that nobody has on 127.0.0.1 just now.
func freePort() throws -> UInt16 {
    for _ in 0..<100 {
        let port = UInt16.random(in: 20_000...60_000)
        if let socket = try? UDPSocket(address: 0x7f00_0001, port: port, shared: false) {
            socket.close()
            return port
        }
    }
    throw SystemError.addressInUse
}

/// What a moderator is told, and the memory it works on.
struct Setting {
    var own: String? = nil
    var destinations: [String] = []
    /// Virtual hosts with one line each: own address and destination.
    var vhosts: [(own: String, destination: String)] = []
    var accepted = ["127.0.0.0/8"]
    var hostname = "test"
    var bootID = UInt64.random(in: 1 ... .max)
    var directory: String?
    var control: Int32 = -1
    var port: UInt16 = 80
    /// Of toyDigest; 0: announcements are not signed.
    var key: UInt = 0
    /// Which segment to work on; nil: one of its own.
    var segment: UnsafeMutablePointer<bh_segment_t>?
    /// Where listeners are kept for the next moderator.
    var held: HeldSockets?
    var drainFile: String?
}

func makeSegment(bootID: UInt64) -> UnsafeMutablePointer<bh_segment_t> {
    let size = segmentSize(childSlots: 4)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    formatSegment(memory, size: size, childSlots: 4, bootID: bootID)
    return memory.assumingMemoryBound(to: bh_segment_t.self)
}

/// A moderator at work in a thread of its own, with a segment of its own.
///
/// @unchecked: the thread touches the moderator alone; what both sides touch is behind the lock or atomic in the
/// segment.
final class RunningModerator: @unchecked Sendable {
    let segment: UnsafeMutablePointer<bh_segment_t>
    private let lock = NSLock()
    private var lines: [(level: Int32, number: Int32, text: String)] = []
    private var stopping = false
    private var ended = false
    let moderator: Moderator
    private let borrowed: [UnsafeMutableRawPointer]
    private let ownsSegment: Bool
    private let sink: LogSink

    init(_ setting: Setting) throws {
        segment = setting.segment ?? makeSegment(bootID: setting.bootID)
        ownsSegment = setting.segment == nil
        sink = LogSink()
        var destinations = try setting.destinations.map { text in
            guard let own = setting.own else { return try parseDestination(own: nil, text) }
            return try own.withCString { try parseDestination(own: $0, text) }
        }
        for (index, vhost) in setting.vhosts.enumerated() {
            var line = try vhost.own.withCString { try parseDestination(own: $0, vhost.destination) }
            line.vhost = UInt16(index + 1)
            destinations.append(line)
        }
        let accepted = try setting.accepted.map { try parseNetwork($0) }
        let keptDestinations = UnsafeMutablePointer<bh_destination_t>.allocate(capacity: destinations.count + 1)
        keptDestinations.initialize(from: destinations, count: destinations.count)
        let keptAccepted = UnsafeMutablePointer<bh_network_t>.allocate(capacity: accepted.count + 1)
        keptAccepted.initialize(from: accepted, count: accepted.count)
        let hostname = strdup(setting.hostname)!
        let directory = setting.directory.map { strdup($0)! }
        let drainFile = setting.drainFile.map { strdup($0)! }
        borrowed =
            [UnsafeMutableRawPointer(keptDestinations), UnsafeMutableRawPointer(keptAccepted)]
            + [hostname, directory, drainFile].compactMap { $0.map { UnsafeMutableRawPointer($0) } }
        var config = bh_moderator_config_t()
        config.segment = segment
        config.destinations = UnsafePointer(keptDestinations)
        config.destination_count = destinations.count
        config.accepted = UnsafePointer(keptAccepted)
        config.accepted_count = accepted.count
        config.hostname = UnsafePointer(hostname)
        config.directory = directory.map { UnsafePointer($0) }
        config.drain_file = drainFile.map { UnsafePointer($0) }
        config.control_fd = setting.control
        config.port = setting.port
        config.interval_ms = 100
        config.workers = { _, workers in
            workers.pointee.busy = 3
            workers.pointee.idle = 5
            workers.pointee.threads = 1
            workers.pointee.pids.0 = getpid()
        }
        config.log = { baton, level, number, text in
            Unmanaged<LogSink>.fromOpaque(baton!).takeUnretainedValue().add(level, number, String(cString: text))
        }
        config.baton = Unmanaged.passUnretained(sink).toOpaque()
        config.useToyKey(setting.key)
        moderator = try Moderator.open(config, setting.held)
    }

    /// Starts the thread.
    func start() -> RunningModerator {
        Thread.detachNewThread { [self] in
            moderator.run(attention: 20) { lock.withLock { stopping } }
            lock.withLock { ended = true }
        }
        return self
    }

    var hasEnded: Bool { lock.withLock { ended } }
    var log: [LogSink.Line] { sink.lines }

    /// Ends the thread and gives everything back.
    func finish() {
        lock.withLock { stopping = true }
        // What the thread works on stays, if it goes on.
        guard eventually(within: 20_000, { hasEnded }) else {
            Issue.record("the moderator does not end")
            return
        }
        close()
    }

    func close() {
        moderator.close()
        borrowed.forEach { free($0) }
        if ownsSegment { UnsafeMutableRawPointer(segment).deallocate() }
    }

    func counter(_ counter: bh_counter_t) -> UInt64 {
        bh_counter_load(segment, counter.rawValue)
    }

    /// The facts of the row, nil while it is empty.
    func facts(_ id: UInt32) -> bh_facts_t? {
        var facts = bh_facts_t()
        guard bh_row_heard(bh_segment_row(segment, id)) != 0, bh_row_copy(bh_segment_row(segment, id), &facts)
        else { return nil }
        return facts
    }

    /// The address and port of each other server that is known.
    var others: Set<String> { servers { !bh_row_own($0) } }
    /// The address and port of each server that it is itself.
    var selves: Set<String> { servers { bh_row_own($0) } }

    private func servers(_ test: (UnsafePointer<bh_row_t>) -> Bool) -> Set<String> {
        Set(
            (0..<bh_segment_rows(segment)).filter { test(bh_segment_row(segment, $0)) }.compactMap {
                facts($0).map { "\($0.address.text):\($0.port)" }
            })
    }
}

/// Collects log lines.
final class LogSink: @unchecked Sendable {
    struct Line {
        var level: Int32
        var number: Int32
        var text: String
    }

    private let lock = NSLock()
    private var collected: [Line] = []

    func add(_ level: Int32, _ number: Int32, _ text: String) {
        lock.withLock { collected.append(Line(level: level, number: number, text: text)) }
    }

    var lines: [Line] { lock.withLock { collected } }
}
