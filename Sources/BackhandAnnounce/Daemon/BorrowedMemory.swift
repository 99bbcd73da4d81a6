// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// Memory that a moderator borrows until it is closed.
struct BorrowedMemory {
    private var blocks: [UnsafeMutableRawPointer] = []

    /// A copy of the text, with its NUL.
    mutating func text(_ text: Message) -> UnsafePointer<CChar> {
        UnsafeRawPointer(copy(text.bytes + [0])).assumingMemoryBound(to: CChar.self)
    }

    /// A copy of the list, and how long it is.
    mutating func list<Element: BitwiseCopyable>(_ list: [Element]) -> (UnsafePointer<Element>, Int) {
        (UnsafeRawPointer(copy(list)).assumingMemoryBound(to: Element.self), list.count)
    }

    private mutating func copy<Element: BitwiseCopyable>(_ list: [Element]) -> UnsafeMutableRawPointer {
        let size = max(1, list.count * MemoryLayout<Element>.stride)
        let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        list.withUnsafeBytes { block.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(block), byteCount: $0.count) }
        blocks.append(block)
        return block
    }

    /// Frees all of it.
    mutating func removeAll() {
        for block in blocks { block.deallocate() }
        blocks.removeAll()
    }
}
