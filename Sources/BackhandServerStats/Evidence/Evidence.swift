// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// What answers say against a server: the rules. A client, a URL, a request that kills whatever serves it must not take
// a server from the others; a server whose application is gone must not get their requests. So several clients and
// several URLs must have met it, as far as there are several.

/// How many of the clients and URLs of some answers there are; at most 64 are told apart.
public struct Breadth: Equatable {
    /// Different clients, 0 to 64.
    public var clients: Int
    /// Different URLs, 0 to 64.
    public var urls: Int

    /// The value for these numbers.
    public init(clients: Int, urls: Int) {
        self.clients = clients
        self.urls = urls
    }

    init(clients: UInt64, urls: UInt64) {
        self.init(clients: clients.nonzeroBitCount, urls: urls.nonzeroBitCount)
    }

    /// Two may be one user with two addresses; three failures in a row are rare where one in ten requests fails.
    static let several = 3

    /// Whether it is several of each, or all that there are of it.
    public func isWide(of all: Breadth) -> Bool {
        clients >= min(Self.several, all.clients) && urls >= min(Self.several, all.urls)
    }

    /// Which share of the requests they stand for at most, where one client and one URL are none; all where no other
    /// client asks for anything else.
    public func most(of all: Breadth) -> Double {
        min(Self.share(clients, of: all.clients), Self.share(urls, of: all.urls))
    }

    private static func share(_ part: Int, of whole: Int) -> Double {
        guard part > 0 else { return 0 }
        return whole <= 1 ? 1 : min(1, Double(part - 1) / Double(whole - 1))
    }
}

/// A share of a server's answers.
public struct Share: Equatable {
    /// 0 to 1.
    public var part: Double
    /// Answers that it is a share of.
    public var count: Double

    /// A share, 0 to 1, of this number of answers.
    public init(part: Double, of count: Double) {
        self.part = part
        self.count = count
    }

    /// Fewer answers tell nothing of a share.
    static var fewest: Double { Double(BH_EVIDENCE_FEWEST) }

    /// What differs less is the requests' doing: not every server gets the same.
    static let difference = 0.3

    /// Chance, for the lowest of many servers and the highest, each second again: five standard deviations of the
    /// difference.
    private static let deviations = 5.0

    /// Whether there are enough answers to compare the share.
    public var isKnown: Bool { count >= Self.fewest }

    /// Whether it is more than another server's by so large a factor that neither chance nor the requests explain it.
    public func isMarkedlyMore(than other: Share) -> Bool {
        isKnown && other.isKnown && isApart(from: other)
    }

    /// The same, of few answers too: then the difference must be nearly the whole.
    func isApart(from other: Share) -> Bool {
        guard part - other.part >= Self.difference else { return false }
        return part - other.part >= Self.deviations * chance(other)
    }

    /// Whether it is about the same.
    public func isLike(_ other: Share) -> Bool {
        guard isKnown, other.isKnown else { return false }
        let apart = part > other.part ? part - other.part : other.part - part
        return apart <= max(0.2, Self.deviations * chance(other)) && apart < Self.difference
    }

    /// The standard deviation of the difference, if both were shares of the same.
    private func chance(_ other: Share) -> Double {
        let both = (part * count + other.part * other.count) / (count + other.count)
        return (both * (1 - both) * (1 / count + 1 / other.count)).squareRoot()
    }
}

/// Failures one after the other, as they stand in a row.
public struct FailureRun {
    var count: UInt32
    var failed: Breadth
    var all: Breadth

    /// A number of failures in a row, with the clients and URLs of these failures and of all answers.
    public init(count: UInt32, failed: Breadth, all: Breadth) {
        self.count = count
        self.failed = failed
        self.all = all
    }

    /// Whether the chain asks the server last.
    public var speaksAgainst: Bool { count >= UInt32(Breadth.several) && failed.isWide(of: all) }

    /// Whether the server fails everything, as far as one can tell: one that fails six of ten has such a run once in
    /// 160 times.
    public var isEverything: Bool { count >= 10 && failed.isWide(of: all) }
}

/// After a failure: asks the server last if it has failed all requests of several clients.
@inline(never)
public func evaluateFailure(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, chain: UInt32, now: UInt64) {
    let row = bh_segment_row_mutable(segment, id)
    let slot = bh_chain_slot(chain)
    guard bh_row_doubts(row, slot) & bh_doubt_bit(BH_DOUBT_FAILS.rawValue, 0) == 0 else { return }
    let evidence = bh_row_evidence(row, slot)
    let run = FailureRun(
        count: bh_half_load(&evidence.pointee.run),
        failed: Breadth(
            clients: bh_word_load(&evidence.pointee.run_clients), urls: bh_word_load(&evidence.pointee.run_urls)),
        all: Breadth(clients: bh_evidence_clients(evidence), urls: bh_evidence_urls(evidence)))
    guard run.speaksAgainst else { return }
    _ = bh_doubt_begin(row, slot, BH_DOUBT_FAILING.rawValue, now &+ UInt64(BH_PROBE_MS))
    if run.isEverything { _ = bh_doubt_begin(row, slot, BH_DOUBT_FAILS.rawValue, 0) }
}
