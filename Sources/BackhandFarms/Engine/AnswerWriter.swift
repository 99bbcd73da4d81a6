// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Writes the body of an answer.
struct AnswerWriter {
    let engine: Engine
    let answer: UnsafeMutablePointer<bh_ath_answer_t>
    let write: bh_write_fn
    let baton: UnsafeMutableRawPointer?

    private var request: UnsafePointer<bh_ath_request_t> { UnsafePointer(bh_ath_answer_request(answer)) }

    /// false: the writer wants no more.
    func writeAll() -> Bool {
        guard answer.pointee.status == BH_ATH_OK else { return writeError() }
        if request.pointee.kind == BH_ATH_BALANCE { return answer.pointee.is_json ? writeJSON() : writeChosen() }
        // It has been made before.
        guard let selection = try? Selection(engine, request) else { return false }
        switch request.pointee.kind.place {
        case UInt32(BH_ATH_AT_ENGINE): return writeLine(view(nil))
        case UInt32(BH_ATH_AT_FARM):
            return selection.eachFarm(engine) { place in
                writeLine(view(Selected(farm: engine.number(of: place), row: 0, text: nil, weight: 0)))
            }
        default: return selection.eachServer(engine) { writeLine(view($0)) }
        }
    }

    private func writeError() -> Bool {
        let error = bh_ath_answer_error(answer)
        return write(baton, error, Word(error).bytes.count) && write(baton, "\n", 1)
    }

    private func writeChosen() -> Bool {
        for place in 0..<request.pointee.farms_count {
            let chosen = bh_ath_answer_chosen(answer, place).pointee
            let text = engine.member(chosen.farm, chosen.member).text
            guard write(baton, text, Word(text).bytes.count), write(baton, "\n", 1) else { return false }
        }
        return true
    }

    /// What a line is about; the texts of its values are where an error would be.
    private func view(_ server: Selected?) -> bh_view_t {
        bh_view_t(
            segment: UnsafePointer(engine.about.segment), now_ms: engine.about.now_ms, farm: server?.farm ?? 0,
            row: server?.row ?? 0, text: server?.text?.crossing ?? bh_piece_t(), weight: server?.weight ?? 0,
            engine_off: false, is_chosen: false, room: bh_ath_answer_error(answer))
    }

    private func writeLine(_ view: bh_view_t) -> Bool {
        let asked = Word(request.pointee.format, most: Int(BH_ATH_QUERY_MOST))
        let format = asked.flatMap { $0.bytes.isEmpty ? nil : $0 } ?? Word(request.pointee.kind.defaultFormat.bytes)
        let line = bh_ath_answer_text(answer)
        var writer = LineWriter(line, Int(BH_ATH_LINE_SIZE), reserved: 2)
        return withUnsafePointer(to: view) { view in
            let values = RowValues(find: bh_view_value, baton: view)
            return BackhandFarms.writeLine(format, values, into: &writer) && write(baton, line, writer.endLine())
        }
    }
}

// MARK: JSON

extension AnswerWriter {
    private func writeJSON() -> Bool {
        var json = JSONPage()
        json.beginFarms()
        for place in 0..<request.pointee.farms_count {
            add(bh_ath_answer_chosen(answer, place).pointee, to: &json)
            guard send(json.text, write, baton) else { return false }
            json.text.removeAll()
        }
        json.endFarms()
        return send(json.text, write, baton)
    }

    /// A member, why it was chosen, and the numbers for that; nothing for what is not known.
    private func add(_ chosen: bh_ath_chosen_t, to json: inout JSONPage) {
        let member = engine.member(chosen.farm, chosen.member)
        var view = view(
            Selected(
                farm: engine.number(of: chosen.farm), row: member.row, text: Word(member.text), weight: member.weight))
        view.is_chosen = true
        json.beginObject()
        json.field("farm", Word(engine.farm(chosen.farm).name))
        json.field("member", Word(member.text))
        if let chain = chosen.reason { json.field("chain", Word(chain)) }
        func found(_ code: bh_ath_code_t) -> bh_ath_value_t? { value(of: code, bh_piece_t(), in: view) }
        if let reason = found(BH_ATH_CODE_REASON).flatMap({ Word($0.text, most: Int(BH_VIEW_ROOM)) }) {
            json.field("reason", reason)
        }
        if let count = found(BH_ATH_CODE_IN_FLIGHT) { json.field("in_flight", count.number) }
        if let mean = found(BH_ATH_CODE_DELAY) { json.field("mean_ms", thousandths: mean.number) }
        json.endObject()
    }
}
