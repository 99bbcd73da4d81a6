// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Reads the query of a request to the engine, argument after argument.
struct QueryReader {
    /// What it has found so far.
    private(set) var request: bh_ath_request_t
    /// The query as it was sent.
    private let query: Word
    /// Codes that were there, a bit for each letter from "a" on.
    private var seen: UInt32 = 0
    private var count = 0

    /// A request of this kind with this query, of at most BH_ATH_QUERY_MOST bytes.
    init(_ kind: bh_ath_kind_t, _ query: Word) {
        request = bh_ath_request_t()
        request.kind = kind
        self.query = query
    }

    /// room: as long as the query.
    mutating func read(room: UnsafeMutablePointer<UInt8>) throws(Complaint) {
        var text = query
        if request.kind != BH_ATH_BALANCE, text.bytes.first == UInt8(ascii: "E") {
            text = try unescape(text.dropping(1), into: room)
            request.is_escaped = true
        }
        while !text.bytes.isEmpty {
            let (argument, rest) = split(text)
            if has(BH_ATH_CODE_SIGNATURE) { throw misplaced() }
            try take(argument)
            guard let rest else { break }
            guard !rest.bytes.isEmpty else { throw Complaint(BH_ATH_ESYNTAX, "nothing stands after the last comma") }
            text = rest
        }
        try checkNeeded()
        try endSignature()
    }

    /// The next argument, and what stands after its comma; nil: there is no comma.
    private func split(_ text: Word) -> (Word, Word?) {
        var quotes = Quotes()
        for place in 0..<text.bytes.count {
            if text.bytes[place] == UInt8(ascii: ","), !quotes.areOpen {
                return (text.prefix(place), text.dropping(place &+ 1))
            }
            quotes.take(text.bytes[place])
        }
        return (text, nil)
    }

    private func has(_ code: bh_ath_code_t) -> Bool { seen & code.bit != 0 }

    private mutating func take(_ argument: Word) throws(Complaint) {
        let isAssignment = argument.bytes.count > 1 && argument.bytes[1] == UInt8(ascii: "=")
        if request.kind == BH_ATH_BALANCE, !isAssignment { return try takeFarm(argument) }
        guard isAssignment else {
            throw Complaint(BH_ATH_ESYNTAX, argument, "is not an argument: code=value is wanted, such as h=app01")
        }
        guard count < Int(BH_ATH_ARGUMENTS_MOST) else {
            throw Complaint(BH_ATH_EMANY, argument, "is one too many: a query has at most 32 arguments")
        }
        count &+= 1
        let (letter, value) = (argument.bytes[0], argument.dropping(2))
        let row = bh_ath_row(CChar(bitPattern: letter))
        guard row.code != BH_ATH_NO_CODE else { throw Complaint(BH_ATH_ECODE, code: letter, value, "no such code") }
        guard request.kind.takes(row) else {
            throw Complaint(BH_ATH_ECODE, code: letter, value, "this path does not take the code")
        }
        guard !has(row.code) || row.type == BH_ATH_STATISTIC else {
            throw Complaint(BH_ATH_ECODE, code: letter, value, "the code is there twice")
        }
        seen |= row.code.bit
        try take(row, value)
    }

    private mutating func take(_ row: bh_ath_row_t, _ value: Word) throws(Complaint) {
        switch row.type {
        case BH_ATH_FORMAT: request.format = try readQuotedFormat(value).crossing
        case BH_ATH_TIME:
            guard value.bytes.count <= 12, let time = value.number(in: 0...UInt64.max) else {
                throw Complaint(
                    BH_ATH_EVALUE, code: row.letter, value, "seconds since 1970 are wanted, in at most 12 digits")
            }
            request.time_s = Int64(truncatingIfNeeded: time)
        case BH_ATH_SIGNATURE:
            guard readSignature(value, into: &request.signature) else {
                throw Complaint(
                    BH_ATH_EVALUE, code: row.letter, value, "64 hexadecimal digits in lower case are wanted")
            }
        default: try add(bh_ath_argument_t(row, value))
        }
    }

    private mutating func add(_ argument: bh_ath_argument_t) throws(Complaint) {
        let place = Int(request.arguments_count)
        let isDouble = withUnsafeMutablePointer(to: &request.arguments) { all in
            all.withMemoryRebound(to: bh_ath_argument_t.self, capacity: Int(BH_ATH_ARGUMENTS_MOST)) { arguments in
                arguments[place] = argument
                return (0..<place).contains { arguments[$0].isSameStatistic(as: argument) }
            }
        }
        if isDouble {
            throw Complaint(
                BH_ATH_ECODE, code: UInt8(ascii: "s"), Word(argument.name, most: Int(BH_ATH_NAME_MOST)),
                "the statistic is there twice")
        }
        request.arguments_count &+= 1
    }

    private mutating func takeFarm(_ name: Word) throws(Complaint) {
        guard seen == 0 else {
            throw Complaint(BH_ATH_ESYNTAX, name, "stands after t=: the names of farms come first")
        }
        guard name.isName else {
            throw Complaint(
                BH_ATH_ESYNTAX, name,
                "is not the name of a farm, which has 1 to 255 letters, digits, and . _ : - [ ]")
        }
        let place = Int(request.farms_count)
        guard place < Int(BH_ATH_FARMS_MOST) else {
            throw Complaint(BH_ATH_EMANY, name, "is one too many: a question is about at most 16 farms")
        }
        withUnsafeMutablePointer(to: &request.farms) { all in
            all.withMemoryRebound(to: bh_piece_t.self, capacity: Int(BH_ATH_FARMS_MOST)) { $0[place] = name.crossing }
        }
        request.farms_count &+= 1
    }

    private func checkNeeded() throws(Complaint) {
        if request.kind == BH_ATH_BALANCE, request.farms_count == 0 {
            throw Complaint(BH_ATH_EMISSING, "the name of a farm is wanted, as in balance/?farm_one")
        }
        let needed = request.kind.needed
        guard needed == BH_ATH_NO_CODE || has(needed) else {
            throw needed == BH_ATH_CODE_FARM
                ? Complaint(BH_ATH_EMISSING, "n= is missing: which farm is it about")
                : Complaint(BH_ATH_EMISSING, "h= is missing: which host is it about")
        }
    }

    /// Whether t= and m= are both there, the latter as the last bytes that the client has sent.
    private mutating func endSignature() throws(Complaint) {
        guard has(BH_ATH_CODE_TIME) == has(BH_ATH_CODE_SIGNATURE) else {
            throw Complaint(BH_ATH_EMISSING, "t= and m= are only of use together")
        }
        guard has(BH_ATH_CODE_TIME) else { return }
        guard let signed = signedPart(of: query) else { throw misplaced() }
        request.is_signed = true
        request.signed_query = signed.crossing
    }

    private func misplaced() -> Complaint {
        Complaint(
            BH_ATH_ESYNTAX, code: UInt8(ascii: "m"), nil,
            "it is the last argument, and neither its comma nor it is escaped")
    }
}

extension bh_ath_code_t {
    /// All codes are lower case letters.
    fileprivate var bit: UInt32 { 1 << (rawValue & 31) }
}

extension bh_ath_argument_t {
    fileprivate func isSameStatistic(as other: bh_ath_argument_t) -> Bool {
        guard code == BH_ATH_CODE_STATISTIC, other.code == code, let left = Word(name, most: Int(BH_ATH_NAME_MOST)),
            let right = Word(other.name, most: Int(BH_ATH_NAME_MOST))
        else { return false }
        return left.equals(right, ignoringCase: false)
    }
}
