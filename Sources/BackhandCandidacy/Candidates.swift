// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// The servers that a request may still go to, while a chain runs: what a candidacy function works on.
///
/// Lives in the caller's workspace. A list never holds a server twice and never one without a row, so it cannot outgrow
/// its capacity.
struct Candidates {
    let segment: UnsafePointer<bh_segment_t>
    /// CLOCK_MONOTONIC of the request, milliseconds.
    let now: UInt64
    let seed: UInt64
    /// Entries that fit into the list.
    let capacity: Int
    /// Room for one packed key a candidate.
    let keys: UnsafeMutablePointer<UInt64>
    /// Index of the step that is running.
    var step = 0
    /// The first count entries are the candidates, best first. Functions that reorder may swap it with the spare one.
    var list: UnsafeMutablePointer<ServerSlot>
    var spare: UnsafeMutablePointer<ServerSlot>
    var count = 0

    init(_ segment: UnsafePointer<bh_segment_t>, _ request: bh_request_t, _ workspace: Workspace) {
        self.segment = segment
        now = request.now_ms
        seed = request.seed
        capacity = workspace.capacity
        keys = workspace.keys
        list = workspace.list
        spare = workspace.spare
    }

    /// Adds a server at the end, to be proxied to. The caller knows that it is not there yet.
    mutating func append(_ id: Int32) {
        guard count < capacity else { return }
        list[count] = ServerSlot(id: id, mode: CChar(BACKHAND_MODE_PROXY), hostheader: nil)
        count &+= 1
    }

    /// Removes the candidates for which the test is false. The others keep their order.
    mutating func keep(_ test: (ServerSlot, UnsafePointer<bh_segment_t>) -> Bool) {
        let list = list
        var kept = 0
        for place in 0..<count {
            let slot = list[place]
            guard test(slot, segment) else { continue }
            list[kept] = slot
            kept &+= 1
        }
        count = kept
    }
}

extension ServerSlot {
    /// The id as an index of rows. Ids in a list are below BH_ROWS.
    var row: UInt32 { UInt32(bitPattern: id) }

    /// A bias that favours the local server: 0 for others.
    func bias(_ bias: Int32) -> Int64 { id == 0 ? Int64(bias) : 0 }
}
