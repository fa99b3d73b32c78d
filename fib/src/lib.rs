//! Sinks for selected routes: memory and the Linux kernel.
