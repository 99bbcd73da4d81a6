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
    let halfTime: UInt64
    /// What the server had completed then; nil before.
    var completed: UInt64?
    /// Its place in the last wait.
    private var place = -1

    /// Begins.
    init(_ check: bh_check_t, at place: VirtualHost, _ request: [UInt8], now: UInt64) throws(SystemError) {
        socket = try StreamSocket(high: place.own.high, low: place.own.low, port: place.ownPort)
        text = check.text.map { Word($0) }
        ranges = StatusRanges(check.expect.map { Word($0) } ?? Word(("" as StaticString).bytes))
        self.request = request
        deadline = now &+ UInt64(check.timeout_ms)
        halfTime = now &+ UInt64(check.timeout_ms / 2)
    }

    private var isSent: Bool { sent == request.count }

    /// Its connection.
    var fd: Int32 { socket.fd }

    func close() { socket.close() }

    /// Milliseconds until half of the time is over, or all of it.
    func wait(now: UInt64) -> UInt64 {
        let next = completed == nil ? halfTime : deadline
        return next > now ? next - now : 0
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
        let socket = socket
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.piece) { room, count in
            count = 0
            do throws(SystemError) {
                count = try socket.receive(into: UnsafeMutableRawBufferPointer(room))
            } catch {
                failure = error
            }
        }
        if failure?.isLater == true { return nil }
        received += bytes
        guard !received.isEmpty else { return .closed }
        return received.withUnsafeBufferPointer {
            CheckAnswer($0, isEnd: bytes.isEmpty, text: text).result(expecting: ranges)
        }
    }
}
