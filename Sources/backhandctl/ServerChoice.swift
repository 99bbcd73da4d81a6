// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Finds the server that an administrator means by an address and port, an address, or a name.
enum ServerChoice {
    /// "10.0.0.4:80" for what the order is for; what is one already is left to the moderator.
    static func find(_ text: String, askedAt path: String) throws -> String {
        isEndpoint(text) ? text : try choose(text, among: StatusDocument(ask(path, "status\n"), from: path).servers)
    }

    /// Names are those of the table, whole or without their domain; a port may follow.
    static func choose(_ text: String, among servers: [StatusDocument.Server]) throws -> String {
        let (name, port) = parts(text)
        let meant = servers.filter { server in
            (port == nil || port == server.row.port)
                && (server.row.address == name || isSame(server.row.hostname, name))
        }
        guard let first = meant.first else {
            throw Complaint(
                "no server of the table has the name or address \(text): backhandctl status shows them; otherwise "
                    + "give address:port"
            )
        }
        guard meant.count == 1 else {
            throw Complaint("several servers are \(text): choose one of \(meant.map(endpoint).joined(separator: ", "))")
        }
        return endpoint(first)
    }

    private static func endpoint(_ server: StatusDocument.Server) -> String {
        let row = server.row
        return row.address.contains(":") ? "[\(row.address)]:\(row.port)" : "\(row.address):\(row.port)"
    }

    /// Digits and dots, or brackets, and a port.
    private static func isEndpoint(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), Int(text[text.index(after: colon)...]) != nil else { return false }
        let host = text[..<colon]
        return host.hasPrefix("[") || (!host.isEmpty && host.allSatisfy { $0 == "." || ($0.isASCII && $0.isNumber) })
    }

    /// A name or address, and the port after it. An IPv6 address without brackets has no port.
    private static func parts(_ text: String) -> (name: String, port: Int?) {
        guard let colon = text.lastIndex(of: ":"), text.firstIndex(of: ":") == colon,
            let port = Int(text[text.index(after: colon)...])
        else { return (text, nil) }
        return (String(text[..<colon]), port)
    }

    private static func isSame(_ hostname: String, _ name: String) -> Bool {
        let (whole, wanted) = (hostname.lowercased(), name.lowercased())
        return whole == wanted || whole.hasPrefix(wanted + ".") && !wanted.isEmpty
    }
}
