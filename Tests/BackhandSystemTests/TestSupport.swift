// Licensed under the Apache License, Version 2.0; see LICENSE.

import Foundation

@testable import BackhandSystem

/// An empty directory that is removed when the body returns.
func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/backhand-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// Hands a text to a parser as it comes from a file.
func parsing<Result>(_ text: String, _ parse: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    Array(text.utf8).withUnsafeBufferPointer(parse)
}
