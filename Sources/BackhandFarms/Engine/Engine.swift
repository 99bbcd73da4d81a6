// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// The farms and the client of one request.
struct Engine {
    private let source: UnsafePointer<bh_ath_engine_t>

    init(_ source: UnsafePointer<bh_ath_engine_t>) { self.source = source }

    var about: bh_ath_engine_t { source.pointee }

    /// A farm by its place.
    func farm(_ place: UInt32) -> bh_ath_farm_t { about.farm(about.baton, place) }

    /// A member by its place in the farm.
    func member(_ farm: UInt32, _ place: UInt32) -> bh_ath_member_t { about.member(about.baton, farm, place) }

    /// The place of the farm with the name; nil: there is none.
    func farm(named name: Word) -> UInt32? {
        for place in 0..<about.farms where Word(farm(place).name).equals(name, ignoringCase: true) { return place }
        return nil
    }

    /// The number by which the table has the farm; 0: it does not have it.
    func number(of place: UInt32) -> UInt32 { bh_farm_find(about.segment, Word(farm(place).name).crossing) }

    /// Whether the member is the one that a query names: as its line writes it, or as its server announces itself, up
    /// to the first dot at least.
    func matches(_ member: bh_ath_member_t, _ name: Word) -> Bool {
        if Word(member.text).equals(name, ignoringCase: true) { return true }
        guard let segment = about.segment, member.row > 0, member.row < bh_segment_rows(segment) else { return false }
        var facts = bh_facts_t()
        let row = bh_segment_row(segment, member.row)
        guard bh_row_heard(row) != 0, bh_row_copy(row, &facts) else { return false }
        return withUnsafePointer(to: facts) { facts in
            let host = Word(bh_facts_hostname(facts))
            return host.equals(name, ignoringCase: true)
                || host.split(at: Ascii.point).head.equals(name, ignoringCase: true)
        }
    }
}

/// A server that a query is about.
struct Selected {
    /// Number of the farm in the table; 0: none has it.
    var farm: UInt32
    var row: UInt32
    /// As it is shown; nil: it is the farm itself.
    var text: Word?
    /// Hundredths; 0: no farm has it.
    var weight: UInt32
}

/// Which farms and servers a query is about.
struct Selection {
    /// nil: all farms.
    private var farm: UInt32?
    /// nil: all members.
    private var host: Word?
    /// Whether a member of a farm has the name.
    private var isMember = true

    /// What n= and h= say: there is such a farm, and such a member in it or, if no farm is named, such a server.
    init(_ engine: Engine, _ request: UnsafePointer<bh_ath_request_t>) throws(Complaint) {
        if let name = request.text(BH_ATH_CODE_FARM) {
            farm = engine.farm(named: name)
            guard farm != nil else { throw unknownFarm(name) }
        }
        host = request.text(BH_ATH_CODE_HOST)
        guard let host else { return }
        isMember = !eachServer(engine) { _ in false }
        guard isMember || !eachServer(engine, { _ in false }) else {
            throw Complaint(BH_ATH_EUNKNOWN, host, "is not a member here")
        }
    }

    /// The places of the farms, until the body wants no more.
    @inline(never)
    func eachFarm(_ engine: Engine, _ body: (UInt32) -> Bool) -> Bool {
        for place in 0..<engine.about.farms where farm == nil || farm == place {
            guard body(place) else { return false }
        }
        return true
    }

    /// The members of the farms, or the servers without one, until the body wants no more.
    @inline(never)
    func eachServer(_ engine: Engine, _ body: (Selected) -> Bool) -> Bool {
        if !isMember, farm == nil, let host { return eachStranger(engine, host, body) }
        return eachFarm(engine) { place in
            let number = engine.number(of: place)
            for index in 0..<engine.farm(place).members {
                let member = engine.member(place, index)
                if let host, !engine.matches(member, host) { continue }
                let found = Selected(
                    farm: number, row: member.row, text: Word(member.text), weight: member.weight)
                guard body(found) else { return false }
            }
            return true
        }
    }

    private func eachStranger(_ engine: Engine, _ host: Word, _ body: (Selected) -> Bool) -> Bool {
        var row = bh_server_find(engine.about.segment, host.crossing, 0)
        while row != 0 {
            guard body(Selected(farm: 0, row: row, text: host, weight: 0)) else { return false }
            row = bh_server_find(engine.about.segment, host.crossing, row)
        }
        return true
    }
}

/// About a name that no farm has.
func unknownFarm(_ name: Word?) -> Complaint { Complaint(BH_ATH_EUNKNOWN, name, "is not a farm here") }

extension UnsafePointer<bh_ath_request_t> {
    /// The value of a code; nil: the query does not have it.
    func text(_ code: bh_ath_code_t) -> Word? {
        bh_ath_argument_find(self, code).flatMap { Word($0.pointee.text, most: Int(BH_ATH_QUERY_MOST)) }
    }
}
