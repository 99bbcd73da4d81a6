// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// How often others can make us send something: challenges to recordings of announcements, answers to recordings of
/// challenges.
///
/// The common bound keeps us from sending much to any host. The narrower ones before it keep it for all: a host that
/// plays one recording again and again uses up what that recording may cause from there, a host that plays many, what
/// one sender may cause. What they refuse takes nothing from the common bound.
///
/// The subject is what a recording cannot change: the boot id of an announcement, the nonce of a challenge.
struct ReplyLimit {
    /// One subject of one sender: a new server is asked at each announcement, once a second, and at a change of state
    /// three times in a row.
    private var pairs: TokenSketch
    /// One subject, from all senders: a server on several networks is heard from an address in each.
    private var subjects: TokenSketch
    /// One sender: as many httpds as a sender may bring (NewcomerLimit), and 25 a second after that.
    private var senders: TokenSketch
    /// All servers of a full table may be new at once; after that a steady trickle.
    private var all = TokenBucket(burst: UInt64(BH_ROWS), interval: 4, now: 0)
    /// What is newer than anything of its subject, which no recording of what we have heard is: nothing that is played
    /// back uses up these two.
    private var newest = NewestSketch()
    private var news: TokenSketch
    private var newsSenders: TokenSketch

    init(secret: UInt64) {
        pairs = TokenSketch(burst: 4, interval: 500, secret: secret)
        subjects = TokenSketch(burst: 8, interval: 250, secret: ~secret)
        senders = TokenSketch(burst: 32, interval: 40, secret: mix(secret))
        news = TokenSketch(burst: 4, interval: 500, secret: mix(~secret))
        newsSenders = TokenSketch(burst: 32, interval: 40, secret: mix(mix(secret)))
    }

    /// Whether the sender may cause one more with this subject; if not, even its signature need not be checked.
    ///
    /// - Parameter sequence: number of the announcement; 0: it has none.
    func allows(_ subject: UInt64, _ sender: bh_address_t, sequence: UInt64 = 0, now: UInt64) -> Bool {
        newest.isNew(sequence, of: subject) || pairs.has(pair(subject, sender), now: now)
    }

    /// Takes one; false if there is none left. Only for what is signed: a number counts from now on.
    ///
    /// - Parameter isAtHome: whether the subject comes from the address that it names itself: what others do with it
    ///   elsewhere does not count then.
    mutating func take(
        _ subject: UInt64, _ sender: bh_address_t, isAtHome: Bool = false, sequence: UInt64 = 0, now: UInt64
    ) -> Bool {
        if newest.note(sequence, of: subject, now: now), takeNews(subject, sender, now: now) { return true }
        // What one bound refuses must not use up another.
        guard pairs.has(pair(subject, sender), now: now), isAtHome || subjects.has(subject, now: now),
            senders.has(key(sender), now: now),
            all.take(now: now)
        else { return false }
        _ = pairs.take(pair(subject, sender), now: now)
        if !isAtHome { _ = subjects.take(subject, now: now) }
        return senders.take(key(sender), now: now)
    }

    /// Many recordings of a server that is gone are new once each, one after the other: they are bounded too.
    private mutating func takeNews(_ subject: UInt64, _ sender: bh_address_t, now: UInt64) -> Bool {
        guard news.has(subject, now: now), newsSenders.has(key(sender), now: now), all.take(now: now) else {
            return false
        }
        _ = news.take(subject, now: now)
        return newsSenders.take(key(sender), now: now)
    }

    private func pair(_ subject: UInt64, _ sender: bh_address_t) -> UInt64 {
        mix(subject) ^ key(sender)
    }
}

/// One number of an address, for sketches.
func key(_ address: bh_address_t) -> UInt64 {
    mix(address.high) ^ address.low
}
