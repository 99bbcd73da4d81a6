// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of farms.h for answers.

internal import BackhandText
public import CBackhand

@c @implementation
public func bh_ath_is_of_browsers(_ header: UnsafePointer<CChar>?) -> Bool {
    header.map { isOfBrowsers(Word($0)) } ?? false
}

@c @implementation
public func bh_ath_answer_make(
    _ engine: UnsafePointer<bh_ath_engine_t>?, _ path: bh_piece_t, _ query: bh_piece_t,
    _ accept: UnsafePointer<CChar>?, _ answer: UnsafeMutablePointer<bh_ath_answer_t>?
) -> Int32 {
    guard let engine, let answer else { return bh_ath_http_status(BH_ATH_EINVAL) }
    let (error, request) = (bh_ath_answer_error(answer), bh_ath_answer_request(answer))
    answer.pointee.is_json = false
    answer.pointee.is_trusted = false
    answer.pointee.status = bh_ath_request_read(
        path, query, bh_ath_answer_room(answer), Int(BH_ATH_ROOM_SIZE), request, error, Int(BH_ATH_ERROR_SIZE))
    guard answer.pointee.status == BH_ATH_OK else { return bh_ath_http_status(answer.pointee.status) }
    answer.pointee.status = complaining(to: error, Int(BH_ATH_ERROR_SIZE)) { () throws(Complaint) in
        try Engine(engine).act(on: answer)
    }
    if answer.pointee.status == BH_ATH_OK, request.pointee.kind == BH_ATH_BALANCE, let accept {
        answer.pointee.is_json = acceptsJSON(Word(accept))
    }
    return bh_ath_http_status(answer.pointee.status)
}

@c @implementation
public func bh_ath_answer_write(
    _ engine: UnsafePointer<bh_ath_engine_t>?, _ answer: UnsafeMutablePointer<bh_ath_answer_t>?, _ write: bh_write_fn?,
    _ baton: UnsafeMutableRawPointer?
) -> Bool {
    guard let engine, let answer, let write else { return false }
    return AnswerWriter(engine: Engine(engine), answer: answer, write: write, baton: baton).writeAll()
}
