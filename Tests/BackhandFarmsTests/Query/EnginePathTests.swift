// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

struct EnginePathTests {
    private func kind(_ path: String) -> bh_ath_kind_t {
        let memory = UnsafeMutableBufferPointer.copy(Array(path.utf8))
        defer { memory.deallocate() }
        return bh_ath_path_read(memory.piece)
    }

    @Test(arguments: [
        ("/balance", BH_ATH_BALANCE), ("/status/farm", BH_ATH_STATUS_FARM), ("/status/phys", BH_ATH_STATUS_PHYS),
        ("/status/engine", BH_ATH_STATUS_ENGINE), ("/update/farm", BH_ATH_UPDATE_FARM),
        ("/update/phys", BH_ATH_UPDATE_PHYS), ("/mirror/farm", BH_ATH_MIRROR_FARM),
        ("/mirror/phys", BH_ATH_MIRROR_PHYS),
    ])
    func withAndWithoutTheLastSlash(path: String, expected: bh_ath_kind_t) {
        #expect(kind(path) == expected && kind(path + "/") == expected)
        #expect(kind(path + "//") == BH_ATH_NO_KIND && kind("/" + path) == BH_ATH_NO_KIND)
        #expect(kind("x" + path.dropFirst()) == BH_ATH_NO_KIND)
        #expect(kind(String(path.dropFirst())) == BH_ATH_NO_KIND && kind(String(path.dropLast())) == BH_ATH_NO_KIND)
        #expect(kind(path.uppercased()) == BH_ATH_NO_KIND && kind(path + "\0") == BH_ATH_NO_KIND)
    }

    @Test(arguments: [
        "", "/", "//", "/status", "/status/", "/status/debug", "/status/phys/x", "/update", "/update/engine",
        "/mirror/engine", "/balance/farm", "/status//phys", "/status/phys/" + String(repeating: "/", count: 64),
    ])
    func others(path: String) {
        #expect(kind(path) == BH_ATH_NO_KIND)
        #expect(Asked(path, "h=a").status == BH_ATH_EPATH)
    }

    @Test func namesThePath() {
        #expect(Asked("/status/debug/", "true").error == "'/status/debug/' is not a path of the engine")
        #expect(Asked("/\u{1}é", "").error == "'/???' is not a path of the engine")
        #expect(Asked("/" + String(repeating: "x", count: 99), "").error == "is not a path of the engine")
    }

    /// What a query may have follows from the path.
    @Test(arguments: [
        (BH_ATH_BALANCE, "tm"), (BH_ATH_STATUS_ENGINE, "f"), (BH_ATH_STATUS_FARM, "nf"), (BH_ATH_STATUS_PHYS, "hnf"),
        (BH_ATH_UPDATE_FARM, "noftm"), (BH_ATH_UPDATE_PHYS, "hnoulpsftm"), (BH_ATH_MIRROR_FARM, "noftm"),
        (BH_ATH_MIRROR_PHYS, "hnoulpsftm"),
    ])
    func codes(kind: bh_ath_kind_t, letters: String) {
        let taken = (0...UInt8.max).filter {
            let row = bh_ath_row(CChar(bitPattern: $0))
            return row.code != BH_ATH_NO_CODE && kind.takes(row)
        }
        #expect(Set(taken) == Set(letters.utf8))
    }

    @Test func statusOfHTTP() {
        let statuses = (BH_ATH_OK.rawValue...BH_ATH_EFORGED.rawValue).map { bh_ath_http_status(bh_ath_status_t($0)) }
        #expect(statuses == [200, 500, 404, 414, 400, 400, 400, 400, 400, 400, 403, 403, 403])
    }
}
