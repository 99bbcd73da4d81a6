// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem

/// Whether the drain file is there, by the looks at it. docs/directives/BackhandDrainFile.md tells administrators.
struct DrainFileState {
    /// What one look has found.
    enum Finding: Equatable {
        case file
        /// The file is not there, or none is configured.
        case nothing
        /// The system does not say whether it is there.
        case failure(SystemError)
    }

    /// What is to be done after a look.
    enum Action: Equatable {
        case nothing
        /// The file has come: this httpd drains.
        case begin
        /// It has gone.
        case end
        /// A line about this is due.
        case complain(SystemError)
    }

    /// As the last look that found anything out has left it.
    private(set) var isThere: Bool
    private var failures = Minute()

    /// - Parameter isThere: as the moderator before has left it.
    init(isThere: Bool) {
        self.isThere = isThere
    }

    /// A look has found this. What cannot be looked at is as it was.
    mutating func note(_ finding: Finding, now: UInt64) -> Action {
        let before = isThere
        switch finding {
        case .file: isThere = true
        case .nothing: isThere = false
        case .failure(let error): return failures.isDue(now: now) ? .complain(error) : .nothing
        }
        if isThere == before { return .nothing }
        return isThere ? .begin : .end
    }
}
