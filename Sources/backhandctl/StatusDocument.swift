// Licensed under the Apache License, Version 2.0; see LICENSE.

import FoundationEssentials

/// What the table needs of the moderator's answer; docs/status.md describes all of it.
struct StatusDocument: Decodable {
    var servers: [Server]
    /// Why the table tells nothing of now; empty: it does.
    var trouble: String?
    var notInTable: [Sender]?

    enum CodingKeys: String, CodingKey {
        case servers, trouble
        case notInTable = "not_in_table"
    }

    /// A sender that was heard, and is not among the servers.
    struct Sender: Decodable {
        var address: String
        var reason: String
        var ageMilliseconds: UInt64
        var times: UInt64

        enum CodingKeys: String, CodingKey {
            case address, reason, times
            case ageMilliseconds = "age_ms"
        }
    }

    struct Server: Decodable {
        var row: Row
        /// nil: it announces nothing, or nothing any more, and the configuration names it.
        var facts: Facts?

        init(from decoder: any Decoder) throws {
            row = try Row(from: decoder)
            facts = row.workers == nil ? nil : try Facts(from: decoder)
        }
    }

    /// Which server it is, and what this httpd sees of it.
    struct Row: Decodable {
        var id: Int
        var hostname: String
        var address: String
        var port: Int
        var ageMilliseconds: UInt64?
        /// nil: as facts.
        var workers: Int?
        var served: UInt64
        var meanMilliseconds: Double
        var state: String
        var reason: String?
        var kept: UInt64?

        enum CodingKeys: String, CodingKey {
            case id, hostname, address, port, workers, served, state, reason, kept
            case ageMilliseconds = "age_ms"
            case meanMilliseconds = "mean_ms"
        }
    }

    /// What a server announces.
    struct Facts: Decodable {
        var memoryTotal: UInt64
        var memoryAvailable: UInt64
        var workers: Int
        var workersIdle: Int
        var arriba: Int
        var cpus: Int
        var load: Double
        var loadHighWaterMark: Double
        var idle: Double
        var dispatched: UInt64
        var meanInFlight: Double
        var arrivalRate: Double
        var firstByteMilliseconds: Double
        var latencyMilliseconds: Double
        var cpuUsed: Double?
        var capacity: UInt64
        var errorShare: Double
        var encodedSlashes: String?
        var mergeSlashes: String?

        enum CodingKeys: String, CodingKey {
            case workers, arriba, load, dispatched, capacity
            case memoryTotal = "memory_total"
            case memoryAvailable = "memory_available"
            case workersIdle = "workers_idle"
            case cpus = "ncpu"
            case loadHighWaterMark = "load_hwm"
            case idle = "cpu_idle"
            case meanInFlight = "mean_in_flight"
            case arrivalRate = "arrival_rate"
            case firstByteMilliseconds = "first_byte_ms"
            case latencyMilliseconds = "latency_ms"
            case cpuUsed = "cpu_used"
            case errorShare = "error_share"
            case encodedSlashes = "encoded_slashes"
            case mergeSlashes = "merge_slashes"
        }
    }
}

extension StatusDocument {
    /// A whole answer, read; what is cut, an error or something else is a complaint (docs/control.md).
    init(_ answer: [UInt8], from path: String) throws {
        self = try decodeAnswer(answer, from: path)
    }
}

extension OrderAnswer {
    init(_ answer: [UInt8], from path: String) throws {
        self = try decodeAnswer(answer, from: path)
    }
}

/// Reads a whole answer of the moderator.
func decodeAnswer<Answer: Decodable>(_ answer: [UInt8], from path: String) throws -> Answer {
    guard !answer.isEmpty else { throw Complaint("\(path) gave no answer: is httpd just being restarted?") }
    guard answer.last == UInt8(ascii: "\n") else { throw Complaint("the answer of \(path) is cut: try again") }
    let data = Data(answer)
    if let refusal = try? JSONDecoder().decode(Refusal.self, from: data) {
        throw Complaint("\(path) refuses: \(refusal.error)")
    }
    do {
        return try JSONDecoder().decode(Answer.self, from: data)
    } catch {
        throw Complaint(
            "\(path) gave an answer that this backhandctl does not understand; are both of the same version?")
    }
}

/// What the moderator answers to a line that it does not like.
private struct Refusal: Decodable {
    var error: String
}
