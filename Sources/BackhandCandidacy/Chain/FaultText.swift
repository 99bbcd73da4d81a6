// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// What a loaded function did wrong, as it follows its name in the log.
public func faultText(_ fault: bh_fault_t) -> StaticString {
    switch fault {
    case BH_FAULT_COUNT: "returned a count outside 0...MAXSERVERS"
    case BH_FAULT_ID: "returned an id that no server has"
    case BH_FAULT_TWICE: "returned a server twice"
    case BH_FAULT_MODE: "returned an unknown mode"
    default: "returned something wrong"
    }
}
