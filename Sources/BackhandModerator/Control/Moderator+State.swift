// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

extension Moderator {
    /// Carries out what a client of the control socket orders, and tells what is so now.
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
            let whom = order.server.map { "\($0.address.text):\($0.port), here" } ?? "this httpd"
            log(BH_LOG_NOTICE, LogNumber.ordered, "\(stateName(state.rawValue)) was ordered by the control socket for \(whom)")
        }
        var underWay: UInt64?
        if order.server == nil {
            underWay = UInt64(clamping: config.lookAtWorkers().serving)
        }
        return stateJSON(segment, id, underWay: underWay)
    }

    func refusal(_ why: StaticString) -> [UInt8] {
        [UInt8](#"{"error":""#.utf8) + UnsafeBufferPointer(start: why.utf8Start, count: why.utf8CodeUnitCount)
            + [UInt8]("\"}\n".utf8)
    }
}
