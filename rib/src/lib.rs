//! Per-VRF routing tables, interned attributes, the decision process and Adj-RIB-Out groups.
