"""Reviews of a set-up as documents: the report of the doctor, and the pack for Zoom's review."""
