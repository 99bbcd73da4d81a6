// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// The rights of the user that could change what the path of a file means; root's if no other user can.
///
/// A name in a folder of another user means what that user likes: between two system calls a folder becomes a link to
/// another folder.
public func rightsOfPath(_ file: UnsafePointer<CChar>, children: bh_rights_t) -> bh_rights_t {
    PathRights(children: children, look: FileAttributes.init(of:), follow: linkTarget).of(Array(Word(file).bytes))
}

/// The walk along a path. The two functions take a path that ends with a NUL.
struct PathRights {
    /// Symbolic links in one path, as the kernel allows them.
    private static var mostLinks: Int { 40 }
    /// Bytes of a path with its NUL, as the kernel allows them.
    private static var mostBytes: Int { 4096 }
    private static var root: bh_rights_t { bh_rights_t(user: 0, group: 0, name: nil) }

    let children: bh_rights_t
    let look: ([UInt8]) -> FileAttributes?
    let follow: ([UInt8]) -> [UInt8]?

    func of(_ file: [UInt8]) -> bh_rights_t {
        let slash = UInt8(ascii: "/")
        guard file.first == slash, file.count < Self.mostBytes else { return children }
        var (path, at, links, isAboveShared) = (file, 1, 0, false)
        while links < Self.mostLinks {
            // The file itself: whatever it is, it is replaced and not followed.
            guard let end = path[at...].firstIndex(of: slash) else { return Self.root }
            let folder = Array(path[..<end]) + [0]
            // Nothing there; where others may write to the folder above, even a sticky one, they may put a link of
            // theirs there.
            guard let found = look(folder) else { return isAboveShared ? children : Self.root }
            if let others = others(found) { return others }
            isAboveShared = found.isShared
            at = end + 1
            guard found.isLink else { continue }
            guard let target = follow(folder), let begin = path[..<end].lastIndex(of: slash) else { return children }
            // A relative link begins beside itself.
            path = (target.first == slash ? [] : Array(path[...begin])) + target + path[end...]
            guard path.count < Self.mostBytes else { return children }
            at = 1
            links += 1
        }
        return children
    }

    /// The rights of those that can put something else where this is: its owner, or all that may write to a folder. In
    /// a sticky one they may change their own only.
    private func others(_ found: FileAttributes) -> bh_rights_t? {
        if found.user == 0 && (found.isSticky || !found.isShared) { return nil }
        return bh_rights_t(user: found.user == 0 ? children.user : found.user, group: found.group, name: nil)
    }
}
