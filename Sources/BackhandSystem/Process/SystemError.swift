// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
internal import CSystem

/// What the system refused, as its errno.
public struct SystemError: Error, Equatable {
    /// The errno.
    public let code: Int32

    /// An error with this errno.
    public init(code: Int32) {
        self.code = code
    }

    /// The errno of the call that has just failed.
    static var last: SystemError { SystemError(code: csystem_errno()) }

    /// Another socket has the address or path (EADDRINUSE).
    public static var addressInUse: SystemError { SystemError(code: EADDRINUSE) }
    /// The address is not one of this machine's (EADDRNOTAVAIL).
    public static var addressNotHere: SystemError { SystemError(code: EADDRNOTAVAIL) }
    /// The process lacks the right (EACCES).
    public static var denied: SystemError { SystemError(code: EACCES) }
    /// The process has no descriptor left (EMFILE).
    public static var noDescriptors: SystemError { SystemError(code: EMFILE) }
    /// The file does not exist (ENOENT).
    public static var missing: SystemError { SystemError(code: ENOENT) }
    /// It is a folder, and not a file (EISDIR).
    public static var isFolder: SystemError { SystemError(code: EISDIR) }
    /// No process listens there (ECONNREFUSED).
    public static var refused: SystemError { SystemError(code: ECONNREFUSED) }
    /// A file is larger than it may be (EFBIG).
    public static var tooLarge: SystemError { SystemError(code: EFBIG) }
    /// A file that is not what it should be: a directory, a pipe, a device.
    public static var wrongKind: SystemError { SystemError(code: EINVAL) }

    /// Whether a datagram could not be sent because an interface, an address or a route is not there. EINVAL: the
    /// address that the socket is bound to is not one of this machine's any more.
    public var isNetworkAway: Bool {
        switch code {
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL, ENODEV, ENONET, EINVAL: true
        default: false
        }
    }

    /// Whether a non-blocking call only has to be made again later.
    public var isLater: Bool { code == EAGAIN }

    /// The system's words for it (strerror).
    public var message: Message {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { room in
            guard let start = room.baseAddress else { return Message() }
            csystem_error_text(code, start, room.count)
            return Message(Word(start))
        }
    }
}

#if !hasFeature(Embedded)
extension SystemError {
    /// The message for tools and tests.
    public var text: String { message.text }
}
#endif

/// Makes a system call until it is not interrupted; what it returns below zero becomes an error.
@inline(__always)
@discardableResult
func checked<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) throws(SystemError) -> Result {
    while true {
        let result = call()
        if result >= 0 { return result }
        let error = SystemError.last
        if error.code != EINTR { throw error }
    }
}
