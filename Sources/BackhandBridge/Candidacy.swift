// Licensed under the Apache License, Version 2.0; see LICENSE.

// Chains and decisions of backhand.h.

internal import BackhandText
public import CBackhand
internal import BackhandCandidacy
internal import BackhandHTTP
internal import BackhandServerStats

@c @implementation
public func bh_step_parse(
    _ name: UnsafePointer<CChar>?, _ argument: UnsafePointer<CChar>?, _ step: UnsafeMutablePointer<bh_step_t>?,
    _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let name, let step else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        step.pointee = try parseStep(name: name, argument: argument)
    }
}

@c @implementation
public func bh_words_check(
    _ words: UnsafePointer<UnsafePointer<CChar>>?, _ count: Int, _ ends: UnsafeMutablePointer<Bool>?,
    _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let ends, words != nil || count == 0, count >= 0 else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        let words = UnsafeBufferPointer(start: words, count: count)
        try checkWords(words)
        ends.pointee = endsChain(words[0])
    }
}

@c @implementation
public func bh_chain_workspace(
    _ segment: UnsafePointer<bh_segment_t>?, _ steps: UnsafePointer<bh_step_t>?, _ count: Int
) -> Int {
    guard let segment, steps != nil || count == 0, count >= 0, count <= Int(BH_STEPS_MAX) else { return 0 }
    return workspaceSize(segment, UnsafeBufferPointer(start: steps, count: count))
}

@c @implementation
public func bh_chain_decide(
    _ segment: UnsafePointer<bh_segment_t>?, _ steps: UnsafePointer<bh_step_t>?, _ count: Int,
    _ request: UnsafePointer<bh_request_t>?, _ workspace: UnsafeMutableRawPointer?, _ workspaceSize: Int,
    _ decision: UnsafeMutablePointer<bh_decision_t>?
) -> bh_status_t {
    guard let segment, let request, let workspace, let decision, steps != nil || count == 0,
        count >= 0, count <= Int(BH_STEPS_MAX), workspaceSize > 0
    else { return BH_EINVAL }
    return decide(
        segment, UnsafeBufferPointer(start: steps, count: count), request,
        UnsafeMutableRawBufferPointer(start: workspace, count: workspaceSize), decision)
}

@c @implementation
public func bh_fault_text(_ fault: bh_fault_t) -> UnsafePointer<CChar> {
    faultText(fault).characters
}

@c @implementation
public func bh_redirect_make(
    _ format: UnsafePointer<CChar>?, _ server: UnsafePointer<bh_facts_t>?, _ asked: UnsafePointer<bh_visitor_t>?,
    _ redirect: UnsafeMutablePointer<bh_redirect_t>?
) -> bh_status_t {
    guard let server, let asked, let redirect else { return BH_EINVAL }
    makeRedirect(format: format, server: server, asked: asked.pointee, into: redirect)
    return BH_OK
}

@c @implementation
public func bh_session_write(
    _ segment: UnsafePointer<bh_segment_t>, _ id: UInt32, _ sessions: UnsafePointer<bh_sessions_t>,
    _ line: UnsafePointer<CChar>, _ cookie: UnsafePointer<CChar>?, _ secure: Bool, _ text: UnsafeMutablePointer<CChar>?,
    _ size: Int
) -> Int {
    var writer = Writer(text, size)
    writeSession(segment, id, sessions, line, sent: cookie, secure: secure, into: &writer)
    return writer.end()
}
