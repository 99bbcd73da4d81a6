// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Datagrams that were received at once (`recvmmsg`), with what stands beside each.
public final class Inbox {
    /// Most datagrams of one filling.
    public static var capacity: Int { Int(CSYSTEM_BATCH) }

    private let room: UnsafeMutableRawBufferPointer
    private let size: Int
    private var heads = [csystem_datagram_t](repeating: csystem_datagram_t(), count: Int(CSYSTEM_BATCH))
    /// How many the last filling brought.
    public private(set) var count = 0

    /// - Parameter size: bytes that are kept of each datagram.
    public init(size: Int) {
        self.size = max(size, 1)
        room = .allocate(byteCount: self.size * Self.capacity, alignment: 8)
    }

    deinit {
        room.deallocate()
    }

    /// Takes what waits at the socket, at most this many and never more than the capacity; 0 if there is nothing.
    @discardableResult
    public func fill(from socket: UDPSocket, most: Int) -> Int {
        let (wanted, size, start) = (Int32(min(max(most, 0), Self.capacity)), size, room.baseAddress!)
        count = 0
        do throws(SystemError) {
            count = try heads.withUnsafeMutableBufferPointer { heads throws(SystemError) in
                Int(try checked { csystem_udp_receive_batch(socket.fd, start, size, heads.baseAddress!, wanted) })
            }
        } catch {
        }
        return count
    }

    /// The datagram's true length, which may be more than what is kept.
    public func length(_ index: Int) -> Int { Int(clamping: heads[index].length) }
    /// The sender's IPv4 address, in host byte order.
    public func sender(_ index: Int) -> UInt32 { heads[index].sender }
    /// The sender's port, in host byte order.
    public func port(_ index: Int) -> UInt16 { heads[index].port }

    /// What is kept of the datagram, until the next filling.
    public func bytes(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: room[(index * size)..<(index * size + min(length(index), size))])
    }
}
