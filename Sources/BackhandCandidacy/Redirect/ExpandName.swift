// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Writes the host name that a redirect's format means for a server and a request, with its NUL.
///
/// BH_ESYNTAX if that is not a name that a client may be sent to, BH_ESPACE if it does not fit. A Host header comes
/// from strangers: whatever is in it, what is written has only bytes of host names.
func expandName(
    _ format: UnsafePointer<CChar>, server: UnsafePointer<CChar>?, host: UnsafePointer<CChar>?,
    into name: UnsafeMutableBufferPointer<CChar>
) -> bh_status_t {
    var writer = NameWriter(name)
    var next = UnsafeRawPointer(format).assumingMemoryBound(to: UInt8.self)
    while next.pointee != 0, !writer.isFull {
        switch takePiece(&next) {
        case .byte(let byte): writer.add(byte)
        case .server(let parts): writer.add(PartedName(server).left(parts))
        case .host(let parts): writer.add(PartedName(host).right(parts))
        case nil: return BH_ESYNTAX
        }
    }
    return writer.finish()
}

/// A name and how many parts it has; none if it is empty or missing.
private struct PartedName {
    let bytes: UnsafeBufferPointer<UInt8>
    let parts: Int

    init(_ text: UnsafePointer<CChar>?) {
        let start = UnsafeRawPointer(text)?.assumingMemoryBound(to: UInt8.self)
        var length = 0
        var dots = 0
        while let start, start[length] != 0 {
            if start[length] == UInt8(ascii: ".") { dots += 1 }
            length += 1
        }
        bytes = UnsafeBufferPointer(start: start, count: length)
        parts = length == 0 ? 0 : dots + 1
    }

    /// %#S keeps # left parts; %-#S drops # right ones.
    func left(_ count: NamePiece.Parts) -> Slice<UnsafeBufferPointer<UInt8>> {
        switch count {
        case .plain(let number): bytes[..<end(of: number)]
        case .minus(let number): bytes[..<end(of: parts - number)]
        }
    }

    /// %#H drops # left parts; %-#H keeps # right ones.
    func right(_ count: NamePiece.Parts) -> Slice<UnsafeBufferPointer<UInt8>> {
        switch count {
        case .plain(let number): bytes[start(behind: number)...]
        case .minus(let number): bytes[start(behind: parts - number)...]
        }
    }

    /// Where the first parts end, without the dot.
    private func end(of count: Int) -> Int {
        guard count > 0 else { return 0 }
        return count < parts ? start(behind: count) - 1 : bytes.count
    }

    /// Where the part after the first ones begins.
    private func start(behind count: Int) -> Int {
        guard count < parts else { return bytes.count }
        var left = count
        var place = 0
        while left > 0, place < bytes.count {
            if bytes[place] == UInt8(ascii: ".") { left -= 1 }
            place += 1
        }
        return place
    }
}

/// Writes into a caller's room, and looks at what has become of it.
private struct NameWriter {
    private let name: UnsafeMutableBufferPointer<CChar>
    private var length = 0

    init(_ name: UnsafeMutableBufferPointer<CChar>) { self.name = name }

    /// Whether not even the NUL fits any more.
    var isFull: Bool { length >= name.count }

    mutating func add(_ byte: UInt8) {
        guard !isFull else { return }
        name[length] = CChar(bitPattern: byte)
        length += 1
    }

    mutating func add(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
        for byte in bytes { add(byte) }
    }

    mutating func finish() -> bh_status_t {
        guard !isFull, let start = name.baseAddress else { return BH_ESPACE }
        name[length] = 0
        return isHostName(UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self)) ? BH_OK : BH_ESYNTAX
    }
}
