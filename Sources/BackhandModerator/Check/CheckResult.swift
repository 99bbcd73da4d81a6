// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// What one check has found.
struct CheckResult: Equatable {
    /// Why it fails, or that it does not.
    var finding: bh_finding_t
    /// The status of HTTP; 0: there was none.
    var status: UInt32

    static let passes = CheckResult(finding: BH_FINDING_PASSES)
    static let busy = CheckResult(finding: BH_FINDING_BUSY)
    static let timeout = CheckResult(finding: BH_FINDING_TIMEOUT)
    static let refused = CheckResult(finding: BH_FINDING_REFUSED)
    static let closed = CheckResult(finding: BH_FINDING_CLOSED)

    /// As a row has it; nil: it does not speak against the application.
    init?(announced word: UInt32) {
        self.init(finding: bh_finding_t(rawValue: word & 0xff), status: word >> 16)
        guard fails else { return nil }
    }

    /// One of these.
    init(finding: bh_finding_t, status: UInt32 = 0) { (self.finding, self.status) = (finding, status) }

    /// Whether it speaks against the application.
    var fails: Bool { finding.rawValue > BH_FINDING_BUSY.rawValue }
}

extension CheckAnswer {
    /// What a whole answer means; nil if it is not whole.
    func result(expecting ranges: StatusRanges) -> CheckResult? {
        switch self {
        case .unfinished: nil
        case .status(let status):
            ranges.contains(status) ? .passes : CheckResult(finding: BH_FINDING_STATUS, status: status)
        case .lacksText(let status):
            CheckResult(finding: ranges.contains(status) ? BH_FINDING_TEXT : BH_FINDING_STATUS, status: status)
        case .invalid: CheckResult(finding: BH_FINDING_INVALID)
        case .tls: CheckResult(finding: BH_FINDING_TLS)
        }
    }
}
