// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem
internal import BackhandText

/// Reads a file of directives as httpd does: comments, lines that go on after a backslash, quotes, `Define`, `Include`
/// and `${NAME}`.
struct ConfigurationReader {
    /// Bytes of one file.
    private static var largest: Int { 1 << 20 }
    /// Files that include each other.
    private static var deepest: Int { 16 }

    private var defines: [(name: [UInt8], value: [UInt8])] = []
    private var depth = 0
    /// The file that was named first: others are looked for beside it.
    private let main: Message

    init(_ path: Message) { main = path }

    /// Hands over each directive, those of included files in their place.
    mutating func read(
        _ take: (ConfigurationLine) throws(ConfigurationError) -> Void
    ) throws(ConfigurationError) {
        let text: [UInt8]
        do throws(SystemError) {
            text = try readFile(Path(main), limit: Self.largest)
        } catch {
            throw unreadable(main, error).error
        }
        try read(text, main, take)
    }

    private func unreadable(_ path: Message, _ why: SystemError) -> Message {
        var message = Message("cannot read ")
        message.add(path)
        message.add(": ")
        message.add(why.message)
        return message
    }

    /// The same of a text.
    mutating func read(
        _ text: [UInt8], _ file: Message, _ take: (ConfigurationLine) throws(ConfigurationError) -> Void
    ) throws(ConfigurationError) {
        var joined: [UInt8] = []
        var number = 0
        for line in text.split(separator: Ascii.newline, omittingEmptySubsequences: false) {
            number += 1
            joined += line.last == Ascii.carriageReturn ? line.dropLast() : line
            // A backslash at the end, but not two of them, as httpd has it.
            if joined.last == UInt8(ascii: "\\"), joined.dropLast().last != UInt8(ascii: "\\") {
                joined.removeLast()
                continue
            }
            try read(line: joined, file, number, take)
            joined = []
        }
        if !joined.isEmpty { try read(line: joined, file, number, take) }
    }

    private mutating func read(
        line: [UInt8], _ file: Message, _ number: Int,
        _ take: (ConfigurationLine) throws(ConfigurationError) -> Void
    ) throws(ConfigurationError) {
        let words = words(of: expanded(line))
        guard let name = words.first, name.first != UInt8(ascii: "#") else { return }
        let found = ConfigurationLine(words: words, file: file, number: number)
        if found.isNamed("Define") {
            try define(found)
        } else if found.isNamed("Include") {
            try include(found, isOptional: false, take)
        } else if found.isNamed("IncludeOptional") {
            try include(found, isOptional: true, take)
        } else {
            try take(found)
        }
    }

    /// The words of a line. The ">" that ends a section's beginning is none.
    private func words(of line: [UInt8]) -> [[UInt8]] {
        line.withUnsafeBufferPointer { bytes in
            var text = bytes[...]
            while let last = text.last, last == Ascii.space || last == Ascii.tab { text = text.dropLast() }
            let isSection = text.first { $0 != Ascii.space && $0 != Ascii.tab } == UInt8(ascii: "<")
            if isSection, text.last == UInt8(ascii: ">") { text = text.dropLast() }
            var reader = DirectiveWords(Word(UnsafeBufferPointer(rebasing: text)))
            var words: [[UInt8]] = []
            while case let word = reader.next(), !word.isEmpty { words.append(word) }
            return words
        }
    }

    // ---- Define and ${NAME} ----

    private mutating func define(_ line: ConfigurationLine) throws(ConfigurationError) {
        guard line.words.count == 2 || line.words.count == 3 else {
            throw line.wrong("takes a name, and perhaps a value")
        }
        let value = line.words.count == 3 ? line.words[2] : []
        defines.removeAll { $0.name == line.words[1] }
        defines.append((line.words[1], value))
    }

    /// The line with the values of what is defined here or in the environment. Other names stay as they are.
    private func expanded(_ line: [UInt8]) -> [UInt8] {
        var (result, rest) = ([UInt8](), line[...])
        while let begin = rest.firstIndex(of: UInt8(ascii: "$")) {
            result += rest[..<begin]
            let after = rest[(begin + 1)...]
            guard after.first == UInt8(ascii: "{"), let end = after.firstIndex(of: UInt8(ascii: "}")) else {
                result.append(rest[begin])
                rest = after
                continue
            }
            let name = Array(after[(after.startIndex + 1)..<end])
            result += defines.first { $0.name == name }?.value ?? environment(name) ?? Array(rest[begin...end])
            rest = rest[(end + 1)...]
        }
        return result + rest
    }

    // ---- Include ----

    private mutating func include(
        _ line: ConfigurationLine, isOptional: Bool,
        _ take: (ConfigurationLine) throws(ConfigurationError) -> Void
    ) throws(ConfigurationError) {
        guard line.words.count == 2 else { throw line.wrong("takes one path") }
        guard depth < Self.deepest else { throw line.wrong("files include each other more than 16 deep") }
        let path = absolute(line.words[1])
        let found = matches(of: Path(path))
        if found.isEmpty, !isOptional {
            var message = Message()
            line.words[1].withUnsafeBufferPointer { message.quote(Word($0), most: 320) }
            message.add(": there is no such file")
            throw line.wrong(message)
        }
        depth += 1
        defer { depth -= 1 }
        for each in found {
            let text: [UInt8]
            do throws(SystemError) {
                text = try readFile(each, limit: Self.largest)
            } catch {
                throw line.wrong(unreadable(each.message, error))
            }
            try read(text, each.message, take)
        }
    }

    /// A path beside the main file, unless it begins with a slash.
    func absolute(_ path: [UInt8]) -> Message {
        let slash = UInt8(ascii: "/")
        guard path.first != slash, let last = main.bytes.lastIndex(of: slash) else { return Message(path) }
        return Message(Array(main.bytes[...last]) + path)
    }
}
