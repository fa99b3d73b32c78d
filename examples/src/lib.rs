//! Small programs on the public API.
