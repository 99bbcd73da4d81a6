// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What may be written to a terminal: printable ASCII and line ends, "?" for all else. The children's user owns the
/// folder of the control socket, and root may be reading: its answers must not move cursors, set titles or change what
/// was printed.
func harmless(_ bytes: [UInt8]) -> [UInt8] {
    bytes.map { 0x20...0x7e ~= $0 || $0 == UInt8(ascii: "\n") ? $0 : UInt8(ascii: "?") }
}
