// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// The recommended chain in one word: byAge 6, byHealth, byForecast. Where it is the last resort, byHealth has the
    /// last word.
    static var recommended: CandidacyFunction {
        CandidacyFunction("default") { candidates, _ in
            let none = StepArgument(number: 0, text: nil)
            // If all members are silent, it may be the network that is.
            if !candidates.hasAnnounced || (candidates.isLastResort && !candidates.members.isEmpty) {
                if candidates.hasDoubtful { candidates.dropBroken(heardBefore: 0) }
                // mod_proxy asks for one member at a time.
                candidates.sortByTime(first: candidates.isLastResort ? bestPlaces : 1)
            } else {
                // They come once a second: where one in five is lost, no server misses six in a row for hours.
                candidates.dropBroken(heardBefore: candidates.time(before: 6000))
                CandidacyFunction.byForecast.apply(&candidates, none)
            }
            if candidates.isLastResort { CandidacyFunction.byHealth.apply(&candidates, none) }
        }
    }
}
