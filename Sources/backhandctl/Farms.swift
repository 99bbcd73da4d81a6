// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import BackhandSystem
import FoundationEssentials

/// What commands for farms have in common.
struct FarmArguments: ParsableArguments {
    @Flag(help: "Print the moderator's answer as it is.")
    var json = false

    @Option(name: .shortAndLong, help: ArgumentHelp("The moderator's control socket.", valueName: "path"))
    var socket: String?

    /// Sends a line, and prints the answer.
    func ask<Answer: Decodable>(_ words: [String], as type: Answer.Type, _ table: (Answer) -> String) throws {
        guard words.allSatisfy({ !$0.contains { $0 == " " || $0.isNewline } }) else {
            throw Complaint("names of farms and members have no blanks")
        }
        let path = try SocketChoice.find(given: socket)
        let answer = try backhandctl.ask(path, words.joined(separator: " ") + "\n")
        let document: Answer = try decodeAnswer(answer, from: path)
        try writeToStandardOutput(harmless(json ? answer : Array((table(document) + "\n").utf8)))
    }
}

/// backhandctl farms
struct Farms: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints the farms of mod_athena.")

    @OptionGroup var arguments: FarmArguments

    func run() throws {
        try arguments.ask(["farms"], as: FarmsAnswer.self) { farmTable($0.farms) }
    }
}

/// backhandctl farm
struct Farm: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints a farm and its members. With on or off, switches the farm first.")

    @Argument(help: "The name of the farm.")
    var name: String

    @Argument(help: "on or off.")
    var order: String?

    @OptionGroup var arguments: FarmArguments

    func run() throws {
        try arguments.ask(["farm", name] + (order.map { [$0] } ?? []), as: FarmAnswer.self) {
            farmTable([$0]) + "\n\n" + memberTable($0.members ?? [])
        }
    }
}

/// backhandctl member
struct Member: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints a member of a farm. With on, off, up or down, switches it first, in all farms that have it.")

    @Argument(help: "The name of the farm.")
    var farm: String

    @Argument(help: "The member, as its AthMember line writes it, or by address:port.")
    var member: String

    @Argument(help: "on, off, up or down.")
    var order: String?

    @OptionGroup var arguments: FarmArguments

    func run() throws {
        try arguments.ask(["member", farm, member] + (order.map { [$0] } ?? []), as: MemberAnswer.self) {
            memberTable([$0])
        }
    }
}

/// The answer to `farms`; docs/control.md has all of it.
struct FarmsAnswer: Decodable {
    var farms: [FarmAnswer]
}

/// A farm in an answer.
struct FarmAnswer: Decodable {
    var name: String
    var on: Bool
    var expectUpdate: UInt64
    var able: UInt64
    var memberCount: UInt64
    var inFlight: UInt64
    /// Of `farm` alone.
    var members: [MemberAnswer]?

    enum CodingKeys: String, CodingKey {
        case name, on, able, members
        case expectUpdate = "expect_update_s"
        case memberCount = "member_count"
        case inFlight = "in_flight"
    }
}

/// A member in an answer. What is not known is left out.
struct MemberAnswer: Decodable {
    var member: String
    var id: UInt64
    var on: Bool
    var up: Bool
    var isIn: Bool
    var reason: String
    var inFlight: UInt64?
    var load: Double?
    var idle: Double?
    var updated: UInt64?
    var statistics: [String: Double]

    enum CodingKeys: String, CodingKey {
        case member, id, on, up, reason, load, statistics
        case isIn = "in"
        case inFlight = "in_flight"
        case idle = "cpu_idle"
        case updated = "updated_s"
    }
}

private func farmTable(_ farms: [FarmAnswer]) -> String {
    columns(
        ["Farm", "State", "Able", "Members", "In Flight", "Expect Update"], leftBound: [0, 1],
        farms.map {
            [
                $0.name, $0.on ? "on" : "off", "\($0.able)", "\($0.memberCount)", "\($0.inFlight)",
                $0.expectUpdate == 0 ? "-" : "\($0.expectUpdate) s",
            ]
        })
}

private func memberTable(_ members: [MemberAnswer]) -> String {
    columns(
        ["Entry", "Member", "On", "Up", "In", "In Flight", "Load", "CPU Idle", "Updated", "Statistics", "Why"],
        leftBound: [1, 2, 3, 4, 9, 10],
        members.map { member in
            [
                "\(member.id)", member.member, member.on ? "on" : "off", member.up ? "up" : "down",
                member.isIn ? "in" : "out", member.inFlight.map { "\($0)" } ?? "-",
                member.load.map { decimal($0, places: 3) } ?? "-", member.idle.map { decimal($0, places: 3) } ?? "-",
                member.updated.map { "\($0) s" } ?? "-",
                member.statistics.sorted { $0.key < $1.key }.map { "\($0.key)=\(decimal($0.value, places: 3))" }
                    .joined(separator: " "),
                member.reason,
            ]
        })
}
