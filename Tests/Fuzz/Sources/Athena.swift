// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandFarms
import CBackhand
import CSystem
import Glibc

/// Requests to mod_athena's engine: a byte for the path, then the query. What is read points into what was given, holds
/// what the header promises, and each format that is accepted writes a line.
func fuzzAthena(_ bytes: UnsafeRawBufferPointer) {
    var source = Source(bytes)
    let path = paths[Int(source.byte()) % paths.count]
    // Exactly as long as it is, so that AddressSanitizer sees a byte too many.
    let query = Memory(source.text().dropLast())
    let room = Memory(repeatElement(1, count: query.count))
    var (request, error) = (bh_ath_request_t(), [CChar](repeating: 1, count: Int(BH_ATH_ERROR_SIZE)))
    let status = path.withUTF8Buffer { path in
        bh_ath_request_read(
            bh_piece_t(
                start: UnsafeRawPointer(path.baseAddress!).assumingMemoryBound(to: CChar.self), length: path.count),
            query.piece, room.start, room.count, &request, &error, error.count)
    }
    guard status == BH_ATH_OK else {
        promise(request.kind == BH_ATH_NO_KIND && request.arguments_count == 0, "an output without success")
        let length = error.firstIndex(of: 0)
        promise(length != nil && error[..<length!].allSatisfy { $0 >= 32 && $0 < 127 }, "an error that is not a line")
        return
    }
    let places = [query, room]
    checkFarms(request, places)
    checkArguments(request, places)
    checkSignature(request, query)
    if request.format.start != nil {
        promise(places.contains { $0.has(request.format) }, "a format outside of the query")
        writeLines(request.format)
    }
    writeLines(query.piece)
}

private let paths: [StaticString] = [
    "/balance/", "/status/farm", "/status/phys/", "/status/engine", "/update/farm/", "/update/phys/", "/mirror/farm",
    "/mirror/phys",
]

/// Bytes that are freed with it.
private final class Memory {
    let start: UnsafeMutablePointer<CChar>
    let count: Int

    init(_ bytes: some Collection<CChar>) {
        count = bytes.count
        start = .allocate(capacity: count)
        for (place, byte) in bytes.enumerated() { start[place] = byte }
    }

    deinit { start.deallocate() }

    var piece: bh_piece_t { bh_piece_t(start: start, length: count) }

    func has(_ piece: bh_piece_t) -> Bool {
        guard let first = piece.start else { return false }
        return first >= UnsafePointer(start) && first + piece.length <= UnsafePointer(start) + count
    }
}

private func checkName(_ name: bh_piece_t, _ places: [Memory]) {
    promise(places.contains { $0.has(name) }, "a name outside of the query")
    promise((1...255).contains(name.length), "a name that is too long")
    let allowed: Set<UInt8> = Set("._:-[]".utf8)
    for byte in UnsafeBufferPointer(start: name.start, count: name.length) {
        promise(isalnum(Int32(byte)) != 0 || allowed.contains(UInt8(bitPattern: byte)), "a name with other bytes")
    }
}

private func checkFarms(_ request: bh_ath_request_t, _ places: [Memory]) {
    let isBalance = request.kind == BH_ATH_BALANCE
    promise(isBalance ? (1...16).contains(request.farms_count) : request.farms_count == 0, "another number of farms")
    withUnsafeBytes(of: request.farms) {
        for name in $0.bindMemory(to: bh_piece_t.self).prefix(Int(request.farms_count)) { checkName(name, places) }
    }
}

private func checkArguments(_ request: bh_ath_request_t, _ places: [Memory]) {
    promise(request.arguments_count <= 32, "too many arguments")
    promise(request.kind != BH_ATH_BALANCE || request.arguments_count == 0, "arguments of balance")
    withUnsafeBytes(of: request.arguments) {
        for argument in $0.bindMemory(to: bh_ath_argument_t.self).prefix(Int(request.arguments_count)) {
            let row = bh_ath_row(CChar(argument.code.rawValue))
            promise(row.code == argument.code, "a code that is not in the table")
            promise((bh_ath_kind_writes(request.kind) ? row.update : row.status) != 0, "a code that no query takes")
            switch row.type {
            case BH_ATH_NAME: checkName(argument.text, places)
            case BH_ATH_ON_OFF, BH_ATH_UP_DOWN: promise((0...1).contains(argument.number), "neither on nor off")
            case BH_ATH_SHARE: promise((0...1000).contains(argument.number), "a share above one")
            case BH_ATH_DECIMAL: promise((0...2_000_000_000).contains(argument.number), "a load that does not fit")
            case BH_ATH_STATISTIC:
                checkName(argument.name, places)
                promise(argument.number.magnitude < 1_000_000_000_000_000_000, "a number that does not fit")
            default: promise(false, "a code that is not an argument")
            }
        }
    }
}

/// What is signed is the query up to its signature, and both are the whole query.
private func checkSignature(_ request: bh_ath_request_t, _ query: Memory) {
    var (request, room) = (request, [CChar](repeating: 1, count: Int(BH_ATH_SIGNED_SIZE)))
    let length = bh_ath_signed_write(&request, &room, room.count)
    promise((length > 0) == request.is_signed, "a signed text without a signature")
    guard request.is_signed else { return }
    promise(query.has(request.signed_query), "signed what was not sent")
    promise(request.signed_query.start == UnsafePointer(query.start), "signed from another place on")
    promise(request.signed_query.length + 67 == query.count, "signed up to another place")
    promise((0...999_999_999_999).contains(request.time_s), "a time of more than 12 digits")
}

/// A line ends with one line feed and a NUL, in rooms of any size; the smaller one has the beginning of the larger one.
private func writeLines(_ format: bh_piece_t) {
    let isGood = bh_ath_format_check(format, nil, 0) == BH_ATH_OK
    var whole: [CChar] = []
    for size in [600, 17, 2, 1, 0] {
        let room = Memory(repeatElement(1, count: size))
        let length = bh_ath_line_write(
            format,
            { _, code, name, value in
                value.pointee.number = Int64(truncatingIfNeeded: UInt64(code.rawValue) &* 0x9e37_79b9_7f4a_7c15)
                value.pointee.text = name.start == nil ? bh_piece_t(start: bh_guard_header(), length: 16) : name
                return code.rawValue % 5 != 0
            }, nil, room.start, size)
        promise((length > 0) == (isGood && size > 1) && (length < size || size == 0), "another length")
        guard length > 0 else { continue }
        let line = Array(UnsafeBufferPointer(start: room.start, count: length))
        promise(room.start[length] == 0 && line.last == 10, "a line without its end")
        promise(line.allSatisfy { (32..<127).contains($0) || $0 == 10 || $0 == 9 }, "a line with other bytes")
        if whole.isEmpty { whole = line }
        promise(whole.starts(with: line.dropLast()), "another line in a smaller room")
    }
}
