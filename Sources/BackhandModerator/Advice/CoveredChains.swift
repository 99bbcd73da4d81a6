// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText

/// Chains that a ProxyPass line hides.
///
/// httpd looks at no <Directory>, <DirectoryMatch> or <Files> section for a URL that ProxyPass takes, so a chain in one
/// of them would silently never decide on it. A chain in a <Location>, a virtual host or the main server decides before
/// the ProxyPass.
struct CoveredChains {
    /// A line, and the path that it is about: a DocumentRoot, the URL path of a ProxyPass line, or a chain's folder.
    struct Place {
        var line: Int
        /// The line of the <VirtualHost> section around it; -1: none.
        var host: Int
        var path: [UInt8]
    }

    private let lines: UnsafeBufferPointer<bh_line_t>
    private var roots: [Place] = []
    private var passes: [Place] = []
    private var chains: [Place] = []

    /// Borrows the lines.
    init(_ lines: UnsafeBufferPointer<bh_line_t>) {
        self.lines = lines
        for line in lines.indices { note(line) }
    }

    /// Each chain with a ProxyPass that hides it.
    func forEach(_ body: (_ chain: Place, _ by: Place) -> Void) {
        for chain in chains {
            for pass in passes {
                guard let root = root(for: chain.host, pass.host) else { continue }
                let taken = root + pass.path
                if isWithin(taken, chain.path) || isWithin(chain.path, taken) { body(chain, pass) }
            }
        }
    }

    /// The folder of URLs for which both a chain and a ProxyPass line count; nil: there are none.
    ///
    /// A virtual host has the main server's <Directory> sections and ProxyPass lines too.
    private func root(for chain: Int, _ pass: Int) -> [UInt8]? {
        guard chain == pass || chain < 0 || pass < 0 else { return nil }
        if let own = roots.last(where: { $0.host == max(chain, pass) }) { return own.path }
        return chain > pass ? nil : roots.last { $0.host < 0 }?.path
    }

    private mutating func note(_ line: Int) {
        let arguments = Word(lines[line].arguments)
        if has(line, "DocumentRoot") {
            roots.append(Place(line: line, host: host(line), path: Array(arguments.bytes)))
        } else if has(line, "ProxyPass") {
            let path = pathTaken(line, arguments)
            if !path.isEmpty { passes.append(Place(line: line, host: host(line), path: path)) }
        } else if has(line, "Backhand") || has(line, "BackhandFromSO"),
            let section = section("<Directory", around: line)
        {
            let (folder, host) = (argument(ofSection: section), host(line))
            // "~" begins a regular expression. Further lines of the same section are the same chain.
            guard folder.first == slash, !arguments.prefix(3).equals("off", ignoringCase: true),
                chains.last(where: { $0.host == host })?.path != folder
            else { return }
            chains.append(Place(line: line, host: host, path: folder))
        }
    }

    private func host(_ line: Int) -> Int { section("<VirtualHost", around: line) ?? -1 }

    /// The URL path that the ProxyPass line takes; empty: none, or one that only a regular expression says.
    private func pathTaken(_ line: Int, _ arguments: Word) -> [UInt8] {
        var words = DirectiveWords(arguments)
        let (first, second) = (words.next(), words.next())
        if let location = section("<Location", around: line) {
            return isException(first) ? [] : argument(ofSection: location)
        }
        return first.first == slash && !second.isEmpty && !isException(second) ? first : []
    }

    private func has(_ line: Int, _ name: StaticString) -> Bool {
        Word(lines[line].name).equals(name, ignoringCase: true)
    }

    /// The nearest section of the name around the line.
    private func section(_ name: StaticString, around line: Int) -> Int? {
        var (depth, place) = (lines[line].depth, line)
        while depth > 0, place > 0 {
            place -= 1
            guard lines[place].depth < depth else { continue }
            if has(place, name) { return place }
            depth = lines[place].depth
        }
        return nil
    }

    /// "<Directory" has "/var/www/app>" or the same in quotes.
    private func argument(ofSection line: Int) -> [UInt8] {
        var words = DirectiveWords(Word(lines[line].arguments))
        var word = words.next()
        if word.last == UInt8(ascii: ">") { word.removeLast() }
        return word
    }
}

private let slash = UInt8(ascii: "/")

/// What stands in the place of a URL that is not to be proxied.
private func isException(_ word: [UInt8]) -> Bool { word.count == 1 && word[0] == UInt8(ascii: "!") }

/// Whether one path is the other or lies in it.
func isWithin(_ path: [UInt8], _ outer: [UInt8]) -> Bool {
    var length = outer.count
    while length > 1, outer[length - 1] == slash { length -= 1 }
    if length == 1, outer[0] == slash { return path.first == slash }
    return path.starts(with: outer[..<length]) && (path.count == length || path[length] == slash)
}

/// Logs each chain that never decides on what a ProxyPass line takes.
func adviseOnCoveredChains(_ lines: UnsafeBufferPointer<bh_line_t>, _ log: Log) {
    CoveredChains(lines).forEach { chain, by in
        let (hidden, line) = (lines[chain.line], lines[by.line])
        let path = LinePart.text(Message(by.path))
        log(
            BH_LOG_WARNING, LogNumber.coveredChain,
            """
            the Backhand chain of <Directory {}> at {}:{} never decides on what ProxyPass {} at {}:{} takes, because \
            httpd looks at no directory for that: put the chain into a <Location {}>
            """, .text(Message(chain.path)), .characters(hidden.file), .number(UInt64(hidden.number)), path,
            .characters(line.file), .number(UInt64(line.number)), path)
    }
}
