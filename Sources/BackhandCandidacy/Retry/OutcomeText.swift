// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
public import CBackhand

/// What a server did with a request that it did not answer, as it follows its name in the log.
///
/// - Parameter status: of the answer that mod_proxy would have given.
public func outcomeText(_ outcome: bh_outcome_t, status: Int32) -> Message {
    switch outcome {
    case BH_OUTCOME_REFUSED: return Message("refused the connection")
    case BH_OUTCOME_UNKNOWN: return Message("does not know this httpd as a server")
    default:
        var text = Message("failed the request (")
        text.add(UInt64(max(status, 0)))
        text.add(")")
        return text
    }
}
