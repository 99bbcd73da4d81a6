// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem
public import BackhandText

/// Hands over each key of the file at the path, which the configuration names so; the error names the file.
public func readKeys(
    given: Word, path: UnsafePointer<CChar>, take: (Word) -> Bool
) throws(ConfigurationError) {
    let file: SecretFile
    do throws(SystemError) {
        file = try SecretFile(path)
    } catch {
        throw unreadable(given: given, path: path, error)
    }
    defer { file.close() }
    do throws(ConfigurationError) {
        try file.read { text throws(ConfigurationError) in try KeyText(text).read(take) }
    } catch {
        throw named(path, "", error.message)
    }
}

private func unreadable(given: Word, path: UnsafePointer<CChar>, _ why: SystemError) -> ConfigurationError {
    guard why != .denied, mayBeKey(given: given, path: Word(path), folderExists: exists) else {
        return named(path, "it cannot be read: ", why.message)
    }
    var message = Message(
        "what is given may be a key, so that it is not repeated here: as the name of a file it cannot be read: ")
    message.add(why.message)
    message.add("; put the key into a file of mode 600, and name that")
    return message.error
}

/// Bytes of a path in an error, which has room for BH_ERROR_SIZE.
private let mostOfPath = 320

@inline(never)
private func named(_ path: UnsafePointer<CChar>, _ begin: StaticString, _ why: Message) -> ConfigurationError {
    // Of a path that is too long for the error's room, the reason is worth more.
    let bytes = Word(path).bytes
    var message = Message("'")
    message.add(UnsafeBufferPointer(rebasing: bytes.prefix(mostOfPath)))
    message.add(bytes.count > mostOfPath ? "...': " : "': ")
    message.add(begin)
    message.add(why)
    return message.error
}

/// Whether what was given for a file may be the key itself, which no message may show: as long as one, of its
/// characters, and in no folder that there is. A key may begin with the only slash that it has.
///
/// - Parameter path: the same as an absolute path.
func mayBeKey(given: Word, path: Word, folderExists: (UnsafePointer<CChar>) -> Bool) -> Bool {
    let slash = UInt8(ascii: "/")
    guard KeyText.isKey(given) else { return false }
    guard let last = path.bytes.lastIndex(of: slash), last > 0, given.contains(slash) else { return true }
    var folder = path.bytes[...last].map { CChar(bitPattern: $0) }
    folder.append(0)
    return !folder.withUnsafeBufferPointer { $0.baseAddress.map(folderExists) ?? false }
}
