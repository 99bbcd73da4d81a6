// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem
internal import BackhandText

/// The file in UnixSocketDir that keeps a machine's arriba, so that it is measured once and not at each start.
struct ArribaFile {
    let path: Path

    /// Ten digits, a newline, and one byte more to see that the file is longer.
    private static var limit: Int { 12 }

    init(directory: Path) {
        path = directory.appending("mod_backhand-Arriba")
    }

    /// What is kept; nil if the file is missing or holds anything but a number that can be an arriba.
    func read() -> Int32? {
        do throws(SystemError) {
            return parseArriba(try readSmallFile(path, limit: Self.limit))
        } catch {
            return nil
        }
    }

    /// Keeps a value for the next start.
    func write(_ arriba: Int32) throws(SystemError) {
        var text = Message()
        text.add(Int(arriba))
        text.add("\n")
        try writeAtomically(text.bytes, to: path, mode: 0o644)
    }
}

/// A decimal number of 1...2147483647, with or without one newline after it; nil for everything else.
func parseArriba(_ bytes: [UInt8]) -> Int32? {
    let digits = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...]
    // Leading zeros do not make a number longer than this.
    guard digits.count <= 10 else { return nil }
    return digits.withUnsafeBufferPointer { Word($0).number(in: 1...UInt64(Int32.max)) }.map { Int32($0) }
}
