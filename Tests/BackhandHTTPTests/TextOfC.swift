// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

/// A text of C in memory that is just as long, and nothing else after it.
final class TextOfC {
    let start: UnsafeMutablePointer<CChar>
    let count: Int

    init(_ text: String) {
        count = text.utf8.count
        start = .allocate(capacity: count + 1)
        for (place, byte) in text.utf8.enumerated() { start[place] = CChar(bitPattern: byte) }
        start[count] = 0
    }

    deinit { start.deallocate() }

    var piece: Piece { Piece(UnsafePointer(start)) }
}

extension Piece {
    var string: String { String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self) }
}

/// What is written into a room that is just large enough. A room that is too small keeps its end.
func written(_ write: (inout Writer) -> Void) -> String {
    var counter = Writer(nil, 0)
    write(&counter)
    let length = counter.end()
    var room = [CChar](repeating: 1, count: length + 2)
    let complete = room.withUnsafeMutableBufferPointer { room in
        for size in 0...length {
            var small = Writer(room.baseAddress, size)
            write(&small)
            #expect(small.end() == length)
            #expect(room[size...].allSatisfy { $0 == 1 }, "written beyond \(size) bytes")
            room.update(repeating: 1)
        }
        var writer = Writer(room.baseAddress, length + 1)
        write(&writer)
        return writer.end() == length && room[length] == 0 && room[length + 1] == 1
    }
    #expect(complete)
    return String(decoding: room.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
