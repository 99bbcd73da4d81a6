// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

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
    var message: Message {
        switch self {
        case .noRoute(let error): Message(form: "no address of this machine leads there: {}", .text(error.message))
        case .notHere(let address, let error):
            Message(
                form: "our own address {} is not one of this machine: {}", .address(bh_address_t(ipv4: address)),
                .text(error.message))
        case .taken(let address, let port):
            Message(form: "UDP {} is taken by another program", .place(bh_address_t(ipv4: address), port))
        case .listening(let address, let port, let error):
            Message(form: "cannot listen at {}: {}", .place(bh_address_t(ipv4: address), port), .text(error.message))
        case .joining(let address, let error):
            Message(
                form: "cannot join the group on the interface of {}: {}", .address(bh_address_t(ipv4: address)),
                .text(error.message))
        case .sending(let error): Message(form: "cannot send: {}", .text(error.message))
        }
    }
}
