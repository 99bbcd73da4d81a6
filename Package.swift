// swift-tools-version: 6.3
// Licensed under the Apache License, Version 2.0; see LICENSE.

// One package, built twice (docs/decisions/0001-embedded-swift.md):
//   make .build-embedded/release/libBackhandBridge.a   BACKHAND_EMBEDDED=1 and more flags: the core in mod_backhand.so
//   swift build, swift test                            the same targets, the tools, the tests

import PackageDescription

let embedded = Context.environment["BACKHAND_EMBEDDED"] != nil

let settings: [SwiftSetting] =
    [.swiftLanguageMode(.v6)]
    + (embedded
        ? [.enableExperimentalFeature("Embedded"), .unsafeFlags(["-wmo", "-Osize"])]
        : [])

/// Layers of the moderator alone: without the passes that copy functions for one caller, and turn loops.
let cold: [SwiftSetting] =
    embedded
    ? [
        .unsafeFlags([
            "-Xllvm", "-sil-partial-specialization=0", "-Xllvm", "-tail-merge-size=2", "-Xllvm",
            "-sil-disable-pass=closure-specialize,capture-prop,loop-unroll,array-specialization,loop-rotate,inline",
        ])
    ] : []

/// No request runs through the system calls often enough to make them large.
let small: [CSetting] =
    embedded ? [.unsafeFlags(["-Oz", "-fno-plt", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"])] : []

/// What the module's file is made of: the compiler emits all layers with the border. Equal pieces of code become one
/// function, also without the 128 bytes below the stack, which such a call would overwrite.
let outlined: [SwiftSetting] =
    embedded
    ? [
        .unsafeFlags([
            "-Xllvm", "-enable-machine-outliner=always", "-Xllvm", "-enable-linkonceodr-outlining", "-Xcc",
            "-mno-red-zone", "-Xcc", "-fno-asynchronous-unwind-tables", "-Xllvm",
            "-sil-disable-pass=closure-specialize,loop-unroll",
        ])
    ] : []

/// A layer of the core: may import only what is listed.
func core(_ name: String, _ dependencies: [Target.Dependency], _ more: [SwiftSetting] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings + more)
}

let layers: [Target] = [
    .target(name: "CBackhand"),
    .target(name: "CSystem", cSettings: small),
    .target(name: "CSignature", cSettings: small, linkerSettings: [.linkedLibrary("crypto")]),
    core("BackhandText", ["CSystem"]),
    core("BackhandSystem", ["BackhandText", "CSystem"], cold),
    core("BackhandServerStats", ["BackhandText", "CBackhand", "CSystem"]),
    core("BackhandWire", ["BackhandServerStats"]),
    core("BackhandHTTP", ["BackhandServerStats", "CSystem"]),
    core("BackhandCandidacy", ["BackhandHTTP", "BackhandServerStats", "BackhandText", "CSystem"]),
    core("BackhandModerator", ["BackhandServerStats", "BackhandSystem", "BackhandText", "BackhandWire"], cold),
    core(
        "BackhandAnnounce",
        [
            "BackhandModerator", "BackhandServerStats", "BackhandSystem", "BackhandText", "CBackhand", "CSignature",
        ], cold),
    core("BackhandFarms", ["BackhandServerStats", "BackhandText", "CBackhand"], outlined),
    core(
        "BackhandBridge",
        [
            "BackhandServerStats", "BackhandHTTP", "BackhandCandidacy", "BackhandFarms", "BackhandModerator",
            "BackhandSystem", "BackhandText", "CSignature",
        ], outlined),
]

func tool(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies + [.product(name: "ArgumentParser", package: "swift-argument-parser")],
        swiftSettings: settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: [.target(name: name)] + dependencies, swiftSettings: settings)
}

let tools: [Target] = [
    tool("backhandctl", ["BackhandSystem", "CBackhand"]),
    tool("backhand-simulate", ["BackhandWire", "BackhandSystem", "BackhandSimulator", "CBackhand"]),
]

let hosted: [Target] = [
    .target(
        name: "BackhandSimulator",
        dependencies: ["BackhandCandidacy", "BackhandServerStats", "BackhandTestbed", "CBackhand", "CSystem"],
        swiftSettings: settings),
    core("BackhandTestbed", ["BackhandCandidacy", "BackhandServerStats", "CBackhand", "CSystem"]),
    tests(of: "BackhandText"),
    tests(of: "BackhandServerStats", ["BackhandTestbed", "BackhandText"]),
    tests(of: "BackhandSystem", ["BackhandTestbed", "BackhandText"]),
    tests(of: "BackhandWire"),
    tests(of: "BackhandHTTP", ["BackhandServerStats"]),
    tests(of: "BackhandCandidacy", ["BackhandServerStats", "BackhandTestbed", "BackhandText"]),
    tests(of: "BackhandModerator", ["BackhandServerStats", "BackhandTestbed", "BackhandText", "BackhandWire"]),
    tests(of: "BackhandAnnounce", ["BackhandServerStats", "BackhandSystem", "BackhandText"]),
    tests(of: "BackhandFarms", ["BackhandServerStats", "BackhandTestbed", "BackhandText"]),
    tests(of: "BackhandBridge", ["BackhandText"]),
    tests(of: "BackhandSimulator"),
]

// BACKHAND_FUZZ=1: the fuzzers instead of tools and tests. A library: libFuzzer brings the main function
// (scripts/fuzz).
let fuzzing: [Target] = [
    .target(
        name: "BackhandFuzz",
        dependencies: [
            "BackhandBridge", "BackhandCandidacy", "BackhandFarms", "BackhandHTTP", "BackhandModerator",
            "BackhandServerStats", "BackhandWire", "CBackhand", "CSystem",
        ],
        path: "Tests/Fuzz/Sources", swiftSettings: settings)
]
let isFuzzing = Context.environment["BACKHAND_FUZZ"] != nil

// BACKHAND_TOOLS=no: the tests without the tools, which have none, and without the package that reads their arguments.
let hasTools = !embedded && !isFuzzing && Context.environment["BACKHAND_TOOLS"] != "no"

let package = Package(
    name: "mod_backhand",
    products: [
        .library(name: "BackhandBridge", type: .static, targets: ["BackhandBridge"]),
        .library(name: "BackhandAnnounce", type: .static, targets: ["BackhandAnnounce"]),
    ]
        + (isFuzzing ? [.library(name: "BackhandFuzz", type: .static, targets: ["BackhandFuzz"])] : []),
    dependencies: hasTools
        ? [.package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")] : [],
    targets: layers + (embedded ? [] : isFuzzing ? fuzzing : hosted) + (hasTools ? tools : []),
    cLanguageStandard: .gnu11)
