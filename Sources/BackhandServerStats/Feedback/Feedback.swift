// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// What the end of a request means for its server: a value, which `report` writes into the table.
public struct Feedback: Equatable {
    /// How the request counts.
    public enum Count: Sendable { case nothing, served, failed }

    /// How it counts in the row.
    public var count = Count.nothing
    /// Kind of the answer, whose time and evidence count; nil: neither does.
    public var kind: bh_class_t?
    /// Microseconds that the server took; 0: not known.
    public var time: UInt64 = 0
    /// Milliseconds after which it was known that the server cannot be reached: it is left out for a while. nil: it was
    /// reached.
    public var unreachedMilliseconds: UInt64?
    /// Whether the server knows this httpd; nil: it has not said.
    public var knowsUs: Bool?
    /// Bits of bh_warning_t.
    public var warnings: UInt32 = 0

    /// What this end means.
    @inline(__always)
    public init(_ result: UnsafePointer<bh_result_t>) {
        let result = result.pointee
        if result.local {
            serveHere(result)
            return
        }
        // Parts of a page are other servers' work, and this one has waited for none of them.
        let whole = result.ended_us &- result.began_us
        let took = result.parts_us == 0 ? whole : whole > result.parts_us ? whole &- result.parts_us : 1
        if result.untrusted && result.outcome == BH_OUTCOME_REFUSED {
            // No back-off: the name that mod_ssl looks for in the certificate is the client's Host, and no client must
            // be able to take a server out.
            count = .failed
            warnings = BH_WARNING_UNTRUSTED.rawValue
        } else if result.silent {
            // Like a server that refuses connections: the table says so, instead of the next request's client.
            count = .failed
            unreachedMilliseconds = took / 1000
            warnings = BH_WARNING_SILENT.rawValue
        } else if result.reached {
            count = .failed
        } else if !result.lacks, !saysNothing(result) {
            take(result, took)
        }
        // No back-off for a server that does not know us (docs/threat-model.md), but what is not repeatable goes
        // elsewhere.
        if result.unknown { knowsUs = false } else if result.outcome == BH_OUTCOME_ANSWERED { knowsUs = true }
    }

    /// An error of the client says nothing about the server. Nor does an answer that cannot be read, or one that does
    /// not know us: a client can have a server refuse (docs/threat-model.md).
    @inline(__always)
    private func saysNothing(_ result: bh_result_t) -> Bool {
        result.unreadable || result.unknown || result.client_failed
    }

    /// A request that this httpd has served itself.
    @inline(__always)
    private mutating func serveHere(_ result: bh_result_t) {
        time = result.ended_us > result.began_us ? result.ended_us &- result.began_us : 1
        let kind = bh_class_t(status: result.status)
        self.kind = kind
        count = kind == BH_CLASS_FAILED ? .failed : .served
    }

    /// The server has answered, has failed the request, or has refused the connection.
    @inline(__always)
    private mutating func take(_ result: bh_result_t, _ took: UInt64) {
        let isRefused = result.outcome == BH_OUTCOME_REFUSED
        let isAnswer = result.outcome == BH_OUTCOME_ANSWERED && result.complete
        // A tunnel's time is that of its user, not of the server.
        time = result.status == 101 ? 0 : took
        // A server that answers 500 and more has failed, whatever is to blame.
        if !isRefused, time > 0 { kind = isAnswer ? bh_class_t(status: result.status) : BH_CLASS_FAILED }
        // A 503 that was passed on, because the request is not repeatable, is a failure of the server all the same.
        count = isAnswer && result.status != 503 ? .served : .failed
        // With a body it is not known how long it took: mod_proxy waits for the client's first.
        if isRefused { unreachedMilliseconds = result.has_body ? 0 : time / 1000 }
    }
}

extension bh_class_t {
    /// The kind of an answer with this status.
    @inline(__always)
    init(status: Int32) {
        self =
            switch status {
            case 500...: BH_CLASS_FAILED
            case 400...: BH_CLASS_WRONG
            case 304: BH_CLASS_UNCHANGED
            case 300...: BH_CLASS_ELSEWHERE
            default: BH_CLASS_GOOD
            }
    }
}
