// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem

/// The pool of all children: open connections to servers that wait for the next request, whichever child has it.
///
/// They wait in the kernel, in queues that the parent makes before it forks: pairs of sockets without a name, closed on
/// exec, so that no program that a child runs has them. A child puts a connection in with SCM_RIGHTS, and the next one
/// that needs it takes it out. No process is asked, so none is waited for: where nothing is there, or not in good
/// order, the child makes a connection, as without the pool. The moderator looks through the queues each second
/// (``PoolCheck``). docs/decisions/0006-pool-of-all-children.md says why it does not hand them out.
///
/// Nothing in a queue is trusted. Each connection is looked at when it is taken: it must be TCP, its other end must be
/// the server's address, it must be open, and nothing of an answer may be left in it. Nothing here allocates.
public struct ConnectionPool {
    /// Begins each message; another where the rest of it changes, because the queues outlive the module.
    private static var mark: UInt64 { 0x6d62_5f70_6f6f_6c31 }
    /// Messages that one request looks at: those of other servers in the same queue, and what is not in good order.
    /// Each costs two system calls.
    private static var mostLooked: Int { 8 }

    /// What comes out of a queue.
    enum Received {
        case connection(bh_waiting_t)
        /// It was none of ours: counted and closed.
        case foreign
    }

    private let queues: UnsafePointer<bh_queues_t>
    private let segment: UnsafeMutablePointer<bh_segment_t>

    /// Borrows both.
    public init(_ queues: UnsafePointer<bh_queues_t>, _ segment: UnsafeMutablePointer<bh_segment_t>) {
        self.queues = queues
        self.segment = segment
    }

    /// Whether there are queues.
    public var isOpen: Bool { queues.pointee.open }

    // MARK: Children

    /// Takes a connection to the server, with a right to keep it; -1: there is none.
    public func take(child: Int32, id: UInt32, _ server: UnsafePointer<bh_facts_t>, now: UInt64) -> Int32 {
        guard isOpen, id < UInt32(BH_ROWS), bh_shared_waiting(segment, id) > 0 else { return -1 }
        let queue = id % UInt32(BH_POOLS)
        bh_pool_move(segment, queue)
        for _ in 0..<Self.mostLooked {
            guard let received = receive(queue) else { return -1 }
            guard case .connection(let one) = received else { continue }
            if one.id != id {
                if send(one) { closeDescriptor(one.fd) } else { drop(one) }
            } else if keep(one, for: server, now: now) {
                _ = bh_keep_take(segment, child, id, UInt32(BH_KEEP_ALL))
                bh_shared_add(segment, id, -1)
                return one.fd
            }
        }
        return -1
    }

    /// Puts a copy of the connection in, whose right stays with the caller, who closes both; false: there is no room.
    public func put(id: UInt32, _ server: UnsafePointer<bh_facts_t>, fd: Int32, now: UInt64) -> Bool {
        guard isOpen, id < UInt32(BH_ROWS), bh_shared_has_room(segment, id, 0) else { return false }
        var one = bh_waiting_t()
        (one.used_ms, one.address, one.id, one.port, one.fd) = (
            now, server.pointee.address, id, UInt32(server.pointee.port), fd
        )
        bh_pool_move(segment, id % UInt32(BH_POOLS))
        bh_shared_add(segment, id, 1)
        if send(one) { return true }
        bh_shared_add(segment, id, -1)
        return false
    }

    // MARK: Children and the moderator

    @inline(never)
    func send(_ one: bh_waiting_t) -> Bool {
        var copy = one
        copy.mark = Self.mark
        let inlet = bh_queues_ends(queues)[Int(one.id % UInt32(BH_POOLS)) * 2]
        return withUnsafeBytes(of: &copy) { sendDescriptor(one.fd, with: $0, into: inlet) }
    }

    /// nil: the queue is empty, or this process has no room for a descriptor: the connection that was next is closed.
    @inline(never)
    func receive(_ queue: UInt32) -> Received? {
        var one = bh_waiting_t()
        let outlet = bh_queues_ends(queues)[Int(queue) * 2 + 1]
        guard let (count, fd) = withUnsafeMutableBytes(of: &one, { receiveDescriptor(from: outlet, into: $0) }) else {
            return nil
        }
        if fd >= 0 || fd == lostDescriptor, count == MemoryLayout<bh_waiting_t>.size, one.mark == Self.mark,
            one.id < UInt32(BH_ROWS),
            one.id % UInt32(BH_POOLS) == queue
        {
            one.fd = fd
            if fd >= 0 { return .connection(one) }
            drop(one)
            return nil
        }
        closeDescriptor(fd)
        bh_counter_add(segment, BH_COUNT_NOT_CONNECTIONS.rawValue)
        return .foreign
    }

    /// Whether another request may have it: it is what it says, open, to the row's server (nil: there is none), not too
    /// old, and nothing is left to be read. If not it is closed; what is not what it says is counted.
    @inline(never)
    func keep(_ one: bh_waiting_t, for server: UnsafePointer<bh_facts_t>?, now: UInt64) -> Bool {
        let state = readableState(of: one.fd)
        var peer = PeerState.ended
        if state == .foreign { peer = .foreign } else if state != .ended { peer = peerState(of: one.fd) }
        let wanted = PeerState.connected(
            high: one.address.high, low: one.address.low, port: UInt16(truncatingIfNeeded: one.port))
        if peer == wanted {
            if state == .quiet, let server, isGood(one, for: server, now: now) { return true }
            drop(one)
        } else if peer == .ended {
            drop(one)
        } else {
            // No child has counted it.
            closeDescriptor(one.fd)
            bh_counter_add(segment, BH_COUNT_NOT_CONNECTIONS.rawValue)
        }
        return false
    }

    /// Whether the row still has the server that the connection goes to, and that server will not close it before an
    /// answer.
    private func isGood(_ one: bh_waiting_t, for server: UnsafePointer<bh_facts_t>, now: UInt64) -> Bool {
        one.address == server.pointee.address && one.port == UInt32(server.pointee.port)
            && now < one.used_ms &+ UInt64(bh_keep_lifetime(server, UInt32(BH_KEEP_ONE)))
    }

    /// Closes it, and counts it among those that wait no more.
    @inline(never)
    func drop(_ one: bh_waiting_t) {
        closeDescriptor(one.fd)
        bh_shared_add(segment, one.id, -1)
    }
}

/// Opens the queues; none is open if one cannot be. Returns 0 or an errno.
public func openQueues(_ queues: UnsafeMutablePointer<bh_queues_t>) -> Int32 {
    let ends = bh_queues_ends_mutable(queues)
    for queue in 0..<Int(BH_POOLS) {
        do throws(SystemError) {
            (ends[queue * 2], ends[queue * 2 + 1]) = try openQueue()
        } catch {
            for end in 0..<queue * 2 { closeDescriptor(ends[end]) }
            return error.code
        }
    }
    queues.pointee.open = true
    return 0
}

/// Closes them in this process.
public func closeQueues(_ queues: UnsafeMutablePointer<bh_queues_t>) {
    guard queues.pointee.open else { return }
    for end in 0..<Int(BH_POOLS) * 2 { closeDescriptor(bh_queues_ends(queues)[end]) }
    queues.pointee.open = false
}
