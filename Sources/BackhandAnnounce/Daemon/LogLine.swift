// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// Writes a line to standard error. systemd's journal takes the level from its beginning, and knows the time.
func logLine(_ level: Int32, _ number: Int32, _ text: Word) {
    guard level <= Int32(BH_LOG_INFO.rawValue) else { return }
    var line = Message()
    if environment(Array(("JOURNAL_STREAM" as StaticString).bytes)) != nil {
        line.add("<")
        line.add(Int(level))
        line.add(">")
    } else {
        line.add("backhand-announce: ")
        line.add(
            level <= Int32(BH_LOG_ERROR.rawValue)
                ? "error: " : level == Int32(BH_LOG_WARNING.rawValue) ? "warning: " : "")
    }
    if number != 0 {
        line.add("BH")
        for power: Int32 in [1000, 100, 10, 1] { line.add(byte: UInt8(ascii: "0") + UInt8(number / power % 10)) }
        line.add(": ")
    }
    line.add(text.bytes)
    line.add("\n")
    writeToStandardError(line)
}

/// Writes an error of this program's own.
func logError(_ text: Message) {
    text.bytes.withUnsafeBufferPointer { logLine(Int32(BH_LOG_ERROR.rawValue), 0, Word($0)) }
}

/// Writes a warning of this program's own.
func logWarning(_ text: StaticString) { logLine(Int32(BH_LOG_WARNING.rawValue), 0, Word(text.bytes)) }
