//! BGP messages to and from bytes: borrowed views, exact encoding, RFC 7606 errors. No I/O.
