// Licensed under the Apache License, Version 2.0; see LICENSE.

// The pool of all children.

public import CBackhand
internal import BackhandModerator

@c @implementation
public func bh_queues_open(_ queues: UnsafeMutablePointer<bh_queues_t>?) -> Int32 {
    guard let queues else { return 0 }
    return openQueues(queues)
}

@c @implementation
public func bh_queues_close(_ queues: UnsafeMutablePointer<bh_queues_t>?) {
    guard let queues else { return }
    closeQueues(queues)
}

@c @implementation
public func bh_pool_take(
    _ queues: UnsafePointer<bh_queues_t>?, _ segment: UnsafeMutablePointer<bh_segment_t>?, _ child: Int32,
    _ id: UInt32, _ server: UnsafePointer<bh_facts_t>?, _ now: UInt64
) -> Int32 {
    guard let queues, let segment, let server else { return -1 }
    return ConnectionPool(queues, segment).take(child: child, id: id, server, now: now)
}

@c @implementation
public func bh_pool_put(
    _ queues: UnsafePointer<bh_queues_t>?, _ segment: UnsafeMutablePointer<bh_segment_t>?, _ id: UInt32,
    _ server: UnsafePointer<bh_facts_t>?, _ fd: Int32, _ now: UInt64
) -> Bool {
    guard let queues, let segment, let server else { return false }
    return ConnectionPool(queues, segment).put(id: id, server, fd: fd, now: now)
}
