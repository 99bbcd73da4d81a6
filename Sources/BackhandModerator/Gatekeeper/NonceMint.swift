// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

/// Makes the nonces of challenges and knows them again, without remembering any: no flood of recordings can fill
/// anything.
///
/// A nonce is the digest of a secret of this process, the boot id that is asked, where, and the time; so only a host
/// that has received the challenge in the last seconds can repeat it, and only from there. A host that makes us ask
/// elsewhere, with a recording, does not learn what the server itself is asked.
struct NonceMint {
    /// A nonce is good in the slot in which it was made and in the next: for one to two seconds.
    private static var slot: UInt64 { 1000 }

    private let secret: (UInt64, UInt64)

    init() throws(SystemError) {
        secret = (try randomWord(), try randomWord())
    }

    /// nil if the signer cannot make digests.
    func nonce(for bootID: UInt64, at sender: bh_address_t, port: UInt16, now: UInt64, _ signer: Signer) -> Nonce? {
        make(bootID, sender, port, now / Self.slot, signer)
    }

    /// Whether it was made for this boot id, to be asked there, a moment ago.
    func isFresh(
        _ nonce: Nonce, for bootID: UInt64, at sender: bh_address_t, port: UInt16, now: UInt64, _ signer: Signer
    ) -> Bool {
        let slot = now / Self.slot
        return make(bootID, sender, port, slot, signer) == nonce
            || (slot > 0 && make(bootID, sender, port, slot - 1, signer) == nonce)
    }

    private func make(
        _ bootID: UInt64, _ sender: bh_address_t, _ port: UInt16, _ slot: UInt64, _ signer: Signer
    ) -> Nonce? {
        // The first word tells these digests from all signatures of datagrams, which begin with the protocol's magic.
        signer.digest([0, secret.0, secret.1, bootID, sender.high, sender.low, UInt64(port), slot])
    }
}
