// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

private let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

struct SignedQueryTests {
    private func signed(_ asked: Asked) -> String {
        var request = asked.request
        var room = [CChar](repeating: 1, count: Int(BH_ATH_SIGNED_SIZE) + 1)
        let length = bh_ath_signed_write(&request, &room, Int(BH_ATH_SIGNED_SIZE))
        for size in 0..<length {
            var small = [CChar](repeating: 1, count: length)
            #expect(bh_ath_signed_write(&request, &small, size) == 0 && small.allSatisfy { $0 == 1 })
        }
        #expect(room[length...].allSatisfy { $0 == 1 })
        return text(room[..<length])
    }

    @Test(arguments: [
        ("/update/phys/", "h=a,l=1,t=1700000000", "Backhand-Athena\nupdate/phys\nh=a,l=1,t=1700000000"),
        ("/update/phys", "t=0,h=a", "Backhand-Athena\nupdate/phys\nt=0,h=a"),
        ("/mirror/phys", "h=a,t=007", "Backhand-Athena\nmirror/phys\nh=a,t=007"),
        ("/update/farm", "n=a,o=off,t=999999999999", "Backhand-Athena\nupdate/farm\nn=a,o=off,t=999999999999"),
        ("/balance/", "a,b,t=5", "Backhand-Athena\nbalance\na,b,t=5"),
        // As it was sent: still escaped.
        ("/update/phys", "Eh=%61,f=%22%h%22,t=5", "Backhand-Athena\nupdate/phys\nEh=%61,f=%22%h%22,t=5"),
        ("/update/phys", "h=a,t=5,f=\",m=\"", "Backhand-Athena\nupdate/phys\nh=a,t=5,f=\",m=\""),
    ])
    func texts(path: String, query: String, text: String) {
        let asked = Asked(path, query + ",m=" + digits)
        #expect(asked.error == "" && asked.request.is_signed && signed(asked) == text)
        #expect(withUnsafeBytes(of: asked.request.signature) { Array($0) } == Array(0...30) + [255])
        #expect(asked.signedQuery == query)
    }

    @Test func time() {
        #expect(Asked("/update/phys", "h=a,t=1700000000,m=" + digits).request.time_s == 1_700_000_000)
        #expect(Asked("/update/phys", "h=a,t=000000000007,m=" + digits).request.time_s == 7)
    }

    @Test(arguments: [
        ("h=a,t=,m=\(digits)", BH_ATH_EVALUE), ("h=a,t=-1,m=\(digits)", BH_ATH_EVALUE),
        ("h=a,t=1.5,m=\(digits)", BH_ATH_EVALUE), ("h=a,t=1000000000000,m=\(digits)", BH_ATH_EVALUE),
        ("h=a,t=1,m=", BH_ATH_EVALUE), ("h=a,t=1,m=\(digits.dropLast())", BH_ATH_EVALUE),
        ("h=a,t=1,m=\(digits)0", BH_ATH_EVALUE), ("h=a,t=1,m=\(digits.uppercased())", BH_ATH_EVALUE),
        ("h=a,t=1,m=\(digits.dropLast())g", BH_ATH_EVALUE), ("h=a,t=1,m=G\(digits.dropFirst())", BH_ATH_EVALUE),
        ("h=a,t=1", BH_ATH_EMISSING), ("h=a,m=\(digits)", BH_ATH_EMISSING),
        ("h=a,m=\(digits),t=1", BH_ATH_ESYNTAX), ("h=a,t=1,m=\(digits),o=on", BH_ATH_ESYNTAX),
        ("h=a,t=1,m=\(digits),m=\(digits)", BH_ATH_ESYNTAX), ("h=a,t=1,m=\(digits),", BH_ATH_ESYNTAX),
        ("h=a,t=1,t=1,m=\(digits)", BH_ATH_ECODE),
        // Escaped, another query would be signed than that which was sent.
        ("Eh=a,t=1,%6d=\(digits)", BH_ATH_ESYNTAX), ("Eh=a,t=1%2cm=\(digits)", BH_ATH_ESYNTAX),
        ("Eh=a,t=1,m%3d\(digits)", BH_ATH_ESYNTAX), ("Eh=a,t=1,m=%30\(digits.dropFirst())", BH_ATH_ESYNTAX),
        ("Eh=a,t=1,m=\(digits.dropLast())%66", BH_ATH_ESYNTAX),
    ])
    func refused(query: String, status: bh_ath_status_t) {
        let asked = Asked("/update/phys", query)
        #expect(asked.status == status && signed(asked) == "")
    }

    @Test func misplaced() {
        #expect(
            Asked("/update/phys", "h=a,t=1,m=\(digits),o=on").error
                == "m: it is the last argument, and neither its comma nor it is escaped")
    }

    @Test(
        arguments: [
            (1000, 1000, BH_ATH_OK), (1000, 1300, BH_ATH_OK), (1000, 700, BH_ATH_OK), (1000, 1301, BH_ATH_ESTALE),
            (1000, 699, BH_ATH_ESTALE), (0, .max, BH_ATH_ESTALE), (0, .min, BH_ATH_ESTALE),
            (999_999_999_999, .min, BH_ATH_ESTALE), (0, -300, BH_ATH_OK),
        ] as [(Int64, Int64, bh_ath_status_t)])
    func ages(time: Int64, now: Int64, status: bh_ath_status_t) {
        let check = Check("h=a,t=\(time)", now: now)
        #expect(check.status == status && check.isVerified == (status == BH_ATH_OK))
        #expect(
            check.error == (status == BH_ATH_OK ? "" : "t= is more than 300 seconds away from this server's clock"))
    }

    @Test func forged() {
        let check = Check("h=b,t=1000", now: 1000)
        #expect(check.status == BH_ATH_EFORGED && check.isVerified)
        #expect(check.error == "m= is not the signature of this query by any key here")
    }
}

/// A request whose signature is checked by a key that likes what names h=a.
private final class Check {
    private(set) var status = BH_ATH_OK
    private(set) var isVerified = false
    private(set) var error = ""

    init(_ query: String, now: Int64) {
        let asked = Asked("/update/phys", query + ",m=" + digits)
        var request = asked.request
        var room = [CChar](repeating: 1, count: Int(BH_ATH_SIGNED_SIZE))
        var line = [CChar](repeating: 1, count: Int(BH_ATH_ERROR_SIZE))
        status = bh_ath_signed_check(
            &request, now, Unmanaged.passUnretained(self).toOpaque(),
            { keys, bytes, count, signature in
                Unmanaged<Check>.fromOpaque(keys).takeUnretainedValue().isVerified = true
                let signed = String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
                return signed.hasPrefix("Backhand-Athena\nupdate/phys\nh=a,") && signature[31] == 255
            }, &room, room.count, &line, line.count)
        if status != BH_ATH_OK { error = text(in: line) }
    }
}
