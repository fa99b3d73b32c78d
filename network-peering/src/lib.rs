//! Network peering proposals as a pure function: documents in, statuses and edges out.
