// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandModerator
internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

// Arguments of directives as values. Errors name the line.

/// The only argument.
func only(_ line: ConfigurationLine) throws(ConfigurationError) -> [UInt8] {
    guard let argument = line.arguments.first, line.arguments.count == 1 else { throw line.wrong("takes one argument") }
    return argument
}

/// The only argument as a number in this range.
func number(
    _ line: ConfigurationLine, _ range: ClosedRange<UInt32>, _ what: StaticString = "a whole number"
) throws(ConfigurationError) -> UInt32 {
    let text = try only(line)
    let rule = NumberRule(what: what, from: range.lowerBound, through: range.upperBound)
    return try line.naming { () throws(ConfigurationError) in
        try withWord(text) { word throws(ConfigurationError) in UInt32(clamping: try rule.parse(word)) }
    }
}

/// The only argument as a switch.
func isOn(_ line: ConfigurationLine) throws(ConfigurationError) -> Bool {
    let text = try only(line)
    return try line.naming { () throws(ConfigurationError) in
        try withWord(text) { word throws(ConfigurationError) in
            if word.equals("On", ignoringCase: true) { return true }
            if word.equals("Off", ignoringCase: true) { return false }
            throw ConfigurationError(word, " is neither On nor Off")
        }
    }
}

/// The only argument as the absolute path of a file, which need not be there.
func fileName(
    _ line: ConfigurationLine, _ absolute: ([UInt8]) -> Message
) throws(ConfigurationError) -> Message {
    let given = try only(line)
    let path = absolute(given)
    do throws(SystemError) {
        _ = try hasFile(Path(path))
    } catch {
        // What cannot be looked at may be there later.
        guard error == .isFolder else { return path }
        throw try line.naming { () throws(ConfigurationError) in
            try withWord(given) { word throws(ConfigurationError) in
                throw ConfigurationError(word, " is a directory")
            }
        }
    }
    return path
}

/// The only argument as the number of a group.
func group(_ line: ConfigurationLine) throws(ConfigurationError) -> UInt32 {
    let text = try only(line)
    return try line.naming { () throws(ConfigurationError) in
        // Never nil: the text is there.
        try withCString(text) { text throws(ConfigurationError) in try readGroup(text!) }
    }
}

/// "announce.example.com:4445,1" with the address in place of a host's name, which is looked up once.
func withAddress(_ text: [UInt8], _ line: ConfigurationLine) throws(ConfigurationError) -> [UInt8] {
    let length = text.withUnsafeBufferPointer { Word($0).hostNameLength }
    guard length > 0 else { return text }
    return try line.naming { () throws(ConfigurationError) in
        var address = Message()
        address.add(bh_address_t(ipv4: try hostAddress(of: Array(text[..<length]))))
        return address.bytes + text[length...]
    }
}

/// Names of control groups. They need not be there: a service may start later.
func groupNames(_ line: ConfigurationLine) throws(ConfigurationError) -> [[UInt8]] {
    guard !line.arguments.isEmpty else { throw line.wrong("takes units of systemd, as nginx.service") }
    return Array(line.arguments)
}

/// The words of a check, each with its NUL.
func checkWords(_ line: ConfigurationLine) throws(ConfigurationError) -> [UInt8] {
    let words = Array(line.arguments.map { $0.prefix { $0 != 0 } + [0] }.joined())
    return try line.naming { () throws(ConfigurationError) in
        try words.withUnsafeBufferPointer { bytes throws(ConfigurationError) in _ = try parseCheck(bytes) }
        return words
    }
}

/// Where a server takes requests: "10.0.0.5:8080".
func parsePlace(_ text: [UInt8]) throws(ConfigurationError) -> (address: bh_address_t, port: UInt16) {
    try withWord(text) { word throws(ConfigurationError) in
        let (head, tail) = word.split(at: UInt8(ascii: ":"))
        guard let address = head.address, address.ipv4 != nil, address.isUnicast, let tail,
            let port = tail.number(in: 1...65535)
        else {
            throw ConfigurationError(word, " is not an IPv4 address and a port, as 10.0.0.5:8080")
        }
        return (address, UInt16(port))
    }
}

/// Whether the directive is one of mod_backhand's that mean nothing where no request is.
func isHttpdsAlone(_ line: ConfigurationLine) -> Bool {
    let names: [StaticString] = [
        "Backhand", "BackhandFromSO", "BackhandMode", "BackhandTrace", "BackhandRetries", "BackhandRetryTimeout",
        "BackhandNoCandidate", "BackhandScheme", "BackhandConnectionPools", "BackhandDirectoryWalk",
        "BackhandAsync", "BackhandSelfRedirect", "BackhandRedirectStatus", "BackhandSlowStart", "BackhandLogLevel",
        "BackhandResponseFieldSize", "BackhandModeratorPIDFile", "BackhandFilters", "HTTPRedirectToName",
        "HTTPRedirectToIP",
    ]
    return names.contains { line.isNamed($0) }
}

/// Does something with the bytes as a word.
func withWord<Result>(
    _ text: [UInt8], _ body: (Word) throws(ConfigurationError) -> Result
) throws(ConfigurationError) -> Result {
    try text.withUnsafeBufferPointer { bytes throws(ConfigurationError) in try body(Word(bytes)) }
}

/// Does something with the bytes as a text of C, which ends at a NUL in them; nil: with nil.
func withCString<Result>(
    _ text: [UInt8]?, _ body: (UnsafePointer<CChar>?) throws(ConfigurationError) -> Result
) throws(ConfigurationError) -> Result {
    guard let text else { return try body(nil) }
    return try (text + [0]).withUnsafeBufferPointer { bytes throws(ConfigurationError) in
        try body(UnsafeRawPointer(bytes.baseAddress!).assumingMemoryBound(to: CChar.self))
    }
}
