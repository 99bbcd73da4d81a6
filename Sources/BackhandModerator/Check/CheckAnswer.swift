// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText

/// What the answer to a check has shown so far.
public enum CheckAnswer: Equatable, Sendable {
    /// Nothing yet: more bytes are needed.
    case unfinished
    /// This status, and the text, if one is expected.
    case status(UInt32)
    /// This status, but the text is not in the first ``textLimit`` bytes of the content.
    case lacksText(UInt32)
    /// It does not begin as an answer of HTTP does.
    case invalid
    /// A record of TLS: plain HTTP is not understood.
    case tls

    /// Bytes of the content in which the text is looked for.
    public static var textLimit: Int { 4096 }
    /// Bytes that may stand before the content, interim answers included.
    public static var headLimit: Int { 8192 }

    /// Reads the first bytes of an answer, whatever they are.
    ///
    /// - Parameters:
    ///   - isEnd: there will be no more, or they are not read.
    ///   - text: what must be in the content; nil: the status is enough.
    public init(_ bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool, text: Word?) {
        var rest = bytes[...]
        while true {
            switch Head(rest) {
            case .unfinished: self = isEnd || bytes.count > Self.headLimit ? .invalid : .unfinished
            case .invalid: self = .invalid
            case .tls: self = .tls
            // An interim answer; 101 is the last one that is HTTP.
            case .whole(let status, let content) where status < 200 && status != 101:
                rest = rest[content...]
                if content <= Self.headLimit { continue }
                self = .invalid
            case .whole(let status, let content): self = Self.judge(status, rest[content...], isEnd, text)
            }
            return
        }
    }

    private static func judge(
        _ status: UInt32, _ content: Slice<UnsafeBufferPointer<UInt8>>, _ isEnd: Bool, _ text: Word?
    ) -> CheckAnswer {
        guard let text else { return .status(status) }
        let first = Word(UnsafeBufferPointer(rebasing: content.prefix(textLimit)))
        if first.contains(text) { return .status(status) }
        return isEnd || content.count >= textLimit ? .lacksText(status) : .unfinished
    }
}

/// The head of an answer: its status line and its fields.
private enum Head {
    case unfinished
    case invalid
    case tls
    /// Its status, and where its content begins.
    case whole(UInt32, Int)

    /// "HTTP/1.1 200", and what ends the status.
    private static var lineSize: Int { 13 }

    init(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
        let line = UnsafeBufferPointer(rebasing: bytes.prefix(Self.lineSize))
        let begin: StaticString = "HTTP/1."
        // An alert, or a handshake, of any version of TLS.
        if let kind = line.first, kind == 21 || kind == 22 {
            self = line.count < 2 ? .unfinished : line[1] == 3 ? .tls : .invalid
            return
        }
        for index in 0..<min(line.count, begin.utf8CodeUnitCount) where line[index] != begin.utf8Start[index] {
            self = .invalid
            return
        }
        guard line.count == Self.lineSize else {
            self = .unfinished
            return
        }
        guard Word(line).dropping(7).prefix(1).number(in: 0...9) != nil, line[8] == Ascii.space,
            let status = Word(line).dropping(9).prefix(3).number(in: 100...599), line[12] <= Ascii.space
        else {
            self = .invalid
            return
        }
        self = Self.end(of: bytes).map { .whole(UInt32(status), $0) } ?? .unfinished
    }

    /// What follows the empty line. A line may end without a carriage return.
    private static func end(of bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
        var length = 1
        for index in bytes.indices {
            switch bytes[index] {
            case Ascii.newline:
                if length == 0 { return index + 1 }
                length = 0
            case Ascii.carriageReturn: break
            default: length += 1
            }
        }
        return nil
    }
}
