"""The twin: an app with one switchable weakness for each case.

With every switch off it is the hardened reference. It imports nothing else of this package.
"""
