// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// Says that no function has the name, and which word may be meant.
func unknownFunction(_ name: UnsafePointer<CChar>) -> ConfigurationError {
    if formerWord.equals(name) { return Message("byState is called byHealth").error }
    var message = Message("unknown candidacy function ")
    message.quote(Word(name))
    if loadableWord.equals(name) {
        message.add(": it is not a built-in one, but is loaded: BackhandFromSO modules/byHostname.so byHostname")
        return message.error
    }
    if let near = nearestWord(to: name, 0...CandidacyFunction.lastID) {
        message.add("; did you mean ")
        message.add(near.bytes)
        message.add("?")
    } else {
        message.add("; there are ")
        for index in 0...CandidacyFunction.lastID {
            if index > 0 { message.add(", ") }
            if let word = word(index) { message.add(word.bytes) }
        }
        message.add("; others are loaded by BackhandFromSO")
    }
    return message.error
}

/// A function that comes with the module, in an object of its own.
private var loadableWord: StaticString { "byHostname" }

/// What byHealth was called before the first release.
private var formerWord: StaticString { "byState" }

/// The word after Backhand that is not a function.
var offWord: StaticString { "off" }

/// What may stand after Backhand: "off" and the built-in functions; from Resource.words on what may stand in an
/// expression.
private func word(_ index: Int32) -> Word? {
    if index > Resource.words { return Resource.name(index &- Resource.words) }
    return (index == 0 ? offWord : CandidacyFunction.of(id: index)?.name).map { Word($0.bytes) }
}

/// The word that differs least, if it differs in at most a third of its letters; upper and lower case are the same
/// here.
func nearestWord(to name: UnsafePointer<CChar>, _ words: ClosedRange<Int32>) -> Word? {
    let wrong = lowered(Word(name))
    var best: (word: Word, edits: Int)?
    for index in words {
        guard let word = word(index) else { continue }
        let edits = editDistance(wrong, lowered(word))
        guard edits <= max(1, word.bytes.count / 3), edits < best?.edits ?? .max else { continue }
        best = (word, edits)
    }
    return best?.word
}

/// How many letters to insert, delete, replace, or swap with their neighbour make one word of the other (optimal string
/// alignment).
func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var before: [Int] = []
    var last = Array(0...right.count)
    for i in 0..<left.count {
        var row = [i + 1]
        for j in 0..<right.count {
            var edits = min(last[j] + (left[i] == right[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                edits = min(edits, before[j - 1] + 1)
            }
            row.append(edits)
        }
        before = last
        last = row
    }
    return last[right.count]
}

/// At most 64 bytes of a text, in lower case: no word is nearly as long.
private func lowered(_ text: Word) -> [UInt8] { text.bytes.prefix(64).map { Ascii.lowered($0) } }
