"""The twin: an app that can be made wrong in one way for each case.

With every switch off it is the hardened reference. It knows nothing of the rest of this package.
"""
