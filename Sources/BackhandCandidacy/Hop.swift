// Licensed under the Apache License, Version 2.0; see LICENSE.

/// One side of a forecast: this server, or the best of the others. Times in microseconds; 0: not known.
struct ForecastSide: Equatable {
    /// That a request of the chain took, as this httpd has seen it.
    let seen: Double
    /// That requests took by what the server itself measured; of this server the same as seen.
    let told: Double
    /// Requests that were there while these times were taken, on average, and those that are there now.
    let mean: Double
    let now: Double
    /// Requests that it can serve at once without slowing down.
    let room: Double

    /// How many times longer than alone a request takes among so many.
    fileprivate func slowdown(_ requests: Double) -> Double { max(1, requests / room) }
    /// The time alone; what was seen of a server and what it says must both be short.
    fileprivate var alone: Double { max(seen, told) / slowdown(mean + 1) }
}

/// Whether forwarding pays.
///
///     x + 1 > limit,  or  t_there <= t_here / 2  and  t_there max(1, (x + 1) / n_there) + hop < t_here
///     limit = 1.75 max(n, Q + 1)  where as many clients come here as is this server's share
///             n                   where more do, or fewer
///     hop = seen there - told by it
///
/// n is a side's room, x its requests now, Q their mean and t its time alone. Where all nodes get their share, what is more here than elsewhere is chance, and
/// over before a neighbour's announcement tells of it: to exchange requests then costs their hops and gains nothing. Where more comes here, others must
/// serve some of it, but for what one more slows nothing down; and where fewer do, others send theirs. Times are means of the last requests, a few where little is sent, so less than half is
/// what is known for sure. What a request of ours took there, and the server itself did not count, is the hop: the network, and the CPU at both ends.
struct Hop: Equatable {
    let here: ForecastSide
    let there: ForecastSide
    /// Requests of clients that come here, over this server's share; 0: not known.
    let asked: Double

    /// Known for sure: less than this share of the time.
    static var surely: Double { 0.5 }
    /// Counts of ten seconds differ by chance.
    static var share: Double { 1.25 }

    /// With four cores, evenly asked at half of what they can do, 1.5 sends on 5.5 % of the requests, 1.75 2.5 % and 2 1.2 %; p99 is 95, 97 and 99 ms. At four
    /// fifths it is 121, 135 and 148 ms.
    static var patience: Double { 1.75 }

    private var limit: Double {
        asked * Self.share >= 1 && asked <= Self.share ? Self.patience * max(here.room, here.mean + 1) : here.room
    }

    var pays: Bool {
        guard here.now + 1 <= limit else { return true }
        guard here.alone > 0, there.alone > 0, there.alone <= Self.surely * here.alone else { return false }
        let price = there.told > 0 ? max(0, there.seen - there.told) : 0
        return there.alone * there.slowdown(there.now + 1) + price < here.alone
    }
}
