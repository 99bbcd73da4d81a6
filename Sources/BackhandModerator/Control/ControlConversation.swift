// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What a client of the control socket may ask for.
enum ControlRequest: Equatable {
    /// The table and the counters.
    case status
    /// A server's state, and perhaps another one for it.
    case order(ControlOrder)
    /// What should be an address and port is none.
    case badServer
    /// A line that is not a command.
    case unknown
    /// No newline within the first 256 bytes.
    case tooLong
}

/// One client's side of the protocol in docs/control.md, without its socket: one line in, one answer out, then the end.
struct ControlConversation {
    /// Longest line with its newline.
    static var lineLimit: Int { 256 }
    /// Milliseconds from the connection to its end.
    static var patience: UInt64 { 5000 }

    /// What the one with the socket does next.
    enum Step: Equatable {
        /// Read more.
        case read
        /// Make the answer and hand it to ``answer(_:)``.
        case answer(ControlRequest)
        /// Write what ``withUnsent(limit:_:)`` gives.
        case write
        case close
    }

    let deadline: UInt64
    private(set) var step = Step.read
    /// What has arrived of the line.
    private(set) var line: [UInt8] = []
    private var output: [UInt8] = []
    private var sent = 0

    init(now: UInt64) {
        deadline = now &+ Self.patience
    }

    /// Bytes have arrived; none: the client has finished. What comes after the first line is ignored.
    mutating func receive(_ bytes: some Sequence<UInt8>) {
        guard step == .read else { return }
        var any = false
        for byte in bytes {
            any = true
            if byte == UInt8(ascii: "\n") {
                step = .answer(request)
                return
            }
            line.append(byte)
            if line.count >= Self.lineLimit {
                step = .answer(.tooLong)
                return
            }
        }
        if !any { step = .close }
    }

    /// The answer to what was asked.
    mutating func answer(_ bytes: [UInt8]) {
        guard case .answer = step else { return }
        output = bytes
        step = output.isEmpty ? .close : .write
    }

    /// The next bytes of the answer, at most limit.
    func withUnsent<Result, Failure: Error>(
        limit: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try output.withUnsafeBufferPointer { bytes throws(Failure) in
            let piece = bytes[sent..<min(sent + limit, bytes.count)]
            return try body(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: piece)))
        }
    }

    /// This many of these bytes are gone.
    mutating func wrote(_ count: Int) {
        guard step == .write else { return }
        sent = min(sent + max(count, 0), output.count)
        if sent == output.count { step = .close }
    }

    /// The socket is of no more use.
    mutating func fail() {
        step = .close
    }

    /// Ends a client that took too long, slow readers too.
    mutating func check(now: UInt64) {
        if now >= deadline { step = .close }
    }

    private var request: ControlRequest {
        parseControlLine(line)
    }
}
