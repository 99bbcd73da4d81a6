// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText

/// Where the moderator's lines go: the callback of its maker.
struct Log {
    private let call: bh_log_fn?
    private let baton: UnsafeMutableRawPointer?

    init(_ config: bh_moderator_config_t) { self.init(config.log, config.baton) }

    init(_ call: bh_log_fn?, _ baton: UnsafeMutableRawPointer?) {
        self.call = call
        self.baton = baton
    }

    func callAsFunction(_ level: bh_level_t, _ number: Int32, _ text: Message) {
        guard let call else { return }
        var line = text
        line.add(byte: 0)
        line.bytes.withUnsafeBytes { bytes in
            // Never empty: the NUL is always there.
            call(baton, Int32(level.rawValue), number, bytes.baseAddress!.assumingMemoryBound(to: CChar.self))
        }
    }

    /// Writes a line made of a form.
    @inline(never)
    func callAsFunction(_ level: bh_level_t, _ number: Int32, _ form: StaticString, _ parts: LinePart...) {
        self(level, number, Message(form: form, parts))
    }
}
