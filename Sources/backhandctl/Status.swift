// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import BackhandSystem
import FoundationEssentials

/// backhandctl status: the table of all known servers.
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the table of all known servers.",
        discussion: """
            The socket is the one given by -s, else by the environment variable BACKHAND_SOCKET, else the only backhand-*.sock \
            in \(SocketChoice.directory).
            """)

    @Flag(help: "Print the moderator's answer as it is.")
    var json = false

    @Option(name: .shortAndLong, help: ArgumentHelp("The moderator's control socket.", valueName: "path"))
    var socket: String?

    func run() throws {
        let path = try SocketChoice.find(given: socket)
        let answer = try ask(path, "status\n")
        if json {
            print(String(decoding: answer, as: UTF8.self), terminator: "")
            return
        }
        let document: StatusDocument
        do {
            document = try JSONDecoder().decode(StatusDocument.self, from: Data(answer))
        } catch {
            throw Complaint("\(path) gave an answer that this backhandctl does not understand; are both of the same version?")
        }
        print(statusTable(document))
    }
}

/// Why a command ends without a result, in words for the administrator.
struct Complaint: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
