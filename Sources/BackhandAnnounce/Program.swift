// Licensed under the Apache License, Version 2.0; see LICENSE.

// The program backhand-announce.

internal import BackhandSystem
internal import BackhandText
internal import CBackhand
internal import CSignature

@c @implementation
public func bh_announce(_ count: Int32, _ given: UnsafePointer<UnsafePointer<CChar>?>) -> Int32 {
    beginDaemon()
    let words = (1..<max(1, Int(count))).compactMap { place in given[place].map { Array(Word($0).bytes) } }
    do throws(ConfigurationError) {
        let arguments = try ProgramArguments(words)
        switch arguments.task {
        case .showHelp: return show(ProgramArguments.help)
        case .showVersion: return showVersion()
        case .checkConfiguration:
            var keys = try readAllKeys(of: try readConfiguration(arguments))
            csignature_forget(&keys)
            return show("Syntax OK\n")
        case .announce:
            let configuration = try readConfiguration(arguments)
            return try start(arguments, configuration, try readAllKeys(of: configuration))
        }
    } catch {
        logError(error.message)
        return 2
    }
}

private func start(
    _ arguments: ProgramArguments, _ configuration: AnnounceConfiguration, _ keys: csignature_keys
) throws(ConfigurationError) -> Int32 {
    if isRoot { logWarning("runs as root and needs no rights of it: User= in its systemd unit gives it another user") }
    do throws(ConfigurationError) {
        return try Daemon(arguments, configuration, keys).run()
    } catch {
        logError(error.message)
        return 1
    }
}

private func showVersion() -> Int32 {
    var text = Message("backhand-announce ")
    text.add(Word(bh_version()).bytes)
    text.add("\n")
    return show(text)
}

private func show(_ text: StaticString) -> Int32 { show(Message(text)) }

private func show(_ text: Message) -> Int32 {
    do throws(SystemError) {
        try writeToStandardOutput(text.bytes)
        return 0
    } catch {
        return 1
    }
}
