// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Numbers of the moderator's log lines; docs/errors.md explains each. Never used again for something else.
enum LogNumber {
    // 100–199: what the parent says of the configuration.
    static let acceptsNothing: Int32 = 102
    static let noDirectory: Int32 = 103
    static let noKey: Int32 = 110
    static let prediction: Int32 = 120
    static let optionalKey: Int32 = 121
    static let coveredChain: Int32 = 130
    static let chainAlone: Int32 = 141
    static let addressAway: Int32 = 142
    static let addressOutside: Int32 = 143
    static let sharedByThreads: Int32 = 482
    // The moderator's own.
    static let started: Int32 = 300
    static let ended: Int32 = 301
    static let arribaMeasured: Int32 = 302
    static let arribaNotKept: Int32 = 303
    static let figureMissing: Int32 = 304
    static let smallBuffer: Int32 = 305
    static let controlFailed: Int32 = 306
    static let shutdown: Int32 = 307
    static let ordered: Int32 = 308
    static let flood: Int32 = 350
    static let overflowed: Int32 = 351
    static let unchecked: Int32 = 352
    static let signedHere: Int32 = 353
    static let clockWrong: Int32 = 354
    // 310–329: what was dropped.
    static let notAccepted: Int32 = 310
    static let truncated: Int32 = 311
    static let oversized: Int32 = 312
    static let foreign: Int32 = 313
    static let version: Int32 = 314
    static let nonsense: Int32 = 315
    static let tableFull: Int32 = 316
    static let sendFailed: Int32 = 317
    static let ownAddress: Int32 = 318
    static let forbidden: Int32 = 319
    static let outside: Int32 = 320
    static let othersAddress: Int32 = 321
    static let crowd: Int32 = 322
    static let unsigned: Int32 = 323
    static let badSignature: Int32 = 324
    static let badAnswer: Int32 = 325
    // 360–369: servers come and go.
    static let joined: Int32 = 360
    static let left: Int32 = 361
    static let silent: Int32 = 362
    static let returned: Int32 = 363
    static let backoff: Int32 = 364
    static let failing: Int32 = 365
    static let forgotten: Int32 = 366
    static let manyChanges: Int32 = 367
    static let alone: Int32 = 368
    static let failsCheck: Int32 = 369
    static let slashesDiffer: Int32 = 370
    static let drainFileFailed: Int32 = 373
    static let drainFile: Int32 = 374
    static let checkFails: Int32 = 375
    static let checkPasses: Int32 = 376
    static let allFail: Int32 = 377
    static let farmOrdered: Int32 = 378
    // The pool of all children, whose other lines are of requests.
    static let notConnections: Int32 = 480
}
