// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandSystem
import FoundationEssentials

/// Finds the control socket.
enum SocketChoice {
    /// Where Debian's configuration has UnixSocketDir.
    static let directory = "/var/lib/backhand"

    /// The path given, or named by the environment, or the only one there is.
    static func find(given: String?) throws -> String {
        if let path = given ?? ProcessInfo.processInfo.environment["BACKHAND_SOCKET"], !path.isEmpty { return path }
        var names = try sockets()
        if names.isEmpty {
            pause(milliseconds: restartPause)
            names = try sockets()
        }
        return try onlyOne(of: names, in: directory)
    }

    static func onlyOne(of names: [String], in directory: String) throws -> String {
        guard let name = names.first else {
            throw Complaint(
                "there is no backhand-*.sock in \(directory): is httpd running with mod_backhand? If its moderator "
                    + "cannot start, its error log has a line "
                    + "with BH0201 to BH0208. If its UnixSocketDir is another one, name the socket with -s")
        }
        guard names.count == 1 else {
            let list = names.map { "  \(directory)/\($0)" }.joined(separator: "\n")
            throw Complaint("there are several httpds: choose one with -s\n\(list)")
        }
        return "\(directory)/\(name)"
    }

    private static func sockets() throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory)
                .filter { $0.hasPrefix("backhand-") && $0.hasSuffix(".sock") }.sorted()
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            return []
        } catch {
            throw Complaint("you may not look into \(directory): \(whoMay(directory))")
        }
    }
}

/// Which users may use a socket or directory, for messages.
func whoMay(_ path: String) -> String {
    var place = path
    while true {
        if let facts = try? FileManager.default.attributesOfItem(atPath: place) {
            let group = facts[.groupOwnerAccountName] as? String
            return "only root and the group \(group ?? "that it belongs to") may"
        }
        guard let slash = place.lastIndex(of: "/"), slash != place.startIndex else { return "ask root" }
        place = String(place[..<slash])
    }
}
