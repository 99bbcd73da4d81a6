// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// The capacity of a server for the requests that it has, in thousands of arriba; 0: it announced none.
///
/// A server whose requests compute has that of its cores, less what its neighbours use. If they wait for something
/// else, its cores do for more of them, in the end for as many as it has workers. CPUs say which it is, by use, the CPU
/// that was used for each request in flight, and own, what httpd itself used for each:
///
///     n = min(workers, left / min(1, 2 use)),  left = cores - min(1, 2 own) (cores - free)
///
/// free is what others leave: the CPUs less all CPU that is busy and not httpd's own; an eighth of the cores at least,
/// because a process that asks for more gets more. Both uses are doubled, because their means are less than 1 where
/// requests come and go. Where there are no requests they are not known: use, which counts a twentieth of a core and of
/// a request more, is then 1, and own is 0. Requests may compute in other processes (FastCGI): of a server that has all
/// CPUs of its machine, and many workers a core, the CPU that is busy counts, whatever process uses it.
public func effectiveCapacity(for facts: bh_facts_t) -> UInt32 {
    let speed = Double(facts.arriba)
    let capacity = Double(facts.capacity)
    guard speed > 0, capacity > 0 else { return 0 }
    let cores = capacity / speed * 1000
    let own = facts.cpu_used == BH_CPU_UNKNOWN ? 0 : Double(facts.cpu_used) / 1000
    let busy = busyCPUs(facts)
    let computing = cpuOfRequests(facts, own, busy, cores)
    let flying = atWork(facts, computing, cores)
    let use = min(1, 2 * (computing + 0.05) / (flying + 0.05))
    let ownUse = min(1, 2 * own / (flying + 0.05))
    let cpus = facts.ncpu > 0 ? Double(facts.ncpu) : cores
    let free = min(cores, max(cores / 8, cpus - max(0, busy - own)))
    let left = cores - ownUse * (cores - free)
    let all = left * speed / 1000 / use
    let workers = facts.workers > 0 ? speed / 1000 * Double(facts.workers) : all
    return UInt32(max(1, min(all, workers, Double(UInt32.max - 1))))
}

/// Requests in flight, without those that wait for a core; at least as many as there are cores for.
///
/// Where cores are idle for a share i of the time, 1/i - 1 requests wait for a core for each one that computes (M/M/1).
/// A server with a quota has no more than that, however idle its machine is. Cores that are busy for nine tenths of the
/// time count as full: then any number may wait.
private func atWork(_ facts: bh_facts_t, _ computing: Double, _ cores: Double) -> Double {
    let flying = Double(facts.mean_in_flight) / 1000
    let idle = (min(idleShare(facts), 1 - computing / cores) - 0.1) / 0.9
    return max(min(flying, cores), idle > 0 ? flying - computing * (1 / idle - 1) : 0)
}

/// CPUs of the machine that were busy over the last window.
private func busyCPUs(_ facts: bh_facts_t) -> Double {
    Double(max(facts.ncpu, 0)) * (1 - idleShare(facts))
}

/// Of the CPUs over the last window, 0 to 1.
private func idleShare(_ facts: bh_facts_t) -> Double {
    Double(min(max(facts.cpu, 0), 1000)) / 1000
}

/// Cores' worth of CPU that the server's requests may have used over the last window.
private func cpuOfRequests(_ facts: bh_facts_t, _ own: Double, _ busy: Double, _ cores: Double) -> Double {
    // A configuration with this few workers a core means them to be the limit; capacity is cut to whole numbers, so the
    // cores may be a little less than they are.
    guard Double(facts.workers) > 17 * cores else { return own }
    // What is busy in a machine that others share says nothing of us: a container, or a capacity that the configuration
    // has set.
    guard cores > 0.9 * Double(facts.ncpu) else { return own }
    return max(own, busy)
}
