// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand
internal import CSystem

extension serverstat {
    /// What functions of old see of these facts: names cut, memory in megabytes, IPv4 only. Feedback is zero.
    init(_ facts: bh_facts_t) {
        self.init()
        copyHostname(facts)
        if let ipv4 = facts.address.ipv4 {
            contact.sin_family = sa_family_t(AF_INET)
            contact.sin_port = facts.port.bigEndian
            contact.sin_addr.s_addr = ipv4.bigEndian
        } else {
            contact.sin_family = sa_family_t(AF_UNSPEC)
        }
        mtime = time_t(clamping: facts.changed_wall)
        arriba = facts.arriba
        aservers = facts.idle_workers
        nservers = facts.workers
        load = facts.load
        load_hwm = facts.load_hwm
        cpu = facts.cpu
        ncpu = facts.ncpu
        tmem = Int32(clamping: facts.total_memory >> 20)
        amem = Int32(clamping: facts.free_memory >> 20)
    }

    /// The last byte stays the NUL that it is.
    private mutating func copyHostname(_ facts: bh_facts_t) {
        withUnsafeMutableBytes(of: &hostname) { to in
            withUnsafeBytes(of: facts.hostname) { from in
                for index in 0..<(to.count - 1) {
                    guard from[index] != 0 else { break }
                    to[index] = from[index]
                }
            }
        }
    }
}
