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
        var writer = LineWriter(bh_ath_answer_text(answer), Int(BH_ATH_LINE_SIZE), reserved: 0)
        writer.add("{\"farms\":[")
        for place in 0..<request.pointee.farms_count {
            if place > 0 { writer.add(UInt8(ascii: ",")) }
            add(bh_ath_answer_chosen(answer, place).pointee, to: &writer)
            guard write(baton, bh_ath_answer_text(answer), writer.length) else { return false }
            writer = LineWriter(bh_ath_answer_text(answer), Int(BH_ATH_LINE_SIZE), reserved: 0)
        }
        writer.add("]}\n")
        return write(baton, bh_ath_answer_text(answer), writer.length)
    }

    private func add(_ chosen: bh_ath_chosen_t, to writer: inout LineWriter) {
        let member = engine.member(chosen.farm, chosen.member)
        var view = view(
            Selected(
                farm: engine.number(of: chosen.farm), row: member.row, text: Word(member.text), weight: member.weight))
        view.is_chosen = true
        writer.add("{\"farm\":")
        writer.add(json: Word(engine.farm(chosen.farm).name))
        writer.add(",\"member\":")
        writer.add(json: Word(member.text))
        if let chain = chosen.reason {
            writer.add(",\"chain\":")
            writer.add(json: Word(chain))
        }
        withUnsafePointer(to: view) { view in
            let values = RowValues(find: bh_view_value, baton: view)
            for place in 0..<UInt32(3) { add(place, values, to: &writer) }
        }
        writer.add(UInt8(ascii: "}"))
    }

    /// Why it was chosen, and the numbers for that; nothing for what is not known.
    private func add(_ place: UInt32, _ values: RowValues, to writer: inout LineWriter) {
        let codes: InlineArray<3, bh_ath_code_t> = [BH_ATH_CODE_REASON, BH_ATH_CODE_IN_FLIGHT, BH_ATH_CODE_DELAY]
        let names: StaticString = ",\"reason\":\0,\"in_flight\":\0,\"mean_ms\":"
        let field = FormatField(row: bh_ath_row(CChar(truncatingIfNeeded: codes[Int(place)].rawValue)))
        guard let name = names.text(at: place), let value = values.value(of: field) else { return }
        let isText = field.row.type == BH_ATH_TEXT
        if isText, value.text.length == 0 { return }
        writer.add(printable: Word(name))
        if isText {
            writer.add(json: Word(value.text, most: Int(BH_VIEW_ROOM)) ?? Word(name))
        } else {
            writer.add(field, value)
        }
    }
}

extension LineWriter {
    /// A text of printable ASCII in quotes (RFC 8259, section 7).
    fileprivate mutating func add(json text: Word) {
        add(UInt8(ascii: "\""))
        for byte in text.bytes {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { add(UInt8(ascii: "\\")) }
            add(printable: byte)
        }
        add(UInt8(ascii: "\""))
    }
}
