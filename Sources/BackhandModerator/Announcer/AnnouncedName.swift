// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
public import BackhandText

/// The name that others see, and send clients to.
///
/// Without a ServerName httpd takes the address that the system's name has in /etc/hosts, on Debian 127.0.1.1: that is
/// every machine's. The system's name is better then.
///
/// - Parameter given: httpd's name of its server; nil: it has none.
public func announcedName(_ given: UnsafePointer<CChar>?) -> Message {
    let name = given.map { Message(Word($0)) } ?? Message("localhost")
    if let given, parseAddress(given).map({ bh_address_is_loopback($0) }) != true { return name }
    let machine = machineName()
    return machine.bytes.isEmpty ? name : machine
}
