// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandSystem

private let huge = "99999999999999999999999999"

@Test(
    arguments: [
        ("0.52 0.58 0.59 1/467 12345\n", 520),
        ("0.00 0.01 0.05 1/87 9461\n", 0),
        ("12.345 1.00 1.00 1/1 1\n", 12345),
        ("1.9999 ", 1999),
        ("3 0.1 0.1", 3000),
        ("3. 0.1 0.1", 3000),
        ("2147484.00 1 1", Int32.max),
        (huge + ".99 1 1", Int32.max),
        ("0." + huge + " 1 1", 999),
        ("0.5", nil),  // may be the beginning of 0.52
        ("12", nil),
        ("", nil),
        (" ", nil),
        ("\n", nil),
        ("-1.00 0.00", nil),
        ("nan 0.00", nil),
        (".5 0.00", nil),
        ("0x10 0.0", nil),
    ] as [(String, Int32?)])
func loadAverage(text: String, expected: Int32?) {
    #expect(parsing(text, parseLoadAverage) == expected)
}

@Test(
    arguments: [
        ("cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3 4\nintr 5\n", CPUTime(idle: 90, total: 360)),
        ("cpu  1 2 3 4\n", CPUTime(idle: 4, total: 10)),  // Linux 2.4
        ("cpu 1 2 3 4 5\n", CPUTime(idle: 9, total: 15)),
        ("page 5\ncpu  1 2 3 4\n", CPUTime(idle: 4, total: 10)),
        ("cpu  \(huge) 2 3 4\n", CPUTime(idle: 4, total: .max)),
        ("cpu  1 2 3 \(huge) \(huge)\n", CPUTime(idle: .max, total: .max)),
        ("cpu  1 2 3 4 x 6\n", CPUTime(idle: 4, total: 10)),
        ("cpu  10 20 30 40 50 60 70 8", nil),  // cut
        ("cpu  1 2 3\n", nil),
        ("cpu\n", nil),
        ("cpu", nil),
        ("cpu0 1 2 3 4 5\n", nil),
        ("cpu  -1 2 3 4\n", nil),
        ("", nil),
        ("\n\n\n", nil),
    ] as [(String, CPUTime?)])
func cpuTime(text: String, expected: CPUTime?) {
    #expect(parsing(text, parseCPUTime) == expected)
}

private let four = "cpu  10 0 0 10\ncpu0 1 0 0 1\ncpu1 2 0 0 10\ncpu2 3 0 0 100\ncpu64 4 0 0 1000\nintr 5 0 0 6\n"

@Test(
    arguments: [
        (four, [0b1], CPUTime(idle: 1, total: 2)),
        (four, [0b110], CPUTime(idle: 110, total: 115)),
        (four, [0b100, 0b1], CPUTime(idle: 1100, total: 1107)),
        (four, [0b111, 0b1], CPUTime(idle: 1111, total: 1121)),
        (four, [0b1001], nil),  // no line for CPU 3: numbered anew, or cut
        (four, [0], nil),
        (four, [], nil),
        ("cpu  10 0 0 10\ncpu0 1 0 0 1", [0b1], nil),  // cut
        ("cpu0 1 0 0\n", [0b1], nil),
        ("cpu0\ncpu1 1 0 0 1\n", [0b11], nil),
        ("cpu0 1 0 0 \(huge)\n", [0b1], CPUTime(idle: .max, total: .max)),
        ("cpu\(huge) 1 0 0 1\n", [0b1], nil),
        ("cpux 1 0 0 1\ncpu0x 1 0 0 2\n", [0b1], nil),
        ("", [0b1], nil),
    ] as [(String, [UInt64], CPUTime?)])
func timeOfSomeCPUs(text: String, cpus: [UInt64], expected: CPUTime?) {
    #expect(parsing(text) { parseCPUTime($0, of: CPUSet(words: cpus)) } == expected)
}

@Test(
    arguments: [
        (CPUTime(idle: 100, total: 200), CPUTime(idle: 150, total: 300), 500),
        (CPUTime(idle: 100, total: 200), CPUTime(idle: 200, total: 300), 1000),
        (CPUTime(idle: 100, total: 200), CPUTime(idle: 100, total: 300), 0),
        (CPUTime(idle: 100, total: 200), CPUTime(idle: 90, total: 300), 0),  // idle time fell
        (CPUTime(idle: 100, total: 200), CPUTime(idle: 500, total: 300), 1000),  // more idle than time
        (CPUTime(idle: 100, total: 200), CPUTime(idle: 100, total: 200), nil),  // no time
        (CPUTime(idle: 100, total: 200), CPUTime(idle: 10, total: 20), nil),  // counters fell
        (CPUTime(idle: 0, total: 0), CPUTime(idle: .max, total: .max), 1000),
        (CPUTime(idle: 0, total: 0), CPUTime(idle: .max / 2, total: .max), 500),
        (CPUTime(idle: 0, total: 0), CPUTime(idle: 1, total: 3), 333),
    ] as [(CPUTime, CPUTime, Int32?)])
func idleShare(before: CPUTime, after: CPUTime, expected: Int32?) {
    #expect(after.idleShare(since: before) == expected)
}

private let today = """
    MemTotal:       24576000 kB
    MemFree:        10000000 kB
    MemAvailable:   20000000 kB
    Buffers:          100000 kB
    Cached:          5000000 kB
    SwapCached:            0 kB

    """

@Test(
    arguments: [
        (today, Memory(total: 24_576_000 * 1024, available: 20_000_000 * 1024)),
        // Linux 2.6: no MemAvailable
        (
            "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 3 kB\nSwapCached: 9 kB\n",
            Memory(total: 1_024_000, available: 123 * 1024)
        ),
        // Linux 2.4: both forms
        (
            "        total:    used:    free:  shared: buffers:  cached:\n"
                + "Mem:  2097152 1048576 1048576 0 4096 8192\nSwap: 0 0 0\nMemTotal: 2048 kB\nMemFree: 1024 kB\n",
            Memory(total: 2_097_152, available: 1_048_576)
        ),
        ("Mem:  2097152 1048576 1048576 0 4096 8192\nSwap: 0 0 0\n", Memory(total: 2_097_152, available: 1_060_864)),
        ("Mem:  100 1 \(huge) 0 4096 8192\n", Memory(total: 100, available: 100)),
        ("MemTotal: \(huge) kB\nMemAvailable: \(huge) kB\n", Memory(total: .max, available: .max)),
        ("MemTotal: 10 kB\nMemAvailable: 20 kB\n", Memory(total: 10240, available: 10240)),  // never more than all
        ("MemTotal: 10 kB\n", Memory(total: 10240, available: 0)),
        ("MemTotal:10\n", nil),
        ("MemTotal: x kB\nMemFree: 1 kB\n", nil),
        ("MemTotal: 0 kB\nMemFree: 1 kB\n", nil),
        ("MemTotal: 2457", nil),  // cut
        ("MemTotal: 10 kB\nMemAvailable: 2", Memory(total: 10240, available: 0)),
        ("MemFree: 10 kB\n", nil),
        ("Mem:  1 2 3\n", nil),
        ("Mem:", nil),
        ("MemTotal:", nil),
        ("", nil),
        ("\0\0\0\n\0", nil),
    ] as [(String, Memory?)])
func memory(text: String, expected: Memory?) {
    #expect(parsing(text, parseMemory) == expected)
}

@Test(
    arguments: [
        ("5000 1200 200 1 0 300 0\n", 1000),
        ("5000 200 1200 1 0 300 0\n", 0),
        ("\(huge) \(huge) 0 1\n", UInt64.max),
        ("5000 1200 200", nil),  // may be cut
        ("5000 1200\n", nil),
        ("5000\n", nil),
        ("", nil),
        ("a b c d\n", nil),
    ] as [(String, UInt64?)])
func privatePages(text: String, expected: UInt64?) {
    #expect(parsing(text, parsePrivatePages) == expected)
}

/// Every beginning of a real file is taken without a trap, and never gives more than the whole.
@Test func everyCutIsTaken() {
    let all = Array((today + "cpu  10 20 30 40 50\nMem:  1 2 3 4 5 6\n0.52 0.58 \n").utf8)
    for start in 0..<all.count {
        for end in start...min(all.count, start + 64) {
            all[start..<end].withUnsafeBufferPointer { piece in
                _ = parseLoadAverage(piece)
                _ = parseCPUTime(piece)
                _ = parsePrivatePages(piece)
                if let memory = parseMemory(piece) { #expect(memory.available <= memory.total) }
            }
        }
    }
}

/// The state stands behind the name, which may hold anything.
@Test(
    arguments: [
        ("7 (httpd) S 1 7", false), ("7 (httpd) R 1 7", false), ("7 (httpd) D 1 7", false), ("7 (httpd) I 1", false),
        ("7 (httpd) T 1 7", true),
        ("7 (httpd) t 1 7", true), ("7 (httpd) Z 1 7", true), ("7 (a) T (b) S 1 7", false), ("7 (a) S) T 1", true),
        ("7 (httpd) ", nil),
        ("7 (httpd", nil), ("", nil), (")", nil), (") T", true),
    ] as [(String, Bool?)])
func stoppedProcesses(_ text: String, _ expected: Bool?) {
    #expect(Array(text.utf8).withUnsafeBufferPointer(parseProcessStopped) == expected)
}
