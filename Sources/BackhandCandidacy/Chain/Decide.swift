// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Runs a chain over the table and tells which servers are left, best first.
///
/// Allocates nothing, takes no lock, makes no system call. If no server is left, the chain runs again, with servers
/// that were left out before.
public func decide(
    _ segment: UnsafePointer<bh_segment_t>, _ steps: UnsafeBufferPointer<bh_step_t>,
    _ request: UnsafePointer<bh_request_t>,
    _ workspace: UnsafeMutableRawBufferPointer, _ decision: UnsafeMutablePointer<bh_decision_t>
) -> bh_status_t {
    guard let callsLoaded = callsLoadedFunction(steps), UInt(bitPattern: workspace.baseAddress) & 7 == 0 else {
        return BH_EINVAL
    }
    guard let workspace = Workspace(workspace, loaded: callsLoaded) else { return BH_ESPACE }
    var run = ChainRun(segment, request, workspace)
    run.candidates.lookAtMembers()
    repeat {
        run.gather()
        run.apply(steps)
    } while run.widen()
    run.mindWorkers(request)
    decision.pointee = run.decision
    return BH_OK
}

/// Whether one of the steps is a loaded function; nil if one names a function that does not exist.
func callsLoadedFunction(_ steps: UnsafeBufferPointer<bh_step_t>) -> Bool? {
    guard steps.count <= BH_STEPS_MAX else { return nil }
    var isOne = false
    // By index: a step is too large to be copied.
    for index in 0..<steps.count {
        let function = steps[index].function
        if function == BH_FUNCTION_LOADED {
            guard steps[index].call != nil else { return nil }
            isOne = true
        } else {
            guard function >= 1, function <= CandidacyFunction.lastID else { return nil }
        }
    }
    return isOne
}
