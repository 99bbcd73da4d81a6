// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import Foundation
import Testing

@testable import BackhandModerator

@Suite struct DrainFileTests {
    private func put(_ path: String) throws { try writeAtomically([], to: Path(path), mode: 0o644) }

    private func state(_ running: RunningModerator) -> UInt32 { bh_row_state(bh_segment_row(running.segment, 0)) }

    private func becomes(_ state: bh_state_t, _ running: RunningModerator) -> Bool {
        eventually(within: 10_000) { self.state(running) == state.rawValue }
    }

    /// Lines about the drain file.
    private func lines(_ running: RunningModerator) -> [String] {
        running.log.filter { [LogNumber.drainFile, LogNumber.drainFileFailed].contains($0.number) }.map { $0.text }
    }

    @Test func itDrainsWhileTheFileIsThere() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/drain"
            let running = try RunningModerator(Setting(drainFile: path)).start()
            defer { running.finish() }
            #expect(eventually(within: 10_000) { running.facts(0) != nil } && becomes(BH_STATE_UP, running))
            try put(path)
            #expect(becomes(BH_STATE_DRAINING, running))
            // The row shows it before the announcement has written its facts.
            #expect(eventually(within: 10_000) { running.facts(0)?.state == UInt8(BH_STATE_DRAINING.rawValue) })
            try FileManager.default.removeItem(atPath: path)
            #expect(becomes(BH_STATE_UP, running))
            #expect(bh_row_came(bh_segment_row(running.segment, 0)) > 0)
            // The line comes after the state.
            #expect(eventually(within: 10_000) { self.lines(running).count > 1 })
            #expect(
                lines(running) == [
                    "the drain file \(path) is there: this httpd is draining",
                    "the drain file \(path) is gone: this httpd is up",
                ])
        }
    }

    /// No announcement says that it is up.
    @Test func theFileIsLookedAtBeforeTheFirstAnnouncement() throws {
        try withTemporaryDirectory { folder in
            try put(folder + "/drain")
            let running = try RunningModerator(Setting(drainFile: folder + "/drain"))
            var writer = StatsWriter(segment: running.segment, epoch: bh_segment_own(running.segment, getpid()))
            running.moderator.beginNetwork(now: monotonicMilliseconds())
            running.moderator.round(&writer, now: monotonicMilliseconds())
            #expect(running.facts(0)?.sequence == 1 && running.facts(0)?.state == UInt8(BH_STATE_DRAINING.rawValue))
            running.close()
        }
    }

    /// The moderator before has left its word in the segment.
    @Test func theNextModeratorGoesOn() throws {
        let segment = makeSegment(bootID: 1)
        defer { UnsafeMutableRawPointer(segment).deallocate() }
        try withTemporaryDirectory { folder in
            try put(folder + "/drain")
            for expected in [1, 0] {
                let running = try RunningModerator(Setting(segment: segment, drainFile: folder + "/drain")).start()
                #expect(becomes(BH_STATE_DRAINING, running))
                running.finish()
                #expect(lines(running).count == expected)
            }
        }
        // It is not in the configuration any more.
        let running = try RunningModerator(Setting(segment: segment)).start()
        #expect(becomes(BH_STATE_UP, running))
        running.finish()
        #expect(lines(running) == ["the drain file is not configured any more: this httpd is up"])
    }

    @Test(arguments: [true, false])
    func whatCannotBeLookedAtStays(wasThere: Bool) throws {
        let segment = makeSegment(bootID: 1)
        defer { UnsafeMutableRawPointer(segment).deallocate() }
        try withTemporaryDirectory { folder in
            noteDrainFile(wasThere, in: segment, rows: 1, now: 1)
            // A folder is an error, as in the configuration.
            let running = try RunningModerator(Setting(segment: segment, drainFile: folder)).start()
            #expect(eventually(within: 10_000) { running.facts(0).map { $0.sequence > 3 } ?? false })
            let state = wasThere ? BH_STATE_DRAINING : BH_STATE_UP
            #expect(running.facts(0)?.state == UInt8(state.rawValue))
            running.finish()
            #expect(
                lines(running) == [
                    "cannot look at the drain file \(folder): Is a directory; this httpd stays "
                        + (wasThere ? "draining" : "up")
                ])
        }
    }
}
