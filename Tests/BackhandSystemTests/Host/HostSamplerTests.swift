// Licensed under the Apache License, Version 2.0; see LICENSE.

import Foundation
import Testing

@testable import BackhandSystem

@Test func aPlantedDirectoryIsSampled() throws {
    try withTemporaryDirectory { directory in
        func plant(_ name: String, _ text: String) throws {
            try text.write(toFile: directory + "/" + name, atomically: true, encoding: .utf8)
        }
        try plant("loadavg", "1.25 0 0 1/1 1\n")
        try plant("meminfo", "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n")
        try plant("stat", "cpu  100 0 0 300 0 0 0 0\n")
        try FileManager.default.createDirectory(atPath: directory + "/77", withIntermediateDirectories: true)
        try plant("77/statm", "500 30 10 0 0 0 0\n")
        var sampler = HostSampler(directory: Path(directory))
        defer { sampler.close() }

        var sample = sampler.sample { Issue.record("missing: \($0)") }
        #expect(sample.load == 1250)
        #expect(sample.totalMemory == 2 << 20)
        #expect(sample.availableMemory == 1 << 20)
        #expect(sample.idle == 750, "since the start, while there is no span yet")
        #expect(sample.cpus >= 1)
        #expect(sampler.privateMemory(of: 77) == 20 * UInt64(sysconf(Int32(_SC_PAGESIZE))))
        #expect(sampler.privateMemory(of: 78) == nil)

        try plant("stat", "cpu  190 0 0 310 0 0 0 0\n")
        sample = sampler.sample { Issue.record("missing: \($0)") }
        #expect(sample.idle == 100)

        try plant("stat", "cpu  193 0 0 310 0 0 0 0\n")
        sample = sampler.sample { Issue.record("missing: \($0)") }
        #expect(sample.idle == 100, "three ticks tell nothing")
        try plant("stat", "cpu  196 0 0 314 0 0 0 0\n")
        sample = sampler.sample { Issue.record("missing: \($0)") }
        #expect(sample.idle == 400, "ten since the last reading that counted")

        for name in ["loadavg", "meminfo", "stat"] {
            try FileManager.default.removeItem(atPath: directory + "/" + name)
        }
        var missing: [HostFigure] = []
        #expect(sampler.sample { missing.append($0) } == sample, "what cannot be read is as it was")
        #expect(missing == [.load, .memory, .idle])
    }
}

@Test func theIdleShareIsThatOfTheUsableCPUs() throws {
    try withTemporaryDirectory { directory in
        let mine = (0..<1024).filter(CPUSet.usable().contains)
        try #require(!mine.isEmpty)
        func plant(idle: Int) throws {
            let lines = mine.map { "cpu\($0) 10 0 0 \(idle) 0 0 0 0\n" }.joined()
            try "cpu  100000 0 0 7 0 0 0 0\n\(lines)cpu5000 99990 0 0 0 0 0 0 0\n"
                .write(toFile: directory + "/stat", atomically: true, encoding: .utf8)
        }
        try plant(idle: 10)
        var sampler = HostSampler(directory: Path(directory))
        defer { sampler.close() }
        #expect(sampler.sample { _ in }.idle == 500, "since the start")
        try plant(idle: 30)
        #expect(sampler.sample { _ in }.idle == 1000)
    }
}

@Test func noDirectoryIsNoTrap() {
    var sampler = HostSampler(directory: Path("/does/not/exist"))
    defer { sampler.close() }
    var missing: [HostFigure] = []
    let sample = sampler.sample { missing.append($0) }
    #expect(missing == [.load, .memory, .idle])
    #expect(sample.load == 0 && sample.totalMemory == 0)
}

@Test func thisMachineIsPlausible() {
    var sampler = HostSampler()
    defer { sampler.close() }
    let sample = sampler.sample { Issue.record("missing: \($0)") }
    #expect(sample.totalMemory > 16 << 20)
    #expect(sample.availableMemory > 0 && sample.availableMemory <= sample.totalMemory)
    #expect((0...1000).contains(sample.idle))
    #expect((1...4096).contains(sample.cpus))
    #expect((sampler.privateMemory(of: processID()) ?? 0) > 1 << 16)
}
