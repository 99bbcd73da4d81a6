// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// What a request asks for is done here; AnswerWriter.swift writes what came of it.

extension Engine {
    /// Does what the request asks for, once its answer has the request.
    func act(on answer: UnsafeMutablePointer<bh_ath_answer_t>) throws(Complaint) {
        let request = UnsafePointer(bh_ath_answer_request(answer))
        answer.pointee.is_trusted = try isTrusted(request, bh_ath_answer_text(answer))
        if request.pointee.kind == BH_ATH_BALANCE { return try choose(for: answer) }
        let selection = try Selection(self, request)
        guard bh_ath_kind_writes(request.pointee.kind) else { return }
        guard answer.pointee.is_trusted else { throw refusal }
        try update(selection, request)
    }

    /// Whether the client may change something. A wrong signature is an error, whatever the address.
    private func isTrusted(
        _ request: UnsafePointer<bh_ath_request_t>, _ room: UnsafeMutablePointer<CChar>
    ) throws(Complaint) -> Bool {
        guard request.pointee.is_signed else { return about.accepts && !about.is_browsers }
        guard let keys = about.keys, let verify = about.verify else {
            throw Complaint(BH_ATH_EFORGED, "the query is signed, and there is no AthUpdateKey here")
        }
        try checkSignature(request.pointee, now: about.wall_s, keys, verify, room, Int(BH_ATH_SIGNED_SIZE))
        return true
    }

    private var refusal: Complaint {
        about.accepts
            ? Complaint(
                BH_ATH_EREFUSED,
                "a request that looks like a browser's changes nothing without a signature, AthAcceptUpdates or not")
            : Complaint(
                BH_ATH_EREFUSED,
                "the client is not one of AthAcceptUpdates, and the query has no signature of AthUpdateKey")
    }

    /// One member of each farm. All names are looked up first, so that a wrong one counts nothing.
    ///
    /// Each member counts before the next is chosen, so that a farm that is named twice gives two members. Without a
    /// member for one of the farms there is no answer, and what has counted is taken back.
    private func choose(for answer: UnsafeMutablePointer<bh_ath_answer_t>) throws(Complaint) {
        let request = UnsafePointer(bh_ath_answer_request(answer))
        for place in 0..<request.pointee.farms_count {
            let name = Word(bh_ath_request_farm(request, place), most: Int(BH_ATH_NAME_MOST))
            guard let name, let farm = farm(named: name) else { throw unknownFarm(name) }
            bh_ath_answer_chosen(answer, place).pointee = bh_ath_chosen_t(farm: farm, member: 0, reason: nil)
        }
        for place in 0..<request.pointee.farms_count {
            let chosen = bh_ath_answer_chosen(answer, place)
            let member = about.choose(about.baton, chosen.pointee.farm, &chosen.pointee.reason)
            guard member >= 0 else {
                for counted in 0..<place { count(answer, counted, isTakenBack: true) }
                throw Complaint(
                    BH_ATH_ENOMEMBER, Word(farm(chosen.pointee.farm).name), "has no member that can take requests now")
            }
            chosen.pointee.member = UInt32(bitPattern: member)
            count(answer, place)
        }
    }

    /// What an answer of a trusted client says of one farm counts at the member.
    @inline(never)
    private func count(_ answer: UnsafeMutablePointer<bh_ath_answer_t>, _ place: UInt32, isTakenBack: Bool = false) {
        let chosen = bh_ath_answer_chosen(answer, place).pointee
        let row = member(chosen.farm, chosen.member).row
        guard answer.pointee.is_trusted, let segment = about.segment, segment.server(row) != nil else { return }
        countAnswer(segment, row: row, now: about.now_ms, isTakenBack: isTakenBack)
    }
}
