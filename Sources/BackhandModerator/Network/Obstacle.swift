// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// Why a line of MulticastStats does not work now. All of it may pass, so all of it is tried again.
enum Obstacle: Equatable {
    /// No local address leads to the destination.
    case noRoute(SystemError)
    /// Our own address, as the line gives it, is not one of this machine's.
    case notHere(UInt32, SystemError)
    /// Another program has the port.
    case taken(UInt32, UInt16)
    case listening(UInt32, UInt16, SystemError)
    /// The group cannot be joined on the interface with the address.
    case joining(UInt32, SystemError)
    case sending(SystemError)

    /// In words for the administrator.
    var text: String {
        switch self {
        case .noRoute(let error): "no address of this machine leads there: \(error.text)"
        case .notHere(let address, let error):
            "our own address \(bh_address_t(ipv4: address).text) is not one of this machine: \(error.text)"
        case .taken(let address, let port): "UDP \(bh_address_t(ipv4: address).text):\(port) is taken by another program"
        case .listening(let address, let port, let error):
            "cannot listen at \(bh_address_t(ipv4: address).text):\(port): \(error.text)"
        case .joining(let address, let error):
            "cannot join the group on the interface of \(bh_address_t(ipv4: address).text): \(error.text)"
        case .sending(let error): "cannot send: \(error.text)"
        }
    }
}
