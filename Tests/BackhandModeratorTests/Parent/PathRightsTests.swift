// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import Testing

@testable import BackhandModerator

private let folder = UInt32(0o040755)
private let link = UInt32(0o120777)

@Suite struct PathRightsTests {
    /// Folders and links by their paths: user, group, mode, and what a link names.
    typealias Files = [String: (user: UInt32, group: UInt32, mode: UInt32, target: String?)]

    private func user(of path: String, _ files: Files, lists: Set<String> = []) -> UInt32 {
        func name(_ bytes: [UInt8]) -> String { String(decoding: bytes.dropLast(), as: UTF8.self) }
        let rights = PathRights(
            children: bh_rights_t(user: 33, group: 33, name: nil),
            look: { path in
                files[name(path)].map {
                    FileAttributes(
                        user: $0.user, group: $0.group, mode: $0.mode, hasAccessList: lists.contains(name(path)))
                }
            },
            follow: { files[name($0)]?.target.map { Array($0.utf8) } }
        ).of(Array(path.utf8))
        return rights.user
    }

    private let system: Files = [
        "/run": (0, 0, folder, nil), "/run/httpd": (0, 0, folder, nil), "/tmp": (0, 0, 0o041777, nil),
        "/home": (0, 0, folder, nil), "/home/eve": (1000, 1000, folder, nil), "/open": (0, 0, 0o040777, nil),
        "/team": (0, 7, 0o040775, nil), "/rootteam": (0, 0, 0o040775, nil), "/run/www": (33, 33, folder, nil),
        "/var": (0, 0, folder, nil), "/var/run": (0, 0, link, "/run"), "/var/near": (0, 0, link, "../run"),
        "/var/..": (0, 0, folder, nil), "/var/../run": (0, 0, folder, nil), "/var/../run/www": (33, 33, folder, nil),
        "/tmp/eve": (1000, 1000, link, "/run"), "/var/loop": (0, 0, link, "/var/loop"),
        "/var/eve": (0, 0, link, "/home/eve"),
    ]

    @Test(
        arguments: [
            ("/run/httpd/pid", 0), ("/pid", 0), ("/tmp/pid", 0), ("/run/www/pid", 33), ("/home/eve/pid", 1000),
            ("/open/pid", 33), ("/team/pid", 33), ("/rootteam/pid", 0), ("/var/run/httpd/pid", 0),
            ("/var/run/www/pid", 33), ("/var/near/www/pid", 33), ("/var/eve/pid", 1000), ("/tmp/eve/pid", 1000),
            ("/run/none/pid", 0), ("/tmp/none/pid", 33), ("relative/pid", 33), ("", 33), ("/var/loop/pid", 33),
        ] as [(String, UInt32)])
    func users(path: String, expected: UInt32) {
        #expect(user(of: path, system) == expected)
    }

    @Test func anAccessListMakesTheGroupOthers() {
        #expect(user(of: "/rootteam/pid", system, lists: ["/rootteam"]) == 33)
    }

    @Test func aPathThatIsTooLongIsTheChildrens() {
        #expect(user(of: "/run/" + String(repeating: "a", count: 5000), system) == 33)
        let long = "/" + String(repeating: "b", count: 4000)
        let files = system.merging(["/var/long": (0, 0, link, long)]) { $1 }
        #expect(user(of: "/var/long/" + String(repeating: "c", count: 200) + "/pid", files) == 33)
    }
}
