// Licensed under the Apache License, Version 2.0; see LICENSE.

// Waiting for a server's answer.

internal import BackhandSystem
public import CBackhand

extension AnswerWait {
    fileprivate init(_ wait: bh_wait_t) { self.init(set: wait.set, timer: wait.timer) }
}

@c @implementation
public func bh_wait_open(_ wait: UnsafeMutablePointer<bh_wait_t>?, _ fd: Int32) -> Bool {
    guard let wait, let made = AnswerWait(for: fd) else { return false }
    wait.pointee = bh_wait_t(set: made.set, timer: made.timer)
    return true
}

@c @implementation
public func bh_wait_wake(_ wait: bh_wait_t, _ after: UInt64) { AnswerWait(wait).wake(after: after) }

@c @implementation
public func bh_wait_close(_ wait: bh_wait_t) { AnswerWait(wait).close() }

@c @implementation
public func bh_answer_look(_ fd: Int32) -> bh_answer_t {
    switch awaitedAnswer(on: fd) {
    case .awaited: BH_ANSWER_AWAITED
    case .there: BH_ANSWER_THERE
    case .ended: BH_ANSWER_ENDED
    case .unreachable: BH_ANSWER_UNREACHABLE
    }
}

@c @implementation
public func bh_socket_is_ready(_ fd: Int32, _ writing: Bool, _ wait: Int32) -> Bool {
    isReady(fd, writing: writing, milliseconds: wait)
}

@c @implementation
public func bh_socket_keep_alive(_ fd: Int32) { keepAlive(fd) }
