// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText

/// A path as the system sees it: bytes with a NUL after them, whatever their encoding.
public struct Path {
    private var bytes: [UInt8]

    /// The bytes of the text.
    public init(_ text: Message) { bytes = text.bytes + [0] }

    /// A copy of the text.
    public init(cString text: UnsafePointer<CChar>) { self.init(Message(Word(text))) }

    /// A fixed text.
    ///
    /// - Parameter above: how many directories above the current one it begins.
    public init(_ text: StaticString, above: Int = 0) {
        var path = Message()
        for _ in 0..<above { path.add("../") }
        path.add(text)
        self.init(path)
    }

    /// The entry of this directory with the name.
    public func appending(_ name: StaticString) -> Path { extended(by: "/").extended(by: name) }

    /// This path with the text directly after it.
    public func extended(by suffix: StaticString) -> Path { extended(by: Message(suffix)) }

    /// The same with a text that was put together.
    public func extended(by suffix: Message) -> Path {
        var path = message
        path.add(suffix)
        return Path(path)
    }

    /// For messages.
    public var message: Message {
        bytes.withUnsafeBufferPointer { Message(Word(UnsafeBufferPointer(rebasing: $0.dropLast()))) }
    }

    /// The bytes for a call; the pointer is good until the body returns.
    func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try bytes.withUnsafeBufferPointer { room throws(Failure) in
            // Never empty: the NUL is always there.
            try body(UnsafeRawPointer(room.baseAddress!).assumingMemoryBound(to: CChar.self))
        }
    }

    /// The same for a call that writes into them, and leaves their number.
    mutating func withMutableCString<Result, Failure: Error>(
        _ body: (UnsafeMutablePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try bytes.withUnsafeMutableBufferPointer { room throws(Failure) in
            try body(UnsafeMutableRawPointer(room.baseAddress!).assumingMemoryBound(to: CChar.self))
        }
    }
}

#if !hasFeature(Embedded)
extension Path {
    /// For tools and tests: the UTF-8 bytes of the text.
    public init(_ text: String) { self = text.withCString { Path(cString: $0) } }
}
#endif
