// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand

@testable import BackhandFarms

/// A request that was read from texts in memory that is just as long, so that AddressSanitizer sees a byte too many.
final class Asked {
    private(set) var status = BH_ATH_OK
    private(set) var request = bh_ath_request_t()
    private(set) var error = ""
    private let path: UnsafeMutableBufferPointer<CChar>
    private let query: UnsafeMutableBufferPointer<CChar>
    private let room: UnsafeMutableBufferPointer<CChar>

    init(_ path: String, _ query: [UInt8]) {
        self.path = .copy(Array(path.utf8))
        self.query = .copy(query)
        room = .copy([UInt8](repeating: 1, count: query.count))
        var room = [CChar](repeating: 1, count: Int(BH_ATH_ERROR_SIZE))
        status = bh_ath_request_read(
            self.path.piece, self.query.piece, self.room.baseAddress, query.count, &request, &room, room.count)
        if status != BH_ATH_OK { error = text(in: room) }
    }

    convenience init(_ path: String, _ query: String) { self.init(path, Array(query.utf8)) }

    deinit { for memory in [path, query, room] { memory.deallocate() } }

    var farms: [String] {
        withUnsafeBytes(of: request.farms) {
            $0.bindMemory(to: bh_piece_t.self).prefix(Int(request.farms_count)).map(\.string)
        }
    }

    var arguments: [bh_ath_argument_t] {
        withUnsafeBytes(of: request.arguments) {
            Array($0.bindMemory(to: bh_ath_argument_t.self).prefix(Int(request.arguments_count)))
        }
    }

    /// nil: there is none.
    var format: String? { request.format.start == nil ? nil : request.format.string }

    /// nil: there is none.
    var signedQuery: String? { request.signed_query.start == nil ? nil : request.signed_query.string }

    /// "h=app01/0 s:threads=12.5/12500": codes, values, numbers.
    var summary: String {
        arguments.map {
            let name = $0.name.start == nil ? "" : ":" + $0.name.string
            return "\(UnicodeScalar(UInt8($0.code.rawValue)))\(name)=\($0.text.string)/\($0.number)"
        }.joined(separator: " ")
    }
}

extension UnsafeMutableBufferPointer<CChar> {
    static func copy(_ bytes: [UInt8]) -> Self {
        let memory = Self.allocate(capacity: bytes.count)
        _ = memory.initialize(from: bytes.map { CChar(bitPattern: $0) })
        return memory
    }

    var piece: bh_piece_t { bh_piece_t(start: UnsafePointer(baseAddress), length: count) }
}

/// The text of C in a room.
func text(in room: [CChar]) -> String { text(room.prefix { $0 != 0 } as ArraySlice) }

/// The bytes of C as a text.
func text(_ characters: some Sequence<CChar>) -> String {
    String(decoding: characters.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension bh_piece_t {
    var string: String {
        text(UnsafeBufferPointer(start: start, count: length))
    }
}
