//! Micro-benchmarks and the side-by-side convergence harness.
