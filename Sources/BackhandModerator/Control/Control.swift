// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// Answers what clients of the control socket ask, and carries out what they order: docs/control.md.
final class Control {
    private let config: bh_moderator_config_t
    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let log: Log
    private let announcer: Announcer
    private var server: ControlServer
    /// When the next failure of the socket may be told.
    private var failure = Minute()

    init(
        _ server: ControlServer, _ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>,
        _ log: Log,
        _ announcer: Announcer
    ) {
        self.server = server
        self.config = config
        self.segment = segment
        self.log = log
        self.announcer = announcer
    }

    func close() { server.close() }

    func prepare(_ readiness: inout Readiness, now: UInt64) { server.prepare(&readiness, now: now) }

    /// Milliseconds until the first client times out; nil without clients.
    func wait(now: UInt64) -> UInt64? { server.wait(now: now) }

    /// Does what is possible now.
    func serve(_ readiness: Readiness, rows: UInt32, now: UInt64) {
        do throws(SystemError) {
            try server.serve(readiness, now: now) { answer($0, $1, rows: rows, now: now) }
        } catch {
            guard failure.isDue(now: now) else { return }
            log(BH_LOG_WARNING, LogNumber.controlFailed, "the control socket takes no client: {}", .text(error.message))
        }
    }

    private func answer(_ request: ControlRequest, _ line: [UInt8], rows: UInt32, now: UInt64) -> [UInt8] {
        switch request {
        case .unknown:
            return askExtension(line, now: now) ?? refusal("unknown command")
        case .tooLong: return refusal("line too long")
        case .badServer: return refusal("not an address and port")
        case .order(let order): return obey(order, rows: rows, now: now)
        case .status:
            var text: [UInt8] = []
            withUnsafeMutablePointer(to: &text) {
                _ = writeSegmentJSON(
                    segment, rows: rows, now: now, wall: wallSeconds(), append, $0, extension: config.extension)
            }
            return text
        }
    }

    /// What another module answers; nil: it does not know the command either.
    private func askExtension(_ line: [UInt8], now: UInt64) -> [UInt8]? {
        guard let command = config.extension?.pointee.command else { return nil }
        var (text, isOrder): ([UInt8], Bool) = ([], false)
        let isKnown = line.withUnsafeBufferPointer { line in
            withUnsafeMutablePointer(to: &text) {
                command(segment, line.baseAddress!, line.count, now, append, $0, &isOrder)
            }
        }
        if isOrder {
            let order = line.withUnsafeBufferPointer { Message(Word($0)) }
            log(BH_LOG_NOTICE, LogNumber.farmOrdered, "'{}' was ordered by the control socket", .text(order))
        }
        return isKnown ? text : nil
    }

    /// Carries out an order, and tells what is so now.
    func obey(_ order: ControlOrder, rows: UInt32, now: UInt64) -> [UInt8] {
        var id: UInt32 = 0
        if let server = order.server {
            guard let found = row(in: segment, rows: rows, of: server.address, port: server.port) else {
                return refusal("no such server")
            }
            id = found
        }
        if let state = order.state {
            if order.server == nil {
                orderSelf(state, in: segment, rows: rows, now: now)
                announcer.noteOrder(now: now)
            } else {
                BackhandServerStats.order(state, in: segment, id)
            }
            let target =
                order.server.map { LinePart.text(Message(form: "{}, here", .place($0.address, $0.port))) }
                ?? .word("this httpd")
            log(
                BH_LOG_NOTICE, LogNumber.ordered, "{} was ordered by the control socket for {}",
                .word(stateName(state.rawValue)), target)
        }
        var underWay: UInt64?
        if order.server == nil {
            underWay = UInt64(clamping: config.lookAtWorkers().serving)
        }
        return stateJSON(segment, id, underWay: underWay, drainFile: order.server == nil ? drainFile : nil)
    }

    /// The path of the drain file, while it drains this httpd.
    private var drainFile: Word? { hasDrainFile(segment) ? config.drain_file.map { Word($0) } : nil }

    private func refusal(_ why: StaticString) -> [UInt8] {
        var text = Message(#"{"error":""#)
        text.add(why)
        text.add("\"}\n")
        return text.bytes
    }
}

/// A bh_write_fn whose baton is an array of bytes.
private func append(_ baton: UnsafeMutableRawPointer?, _ piece: UnsafePointer<CChar>, _ count: Int) -> Bool {
    guard let text = baton?.assumingMemoryBound(to: [UInt8].self) else { return false }
    for index in 0..<count { text.pointee.append(UInt8(bitPattern: piece[index])) }
    return true
}
