// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// What a new process of this program takes over: for the balancers the servers are the same then, with all that is
/// known of them, and what was ordered holds.
struct BootFile {
    /// The word of which each server's boot id is made.
    struct Content: Equatable {
        var bootID: UInt64
        /// bh_state_t, as ordered.
        var state: UInt32
    }

    private let path: Path

    /// The file of this configuration's servers.
    init(_ configuration: AnnounceConfiguration) { path = Path(configuration.path(".boot")) }

    /// What is kept; nil: nothing, or nonsense.
    func read() -> Content? {
        do throws(SystemError) {
            let text = try readSmallFile(path, limit: 64)
            return text.withUnsafeBufferPointer { BootFile.parse(Word($0)) }
        } catch {
            return nil
        }
    }

    /// Two numbers in a line.
    static func parse(_ text: Word) -> Content? {
        let (boot, state) = text.split(at: Ascii.newline).head.split(at: Ascii.space)
        // The largest number stands for all that do not fit.
        guard let boot = boot.number(in: 1...(UInt64.max - 1)),
            let state = state?.number(in: 0...UInt64(BH_STATE_MAINTENANCE.rawValue))
        else { return nil }
        return Content(bootID: boot, state: UInt32(state))
    }

    /// Keeps it.
    func write(_ content: Content) throws(SystemError) {
        var text = Message()
        text.add(content.bootID)
        text.add(" ")
        text.add(UInt64(content.state))
        text.add("\n")
        try writeAtomically(text.bytes, to: path, mode: 0o600)
    }

    /// The servers are gone for good: the next ones are others.
    func forget() { remove(path) }
}
