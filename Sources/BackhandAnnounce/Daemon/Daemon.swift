// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandModerator
internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText
internal import CSignature

/// A moderator without an httpd: it announces the servers of a configuration, and knows those of others.
final class Daemon {
    private let arguments: ProgramArguments
    var configuration: AnnounceConfiguration
    let segment: UnsafeMutablePointer<bh_segment_t>
    private let held: HeldSockets?
    private var bootFile: BootFile
    var control: ControlListener
    let keys: UnsafeMutablePointer<csignature_keys>
    /// Texts and lists that the moderator borrows.
    var borrowed = BorrowedMemory()
    var watch = ServerWatch()
    private let manager = ServiceManager()
    /// Whether the moderator that runs only says that its servers are gone.
    private var isDismissing = false
    /// Whether the service manager knows that the servers are announced.
    private var isReady = false

    /// Makes what outlives a reload.
    init(
        _ arguments: ProgramArguments, _ configuration: AnnounceConfiguration, _ keys: csignature_keys
    ) throws(ConfigurationError) {
        self.arguments = arguments
        self.configuration = configuration
        self.keys = .allocate(capacity: 1)
        self.keys.initialize(to: keys)
        bootFile = BootFile(configuration)
        control = try ControlListener(configuration)
        segment = try Self.makeSegment(bootFile.read())
        held = Self.makeHeld()
    }

    private static func makeSegment(
        _ kept: BootFile.Content?
    ) throws(ConfigurationError) -> UnsafeMutablePointer<bh_segment_t> {
        var memory: UnsafeMutableRawPointer?
        var size = 0
        let failure = mapSegment(childSlots: 1, bootID: kept?.bootID, &memory, &size)
        guard let memory else { throw complaint("cannot map memory: ", SystemError(code: failure)) }
        let segment = memory.assumingMemoryBound(to: bh_segment_t.self)
        // A process that takes over goes on where the one before ended: tenths of a second, of which no one announces
        // that many.
        bh_word_store(&segment.pointee.sequence, UInt64(max(wallSeconds(), 0)) &* 10)
        if let kept { bh_half_store(&segment.pointee.state, kept.state) }
        return segment
    }

    private static func makeHeld() -> HeldSockets? {
        do throws(ModeratorError) {
            return try HeldSockets()
        } catch {
            return nil
        }
    }

    /// Works until a signal ends it. Returns the exit code.
    func run() -> Int32 {
        keepBoot()
        catchStopSignals()
        while true {
            let moderator: Moderator
            do throws(ModeratorError) {
                moderator = try Moderator.open(moderatorConfiguration(), held)
            } catch {
                logError(error.message)
                control.close()
                return 1
            }
            moderator.run()
            moderator.close()
            guard stopSignal() == .reload else { break }
            tellReload()
            reload()
            // What has come meanwhile waits until the next moderator does.
            forgetStopSignal()
        }
        manager.tell(Message("STOPPING=1"))
        if stopSignal() == .end { bootFile.forget() } else { keepBoot() }
        control.close()
        return 0
    }

    /// Whether the moderator that ends announces that its servers shut down.
    var saysFarewell: Bool { isDismissing || (stopSignal() == .end && !configuration.listensOnly) }

    private func tellReload() {
        var text = Message("RELOADING=1\nMONOTONIC_USEC=")
        text.add(monotonicNanoseconds() / 1000)
        manager.tell(text)
        isReady = false
    }

    /// Once a second, before the announcements.
    func tellManager() {
        if !isReady { manager.tell(Message("READY=1")) }
        isReady = true
        if manager.watches { manager.tell(Message("WATCHDOG=1")) }
    }

    /// Reads the configuration again. If something is wrong with it, the one before stays.
    private func reload() {
        do throws(ConfigurationError) {
            let new = try readConfiguration(arguments)
            var newKeys = try readAllKeys(of: new)
            do throws(ConfigurationError) {
                try move(to: new)
            } catch {
                csignature_forget(&newKeys)
                throw error
            }
            dismiss(
                configuration.servers.filter { server in !new.servers.contains { $0.isAt(server.address, server.port) }
                })
            csignature_forget(keys)
            keys.pointee = newKeys
            configuration = new
            watch = ServerWatch()
        } catch {
            logError(error.message)
        }
    }

    /// Announces that servers shut down which the new configuration does not have, as the present one announces them.
    /// The signal to read it is still there, so this moderator only says its last words.
    private func dismiss(_ servers: [AnnouncedServer]) {
        guard !servers.isEmpty else { return }
        let all = configuration.servers
        configuration.servers = servers
        (watch, isDismissing) = (ServerWatch(), true)
        defer {
            configuration.servers = all
            isDismissing = false
        }
        do throws(ModeratorError) {
            let moderator = try Moderator.open(moderatorConfiguration(), held)
            moderator.run()
            moderator.close()
        } catch {
            logError(error.message)
        }
    }

    /// The control socket and what is kept for the next process follow the first server and the folder.
    private func move(to new: AnnounceConfiguration) throws(ConfigurationError) {
        guard !control.isFor(new) else { return try control.handOver(new) }
        let newControl = try ControlListener(new)
        control.close()
        control = newControl
        bootFile.forget()
        bootFile = BootFile(new)
        keepBoot()
    }

    private func keepBoot() {
        do throws(SystemError) {
            let state = bh_half_load(&segment.pointee.state)
            try bootFile.write(BootFile.Content(bootID: segment.pointee.boot_id, state: state))
        } catch {
            logError(complaint("cannot keep the boot id: ", error).message)
        }
    }
}

/// What was tried, and what the system said.
func complaint(_ begin: StaticString, _ why: SystemError) -> ConfigurationError {
    var message = Message(begin)
    message.add(why.message)
    return message.error
}
