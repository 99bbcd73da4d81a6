// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Foundation
import Testing

@testable import BackhandSystem

struct ServiceGroupTests {
    /// A folder that looks like the file system of control groups: files by their paths.
    private func withGroups(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let mount = NSTemporaryDirectory() + "groups-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: mount) }
        for (path, text) in files {
            let whole = mount + "/" + path
            try FileManager.default.createDirectory(
                atPath: (whole as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try text.write(toFile: whole, atomically: false, encoding: .utf8)
        }
        try body(mount)
    }

    private static let files = [
        "cgroup.procs": "", "a/cgroup.type": "domain\n", "a/cpu.max": "150000 100000\n",
        "a/b/cgroup.type": "domain\n", "a/b/cpu.max": "max 100000\n",
        "a/b/cpu.stat": "nr_periods 7\nusage_usec 123456\nuser_usec 9\n",
    ]

    @Test func `its use, and the least limit around it`() throws {
        try withGroups(Self.files) { mount in
            let group = try #require(ServiceGroup(Path(mount + "/a/b"), below: Path(mount)))
            #expect(group.cpuTime == 123_456)
            #expect(group.limit == 1500)
        }
    }

    @Test(arguments: ["/a/none", "", "/"]) func `none, or the root`(path: String) throws {
        try withGroups(Self.files) { mount in
            #expect(ServiceGroup(Path(mount + path), below: Path(mount)) == nil)
        }
    }

    @Test func `a group that does not tell`() throws {
        try withGroups(["a/cgroup.type": "", "a/cpu.stat": "usage_usec"]) { mount in
            let group = try #require(ServiceGroup(Path(mount + "/a"), below: Path(mount)))
            #expect(group.cpuTime == nil && group.limit == nil)
        }
    }
}
