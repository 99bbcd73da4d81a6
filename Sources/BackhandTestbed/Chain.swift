// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandCandidacy
public import CBackhand

/// Lines of a configuration as steps, and the texts that they point to.
public final class Chain {
    /// The steps, for the engine.
    public let steps: UnsafeBufferPointer<bh_step_t>
    private var texts: [UnsafeMutablePointer<CChar>] = []

    /// Reads lines such as ["byAge 4", "byForecast"].
    ///
    /// - Parameters:
    ///   - loaded: functions in the place of a line's own.
    ///   - broken: the word that says of them that they have damaged memory.
    public init(
        _ lines: [String], loaded: [Int: bh_candidacy_fn] = [:], broken: UnsafeMutablePointer<UInt32>? = nil
    ) throws {
        let room = UnsafeMutableBufferPointer<bh_step_t>.allocate(capacity: lines.count)
        room.initialize(repeating: bh_step_t())
        steps = UnsafeBufferPointer(room)
        for (index, line) in lines.enumerated() {
            let words = line.split(separator: " ", maxSplits: 1).map { keep(String($0)) }
            let argument = words.count > 1 ? words[1] : nil
            if let call = loaded[index] {
                room[index].function = BH_FUNCTION_LOADED
                room[index].call = call
                room[index].name = words[0]
                room[index].argument = argument
                room[index].broken = broken
            } else {
                room[index] = try parseStep(name: words[0], argument: argument)
            }
        }
    }

    /// Steps as they are.
    public init(steps given: [bh_step_t]) {
        let room = UnsafeMutableBufferPointer<bh_step_t>.allocate(capacity: given.count)
        _ = room.initialize(from: given)
        steps = UnsafeBufferPointer(room)
    }

    deinit {
        steps.deallocate()
        for text in texts { text.deallocate() }
    }

    private func keep(_ text: String) -> UnsafePointer<CChar> {
        let bytes = Array(text.utf8CString)
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        copy.initialize(from: bytes, count: bytes.count)
        texts.append(copy)
        return UnsafePointer(copy)
    }
}
