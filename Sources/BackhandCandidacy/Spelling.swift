// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// Says that no function has the name, and which word may be meant.
func unknownFunction(_ name: UnsafePointer<CChar>) -> ConfigurationError {
    let what = "unknown candidacy function '\(quotable(name))'"
    guard let near = nearestWord(to: name) else {
        return ConfigurationError("\(what); there are \(allWords())")
    }
    return ConfigurationError("\(what); did you mean \(near.text)?")
}

/// The word behind Backhand that is no function.
var offWord: StaticString { "off" }

/// What may stand behind Backhand: "off" and the built-in functions.
private func word(_ index: Int32) -> StaticString? {
    index == 0 ? offWord : CandidacyFunction.of(id: index)?.name
}

private func allWords() -> String {
    var list = ""
    for index in 0...CandidacyFunction.lastID {
        guard let word = word(index) else { continue }
        list += index == 0 ? word.text : ", \(word.text)"
    }
    return list
}

/// The word that differs least, if it differs in at most a third of its letters; upper and lower case are the same here.
private func nearestWord(to name: UnsafePointer<CChar>) -> StaticString? {
    let wrong = lowered(UnsafeRawPointer(name).assumingMemoryBound(to: UInt8.self))
    var best: (word: StaticString, edits: Int)?
    for index in 0...CandidacyFunction.lastID {
        guard let word = word(index) else { continue }
        let edits = editDistance(wrong, lowered(word.utf8Start))
        guard edits <= max(1, word.utf8CodeUnitCount / 3), edits < best?.edits ?? .max else { continue }
        best = (word, edits)
    }
    return best?.word
}

/// How many letters to insert, delete, replace, or swap with their neighbour make one word of the other (optimal string alignment).
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
private func lowered(_ text: UnsafePointer<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    while text[bytes.count] != 0, bytes.count < 64 {
        let byte = text[bytes.count]
        bytes.append(byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte)
    }
    return bytes
}
