//! A BGP speaker for tokio: sockets, timers, redistribution and the embeddable handle.
