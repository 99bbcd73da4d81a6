// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// What a claim of the loop guard is as a text: what is signed, and the header's value.

/// Writes the text that is signed: nothing of it can be changed, or used for another request.
public func writeSignedText(
    _ claim: bh_claim_t, method: UnsafePointer<CChar>, path: UnsafePointer<CChar>, into writer: inout Writer
) {
    writer.add(Piece(bh_guard_header()))
    writer.add(UInt8(ascii: "\n"))
    writer.add(Piece(method))
    writer.add(UInt8(ascii: "\n"))
    writer.add(Piece(path))
    writer.add(UInt8(ascii: "\n"))
    writer.add(claim.clientPiece)
    writer.add(UInt8(ascii: "\n"))
    writer.add(claim.seconds, digits: Int(claim.digits))
}

/// Writes the header's value, with the signature that the claim has.
public func writeClaim(_ claim: bh_claim_t, into writer: inout Writer) {
    writer.add(claim.clientPiece)
    writer.add("; t=")
    writer.add(claim.seconds, digits: Int(claim.digits))
    writer.add("; s=")
    withUnsafeBytes(of: claim.signature) { signature in
        for byte in signature {
            writer.add(hexDigit(byte >> 4))
            writer.add(hexDigit(byte & 15))
        }
    }
}

@inline(never)
func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ value &- 10
}

extension bh_claim_t {
    /// The client; empty if there is none.
    fileprivate var clientPiece: Piece {
        guard let text = client.start else { return Piece("no client").prefix(0) }
        return Piece(start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: client.length)
    }

    fileprivate var seconds: UInt64 { UInt64(max(signed_s, 0)) }
}
