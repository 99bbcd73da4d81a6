// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// A program of the classic Berkeley packet filter that the kernel runs on each datagram of a UDP socket over IPv4.
///
/// It passes what has the right beginning, the right end and the right sender, and of all others one in sample, so that
/// they are still noticed.
public struct SocketFilter: Equatable {
    /// With more networks none is compared: the kernel allows 4096 instructions and, on many systems, 20 kB for them
    /// (net.core.optmem_max), where one comparison may have become two instructions of 8 bytes.
    public static var mostNetworks: Int { 1000 }
    /// Comparisons before the way out that they share: jumps reach only 255 instructions.
    private static var reach: Int { 200 }
    /// Of what does not fit, one in this many is passed. A power of two.
    public static var sample: UInt32 { 256 }

    /// Some bytes of a datagram: where they are, and what they must be.
    public struct Mark: Equatable, Sendable {
        /// From the datagram's beginning; negative: from its end.
        public var offset: Int32
        /// The value of the four bytes there, as a big-endian integer.
        public var number: UInt32

        /// The bytes at this place, with this value.
        public init(offset: Int32, number: UInt32) {
            self.offset = offset
            self.number = number
        }
    }

    private(set) var steps: [csystem_filter_step_t] = []

    /// - Parameters:
    ///   - marks: all of them must be there. A datagram that is too short for one does not even count as a sample.
    ///   - networks: addresses and masks in host byte order; none, or more than ``mostNetworks``: any sender will do.
    public init(marks: [Mark], networks: [(base: UInt32, mask: UInt32)]) {
        for mark in marks { require(mark) }
        if networks.isEmpty || networks.count > Self.mostNetworks {
            pass()
        } else {
            load(Self.sender)
            append(BPF_MISC | BPF_TAX, 0)
            compare(networks)
        }
        passSample()
    }

    public static func == (left: SocketFilter, right: SocketFilter) -> Bool {
        left.steps.count == right.steps.count
            && zip(left.steps, right.steps).allSatisfy {
                $0.code == $1.code && $0.if_true == $1.if_true && $0.if_false == $1.if_false && $0.number == $1.number
            }
    }

    /// The program sees the UDP header before the datagram.
    private static var header: Int32 { 8 }
    /// The sender's address, in the IPv4 header.
    private static var sender: UInt32 { UInt32(bitPattern: SKF_NET_OFF) &+ 12 }

    /// Goes on if the mark is there, else to a sample of its own: jumps reach only 255 instructions.
    private mutating func require(_ mark: Mark) {
        if mark.offset >= 0 {
            load(UInt32(mark.offset + Self.header))
        } else {
            append(BPF_LD | BPF_W | BPF_LEN, 0)
            append(BPF_ALU | BPF_SUB | BPF_K, UInt32(-mark.offset))
            append(BPF_MISC | BPF_TAX, 0)
            append(BPF_LD | BPF_W | BPF_IND, 0)
        }
        append(BPF_JMP | BPF_JEQ | BPF_K, mark.number, if_true: 4, if_false: 0)
        passSample()
    }

    /// Passes a sender, which is in X, of one of the networks: those of one mask are compared in a row.
    private mutating func compare(_ networks: [(base: UInt32, mask: UInt32)]) {
        for bits in 0...32 {
            let mask: UInt32 = bits == 0 ? 0 : .max << (32 - UInt32(bits))
            let alike = networks.filter { $0.mask == mask }
            guard !alike.isEmpty else { continue }
            append(BPF_MISC | BPF_TXA, 0)
            append(BPF_ALU | BPF_AND | BPF_K, mask)
            for begin in stride(from: 0, to: alike.count, by: Self.reach) {
                let group = alike[begin..<min(begin + Self.reach, alike.count)]
                for (place, network) in group.enumerated() {
                    // Over the comparisons that follow and the jump after them.
                    append(BPF_JMP | BPF_JEQ | BPF_K, network.base, if_true: UInt8(group.count - place), if_false: 0)
                }
                append(BPF_JMP | BPF_JA, 1)
                pass()
            }
        }
    }

    private mutating func load(_ place: UInt32) {
        append(BPF_LD | BPF_W | BPF_ABS, place)
    }

    private mutating func pass() {
        append(BPF_RET | BPF_K, .max)
    }

    /// Ends the program: four instructions.
    private mutating func passSample() {
        load(UInt32(bitPattern: SKF_AD_OFF) &+ UInt32(SKF_AD_RANDOM))
        append(BPF_JMP | BPF_JSET | BPF_K, Self.sample - 1, if_true: 0, if_false: 1)
        append(BPF_RET | BPF_K, 0)
        pass()
    }

    private mutating func append(_ code: Int32, _ number: UInt32, if_true: UInt8 = 0, if_false: UInt8 = 0) {
        steps.append(csystem_filter_step_t(code: UInt16(code), if_true: if_true, if_false: if_false, number: number))
    }
}
