// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

extension bh_facts_t {
    /// Takes over a name; what does not fit is cut. NULL: the name stays empty.
    @inline(never)
    public mutating func setHostname(_ name: UnsafePointer<CChar>?) {
        guard let name else { return }
        withUnsafeMutableBytes(of: &hostname) { room in
            var length = 0
            while length < room.count - 1, name[length] != 0 {
                room[length] = UInt8(bitPattern: name[length])
                length += 1
            }
            room[length] = 0
        }
    }
}
