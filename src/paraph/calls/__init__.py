"""The calls of a host: one description for `Zoom`, `SyncZoom` and the two clients."""
