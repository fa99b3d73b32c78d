//! One BGP neighbour's protocol as a state machine without I/O (RFC 4271).
