// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What one rule's requests met with, after the warm-up.
public struct Tally: Sendable {
    /// Seconds, a failure being ``World/failure``.
    public internal(set) var latencies: [Double] = []
    /// Requests that failed.
    public internal(set) var failures = 0
    /// Attempts by server.
    public internal(set) var shares: [Int] = []
    /// In a symmetric cluster: attempts elsewhere than where the request came.
    public internal(set) var sentOn = 0

    mutating func reserve(_ count: Int) {
        latencies.reserveCapacity(count)
    }

    mutating func add(_ arrived: Double, _ latency: Double, _ warmUp: Double) {
        if arrived >= warmUp { latencies.append(latency) }
    }

    mutating func fail(_ arrived: Double, _ latency: Double, _ warmUp: Double) {
        guard arrived >= warmUp else { return }
        latencies.append(latency)
        failures += 1
    }

    mutating func sent(to server: Int, of servers: Int, _ arrived: Double, _ warmUp: Double) {
        guard arrived >= warmUp else { return }
        if shares.isEmpty { shares = Array(repeating: 0, count: servers) }
        shares[server] += 1
    }

    mutating func merge(_ other: Tally) {
        latencies += other.latencies
        failures += other.failures
        sentOn += other.sentOn
        if shares.isEmpty {
            shares = other.shares
        } else {
            for index in other.shares.indices { shares[index] += other.shares[index] }
        }
    }

    /// Sorts once for all quantiles.
    func summary() -> Summary {
        let sorted = latencies.sorted()
        func quantile(_ share: Double) -> Double {
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] * 1000
        }
        let mean = sorted.isEmpty ? 0 : sorted.reduce(0, +) / Double(sorted.count) * 1000
        return Summary(
            requests: sorted.count, failures: failures, mean: mean, p50: quantile(0.5), p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999), shares: shares, sentOn: sentOn)
    }
}

/// Latencies in milliseconds.
public struct Summary: Sendable, Equatable {
    /// All requests, the failed ones included.
    public let requests: Int
    /// Requests that failed.
    public let failures: Int
    /// The mean.
    public let mean: Double
    /// The median.
    public let p50: Double
    /// The 90th percentile.
    public let p90: Double
    /// The 99th percentile.
    public let p99: Double
    /// The 99.9th percentile.
    public let p999: Double
    /// Attempts by server.
    public let shares: [Int]
    /// In a symmetric cluster: attempts elsewhere than where the request came.
    public let sentOn: Int
}
