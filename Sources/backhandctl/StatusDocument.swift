// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What the table needs of the moderator's answer; docs/status.md describes all of it.
struct StatusDocument: Decodable {
    var servers: [Server]

    struct Server: Decodable {
        var id: Int
        var hostname: String
        var address: String
        var port: Int
        var ageMilliseconds: UInt64
        var memoryTotal: UInt64
        var memoryAvailable: UInt64
        var workers: Int
        var workersIdle: Int
        var served: UInt64
        var meanMilliseconds: Double
        var arriba: Int
        var cpus: Int
        var load: Double
        var loadHighWaterMark: Double
        var idle: Double

        enum CodingKeys: String, CodingKey {
            case id, hostname, address, port, workers, served, arriba, load
            case ageMilliseconds = "age_ms"
            case memoryTotal = "memory_total"
            case memoryAvailable = "memory_available"
            case workersIdle = "workers_idle"
            case meanMilliseconds = "mean_ms"
            case cpus = "ncpu"
            case loadHighWaterMark = "load_hwm"
            case idle = "cpu_idle"
        }
    }
}
