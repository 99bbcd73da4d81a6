// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// Looks at the file of BackhandDrainFile, and has its state announced: while it is there, this httpd is draining.
final class DrainFile {
    /// nil: none is configured.
    private let path: Path?
    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let log: Log
    private let announcer: Announcer
    /// nil before the first look.
    private var state: DrainFileState?

    init(
        _ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ log: Log,
        _ announcer: Announcer
    ) {
        path = config.drain_file.map { Path(cString: $0) }
        self.segment = segment
        self.log = log
        self.announcer = announcer
    }

    /// Once an interval, and before the first announcement: a server that was drained over a restart never says that it
    /// is up.
    func look(rows: UInt32, now: UInt64) {
        var state = state ?? DrainFileState(isThere: hasDrainFile(segment))
        let action = state.note(finding, now: now)
        self.state = state
        switch action {
        case .nothing: return
        case .complain(let error): complain(error)
        case .begin, .end: change(isThere: state.isThere, rows: rows, now: now)
        }
    }

    private var finding: DrainFileState.Finding {
        guard let path else { return .nothing }
        do throws(SystemError) {
            return try hasFile(path) ? .file : .nothing
        } catch {
            return .failure(error)
        }
    }

    private func change(isThere: Bool, rows: UInt32, now: UInt64) {
        noteDrainFile(isThere, in: segment, rows: rows, now: now)
        announcer.noteOrder(now: now)
        var what = path?.message ?? Message()
        what.add(path == nil ? "is not configured any more" : isThere ? " is there" : " is gone")
        log(
            BH_LOG_NOTICE, LogNumber.drainFile, "the drain file {}: this httpd is {}", .text(what), .word(stateWord))
    }

    private func complain(_ error: SystemError) {
        log(
            BH_LOG_WARNING, LogNumber.drainFileFailed, "cannot look at the drain file {}: {}; this httpd stays {}",
            .text(path?.message ?? Message()), .text(error.message), .word(stateWord))
    }

    private var stateWord: StaticString { stateName(ownState(segment).rawValue) }
}
