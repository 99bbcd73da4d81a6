// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

extension bh_ath_kind_t {
    /// How the path is written, without slashes at its ends.
    @inline(never)
    var path: StaticString {
        switch self {
        case BH_ATH_BALANCE: "balance"
        case BH_ATH_STATUS_FARM: "status/farm"
        case BH_ATH_STATUS_PHYS: "status/phys"
        case BH_ATH_STATUS_ENGINE: "status/engine"
        case BH_ATH_UPDATE_FARM: "update/farm"
        case BH_ATH_UPDATE_PHYS: "update/phys"
        case BH_ATH_MIRROR_FARM: "mirror/farm"
        case BH_ATH_MIRROR_PHYS: "mirror/phys"
        default: ""
        }
    }

    /// The bit that the path has in the table of codes.
    var place: UInt32 {
        switch self {
        case BH_ATH_BALANCE: UInt32(BH_ATH_AT_BALANCE)
        case BH_ATH_STATUS_ENGINE: UInt32(BH_ATH_AT_ENGINE)
        case BH_ATH_STATUS_FARM, BH_ATH_UPDATE_FARM, BH_ATH_MIRROR_FARM: UInt32(BH_ATH_AT_FARM)
        default: UInt32(BH_ATH_AT_PHYS)
        }
    }

    /// Whether a query for the path may have the code.
    func takes(_ row: bh_ath_row_t) -> Bool {
        (bh_ath_kind_writes(self) ? row.update : row.status) & place != 0
    }

    /// The code without which the path's query means nothing.
    var needed: bh_ath_code_t {
        guard bh_ath_kind_writes(self) else { return BH_ATH_NO_CODE }
        return place == UInt32(BH_ATH_AT_FARM) ? BH_ATH_CODE_FARM : BH_ATH_CODE_HOST
    }
}

/// The kind of "/status/phys/" or "/status/phys"; nil: the engine has no such path.
func readPath(_ text: Word) -> bh_ath_kind_t? {
    guard text.bytes.first == slash else { return nil }
    var path = text.dropping(1)
    if path.bytes.last == slash { path = path.prefix(path.bytes.count &- 1) }
    for number in BH_ATH_BALANCE.rawValue...BH_ATH_MIRROR_PHYS.rawValue {
        let kind = bh_ath_kind_t(rawValue: number)
        if path.equals(kind.path) { return kind }
    }
    return nil
}

private let slash = UInt8(ascii: "/")
