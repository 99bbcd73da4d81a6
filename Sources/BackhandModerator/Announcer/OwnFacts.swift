// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText
internal import BackhandWire

/// What this server tells of itself, apart from where, and from when.
@inline(never)
func ownFacts(_ sample: HostSample, _ workers: bh_workers_t, workerMemory: UInt64, arriba: Int32) -> bh_facts_t {
    var facts = bh_facts_t()
    facts.load = sample.load
    facts.cpu = sample.idle
    facts.ncpu = sample.cpus
    facts.total_memory = sample.totalMemory
    facts.free_memory = sample.availableMemory
    facts.worker_memory = workerMemory
    facts.arriba = arriba
    facts.idle_workers = max(workers.idle, 0)
    facts.kept_workers = max(workers.kept, 0)
    facts.workers = facts.idle_workers.addingReportingOverflow(max(workers.busy, 0)).partialValue
    return facts
}

/// What all cores together can do, in thousands of arriba; 0 if the speed is not known yet. cores: thousandths.
public func capacity(arriba: Int32, cores: UInt32) -> UInt32 {
    guard arriba > 0, cores > 0 else { return 0 }
    return UInt32(clamping: max(1, UInt64(arriba) * UInt64(cores) / 1_000_000))
}

extension bh_facts_t {
    /// What this httpd did in the last window.
    mutating func setMeans(_ window: OwnWindow, dispatched: UInt64) {
        self.dispatched = dispatched
        mean_in_flight = window.meanInFlight
        arrival_rate = window.arrivalRate
        first_byte_us = window.firstByte
        latency_us = window.latency
        error_ppm = window.errorShare
    }

    /// Takes over the name of a check; what does not fit is cut, and what is not announced becomes "-".
    mutating func setCheckName(_ name: Message) {
        withUnsafeMutableBytes(of: &check_name) { room in
            for (place, byte) in name.bytes.prefix(room.count - 1).enumerated() {
                room[place] = isCheckNameByte(byte) ? byte : UInt8(ascii: "-")
            }
        }
    }
}

/// Mean private memory of one worker, in bytes, over the processes that can be measured; 0 if none can.
@inline(never)
func meanWorkerMemory(_ workers: bh_workers_t, privateMemory: (Int32) -> UInt64?) -> UInt64 {
    var sum: UInt64 = 0
    var processes: UInt64 = 0
    withUnsafeBytes(of: workers.pids) { pids in
        for pid in pids.bindMemory(to: Int32.self) where pid > 0 {
            guard let bytes = privateMemory(pid) else { continue }
            let (total, overflow) = sum.addingReportingOverflow(bytes)
            sum = overflow ? .max : total
            processes += 1
        }
    }
    guard processes > 0 else { return 0 }
    return sum / processes / UInt64(max(workers.threads, 1))
}
