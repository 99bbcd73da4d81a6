// Licensed under the Apache License, Version 2.0; see LICENSE.

/// How long somebody may have kept an announcement back before its server has to prove itself; milliseconds.
let keptBackLimit = UInt64(3000)

/// When a server's announcements are due: their numbers are its clock, one a second. What comes later than its number says was kept back on the way, or
/// its server made a pause; however many were lost between.
///
/// The clock runs from the announcement that came soonest of those since the last proof. Times are CLOCK_MONOTONIC milliseconds.
struct Pace {
    private var sequence: UInt64
    private var came: UInt64

    /// Runs from an announcement that is known to be fresh.
    init(sequence: UInt64 = 0, came: UInt64 = 0) {
        self.sequence = sequence
        self.came = came
    }

    /// How much too late an announcement is with this number, if it comes now; 0 if it is early.
    func lateness(of sequence: UInt64, now: UInt64) -> UInt64 {
        let due = due(sequence)
        return now > due ? now - due : 0
    }

    /// Notes an announcement that was believed. One that is too late has proved itself otherwise: the clock runs from it.
    mutating func take(_ sequence: UInt64, now: UInt64) {
        if now < due(sequence) || lateness(of: sequence, now: now) >= keptBackLimit { self = Pace(sequence: sequence, came: now) }
    }

    private func due(_ sequence: UInt64) -> UInt64 {
        guard sequence > self.sequence else { return came }
        let (span, isTooFar) = (sequence - self.sequence).multipliedReportingOverflow(by: 1000)
        return isTooFar ? .max : came.addingReportingOverflow(span).overflow ? .max : came + span
    }
}
