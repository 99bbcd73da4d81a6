// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandModerator
internal import BackhandText
internal import CSignature

/// The keys of BackhandKey's file; none, if there is no such line. Their taker forgets them.
func readAllKeys(of configuration: AnnounceConfiguration) throws(ConfigurationError) -> csignature_keys {
    var keys = csignature_keys()
    guard let key = configuration.key else { return keys }
    do throws(ConfigurationError) {
        try withWord(key.given) { given throws(ConfigurationError) in
            try withCString(key.path.bytes) { path throws(ConfigurationError) in
                // Never nil: the path is there.
                try readKeys(given: given, path: path!) { key in
                    key.bytes.withMemoryRebound(to: CChar.self) { bytes in
                        bytes.baseAddress.map { csignature_add(&keys, $0, bytes.count) } ?? false
                    }
                }
            }
        }
    } catch {
        csignature_forget(&keys)
        var message = Message("BackhandKey: ")
        message.add(error.message)
        throw message.error
    }
    return keys
}
