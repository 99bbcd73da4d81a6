// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// What stands on the command line.
struct ProgramArguments {
    enum Task: Equatable {
        case announce
        case checkConfiguration
        case showHelp
        case showVersion
    }

    var task = Task.announce
    /// --config; nil: the usual place, if something is there.
    var file: [UInt8]?
    /// --listen-only: nothing is announced.
    var listensOnly = false
    /// --server, --workers and --check, as lines of a configuration file that come after all others.
    var lines: [[UInt8]] = []

    /// Where the configuration is if no option says it.
    static var usualFile: StaticString { "/etc/backhand/announce.conf" }

    static var help: StaticString {
        """
        usage: backhand-announce [--config FILE] [--server ADDRESS:PORT] [--workers N] [--check PATH] [--check-config]
               backhand-announce [--config FILE] --listen-only [--check-config]

        Announces web servers of this machine to the balancers of a mod_backhand cluster.

          -c, --config FILE          directives (default: /etc/backhand/announce.conf)
          -s, --server ADDRESS:PORT  a server, besides those of the file; may be repeated
          -w, --workers N            how many requests a server can serve at once
          -k, --check PATH           what each server is asked, to announce whether it works
          -l, --listen-only          announces nothing, and knows the servers of others for backhandctl
          -t, --check-config         checks the configuration, and does nothing else
              --version              shows the version
          -h, --help                 shows this

        SIGTERM: the servers are announced as shutting down, and the program ends.
        SIGHUP: the configuration is read again. SIGUSR1: the program ends, the servers stay.

        """
    }

    /// Reads the arguments, without the program's name.
    init(_ arguments: [[UInt8]]) throws(ConfigurationError) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            try option.withUnsafeBufferPointer { bytes throws(ConfigurationError) in
                try take(Word(bytes), &rest)
            }
        }
    }

    private mutating func take(_ option: Word, _ rest: inout ArraySlice<[UInt8]>) throws(ConfigurationError) {
        if option.equals("-h") || option.equals("--help") {
            task = .showHelp
        } else if option.equals("--version") {
            task = .showVersion
        } else if option.equals("-t") || option.equals("--check-config") {
            task = .checkConfiguration
        } else if option.equals("-l") || option.equals("--listen-only") {
            listensOnly = true
        } else if option.equals("-c") || option.equals("--config") {
            file = try value(of: option, &rest)
        } else if option.equals("-s") || option.equals("--server") {
            lines.append(bytes("<Server ") + (try value(of: option, &rest)) + [UInt8(ascii: ">")])
            lines.append(bytes("</Server>"))
        } else if option.equals("-w") || option.equals("--workers") {
            lines.append(bytes("Workers ") + (try value(of: option, &rest)))
        } else if option.equals("-k") || option.equals("--check") {
            lines.append(bytes("BackhandCheck ") + (try value(of: option, &rest)))
        } else {
            throw ConfigurationError(option, " is not an option; --help shows all")
        }
    }

    private func value(
        of option: Word, _ rest: inout ArraySlice<[UInt8]>
    ) throws(ConfigurationError) -> [UInt8] {
        guard let value = rest.popFirst() else { throw ConfigurationError(option, " needs a value") }
        return value
    }
}

private func bytes(_ text: StaticString) -> [UInt8] { Array(text.bytes) }
