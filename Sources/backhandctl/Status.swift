// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import BackhandSystem

/// backhandctl status: the table of all known servers.
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the table of all known servers.",
        discussion: """
            The socket is the one of -s. Otherwise it is the one in the environment variable BACKHAND_SOCKET, or the \
            only \
            backhand-*.sock in \(SocketChoice.directory).
            """)

    @Flag(help: "Print the moderator's answer as it is.")
    var json = false

    @Flag(help: "Print what the servers announce about their last second instead.")
    var means = false

    @Option(name: .shortAndLong, help: ArgumentHelp("The moderator's control socket.", valueName: "path"))
    var socket: String?

    func validate() throws {
        if json && means { throw ValidationError("--json has the means, too: give one of the two.") }
    }

    func run() throws {
        let path = try SocketChoice.find(given: socket)
        let answer = try ask(path, "status\n")
        let document = try StatusDocument(answer, from: path)
        try output(json ? answer : Array(((means ? meansTable(document) : statusTable(document)) + "\n").utf8))
        if let trouble = document.trouble, !trouble.isEmpty {
            throw Complaint("\(path): this table is not up to date: \(trouble)")
        }
    }

    private func output(_ bytes: [UInt8]) throws {
        do throws(SystemError) {
            try writeToStandardOutput(harmless(bytes))
        } catch {
            throw Complaint("cannot write the answer: \(error.text)")
        }
    }
}

/// Why a command ends without a result, in words for the administrator.
struct Complaint: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = String(decoding: harmless(Array(description.utf8)), as: UTF8.self)
    }
}
