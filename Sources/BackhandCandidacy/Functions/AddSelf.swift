// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Appends the local server, if it is not among the candidates and has announced itself.
    static var addSelf: CandidacyFunction {
        CandidacyFunction("addSelf") { candidates, _ in
            let segment = candidates.segment
            let own = candidates.ownID
            // A chain of members has none.
            guard own >= 0 else { return }
            let row = bh_segment_row(segment, UInt32(own))
            guard bh_segment_rows(segment) > UInt32(own), bh_row_heard(row) != 0, candidates.admits(row, own),
                candidates.takesRequests(row)
            else { return }
            for place in 0..<candidates.count where candidates.list[place].id == own { return }
            candidates.append(own)
        }
    }
}
