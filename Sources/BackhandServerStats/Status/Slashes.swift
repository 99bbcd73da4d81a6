// Licensed under the Apache License, Version 2.0; see LICENSE.

/// How a server treats slashes in URLs: bh_facts_t.slashes, in words of httpd's configuration.
public struct Slashes: Equatable {
    /// 0: not known.
    public let value: UInt32

    /// What is announced; values of later programs are not known.
    public init(_ announced: UInt32) {
        value = (1...3).contains(announced >> 8) && (1...2).contains(announced & 0xff) ? announced : 0
    }

    /// The value of AllowEncodedSlashes, or "unknown".
    public var encoded: StaticString {
        switch value >> 8 {
        case 1: "Off"
        case 2: "On"
        case 3: "NoDecode"
        default: "unknown"
        }
    }

    /// The value of MergeSlashes, or "unknown".
    public var merged: StaticString {
        switch value & 0xff {
        case 1: "Off"
        case 2: "On"
        default: "unknown"
        }
    }
}
