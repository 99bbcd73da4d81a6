// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

/// A row; codes that are not in it are not known.
private final class Row {
    var numbers: [bh_ath_code_t.RawValue: Int64] = [:]
    var texts: [bh_ath_code_t.RawValue: UnsafeMutableBufferPointer<CChar>] = [:]

    init(_ numbers: [String: Int64] = [:], _ texts: [String: String] = [:]) {
        for (code, number) in numbers { self.numbers[code.unicodeScalars.first!.value] = number }
        for (code, text) in texts { self.texts[code.unicodeScalars.first!.value] = .copy(Array(text.utf8)) }
    }

    deinit { for text in texts.values { text.deallocate() } }

    /// The line in a room of this size, of which nothing beyond is written.
    func line(_ format: String, size: Int = 4096) -> String {
        let memory = UnsafeMutableBufferPointer.copy(Array(format.utf8))
        defer { memory.deallocate() }
        var room = [CChar](repeating: 1, count: size + 8)
        let length = bh_ath_line_write(
            memory.piece,
            { baton, code, name, value in
                let row = Unmanaged<Row>.fromOpaque(baton!).takeUnretainedValue()
                guard code != BH_ATH_CODE_STATISTIC || name.string == "x" else { return false }
                if let text = row.texts[code.rawValue] { value.pointee.text = text.piece }
                value.pointee.number = row.numbers[code.rawValue] ?? 0
                return row.texts[code.rawValue] != nil || row.numbers[code.rawValue] != nil
            }, Unmanaged.passUnretained(self).toOpaque(), &room, size)
        #expect(room[size...].allSatisfy { $0 == 1 }, "written beyond \(size) bytes")
        #expect(length == 0 ? room[0] == 1 : length < size && room[length] == 0 && room[length - 1] == 10)
        return text(room[..<length])
    }
}

struct OutputLineTests {
    @Test(arguments: [
        ("%h,%c", "app01,7\n"), ("%h", "app01\n"), (#"%h\n"#, "app01\n"), (#"%h\n\n"#, "app01\n\n"), (#"\n"#, "\n"),
        (#"a\tb\\\"%%\n%c"#, "a\tb\\\"%\n7\n"), ("%8h|", "   app01|\n"), ("%-8h|", "app01   |\n"), ("%3h|", "app01|\n"),
        ("%-3h|", "app01|\n"), ("%5h|", "app01|\n"), ("%3c|%-3c|", "  7|7  |\n"), ("%l", "-\n"),
        ("%4l%-4l|", "   --   |\n"),
        ("%o%u%i", "onupin\n"), ("%p", "0.25\n"), ("%{x}s", "-1.5\n"), ("%{y}s", "-\n"), ("%8{x}s", "    -1.5\n"),
        ("%r", "a?b?? c\n"), ("%99c", String(repeating: " ", count: 98) + "7\n"),
    ])
    func lines(format: String, expected: String) {
        let row = Row(
            ["c": 7, "o": 1, "u": 2, "i": -1, "p": 250, "s": -1500], ["h": "app01", "r": "a\u{0}bé c"])
        #expect(row.line(format) == expected)
    }

    @Test(
        arguments: [
            (0, "0", "0"), (1, "1", "0.001"), (10, "10", "0.01"), (100, "100", "0.1"), (120, "120", "0.12"),
            (1000, "1000", "1"), (10_000, "10000", "10"), (12_345, "12345", "12.345"), (-1, "-1", "-0.001"),
            (-2000, "-2000", "-2"), (1_000_001, "1000001", "1000.001"),
            (.max, "9223372036854775807", "9223372036854775.807"),
            (.min, "-9223372036854775808", "-9223372036854775.808"),
        ] as [(Int64, String, String)])
    func numbers(number: Int64, whole: String, thousandths: String) {
        let row = Row(["c": number, "l": number, "s": number])
        #expect(row.line("%c %l %{x}s") == "\(whole) \(thousandths) \(thousandths)\n")
    }

    @Test func words() {
        #expect(Row(["o": 0, "u": 0, "i": 0]).line("%o %u %i") == "off down out\n")
    }

    @Test func emptyText() {
        #expect(Row([:], ["r": ""]).line("[%r][%3r]") == "[][   ]\n")
    }

    /// Cut at the end, and still a line.
    @Test func cut() {
        let row = Row(["c": 1234], ["h": "app01"])
        let whole = "app01,  1234!"
        for size in 0...20 {
            let line = row.line("%h,%6c!", size: size)
            #expect(line == (size < 2 ? "" : whole.prefix(size - 2) + "\n"))
        }
        #expect(row.line(#"%h\n%c"#, size: 8) == "app01\n" && row.line(#"%h\n%c"#, size: 7) == "app01\n")
    }

    @Test func longest() {
        let line = Row(["c": 1]).line(String(repeating: "%99c", count: 2048))
        #expect(line.utf8.count == 4095 && line.hasSuffix(" \n"))
    }

    @Test(arguments: ["", "%", "%z", "%9999c", "a\"b", "%s"]) func badFormat(format: String) {
        #expect(Row().line(format) == "")
    }
}
