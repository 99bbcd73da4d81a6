// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
internal import CSystem

/// The program that has started this one as a service and waits for its word, as systemd does with `Type=notify`
/// (sd_notify(3)).
public struct ServiceManager {
    private let socket: Path?
    /// Whether it wants to hear at least once in a while that this process works.
    public let watches: Bool

    /// The one that the environment names, if there is one (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    public init() {
        socket = environment(Array(("NOTIFY_SOCKET" as StaticString).bytes)).map { Path(Message($0)) }
        let process = environment(Array(("WATCHDOG_PID" as StaticString).bytes))
        let isOurs =
            process?.withUnsafeBufferPointer { Word($0).number(in: 0...UInt64(Int32.max)) } ?? UInt64(processID())
            == UInt64(processID())
        watches = socket != nil && isOurs && environment(Array(("WATCHDOG_USEC" as StaticString).bytes)) != nil
    }

    /// Tells it something; what is lost is lost.
    public func tell(_ text: Message) {
        _ = socket?.withCString { path in text.bytes.withUnsafeBytes { csystem_notify(path, $0.baseAddress!, $0.count) }
        }
    }
}
