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
    let concurrency: Double
    /// Of its cores, also if other programs use them; in arriba or any other unit that both sides have.
    let capacity: Double
    /// Share of its machine's CPUs that was idle, 0 to 1.
    let idle: Double

    /// How many times longer a request takes among this many than alone.
    fileprivate func slowdown(_ requests: Double) -> Double { max(1, requests / concurrency) }
    /// The time alone; what was seen of a server and what it says must both be short.
    fileprivate var alone: Double { max(seen, told) / slowdown(mean + 1) }
}

/// Whether forwarding pays, if the forecast is better there, which counts the hop: the time that was seen there has the
/// network and both ends in it.
///
///     x + 1 > limit  or  t_there <= t_here / 2  and  t_there max(1, (x + 1) / n_there) + hop < t_here
///     limit = min(m max(n, u), u + 4 sqrt(u))     where as many clients come here as is this server's share
///             min(n, u + 4 sqrt(u))               where more do, or fewer, or that is not known
///     m = 1 + 0.75 min(1, max(0, 4 - 5 Q_there / n_there, 5 i_there - 1))
///     u = max(1, (Q_there + 1) C / C_there)
///     hop = seen there - told by it
///
/// n is a side's concurrency, C its capacity, x its requests now, Q their mean, t its time alone and i the idle share
/// of its CPUs; u is what is usual here if the neighbour has what is usual there. Where all nodes get their share, what
/// is more here than elsewhere is chance, and over before a neighbour's announcement tells of it: to exchange requests
/// then costs their hops and gains nothing; less so where most places are taken, and most CPUs busy, everywhere. Where
/// more comes here, others must serve some of it, but for what one more slows nothing down; and where fewer do, others
/// send theirs. Beyond four standard deviations (of a Poisson number) it is not chance, whatever the cores could do:
/// something hangs. Times are means of the last requests, of a few where little is sent: what differs by less than half
/// may be the same.
struct Hop: Equatable {
    let here: ForecastSide
    let there: ForecastSide
    /// Requests of clients that come here, over this server's share; 0: not known.
    let demand: Double

    /// Times are surely different if one is less than this share of the other.
    static var surely: Double { 0.5 }
    /// Counts of ten seconds differ by chance.
    static var share: Double { 1.25 }
    /// The largest m. With four cores, evenly asked at half of what they can do, 1.5 sends on 5.5 % of the requests,
    /// 1.75 2.5 % and 2 1.2 %; p99 is 95, 97 and 99 ms. At four fifths it is 121, 135 and 148 ms, and 103 ms if m is 1
    /// then.
    static var most: Double { 1.75 }

    /// Requests that are here as a matter of course.
    private var limit: Double {
        let usual = max(1, (there.mean + 1) * here.capacity / there.capacity)
        guard demand * Self.share >= 1, demand <= Self.share else { return min(here.concurrency, Self.chance(usual)) }
        let patience = min(max(4 - 5 * there.mean / there.concurrency, 5 * there.idle - 1, 0), 1)
        return min((1 + (Self.most - 1) * patience) * max(here.concurrency, usual), Self.chance(usual))
    }

    /// A number that a Poisson process with this mean hardly ever has.
    private static func chance(_ usual: Double) -> Double { usual + 4 * usual.squareRoot() }

    var pays: Bool {
        guard here.now + 1 <= limit else { return true }
        guard here.alone > 0, there.alone > 0, there.alone <= Self.surely * here.alone else { return false }
        let price = there.told > 0 ? max(0, there.seen - there.told) : 0
        return there.alone * there.slowdown(there.now + 1) + price < here.alone
    }
}
