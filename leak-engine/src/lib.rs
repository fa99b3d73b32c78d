//! Leaks routes between peered VRFs: the leaked view kept incrementally, checked against a naive twin.
