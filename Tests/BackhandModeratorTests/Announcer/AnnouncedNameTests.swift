// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandModerator
import BackhandSystem
import Testing

@Suite struct AnnouncedNameTests {
    @Test(arguments: ["www.example.org", "10.0.0.4", "127.example.org"])
    func itIsHttpds(_ name: String) {
        #expect(announcedName(name).text == name)
    }

    @Test(arguments: ["127.0.1.1", "::1"])
    func aLoopbackAddressIsEveryMachines(_ name: String) {
        #expect(announcedName(name).text == machineName().text)
    }

    @Test func withoutOneItIsThisMachine() {
        #expect(announcedName(nil).text == machineName().text)
    }
}
