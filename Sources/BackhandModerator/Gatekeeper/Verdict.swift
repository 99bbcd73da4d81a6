// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandWire

/// A datagram that was received: its beginning, its true length, and where it came from.
struct Datagram {
    let bytes: UnsafeRawBufferPointer
    let length: Int
    let sender: bh_address_t
    let port: UInt16
}

/// What becomes of a datagram.
enum Verdict {
    /// It is counted as this.
    case ignored(bh_counter_t)
    /// It is refused, and the status page and the log say so.
    case refused(bh_counter_t)
    /// Its sender is to prove that it is not a recording, before anything of it counts.
    case unproven(bh_facts_t)
    /// It may go to the table, if the facts are admitted too.
    ///
    /// - asks: whether its sender is to prove itself all the same.
    case accepted(bh_facts_t, Proof, asks: Bool)
    /// It asks us to prove ourselves.
    case asked(Challenge)
}
