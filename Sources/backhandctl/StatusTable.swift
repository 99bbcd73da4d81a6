// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A server that has not been heard for longer than byAge allows by default (SERVER_TIMEOUT) is marked.
private let staleMilliseconds: UInt64 = 20_000

/// The table of the status page, for a terminal.
func statusTable(_ document: StatusDocument) -> String {
    let header = [
        "Entry", "Hostname", "Age", "Address", "Total Mem", "Avail Mem", "Ready/Total", "~ms/req [#req]", "Arriba",
        "CPUs",
        "Load/HWM", "CPU Idle", "Kept", "State", "Why",
    ]
    let refused = (document.notInTable ?? []).map { sender in
        "not in the table: \(sender.address): \(sender.reason) (\(sender.times) datagrams, the last "
            + "\(sender.ageMilliseconds / 1000) s ago)"
    }
    return
        ([table(header, document.servers, leftBound: [1, 3, 13, 14], cells)] + slashesLines(document.servers) + refused)
        .joined(separator: "\n")
}

/// What the servers have of AllowEncodedSlashes and MergeSlashes, where that differs.
private func slashesLines(_ servers: [StatusDocument.Server]) -> [String] {
    let known = servers.filter { ($0.facts?.encodedSlashes ?? "unknown") != "unknown" }
    let values = Dictionary(grouping: known) {
        "AllowEncodedSlashes \($0.facts?.encodedSlashes ?? ""), MergeSlashes \($0.facts?.mergeSlashes ?? "")"
    }
    guard values.count > 1 else { return [] }
    return values.keys.sorted().map { value in "\(value): " + (values[value] ?? []).map(address).joined(separator: " ")
    }
}

/// What the servers announced of their last second.
func meansTable(_ document: StatusDocument) -> String {
    let header = [
        "Entry", "Hostname", "Age", "Address", "In Flight", "Req/s", "First Byte", "Whole", "CPU Used", "Capacity",
        "Errors", "Dispatched",
    ]
    return table(header, document.servers.filter { $0.facts != nil }, leftBound: [1, 3], meansCells)
}

private func table(
    _ header: [String], _ servers: [StatusDocument.Server], leftBound: Set<Int>,
    _ cells: (StatusDocument.Server) -> [String]
) -> String {
    var lines = columns(header, leftBound: leftBound, servers.map(cells))
    if servers.contains(where: isStale) {
        lines += "\n! not heard for more than \(staleMilliseconds / 1000) seconds"
    }
    return lines
}

/// Lines with the same columns, below their header.
func columns(_ header: [String], leftBound: Set<Int>, _ rows: [[String]]) -> String {
    let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
    return ([header] + rows).map { row in
        row.indices.map { aligned(row[$0], to: widths[$0], left: leftBound.contains($0)) }.joined(separator: "  ")
            .trimmedEnd
    }.joined(separator: "\n")
}

private func isStale(_ server: StatusDocument.Server) -> Bool {
    (server.row.ageMilliseconds ?? 0) > staleMilliseconds
}

/// What both tables begin with.
private func name(_ server: StatusDocument.Server) -> [String] {
    [
        "\(server.row.id)",
        server.row.hostname,
        server.row.ageMilliseconds.map { (isStale(server) ? "! " : "") + "\($0 / 1000)" } ?? "-",
        address(server),
    ]
}

private func address(_ server: StatusDocument.Server) -> String {
    let row = server.row
    return (row.address.contains(":") ? "[\(row.address)]" : row.address) + ":\(row.port)"
}

private func meansCells(_ server: StatusDocument.Server) -> [String] {
    guard let facts = server.facts else { return [] }
    return name(server) + [
        decimal(facts.meanInFlight, places: 1),
        decimal(facts.arrivalRate, places: 0),
        decimal(facts.firstByteMilliseconds, places: 1) + " ms",
        decimal(facts.latencyMilliseconds, places: 1) + " ms",
        facts.cpuUsed.map { decimal($0, places: 2) } ?? "-",
        "\(facts.capacity)",
        decimal(facts.errorShare * 100, places: 1) + " %",
        "\(facts.dispatched)",
    ]
}

private func cells(_ server: StatusDocument.Server) -> [String] {
    let (row, facts) = (server.row, server.facts)
    let requests = "\(Int64(clamping: row.meanMilliseconds)) [\(row.served)]"
    let seen = [row.kept.map { "\($0)" } ?? "-", row.state, row.reason ?? ""]
    guard let facts else { return name(server) + ["-", "-", "-", requests, "-", "-", "-", "-"] + seen }
    let announced = [
        memory(facts.memoryTotal),
        memory(facts.memoryAvailable),
        "\(facts.workersIdle)/\(facts.workers)",
        requests,
        "\(facts.arriba)",
        "\(facts.cpus)",
        decimal(facts.load, places: 2) + "/\(Int64(clamping: facts.loadHighWaterMark))",
        decimal(facts.idle, places: 3),
    ]
    return name(server) + announced + seen
}

/// Bytes in the largest binary unit that leaves a whole number of them.
private func memory(_ bytes: UInt64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    return decimal(value, places: unit > 2 ? 1 : 0) + " " + units[unit]
}

/// A number with this many places, rounded.
func decimal(_ value: Double, places: Int) -> String {
    let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int64(clamping: (value * Double(scale)).rounded())
    guard places > 0 else { return "\(scaled)" }
    let digits = "\(scaled.magnitude)"
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return (scaled < 0 ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places)
}

private func aligned(_ text: String, to width: Int, left: Bool) -> String {
    let filling = String(repeating: " ", count: max(0, width - text.count))
    return left ? text + filling : filling + text
}

extension String {
    fileprivate var trimmedEnd: String {
        var end = endIndex
        while end > startIndex, self[index(before: end)] == " " { end = index(before: end) }
        return String(self[..<end])
    }
}

extension Int64 {
    /// The whole part, as near as fits; 0 if it is not a number.
    fileprivate init(clamping value: Double) {
        self = value.isNaN ? 0 : Int64(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
    }
}
