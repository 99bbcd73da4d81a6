// Licensed under the Apache License, Version 2.0; see LICENSE.

import Glibc
import BackhandText
import Testing

@testable import BackhandSystem

@Test(
    arguments: [
        ("200000 100000\n", 2000), ("50000 100000\n", 500), ("max 100000\n", nil), ("1 1000000\n", 1), ("100000", nil),
        ("100000 0\n", nil),
        ("", nil), ("99999999999999999999999 1\n", UInt32.max),
    ] as [(String, UInt32?)])
func limitOfVersion2(text: String, expected: UInt32?) {
    #expect(parsing(text, parseCPULimit) == expected)
}

@Test(
    arguments: [("150000\n", "100000\n", 1500), ("-1\n", "100000\n", nil), ("5", "0", nil), ("", "", nil)]
        as [(String, String, UInt32?)])
func limitOfVersion1(quota: String, period: String, expected: UInt32?) {
    let limit = parsing(quota) { quota in parsing(period) { parseCPULimit(quota: quota, period: $0) } }
    #expect(limit == expected)
}

@Test(
    arguments: [
        ("0::/system.slice/apache2.service\n", 2, "/system.slice/apache2.service"),
        ("4:memory:/m\n3:cpu,cpuacct:/a:b\n0::/\n", 1, "/a:b"),
        ("4:memory:/m\n3:cpu,cpuacct:/a\n0::/\n", 2, "/"), ("2:cpuset:/x\n", 1, nil), ("0::/", 2, "/"), ("", 2, nil),
        ("::::\n:\n", 1, nil),
    ] as [(String, Int, String?)])
func groupOfTheCPU(text: String, version: Int, expected: String?) {
    #expect(parsing(text) { parseGroupPath($0, version: version) }?.text == expected)
}

@Test(
    arguments: [
        ("1 (httpd) S 1 1 1 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 1 1 1\n", 127),
        ("1 (a) b) (c) S 1 1 1 0 -1 4194560 1 2 3 4 1 2 3 4 20\n", 10),
        ("1 (httpd) S 1 1 1 0 -1 4194560 1 2 3 4 100 20", nil), ("1 (httpd)", nil), ("1 httpd S", nil), ("", nil),
    ] as [(String, UInt64?)])
func ticksOfAProcess(text: String, expected: UInt64?) {
    #expect(parsing(text, parseProcessTicks) == expected)
}

@Test func thisProcessUsesTime() {
    let sampler = HostSampler()
    defer { sampler.close() }
    #expect(sampler.cpuTime(of: 1 << 30) == nil)
    let before = sampler.cpuTime(of: getpid())
    var sum = 0.0
    for number in 1...60_000_000 { sum += 1 / Double(number) }
    #expect(sum > 1)
    #expect(before != nil && sampler.cpuTime(of: getpid())! > before!)
    let cores = sampler.usableCores(of: 2)
    #expect(cores > 0 && cores <= 2000)
}
