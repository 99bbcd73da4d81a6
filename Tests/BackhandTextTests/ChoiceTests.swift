// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@Suite("Choice")
struct ChoiceTests {
    /// What the words make of the text: the place of the one that it is, or the error.
    private func parse(_ text: String, among words: [StaticString], ignoringCase: Bool = true) -> String {
        let words: [UnsafePointer<CChar>?] = words.map { $0.characters }
        return words.withUnsafeBufferPointer { words in
            text.withCString { text in
                do throws(ConfigurationError) {
                    return String(try Choice(words).parse(Word(text), ignoringCase: ignoringCase))
                } catch {
                    return error.text
                }
            }
        }
    }

    @Test(arguments: [
        ("Act", "0"), ("observe", "1"), ("ACT", "0"),
        ("Acts", "'Acts' is neither Act nor Observe"), ("Ac", "'Ac' is neither Act nor Observe"),
        ("", "'' is neither Act nor Observe"), ("A\u{1}t", "'A?t' is neither Act nor Observe"),
    ])
    func ofTwo(text: String, result: String) {
        #expect(parse(text, among: ["Act", "Observe"]) == result)
    }

    @Test(arguments: [
        ("json", "1"), ("JSON", "'JSON' is neither html nor json"), ("jso", "'jso' is neither html nor json"),
    ])
    func exactly(text: String, result: String) {
        #expect(parse(text, among: ["html", "json"], ignoringCase: false) == result)
    }

    @Test(arguments: [
        ("h2", "3"), ("H2C", "2"), ("[2", "'[2' is none of http, https, h2c and h2"),
        ("ftp", "'ftp' is none of http, https, h2c and h2"),
    ])
    func ofMany(text: String, result: String) {
        #expect(parse(text, among: ["http", "https", "h2c", "h2"]) == result)
    }
}
