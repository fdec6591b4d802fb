"""`paraph check init`: writes a target file, and test hooks as code, for an app."""
