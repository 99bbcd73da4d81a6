// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand
internal import CSystem

extension CandidacyFunction {
    /// Cheapest first: the servers whose cost grows least by one more job.
    static var byCost: CandidacyFunction {
        CandidacyFunction("byCost") { candidates, _ in
            guard candidates.count > 1 else { return }
            let scale = CostScale(candidates)
            // The second sort keeps what the first did among equals: ties are decided by present cost, then by the
            // order before.
            candidates.sort { slot, segment in SortKey(scale.present(Usage(segment, slot.row))) }
            candidates.sort { slot, segment in SortKey(scale.marginal(Usage(segment, slot.row))) }
        }
    }
}

/// What a server uses now and what one more job would add.
struct Usage {
    /// In thousandths.
    let load: Double
    /// Shares of all its memory, 0...1. Memory that is not known counts as full.
    let memory: Double
    let jobMemory: Double

    init(load: Double, memory: Double, jobMemory: Double) {
        self.load = load
        self.memory = memory
        self.jobMemory = jobMemory
    }

    init(_ segment: UnsafePointer<bh_segment_t>, _ id: UInt32) {
        let row = PublicRow(segment, id)
        load = Double(row.load)
        let facts = UnsafeMutablePointer(mutating: bh_segment_row(segment, id))
        let worker = Double(bh_word_load(&facts.pointee.facts.worker_memory))
        let total = Double(row.totalMemory)
        guard total > 0 else {
            memory = 1
            jobMemory = worker > 0 ? 1 : 0
            return
        }
        memory = max(0, total - Double(row.availableMemory)) / total
        jobMemory = min(1, worker / (total * 1_048_576))
    }
}

/// The cost of a server in a cluster of n: n^(used memory / total memory) + n^(load / L).
///
/// Amir, Awerbuch, Barak, Borgstrom, Keren: An Opportunity Cost Approach for Job Assignment in a Scalable Computing
/// Cluster, IEEE TPDS 11(7), 2000. There L is the smallest power of two above the largest load seen so far; here it is
/// the announced high-water mark, as mod_backhand rounds it. A job is load 1.000 and the mean memory of one of the
/// server's workers. n^0 to n^2 with n up to 2048: every cost is finite, and none is negative.
struct CostScale {
    private let n: Double
    /// L in thousandths, at least 1000.
    private let limit: Double
    /// n^(1/L) - 1: by which share a job raises the load term.
    private let rise: Double

    init(_ candidates: Candidates) {
        self.init(servers: candidates.count, limit: loadLimit(candidates))
    }

    init(servers: Int, limit: Int64) {
        n = Double(max(2, servers))
        self.limit = Double(limit)
        rise = csystem_pow(n, 1000 / self.limit) - 1
    }

    func present(_ usage: Usage) -> Double {
        csystem_pow(n, usage.memory) + csystem_pow(n, usage.load / limit)
    }

    /// By how much one more job raises the cost.
    func marginal(_ usage: Usage) -> Double {
        let load = csystem_pow(n, usage.load / limit) * rise
        guard usage.jobMemory > 0 else { return load }
        return load + csystem_pow(n, usage.memory) * (csystem_pow(n, usage.jobMemory) - 1)
    }
}

/// L in thousandths: the largest announced high-water mark, but at least the smallest power of two that no load
/// exceeds.
private func loadLimit(_ candidates: Candidates) -> Int64 {
    var mark: Int64 = 1000
    var load: Int64 = 0
    for place in 0..<candidates.count {
        let row = PublicRow(candidates.segment, candidates.list[place].row)
        mark = max(mark, row.loadHighWaterMark)
        load = max(load, row.load)
    }
    var limit: Int64 = 1000
    while limit < load { limit &*= 2 }
    return max(limit, mark)
}
