// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Name of a counter as the JSON shows it; nil past the last. Lives for ever.
public func counterName(_ counter: UInt32) -> UnsafePointer<CChar>? { counterNames.text(at: counter) }

/// In the order of bh_counter_t, a NUL between them.
private var counterNames: StaticString {
    """
    received\0accepted\0own\0not_accepted\0truncated\0oversized\0foreign\0version\0nonsense\0repeated\0\
    table_full\0announced\0send_failed\0own_address\0forbidden\0outside\0others_address\0crowd\0unsigned\0\
    bad_signature\0challenged\0answered\0bad_answer\0expired\0unchallenged\0unchecked\0overflowed\0filtered\0\
    not_connections\0refused_cookies
    """
}
