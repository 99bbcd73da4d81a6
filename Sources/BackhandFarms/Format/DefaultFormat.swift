// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension bh_ath_kind_t {
    /// The format for rows of this kind if the query has none.
    var defaultFormat: StaticString {
        switch self {
        case BH_ATH_NO_KIND: ""
        case BH_ATH_BALANCE: "%h"
        case BH_ATH_STATUS_ENGINE: "%o,%k,%j,%c,%g,%e"
        default: place == UInt32(BH_ATH_AT_FARM) ? "%n,%o,%k,%j,%c" : "%n,%h,%o,%u,%i,%c,%l,%p,%a,%b,%r"
        }
    }
}
