// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import BackhandSystem
import FoundationEssentials

/// What all orders have in common.
struct OrderArguments: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The server, by address:port or by a name in the table. The order then holds for this httpd only. Without "
                + "a server, the order is for this "
                + "httpd itself, and it is announced to all others.", valueName: "server"))
    var server: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The moderator's control socket.", valueName: "path"))
    var socket: String?
}

/// --wait, for orders that stop requests.
struct WaitArguments: ParsableArguments {
    /// Seconds.
    static let usual = 300

    @Option(
        defaultAsFlag: WaitArguments.usual,
        help: ArgumentHelp(
            "Wait until no request is under way, at most this long (default \(WaitArguments.usual)).",
            valueName: "seconds"))
    var wait: Int?

    func validate() throws {
        if let wait, wait < 0 || wait > 86_400 { throw ValidationError("--wait takes 0 to 86400 seconds") }
    }
}

/// backhandctl drain
struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keeps new requests away, unless there is no other server. Requests that are under way are finished.")

    @OptionGroup var order: OrderArguments
    @OptionGroup var waiting: WaitArguments

    func run() throws { try carryOut("drain", order, wait: waiting.wait) }
}

/// backhandctl maintenance
struct Maintenance: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keeps all new requests away. Requests that are under way are finished.")

    @OptionGroup var order: OrderArguments
    @OptionGroup var waiting: WaitArguments

    func run() throws { try carryOut("maintenance", order, wait: waiting.wait) }
}

/// backhandctl resume
struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Cancels drain and maintenance.")

    @OptionGroup var order: OrderArguments

    func run() throws { try carryOut("resume", order, wait: nil) }
}

/// The moderator's answer to an order: docs/control.md.
struct OrderAnswer: Decodable {
    var state: String
    var underWay: UInt64
    /// The file that keeps this httpd draining, whatever is ordered; nil: none does.
    var drainFile: String?

    enum CodingKeys: String, CodingKey {
        case state
        case underWay = "under_way"
        case drainFile = "drain_file"
    }
}

/// Milliseconds between two looks at what is under way.
private let lookPause: UInt32 = 100
/// After an order, requests may still be on their way: balancers have heard of it within moments, and their requests
/// come after.
private let settling: UInt64 = 250

private func carryOut(_ word: String, _ order: OrderArguments, wait: Int?) throws {
    let path = try SocketChoice.find(given: order.socket)
    if order.server?.contains("\n") == true {
        throw Complaint("a server is an address and port, such as 10.0.0.4:80, or a name of the table")
    }
    let server = try order.server.map { try ServerChoice.find($0, askedAt: path) }
    let target = server.map { " " + $0 } ?? ""
    let begin = monotonicMilliseconds()
    var answer = try OrderAnswer(ask(path, word + target + "\n"), from: path)
    if let wait {
        let deadline = begin + UInt64(wait) * 1000
        while answer.underWay > 0 || monotonicMilliseconds() < begin + settling {
            guard monotonicMilliseconds() < deadline else {
                throw Complaint("\(answer.underWay) requests are still under way after \(wait) seconds")
            }
            pause(milliseconds: lookPause)
            answer = try OrderAnswer(ask(path, "state" + target + "\n"), from: path)
        }
    }
    var lines = "\(server ?? "this httpd"): \(answer.state), \(answer.underWay) requests under way\n"
    if word == "resume", let file = answer.drainFile {
        lines += "this httpd stays draining until its BackhandDrainFile is removed: \(file)\n"
    }
    try writeToStandardOutput(harmless(Array(lines.utf8)))
}
