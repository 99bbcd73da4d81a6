// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Most bytes that an announcement may have: less than any network's datagram, so that it is never cut in pieces.
public let announcementLimit = 1200

/// Where the fields of version 1 are. docs/protocol.md draws them; all numbers are big-endian.
enum Field {
    static let magic = 0  // u32
    static let version = 4  // u8
    static let kind = 5  // u8: 0 announcement, 1 challenge; not read where announcements are awaited
    static let length = 6  // u16: bytes of the whole datagram
    static let bootID = 8  // u64
    static let sequence = 16  // u64
    static let address = 24  // 16 bytes
    static let port = 40  // u16
    static let reserved = 42  // u16, sent as 0, not read
    static let arriba = 44  // i32, as all up to idleWorkers
    static let load = 48
    static let loadHighWaterMark = 52
    static let cpu = 56
    static let cpus = 60
    static let workers = 64
    static let idleWorkers = 68
    static let totalMemory = 72  // u64, as all up to arrivals
    static let freeMemory = 80
    static let arrivals = 88
    static let extensions = 96
}

/// "BKHD".
public let magic = UInt32(0x424B_4844)
let protocolVersion = UInt8(1)

/// What may follow the header: u16 tag, u16 bytes of the value, the value. Append only; other tags are skipped.
enum Tag {
    static let hostname = UInt16(1)
    static let workerMemory = UInt16(2)
    /// The last of all, if there is one.
    static let signature = UInt16(3)
    /// What makes an announcement the answer to a challenge.
    static let nonce = UInt16(4)
    /// Means over the last second; left out if there are none.
    static let means = UInt16(5)
    /// u8: bh_state_t; left out if the server is up.
    static let state = UInt16(6)
    /// u64: the sender's clock, milliseconds; in signed ones.
    static let time = UInt16(7)
    /// What a connection costs that is kept: u8 bh_idle_t, u8 0, u16 0, u32 keepalive_ms, u32 keepalive_requests, i32
    /// kept_workers.
    static let idle = UInt16(8)
    /// u32: milliseconds for which all of the sender's processes have been stopped; left out if one can work.
    static let stalled = UInt16(9)
    /// u8: AllowEncodedSlashes, u8: MergeSlashes, as bh_facts_t has them.
    static let slashes = UInt16(10)
    /// i64: the sender's wall clock, seconds; in signed ones.
    static let wall = UInt16(11)
    /// Connections to the sender's port: u32 all of them, u32 those that no process has accepted yet. Left out if they
    /// are not counted.
    static let connections = UInt16(12)
    /// u8: 1 if it is failing, else 0; u8: bh_finding_t; u16: the status that was not expected, or 0; then up to 47
    /// bytes: the name of the check that speaks against it. Left out if no check has ended.
    static let check = UInt16(13)
}

/// Bytes of the means: a u64 and seven u32.
let meansSize = 36

/// Bytes of what a kept connection costs.
let idleSize = 16

/// Bytes of a signature: HMAC-SHA-256.
public let signatureSize = 32

/// Tag and length of the signature, which stand before it.
public let signatureHead = UInt32(Tag.signature) << 16 | UInt32(signatureSize)

/// A random number that a challenge asks to be repeated.
public struct Nonce: Equatable, Sendable {
    /// The first 8 of its 16 bytes, big-endian.
    public var high: UInt64
    /// The last 8 of its 16 bytes, big-endian.
    public var low: UInt64

    /// A number of these two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// Most extensions in one announcement. Bounds the work that a stranger's datagram can cause.
let extensionLimit = 32

/// Bytes of what is known of connections.
let connectionsSize = 8

/// Bytes of a check without its name.
let checkSize = 4

/// Whether the name of a check may contain the byte: as a host's, and "/".
public func isCheckNameByte(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "/") || isNameByte(byte) }

/// Whether a host's name may contain the byte: [A-Za-z0-9._:-].
func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
        UInt8(ascii: "-"):
        true
    default: false
    }
}
