// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

extension Engine {
    /// Changes what the query is about. A query that cannot be carried out wholly for a server changes nothing there.
    func update(_ selection: Selection, _ request: UnsafePointer<bh_ath_request_t>) throws(Complaint) {
        guard let segment = about.segment else {
            throw Complaint(BH_ATH_EUNABLE, "there is no shared memory to keep it in")
        }
        // Never more than a query has arguments.
        var pushed = InlineArray<32, bh_pushed_t>(repeating: bh_pushed_t())
        var (update, count) = (bh_update_t(), 0)
        for place in 0..<request.pointee.arguments_count {
            let argument = bh_ath_request_argument(request, place).pointee
            if argument.code == BH_ATH_CODE_STATISTIC, count < pushed.count {
                pushed[count] = bh_pushed_t(name: argument.name, thousandths: argument.number)
                count &+= 1
            }
            update.take(argument)
        }
        var span = pushed.mutableSpan
        let status = span.withUnsafeMutableBufferPointer { statistics in
            update.statistics = UnsafePointer(statistics.baseAddress)
            update.statistic_count = UInt32(truncatingIfNeeded: count)
            return carryOut(update, selection, isOfFarm: request.pointee.kind.place == UInt32(BH_ATH_AT_FARM), segment)
        }
        guard status != BH_OK else { return }
        throw status == BH_ESPACE
            ? Complaint(BH_ATH_EMANY, "a server has at most 16 named statistics")
            : Complaint(BH_ATH_EUNABLE, "the table has no room for this member, or a statistic's name is too long")
    }

    /// The first error that there is.
    private func carryOut(
        _ update: bh_update_t, _ selection: Selection, isOfFarm: Bool, _ segment: UnsafeMutablePointer<bh_segment_t>
    ) -> bh_status_t {
        var (first, update) = (BH_OK, update)
        let note = { (status: bh_status_t) in
            if first == BH_OK { first = status }
            return true
        }
        if isOfFarm {
            _ = selection.eachFarm(self) { note(bh_farm_update(segment, number(of: $0), &update, about.now_ms)) }
        } else {
            _ = selection.eachServer(self) { note(bh_member_update(segment, $0.row, &update, about.now_ms)) }
        }
        return first
    }
}

extension bh_update_t {
    /// Takes an argument other than a statistic.
    fileprivate mutating func take(_ argument: bh_ath_argument_t) {
        switch argument.code {
        case BH_ATH_CODE_ON: (fields, on) = (fields | BH_UPDATE_ON.rawValue, argument.number != 0)
        case BH_ATH_CODE_UP: (fields, up) = (fields | BH_UPDATE_UP.rawValue, argument.number != 0)
        case BH_ATH_CODE_LOAD:
            (fields, load) = (fields | BH_UPDATE_LOAD.rawValue, UInt32(clamping: argument.number))
        case BH_ATH_CODE_IDLE:
            (fields, idle) = (fields | BH_UPDATE_IDLE.rawValue, UInt32(clamping: argument.number))
        default: break
        }
    }
}
