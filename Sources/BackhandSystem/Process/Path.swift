// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A path as the system sees it: bytes with a NUL after them, whatever their encoding.
public struct Path {
    private var bytes: [CChar]

    /// A copy of the text.
    public init(_ text: UnsafePointer<CChar>) {
        bytes = []
        var next = text
        while next.pointee != 0 {
            bytes.append(next.pointee)
            next += 1
        }
        bytes.append(0)
    }

    /// The UTF-8 bytes of the text.
    ///
    /// - Parameter above: how many directories above the current one it begins.
    public init(_ text: String, above: Int = 0) {
        bytes = []
        for _ in 0..<above { append("../") }
        append(text)
        bytes.append(0)
    }

    /// The entry of this directory with the name.
    public func appending(_ name: String) -> Path {
        var result = self
        result.bytes.removeLast()
        result.append("/")
        result.append(name)
        result.bytes.append(0)
        return result
    }

    /// This path with the text directly after it.
    public func extended(by suffix: String) -> Path {
        var result = self
        result.bytes.removeLast()
        result.append(suffix)
        result.bytes.append(0)
        return result
    }

    /// For messages: bytes that are not UTF-8 are replaced.
    public var text: String {
        withCString { String(cString: $0) }
    }

    /// The bytes for a call; the pointer is good until the body returns.
    func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Never empty: the NUL is always there.
        try bytes.withUnsafeBufferPointer { room throws(Failure) in try body(room.baseAddress!) }
    }

    /// The same for a call that writes into them, and leaves their number.
    mutating func withMutableCString<Result, Failure: Error>(
        _ body: (UnsafeMutablePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try bytes.withUnsafeMutableBufferPointer { room throws(Failure) in try body(room.baseAddress!) }
    }

    private mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { for byte in $0 { bytes.append(CChar(bitPattern: byte)) } }
    }
}
