// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandSystem
import Foundation
import Testing

@testable import BackhandModerator

@Test(
    arguments: [
        ("308168\n", 308_168),
        ("308168", 308_168),
        ("1\n", 1),
        ("0000000001\n", 1),
        ("2147483647\n", Int32.max),
        ("2147483648\n", nil),
        ("9999999999\n", nil),
        ("12345678901\n", nil),
        ("00000000001\n", nil),
        ("0\n", nil),
        ("-5\n", nil),
        ("+5\n", nil),
        ("", nil),
        ("\n", nil),
        ("5\n\n", nil),
        ("5 \n", nil),
        (" 5\n", nil),
        ("5\r\n", nil),
        ("5x", nil),
        ("x5", nil),
        ("1.5\n", nil),
        ("0x10\n", nil),
        ("5\0", nil),
        ("fast\n", nil),
    ] as [(String, Int32?)])
func keptArriba(text: String, expected: Int32?) {
    #expect(parseArriba(Array(text.utf8)) == expected)
}

@Test func aFileIsWrittenAndRead() throws {
    try withTemporaryDirectory { directory in
        let file = ArribaFile(directory: Path(directory))
        #expect(file.read() == nil)
        try file.write(735_182)
        #expect(file.read() == 735_182)
        #expect(try String(contentsOfFile: directory + "/mod_backhand-Arriba", encoding: .utf8) == "735182\n")
        try "735182\nand more".write(toFile: directory + "/mod_backhand-Arriba", atomically: true, encoding: .utf8)
        #expect(file.read() == nil)
    }
}
