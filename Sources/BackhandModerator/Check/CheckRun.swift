// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// One check under way: a connection, the request, and what has come of the answer. Nothing here waits.
struct CheckRun {
    /// Bytes that are received at once.
    private static var piece: Int { 4096 }

    private let socket: StreamSocket
    private let text: Word?
    private let ranges: StatusRanges
    private let request: [UInt8]
    /// Bytes of the request.
    private var sent = 0
    private var received: [UInt8] = []
    /// CLOCK_MONOTONIC milliseconds: when the answer must be there.
    let deadline: UInt64
    /// When half of the time is over.
    private let halfTime: UInt64
    /// When the server is looked at next, until it has been found full: twice at most, because a look costs something,
    /// and not at once, because most checks have an answer soon.
    private(set) var looksAt: UInt64
    /// What the server had completed when it was found full; 0: it was not.
    private(set) var completed: UInt64 = 0
    /// Its place in the last wait.
    private var place = -1

    /// Begins.
    init(_ check: bh_check_t, at place: VirtualHost, _ request: [UInt8], now: UInt64) throws(SystemError) {
        socket = try StreamSocket(insideHigh: place.own.high, low: place.own.low, port: place.ownPort)
        text = check.text.map { Word($0) }
        ranges = StatusRanges(check.expect.map { Word($0) } ?? Word(("" as StaticString).bytes))
        self.request = request
        deadline = now &+ UInt64(check.timeout_ms)
        halfTime = now &+ UInt64(check.timeout_ms / 2)
        looksAt = now &+ UInt64(check.timeout_ms / 8)
    }

    private var isSent: Bool { sent == request.count }

    func close() { socket.close() }

    /// Milliseconds until a look at the server, or until the time is over.
    func wait(now: UInt64) -> UInt64 {
        let next = min(looksAt, deadline)
        return next > now ? next - now : 0
    }

    /// Takes what the server has completed, 0: it is not full. If it is not, it is looked at once more.
    mutating func noteCompleted(_ number: UInt64) {
        completed = number
        looksAt = number > 0 || looksAt >= halfTime ? .max : halfTime
    }

    /// Says what to wait for.
    mutating func prepare(_ readiness: inout Readiness) {
        place = readiness.add(socket.fd, reading: isSent, writing: !isSent)
    }

    /// Does what is possible now; the result if there is one.
    mutating func proceed(_ readiness: Readiness) -> CheckResult? {
        defer { place = -1 }
        guard place >= 0 else { return nil }
        if !isSent { return readiness.isWritable(place) ? send() : nil }
        return readiness.isReadable(place) ? receive() : nil
    }

    private mutating func send() -> CheckResult? {
        do throws(SystemError) {
            let (socket, begin) = (socket, sent)
            sent += try request.withUnsafeBufferPointer { bytes throws(SystemError) in
                try socket.send(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[begin...])))
            }
            return nil
        } catch {
            return error.isLater ? nil : sent > 0 ? .closed : .refused
        }
    }

    private mutating func receive() -> CheckResult? {
        // Like the end: what has come before counts.
        var bytes: [UInt8] = []
        do throws(SystemError) {
            bytes = try socket.receive(most: Self.piece)
        } catch {
            if error.isLater { return nil }
        }
        received += bytes
        guard !received.isEmpty else { return .closed }
        return received.withUnsafeBufferPointer {
            CheckAnswer($0, isEnd: bytes.isEmpty, text: text).result(expecting: ranges)
        }
    }
}
