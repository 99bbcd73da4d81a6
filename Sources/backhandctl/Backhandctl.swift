// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import CBackhand

/// Asks the moderator of an httpd on this machine, and gives it orders.
@main
struct Backhandctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backhandctl",
        abstract: "Queries and controls the moderator of mod_backhand on this machine.",
        version: BACKHAND_VERSION,
        subcommands: [Status.self, Drain.self, Maintenance.self, Resume.self, Farms.self, Farm.self, Member.self])
}
