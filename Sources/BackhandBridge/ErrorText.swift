// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Runs what reads a text of the configuration; its complaint goes into the caller's buffer.
func complaining(
    to buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ body: () throws(ConfigurationError) -> Void
) -> bh_status_t {
    do {
        try body()
        return BH_OK
    } catch {
        write(error.message, to: buffer, size)
        return BH_ESYNTAX
    }
}

/// Copies a text and its NUL into a buffer of C; cuts it to fit. NULL and size 0 are ignored.
func write(_ text: Message, to buffer: UnsafeMutablePointer<CChar>?, _ size: Int) {
    guard let buffer, size > 0 else { return }
    var length = 0
    for byte in text.bytes where length < size - 1 {
        buffer[length] = CChar(bitPattern: byte)
        length += 1
    }
    buffer[length] = 0
}
