// Licensed under the Apache License, Version 2.0; see LICENSE.

import Foundation
import Testing

@testable import BackhandSystem

@Test func whatIsWrittenIsRead() throws {
    try withTemporaryDirectory { directory in
        let path = Path(directory).appending("file")
        #expect(throws: SystemError.missing) { try readSmallFile(path, limit: 10) }
        try writeAtomically(Array("first".utf8), to: path, mode: 0o640)
        try writeAtomically(Array("second".utf8), to: path, mode: 0o640)
        #expect(try readSmallFile(path, limit: 100) == Array("second".utf8))
        #expect(try readSmallFile(path, limit: 3) == Array("sec".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["file"])
    }
}

@Test func aLeftOrPlantedTemporaryNameDoesNoHarm() throws {
    try withTemporaryDirectory { directory in
        let victim = directory + "/victim"
        try "precious".write(toFile: victim, atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: directory + "/file.new", withDestinationPath: victim)
        try writeAtomically([65], to: Path(directory + "/file"), mode: 0o600)
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "precious")
        #expect(try readSmallFile(Path(directory + "/file"), limit: 9) == [65])
    }
}

@Test func onlyRegularFilesAreRead() throws {
    try withTemporaryDirectory { directory in
        #expect(throws: SystemError.wrongKind) { try readSmallFile(Path(directory), limit: 10) }
        #expect(mkfifo(directory + "/pipe", 0o600) == 0)
        #expect(throws: SystemError.wrongKind) { try readSmallFile(Path(directory + "/pipe"), limit: 10) }
        try writeAtomically([65], to: Path(directory + "/real"), mode: 0o600)
        try FileManager.default.createSymbolicLink(
            atPath: directory + "/link", withDestinationPath: directory + "/real")
        #expect(throws: SystemError.self) { try readSmallFile(Path(directory + "/link"), limit: 10) }
    }
}

@Test func aDirectoryThatIsNotThereIsAnError() {
    #expect(throws: SystemError.missing) {
        try writeAtomically([1], to: Path("/does/not/exist/file"), mode: 0o600)
    }
    #expect(SystemError.missing.text == "No such file or directory")
}

@Test func aFileIsThereOrNotOrAnError() throws {
    try withTemporaryDirectory { directory in
        let path = Path(directory + "/file")
        #expect(try !hasFile(path) && !hasFile(Path(directory + "/no/file")))
        try writeAtomically([], to: path, mode: 0o000)
        #expect(try hasFile(path))
        #expect(mkfifo(directory + "/pipe", 0o600) == 0)
        #expect(try hasFile(Path(directory + "/pipe")))
        for (link, target) in [("/link", "/file"), ("/nowhere", "/none"), ("/circle", "/circle"), ("/up", "")] {
            try FileManager.default.createSymbolicLink(
                atPath: directory + link, withDestinationPath: directory + target)
        }
        #expect(try hasFile(Path(directory + "/link")) && !hasFile(Path(directory + "/nowhere")))
        #expect(throws: SystemError(code: ELOOP)) { try hasFile(Path(directory + "/circle")) }
        #expect(throws: SystemError(code: ENOTDIR)) { try hasFile(Path(directory + "/file/below")) }
        for folder in ["", "/", "/up"] {
            #expect(throws: SystemError.isFolder) { try hasFile(Path(directory + folder)) }
        }
    }
}

@Test func pathsAreBytes() {
    let odd: [CChar] = [47, 116, -1, 0]
    #expect(
        Path(cString: odd).appending("x").extended(by: ".y").withCString {
            Array(UnsafeBufferPointer(start: $0, count: 8))
        }
            == [47, 116, -1, 47, 120, 46, 121, 0])
    #expect(Path("/a").appending("b").message.text == "/a/b")
}
