// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

#if os(Linux)

/// Whether the kernel has no listening TCP socket at the address; false where it does not say.
///
/// A connection that is refused would say so, too, but one that is made counts for MaxConnectionsPerChild, and an
/// address that has moved to another machine would be asked there.
///
/// - Parameter overIPv6: whether the socket is one of IPv6; else the lower 32 bits of the address are the IPv4 one.
public func isPortClosed(high: UInt64, low: UInt64, port: UInt16, overIPv6: Bool) -> Bool {
    let local = localName(high: high, low: low, port: port, overIPv6: overIPv6)
    let path = Path(overIPv6 ? "/proc/net/tcp6" : "/proc/net/tcp")
    // Listening sockets come first: of a busy server's thousands of connections, few are read.
    var limit = 64 << 10
    while true {
        do throws(SystemError) {
            let table = try readSmallFile(path, limit: limit)
            if let listens = table.withUnsafeBufferPointer({ parseListening($0, at: local) }) { return !listens }
            if table.count < limit { return !table.isEmpty }
        } catch {
            return false
        }
        limit *= 4
    }
}

/// An address and a port as the table has them: the words of the address as they lie in memory.
func localName(high: UInt64, low: UInt64, port: UInt16, overIPv6: Bool) -> Message {
    var name = Message()
    for word in overIPv6 ? [high >> 32, high, low >> 32, low] : [low] {
        name.add(hexadecimal: UInt32(truncatingIfNeeded: word).bigEndian, digits: 8)
    }
    name.add(":")
    name.add(hexadecimal: UInt32(port), digits: 4)
    return name
}

/// Whether a table of /proc/net has a listening socket with the local name; nil: the text ends before the last of them.
func parseListening(_ bytes: UnsafeBufferPointer<UInt8>, at local: Message) -> Bool? {
    guard let end = bytes.lastIndex(of: Ascii.newline) else { return nil }
    let lines = Word(UnsafeBufferPointer(rebasing: bytes[..<end])).pieces(at: Ascii.newline)
    for line in lines.dropFirst() {
        // "0: 0100007F:1F90 00000000:0000 0A …", 0A is TCP_LISTEN.
        var fields: [Word] = []
        for field in line.pieces(at: Ascii.space) where !field.bytes.isEmpty && fields.count < 4 {
            fields.append(field)
        }
        guard fields.count == 4, fields[3].equals("0A") else { return false }
        if fields[1].bytes.elementsEqual(local.bytes) { return true }
    }
    return nil
}

extension Message {
    fileprivate mutating func add(hexadecimal number: UInt32, digits: Int) {
        for place in stride(from: digits - 1, through: 0, by: -1) {
            let digit = UInt8(number >> UInt32(4 * place) & 15)
            add(byte: digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
        }
    }
}

#endif
