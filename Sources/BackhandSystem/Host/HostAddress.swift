// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
internal import CSystem

/// The first IPv4 address of a host, in host byte order (`getaddrinfo`). May wait for a name server.
public func hostAddress(of name: [UInt8]) throws(ConfigurationError) -> UInt32 {
    var address: UInt32 = 0
    let why = Path(Message(name)).withCString { csystem_host_address($0, &address) }
    guard let why else { return address }
    var message = Message("no IPv4 address is found for the name ")
    name.withUnsafeBufferPointer { message.quote(Word($0)) }
    message.add(": ")
    message.add(Word(why).bytes)
    throw message.error
}
