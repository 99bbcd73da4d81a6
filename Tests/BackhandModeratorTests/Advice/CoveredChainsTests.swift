// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Glibc
import Testing

@testable import BackhandModerator

@Suite struct CoveredChainsTests {
    /// The lines, each with two blanks a section around it, as "chain by ProxyPass", by the numbers of the lines.
    private func covered(_ text: String) -> [String] {
        var lines: [bh_line_t] = []
        for (number, line) in text.split(separator: "\n").enumerated() {
            let depth = line.prefix { $0 == " " }.count / 2
            let words = line.drop { $0 == " " }.split(separator: " ", maxSplits: 1)
            lines.append(
                bh_line_t(
                    name: strdup(String(words[0])), arguments: strdup(words.count > 1 ? String(words[1]) : ""),
                    file: strdup("f"), number: UInt32(number), depth: UInt32(depth)))
        }
        defer {
            for line in lines {
                for text in [line.name, line.arguments, line.file] { free(UnsafeMutablePointer(mutating: text)) }
            }
        }
        var found: [String] = []
        lines.withUnsafeBufferPointer { lines in
            CoveredChains(lines).forEach { found.append("\($0.line) by \($1.line)") }
        }
        return found
    }

    private static let chain = "<Directory /srv/app>\n  Backhand byAge\n"

    @Test(
        arguments: [
            ("DocumentRoot /srv\n" + chain + "ProxyPass /app http://x/", ["2 by 3"]),
            ("documentroot /srv\n<directory \"/srv/app\">\n  BACKHAND byAge\nproxypass /app http://x/", ["2 by 3"]),
            // What lies above and below.
            ("DocumentRoot /srv\n" + chain + "ProxyPass / http://x/", ["2 by 3"]),
            ("DocumentRoot /srv\n" + chain + "ProxyPass /app/deep http://x/", ["2 by 3"]),
            ("DocumentRoot /srv\n" + chain + "ProxyPass /application http://x/", []),
            // Without a root, as an exception, or by an expression.
            (chain + "ProxyPass /app http://x/", []),
            ("DocumentRoot /srv\n" + chain + "ProxyPass /app !", []),
            ("DocumentRoot /srv\n" + chain + "ProxyPass ^/app http://x/", []),
            ("DocumentRoot /srv\n" + chain + "<Location /app>\n  ProxyPass http://x/", ["2 by 4"]),
            ("DocumentRoot /srv\n" + chain + "<Location /app>\n  ProxyPass !", []),
            ("DocumentRoot /srv\n<Directory ~ /srv/app>\n  Backhand byAge\nProxyPass /app http://x/", []),
            // Not a chain, or one line of it for all.
            ("DocumentRoot /srv\n<Directory /srv/app>\n  Backhand off\nProxyPass /app http://x/", []),
            ("DocumentRoot /srv\n" + chain + "  Backhand byLoad\nProxyPass /app http://x/", ["2 by 4"]),
            ("DocumentRoot /srv\n<Location /app>\n  Backhand byAge\nProxyPass /app http://x/", []),
            ("DocumentRoot /srv\n<Directory />\n  <Files x>\n    Backhand byAge\nProxyPass /app http://x/", ["3 by 4"]),
            // Virtual hosts: with the main server's sections and lines, and with a root of their own.
            ("DocumentRoot /srv\n" + chain + "<VirtualHost *>\n  ProxyPass /app http://x/", ["2 by 4"]),
            (
                "DocumentRoot /x\n" + chain + "<VirtualHost *>\n  DocumentRoot /srv\n  ProxyPass /app http://x/",
                ["2 by 5"]
            ),
            (
                "ProxyPass /app http://x/\n<VirtualHost *>\n  DocumentRoot /srv\n  <Directory /srv/app>\n"
                    + "    Backhand byAge", ["4 by 0"]
            ),
            (
                "DocumentRoot /srv\n<VirtualHost a>\n  <Directory /srv/app>\n    Backhand byAge\n<VirtualHost b>\n"
                    + "  ProxyPass /app http://x/", []
            ),
        ] as [(String, [String])])
    func configurations(text: String, found: [String]) {
        #expect(covered(text) == found)
    }

    @Test(
        arguments: [
            ("/a", "/a", true), ("/a/b", "/a", true), ("/ab", "/a", false), ("/a", "/a/b", false), ("/a", "/", true),
            ("/a", "/a//", true), ("/a/b", "/a/", true), ("", "/", false), ("", "", true),
        ])
    func pathsWithin(path: String, outer: String, expected: Bool) {
        #expect(isWithin(Array(path.utf8), Array(outer.utf8)) == expected)
    }
}
