// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// Numbers of the moderator's log lines; docs/errors.md explains each. Never used again for something else.
enum LogNumber {
    static let started: Int32 = 300
    static let ended: Int32 = 301
    static let arribaMeasured: Int32 = 302
    static let arribaNotKept: Int32 = 303
    static let figureMissing: Int32 = 304
    static let smallBuffer: Int32 = 305
    static let controlFailed: Int32 = 306
    static let leaving: Int32 = 307
    static let ordered: Int32 = 308
    static let flood: Int32 = 350
    static let lost: Int32 = 351
    static let unchecked: Int32 = 352
    static let signedHere: Int32 = 353
    static let clockWrong: Int32 = 354
    // 310–329: what was dropped.
    static let notAccepted: Int32 = 310
    static let truncated: Int32 = 311
    static let oversized: Int32 = 312
    static let foreign: Int32 = 313
    static let version: Int32 = 314
    static let nonsense: Int32 = 315
    static let tableFull: Int32 = 316
    static let sendFailed: Int32 = 317
    static let ownAddress: Int32 = 318
    static let forbidden: Int32 = 319
    static let outside: Int32 = 320
    static let othersAddress: Int32 = 321
    static let crowd: Int32 = 322
    static let unsigned: Int32 = 323
    static let badSignature: Int32 = 324
    static let badAnswer: Int32 = 325
    // 360–369: servers come and go.
    static let joined: Int32 = 360
    static let left: Int32 = 361
    static let silent: Int32 = 362
    static let returned: Int32 = 363
    static let backoff: Int32 = 364
    static let failing: Int32 = 365
    static let forgotten: Int32 = 366
    static let manyChanges: Int32 = 367
    static let alone: Int32 = 368
}

/// Where the moderator's lines go: the callback of its maker.
struct Log {
    private let call: bh_log_fn?
    private let baton: UnsafeMutableRawPointer?

    init(_ config: bh_moderator_config_t) {
        call = config.log
        baton = config.baton
    }

    func callAsFunction(_ level: bh_level_t, _ number: Int32, _ text: String) {
        guard let call else { return }
        text.withCString { call(baton, Int32(level.rawValue), number, $0) }
    }
}

/// What stands in the place of {} in a line.
enum LinePart {
    case word(StaticString)
    case text(String)
    case number(UInt64)
    /// "10.0.0.4:80" or "[2001:db8::4]:80".
    case place(bh_address_t, UInt16)
}

extension Log {
    /// Writes a line made of a form: an interpolation is compiled to several hundred bytes for each value, wherever it stands.
    @inline(never)
    func callAsFunction(_ level: bh_level_t, _ number: Int32, _ form: StaticString, _ parts: LinePart...) {
        var text = ""
        var next = 0
        var begin = 0
        let bytes = UnsafeBufferPointer(start: form.utf8Start, count: form.utf8CodeUnitCount)
        for index in bytes.indices where bytes[index] == UInt8(ascii: "{") {
            text += String(decoding: bytes[begin..<index], as: UTF8.self)
            if next < parts.count { add(parts[next], to: &text) }
            next += 1
            begin = index + 2
        }
        text += String(decoding: bytes[begin...], as: UTF8.self)
        self(level, number, text)
    }

    private func add(_ part: LinePart, to text: inout String) {
        switch part {
        case .word(let word): text += String(decoding: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount), as: UTF8.self)
        case .text(let more): text += more
        case .number(let number): text += "\(number)"
        case .place(let address, let port):
            let isIPv4 = address.ipv4 != nil
            text += isIPv4 ? "" : "["
            text += address.text
            text += isIPv4 ? ":" : "]:"
            text += "\(port)"
        }
    }
}
