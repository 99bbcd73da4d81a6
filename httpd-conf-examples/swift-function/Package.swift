// swift-tools-version: 6.0
// Licensed under the Apache License, Version 2.0; see LICENSE.
import PackageDescription

// A candidacy function in Embedded Swift. The result needs only libc, and no Swift runtime gets into httpd.
let package = Package(
    name: "byMemory",
    products: [.library(name: "byMemory", type: .dynamic, targets: ["byMemory"])],
    targets: [
        .target(name: "CModBackhand"),
        .target(
            name: "byMemory", dependencies: ["CModBackhand"],
            swiftSettings: [.enableExperimentalFeature("Embedded"), .unsafeFlags(["-wmo"])],
            // Each object uses its own copy of Swift's few helpers, not one that another object brought.
            linkerSettings: [.unsafeFlags(["-Xlinker", "-Bsymbolic"])]),
    ]
)
