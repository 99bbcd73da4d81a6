// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
internal import CBackhand

/// What a check has found, as the JSON spells it, in the order of bh_finding_t.
private var findingNames: StaticString { "none\0passes\0busy\0status\0timeout\0refused\0closed\0text\0invalid\0tls" }

/// Names of later programs' findings are not known.
func findingName(_ finding: UInt32) -> Word {
    Word(findingNames.text(at: finding) ?? ("invalid" as StaticString).characters)
}

extension Message {
    /// What a check has found, for people: "status 503".
    ///
    /// - Parameter status: the status that was not expected; 0: there was none.
    public mutating func add(finding: UInt32, status: UInt32) {
        switch finding {
        case BH_FINDING_STATUS.rawValue:
            add("status ")
            add(UInt64(status))
        case BH_FINDING_TEXT.rawValue: add("text missing")
        case BH_FINDING_CLOSED.rawValue: add("closed without an answer")
        case BH_FINDING_INVALID.rawValue: add("no HTTP")
        case BH_FINDING_TLS.rawValue: add("speaks TLS")
        default: add(findingName(finding).bytes)
        }
    }
}

extension bh_facts_t {
    /// Whether its own checks speak against it.
    var isFailing: Bool { check & BH_CHECK_FAILING != 0 }
}

/// What the server's checks have found, and what the kernel says about its port.
func writeService(_ facts: bh_facts_t, to page: inout JSONPage) {
    page.field("check", findingName(facts.check & 0xff))
    page.field("check_failing", facts.isFailing)
    page.field("check_status", UInt64(facts.check >> 16))
    withUnsafePointer(to: facts) { page.field("check_name", Word(bh_facts_check_name($0))) }
    guard facts.counts_connections != 0 else { return }
    page.field("connections", UInt64(facts.connections))
    page.field("listen_queue", UInt64(facts.listen_queue))
}
