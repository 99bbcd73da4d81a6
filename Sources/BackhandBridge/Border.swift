// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

@c @implementation
public func bh_border_version() -> UInt32 {
    UInt32(BH_BORDER_VERSION)
}
