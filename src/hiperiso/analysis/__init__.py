"""Events to facts to verdict to report: pure, so any stored session can be re-evaluated."""
