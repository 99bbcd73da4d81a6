// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

// libm by the names that read well here.

func logarithm(_ number: Double) -> Double { log(number) }
func exponent(_ number: Double) -> Double { exp(number) }
func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }

/// Of a part of a whole turn.
func sine(_ turn: Double) -> Double { sin(turn * 2 * .pi) }
